"""The configuration file: read whole or refused with every problem, each with its path."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.config import Config, load
from orchestrator.core import rules
from orchestrator.core.decide import decide
from orchestrator.core.exceptions import BadConfig
from orchestrator.core.model import DecisionOutcome, Observed, Stored, Tick
from orchestrator.core.policy import (
    Lever,
    Mode,
    Policy,
    Standby,
)
from tests.support.examples import examples
from tests.support.fakes import HEALTHY, REGIONS, START, configuration
from tests.support.loop import deployed

ROOT = Path(__file__).parents[2]

FULL = """
version: 1
serial: 3
project: my-project
state: gs://my-project-failover
topics: {alerts: dynamodb-failover-alerts, control: failover-control, events: failover-events}
services:
  checkout:
    mode: active-passive
    regions:
      us-east-1:
        endpoint: dynamodb.us-east-1.amazonaws.com
        health_url: https://use4.checkout.example.com/healthz
        check_id: checkout-use4-x1
        backend: https://www.googleapis.com/compute/v1/projects/my-project/regions/us-east4/networkEndpointGroups/checkout-use4
      us-west-2:
        health_url: https://usw1.checkout.example.com/healthz
        backend:
          - https://www.googleapis.com/compute/v1/projects/my-project/zones/us-west1-a/networkEndpointGroups/checkout-a
          - https://www.googleapis.com/compute/v1/projects/my-project/zones/us-west1-b/networkEndpointGroups/checkout-b
    traffic: {kind: backend-service, backend_service: checkout}
    policy:
      confirm: probe
      on_unconfirmed: hold
      min_incidents: 1
      recovery_probes: 3
      cooldown: 10m
      max_auto_failovers: {count: 3, within: 24h}
      max_event_age: 15m
      brake: {share: 0.7, within: 2m}
      min_healthy_regions: 1
      failback: manual
      failback_after: 30m
      ramp: [0.1, 0.5, 1.0]
      ramp_step: 5m
      max_replication_lag: 60s
      on_lag: hold
      on_state_loss: hold
