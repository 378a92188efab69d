"""Attached standbys: the commit moves the users; nobody is drained or attached too early."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core.document.ground import create
from orchestrator.core.exceptions import Unavailable
from orchestrator.core.model import (
    Command,
    Decision,
    DecisionOutcome,
    Leave,
    Part,
    Probe,
    Role,
    Stored,
    Tick,
    Verdict,
    Wish,
)
from orchestrator.core.traffic.plan import mark_of, plan
from tests.support.fakes import REGIONS, service
from tests.support.loop import Loop, loop, opened, refusals, scalers

EAST, WEST, EU = REGIONS
ALL = {EAST: 1.0, WEST: 1.0, EU: 1.0}


def world(**overrides: Any) -> Loop:
    """A service whose regions all have capacity, with its first document."""
    return loop(standby="attached", **overrides)


def commanded(made: Loop, wish: Wish, region: str = "", *, now: bool = False) -> Decision:
    """A human's wish, taken twice as the flow takes one that attached its region first."""
    ids = f"c{made.stored.generation:04}"
    command = Command(ids, wish, "alice", "work", made.now, region, now=now)
    decision = made.send(command)
    return made.send(command) if decision.outcome is DecisionOutcome.STANDBYS else decision


def recovered(made: Loop, region: str) -> Decision:
    """The region answers well for as long as proof takes."""
    made.probes.pop(region)
    made.said.pop(region, None)
    made.pass_time(seconds=60)
    return made.tick(4)


def after_failover() -> Loop:
    """us-west-2 has taken over from us-east-1, which is drained."""
    made = world()
    made.fail(EAST)
    made.pass_time(seconds=30)
    made.tick()
    assert scalers(made.routing) == {**ALL, EAST: 0.0}
    return made


# --- the move ------------------------------------------------------------------------------------


def test_a_document_notes_who_has_capacity() -> None:
    assert all(entry.attached for entry in world().state.regions.values())
    assert not any(entry.attached for entry in loop().state.regions.values())


def test_a_failed_primary_is_left_by_the_document_and_the_mark_alone() -> None:
    made = world()
    decision = made.fail(EAST)
    assert decision.outcome is DecisionOutcome.MOVED
    assert made.state.primary == WEST
    assert made.state.routing == {WEST: 1.0}
    assert made.state.regions[EAST].leave is Leave.FAILED
    assert scalers(made.routing) == ALL
    assert mark_of(made.routing, made.service) == made.state.mark
    assert len(made.state.moves) == 1


def test_the_users_move_while_the_load_balancer_can_be_neither_read_nor_written() -> None:
    made = world()
    made.is_unseen = True
    assert made.fail(EAST).outcome is DecisionOutcome.MOVED
    assert made.state.primary == WEST
    made.pass_time(hours=1)
    assert made.fail(WEST).outcome is DecisionOutcome.MOVED
    assert (made.state.primary, made.state.epoch) == (EU, 2)


def test_an_unread_load_balancer_holds_where_standbys_are_drained() -> None:
    made = loop()
    made.is_unseen = True
    assert made.fail(EAST).state.primary == EAST


def test_no_document_is_made_on_an_unread_load_balancer() -> None:
    made = world()
    made.stored, made.is_unseen = Stored(None, 0), True
    with pytest.raises(Unavailable, match="made only when the routing can be read"):
        made.decide(Tick())


def test_a_newer_configuration_moves_nothing_unseen() -> None:
    """Whether its regions are attached is not known yet."""
    made = world()
    made.service, made.is_unseen = service(standby="attached", serial=2), True
    assert made.fail(EAST).state.primary == EAST


def test_a_standby_without_capacity_is_no_target() -> None:
    made = world()
    drain(made, WEST)
    decision = made.fail(EAST)
    assert made.state.primary == EU
    assert not reasons_of(decision, "attached", WEST)[0].passed


