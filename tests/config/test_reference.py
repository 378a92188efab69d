"""The documents made from the schema: fresh, complete, and of one mind with the loader."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from orchestrator.config import load, reference
from orchestrator.config.fields import Field, every
from orchestrator.core.exceptions import BadConfig
from tests.support.fakes import configuration

ROOT = Path(__file__).parents[2]
VALIDATOR = Draft202012Validator(reference.json_schema())
FIELDS = list(every())
FILES = [ROOT / "failover.yaml", *sorted((ROOT / "examples").glob("*.yaml"))]

GROUP = "projects/p/zones/z/instanceGroups/g"


def example() -> str:
    """The complete example of the documentation."""
    [first, *_] = re.findall(r"```yaml\n(.*?)```\n", reference.DOCUMENT.read_text(), re.DOTALL)
    return str(first)


def taken_by_schema(value: object) -> bool:
    """Whether an editor would find nothing wrong."""
    return bool(VALIDATOR.is_valid(value))


def taken_by_loader(value: object) -> bool:
    """Whether the function would start with it."""
    try:
        load(yaml.safe_dump(value, sort_keys=False), "failover.yaml")
    except BadConfig:
        return False
    return True


def changed(path: str, value: object) -> dict[str, Any]:  # any YAML
    """A whole file with this value at a path in which `s`, `r` are the service and the region."""
    made: dict[str, Any] = copy.deepcopy(configuration())
    names = {"s": "checkout", "r": "us-east-1"}
    *steps, last = [names.get(step, step) for step in path.split(".")]
    at = made
    for step in steps:
        at = at.setdefault(step, {})
    at[last] = value
    return made


# --- fresh and complete ---------------------------------------------------------------------------


def test_the_documents_are_those_that_make_docs_writes() -> None:
    written = reference.DOCUMENT.read_text(encoding="utf-8")
    assert written == reference.document(written), "run `make docs`"
    assert reference.SCHEMA.read_text(encoding="utf-8") == reference.schema_text(), (
        "run `make docs`"
    )


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.path)
def test_every_field_is_described_in_whole_sentences(field: Field) -> None:
    meaning = field.info.description or ""
    assert meaning[:1] in {"`", meaning[:1].upper()}
    assert meaning.endswith(".")
    assert len(meaning.split()) > 5


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.path)
def test_every_field_has_its_place_in_the_reference(field: Field) -> None:
    written = reference.DOCUMENT.read_text(encoding="utf-8")
    assert f"\n### `{field.path}`\n" in written
    assert written.count(f"| [`{field.path}`](#") == 1


def test_the_example_names_every_field() -> None:
    """Somewhere in it; what is left out of one service stands in the other."""
    said: set[str] = set()

    def walk(value: object, path: str) -> None:
        said.add(path)
        if isinstance(value, dict):
            for key, inner in value.items():
                of = {"services": "<service>", "services.<service>.regions": "<region>"}
                walk(inner, f"{path}.{of.get(path, key)}".lstrip("."))

    walk(yaml.safe_load(example()), "")
    assert {field.path for field in FIELDS} <= said


def test_the_example_says_the_defaults() -> None:
    """Whoever copies it changes nothing by it but what it says beside `max_replication_lag`."""
    made = load(example(), "example").services
    said = next(one.policy for one in made.values() if one.policy.lag_required)
    bare = next(one.policy for one in made.values() if not one.policy.lag_required)
    assert replace(said, lag_required=False) == bare


# --- of one mind with the loader ------------------------------------------------------------------


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(reference.json_schema())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_files_of_the_repository_satisfy_the_schema(path: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_files_of_the_repository_name_the_schema_to_editors(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == reference.SCHEMA


def test_the_example_satisfies_the_schema_and_loads() -> None:
    VALIDATOR.validate(yaml.safe_load(example()))
    load(example(), "example")


ROLE = "arn:aws:iam::123456789012:role/path/failover-mirror"

GOOD = [
    ("project", "example.com:my-project"),
    ("services.s.regions.r.health_url", "https://[fd00::3]:8443/healthz"),
    ("serial", 7),
    ("state", "file:///tmp/folder"),
    ("state", "gs://my-bucket/some/folder"),
    ("topics", {}),
    ("topics.control", None),
    ("services.s.mode", "active-active"),
    ("services.s.traffic.lever", "membership"),
    ("services.s.traffic.lever", None),
    ("services.s.regions.r.backend", f"https://compute.googleapis.com/compute/beta/{GROUP}"),
    ("services.s.regions.r.backend", [GROUP, GROUP + "2"]),
    ("services.s.regions.r.health_url", "http://10.0.0.1:8080/healthz?deep=1"),
    ("services.s.regions.r.health_url", "https://x.us-east4.run.app/health"),
    ("services.s.policy.cooldown", "1.5h"),
    ("services.s.policy.cooldown", " 500ms "),
    ("services.s.policy.max_replication_lag", "5s"),
    ("services.s.policy.ramp", [1.0]),
    ("services.s.policy.min_healthy_regions", 2),
    ("services.s.policy.failback", "auto"),
    ("services.s.policy.on_lag", "proceed"),
    ("services.s.policy.confirm", "monitoring"),
    ("gauges", True),
    ("services.s.policy.on_state_loss", "act"),
    ("probe.timeout", "100ms"),
    ("mirrors", {}),
    ("mirrors.ssm", {"regions": ["us-east-1"]}),
    ("mirrors.ssm", None),
    ("mirrors.ssm", {"regions": ["us-east-1"], "parameter": "/failover/checkout"}),
    ("mirrors.ssm", {"regions": ["us-east-1"], "role_arn": ROLE, "audience": "a"}),
    ("mirrors.redis", {"urls": ["redis://10.0.0.3", "redis://[fd00::3]:6379/0"]}),
    ("mirrors.redis", {"urls": ["rediss://user@host:6380/2?password_env=MY_PASSWORD"]}),
    ("mirrors.redis", {"urls": ["redis://a", "redis://b"], "key": "k-{service}"}),
]

BAD = [
    ("version", 2),
    ("version", "1"),
    ("serial", -1),
    ("serial", 1.5),
    ("serial", "one"),
    ("project", ""),
    ("project", "1234567890"),
    ("project", "My-Project"),
    ("project", None),
    ("state", "s3://bucket"),
    ("state", "file:///"),
    ("state", "gs://A"),
    ("topics", "alerts"),
    ("topcs", {}),
    ("services", {}),
    ("services", []),
    ("services.Checkout", configuration()["services"]["checkout"]),
    ("services.s.mode", "active"),
    ("services.s.cooldown", "10m"),
    ("services.s.regions", {}),
    ("services.s.regions.US", {"backend": GROUP}),
    ("services.s.regions.r", {}),
    ("services.s.regions.r.backend", None),
    ("services.s.regions.r.backend", "checkout"),
    ("services.s.regions.r.backend", []),
    ("services.s.regions.r.backend", [GROUP, GROUP]),
    ("services.s.regions.r.backend", [GROUP, 7]),
    ("services.s.regions.r.backend", "projects/p/global/networkEndpointGroups/internet"),
    ("services.s.regions.r.health_url", "use4.example.com"),
    ("services.s.regions.r.health_url", "https://use4.example.com/healthz/primary"),
    ("services.s.regions.r.health_url", "https://x.us-east4.run.app/healthz"),
    ("services.s.regions.r.health_url", "https://use4.example.com:port/healthz"),
    ("services.s.regions.r.health_url", "https://me:secret@use4.example.com/healthz"),
    ("services.s.regions.r.health_url", "http://169.254.169.254/healthz"),
    ("services.s.regions.r.health_url", "http://metadata.google.internal/healthz"),
    ("services.s.regions.r.health_url", "https://use4 .example.com/healthz"),
    ("services.s.traffic", {"kind": "url-map", "url_map": "web"}),
    ("services.s.traffic", {"kind": "backend-service"}),
    ("services.s.traffic.backend_service", "Checkout!"),
    ("services.s.traffic.zone", "z"),
    ("services.s.traffic.standby", "warm"),
    ("services.s.policy", None),
    ("services.s.policy.confirm", "users"),
    ("gauges", "sometimes"),
    ("services.s.policy.cooldown", 600),
    ("services.s.policy.cooldown", "10"),
    ("services.s.policy.cooldown", "-1m"),
    ("services.s.policy.min_healthy_regions", 0),
    ("services.s.policy.failback", "automatic"),
    ("services.s.policy.brake", {"share": 0, "within": "2m"}),
    ("services.s.policy.brake.share", 1.1),
    ("services.s.policy.max_auto_failovers", 3),
    ("services.s.policy.ramp", [0]),
    ("probe.attempts", 6),
    ("probe.auth", False),
    ("mirrors", []),
    ("mirrors.ssm", {}),
    ("mirrors.ssm", {"regions": []}),
    ("mirrors.ssm", {"regions": ["us-east-1", "us-east-1"]}),
    ("mirrors.ssm", {"regions": "us-east-1"}),
    ("mirrors.ssm", {"regions": ["us-east-1"], "parameter": "failover/{service}"}),
    ("mirrors.ssm", {"regions": ["us-east-1"], "parameter": "/failover/{region}"}),
    ("mirrors.ssm", {"regions": ["us-east-1"], "parameter": "/aws/{service}"}),
    ("mirrors.ssm", {"regions": ["us-east-1"], "parameter": "/failover/"}),
    ("mirrors.ssm", {"regions": ["us-east-1"], "role_arn": "role/mirror"}),
    ("mirrors.ssm", {"regions": ["us-east-1"], "audience": ""}),
    ("mirrors.redis", {"urls": []}),
    ("mirrors.redis", {"urls": ["http://host"]}),
    ("mirrors.redis", {"urls": ["redis://:geheim@host"]}),
    ("mirrors.redis", {"urls": ["redis://user:geheim@host"]}),
    ("mirrors.redis", {"urls": ["redis://"]}),
    ("mirrors.redis", {"urls": ["redis://h"], "key": "failover {service}"}),
    ("mirrors.redis", {"urls": ["redis://h"], "key": "failover:{region}"}),
    ("mirrors.memcached", {}),
]

ONLY_AT_LOAD = {
    "a region that nothing could confirm": ("services.s.regions.r.health_url", None),
    "the longest duration": ("services.s.policy.cooldown", "9999d"),
    "a duration's bounds": ("probe.timeout", "2h"),
    "a port beyond all ports": ("services.s.regions.r.health_url", "https://h:99999/healthz"),
    "a health URL that another region has": (
        "services.s.regions.r.health_url",
        configuration()["services"]["checkout"]["regions"]["us-west-2"]["health_url"],
    ),
    "an option that Redis's URL has not": ("mirrors.redis", {"urls": ["redis://h?x=1"]}),
    "a database that is no number": ("mirrors.redis", {"urls": ["redis://h/x"]}),
    "a group that two regions claim": (
        "services.s.regions.r.backend",
        configuration()["services"]["checkout"]["regions"]["us-west-2"]["backend"],
    ),
    "a backend service that two services name": (
        "services.search",
        {
            "mode": "active-passive",
            "regions": {"us-east-1": {"backend": GROUP}},
            "traffic": {"kind": "backend-service", "backend_service": "checkout"},
        },
    ),
}
"""What an editor cannot find: a JSON Schema has no arithmetic and compares no places."""

ONLY_IN_THE_EDITOR = {
    "a number in quotes": ("serial", "7"),
    "a truth value for a number": ("probe.attempts", True),
    "a word for a truth value": ("services.s.policy.trust_close", "on"),
    "a scheme in capital letters": ("services.s.regions.r.health_url", "HTTPS://x.example.com/h"),
}
"""What the loader understands all the same, and an editor has tidied up."""


@pytest.mark.parametrize(("path", "value"), GOOD)
def test_what_is_right_is_taken_by_both(path: str, value: object) -> None:
    assert taken_by_loader(changed(path, value))
    VALIDATOR.validate(changed(path, value))


@pytest.mark.parametrize(("path", "value"), BAD)
def test_what_is_wrong_is_refused_by_both(path: str, value: object) -> None:
    assert not taken_by_loader(changed(path, value))
    assert not taken_by_schema(changed(path, value))


@pytest.mark.parametrize("name", ["version", "project", "state", "services"])
def test_what_is_missing_is_refused_by_both(name: str) -> None:
    made = configuration()
    del made[name]
    assert not taken_by_loader(made)
    assert not taken_by_schema(made)


@pytest.mark.parametrize("what", ONLY_AT_LOAD)
def test_only_the_loader_refuses(what: str) -> None:
    made = changed(*ONLY_AT_LOAD[what])
    assert taken_by_schema(made)
    assert not taken_by_loader(made)


@pytest.mark.parametrize("what", ONLY_IN_THE_EDITOR)
def test_only_the_editor_refuses(what: str) -> None:
    made = changed(*ONLY_IN_THE_EDITOR[what])
    assert taken_by_loader(made)
    assert not taken_by_schema(made)


def test_editors_show_meaning_default_and_what_is_not_there_yet() -> None:
    made = json.loads(reference.schema_text())
    policy = made["$defs"]["PolicyModel"]["properties"]
    assert policy["cooldown"]["default"] == "10m"
    assert policy["brake"]["description"].endswith("it pages.")
    traffic = made["$defs"]["TrafficModel"]["properties"]
    assert "refused at load: `url-map`" in traffic["kind"]["description"]
    assert "title" not in policy["cooldown"]
