"""What the function and `failoverctl` say is what is there, on real parts and by HTTP.

Each test is a situation in which a statement, a page or a move would be wrong if a part of the
world were taken for the whole, a wish for a fact, or absence for good news.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from orchestrator.cli.app import cli
from orchestrator.core.outside.limits import WRITTEN
from orchestrator.local.blueprint import SERVICE
from orchestrator.local.google.storage import FakeGcs
from orchestrator.local.process.ask import ask
from orchestrator.local.process.wait import wait_until
from orchestrator.local.rpc.wire import API_ROOT, Json
from orchestrator.local.serving import environment
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import alert, fail, fault, now, put_service

pytestmark = [pytest.mark.long, pytest.mark.world, pytest.mark.timeout(180)]

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
ONE_PROBE: dict[str, Json] = {"services": {SERVICE: {"policy": {"recovery_probes": 1}}}}
STRAY = "projects/laptop/zones/us-east4-c/instanceGroups/k8s-us-east-1"


class Desk:
    """A world, a person beside it, and what its functions log."""

    def __init__(self, world: LaptopWorld) -> None:
        self.world = world

    def run(self, *arguments: str, code: int | None = 0) -> str:
        """One command against this world; its output in one line. code: None for any."""
        found = CliRunner().invoke(cli, [*arguments], env=environment(self.world))
        assert code is None or found.exit_code == code, found.output
        return " ".join(found.output.split())

    def lines(self, severity: str = "") -> list[str]:
        """What the functions have logged in this severity."""
        found = [
            line
            for function in (*self.world.functions, *self.world.controls)
            for line in function.log_lines()
        ]
        return [str(one.get("message")) for one in found if one.get("severity") == severity]

    @property
    def gcs(self) -> FakeGcs:
        """The state bucket."""
        assert self.world.gcs is not None
        return self.world.gcs

    def pages(self) -> list[dict[str, Any]]:
        """The log lines that call a human."""
        everybody = (*self.world.functions, *self.world.controls)
        return [line for one in everybody for line in one.log_lines() if line.get("page")]

    def fails_over(self) -> None:
        """East fails, and an alert says so."""
        fail(self.world, EAST)
        assert self.world.push(alert(self.world, EAST)).acknowledged

    def journal(self) -> list[dict[str, Any]]:
        """Every entry of the journal."""
        return [self.gcs.read_json(name) for name in self.gcs.names("journal/")]


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A function for alerts, one for ticks and commands; a document; no uptime checks."""
    with LaptopWorld(controls=1, traffic_rate=0, overrides=ONE_PROBE) as world:
        assert world.tick().acknowledged
        yield Desk(world)


def backends(world: LaptopWorld, **scalers: float) -> list[dict[str, Any]]:
    """The backends as they are, with these scalers by region."""
    found: list[dict[str, Any]] = copy.deepcopy(world.backend_service()["backends"])
    for backend in found:
        for region, scaler in scalers.items():
            if backend["group"].endswith(region.replace("_", "-")):
                backend["capacityScaler"] = scaler
    return found


# --- statements about traffic --------------------------------------------------------------------


def test_a_group_that_no_region_claims_is_named_wherever_traffic_is_spoken_of(desk: Desk) -> None:
    world = desk.world
    stray = {**backends(world)[0], "group": API_ROOT + STRAY, "capacityScaler": 1.0}
    put_service(world, backends=[*backends(world), stray])
    assert world.tick().acknowledged
    assert world.tick().acknowledged
    assert sum("us-east4-c/k8s-us-east-1" in line for line in desk.lines("WARNING")) == 1
    desk.fails_over()
    assert world.routed_regions == (WEST,)
    (page,) = desk.pages()
    assert (page["rule"], page["regions"]) == ("unclaimed", ["us-east4-c"])
    for told in (desk.run("status"), desk.run("explain", SERVICE), desk.run("plan", SERVICE)):
        assert "us-east4-c/k8s-us-east-1" in told
    assert "NO REGION CLAIMS IT" in desk.run("status")
    assert "FAIL" in desk.run("check", code=1)
    assert "us-east4-c" in json.dumps(desk.journal()[-1])


def test_a_load_balancer_on_which_nobody_gets_traffic_pages_at_epoch_0(desk: Desk) -> None:
    world = desk.world
    put_service(world, backends=backends(world, us_east_1=0.0))
    assert world.tick().acknowledged
    assert world.document()["epoch"] == 0
    (page,) = desk.pages()
    assert "no configured region carried traffic" in page["message"]
    assert "gives nobody traffic" in desk.run("status")
    assert not any("us-east-1 carries traffic" in line for line in desk.lines("INFO")[-1:])