def test_a_standby_that_does_not_say_what_it_is_is_no_target() -> None:
    made = world()
    made.said[WEST] = Role(Part.SILENT, "404")
    decision = made.fail(EAST)
    assert made.state.primary == EU
    assert reasons_of(decision, "role", WEST)[0].value == "its role URL says 404"


def test_a_standby_that_reads_no_new_document_is_the_last_target() -> None:
    made = after_failover()
    recovered(made, EAST)
    made.said[EAST] = Role(Part.STANDS_BY, "503", 1)
    made.pass_time(hours=1)
    made.fail(WEST)
    assert made.state.primary == EU


def test_an_older_document_tells_nothing_of_capacity() -> None:
    """Written before there were attached standbys: seen first, a target then."""
    made = world()
    regions = {n: replace(e, attached=False) for n, e in made.state.regions.items()}
    made.edit(replace(made.state, regions=regions))
    made.is_unseen = True
    assert "attached" in refusals(made.fail(EAST))
    made.is_unseen = False
    made.tick()
    assert made.state.primary == WEST


# --- the drain -----------------------------------------------------------------------------------


def test_the_failed_primary_is_drained_once_the_new_one_leads() -> None:
    made = world()
    made.fail(EAST)
    made.said[WEST] = Role(Part.STANDS_BY, "503", 0)
    assert made.tick().outcome is DecisionOutcome.UNCHANGED
    made.said[WEST] = Role(Part.LEADS, "200", 0)
    assert made.tick().outcome is DecisionOutcome.UNCHANGED
    made.said[WEST] = Role(Part.LEADS, "200", 1)
    decision = made.tick()
    assert decision.outcome is DecisionOutcome.STANDBYS
    assert scalers(made.routing) == {**ALL, EAST: 0.0}
    assert (made.state.epoch, made.state.primary, len(made.state.moves)) == (2, WEST, 1)


def test_nobody_is_drained_before_the_move_is_on_the_load_balancer() -> None:
    made = world()
    made.is_unseen = True
    made.fail(EAST)
    made.is_unseen = False
    assert made.tick().outcome is DecisionOutcome.UNCHANGED
    assert scalers(made.routing) == ALL
    assert made.tick().outcome is DecisionOutcome.STANDBYS


def test_a_failed_standby_is_left_as_it_is() -> None:
    made = world()
    assert made.fail(WEST).outcome is DecisionOutcome.HEALTH
    made.tick(5)
    assert made.state.epoch == 0
    assert scalers(made.routing) == ALL


def test_an_alert_drains_nobody() -> None:
    made = world()
    made.fail(EAST)
    made.send(opened(EAST, at=made.now))
    assert scalers(made.routing) == ALL


def test_what_failed_and_was_never_drained_may_stay_when_it_has_recovered() -> None:
    """The Compute API was gone all the while."""
    made = world()
    made.fail(EAST)
    made.said[WEST] = Role(Part.SILENT, "timeout")
    recovered(made, EAST)
    assert made.state.regions[EAST].leave is None
    del made.said[WEST]
    made.tick(3)
    assert (made.state.epoch, scalers(made.routing)) == (1, ALL)


def test_whoever_goes_on_leading_by_an_old_document_is_drained_in_time() -> None:
    made = world()
    commanded(made, Wish.FAILOVER, WEST, now=True)
    made.said[EAST] = Role(Part.LEADS, "200", 0)
    assert made.tick().outcome is DecisionOutcome.UNCHANGED
    made.pass_time(seconds=31)
    assert made.tick().outcome is DecisionOutcome.STANDBYS
    assert scalers(made.routing) == {**ALL, EAST: 0.0}
    del made.said[EAST]
    assert made.tick().outcome is DecisionOutcome.STANDBYS
    assert scalers(made.routing) == ALL


def test_whoever_leads_by_a_newer_document_is_not_drained() -> None:
    """It knows something that this document does not."""
    made = world()
    commanded(made, Wish.FAILOVER, WEST, now=True)
    made.said[EAST] = Role(Part.LEADS, "200", 9)
    made.pass_time(minutes=5)
    made.tick(2)
    assert scalers(made.routing) == ALL