probe: {timeout: 2s, attempts: 2, auth: none}
"""


def told(**paths: Any) -> dict[str, Any]:  # any JSON
    """A whole file as data, with values set at `services__checkout__policy__cooldown=...`."""
    made = configuration()
    for path, value in paths.items():
        *steps, last = path.replace("us_east_1", "us-east-1").split("__")
        at = made
        for step in steps:
            at = at.setdefault(step, {})
        at[last] = value
    return made


def read(value: object) -> Config:
    """The configuration in this data."""
    return load(json.dumps(value), "failover.yaml")


def problems(value: object) -> dict[str, str]:
    """The problems found, by path."""
    with pytest.raises(BadConfig) as refused:
        read(value)
    return {problem.path: problem.text for problem in refused.value.problems}


# --- what loads ----------------------------------------------------------------------------------


def test_the_full_example_loads_and_says_the_defaults() -> None:
    config = load(FULL, "failover.yaml")
    ours = config.services["checkout"]
    assert (config.project, config.state) == ("my-project", "gs://my-project-failover")
    assert ours.mode is Mode.ACTIVE_PASSIVE
    assert ours.names == ("us-east-1", "us-west-2")
    assert ours.stamp.serial == 3
    assert ours.backend_service == "checkout"
    assert ours.stated_lever is None
    assert ours.policy == Policy(lag_required=True)  # it states `max_replication_lag`
    east, west = ours.regions
    assert east.check_id == "checkout-use4-x1"
    assert east.backends == (
        "projects/my-project/regions/us-east4/networkEndpointGroups/checkout-use4",
    )
    assert west.endpoint == "dynamodb.us-west-2.amazonaws.com"
    assert len(west.backends) == 2
    assert config.probe.timeout == timedelta(seconds=2)
    assert (config.probe.attempts, config.probe.auth) == (2, "none")


def test_the_defaults_are_what_the_full_example_says() -> None:
    said = yaml.safe_load(FULL)
    bare = copy.deepcopy(said)
    for name in ("probe", "serial"):
        del bare[name]
    del bare["services"]["checkout"]["policy"]
    full, small = read(said), read(bare)
    stated = full.services["checkout"].policy
    assert stated.lag_required
    assert replace(stated, lag_required=False) == small.services["checkout"].policy
    assert full.probe == small.probe
    assert small.services["checkout"].stamp.serial == 0


@pytest.mark.parametrize("name", ["failover.yaml", "examples/failover-local.yaml"])
def test_the_files_in_the_repository_load(name: str) -> None:
    assert load((ROOT / name).read_text(), name).services["checkout"].regions


def test_the_digest_is_of_the_services_part_and_of_nothing_else() -> None:
    base = read(told()).services["checkout"].stamp
    assert read(told(serial=2)).services["checkout"].stamp.digest == base.digest
    assert read(told(probe__attempts=3)).services["checkout"].stamp.digest == base.digest
    other = read(told(services__checkout__policy={"cooldown": "1m"})).services["checkout"].stamp
    assert other.digest != base.digest
    assert other.serial == base.serial


def test_the_lever_may_be_stated() -> None:
    made = read(told(services__checkout__traffic__lever="membership")).services["checkout"]
    assert made.stated_lever is Lever.MEMBERSHIP


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("2s", 2),
        ("10m", 600),
        ("2h", 7200),
        ("1d", 86400),
        ("0s", 0),
        ("1.5h", 5400),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    made = read(told(services__checkout__policy={"cooldown": text}))
    assert made.services["checkout"].policy.cooldown == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["10", "m", "10 m", "ten minutes", "-1m", "1w", "", 600, None, [], True]
)
def test_anything_else_is_no_duration(text: object) -> None:
    found = problems(told(services__checkout__policy={"cooldown": text}))
    assert set(found) == {"services.checkout.policy.cooldown"}
    assert "500ms, 2s, 10m" in found["services.checkout.policy.cooldown"]


@pytest.mark.parametrize("text", ["999999d", "99999999999999999999d", "9" * 400 + "s"])
def test_a_duration_beyond_any_calendar_never_breaks_a_decision(text: str) -> None:
    """It is refused at load, or it works: an alert is no time to find out."""
    policy = {
        "cooldown": text,
        "max_event_age": text,
        "max_auto_failovers": {"count": 3, "within": text},
        "brake": {"share": 0.7, "within": text},
    }
    try:
        ours = read(told(services__checkout__policy=policy)).services["checkout"]
    except BadConfig:
        return
    observed = Observed(Stored(None, 0), deployed(ours), dict.fromkeys(REGIONS, HEALTHY))
    assert decide(ours, observed, Tick(), START).outcome is not DecisionOutcome.MOVED
    assert rules.max_auto_failovers(ours.policy, (), None, START).passed


# --- what does not -------------------------------------------------------------------------------


A_PROJECT = "write the project's id, such as my-project, not its number"
JARGON = ("Input", "valid ", "dictionary", "pattern", "None", "True", "False", "timedelta", "parse")
"""Words of the schema's library and of the language, which a file's writer need not know."""


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("serial", "one", "write a whole number of at least 0. It is 'one'"),
        ("serial", 1.5, "write a whole number of at least 0. It is 1.5"),
        ("serial", -1, "write a whole number of at least 0. It is -1"),
        ("project", None, f"{A_PROJECT}. It is empty"),
        ("project", "", f"{A_PROJECT}. It is empty"),
        ("project", 7, f"{A_PROJECT}. It is 7"),
        ("project", "1234567890", f"{A_PROJECT}. It is '1234567890'"),
        ("project", "My_Project", f"{A_PROJECT}. It is 'My_Project'"),
        ("state", "s3://b", "write gs://BUCKET or file:///some/folder. It is 's3://b'"),
        ("topics", [], "write a mapping with any of alerts, control, events. It is an empty list"),
        ("services", {}, "write at least one service by its name. It is an empty mapping"),
        (
            "services.checkout.mode",
            "active",
            "write active-passive or active-active. It is 'active'",
        ),
        ("services.checkout.regions", [1], "write at least one region by its name. It is a list"),
        (
            "services.checkout.traffic",
            "x",
            "write a mapping with kind and backend_service. It is 'x'",
        ),
        (
            "services.checkout",
            None,
            "write a mapping with mode, regions and traffic. It is empty",
        ),
        (
            "services.checkout.regions.us-west-2",
            7,
            "write a mapping with backend. It is 7",
        ),
        ("services.checkout.policy.trust_close", "si", "write true or false. It is 'si'"),
        (
            "services.checkout.policy.cooldown",
            600,
            "write a duration such as 500ms, 2s, 10m, 2h or 1d. It is 600",
        ),
        (
            "services.checkout.policy.brake.share",
            7,
            "write a number above 0 and at most 1. It is 7",
        ),
        (
            "services.checkout.policy.ramp",
            0.5,
            "write a list of numbers above 0 and at most 1, rising, the last 1.0. It is 0.5",
        ),
        (
            "probe.timeout",
            "2h",
            "write a duration such as 500ms, 2s, 10m, 2h or 1d, from 100ms to 1m. It is '2h'",
        ),
        ("probe.auth", False, "write none or oidc. It is false"),
        ("probe.attempts", 9, "write a whole number from 1 to 5. It is 9"),
    ],
)
def test_a_wrong_value_is_told_with_what_would_be_right(
    path: str, value: object, text: str
) -> None:
    assert problems(told(**{path.replace(".", "__"): value})) == {path: text}


def test_what_is_wrong_in_a_list_is_told_at_its_place_in_it() -> None:
    broken = told(
        services__checkout__policy={"ramp": [0.5, 2]},
        services__checkout__regions__us_east_1__backend=["checkout"],
    )
    assert problems(broken) == {
        "services.checkout.policy.ramp.1": "write a number above 0 and at most 1. It is 2",
        "services.checkout.regions.us-east-1.backend.0": (
            "write the URL of an instance group or network endpoint group, such as"
            " https://www.googleapis.com/compute/v1/projects/P/zones/Z/instanceGroups/NAME."
            " It is 'checkout'"
        ),
    }


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("topcs", "not known here. Did you mean `topics`?"),
        ("services.checkout.policy.cooldwn", "not known here. Did you mean `cooldown`?"),
        ("services.checkout.policy.max-event-age", "not known here. Did you mean `max_event_age`?"),
        (
            "services.checkout.regions.us-west-2.healthUrl",
            "not known here. Did you mean `health_url`?",
        ),
        (
            "services.checkout.cooldown",
            "not known here. It belongs at services.<service>.policy.cooldown",
        ),
        ("probe.frobnicate", "not known here. Known are timeout, attempts, auth"),
        (
            "services.checkout.traffic.zone",
            "not known here. Known are kind, backend_service, lever, standby",
        ),
    ],
)
def test_a_key_that_is_not_known_is_told_with_what_it_may_have_been(path: str, text: str) -> None:
    assert problems(told(**{path.replace(".", "__"): "x"})) == {path: text}


def test_what_is_missing_is_told_with_what_to_write() -> None:
    assert problems({"services": {"checkout": {"regions": {"us-east-1": {}}, "traffic": {}}}}) == {
        "version": "missing. Write 1",
        "project": f"missing. W{A_PROJECT[1:]}",
        "state": "missing. Write gs://BUCKET or file:///some/folder",
        "services.checkout.mode": "missing. Write active-passive or active-active",
        "services.checkout.regions.us-east-1.health_url": (
            "missing; our probe could not confirm an alert of us-east-1, so nothing would move."
            " Write it, or have alerts move traffic by themselves: `on_unconfirmed: proceed`"
        ),
        "services.checkout.regions.us-east-1.backend": (
            "missing. Write the URL of an instance group or network endpoint group, such as"
            " https://www.googleapis.com/compute/v1/projects/P/zones/Z/instanceGroups/NAME, or a"
            " list of such URLs"
        ),
        "services.checkout.traffic.kind": "missing. Write backend-service",
        "services.checkout.traffic.backend_service": (
            "missing. Write a name of lower-case letters, digits and hyphens that begins with a"
            " letter, at most 63 characters"
        ),
    }


def test_a_name_that_is_none_is_told_with_the_rule() -> None:
    """YAML takes an unquoted `no` for false, so it is said how it was read."""
    text = FULL.replace("  checkout:\n", "  Checkout:\n").replace("us-west-2:", "no:")
    with pytest.raises(BadConfig) as refused:
        load(text, "failover.yaml")
    found = {problem.path: problem.text for problem in refused.value.problems}
    assert found == {
        "services.Checkout": (
            "write a name of lower-case letters, digits and hyphens that begins with a letter, at"
            " most 63 characters. It is 'Checkout'"
        ),
        "services.Checkout.regions.false": (
            'write true or false, or "no" in quotes if it is a text; the function and Terraform do'
            " not read no alike"
        ),
    }


def test_a_service_may_have_any_name_that_follows_the_rule() -> None:
    """Also one that the library uses for something of its own in its paths."""
    broken = told()
    broken["services"]["str"] = broken["services"].pop("checkout")
    broken["services"]["str"]["mode"] = "x"
    assert set(problems(broken)) == {"services.str.mode"}


def test_problems_are_told_in_the_order_of_the_file() -> None:
    """What is missing comes at the end of its mapping."""
    text = """
        probe: {attempts: 0}
        state: x
        services:
          b:
            traffic: 1
            mode: x
            regions: {eu-west-1: {backend: projects/p/zones/z/instanceGroups/g}}
          a: {mode: x, regions: {eu-west-1: {backend: [], health_url: http://e.de/h}}, colour: red}
        version: 2
    """
    with pytest.raises(BadConfig) as refused:
        load(text, "failover.yaml")
    assert [problem.path for problem in refused.value.problems] == [
        "probe.attempts",
        "state",
        "services.b.traffic",
        "services.b.mode",
        "services.b.regions.eu-west-1.health_url",
        "services.a.mode",
        "services.a.regions.eu-west-1.backend",
        "services.a.colour",
        "services.a.traffic",
        "version",
        "project",
    ]


@pytest.mark.parametrize("field", ["zone", "url_map"])
def test_a_field_of_another_kind_of_traffic_is_never_refused_without_a_word(field: str) -> None:
    """It is told by its kind when that is not there yet, and by itself otherwise."""
    assert problems(told(**{f"services__checkout__traffic__{field}": "x"}))
    other = told(services__checkout__traffic={"kind": "cloud-dns", field: "x"})
    assert set(problems(other)) == {"services.checkout.traffic.kind"}


@pytest.mark.parametrize(("text", "seen"), [("", "empty"), ("[]", "an empty list"), ("7", "7")])
def test_a_file_that_is_no_mapping_is_told_so(text: str, seen: str) -> None:
    with pytest.raises(BadConfig, match=f"write a mapping, .* It is {seen}$"):
        load(text, "failover.yaml")


def test_every_problem_is_listed_at_once_with_its_path() -> None:
    broken = told(
        serial=-1,
        state="s3://bucket",
        services__checkout__mode="active",
        services__checkout__regions__us_east_1__health_url="use4.example.com",
        services__checkout__regions__us_east_1__backnd="x",
        services__checkout__traffic__backend_service="Checkout!",
        services__checkout__policy={"cooldown": 600, "brake": {"share": 7}},
        probe__timeout=2,
    )
    del broken["project"]
    assert set(problems(broken)) == {
        "project",
        "serial",
        "state",
        "services.checkout.mode",
        "services.checkout.regions.us-east-1.health_url",
        "services.checkout.regions.us-east-1.backnd",
        "services.checkout.traffic.backend_service",
        "services.checkout.policy.cooldown",
        "services.checkout.policy.brake.share",
        "probe.timeout",
    }


def test_problems_between_fields_are_listed_with_the_others() -> None:
    """One reading tells all; nobody mends a file twice."""
    broken = told(serial=-1)
    regions = broken["services"]["checkout"]["regions"]
    regions["us-west-2"]["backend"] = regions["us-east-1"]["backend"]
    assert set(problems(broken)) == {
        "serial",
        "services.checkout.regions.us-east-1.backend",
        "services.checkout.regions.us-west-2.backend",
    }


def test_the_message_names_the_file_and_what_follows_from_it() -> None:
    with pytest.raises(BadConfig, match=r"gs://b/failover\.yaml") as refused:
        load("version: 2", "gs://b/failover.yaml")
    assert "Alerts are ignored until" in str(refused.value)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("traffic", {"kind": "url-map", "url_map": "web"}, "url-map does not exist yet"),
        ("traffic", {"kind": "cloud-dns", "zone": "z"}, "cloud-dns does not exist yet"),
    ],
)
def test_what_does_not_exist_yet_is_refused_with_a_sentence(
    path: str, value: object, sentence: str
) -> None:
    """Never ignored: a rule that a human believes in and nobody enforces is worse than none."""
    found = problems(told(**{f"services__checkout__{path}": value}))
    assert any(sentence in text for text in found.values())
    assert all("misspelt" not in text for text in found.values() if value in ("attached", "auto"))


def attached(**paths: Any) -> dict[str, Any]:  # any JSON
    """A whole file with attached standbys, and values set as `told` sets them."""
    return told(services__checkout__traffic__standby="attached", **paths)


def test_attached_standbys_load_with_a_role_url_for_every_region() -> None:
    service = read(attached()).services["checkout"]
    assert service.standby is Standby.ATTACHED
    assert [region.role_url for region in service.regions] == [
        f"https://{region.name}.checkout.example.com/healthz/primary" for region in service.regions
    ]
    assert read(told()).services["checkout"].standby is Standby.DRAINED


@pytest.mark.parametrize(
    ("health_url", "role_url"),
    [
        ("https://a.example.com/health/", "https://a.example.com/health/primary"),
        ("http://a.example.com:8080", "http://a.example.com:8080/primary"),
        ("https://a.example.com/health?deep=1", "https://a.example.com/health/primary?deep=1"),
    ],
)
def test_the_role_url_is_below_the_health_url(health_url: str, role_url: str) -> None:
    made = read(attached(services__checkout__regions__us_east_1__health_url=health_url))
    assert made.services["checkout"].regions[0].role_url == role_url


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("mode", "active-active", "traffic.standby: active-active has no standbys"),
        ("policy", {"on_state_loss": "act"}, "policy.on_state_loss: write hold"),
        (
            "regions__us_east_1__health_url",
            None,
            "us-east-1.health_url: missing; standby: attached",
        ),
        (
            "regions__us_east_1__health_url",
            "https://a.example.com/health/primary",
            "us-east-1.health_url: write the URL of the region's health",
        ),
        (
            "regions__us_east_1__health_url",
            "https://a.example.com/primary/?a=b",
            "us-east-1.health_url: write the URL of the region's health",
        ),
    ],
)
def test_what_attached_standbys_cannot_go_with_is_refused(
    path: str, value: object, sentence: str
) -> None:
    """Each at its path, and nothing of it without them."""
    change = {f"services__checkout__{path}": value}
    found = [f"{where}: {text}" for where, text in problems(attached(**change)).items()]
    assert len(found) == 1
    assert sentence in found[0]
    assert read(told(**change, services__checkout__policy__confirm="none")).services


@pytest.mark.parametrize("given", [[], [0.5], [0.5, 0.1, 1.0], [0.5, 0.5, 1.0]])
def test_a_ramp_rises_and_ends_with_all_of_it(given: list[float]) -> None:
    found = problems(told(services__checkout__policy={"ramp": given}))
    assert "rise and end with 1.0" in found["services.checkout.policy.ramp"]


def test_a_graceful_switch_must_have_the_time_that_it_waits() -> None:
    graceful = {"max_staleness": "60s", "request_timeout": "10s", "deadline": "2m"}
    found = problems(told(services__checkout__policy={"graceful": graceful}))
    assert "write at least 160s" in found["services.checkout.policy.graceful.deadline"]


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("https://checkout-abc.us-east4.run.app/healthz", "/health"),
        ("https://checkout-abc.us-east4.run.app/readyz", "run.app"),
        ("https://use4.example.com/healthz/primary", "role"),
        ("use4.example.com/healthz", "URL"),
        ("ftp://use4.example.com/healthz", "URL"),
        ("https:///healthz", "URL"),
        ("http://[", ""),
        ("", "URL"),
        (7, ""),
    ],
)
def test_a_health_url_that_says_nothing_of_health_is_refused(url: object, hint: str) -> None:
    found = problems(told(services__checkout__regions__us_east_1__health_url=url))
    assert set(found) == {"services.checkout.regions.us-east-1.health_url"}
    assert hint in next(iter(found.values()))


@pytest.mark.parametrize(
    "url",
    [
        "https://checkout-abc.us-east4.run.app/health",
        "https://use4.example.com/healthz",
        "http://10.0.0.1:8080/healthz",
    ],
)
def test_other_health_urls_are_taken(url: str) -> None:
    made = read(told(services__checkout__regions__us_east_1__health_url=url))
    assert made.services["checkout"].regions[0].health_url == url


@pytest.mark.parametrize(
    ("policy", "taken"),
    [
        ({}, False),
        ({"on_unconfirmed": "hold"}, False),
        ({"on_unconfirmed": "proceed"}, True),
        ({"confirm": "none"}, True),
        ({"confirm": "monitoring"}, True),
    ],
)
def test_a_region_without_a_health_url_is_taken_only_where_the_file_says_what_confirms(
    policy: dict[str, str], *, taken: bool
) -> None:
    """Else no alert of it could be confirmed, and nobody would know before the night."""
    change = {"services__checkout__regions__us_east_1__health_url": None}
    file = told(**change, services__checkout__policy=policy)
    where = "services.checkout.regions.us-east-1.health_url"
    assert read(file).services if taken else set(problems(file)) == {where}


@pytest.mark.parametrize(
    "backend",
    [
        None,
        7,
        "",
        "checkout",
        "projects/p/zones/z/instances/i",
        "projects/p/global/backendServices/b",
        [],
        ["checkout"],
        "projects/p/global/networkEndpointGroups/internet",
    ],
)
def test_a_backend_that_cannot_be_moved_is_refused(backend: object) -> None:
    found = problems(told(services__checkout__regions__us_east_1__backend=backend))
    assert all(path.startswith("services.checkout.regions.us-east-1.backend") for path in found)


def test_a_group_may_belong_to_one_region_only() -> None:
    """Written in two ways it is the same group."""
    broken = told()
    regions = broken["services"]["checkout"]["regions"]
    regions["us-west-2"]["backend"] = (
        "https://compute.googleapis.com/compute/beta/" + regions["us-east-1"]["backend"]
    )
    found = problems(broken)
    assert set(found) == {
        "services.checkout.regions.us-east-1.backend",
        "services.checkout.regions.us-west-2.backend",
    }
    assert all("claimed twice" in text for text in found.values())


def test_a_group_may_stand_in_its_list_once() -> None:
    broken = told()
    region = broken["services"]["checkout"]["regions"]["us-east-1"]
    region["backend"] = [region["backend"], region["backend"]]
    assert "claimed twice" in problems(broken)["services.checkout.regions.us-east-1.backend"]


def test_two_services_may_not_move_one_backend_service() -> None:
    broken = told()
    broken["services"]["search"] = copy.deepcopy(broken["services"]["checkout"])
    assert set(problems(broken)) == {
        "services.checkout.traffic.backend_service",
        "services.search.traffic.backend_service",
    }


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nversion: 1\n",
        "services: {checkout: {mode: active-passive}, checkout: {mode: active-active}}",
        FULL.replace("      us-west-2:\n", "      us-east-1:\n"),
        FULL.replace("      cooldown: 10m\n", "      cooldown: 10m\n      cooldown: 20m\n"),
    ],
)
def test_a_key_that_stands_twice_is_refused(text: str) -> None:
    with pytest.raises(BadConfig, match="stands twice"):
        load(text, "failover.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "null",
        "7",
        "text",
        "[]",
        "{}",
        "a: [",
        "\t",
        "a: *unknown",
        "--- a\n--- b",
        "!!python/object/apply:os.system [id]",
        "&a {services: *a}",
        "{" * 5000,
        "? [a, b]\n: c",
        "? {a: b}\n: c",
        "!!map [a]",
        "!!map text",
        "!!set [a]",
        "!!omap {a: b}",
        "version: 2026-13-45",
        "version: 0b_",
        "version: !!int text",
        "version: !!float text",
        "version: !!binary '%'",
        "version: !!timestamp text",
        "version: !!bool text",
        "version: " + "9" * 5000,
        "1: 2",
        "null: 2",
        "services: {1: {}}",
        "? !!binary c2VydmljZXM=\n: 1",
        "version: ._",
        "version: 0x_",
        "<<: 7",
        "<<: [7]",
        "a: 2026-01-01T00:00:00+99:99",
    ],
)
def test_what_is_no_configuration_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(BadConfig) as refused:
        load(text, "failover.yaml")
    assert refused.value.problems


def test_a_name_given_as_bytes_is_a_name_or_refused() -> None:
    """YAML can spell a key as bytes."""
    text = FULL.replace("  checkout:\n", "  !!binary Y2hlY2tvdXQ=:\n")
    load_or_refuse(text)


# --- anything at all -----------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Every path in the data."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    return found


WHOLE = yaml.safe_load(FULL)


def load_or_refuse(text: str) -> None:
    """A configuration, or BadConfig with its problems; nothing else."""
    try:
        made = load(text, "any")
    except BadConfig as error:
        refused = error
    else:
        assert all(isinstance(name, str) for name in made.services)
        return
    assert refused.problems
    told_of = [problem.text for problem in refused.problems if "not YAML" not in problem.text]
    ours = [text.partition(". It is ")[0] for text in told_of]
    assert not [word for word in JARGON if any(word in text for text in ours)]


@settings(deadline=None, max_examples=examples(200))
@given(place=st.sampled_from(places(WHOLE)), value=ANYTHING)
def test_any_value_anywhere_is_taken_or_refused(place: tuple[object, ...], value: object) -> None:
    changed = copy.deepcopy(WHOLE)
    at = changed
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    load_or_refuse(yaml.safe_dump(changed))


YAML_WORDS = ["version", "services", "*a", "1", "1_000", "0x", "2026-13-45", "~", "<<", "#"]
YAML_MARKS = [": ", "- ", "? ", "!!map ", "!!set ", "&a ", "> ", "'", '"', " ", "\n", ",", *"{}[]"]
YAML_PARTS = st.sampled_from([*YAML_WORDS, *YAML_MARKS])


@settings(deadline=None, max_examples=examples(300))
@given(text=st.text(max_size=60) | st.lists(YAML_PARTS, max_size=12).map("".join))
@example(text="? [a]\n: b")
def test_any_text_is_refused_and_nothing_worse(text: str) -> None:
    load_or_refuse(text)


# --- mirrors -------------------------------------------------------------------------------------


def test_without_mirrors_there_are_none() -> None:
    config = read(told())
    assert config.mirrors.ssm is None
    assert config.mirrors.redis is None


def test_the_mirrors_defaults_name_the_service() -> None:
    config = read(
        told(mirrors={"ssm": {"regions": ["us-east-1"]}, "redis": {"urls": ["redis://h"]}})
    )
    assert config.mirrors.ssm is not None
    assert config.mirrors.redis is not None
    assert config.mirrors.ssm.parameter == "/failover/{service}"
    assert config.mirrors.redis.key == "failover:{service}"


@pytest.mark.parametrize(
    "redis",
    [
        {"urls": ["redis://:geheim@host:6379/0"]},
        {"urls": ["rediss://user:geheim/mit@schräg@host"]},
        {"urls": "redis://:geheim@host"},
        {"url": "redis://:geheim@host", "urls": ["redis://:geheim@host/x"]},
        "redis://user:geheim@host",
    ],
)
def test_a_password_in_the_file_is_refused_and_never_repeated(redis: object) -> None:
    found = problems(told(mirrors={"redis": redis}))
    assert found
    assert "geheim" not in str(found)


def test_a_refused_password_is_told_where_to_put_it() -> None:
    found = problems(told(mirrors={"redis": {"urls": ["redis://:geheim@host"]}}))
    assert "FAILOVER_REDIS_PASSWORD" in found["mirrors.redis.urls.0"]


def test_several_services_need_a_place_of_their_own_in_every_mirror() -> None:
    made = told(
        mirrors={
            "ssm": {"regions": ["us-east-1"], "parameter": "/failover/all"},
            "redis": {"urls": ["redis://h"], "key": "all"},
        }
    )
    read(made)
    other = copy.deepcopy(made["services"]["checkout"])
    other["traffic"]["backend_service"] = "search"
    made["services"]["search"] = other
    found = problems(made)
    assert "{service}" in found["mirrors.ssm.parameter"]
    assert "{service}" in found["mirrors.redis.key"]


def test_mirrors_are_no_part_of_the_digest() -> None:
    """They change no decision: two instances that differ in them still are of one mind."""
    plain = read(told()).services["checkout"].stamp
    assert (
        read(told(mirrors={"redis": {"urls": ["redis://h"]}})).services["checkout"].stamp == plain
    )


# --- endpoints -----------------------------------------------------------------------------------

HERE = "services.checkout.regions.us-east-1.endpoint"


def endpoints(value: dict[str, Any], *, emulated: bool = False) -> dict[str, str]:
    """The problems of a file in the cloud, or beside an emulator, by path."""
    try:
        load(json.dumps(value), "failover.yaml", emulated=emulated)
    except BadConfig as refused:
        return {problem.path: problem.text for problem in refused.problems}
    return {}


def at(endpoint: str, *allowed: str, state: str = "gs://laptop-failover") -> dict[str, Any]:
    """A file whose first region has this endpoint, and whose service allows these hosts."""
    made = told(services__checkout__regions__us_east_1__endpoint=endpoint, state=state)
    if allowed:
        made["services"]["checkout"]["allow_endpoints"] = list(allowed)
    return made


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("db.example.com", "no name that AWS gives DynamoDB in us-east-1"),
        ("dynamodb.us-east-1.amazonaws.com.evil.example", "no name that AWS gives DynamoDB"),
        ("https://me:geheim@dynamodb.us-east-1.amazonaws.com", "no host that requests can be sent"),
        ("dynamodb.us-east-1.amazonaws.com@evil.example", "no host that requests can be sent"),
        ("dynamodb\u3002us-east-1.amazonaws.com", "no host that requests can be sent"),
        ("dynamodb.us-east-1.amazonaws.com/", "no host that requests can be sent"),
        ("https://dynamodb.us-east-1.amazonaws.com?x=1", "no host that requests can be sent"),
        ("Dynamodb.us-east-1.amazonaws.com", "no host that requests can be sent"),
        ("dynamodb.us-east-1.amazonaws.com.", "no host that requests can be sent"),
        ("dynamodb.us-east-1.amazonaws.com:8443", "no name that AWS gives DynamoDB"),
        ("http://dynamodb.us-east-1.amazonaws.com", "clear text"),
        ("http://127.0.0.1:8000", "the machine that asks"),
        ("localhost", "the machine that asks"),
        ("https://[::1]", "the machine that asks"),
        ("dyn amo", "no host that requests can be sent"),
    ],
)
def test_an_endpoint_that_is_no_dynamodb_is_refused_and_says_what_is(
    endpoint: str, why: str
) -> None:
    found = endpoints(at(endpoint))
    assert list(found) == [HERE]
    assert why in found[HERE]
    assert "write dynamodb.us-east-1.amazonaws.com" in found[HERE]
    assert "geheim" not in found[HERE]
    assert found[HERE].isascii()


def test_a_host_of_ones_own_is_named_as_it_is_to_be_allowed() -> None:
    found = endpoints(at("https://db.example.com:8443"))[HERE]
    assert "allow_endpoints: [db.example.com:8443] in the service" in found
    assert endpoints(at("https://db.example.com:8443", "db.example.com:8443")) == {}
    assert endpoints(at("db.example.com", "db.example.com")) == {}
    assert endpoints(at("db.example.com", "example.com", "x.db.example.com"))


def test_clear_text_is_taken_beside_an_emulator_only_and_from_a_listed_host() -> None:
    """LocalStack in a network of containers is no loopback address."""
    local = at("http://localstack:4566", "localstack:4566")
    assert endpoints(local, emulated=True) == {}
    assert "clear text" in endpoints(local)[HERE]
    assert (
        "allow_endpoints: [localstack:4566]"
        in (endpoints(at("http://localstack:4566"), emulated=True)[HERE])
    )


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8000", "http://localhost:8000"])
def test_loopback_is_taken_with_a_folder_or_an_emulator_only(endpoint: str) -> None:
    assert endpoints(at(endpoint), emulated=True) == {}
    assert endpoints(at(endpoint, state="file:///tmp/laptop")) == {}
    assert endpoints(at(endpoint, "127.0.0.1:8000", "localhost:8000"))


@pytest.mark.parametrize("host", ["https://db.example.com", "*.example.com", "a@b", "DB.x", "a/b"])
def test_what_is_allowed_is_a_host_by_its_exact_name(host: str) -> None:
    found = endpoints(at("db.example.com", "db.example.com", host))
    assert list(found) == ["services.checkout.allow_endpoints.1"]


def test_the_region_in_the_name_must_be_the_right_one() -> None:
    found = endpoints(at("dynamodb.us-west-2.amazonaws.com"))[HERE]
    assert "is DynamoDB in us-west-2, not in us-east-1" in found
    assert "aws_region: us-west-2 if the table is there" in found


def keyed(key: str, **fields: str) -> dict[str, Any]:
    """A file whose first region has another key."""
    made = told()
    regions = made["services"]["checkout"]["regions"]
    entry = regions.pop("us-east-1")
    del entry["endpoint"]
    regions[key] = entry | fields
    return made


def test_nothing_is_made_up_for_a_key_that_is_no_aws_region() -> None:
    """`us-east4` is Google's: there is no such host, and somebody could have its name one day."""
    found = endpoints(keyed("us-east4"))
    assert list(found) == ["services.checkout.regions.us-east4.aws_region"]
    assert "missing: us-east4 is no AWS region" in next(iter(found.values()))


@pytest.mark.parametrize(
    ("fields", "endpoint"),
    [
        ({"aws_region": "us-east-1"}, "dynamodb.us-east-1.amazonaws.com"),
        ({"aws_region": "cn-north-1"}, "dynamodb.cn-north-1.amazonaws.com.cn"),
        (
            {"endpoint": "https://123456789012.ddb.us-east-1.amazonaws.com"},
            "https://123456789012.ddb.us-east-1.amazonaws.com",
        ),
    ],
)
def test_a_key_that_is_no_aws_region_has_one_beside_it_or_in_its_endpoint(
    fields: dict[str, str], endpoint: str
) -> None:
    region = read(keyed("us-east4", **fields)).services["checkout"].region("us-east4")
    assert region.endpoint == endpoint
    assert region.aws_region in endpoint
    assert region.aws_region


def test_an_aws_region_that_is_the_key_is_said_once() -> None:
    found = read(keyed("us-east-1", aws_region="us-east-1")).services["checkout"]
    assert found.region("us-east-1").aws_region == ""


def test_an_own_host_needs_the_aws_region_that_requests_are_signed_for() -> None:
    made = keyed("us-east4", endpoint="db.example.com")
    made["services"]["checkout"]["allow_endpoints"] = ["db.example.com"]
    assert list(endpoints(made)) == ["services.checkout.regions.us-east4.aws_region"]


def test_aws_regions_and_hosts_are_part_of_the_digest() -> None:
    """So another file of the same serial is a clash, and puts no endpoint back."""
    plain = read(told()).services["checkout"].stamp
    stated = keyed("us-east-1", aws_region="us-east-1")
    assert read(stated).services["checkout"].stamp != plain
    allowed = at("dynamodb.us-east-1.amazonaws.com", "db.example.com")
    assert read(allowed).services["checkout"].stamp != plain
