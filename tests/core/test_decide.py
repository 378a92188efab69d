"""What should be: necessary moves are made, unsafe ones are not, and one decision is one epoch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config import load
from orchestrator.core.decide import decide
from orchestrator.core.document import flat
from orchestrator.core.document.ground import Standing, create, standing
from orchestrator.core.exceptions import Orphaned, Outdated, Unavailable
from orchestrator.core.model import (
    AlertOpened,
    Decision,
    DecisionOutcome,
    Mark,
    Observed,
    Probe,
    Signal,
    Status,
    Stored,
    Tick,
    Verdict,
)
from orchestrator.core.policy import Lever, Mode, Stamp
from orchestrator.core.traffic.fence import write_mark
from orchestrator.core.traffic.plan import carrying, mark_of, plan
from tests.support.examples import examples
from tests.support.fakes import FAILING, HEALTHY, REGIONS, START, configuration, service
from tests.support.loop import (
    SILENT,
    TIMEOUT,
    Loop,
    closed,
    deployed,
    loop,
    opened,
    reasons,
    refusals,
    routing_of,
    scalers,
)

EAST, WEST, EU = REGIONS
NOT_FOUND = Probe(Verdict.SILENT, 404)


# --- a failure of the primary --------------------------------------------------------------------


def test_a_confirmed_failure_of_the_primary_moves_to_the_first_region_that_answers() -> None:
    world = loop()
    decision = world.fail(EAST)
    assert decision.outcome is DecisionOutcome.MOVED
    assert decision.recorded
    assert not decision.page
    assert (world.state.primary, dict(world.state.routing)) == (WEST, {WEST: 1.0})
    assert world.state.epoch == 1
    assert world.carrying == (WEST,)
    assert {"confirm", "max_event_age", "brake", "max_auto_failovers"} <= set(reasons(decision))
    assert not refusals(decision)


def test_a_target_that_does_not_answer_is_passed_over() -> None:
    world = loop()
    world.probes[WEST] = NOT_FOUND
    decision = world.fail(EAST)
    assert world.carrying == (EU,)
    assert reasons(decision)["last_region"].passed


def test_a_target_that_is_down_is_passed_over_though_it_answers() -> None:
    world = loop()
    world.fail(WEST)
    world.probes[WEST] = HEALTHY
    world.pass_time(minutes=5)
    assert world.fail(EAST).outcome is DecisionOutcome.MOVED
    assert world.carrying == (EU,)


def test_the_second_failure_moves_on_from_the_second_region() -> None:
    """The primary is what the state says; a cooldown does not block a necessary move."""
    world = loop()
    world.fail(EAST)
    world.pass_time(minutes=1)
    decision = world.fail(WEST)
    assert decision.outcome is DecisionOutcome.MOVED
    assert (world.state.primary, world.state.epoch) == (EU, 2)
    assert world.carrying == (EU,)


def test_a_failing_standby_changes_health_and_nothing_else() -> None:
    world = loop()
    decision = world.fail(WEST)
    assert decision.outcome is DecisionOutcome.HEALTH
    assert world.state.regions[WEST].status is Status.DOWN
    assert (world.state.epoch, world.state.primary) == (0, EAST)
    assert not world.state.moves


def test_when_nobody_else_is_up_the_routing_stays_and_it_pages() -> None:
    """Fail open."""
    world = loop()
    world.fail(WEST)
    world.pass_time(minutes=5)
    world.fail(EU)
    world.pass_time(minutes=5)
    decision = world.fail(EAST)
    assert decision.outcome is DecisionOutcome.HELD
    assert world.carrying == (EAST,)
    assert "last_region" in decision.page
    assert world.state.epoch == 0


def test_the_preferred_region_does_not_take_back_by_itself() -> None:
    """Failback is manual."""
    world = loop()
    world.fail(EAST)
    world.probes = {}
    world.pass_time(hours=2)
    world.tick(times=9)
    assert world.state.regions[EAST].status is Status.UP
    assert world.carrying == (WEST,)
    assert world.state.epoch == 1


# --- refusals ------------------------------------------------------------------------------------


def held(rule: str, world: Loop, signal: Signal) -> Decision:
    """A decision that this rule held: nothing moved, and the second time nothing changed."""
    before = (world.state.routing, world.state.epoch) if world.stored.state else None
    decision = world.send(signal)
    assert decision.outcome is DecisionOutcome.HELD
    assert rule in refusals(decision)
    if before:
        assert (world.state.routing, world.state.epoch) == before
    again = world.send(signal)
    assert again.outcome is DecisionOutcome.HELD
    assert not again.changed
    assert not again.recorded
    return decision


def test_a_healthy_probe_holds_the_move_and_the_region_stays_up() -> None:
    world = loop()
    decision = held("confirm", world, opened(EAST))
    assert decision.recorded
    assert not decision.page
    assert world.state.regions[EAST].healthy
    assert world.state.incidents["0.us-east-1"].refused == ("confirm",)


def test_a_contradicted_alert_moves_by_the_second_tick_that_finds_the_region_failing() -> None:
    """One look may be a hiccup beside an alert that was wrong."""
    world = loop()
    world.send(opened(EAST))
    world.probes[EAST] = FAILING
    world.pass_time(minutes=1)
    assert world.send(Tick()).outcome is DecisionOutcome.UNCHANGED
    world.pass_time(minutes=1)
    assert world.send(Tick()).outcome is DecisionOutcome.MOVED


def test_a_copy_of_a_contradicted_alert_that_sees_the_first_failure_says_so() -> None:
    world = loop()
    world.send(opened(EAST))
    world.probes[EAST] = FAILING
    world.pass_time(minutes=1)
    decision = world.send(opened(EAST))
    assert decision.outcome is DecisionOutcome.HELD
    (reason,) = [one for one in decision.reasons if not one.passed]
    assert "fails now for the first time" in reason.value


def test_another_alert_of_a_failing_region_counts_at_once_beside_a_contradicted_one() -> None:
    world = loop()
    world.send(opened(EAST))
    world.probes[EAST] = FAILING
    world.pass_time(minutes=1)
    assert world.send(opened(EAST, "0.another")).outcome is DecisionOutcome.MOVED


def test_an_old_alert_updates_health_and_the_next_tick_moves() -> None:
    world = loop()
    world.probes[EAST] = FAILING
    decision = held("max_event_age", world, opened(EAST, at=START - timedelta(minutes=16)))
    assert decision.recorded
    assert world.state.regions[EAST].status is Status.DOWN
    assert world.send(Tick()).outcome is DecisionOutcome.MOVED


def test_an_alert_of_before_the_tombstones_life_changes_nothing_and_says_so() -> None:
    world = loop()
    world.probes[EAST] = FAILING
    decision = world.decide(opened(EAST, at=START - timedelta(hours=25)))
    assert not decision.changed
    assert "max_event_age" in refusals(decision)


def test_when_every_region_fails_at_once_the_observer_is_suspected() -> None:
    """Held and paged by the brake, not moved."""
    world = loop()
    world.fail(WEST)
    world.fail(EU)
    world.probes[EAST] = FAILING
    decision = held("brake", world, opened(EAST))
    assert "brake" in decision.page


def test_when_we_are_blind_nothing_moves_and_it_pages() -> None:
    world = loop()
    world.probes = dict.fromkeys(REGIONS, TIMEOUT)
    decision = held("brake", world, opened(EAST))
    assert "blind" in decision.page


def test_a_silent_second_signal_proceeds_or_holds_as_configured() -> None:
    world = loop(policy={"on_unconfirmed": "proceed"})
    world.probes[EAST] = NOT_FOUND
    assert world.send(opened(EAST)).outcome is DecisionOutcome.MOVED
    world = loop()
    world.probes[EAST] = NOT_FOUND
    assert "confirm" in held("confirm", world, opened(EAST)).page


def test_without_a_second_signal_the_alert_alone_moves() -> None:
    world = loop(policy={"confirm": "none"})
    assert world.send(opened(EAST)).outcome is DecisionOutcome.MOVED


def test_automation_holds_after_its_limit_until_a_human_acknowledges() -> None:
    world = loop(policy={"max_auto_failovers": {"count": 1, "within": "24h"}})
    world.fail(EAST)
    world.pass_time(hours=1)
    world.probes[WEST] = FAILING
    decision = held("max_auto_failovers", world, opened(WEST, at=world.now))
    assert "max_auto_failovers" in decision.page
    world.edit(replace(world.state, acknowledged_at=world.now))
    assert world.send(Tick()).outcome is DecisionOutcome.MOVED
    assert world.carrying == (EU,)


def test_every_rule_is_in_the_record_even_when_one_has_refused() -> None:
    world = loop(policy={"max_auto_failovers": {"count": 0}})
    decision = world.fail(EAST)
    assert set(reasons(decision)) >= {
        "confirm",
        "max_event_age",
        "brake",
        "max_auto_failovers",
        "target_healthy",
        "cooldown",
        "last_region",
    }
    assert refusals(decision) == {"max_auto_failovers"}


def test_a_refusal_is_recorded_once_for_each_incident_and_rule() -> None:
    world = loop(policy={"max_auto_failovers": {"count": 0}})
    assert world.fail(EAST, "first").recorded
    assert not world.send(Tick()).recorded
    assert world.fail(EAST, "second").recorded
    assert not world.send(Tick()).changed


# --- signals that change nothing -----------------------------------------------------------------


def test_the_same_alert_a_hundred_times_is_one_epoch() -> None:
    world = loop()
    world.probes[EAST] = FAILING
    told: list[Signal] = [opened(EAST), closed(EAST)]
    for signal in told * 50:
        world.send(signal)
    assert world.state.epoch == 1
    assert not world.decide(opened(EAST)).changed


def test_a_quiet_tick_writes_nothing() -> None:
    world = loop()
    world.pass_time(minutes=1)
    decision = world.decide(Tick())
    assert decision.outcome is DecisionOutcome.UNCHANGED
    assert not decision.changed
    assert not decision.recorded


def test_a_redelivery_finishes_what_a_crash_left() -> None:
    """The commit was made, the shift was lost; the same alert plans it again."""
    world = loop()
    world.probes[EAST] = FAILING
    world.send(opened(EAST), shift=False)
    assert world.carrying == (EAST,)
    decision = world.send(opened(EAST))
    assert not decision.changed
    assert world.carrying == (WEST,)
    assert world.state.epoch == 1


# --- active-active -------------------------------------------------------------------------------


def test_active_active_leaves_the_failed_region_and_shares_the_rest() -> None:
    world = loop(mode="active-active")
    assert set(world.carrying) == set(REGIONS)
    assert world.fail(WEST).outcome is DecisionOutcome.MOVED
    assert world.carrying == (EAST, EU)
    assert dict(world.state.routing) == {EAST: 0.5, EU: 0.5}
    assert world.state.moves[0].left == (WEST,)


def test_active_active_goes_down_to_its_last_region_and_no_further() -> None:
    world = loop(mode="active-active")
    world.fail(WEST)
    world.pass_time(minutes=5)
    world.fail(EAST)
    assert world.carrying == (EU,)
    assert world.state.primary == EU
    world.pass_time(minutes=5)
    decision = world.fail(EU)
    assert decision.outcome is DecisionOutcome.HELD
    assert world.carrying == (EU,)
    assert "last_region" in decision.page


def test_active_active_leaves_nobody_when_those_that_stay_do_not_answer() -> None:
    world = loop(mode="active-active")
    world.probes = {EAST: NOT_FOUND, EU: NOT_FOUND}
    decision = world.fail(WEST)
    assert decision.outcome is DecisionOutcome.HELD
    assert world.carrying == REGIONS
    assert "target_healthy" in refusals(decision)


def test_active_active_leaves_only_what_the_second_signal_confirms() -> None:
    world = loop(mode="active-active", policy={"on_unconfirmed": "hold"})
    world.probes = {EAST: NOT_FOUND, WEST: NOT_FOUND}
    world.send(opened(EAST))
    world.pass_time(minutes=5)
    world.fail(WEST)
    assert world.carrying == (EAST, EU)


# --- which document do we stand on ---------------------------------------------------------------


def test_the_first_document_has_its_primary_where_the_routing_points() -> None:
    world = Loop(service(), deployed(service()))
    routing = replace(world.routing)
    world.routing = routing_of(
        [
            {**one.settings, "capacityScaler": float(one.group.endswith(WEST))}
            for one in routing.backends
        ]
    )
    decision = world.send(Tick())
    assert decision.changed
    assert (world.state.primary, world.state.epoch) == (WEST, 0)
    assert dict(world.state.routing) == {WEST: 1.0}
    assert {entry.status for entry in world.state.regions.values()} == {Status.UP}


def test_the_first_document_may_come_with_the_first_failover() -> None:
    world = Loop(service(), deployed(service()))
    assert world.fail(EAST).outcome is DecisionOutcome.MOVED
    assert (world.state.primary, world.state.epoch) == (WEST, 1)


def test_no_document_is_made_without_the_routing_in_sight() -> None:
    with pytest.raises(Unavailable, match="routing"):
        decide(service(), Observed(Stored(None, 0), None, {}), Tick(), START)


def test_without_the_routing_health_is_kept_and_no_epoch_made() -> None:
    world = loop()
    observed = Observed(world.stored, None, {**dict.fromkeys(REGIONS, HEALTHY), EAST: FAILING})
    decision = decide(world.service, observed, opened(EAST), START)
    assert decision.outcome is DecisionOutcome.HEALTH
    assert decision.changed
    assert decision.state.regions[EAST].status is Status.DOWN
    assert decision.state.epoch == 0


def test_routing_that_names_no_known_region_holds_and_pages() -> None:
    world = loop()
    stranger = "projects/p/zones/z/instanceGroups/other"
    world.routing = routing_of([{"group": stranger, "capacityScaler": 1.0}])
    world.probes[EAST] = FAILING
    decision = world.decide(opened(EAST))
    assert decision.outcome is DecisionOutcome.HELD
    assert "routing" in decision.page
    assert decision.state.epoch == 0
    assert decision.state.regions[EAST].status is Status.DOWN


def test_an_older_document_adopts_what_the_resource_carries() -> None:
    """Restored by hand: the routing's traffic with an epoch above all seen, never the old one's."""
    world = loop()
    old = world.stored
    world.fail(EAST)
    assert world.state.epoch == 1
    world.stored = Stored(old.state, world.stored.generation + 100)
    world.probes = {}
    decision = world.send(Tick())
    assert decision.outcome is DecisionOutcome.ADOPTED
    assert decision.recorded
    assert (world.state.epoch, world.state.primary) == (2, WEST)
    assert world.carrying == (WEST,)
    assert reasons(decision)["adopt"].passed


def test_a_document_that_is_gone_is_not_made_again() -> None:
    """A mark without a document is no fresh start: a human says what it is."""
    world = loop()
    world.fail(EAST)
    world.stored = Stored(None, 0)
    world.probes = {}
    with pytest.raises(Orphaned):
        world.send(Tick())
    assert world.stored.state is None
    assert world.carrying == (WEST,)


def test_adopting_and_moving_on_is_one_decision_and_one_epoch() -> None:
    world = loop()
    old = world.stored
    world.fail(EAST)
    world.stored = Stored(old.state, world.stored.generation + 100)
    world.probes = {WEST: FAILING}
    decision = world.send(opened(WEST, at=world.now))
    assert decision.outcome is DecisionOutcome.MOVED
    assert (world.state.epoch, world.state.primary) == (2, EAST)
    assert world.carrying == (EAST,)


def test_a_higher_revision_of_the_same_epoch_is_adopted_too() -> None:
    world = loop()
    world.fail(EAST)
    mark = write_mark("", "checkout", Mark(1, world.state.mark.rev + 1))
    world.routing = replace(world.routing, description=mark)
    world.probes = {}
    assert world.send(Tick()).outcome is DecisionOutcome.ADOPTED
    assert world.state.epoch == 2


def test_the_mark_of_another_service_is_not_adopted() -> None:
    world = loop()
    world.routing = replace(world.routing, description=write_mark("", "search", Mark(9, 9)))
    assert world.send(Tick()).outcome is DecisionOutcome.UNCHANGED


def test_a_lost_mark_is_no_reason_for_a_new_epoch() -> None:
    """Somebody reset the description: the same epoch is written again."""
    world = loop()
    world.fail(EAST)
    world.routing = replace(world.routing, description="reset")
    world.probes = {EAST: FAILING}
    assert not world.send(Tick()).changed
    assert mark_of(world.routing, world.service) == world.state.mark


def test_an_epoch_is_above_what_state_and_resource_have_seen() -> None:
    world = loop()
    world.routing = replace(world.routing, description=write_mark("", "checkout", Mark(40, 3)))
    world.fail(EAST)
    assert world.state.epoch == 41
    assert world.carrying == (WEST,)


# --- configurations ------------------------------------------------------------------------------


def test_configurations_stand_by_serial_then_digest() -> None:
    document = Stamp(3, "a", Mode.ACTIVE_PASSIVE)
    assert standing(document, Stamp(3, "a", Mode.ACTIVE_PASSIVE)) is Standing.SAME
    assert standing(document, Stamp(4, "a", Mode.ACTIVE_PASSIVE)) is Standing.NEWER
    assert standing(document, Stamp(2, "a", Mode.ACTIVE_PASSIVE)) is Standing.OLDER
    assert standing(document, Stamp(3, "b", Mode.ACTIVE_PASSIVE)) is Standing.CLASH


def test_an_older_configuration_decides_nothing() -> None:
    world = loop(serial=3)
    world.service = service(serial=2)
    world.probes[EAST] = FAILING
    with pytest.raises(Outdated, match="serial 2"):
        world.decide(opened(EAST))


def test_a_newer_configuration_takes_a_new_epoch_and_keeps_the_primary() -> None:
    world = loop(serial=1)
    world.fail(EAST)
    world.probes = {}
    world.service = service(serial=2, policy={"cooldown": "1m"})
    decision = world.send(Tick())
    assert decision.outcome is DecisionOutcome.CONFIGURED
    assert (world.state.epoch, world.state.primary) == (2, WEST)
    assert world.state.stamp == world.service.stamp
    assert world.send(Tick()).outcome is not DecisionOutcome.CONFIGURED


def test_a_newer_configuration_adds_and_removes_regions() -> None:
    world = loop(serial=1)
    names = (EAST, WEST, "ap-south-1")
    world.service = service(serial=2, regions=names)
    world.send(Tick())
    assert tuple(world.state.regions) == names
    assert world.state.primary == EAST


def test_a_newer_configuration_without_the_primary_finds_another() -> None:
    """The second region that the new file still has, if it answers."""
    world = loop(serial=1)
    world.service = service(serial=2, regions=(WEST, EU))
    backends = [dict(one.settings) for one in world.routing.backends]
    backends[1]["capacityScaler"] = 0.5
    world.routing = routing_of(backends)
    world.send(Tick(), shift=False)
    assert world.state.primary == WEST
    assert world.state.epoch == 1


def test_a_newer_configuration_may_turn_to_active_active_and_back() -> None:
    world = loop(serial=1)
    world.service = service(serial=2, mode="active-active")
    world.send(Tick())
    assert set(world.carrying) == set(REGIONS)
    world.service = service(serial=3)
    world.send(Tick())
    assert world.carrying == (EAST,)
    assert world.state.epoch == 2


def test_a_clash_still_moves_when_it_must() -> None:
    """The same serial with another digest is an error that is named; a failover is not refused."""
    world = loop(serial=1)
    world.service = service(serial=1, policy={"cooldown": "1m"})
    assert standing(world.state.stamp, world.service.stamp) is Standing.CLASH
    assert world.send(Tick()).outcome is DecisionOutcome.UNCHANGED
    assert world.fail(EAST).outcome is DecisionOutcome.MOVED


def test_a_clash_removes_no_region_that_the_other_has() -> None:
    world = loop(serial=1)
    world.service = service(serial=1, regions=(EAST, WEST))
    world.fail(WEST)
    assert set(world.state.regions) == set(REGIONS)


# --- the lever -----------------------------------------------------------------------------------


def test_the_lever_that_the_api_tells_is_remembered() -> None:
    made = loop(lever="membership")
    ours = replace(made.service, stated_lever=None)
    kinds = {group: "SERVERLESS" for region in ours.regions for group in region.backends}
    observed = replace(made.observed(), kinds=kinds)
    assert decide(ours, observed, Tick(), START).state.lever is Lever.MEMBERSHIP
    assert decide(made.service, observed, Tick(), START).state.lever is None


# --- the older flat file -------------------------------------------------------------------------


def test_the_older_file_becomes_a_document_with_its_health() -> None:
    told = flat.decode_flat(
        json.dumps({WEST: {"endpoint": "x", "healthy": False}, "gone": {"healthy": False}}).encode()
    )
    ours = service()
    state = flat.upgrade(create(ours, deployed(ours), START), told, START)
    assert state.epoch == 0
    assert state.regions[WEST].status is Status.DOWN
    assert state.regions[EAST].healthy
    assert set(state.regions) == set(REGIONS)
    world = Loop(ours, deployed(ours), Stored(state, 0), probes={WEST: FAILING})
    decision = world.send(Tick())
    assert decision.changed
    assert world.state.regions[WEST].status is Status.DOWN
    world.probes = {}
    world.tick(times=5)
    assert world.state.regions[WEST].healthy


def test_an_unhealthy_primary_of_the_older_file_is_left_when_its_probe_fails_too() -> None:
    told = {EAST: {"endpoint": "x", "healthy": False}}
    ours = service()
    state = flat.upgrade(create(ours, deployed(ours), START), told, START)
    world = Loop(ours, deployed(ours), Stored(state, 0), probes={EAST: FAILING})
    assert world.send(Tick()).outcome is DecisionOutcome.MOVED
    assert world.carrying == (WEST,)


# --- anything that may happen --------------------------------------------------------------------

VERDICTS = {"fine": HEALTHY, "failing": FAILING, "timeout": TIMEOUT, "silent": SILENT}
STEPS = st.one_of(
    st.tuples(st.just("open"), st.sampled_from(REGIONS), st.integers(0, 3)),
    st.tuples(st.just("fail"), st.sampled_from(REGIONS), st.integers(0, 3)),
    st.tuples(st.just("fail the primary"), st.just(""), st.integers(0, 3)),
    st.tuples(st.just("heal all"), st.just(""), st.integers(1, 4)),
    st.tuples(st.just("close"), st.sampled_from(REGIONS), st.integers(0, 3)),
    st.tuples(st.just("tick"), st.just(""), st.integers(1, 4)),
    st.tuples(st.just("probe"), st.sampled_from(REGIONS), st.sampled_from(sorted(VERDICTS))),
    st.tuples(st.just("wait"), st.just(""), st.sampled_from([1, 50, 400, 1000, 90000])),
    st.tuples(st.just("lost shift"), st.sampled_from(REGIONS), st.integers(0, 3)),
    st.tuples(st.just("reset mark"), st.just(""), st.just(0)),
    st.tuples(st.just("restore"), st.just(""), st.just(0)),
)
SERVICES = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["active-passive", "active-active"]),
        "lever": st.sampled_from(["capacity", "membership"]),
        "policy": st.fixed_dictionaries(
            {},
            optional={
                "confirm": st.sampled_from(["none", "probe"]),
                "on_unconfirmed": st.sampled_from(["proceed", "hold"]),
                "trust_close": st.booleans(),
                "cooldown": st.sampled_from(["0s", "10m", "5h"]),
                "min_incidents": st.integers(1, 2),
                "recovery_probes": st.integers(1, 3),
                "max_auto_failovers": st.builds(
                    lambda n: {"count": n, "within": "24h"}, st.integers(0, 3)
                ),
                "brake": st.just({"share": 1.0, "within": "2m"}),
            },
        ),
    },
)
GATES = {"confirm", "max_event_age", "brake", "max_auto_failovers"}
Step = tuple[str, str, Any]


class Watched(Loop):
    """A loop that holds every decision against what is promised."""

    def send(self, signal: Signal, *, shift: bool = True) -> Decision:
        """Decide and commit; the promises are checked on the way."""
        before = self.stored.state
        was_carrying = self.carrying
        decision = super().send(signal, shift=shift)
        after = self.state
        assert after.routing
        assert after.primary in after.routing
        assert set(after.routing) <= set(REGIONS)
        if self.service.mode is Mode.ACTIVE_PASSIVE:
            assert set(after.routing) == {after.primary}
        assert self.carrying, "somebody always carries the traffic"
        if before is not None:
            assert after.epoch >= before.epoch
            assert after.mark >= before.mark
            if set(after.routing) != set(before.routing):
                assert after.epoch > before.epoch
        if decision.outcome is DecisionOutcome.MOVED:
            self._moved(before.routing if before else was_carrying, was_carrying)
        self._not_stuck(signal, decision)
        return decision

    def _moved(self, wanted_before: Iterable[str], was_carrying: tuple[str, ...]) -> None:
        """An automatic move is a necessary one, to a region that is proven and has rested."""
        move, policy = self.state.moves[0], self.service.policy
        assert move.at == self.now
        assert move.left
        for name in move.left:
            assert self.state.regions[name].status is Status.DOWN
        for name in set(move.to) - set(wanted_before) - set(was_carrying):
            assert self.state.regions[name].status is Status.UP
            assert self.observed().probes[name].verdict is Verdict.HEALTHY
            for earlier in self.state.moves[1:]:
                if self.now - earlier.at < policy.cooldown and name in earlier.left:
                    proven_at = self.state.regions[name].proven_at
                    assert proven_at
                    assert proven_at > earlier.at
        window = [m for m in self.state.moves if self.now - m.at < policy.max_auto_failovers.within]
        assert len(window) <= policy.max_auto_failovers.count

    def _not_stuck(self, signal: Signal, decision: Decision) -> None:
        """Nobody is left on dead regions while another is proven, unless a rule said so."""
        state = decision.state
        if any(state.regions[name].status is not Status.DOWN for name in state.routing):
            return
        rested = [
            name
            for name in set(REGIONS) - set(state.routing)
            if state.regions[name].status is Status.UP
            and self.observed().probes[name].verdict is Verdict.HEALTHY
            and not any(
                name in m.left and self.now - m.at < self.service.policy.cooldown
                for m in state.moves
            )
        ]
        if rested:
            assert refusals(decision) & GATES
            probes = self.observed().probes
            failing = all(probes[n].verdict is Verdict.FAILING for n in state.routing)
            if isinstance(signal, Tick) and failing and "brake" not in refusals(decision):
                assert "max_event_age" not in refusals(decision)


def watched(told: dict[str, Any]) -> Watched:
    """Such a service, deployed."""
    ours = load(json.dumps(configuration(**told)), "test").services["checkout"]
    return Watched(ours, deployed(ours, **told))


def take(world: Watched, step: Step, backup: Stored) -> None:
    """One thing happens."""
    kind, region, value = step
    match kind:
        case "open" | "lost shift":
            began = world.now - timedelta(minutes=6 * int(value))
            world.send(opened(region, f"{region}.{value}", began), shift=kind == "open")
        case "fail" | "fail the primary":
            failing = region or world.state.primary
            world.fail(failing, f"{failing}.{value}.{world.now}")
        case "heal all":
            world.probes = {}
            world.tick(times=int(value), every=60)
        case "close":
            world.send(closed(region, f"{region}.{value}", world.now))
        case "tick":
            world.tick(times=int(value), every=60)
        case "probe":
            world.probes[region] = VERDICTS[str(value)]
        case "wait":
            world.pass_time(seconds=value)
        case "reset mark":
            world.routing = replace(world.routing, description="by hand")
        case "restore" if mark_of(world.routing, world.service) == world.state.mark:
            world.stored = Stored(backup.state, world.stored.generation + 1)


@settings(deadline=None, max_examples=examples(200))
@given(told=SERVICES, steps=st.lists(STEPS, min_size=8, max_size=30))
def test_whatever_happens_the_promises_hold(told: dict[str, Any], steps: list[Step]) -> None:
    """See `Watched` for them. Restores are left to the test below: they forget moves."""
    world = watched(told)
    world.send(Tick())
    for step in steps:
        if step[0] != "restore":
            take(world, step, world.stored)
    world.shift()
    assert plan(world.state, world.routing, world.service).empty


@settings(deadline=None, max_examples=examples(80))
@given(told=SERVICES, steps=st.lists(STEPS, max_size=20))
def test_the_epoch_on_the_resource_never_goes_back(told: dict[str, Any], steps: list[Step]) -> None:
    """Also when the document is restored to its first version in between, and marks get lost."""
    told["policy"] = {**told.get("policy", {}), "max_auto_failovers": {"count": 99}}
    world = watched(told)
    world.send(Tick())
    backup, highest = world.stored, 0
    for step in [*steps, ("tick", "", 1)]:
        if step[0] != "reset mark":
            restored = step[0] == "restore"
            if restored and mark_of(world.routing, world.service) == world.state.mark:
                world.stored = Stored(backup.state, world.stored.generation + 1)
                continue
            take(world, step, backup)
        seen = mark_of(world.routing, world.service).epoch
        assert seen >= highest
        highest = seen
    assert world.state.epoch == max(world.state.epoch, highest)


@settings(deadline=None, max_examples=examples(100))
@given(told=SERVICES, steps=st.lists(STEPS, max_size=12), last=st.sampled_from(REGIONS))
def test_a_signal_taken_again_soon_changes_nothing_more(
    told: dict[str, Any], steps: list[Step], last: str
) -> None:
    """Its third copy at the latest: the second may still note why the rest was refused."""
    world = watched(told)
    world.send(Tick())
    for step in steps:
        if step[0] != "restore":
            take(world, step, world.stored)
    for signal in (Tick(), AlertOpened("again", last, world.now)):
        first = world.send(signal)
        assert world.send(signal).state.epoch == first.state.epoch
        assert not world.decide(signal).changed


@settings(deadline=None, max_examples=examples(60))
@given(order=st.permutations(list(REGIONS)), gap=st.integers(130, 3000))
def test_regions_that_fail_one_after_the_other_are_left_in_any_order(
    order: list[str], gap: int
) -> None:
    """Traffic ends on the one that has not failed, however close the failures follow."""
    world = loop()
    for region in order[:2]:
        world.fail(region)
        world.pass_time(seconds=gap)
    assert world.carrying == (order[2],)


def test_carrying_is_read_from_the_resource() -> None:
    world = loop()
    world.fail(EAST)
    assert carrying(world.routing, world.service) == (WEST,)
    assert scalers(world.routing) == {EAST: 0.0, WEST: 1.0, EU: 0.0}
    assert isinstance(world.now, datetime)