def test_a_primary_that_goes_by_an_old_document_pages() -> None:
    """Nobody serves then; a human must see why it reads no document."""
    made = world()
    made.fail(EAST)
    made.said[WEST] = Role(Part.STANDS_BY, "503", 0)
    assert not made.tick().page
    made.pass_time(seconds=31)
    decision = made.tick()
    assert decision.outcome is DecisionOutcome.HELD
    assert "us-west-2" in decision.page
    assert "503 by epoch 0" in decision.page


def test_a_primary_that_leads_by_an_older_document_serves_and_pages_nobody() -> None:
    """That the standby was drained meanwhile is nothing that it must know."""
    made = world()
    commanded(made, Wish.EVACUATE, WEST)
    made.said[EAST] = Role(Part.LEADS, "200", 0)
    made.pass_time(minutes=5)
    assert not made.tick(2).page


# --- attached again ------------------------------------------------------------------------------


def test_the_old_primary_is_attached_again_when_it_is_proven_and_stands_by() -> None:
    made = after_failover()
    made.probes.pop(EAST)
    made.pass_time(seconds=60)
    made.tick(2)
    assert scalers(made.routing)[EAST] == 0.0
    made.pass_time(seconds=60)
    decision = made.tick()
    assert decision.outcome is DecisionOutcome.STANDBYS
    assert scalers(made.routing) == ALL
    assert (made.state.primary, made.state.epoch, len(made.state.moves)) == (WEST, 3, 1)
    assert made.state.regions[EAST].leave is None


def test_it_is_not_attached_while_it_goes_by_an_older_document() -> None:
    made = after_failover()
    for role in (
        Role(Part.LEADS, "200", 0),
        Role(Part.STANDS_BY, "503", 1),
        Role(Part.LEADS, "200", 2),
        Role(Part.SILENT, "timeout"),
    ):
        made.probes.pop(EAST, None)
        made.said[EAST] = role
        made.pass_time(seconds=60)
        made.tick(5)
        assert scalers(made.routing)[EAST] == 0.0
    assert any(reason.rule == "role" for reason in made.decide(Tick()).waiting)


def test_it_is_not_attached_while_automation_is_frozen() -> None:
    made = after_failover()
    until = made.now + timedelta(hours=1)
    made.send(Command("f", Wish.FREEZE, "alice", "work", made.now, until=until))
    recovered(made, EAST)
    assert scalers(made.routing)[EAST] == 0.0
    made.now = until
    made.tick(2)
    assert scalers(made.routing) == ALL


def test_what_it_was_before_is_put_back() -> None:
    made = world()
    give(made, EAST, 0.7)
    made.tick()
    made.fail(EAST)
    made.tick()
    assert scalers(made.routing)[EAST] == 0.0
    recovered(made, EAST)
    assert scalers(made.routing)[EAST] == 0.7


def test_by_membership_the_groups_are_detached_and_attached() -> None:
    made = world(lever="membership")
    made.fail(EAST)
    made.tick()
    assert set(scalers(made.routing)) == {WEST, EU}
    recovered(made, EAST)
    assert set(scalers(made.routing)) == {*REGIONS}


def test_a_standby_drained_by_another_hand_gets_its_capacity_back() -> None:
    made = after_failover()
    drain(made, EU)
    assert plan(made.state, made.routing, made.service).drift
    made.tick()
    assert scalers(made.routing)[EU] == 1.0
    made.tick()
    assert made.state.regions[EU].attached


def test_at_epoch_0_the_load_balancer_is_left_as_it_was_deployed() -> None:
    made = world()
    drain(made, EU)
    made.tick(5)
    assert made.state.epoch == 0
    assert scalers(made.routing)[EU] == 0.0


