"""The flow in a world of fakes: every order, every lost answer, every crash between two lines."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.exceptions import Conflict, Orphaned, Outdated, Unavailable
from orchestrator.core.model import (
    AlertClosed,
    AlertOpened,
    DecisionOutcome,
    Mark,
    NoAnswer,
    Phase,
    Probe,
    Signal,
    Status,
    Tick,
    Verdict,
)
from orchestrator.core.traffic.plan import carrying, mark_of
from orchestrator.flow.rescue.adopt import adopt
from tests.support.examples import examples
from tests.support.fakes import (
    HEALTHY,
    REGIONS,
    FakeTraffic,
    Flaky,
    Lab,
    group,
    lab,
    service,
)

ONLY_WEST = {"us-east-1": 0.0, "us-west-2": 1.0, "eu-west-1": 0.0}
ONLY_EUROPE = {"us-east-1": 0.0, "us-west-2": 0.0, "eu-west-1": 1.0}


def moved_to_west(**overrides: Any) -> Lab:  # any JSON
    """A world in which the first failure has been dealt with."""
    made = lab(**overrides)
    made.down("us-east-1")
    assert made.handle(made.opened("us-east-1")).decision.outcome is DecisionOutcome.MOVED
    return made


def mark(made: Lab) -> Mark:
    """The mark on the load balancer."""
    return mark_of(made.traffic.read("checkout"), made.service)


# --- the path ------------------------------------------------------------------------------------


def test_an_alert_for_the_primary_moves_traffic_in_one_patch_under_one_epoch() -> None:
    made = moved_to_west()
    assert made.traffic.scalers() == ONLY_WEST
    assert len(made.traffic.applied) == 1
    assert mark(made) == made.state.mark == Mark(1, 0)
    assert made.state.shift is not None
    assert made.state.shift.phase is Phase.VERIFIED


def test_the_second_failure_moves_on_from_the_second_region_within_the_cooldown() -> None:
    made = moved_to_west()
    made.clock.rest(60)
    made.down("us-east-1", "us-west-2")
    made.handle(made.opened("us-west-2"))
    assert made.traffic.scalers() == ONLY_EUROPE
    assert made.state.epoch == 2


def test_a_scaler_of_0_8_is_put_back_as_it_was() -> None:
    """East is drained at 0.8, comes back, and takes over again with 0.8 after the cooldown."""
    made = lab()
    made.traffic.resource["backends"][0]["capacityScaler"] = 0.8
    made.down("us-east-1")
    made.handle(made.opened("us-east-1"))
    made.handle(made.closed("us-east-1", ago=60))
    made.down()
    made.clock.rest(60)
    made.tick(times=3)
    assert made.state.regions["us-east-1"].healthy
    made.clock.rest(700)
    made.down("us-west-2")
    made.handle(made.opened("us-west-2"))
    assert made.traffic.scalers() == {"us-east-1": 0.8, "us-west-2": 0.0, "eu-west-1": 0.0}


def test_a_detached_group_comes_back_with_its_own_settings() -> None:
    made = lab(lever="membership")
    settings = {"group": group("us-east-1", serverless=True), "customMetrics": [{"name": "x"}]}
    made.traffic.resource["backends"] = [dict(settings)]
    made.down("us-east-1")
    made.handle(made.opened("us-east-1"))
    [only] = made.traffic.resource["backends"]
    assert only["group"].endswith("checkout-us-west-2")
    made.handle(made.closed("us-east-1", ago=60))
    made.down()
    made.clock.rest(60)
    made.tick(times=3)
    made.clock.rest(700)
    made.down("us-west-2")
    made.handle(made.opened("us-west-2"))
    whole = f"https://www.googleapis.com/compute/v1/{settings['group']}"
    assert made.traffic.resource["backends"] == [{**settings, "group": whole}]


def test_a_tick_over_a_world_at_rest_writes_nothing() -> None:
    made = moved_to_west()
    made.tick()
    got = made.objects.get("checkout.json")
    made.tick(times=3)
    assert made.objects.get("checkout.json") == got
    assert len(made.traffic.applied) == 1


def test_drift_is_repaired_by_the_next_tick_under_the_same_epoch() -> None:
    """Somebody gives the old primary its traffic back; the tick writes what the epoch desires."""
    made = moved_to_west()
    backends = [{**b, "capacityScaler": 1.0} for b in made.traffic.resource["backends"]]
    made.traffic.change({"backends": backends})
    made.tick()
    assert made.traffic.scalers() == ONLY_WEST
    assert mark(made) == Mark(1, 0)


def test_nothing_is_touched_at_epoch_0() -> None:
    """Before anything was decided the routing is whoever's who deployed it."""
    made = lab()
    for backend in made.traffic.resource["backends"]:
        backend["capacityScaler"] = 1.0
    made.tick(times=2)
    assert made.traffic.applied == []
    assert made.state.epoch == 0


