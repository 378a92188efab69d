"""Attacks on the function by HTTP, on real parts: each is what somebody tries, and must fail.

An attacker has one way in: the state bucket, the load balancer, a topic, the function's URL, or a
health endpoint. What they want stands in the docstring. A world is shared where what is tried in it
moves nothing, and put back as it was after each.
"""

from __future__ import annotations

import copy
import gzip
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.core.outside.shown import HIDDEN
from orchestrator.flow.journal.poison import DAILY, INDEX
from orchestrator.intake import admission as gate
from orchestrator.local.blueprint import SERVICE
from orchestrator.local.google.function import Function
from orchestrator.local.process.ask import HttpAnswer, ask
from orchestrator.local.process.child import ROOT
from orchestrator.local.rpc.wire import API_ROOT, Json
from orchestrator.local.world import LaptopWorld
from tests.function.test_entry import JSON, push
from tests.function.test_truth import Desk, backends
from tests.support.health_server import Behaviour, Server, answer, drip, say
from tests.support.tokens import ALERTS, AUDIENCE, CONTROL, claims, encoded, stripped
from tests.support.worlds import alert, close, fail, heal, now, put_service, settled
from tests.test_entry import configured

pytestmark = [pytest.mark.long, pytest.mark.world, pytest.mark.timeout(180)]

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
PATIENCE = 60.0
"""Seconds after which a test takes an answer to be none."""

EVIL = "\x1b]0;owned\x07\x1b[2J\u202e\u2028\x00\x9b\ud800\udc00\udfff"
"""Sets a terminal's title, clears it, turns text round, breaks lines, ends strings, is no UTF-8."""


class Health:
    """East's health endpoint, which says what it is told to."""

    def __init__(self) -> None:
        self.behave: Behaviour = answer(200)
        self.server = Server(lambda connection, server: self.behave(connection, server))  # noqa: PLW0108  # it changes


class Scene(Desk):
    """A world under attack: its parts, and what is new in its logs since `begin`."""

    def __init__(self, world: LaptopWorld) -> None:
        super().__init__(world)
        self.extra: list[Function] = []
        self.begin()

    @property
    def everybody(self) -> tuple[Function, ...]:
        """Every function there is."""
        return (*self.world.functions, *self.world.controls, *self.extra)

    def begin(self) -> None:
        """Forget what was logged."""
        self._seen = {one.name: len(one.log_lines()) for one in self.everybody}

    def new(self) -> list[dict[str, Any]]:
        """What was logged since."""
        found: list[dict[str, Any]] = []
        for one in self.everybody:
            found += one.log_lines()[self._seen.get(one.name, 0) :]
        return found

    def pages(self) -> list[dict[str, Any]]:
        """The new lines that call a human."""
        return [line for line in self.new() if line.get("page")]

    def told(self, text: str) -> list[str]:
        """The new lines that say this."""
        said = [str(line.get("message")) for line in self.new()]
        return [line for line in said if text in line]

    def alarm(self, body: object, function: int = 0) -> HttpAnswer:
        """One delivery of a notification, once."""
        return post(self.world.functions[function], wrapped(body))

    def order(self, body: object, control: int = 0) -> HttpAnswer:
        """One delivery of a control message, once."""
        return post(self.world.controls[control], wrapped(body))

    def tick(self, control: int = 0) -> int:
        """One tick; the status that answers it."""
        return self.order({"kind": "tick"}, control).status

    def command(self, verb: str, identity: str, **more: Any) -> str:
        """One command; what became of it."""
        return self.order(ordered(verb, identity, **more)).body.decode().strip()

    def rewrite(self, **changes: Any) -> dict[str, Any]:
        """Write the document with these fields, as whoever may write the bucket."""
        made = {**self.world.document(), **changes}
        self.gcs.write("checkout.json", json.dumps(made).encode())
        return made

    def unmoved(self) -> bool:
        """Whether East alone carries the traffic."""
        return self.world.routed_regions == (EAST,)

    def clean(self) -> bool:
        """Whether no new line holds a character that hides or steers."""
        return not any(HIDDEN.search(json.dumps(one, ensure_ascii=False)) for one in self.new())