def test_a_raised_serial_has_the_standbys_attached_as_they_say_that_they_stand_by() -> None:
    made = loop()
    made.service = service(standby="attached", serial=2)
    made.said[EU] = Role(Part.SILENT, "404")
    assert made.tick().outcome is DecisionOutcome.CONFIGURED
    assert scalers(made.routing) == {EAST: 1.0, WEST: 0.0, EU: 0.0}
    assert made.tick().outcome is DecisionOutcome.STANDBYS
    assert scalers(made.routing) == {EAST: 1.0, WEST: 1.0, EU: 0.0}


def test_going_back_to_drained_standbys_drains_them() -> None:
    made = after_failover()
    made.service = service(serial=2)
    made.tick()
    assert scalers(made.routing) == {EAST: 0.0, WEST: 1.0, EU: 0.0}


# --- attached first ------------------------------------------------------------------------------


def test_with_nobody_attached_a_proven_standby_is_attached_first() -> None:
    made = world(regions=(EAST, WEST))
    drain(made, WEST)
    made.tick()
    decision = made.fail(EAST)
    assert decision.outcome is DecisionOutcome.STANDBYS
    assert (made.state.primary, made.state.epoch) == (EAST, 1)
    assert scalers(made.routing) == {EAST: 1.0, WEST: 1.0}
    assert made.tick().outcome is DecisionOutcome.MOVED
    assert (made.state.primary, made.state.epoch) == (WEST, 2)


def test_what_is_being_attached_is_no_target_until_it_was_seen() -> None:
    made = world(regions=(EAST, WEST))
    drain(made, WEST)
    made.tick()
    made.probes[EAST] = Probe(Verdict.FAILING, 503)
    made.send(opened(EAST, at=made.now), shift=False)
    assert made.state.epoch == 1
    made.send(Tick(), shift=False)
    assert (made.state.primary, made.state.epoch) == (EAST, 1)
    made.shift()
    made.tick()
    assert made.state.primary == WEST


def test_capacity_under_an_older_mark_is_not_counted_on() -> None:
    """Whoever still carries out the epoch before, which drained the region, may take it again."""
    made = after_failover()
    made.probes.pop(EAST)
    made.pass_time(seconds=60)
    made.tick(2)
    made.pass_time(seconds=60)
    assert made.send(Tick(), shift=False).outcome is DecisionOutcome.STANDBYS
    give(made, EAST)
    made.send(Tick(), shift=False)
    assert not made.state.regions[EAST].attached
    made.tick(2)
    assert made.state.regions[EAST].attached


def test_capacity_that_another_hand_gave_is_not_counted_on() -> None:
    """The repair may be under way."""
    made = after_failover()
    give(made, EAST)
    made.send(Tick(), shift=False)
    assert not made.state.regions[EAST].attached
    made.tick()
    assert scalers(made.routing)[EAST] == 0.0


def test_a_primary_that_is_configured_no_more_is_left_for_whoever_stands_by() -> None:
    made = after_failover()
    made.service = service(standby="attached", serial=2, regions=(EAST, EU))
    made.tick()
    assert made.state.primary == EU
    assert scalers(made.routing) == {EAST: 0.0, WEST: 0.0, EU: 1.0}


# --- what humans want ----------------------------------------------------------------------------


def test_the_old_primary_of_a_graceful_switch_stays_attached() -> None:
    made = world()
    assert commanded(made, Wish.FAILOVER, WEST).outcome is DecisionOutcome.SWITCHING
    made.pass_time(minutes=1)
    assert made.tick().outcome is DecisionOutcome.MOVED
    made.tick(5)
    assert (made.state.primary, scalers(made.routing)) == (WEST, ALL)


def test_a_switch_waits_for_a_target_that_reads_the_newest_document() -> None:
    made = after_failover()
    recovered(made, EAST)
    made.said[EAST] = Role(Part.STANDS_BY, "503", 1)
    assert commanded(made, Wish.FAILBACK).outcome is DecisionOutcome.SWITCHING
    made.pass_time(minutes=1)
    assert made.tick().outcome is DecisionOutcome.UNCHANGED
    assert any(reason.rule == "role" for reason in made.decide(Tick()).waiting)
    del made.said[EAST]
    assert made.tick().outcome is DecisionOutcome.MOVED