# --- refusals ------------------------------------------------------------------------------------


def test_all_regions_down_fails_open_and_pages() -> None:
    made = lab()
    made.down(*REGIONS)
    for region in REGIONS:
        made.handle(made.opened(region))
    assert made.traffic.applied == []
    assert made.state.epoch == 0
    assert any("last_region" in page for page in made.pages)


def test_a_contradicted_alert_is_acted_on_by_the_second_tick_that_sees_the_region_fail() -> None:
    made = lab()
    assert made.handle(made.opened("us-east-1")).decision.outcome is DecisionOutcome.HELD
    assert made.state.regions["us-east-1"].healthy
    made.clock.rest(60)
    made.down("us-east-1")
    made.tick(times=2)
    assert made.traffic.scalers() == ONLY_WEST


def test_an_alert_of_an_hour_ago_updates_health_and_the_next_tick_acts_on_what_it_sees() -> None:
    made = lab()
    made.down("us-east-1")
    assert made.handle(made.opened("us-east-1", ago=3600)).decision.outcome is DecisionOutcome.HELD
    assert made.state.regions["us-east-1"].status is Status.DOWN
    assert made.traffic.applied == []
    made.tick()
    assert made.traffic.scalers() == ONLY_WEST


def test_an_observer_that_sees_every_probe_fail_alike_is_not_believed() -> None:
    made = lab()
    made.prober.answers = {name: Probe(Verdict.FAILING, NoAnswer.TIMEOUT) for name in REGIONS}
    made.handle(made.opened("us-east-1"))
    assert made.traffic.applied == []
    assert any("brake" in page for page in made.pages)


def test_the_fourth_automatic_move_of_a_day_waits_for_a_human() -> None:
    made = lab(policy={"max_auto_failovers": {"count": 1, "within": "24h"}})
    made.down("us-east-1")
    made.handle(made.opened("us-east-1"))
    made.clock.rest(3600)
    made.down("us-east-1", "us-west-2")
    assert made.handle(made.opened("us-west-2")).decision.outcome is DecisionOutcome.HELD
    assert made.traffic.scalers() == ONLY_WEST
    assert any("max_auto_failovers" in page for page in made.pages)


def test_a_refusal_is_recorded_once_however_often_it_is_repeated() -> None:
    made = lab()
    for _ in range(5):
        made.handle(made.opened("us-east-1"))
    assert [entry["outcome"] for entry in made.state.history] == ["held"]


# --- lost answers, crashes, races ----------------------------------------------------------------


