"""Clocks that are wrong: ages count from 0, and what begins ahead of now is given up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core import rules
from orchestrator.core.document import codec
from orchestrator.core.model import (
    DecisionOutcome,
    Freeze,
    Incident,
    IncidentState,
    Move,
    Ramp,
    RegionState,
    State,
    Status,
    Step,
    Switch,
    Tick,
)
from orchestrator.core.policy import Policy
from tests.support.fakes import REGIONS, START, Lab, lab

EAST, WEST, EUROPE = REGIONS
DAY = timedelta(days=1)
LATER = START + DAY


def edited(world: Lab, **changes: Any) -> None:
    """The document as an instance with another clock left it."""
    got = world.objects.get("checkout.json")
    assert got is not None
    world.objects.put("checkout.json", codec.encode(replace(world.state, **changes)), got[1])


def switching(world: Lab, ahead: timedelta) -> None:
    """A switch that began so long from now."""
    since = world.clock.at + ahead
    until = since + timedelta(minutes=5)
    regions = dict(world.state.regions)
    regions[EAST] = replace(regions[EAST], fenced_until=until)
    switch = Switch(WEST, EAST, Step.FENCING, since, until, "c-1")
    edited(world, switch=switch, regions=regions)


def started(**overrides: Any) -> Lab:
    """A world with its document."""
    world = lab(**overrides)
    world.tick()
    return world


def carrying(state: State) -> set[str]:
    """The regions that carry the traffic by the document."""
    return set(state.routing)


# --- ages ----------------------------------------------------------------------------------------


def test_a_cooldown_that_began_ahead_of_now_tells_no_negative_age() -> None:
    move = Move(LATER, 1, (WEST,), (EAST,))
    reason = rules.cooldown(Policy(), WEST, [move], START)
    assert (reason.passed, reason.value) == (False, "automation moved away 0s ago")
    reason = rules.optional(Policy(), [move], None, START)
    assert (reason.passed, reason.value) == (False, "the last automatic move was 0s ago")


def test_an_incident_that_began_ahead_of_now_is_not_too_old() -> None:
    incident = Incident("i", EAST, IncidentState.OPEN, LATER)
    reason = rules.max_event_age(Policy(), Tick(), EAST, [incident], START, failing=False)
    assert reason.passed
    assert reason.value == "incident began 24h in the future by our clock"


def test_a_region_that_is_up_since_tomorrow_has_not_been_up_for_long() -> None:
    entry = RegionState("endpoint", Status.UP, LATER)
    reason = rules.failback_after(Policy(), EAST, entry, None, START)
    assert (reason.passed, reason.value) == (False, "up for 0s")


def test_an_acknowledgement_of_tomorrow_covers_no_later_move() -> None:
    world = started(policy={"max_auto_failovers": {"count": 1, "within": "24h"}})
    edited(world, acknowledged_at=LATER)
    world.tick()
    assert world.state.acknowledged_at == START
    world.clock.rest(60)
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.clock.rest(300)
    world.down(EAST, WEST)
    report = world.handle(world.opened(WEST))
    refused = {reason.rule for reason in report.decision.reasons if not reason.passed}
    assert "max_auto_failovers" in refused


def test_a_move_of_tomorrow_can_be_acknowledged_today() -> None:
    world = started(policy={"max_auto_failovers": {"count": 1, "within": "24h"}})
    edited(world, moves=(Move(LATER, 1, (WEST,), (EAST,)),))
    world.clock.rest(5)
    world.command("ack")
    world.clock.rest(60)
    world.down(EAST)
    world.handle(world.opened(EAST))
    assert carrying(world.state) == {EUROPE}


# --- what begins ahead of now --------------------------------------------------------------------


def test_a_switch_that_began_ahead_of_now_is_given_up_with_a_page_and_its_fence_opened() -> None:
    world = started()
    switching(world, DAY)
    report = world.tick()
    assert report.decision.outcome is DecisionOutcome.ABANDONED
    assert world.state.switch is None
    assert world.state.regions[EAST].fenced_until is None
    (page,) = report.decision.pages
    assert (page.rule, page.regions) == ("clock", (EAST,))
    assert "us-east-1 takes writes again" in page.text
    assert world.state.history[0]["outcome"] == "abandoned"
    assert not world.tick().decision.changed


def test_a_freeze_that_began_ahead_of_now_is_ended_with_a_page() -> None:
    world = started()
    edited(world, freeze=Freeze(LATER + DAY, "alice", "a drill", LATER))
    world.down(EAST)
    report = world.handle(world.opened(EAST))
    assert carrying(world.state) == {WEST}
    assert world.state.freeze is None
    assert [page.rule for page in report.decision.pages] == ["clock"]
    assert (
        "the freeze of alice (as claimed) began 24h in the future by our clock"
        in report.decision.page
    )


def test_a_fence_that_no_switch_stands_behind_is_opened_with_a_page() -> None:
    world = started()
    regions = dict(world.state.regions)
    regions[WEST] = replace(regions[WEST], fenced_until=LATER)
    edited(world, regions=regions)
    report = world.tick()
    assert world.state.regions[WEST].fenced_until is None
    (page,) = report.decision.pages
    assert (page.rule, page.regions) == ("clock", (WEST,))


@pytest.mark.parametrize("what", ["switch", "freeze"])
def test_less_than_a_minute_ahead_is_what_clocks_differ_by(what: str) -> None:
    world = started()
    ahead = timedelta(seconds=59)
    if what == "switch":
        switching(world, ahead)
    else:
        since = START + ahead
        edited(world, freeze=Freeze(since + DAY, "alice", "a drill", since))
    report = world.tick()
    assert not report.decision.pages
    assert getattr(world.state, what) is not None


def test_a_step_of_a_ramp_that_began_ahead_of_now_counts_from_now() -> None:
    world = started(mode="active-active", policy={"ramp": [0.5, 1.0], "ramp_step": "2m"})
    edited(world, ramp=Ramp(WEST, 0, LATER), ceilings={WEST: 0.5})
    world.tick()
    assert world.state.ramp is not None
    assert world.state.ramp.since == START
    world.clock.rest(121)
    world.tick()
    assert world.state.ramp is None


def test_a_command_is_obeyed_beside_what_is_given_up() -> None:
    world = started()
    switching(world, DAY)
    report = world.command("failover", EUROPE, now=True)
    assert report.decision.outcome is DecisionOutcome.MOVED
    assert carrying(world.state) == {EUROPE}
    assert [page.rule for page in report.decision.pages] == ["clock"]