def test_an_evacuated_standby_is_drained_at_once_and_stays_so() -> None:
    made = world()
    commanded(made, Wish.EVACUATE, WEST)
    assert scalers(made.routing) == {**ALL, WEST: 0.0}
    made.tick(5)
    assert scalers(made.routing) == {**ALL, WEST: 0.0}
    assert made.state.epoch == 1


def test_a_standby_is_not_evacuated_before_the_primary_leads() -> None:
    """The old primary of a switch may still have the users."""
    made = world()
    commanded(made, Wish.FAILOVER, WEST, now=True)
    made.said[WEST] = Role(Part.STANDS_BY, "503", 0)
    assert commanded(made, Wish.EVACUATE, EAST).outcome is DecisionOutcome.OBEYED
    made.tick()
    assert scalers(made.routing) == ALL
    del made.said[WEST]
    made.tick()
    assert scalers(made.routing) == ALL
    made.pass_time(seconds=31)
    made.tick()
    assert scalers(made.routing) == {**ALL, EAST: 0.0}


def test_an_override_attaches_a_region_that_is_not_proven_yet() -> None:
    made = after_failover()
    made.probes.pop(EAST)
    for override in ("", "target_healthy"):
        number = f"c{override}"
        command = Command(number, Wish.FAILOVER, "alice", "", made.now, EAST, None, True, override)
        made.send(command)
        decision = made.send(command)
        assert (made.state.primary == EAST) is bool(override), decision


def test_who_lingers_neither_leads_nor_stands_by() -> None:
    """It still answers 200, for a moment: nobody is drained on its word, nor it attached."""
    made = world()
    made.fail(EAST)
    made.said[WEST] = Role(Part.LINGERS, "200", 1)
    made.tick()
    assert scalers(made.routing) == ALL
    del made.said[WEST]
    made.tick()
    made.said[EAST] = Role(Part.LINGERS, "200", 2)
    made.probes.pop(EAST)
    made.pass_time(seconds=60)
    made.tick(5)
    assert scalers(made.routing)[EAST] == 0.0


def test_an_evacuated_primary_is_left_and_then_drained() -> None:
    made = world()
    commanded(made, Wish.EVACUATE, EAST)
    made.pass_time(minutes=1)
    assert made.tick().outcome is DecisionOutcome.MOVED
    made.pass_time(seconds=30)
    assert made.tick().outcome is DecisionOutcome.UNCHANGED
    assert scalers(made.routing) == ALL
    made.pass_time(seconds=1)
    assert made.tick().outcome is DecisionOutcome.STANDBYS
    assert scalers(made.routing) == {**ALL, EAST: 0.0}
    made.tick(5)
    assert scalers(made.routing) == {**ALL, EAST: 0.0}


def test_an_evacuation_that_is_given_up_drains_nobody() -> None:
    made = world()
    commanded(made, Wish.EVACUATE, EAST)
    made.probes[WEST] = Probe(Verdict.FAILING, 503)
    made.pass_time(minutes=1)
    assert made.tick().outcome is DecisionOutcome.ABANDONED
    commanded(made, Wish.FAILOVER, EU, now=True)
    made.tick(3)
    assert scalers(made.routing)[EAST] == 1.0


def test_a_human_goes_back_to_an_evacuated_region_by_attaching_it_first() -> None:
    made = world()
    commanded(made, Wish.EVACUATE, WEST)
    command = Command("returns", Wish.FAILOVER, "alice", "", made.now, WEST)
    first = made.send(command)
    assert first.outcome is DecisionOutcome.STANDBYS
    assert "returns" not in made.state.commands
    assert scalers(made.routing) == ALL
    assert made.send(command).outcome is DecisionOutcome.SWITCHING
    assert "returns" in made.state.commands
    assert made.send(command).outcome is DecisionOutcome.UNCHANGED