class Crash(BaseException):
    """The process is killed here."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("port", ["objects", "traffic"])
def test_killed_at_any_call_a_redelivery_reaches_the_one_right_end(port: str, when: str) -> None:
    for at in range(1, 30):
        made = lab()
        made.down("us-east-1")
        signal = made.opened("us-east-1")
        flaky = Flaky(getattr(made, port), at, when, Crash)
        try:
            made.handle(signal, **{port: flaky})
        except Crash:
            made.handle(signal)
        assert made.traffic.scalers() == ONLY_WEST
        assert made.state.epoch == 1
        assert mark(made) == made.state.mark
        assert len(made.traffic.applied) == 1
        if not flaky.hit:
            return
    pytest.fail("the pipeline makes more calls than this test kills")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("port", ["objects", "traffic"])
def test_any_single_call_that_fails_is_made_good_within_the_invocation(
    port: str, when: str
) -> None:
    """Unavailable before: it did not happen. After: it did, and its answer was lost."""
    for at in range(1, 30):
        made = lab()
        made.down("us-east-1")
        flaky = Flaky(getattr(made, port), at, when, lambda: Unavailable("reset"))
        made.handle(made.opened("us-east-1"), **{port: flaky})
        assert made.traffic.scalers() == ONLY_WEST
        assert made.state.mark == mark(made)
        assert len(made.traffic.applied) == 1
        if not flaky.hit:
            return
    pytest.fail("the pipeline makes more calls than this test interrupts")


def test_a_handler_that_is_late_with_its_patch_stops_at_the_higher_epoch() -> None:
    """B fails over further between A's commit and A's patch."""
    made = lab()
    made.down("us-east-1")

    def b_goes_first() -> None:
        made.down("us-east-1", "us-west-2")
        made.handle(made.opened("us-west-2"))

    made.traffic.before_patch = [b_goes_first]
    made.handle(made.opened("us-east-1"))
    assert made.traffic.scalers() == ONLY_EUROPE
    assert mark(made) == made.state.mark
    assert made.state.epoch == 2


def test_a_late_handler_stops_although_the_mark_was_wiped_after_the_newer_patch() -> None:
    made = lab()
    made.down("us-east-1")

    def b_goes_first_and_terraform_wipes() -> None:
        made.down("us-east-1", "us-west-2")
        made.handle(made.opened("us-west-2"))
        made.traffic.change({"description": "managed by terraform"})

    made.traffic.before_patch = [b_goes_first_and_terraform_wipes]
    made.handle(made.opened("us-east-1"))
    assert made.traffic.scalers() == ONLY_EUROPE
    assert all(
        b["backends"][1]["capacityScaler"] == 0 for b in made.traffic.applied if "backends" in b
    )


def test_a_redelivery_reads_the_state_again_before_it_writes_to_a_resource_without_a_mark() -> None:
    """A crashed after its commit; its redelivery has read the routing; then B moves on."""
    made = lab()
    made.down("us-east-1")
    signal = made.opened("us-east-1")
    with pytest.raises(Crash):
        made.handle(signal, traffic=Flaky(made.traffic, 2, "before", Crash))
    assert made.state.epoch == 1
    reads: list[int] = []

    class Watched:
        def get(self, name: str) -> tuple[bytes, int] | None:
            reads.append(1)
            if len(reads) == 3:  # state, older file, then the extra read before the patch
                made.down("us-east-1", "us-west-2")
                made.handle(made.opened("us-west-2"))
                made.traffic.change({"description": ""})
            return made.objects.get(name)

        def put(self, name: str, data: bytes, generation: int) -> int:
            return made.objects.put(name, data, generation)

    made.memory.documents.clear()
    made.handle(signal, objects=Watched())
    assert made.traffic.scalers() == ONLY_EUROPE
    assert made.state.epoch == 2


def test_what_is_never_as_desired_is_unverified_and_left_to_the_next_tick() -> None:
    """Another writer undoes every patch at once: two tries, then a loud line and the phase."""
    made = lab()
    made.down("us-east-1")

    def undo() -> None:
        made.traffic.change({"backends": first})
        made.traffic.after_patch.append(undo)

    first = [dict(b) for b in made.traffic.resource["backends"]]
    made.traffic.after_patch = [undo]
    made.handle(made.opened("us-east-1"))
    assert made.state.shift is not None
    assert made.state.shift.phase is Phase.UNVERIFIED
    assert any(line.get("unverified") for line in made.lines)
    made.traffic.after_patch = []
    made.tick()
    assert made.traffic.scalers() == ONLY_WEST
    assert made.document["shift"]["phase"] == "verified"


def test_a_commit_race_is_decided_again_on_the_winner() -> None:
    """Two alerts for two regions commit at once; neither health update is lost."""
    made = lab()
    made.down("us-east-1", "us-west-2")

    class Racing:
        raced = False

        def get(self, name: str) -> tuple[bytes, int] | None:
            return made.objects.get(name)

        def put(self, name: str, data: bytes, generation: int) -> int:
            if not self.raced:
                self.raced = True
                made.handle(made.opened("us-west-2"))
            return made.objects.put(name, data, generation)

    made.handle(made.opened("us-east-1"), objects=Racing())
    assert made.traffic.scalers() == ONLY_EUROPE
    assert not made.state.regions["us-east-1"].healthy
    assert not made.state.regions["us-west-2"].healthy


# --- old state, configurations, no state ---------------------------------------------------------


def test_a_restored_document_adopts_the_traffic_of_the_resource_above_its_epoch() -> None:
    made = moved_to_west()
    old = made.objects.get("checkout.json")
    assert old is not None
    made.clock.rest(60)
    made.down("us-east-1", "us-west-2")
    made.handle(made.opened("us-west-2"))
    now = made.objects.get("checkout.json")
    assert now is not None
    made.objects.put("checkout.json", old[0], now[1])
    made.tick()
    assert made.traffic.scalers() == ONLY_EUROPE
    assert made.state.primary == "eu-west-1"
    assert made.state.epoch == 3
    assert made.state.mark == mark(made)


def test_a_deleted_document_is_adopted_above_every_epoch_seen_when_a_human_says_so() -> None:
    made = moved_to_west()
    made.objects = type(made.objects)()
    made.memory.documents.clear()
    with pytest.raises(Orphaned):
        made.tick()
    adopt(made.service, "alice", made.context())
    assert made.state.primary == "us-west-2"
    assert made.state.epoch == 2
    assert made.traffic.scalers() == ONLY_WEST


def test_routing_that_names_no_known_region_holds_and_pages() -> None:
    made = moved_to_west()
    made.traffic.change({"backends": [{"group": "projects/laptop/zones/z/instanceGroups/other"}]})
    made.down("us-west-2")
    made.handle(made.opened("us-west-2"))
    assert made.traffic.resource["backends"][0]["group"].endswith("other")
    assert any("no configured region carried traffic" in page for page in made.pages)


def test_no_document_is_made_while_the_routing_cannot_be_read() -> None:
    made = lab()
    made.down("us-east-1")

    class Down(FakeTraffic):
        def read(self, name: str) -> Any:  # never returns
            raise Unavailable(f"{name}: 503")

    with pytest.raises(Unavailable):
        made.handle(made.opened("us-east-1"), traffic=Down([]))
    assert made.objects.get("checkout.json") is None


def test_health_is_kept_while_the_compute_api_is_down_and_the_redelivery_moves() -> None:
    made = lab()
    made.tick()

    class Down(FakeTraffic):
        def read(self, name: str) -> Any:  # never returns
            raise Unavailable(f"{name}: 503")

    made.down("us-east-1")
    signal = made.opened("us-east-1")
    with pytest.raises(Unavailable):
        made.handle(signal, traffic=Down([]))
    assert made.state.regions["us-east-1"].status is Status.DOWN
    assert made.state.epoch == 0
    made.handle(signal)
    assert made.traffic.scalers() == ONLY_WEST


def test_a_corrupt_document_is_named_and_never_overwritten() -> None:
    made = lab()
    made.objects.put("checkout.json", b"{broken", 0)
    with pytest.raises(Unavailable, match=r"checkout\.json is corrupt"):
        made.handle(made.opened("us-east-1"))
    assert made.objects.get("checkout.json") == (b"{broken", 1)


def test_an_older_configuration_decides_nothing() -> None:
    made = moved_to_west(serial=2)
    before = made.document
    made.down("us-west-2")
    with pytest.raises(Outdated):
        made.handle(made.opened("us-west-2"), service=service(serial=1))
    assert made.document == before
    assert made.traffic.scalers() == ONLY_WEST


def test_a_newer_configuration_takes_an_epoch_and_leaves_the_traffic() -> None:
    made = moved_to_west()
    made.handle(Tick(), service=service(serial=2))
    assert made.state.epoch == 2
    assert made.state.stamp.serial == 2
    assert made.traffic.scalers() == ONLY_WEST
    assert mark(made) == made.state.mark


def test_the_same_serial_with_another_digest_repairs_no_drift_and_is_named() -> None:
    made = moved_to_west()
    backends = [{**b, "capacityScaler": 1.0} for b in made.traffic.resource["backends"]]
    made.traffic.change({"backends": backends})
    clash = service(policy={"cooldown": "1m"})
    made.handle(Tick(), service=clash)
    assert made.traffic.scalers() == dict.fromkeys(REGIONS, 1.0)
    assert any("two configurations share serial" in line["message"] for line in made.lines)


def test_the_older_flat_file_is_upgraded_and_kept_up_to_date() -> None:
    made = lab()
    flat = {
        name: {"endpoint": f"dynamodb.{name}.amazonaws.com", "healthy": name != "us-west-2", "x": 1}
        for name in REGIONS
    }
    made.objects.put("dynamodb_regions.json", json.dumps(flat).encode(), 0)
    made.down("us-east-1", "us-west-2")
    made.handle(made.opened("us-east-1"))
    assert made.traffic.scalers() == ONLY_EUROPE
    got = made.objects.get("dynamodb_regions.json")
    assert got is not None
    after = json.loads(got[0])
    assert {name: entry["healthy"] for name, entry in after.items()} == {
        "us-east-1": False,
        "us-west-2": False,
        "eu-west-1": True,
    }
    assert after["us-east-1"]["x"] == 1


def test_a_journal_that_refuses_writes_does_not_stop_the_failover() -> None:
    made = lab()
    made.down("us-east-1")

    class NoJournal:
        def get(self, name: str) -> tuple[bytes, int] | None:
            return made.objects.get(name)

        def put(self, name: str, data: bytes, generation: int) -> int:
            if name.startswith("journal/"):
                raise Unavailable("403 on the journal")
            return made.objects.put(name, data, generation)

    made.handle(made.opened("us-east-1"), objects=NoJournal())
    assert made.traffic.scalers() == ONLY_WEST
    assert any("journal not written" in line["message"] for line in made.lines)


def test_the_journal_keeps_one_object_for_each_decision() -> None:
    made = moved_to_west()
    made.handle(made.opened("us-east-1"))
    names = [name for name in made.objects._objects if name.startswith("journal/checkout/")]
    assert len(names) == 1


# --- laws ----------------------------------------------------------------------------------------

signals = st.lists(
    st.tuples(
        st.sampled_from(["open", "close", "tick", "wipe", "drift"]),
        st.sampled_from(REGIONS),
        st.integers(1, 3),
        st.sets(st.sampled_from(REGIONS), max_size=3),
        st.sampled_from([1, 50, 400, 4000]),
    ),
    max_size=25,
)


@settings(max_examples=examples(150), deadline=None)
@given(signals)
def test_whatever_happens_state_and_routing_agree_and_nobody_is_left_without_traffic(
    steps: list[tuple[str, str, int, set[str], int]],
) -> None:
    """After every signal: one region carries traffic, it is the primary, and the epoch agrees.

    Traffic never moves to a region whose probe fails while it is chosen; epochs only grow.
    """
    made = lab()
    highest = 0
    try:
        for what, region, number, failing, seconds in steps:
            made.clock.rest(seconds)
            made.down(*failing)
            before = len(made.traffic.applied)
            primary = made.state.primary if made.objects.get("checkout.json") else REGIONS[0]
            made.handle(_signal(made, what, region, number))
            state = made.state
            routing = made.traffic.read("checkout")
            carries = carrying(routing, made.service)
            assert carries == (state.primary,) == tuple(state.routing)
            assert state.epoch >= highest
            highest = state.epoch
            if state.epoch:
                assert mark(made) == state.mark
            if state.primary != primary:
                assert state.primary not in failing
                assert primary in failing
            assert len(made.traffic.applied) <= before + 2
    finally:
        made.executor.shutdown()


def _signal(made: Lab, what: str, region: str, number: int) -> Signal:
    incident = f"0.{region}.{number}"
    began = made.clock.at - timedelta(seconds=30)
    match what:
        case "open":
            return AlertOpened(incident, region, began)
        case "close":
            return AlertClosed(incident, region, began, made.clock.at)
        case "wipe":
            made.traffic.change({"description": "wiped"})
        case "drift" if made.state_exists and made.state.epoch:
            backends = made.traffic.resource["backends"]
            made.traffic.change({"backends": [{**b, "capacityScaler": 1.0} for b in backends]})
    return Tick()


def test_conflicts_end_in_an_error_when_patience_does() -> None:
    """A fingerprint that is never right is given back for redelivery after the budget."""
    made = lab()
    made.down("us-east-1")

    class Refusing(FakeTraffic):
        def patch(self, name: str, body: Any) -> str:  # any JSON
            del body
            raise Conflict(f"412 on {name}")

    started = made.clock.monotonic()
    refusing = Refusing(made.traffic.resource["backends"])
    with pytest.raises((Conflict, Unavailable)):
        made.handle(made.opened("us-east-1"), traffic=refusing)
    assert made.clock.monotonic() - started <= 25


def test_probes_are_looked_at_as_they_are() -> None:
    """The fake's default is a healthy answer, as the tests above rely on."""
    assert lab().prober.probe(service().regions)["us-east-1"] == HEALTHY