def post(function: Function, body: bytes, **headers: str) -> HttpAnswer:
    """One request to this function, however slow the machine is."""
    return ask(function.url, "POST", body, {**JSON, **headers}, PATIENCE)


def wrapped(body: object) -> bytes:
    """The push of this body: bytes as they are, else as JSON."""
    return push(body if isinstance(body, bytes) else json.dumps(body).encode())


def ordered(verb: str, identity: str, **more: Any) -> dict[str, Any]:
    """A command of now."""
    return {
        "kind": "command",
        "id": identity,
        "issued_at": now().isoformat(),
        "verb": verb,
        "service": SERVICE,
        "actor": "mallory@example.com",
        "reason": "an attack",
        **more,
    }


@pytest.fixture(scope="module")
def health() -> Iterator[Health]:
    made = Health()
    yield made
    made.server.close()


@pytest.fixture(scope="module")
def shared(health: Health) -> Iterator[Scene]:
    """A world in which nothing moves: East, whose health endpoint is the attacker's, leads."""
    regions: dict[str, Json] = {EAST: {"health_url": health.server.url}}
    overrides: dict[str, Json] = {"services": {SERVICE: {"regions": regions}}}
    with LaptopWorld(controls=2, traffic_rate=0, overrides=overrides) as world:
        scene = Scene(world)
        assert scene.tick() == 200
        yield scene


@pytest.fixture
def quiet(shared: Scene, health: Health) -> Iterator[Scene]:
    """The shared world, put back as it was."""
    document, service = shared.gcs.read("checkout.json"), shared.world.backend_service()
    assert document is not None
    shared.begin()
    yield shared
    health.behave = answer(200)
    shared.gcs.write("checkout.json", document)
    put_service(shared.world, **{key: service[key] for key in ("backends", "description")})


@contextmanager
def moved(**options: Any) -> Iterator[Scene]:
    """A world of its own in which East has failed and West leads, at epoch 1."""
    with LaptopWorld(controls=2, traffic_rate=0, **options) as world:
        scene = Scene(world)
        assert scene.tick() == 200
        scene.fails_over()
        settled(world, WEST, 1)
        scene.begin()
        yield scene


@pytest.fixture(scope="module")
def left() -> Iterator[Scene]:
    """The same, shared by attacks after which West still leads."""
    with moved() as scene:
        yield scene


# --- a writer of the state bucket ----------------------------------------------------------------


@pytest.mark.parametrize("lever", ["capacity", "membership"])
def test_a_kept_path_attaches_no_group_of_others(lever: Any) -> None:
    """The attacker wants a group of their own to get the users, by `restore[group].group`."""
    with LaptopWorld(controls=1, traffic_rate=0, lever=lever) as world:
        scene = Scene(world)
        assert scene.tick() == 200
        own = {_path(world, region) for region in (EAST, WEST, EUROPE)}
        theirs = "projects/laptop/zones/us-east4-c/instanceGroups/k8s-us-east-1"
        kept: dict[str, Any] = {"group": API_ROOT + theirs}
        if lever == "capacity":
            kept |= {"capacityScaler": 1e9, "balancingMode": "RATE"}
        scene.rewrite(restore=dict.fromkeys((*own, *(API_ROOT + one for one in own)), kept))
        scene.fails_over()
        assert world.routed_regions == (WEST,)
        found = world.backend_service()["backends"]
        assert {one["group"].removeprefix(API_ROOT) for one in found} <= own
        assert all(one.get("capacityScaler", 1.0) <= 1.0 for one in found)


def _path(world: LaptopWorld, region: str) -> str:
    told = yaml.safe_load(world.config.read_text())["services"][SERVICE]["regions"][region]
    return str(told["backend"]).removeprefix(API_ROOT)