def test_a_human_cannot_go_where_nothing_can_be_attached() -> None:
    made = after_failover()
    decision = commanded(made, Wish.FAILOVER, EAST, now=True)
    assert refusals(decision) == {"target_healthy"}
    made.is_unseen = True
    assert "attached" in refusals(commanded(made, Wish.FAILOVER, EAST, now=True))


@pytest.mark.parametrize("primary", [EAST, EU])
def test_a_failback_has_evacuated_standbys_attached_again(primary: str) -> None:
    made = world()
    commanded(made, Wish.FAILOVER, primary, now=True)
    commanded(made, Wish.EVACUATE, WEST)
    made.tick(3)
    assert scalers(made.routing)[WEST] == 0.0
    commanded(made, Wish.FAILBACK)
    made.tick(5)
    assert (made.state.primary, scalers(made.routing)) == (EAST, ALL)


def test_evacuated_regions_are_attached_as_a_last_resort() -> None:
    made = world(regions=(EAST, WEST))
    commanded(made, Wish.EVACUATE, WEST)
    assert made.fail(EAST).outcome is DecisionOutcome.STANDBYS
    made.tick()
    assert (made.state.primary, made.state.regions[WEST].leave) == (WEST, None)


# --- the document is lost or old -----------------------------------------------------------------


def test_an_old_document_adopts_the_region_that_leads() -> None:
    made = world()
    old = made.state
    made.fail(EAST)
    made.tick()
    recovered(made, EAST)
    roles = dict(made.observed().roles)
    made.edit(old)
    made.said = roles
    decision = made.tick()
    assert decision.outcome is DecisionOutcome.ADOPTED
    assert (made.state.primary, made.state.epoch) == (WEST, 4)
    made.said = {}
    made.tick(3)
    assert (made.state.epoch, scalers(made.routing)) == (4, ALL)


def test_a_document_that_a_human_has_made_again_adopts_the_region_that_leads() -> None:
    made = after_failover()
    roles = dict(made.observed().roles)
    made.stored = Stored(create(made.service, made.routing, made.now), 0)
    made.said = roles
    assert made.tick().outcome is DecisionOutcome.ADOPTED
    assert made.state.primary == WEST
    assert scalers(made.routing) == {**ALL, EAST: 0.0}


def test_where_nobody_leads_the_old_document_says_who_does() -> None:
    made = world()
    commanded(made, Wish.FAILOVER, EU, now=True)
    old = made.state
    commanded(made, Wish.FAILOVER, WEST, now=True)
    made.edit(old)
    made.said = dict.fromkeys(REGIONS, Role(Part.SILENT, "timeout"))
    made.tick()
    assert made.state.primary == EU


def test_a_copy_of_a_command_that_meets_an_old_document_decides_nothing_and_a_tick_adopts() -> None:
    made = world()
    command = Command("c", Wish.ACK, "alice", "", made.now)
    made.send(command)
    old = made.state
    commanded(made, Wish.FAILOVER, WEST, now=True)
    made.edit(old)
    copy = made.send(command)
    assert copy.outcome is DecisionOutcome.UNCHANGED
    assert not copy.changed
    made.tick()
    assert made.state.epoch == 2


# --- helpers -------------------------------------------------------------------------------------


def drain(made: Loop, region: str) -> None:
    """Another hand takes a region's capacity."""
    give(made, region, 0.0)


def give(made: Loop, region: str, scaler: float = 1.0) -> None:
    """Another hand gives a region so much of its capacity."""
    backends = tuple(
        replace(one, settings={**one.settings, "capacityScaler": scaler})
        if one.group.endswith(region)
        else one
        for one in made.routing.backends
    )
    made.routing = replace(made.routing, backends=backends)


def reasons_of(decision: Decision, rule: str, region: str) -> list[Any]:
    """The decision's reasons of one rule about one region."""
    return [one for one in decision.reasons if (one.rule, one.region) == (rule, region)]