def test_commands_during_an_outage_leave_a_trace_and_the_newest_wins(desk: Desk) -> None:
    """Both are answered 5xx; whichever comes first when the API is back, the later one holds."""
    world, at = desk.world, now()
    down = {"path_contains": "backendServices", "times": 100_000, "kind": "status", "status": 503}
    url = f"{world.load_balancer.api_url}/_laptop/faults"
    headers = {"Content-Type": "application/json"}
    assert ask(url, "POST", json.dumps([down]).encode(), headers).ok
    older = _command("failover", "c-west", at - timedelta(minutes=3), to=WEST, now=True)
    newer = _command("failover", "c-europe", at - timedelta(minutes=1), to=EUROPE, now=True)
    sent = [
        world.control.send(world.control.message(m), world.control.subscriptions[0])
        for m in (newer, older)
    ]
    told = desk.run("explain", SERVICE)
    assert "where the traffic goes is unknown" in told
    assert "intent" not in told
    failed = [e for e in _await_failures(desk, 2) if e["outcome"] == "failed"]
    assert {entry["command"] for entry in failed} == {"c-west", "c-europe"}
    assert "It FAILED: the load balancer (Compute API)" in desk.run("explain", SERVICE, "c-west")
    assert "c-europe" in desk.run("history", SERVICE)
    assert ask(url, "DELETE").ok
    for one in sent:
        assert one.result(90).acknowledged
    assert world.routed_regions == (EUROPE,)
    assert world.document()["primary"] == EUROPE


def _command(verb: str, identity: str, at: Any, **more: Any) -> dict[str, Any]:
    return {
        "kind": "command",
        "id": identity,
        "issued_at": at.isoformat(),
        "verb": verb,
        "service": SERVICE,
        "actor": "alice@laptop",
        "reason": "a test",
        **more,
    }


def _await_failures(desk: Desk, count: int) -> list[dict[str, Any]]:
    def there() -> bool:
        failed = [entry for entry in desk.journal() if entry["outcome"] == "failed"]
        return len(failed) >= count

    wait_until(there, 90, "the failed invocations to be kept")
    return desk.journal()


# --- documents -----------------------------------------------------------------------------------


def test_an_edited_document_moves_nothing_and_pages_once_with_the_command(desk: Desk) -> None:
    world = desk.world
    desk.fails_over()
    edited = {**world.document(), "primary": EUROPE}
    desk.gcs.write("checkout.json", json.dumps(edited).encode())
    before = len(world.patches())
    tick = world.control.message({"kind": "tick"})
    answer = world.control.send(tick, world.control.subscriptions[0])
    wait_until(lambda: len(_refused(desk)) >= 2, 60, "two refused deliveries")
    assert len(world.patches()) == before
    (page,) = desk.pages()
    assert page["command"] == f"failoverctl state restore {SERVICE}"
    assert "the primary is eu-west-1, and us-west-2 carries traffic" in page["message"]
    for verb in ("check", "explain", "status", "plan"):
        assert "state restore" in desk.run(verb, SERVICE, code=1)
    desk.gcs.write("checkout.json", json.dumps({**edited, "primary": WEST}).encode())
    assert answer.result(90).acknowledged
    assert world.routed_regions == (WEST,)


def _refused(desk: Desk) -> list[str]:
    return [line for line in desk.lines("ERROR") if "Answered 5xx" in line]


def test_a_missing_document_beside_a_mark_is_no_fresh_start(desk: Desk) -> None:
    world = desk.world
    desk.fails_over()
    desk.gcs.delete("checkout.json")
    tick = world.control.message({"kind": "tick"})
    answer = world.control.send(tick, world.control.subscriptions[0])
    wait_until(lambda: bool(_refused(desk)), 60, "a refused delivery")
    assert desk.gcs.read("checkout.json") is None
    (page,) = desk.pages()
    assert "carries epoch 1" in page["message"]
    assert "`state` names another bucket" in page["message"]
    assert "no alert and no tick" not in desk.run("explain", SERVICE, code=1)
    assert "FAIL" in desk.run("check", code=1)
    desk.run("check", "--apply", code=1)
    assert desk.gcs.read("checkout.json") is None
    assert "adopted now: epoch 2" in desk.run("check", "--apply", "--adopt")
    assert answer.result(90).acknowledged
    assert world.routed_regions == (WEST,)
    assert world.document()["primary"] == WEST


def test_a_day_of_thousands_of_incidents_stays_readable_for_every_client(desk: Desk) -> None:
    world = desk.world
    at = (now() - timedelta(hours=3)).isoformat()
    closed = {
        f"0.storm{number}": {
            "region": WEST,
            "state": "closed",
            "started_at": at,
            "ended_at": at,
            "opened": True,
            "contradicted": True,
        }
        for number in range(4200)
    }
    flooded = {**world.document(), "incidents": closed}
    desk.gcs.write("checkout.json", json.dumps(flooded).encode())
    desk.fails_over()
    written = desk.gcs.read("checkout.json")
    assert written is not None
    assert len(written) < WRITTEN
    assert world.document()["forgotten"] >= 3700
    assert world.routed_regions == (WEST,)
    assert any("left out" in line for line in desk.lines("WARNING"))


# --- evidence ------------------------------------------------------------------------------------