def test_an_endpoint_of_others_is_put_back_and_pages_once(quiet: Scene) -> None:
    """The attacker wants applications to send their items to a host of the attacker's."""
    regions = copy.deepcopy(quiet.world.document()["regions"])
    regions[WEST]["endpoint"] = "dynamodb.attacker.example"
    regions[EUROPE]["aws_region"] = "us-gov-east-1"
    quiet.rewrite(regions=regions)
    assert [quiet.tick(0), quiet.tick(1), quiet.tick(0)] == [200] * 3
    after = quiet.world.document()["regions"]
    assert after[WEST]["endpoint"] == f"dynamodb.{WEST}.amazonaws.com"
    assert not after[EUROPE]["aws_region"]
    (page,) = quiet.pages()
    assert (page["rule"], page["regions"]) == ("endpoint", [WEST, EUROPE])
    assert "dynamodb.attacker.example" in page["message"]


@pytest.mark.parametrize(
    "field", [{"revision": 2**62}, {"epoch": 10**18}, {"epoch": 2**53}, {"epoch": -1}]
)
def test_a_number_that_nobody_can_have_made_stops_and_pages_and_moves_nothing(
    quiet: Scene, field: dict[str, int]
) -> None:
    """The attacker wants every client, mirror and fence to follow one number for ever."""
    _forget(quiet)
    quiet.rewrite(**field)
    before, patches = quiet.gcs.read("checkout.json"), len(quiet.world.patches())
    assert [quiet.tick(), quiet.tick()] == [500, 500]
    assert quiet.gcs.read("checkout.json") == before
    assert len(quiet.world.patches()) == patches
    (page,) = quiet.pages()
    assert page["command"] == f"failoverctl state restore {SERVICE}"
    assert next(iter(field)) in page["message"]


def _forget(scene: Scene) -> None:
    """A new instance, which has paged for nothing yet."""
    scene.world.controls[0].kill()
    scene.world.controls[0].start()


def test_an_epoch_that_nobody_made_pages_once_over_two_instances(left: Scene) -> None:
    """The attacker wants an epoch of their own to be taken for a decision."""
    with restored(left):
        document = left.world.document()
        shift = {**document["shift"], "epoch": 9, "routing_epoch": 9}
        left.rewrite(epoch=9, shift=shift)
        assert [left.tick(0), left.tick(1), left.tick(0), left.tick(1)] == [200] * 4
        assert left.world.routed_regions == (WEST,)
        (page,) = left.pages()
        assert page["rule"] == "epoch"
        assert "made epoch 9" in page["message"]


@contextmanager
def restored(scene: Scene) -> Iterator[None]:
    """Put the document and the backend service back afterwards."""
    document, service = scene.gcs.read("checkout.json"), scene.world.backend_service()
    assert document is not None
    scene.begin()
    try:
        yield
    finally:
        scene.gcs.write("checkout.json", document)
        put_service(scene.world, **{key: service[key] for key in ("backends", "description")})


