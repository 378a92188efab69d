"""What is counted is counted in a row, once, and for each region by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.core.model import DecisionOutcome, Tick, Verdict
from tests.support.fakes import FAILING, HEALTHY, START
from tests.support.loop import loop, opened, reasons

EAST, WEST, EU = "us-east-1", "us-west-2", "eu-west-1"


def test_probes_with_hours_of_silence_between_them_are_not_in_a_row() -> None:
    world = loop()
    world.fail(WEST)
    world.probes = {}
    for _ in range(6):
        world.pass_time(hours=3)
        world.send(Tick())
        assert world.state.regions[WEST].proofs == 1
    assert not world.state.regions[WEST].healthy
    world.tick(times=3)
    assert world.state.regions[WEST].healthy


def test_failures_with_hours_of_silence_between_them_open_no_incident() -> None:
    world = loop()
    world.probes = {WEST: FAILING}
    for _ in range(6):
        world.pass_time(hours=3)
        world.send(Tick())
        assert world.state.regions[WEST].failures == 1
    assert not world.state.incidents
    world.tick(times=3)
    assert world.state.incidents


@pytest.mark.parametrize("answer", [HEALTHY, FAILING])
@pytest.mark.parametrize("behind", [46, 60, 300, 800])
def test_two_orchestrators_whose_clocks_differ_count_no_probe_twice(
    answer: object, behind: int
) -> None:
    """Each ticks once a minute, one of them by a clock that is slow."""
    world = loop()
    world.fail(WEST)
    world.probes = {WEST: HEALTHY if answer is HEALTHY else FAILING}
    world.pass_time(minutes=2)
    world.send(Tick())
    counted = world.state.regions[WEST].proofs
    world.now -= timedelta(seconds=behind)
    world.pass_time(seconds=1)
    world.send(Tick())
    assert world.state.regions[WEST].proofs == counted


def test_a_count_of_a_clock_that_was_a_day_ahead_does_not_stop_the_counting() -> None:
    world = loop()
    world.fail(WEST)
    world.probes = {}
    entry = replace(world.state.regions[WEST], proofs=2, counted_at=world.now + timedelta(days=1))
    world.edit(replace(world.state, regions={**world.state.regions, WEST: entry}))
    world.tick()
    assert world.state.regions[WEST].proofs == 1
    world.tick(times=2)
    world.tick(times=2)
    assert world.state.regions[WEST].healthy


def test_an_old_alert_does_not_ride_on_a_fresh_one_of_another_region() -> None:
    """Active-active: the region of yesterday's alert stays until a tick sees it fail itself."""
    world = loop(mode="active-active")
    world.probes = {EAST: FAILING}
    world.send(opened(EAST, at=START - timedelta(hours=20)))
    assert EAST in world.carrying
    world.probes = {EAST: FAILING, WEST: FAILING}
    decision = world.send(opened(WEST, at=START))
    assert decision.outcome is DecisionOutcome.MOVED
    assert set(world.carrying) == {EAST, EU}
    ages = {r.region: r.passed for r in decision.reasons if r.rule == "max_event_age"}
    assert ages == {EAST: False, WEST: True}
    assert world.send(Tick()).outcome is DecisionOutcome.MOVED
    assert world.carrying == (EU,)


def test_a_region_that_a_tick_cannot_see_fail_does_not_ride_on_one_that_it_sees() -> None:
    world = loop(mode="active-active", policy={"confirm": "none"})
    world.probes = {EAST: replace(FAILING, verdict=Verdict.SILENT), WEST: FAILING}
    world.send(opened(EAST, at=START - timedelta(hours=20)))
    world.tick(times=4)
    assert set(world.carrying) == {EAST, EU}
    assert not reasons(world.send(Tick()))["max_event_age"].passed


def test_a_status_is_never_proven_by_a_probe_that_says_nothing() -> None:
    world = loop()
    world.fail(WEST)
    silent = replace(FAILING, verdict=Verdict.SILENT)
    world.probes = {WEST: silent}
    world.tick(times=9)
    assert not world.state.regions[WEST].healthy