def _unlabelled(world: LaptopWorld, identity: str, text: str) -> dict[str, Any]:
    """An alert without labels and host, whose condition has this filter."""
    made: dict[str, Any] = json.loads(json.dumps(alert(world, EAST, identity)))
    made["incident"] |= {
        "policy_user_labels": {},
        "resource": {"labels": {}},
        "metric": {"labels": {}},
        "condition": {"conditionThreshold": {"filter": text}},
    }
    return made


@pytest.mark.parametrize(
    "text",
    [
        'metric.label.check_id="checkout-us-east-1-x1" OR metric.label.check_id="x-us-west-2"',
        'NOT metric.labels.check_id="checkout-us-east-1-x1"',
        'metric.labels.check_id != "checkout-us-east-1-x1"',
    ],
)
def test_a_filter_of_several_checks_or_of_none_of_them_moves_nobody(desk: Desk, text: str) -> None:
    world = desk.world
    fail(world, EAST)
    assert world.push(_unlabelled(world, "0.filter", text)).acknowledged
    assert world.routed_regions == (EAST,)
    assert any("matches no region" in line for line in desk.lines("ERROR"))
    assert "0.filter" in desk.run("explain", SERVICE, "0.filter")


def test_an_alert_that_disagrees_with_itself_counts_only_while_our_probe_fails(desk: Desk) -> None:
    """Its labels say west, its check id east: nothing moves, and both are in the log."""
    world = desk.world
    made: dict[str, Any] = json.loads(json.dumps(alert(world, EAST, "0.both")))
    made["incident"]["policy_user_labels"] = {"service": SERVICE, "region": WEST}
    assert world.push(made).acknowledged
    assert world.routed_regions == (EAST,)
    (told,) = [line for line in desk.lines("ERROR") if "names two different regions" in line]
    assert "region=us-west-2" in told
    assert "us-east-1" in told
    assert "counts only while our own probe of us-west-2 fails" in desk.run(
        "explain", SERVICE, "0.both"
    )


def test_an_alert_for_others_that_is_of_our_check_is_not_dropped(desk: Desk) -> None:
    world = desk.world
    made: dict[str, Any] = json.loads(json.dumps(alert(world, EAST, "0.theirs")))
    made["incident"]["policy_user_labels"] = {"service": "payments", "region": EAST}
    fail(world, EAST)
    assert world.push(made).acknowledged
    assert any("for an unknown service" in line for line in desk.lines("WARNING"))
    assert world.routed_regions == (WEST,)


# --- pages and the journal -----------------------------------------------------------------------


def test_a_controller_that_undoes_every_repair_pages_once_with_its_audit_log(desk: Desk) -> None:
    world = desk.world
    first = backends(world)
    desk.fails_over()
    for _ in range(5):
        put_service(world, backends=first)
        assert world.tick().acknowledged
    (page,) = desk.pages()
    assert page["rule"] == "drift"
    assert page["command"].startswith("gcloud logging read ")
    assert world.routed_regions == (WEST,)
    assert "drift" in desk.run("explain", SERVICE)
    assert sum(bool(entry.get("shifted")) for entry in desk.journal()) == 6


def test_messages_of_another_region_do_not_repeat_a_page(desk: Desk) -> None:
    """A move is held, and a storm of another region's alerts comes."""
    world = desk.world
    at = now()
    freeze = _command("freeze", "c-freeze", at, until=(at + timedelta(hours=1)).isoformat())
    message = world.control.message(freeze)
    assert world.control.send(message, world.control.subscriptions[0]).result(60).acknowledged
    desk.fails_over()
    for number in range(12):
        assert world.push(alert(world, WEST, f"0.storm{number}")).acknowledged
    held = [page for page in desk.pages() if page["rule"] == "freeze"]
    assert len(held) == 1
    assert held[0]["regions"] == [EAST]
    assert held[0]["decision"]
    assert held[0]["decision"] in desk.run("explain", SERVICE, held[0]["decision"])


def test_a_patch_whose_operation_could_not_be_waited_for_is_in_the_journal(desk: Desk) -> None:
    world = desk.world
    rule = {"method": "POST", "path_contains": "/wait", "times": 1, "kind": "status", "status": 503}
    url = f"{world.load_balancer.api_url}/_laptop/faults"
    headers = {"Content-Type": "application/json"}
    assert ask(url, "POST", json.dumps([rule]).encode(), headers).ok
    desk.fails_over()
    (entry,) = [one for one in desk.journal() if one["outcome"] == "moved"]
    assert entry["phase"] == "verified"
    assert entry["shifted"]
    assert len(world.patches()) == 1
    assert "patched the load balancer and read it back" in desk.run("explain", SERVICE)


def test_a_limit_of_requests_is_not_told_as_missing_rights(desk: Desk) -> None:
    world = desk.world
    fault(world, "status", method="GET", status=403, reason="rateLimitExceeded", times=100)
    told = desk.run("status", code=1)
    assert "rateLimitExceeded" in told
    assert "do not have that permission" not in told
    assert "Wait a minute and repeat" in told