ODD: dict[str, dict[str, Any]] = {
    "no id": {"id": None},
    "a path as id": {"id": "../../x"},
    "an absolute path as id": {"id": "/etc/x"},
    "control characters as id": {"id": EVIL},
    "a list as epoch": {"id": "odd-1", "epoch": []},
    "an object as epoch before": {"id": "odd-2", "epoch_before": {}},
    "a huge epoch": {"id": "odd-3", "epoch": 10**300},
    "a negative epoch": {"id": "odd-4", "epoch": -7},
    "no outcome": {"id": "odd-5", "outcome": None},
    "reasons that are a number": {"id": "odd-6", "reasons": 5},
    "a routing that is text": {"id": "odd-7", "routing": "x", "routing_before": [1]},
    "a mark that is text": {"id": "odd-8", "mark_before": "x", "traffic_before": 1},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_an_odd_entry_of_the_history_stops_no_tick_and_hides_no_page(
    left: Scene, odd: dict[str, Any]
) -> None:
    """The attacker wants ticks to end, pages to be lost, or an object outside of the prefix."""
    with restored(left):
        document = left.world.document()
        made = {**document["history"][0], "at": now().isoformat(), **odd}
        entry = {key: value for key, value in made.items() if value is not None}
        left.rewrite(history=[entry, *document["history"]])
        text = f"failover epoch={2**53} service={SERVICE} rev=1"
        put_service(left.world, description=text)
        assert [left.tick(0), left.tick(0), left.tick(1)] == [200] * 3
        assert left.world.routed_regions == (WEST,)
        assert "mark" in {page["rule"] for page in left.pages()}
        assert not left.told("fault of the program")
        assert left.clean()
        known = ("checkout.json", "journal/checkout/", "_poison.json", "journal/_poison/")
        assert all(name.startswith(known) and ".." not in name for name in left.gcs.names())


def test_control_characters_in_the_document_reach_no_log_and_no_terminal(quiet: Scene) -> None:
    """The attacker wants the operator's terminal, or a log line that says something else."""
    document = quiet.world.document()
    until = (now() + timedelta(hours=1)).isoformat()
    freeze = {"until": until, "since": now().isoformat(), "actor": EVIL, "reason": EVIL}
    told = dict.fromkeys(("signal", "id", "page", "outcome", "primary"), EVIL)
    entry = {**told, "at": now().isoformat(), "epoch": 0, "epoch_before": 0, "reasons": [told]}
    regions = copy.deepcopy(document["regions"])
    regions[WEST]["endpoint"] = EVIL
    regions["region-" + EVIL] = {**regions[WEST]}
    quiet.rewrite(freeze=freeze, history=[entry], writer=EVIL, regions=regions)
    assert quiet.tick() == 200
    for verb in ("status", "explain", "history", "plan", "check"):
        assert not HIDDEN.search(quiet.run(verb, SERVICE, code=None)), verb
    quiet.rewrite(primary=EVIL)
    assert quiet.tick() == 500
    for verb in ("status", "explain", "history", "plan", "check"):
        assert not HIDDEN.search(quiet.run(verb, SERVICE, code=None)), verb
    assert quiet.clean()
    assert quiet.unmoved()


# --- an editor of the load balancer --------------------------------------------------------------


@pytest.mark.parametrize("epoch", [10**18, 10**17, 2**53])
def test_a_mark_with_an_epoch_that_nobody_can_have_made_is_not_adopted_and_pages(
    epoch: int,
) -> None:
    """The attacker wants every later epoch to be too high for a mark: then the fence is gone."""
    with moved() as scene:
        put_service(scene.world, description=f"failover epoch={epoch} service={SERVICE} rev=1")
        assert [scene.tick(0), scene.tick(1)] == [200, 200]
        (page,) = scene.pages()
        assert page["rule"] == "mark"
        settled(scene.world, WEST, 1)
        assert f"epoch={epoch}" not in scene.world.backend_service()["description"]


def test_the_mark_of_another_service_is_left_alone_and_counts_for_nothing(left: Scene) -> None:
    """The attacker wants our decisions void by a higher mark of another service."""
    with restored(left):
        mine = left.world.backend_service()["description"]
        put_service(left.world, description=f"failover epoch=900 service=search rev=1 {mine}")
        assert left.tick() == 200
        settled_mark = left.world.backend_service()["description"]
        assert "epoch=900 service=search" in settled_mark
        assert left.world.document()["epoch"] == 1
        assert left.world.routed_regions == (WEST,)
        assert left.pages() == []


def test_a_mark_that_nobody_wrote_is_passed_and_pages_once(left: Scene) -> None:
    """The attacker wants a mark above ours to hold back every decision, unseen."""
    with restored(left):
        mark = f"failover epoch=2 service={SERVICE} rev={time.time_ns() // 1000}"
        put_service(left.world, description=mark)
        assert [left.tick(0), left.tick(1), left.tick(0)] == [200] * 3
        assert left.world.routed_regions == (WEST,)
        assert left.world.document()["epoch"] == 3
        (page,) = left.pages()
        assert page["rule"] == "epoch"
        assert "made epoch 2" in page["message"]


def test_a_higher_revision_of_our_own_epoch_brings_no_traffic_in_unseen() -> None:
    """The attacker wants traffic of their choice adopted for good, by a mark above ours."""
    with moved() as scene:
        rev = scene.world.document()["shift"]["rev"] + 1
        theirs = backends(scene.world, us_west_2=0.0, eu_west_1=1.0)
        mark = f"failover epoch=1 service={SERVICE} rev={rev}"
        put_service(scene.world, backends=theirs, description=mark)
        assert [scene.tick(0), scene.tick(1)] == [200, 200]
        (page,) = scene.pages()
        assert page["rule"] == "epoch"
        assert f"epoch 1 (rev {rev})" in page["message"]


# --- a publisher of alerts -----------------------------------------------------------------------


def test_one_forged_alert_moves_nothing_while_the_probe_says_nothing(
    quiet: Scene, health: Health
) -> None:
    """The attacker wants the traffic moved by one message, beside a health URL that is wrong."""
    for status in (302, 401, 403, 404, 429):
        health.behave = answer(status, "Location: http://127.0.0.1:9/\r\n")
        sent = alert(quiet.world, EAST, f"0.forged-{status}")
        assert quiet.alarm(sent).body == b"held\n", status
        assert quiet.unmoved()
    (page,) = quiet.pages()
    assert page["regions"] == [EAST]
    assert quiet.world.document()["epoch"] == 0


def test_a_region_without_a_health_url_is_refused_before_anybody_forges_its_alert(
    quiet: Scene, tmp_path: Path
) -> None:
    """The attacker wants the traffic moved by one message, where no probe is configured."""
    path = configured(tmp_path, SERVICE, extra={"policy": {"on_unconfirmed": "hold"}})
    with function(tmp_path, path) as found:
        body = wrapped(alert(quiet.world, EAST))
        for _ in range(2):
            assert post(found, body).status == 500
        (page,) = [line for line in found.log_lines() if line.get("page")]
    assert page["rule"] == "configuration"
    assert "health_url" in page["message"]
    assert not (tmp_path / "state").exists()


@contextmanager
def function(folder: Path, config: Path, **env: str) -> Iterator[Function]:
    """One function of this configuration, without a world."""
    made = Function("alone", ROOT / "main.py", folder, {"FAILOVER_CONFIG": str(config), **env})
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.parametrize("policy", [{"confirm": "none"}, {"on_unconfirmed": "proceed"}])
def test_an_alert_without_a_service_moves_no_service_on_its_word(
    tmp_path: Path, policy: dict[str, str]
) -> None:
    """The attacker wants all services moved by one message that names none of them."""
    path = configured(tmp_path, SERVICE, "search", extra={"policy": policy})
    forged = {"incident_id": "0.all", "state": "open", "policy_user_labels": {"region": EAST}}
    with function(tmp_path, path) as found:
        told = post(found, wrapped({"incident": forged, "version": "1.2"}))
        assert (told.status, told.body) == (200, b"held, held\n")
    for service in (SERVICE, "search"):
        document = json.loads((tmp_path / f"state/{service}.json").read_text())
        assert (document["primary"], document["epoch"]) == (EAST, 0)


def test_a_flood_of_forged_alerts_holds_no_real_failover_back() -> None:
    """The attacker wants the document too long for its readers, and the real alert lost in it."""
    with LaptopWorld(controls=1, traffic_rate=0) as world:
        scene = Scene(world)
        assert scene.tick() == 200
        for number in range(301):
            identity = f"{number}-{EVIL}" + "x" * 60_000
            assert scene.alarm(alert(world, WEST, identity)).status == 200
        assert scene.unmoved()
        scene.fails_over()
        settled(world, WEST, 1)
        document = scene.gcs.read("checkout.json")
        assert document is not None
        assert len(document) < 256 * 1024
        assert all(len(key) <= 64 for key in world.document()["incidents"])
        assert len([line for line in scene.told("flood: ") if "a human" not in line]) == 1
        assert scene.clean()


TEXTS = (
    "incident_id",
    "state",
    "policy_name",
    "condition_name",
    "summary",
    "url",
    "severity",
    "scoping_project_id",
    "started_at",
    "resource_name",
)


@pytest.mark.parametrize("field", [*TEXTS, "service", "region", "host", "check_id", "filter"])
def test_hidden_characters_in_an_alert_reach_no_log_and_no_document(
    quiet: Scene, field: str
) -> None:
    """The attacker wants a reader of the log to be steered, or the message to come back."""
    made: dict[str, Any] = json.loads(json.dumps(alert(quiet.world, EAST, f"0.text-{field}")))
    incident = made["incident"]
    match field:
        case "service" | "region":
            incident["policy_user_labels"][field] = EVIL
        case "host":
            incident["resource"]["labels"]["host"] = EVIL
        case "check_id":
            incident["metric"]["labels"]["check_id"] = EVIL
        case "filter":
            incident["condition"]["conditionThreshold"]["filter"] = EVIL
        case _:
            incident[field] = EVIL
    assert quiet.alarm(made).status == 200
    assert quiet.unmoved()
    assert quiet.clean()
    written = json.dumps(quiet.world.document(), ensure_ascii=False)
    assert not HIDDEN.search(written)
    assert not quiet.told("fault of the program")


def test_so_many_unreadable_messages_are_kept_and_no_more(quiet: Scene) -> None:
    """The attacker wants an object for years of each message, and a page of each."""
    if INDEX in quiet.gcs.names():
        quiet.gcs.delete(INDEX)
    before = len(quiet.gcs.names("journal/_poison/"))
    for number in range(150):
        answered = quiet.alarm(f"not readable {number} {EVIL!r}".encode())
        assert (answered.status, answered.body) == (200, b"poison\n")
    assert len(quiet.gcs.names("journal/_poison/")) == before + DAILY
    (page,) = quiet.pages()
    assert page["rule"] == "poison"
    assert sum(line.get("severity") == "ERROR" for line in quiet.new()) == DAILY


@pytest.mark.parametrize("hours", [0.5, 25.0, 24.0 * 400])
def test_an_old_alert_moves_nothing_by_itself(quiet: Scene, health: Health, hours: float) -> None:
    """The attacker wants last week's alert to count again, at the moment when a probe fails."""
    health.behave = answer(503)
    old = alert(quiet.world, EAST, f"0.old-{hours}", ago=hours * 3600)
    assert quiet.alarm(old).body in {b"held\n", b"unchanged\n"}
    assert quiet.unmoved()


def test_an_alert_that_has_ended_is_not_opened_again_by_a_replay(
    quiet: Scene, health: Health
) -> None:
    """The attacker wants a recorded message to open an incident that was closed."""
    sent = alert(quiet.world, EAST, "0.replayed", ago=60)
    assert quiet.alarm(sent).status == 200
    assert quiet.alarm(close(quiet.world, EAST, "0.replayed", ago=60)).status == 200
    health.behave = answer(503)
    assert quiet.alarm(sent).status == 200
    assert quiet.unmoved()
    assert quiet.world.document()["incidents"]["0.replayed"]["state"] == "closed"


def test_a_contradicted_alert_waits_for_a_second_failing_look() -> None:
    """The attacker wants a forged alert to lie in wait for one probe that fails by chance."""
    with LaptopWorld(controls=2, traffic_rate=0) as world:
        scene = Scene(world)
        assert scene.tick() == 200
        assert scene.alarm(alert(world, EAST, "0.waits")).status == 200
        assert scene.unmoved()
        fail(world, EAST)
        assert [scene.tick(0), scene.tick(1), scene.tick(0)] == [200] * 3
        assert scene.unmoved()
        incidents = world.document()["incidents"]
        heal(world)
        assert scene.tick() == 200
        assert not world.document()["incidents"]["0.waits"].get("failed_at")
        fail(world, EAST)
        assert scene.tick() == 200
        incidents = world.document()["incidents"]
        incidents["0.waits"]["failed_at"] = (now() - timedelta(minutes=1)).isoformat()
        scene.rewrite(incidents=incidents)  # a minute passes
        assert scene.tick(1) == 200
        settled(world, WEST, 1)


# --- a publisher of commands ---------------------------------------------------------------------


def test_a_command_from_ahead_of_time_is_refused(quiet: Scene) -> None:
    """The attacker wants a command that is newer than every human's for as long as they like."""
    ahead = (now() + timedelta(seconds=70)).isoformat()
    assert quiet.command("failover", "c-ahead", to=WEST, now=True, issued_at=ahead) == "held"
    assert quiet.unmoved()
    assert quiet.tick() == 200
    assert quiet.unmoved()
    assert "c-ahead" not in json.dumps(quiet.world.document()["order"])


def test_recorded_and_late_commands_undo_nothing() -> None:
    """The attacker wants a human's command of a while ago to be obeyed once more."""
    with LaptopWorld(controls=2, traffic_rate=0) as world:
        scene = Scene(world)
        assert scene.tick() == 200
        begun = now()
        west = ordered("failover", "c-west", to=WEST, now=True)
        europe = ordered("failover", "c-europe", to=EUROPE, now=True)
        assert [scene.order(one).body for one in (west, europe)] == [b"moved\n"] * 2
        assert world.routed_regions == (EUROPE,)
        older = {**west, "id": "c-older", "issued_at": (begun - timedelta(seconds=9)).isoformat()}
        again = {**west, "id": "c-again"}
        for number, late in enumerate((west, older, again, west)):
            assert scene.order(late, number % 2).status == 200
            assert world.routed_regions == (EUROPE,)
        assert world.document()["epoch"] == 2


def test_what_a_command_says_of_itself_is_short_and_printable(quiet: Scene) -> None:
    """The attacker wants the operator's terminal, and the document too long to be read."""
    until = (now() + timedelta(hours=1)).isoformat()
    told = {"actor": EVIL + "root", "reason": EVIL + "x" * 100_000, "until": until}
    assert quiet.command("freeze", "c-" + EVIL, **told) == "obeyed"
    document = quiet.world.document()
    assert len(document["freeze"]["reason"]) <= 256
    assert not HIDDEN.search(json.dumps(document, ensure_ascii=False))
    for verb in ("status", "explain", "history", "plan"):
        assert not HIDDEN.search(quiet.run(verb, SERVICE, code=None)), verb
    assert quiet.clean()


# --- a caller of the URL -------------------------------------------------------------------------

GATE = {gate.IDENTITY: ALERTS, gate.AUDIENCE: AUDIENCE}
NAMED = "projects/laptop/subscriptions/function-0"
FORGED: dict[str, tuple[str, str, str]] = {
    "no token": ("", NAMED, "push-token"),
    "a token for another audience": (stripped(aud="https://evil.example"), NAMED, "push-audience"),
    "another identity": (stripped(email=CONTROL), NAMED, "push-identity"),
    "an unverified identity": (stripped(email_verified=False), NAMED, "push-identity"),
    "no signature": (stripped().rpartition(".")[0] + ".", NAMED, "push-signature"),
    "another subscription": (stripped(), "projects/laptop/subscriptions/evil", "push-subscription"),
    "no algorithm": (
        f"Bearer {encoded({'alg': 'none'})}.{encoded(claims())}.",
        NAMED,
        "push-signature",
    ),
}


@pytest.fixture(scope="module")
def gated() -> Iterator[Scene]:
    """A world whose function takes its own subscription's pushes only; proxies stand before it."""
    env = {**GATE, gate.SUBSCRIPTION: NAMED, gate.IAM: "closed"}
    with LaptopWorld(traffic_rate=0, proxies=True, env=env) as world:
        yield Scene(world)


def _asked(scene: Scene) -> int:
    """Requests that the function has made to Cloud Storage and the Compute API."""
    world = scene.world
    return sum(len(proxy.log) for proxy in (*world.gcs_proxies, *world.compute_proxies))


@pytest.mark.parametrize(("token", "named", "rule"), FORGED.values(), ids=FORGED.keys())
def test_a_push_that_is_not_the_deployments_own_reads_and_writes_nothing(
    gated: Scene, token: str, named: str, rule: str
) -> None:
    """The attacker wants the function to act on what they post to its URL."""
    fail(gated.world, EAST)
    known = {page["rule"] for page in Scene.pages(gated)}
    before, names = _asked(gated), gated.gcs.names()
    body = json.loads(wrapped(alert(gated.world, EAST))) | {"subscription": named}
    for _ in range(3):
        headers = {"Authorization": token} if token else {}
        told = post(gated.world.functions[0], json.dumps(body).encode(), **headers)
        assert (told.status, told.body) == (403, b"forbidden\n")
    assert (_asked(gated), gated.gcs.names()) == (before, names)
    assert gated.unmoved()
    pages = [page["rule"] for page in gated.pages() if page["rule"] not in known]
    assert pages == ([rule] if rule not in known else [])


def test_a_removed_signature_is_believed_only_where_cloud_run_is_closed(
    gated: Scene, tmp_path: Path
) -> None:
    """The attacker wants to write a token by hand, as one that Cloud Run has checked looks."""
    world = gated.world
    body = json.loads(wrapped(alert(world, WEST, "0.gate"))) | {"subscription": NAMED}
    headers, data = {"Authorization": stripped()}, json.dumps(body).encode()
    before = _asked(gated)
    env = {
        **GATE,
        "STORAGE_EMULATOR_HOST": world.gcs_proxies[0].url,
        "COMPUTE_EMULATOR_HOST": world.compute_proxies[0].url,
        "PUBSUB_EMULATOR_HOST": world.messaging.host,
    }
    with function(tmp_path, world.config, **env) as found:
        assert [post(found, data, **headers).status for _ in range(2)] == [403, 403]
        (page,) = [line for line in found.log_lines() if line.get("page")]
        assert page["rule"] == "push-signature"
    assert _asked(gated) == before
    assert post(world.functions[0], data, **headers).status == 200


# --- a hostile health endpoint -------------------------------------------------------------------

HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LAG = '{"replication_lag_seconds": {"us-east-1": %s, "us-west-2": %s}}'
DEEP = b"[" * 60_000


def told(body: bytes, more: str = "") -> Behaviour:
    """A healthy answer with this JSON."""
    return answer(200, f"Content-Type: application/json\r\n{more}", body)


HOSTILE: dict[str, Behaviour] = {
    "an endless body": drip(f"{HEAD}\r\n{{".encode(), 0.0001, b" " * 65536),
    "an endless body in pieces": drip(
        f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode(), 0.001, b"8\r\n        \r\n"
    ),
    "a slow body": drip(f"{HEAD}Content-Length: 60000\r\n\r\n".encode(), 0.2, b" "),
    "a lag of 401 digits": told((LAG % ("1" + "0" * 400, 1)).encode()),
    "a lag of 5000 digits": told((LAG % ("9" * 5000, 1)).encode()),
    "a lag that is no number": told((LAG % ("NaN", "-Infinity")).encode()),
    "deep JSON": told(DEEP),
    "a bomb": told(gzip.compress(b" " * 40_000_000), "Content-Encoding: gzip\r\n"),
    "bytes that are no UTF-8": told(b"\xff\xfe\x00" * 100),
    "control characters": say(
        b"HTTP/1.1 200 \x1b[2J\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    ),
}


@pytest.mark.parametrize("behave", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_costs_neither_time_nor_the_failover(
    quiet: Scene, health: Health, behave: Behaviour
) -> None:
    """The attacker wants the function to hang, to die, or to answer 5xx for ever.

    One that hangs is found by the timeout of every request of the test.
    """
    health.behave = behave
    turn = time.monotonic()
    assert quiet.alarm(alert(quiet.world, EAST, f"0.hostile-{turn}")).status == 200
    assert quiet.alarm(alert(quiet.world, WEST, f"0.beside-{turn}")).status == 200
    assert quiet.tick() == 200
    assert quiet.unmoved()
    assert not quiet.told("fault of the program")
    assert quiet.clean()


def test_headers_without_end_are_a_failing_region_and_no_more(quiet: Scene, health: Health) -> None:
    """The attacker wants the function to read for ever. What answers no HTTP has failed."""
    health.behave = say(b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 50_000)
    assert quiet.alarm(alert(quiet.world, EAST, "0.headers")).body == b"moved\n"
    assert quiet.world.routed_regions == (WEST,)
    assert not quiet.told("fault of the program")


def test_a_redirect_to_the_metadata_server_is_not_followed(quiet: Scene, health: Health) -> None:
    """The attacker wants our probe to fetch a token where only this machine can."""
    metadata = Server(answer(200))
    for status in (301, 302, 303, 307, 308):
        where = f"Location: {metadata.url}\r\n"
        health.behave = answer(status, where)
        assert quiet.alarm(alert(quiet.world, EAST, f"0.redirect-{status}")).body == b"held\n"
    assert metadata.connections == 0
    metadata.close()
    assert quiet.unmoved()
