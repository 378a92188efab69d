"""A region that automation left within the cooldown is a target only when nothing else is left.

It must have proven healthy by probes since then: the doubled proof after a relapse and the limit on
automatic moves bound what follows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchestrator.core.model import DecisionOutcome, Probe, Status, Tick, Verdict
from tests.support.fakes import FAILING
from tests.support.loop import Loop, closed, loop, reasons, refusals

EAST, WEST, EU = "us-east-1", "us-west-2", "eu-west-1"


def left_and_back(**policy: Any) -> Loop:
    """East and west were left within the cooldown; both are up and answer; Europe carries."""
    world = loop(policy={"cooldown": "30m", "max_auto_failovers": {"count": 9}, **policy})
    world.fail(EAST)
    world.pass_time(minutes=2)
    world.fail(WEST)
    world.probes = {}
    return world


def test_a_region_left_within_the_cooldown_is_no_target_before_it_has_proven_well() -> None:
    """Its close is trusted, so it is up; but no probe has proven it since it was left."""
    world = left_and_back(trust_close=True)
    for incident in world.state.incidents.values():
        world.send(closed(incident.region, incident.id, incident.started_at))
    assert world.state.regions[EAST].status is Status.UP
    decision = world.fail(EU)
    assert decision.outcome is DecisionOutcome.HELD
    assert world.carrying == (EU,)
    assert not reasons(decision)["last_region"].passed
    assert "cooldown" in refusals(decision)
    assert decision.page
    world.pass_time(minutes=30)
    assert world.send(Tick()).outcome is DecisionOutcome.MOVED
    assert world.carrying == (EAST,)


def test_as_a_last_resort_a_region_that_has_proven_well_since_is_a_target_in_its_cooldown() -> None:
    """Users are not kept on a region that is confirmed down."""
    world = left_and_back()
    world.tick(times=9)
    assert world.state.regions[EAST].proven_at
    decision = world.fail(EU)
    assert decision.outcome is DecisionOutcome.MOVED
    assert world.carrying == (EAST,)
    (gate,) = [r for r in decision.reasons if r.rule == "cooldown" and r.region == EAST]
    assert gate.passed
    assert "it has proven healthy since" in gate.value


def test_a_rested_region_comes_before_a_last_resort() -> None:
    world = loop(policy={"cooldown": "30m"})
    world.fail(EAST)
    world.probes = {}
    world.tick(times=9)
    world.fail(WEST)
    assert world.carrying == (EU,)


def test_a_last_resort_is_no_target_while_its_replica_is_behind() -> None:
    world = left_and_back()
    world.tick(times=9)
    behind = Probe(Verdict.HEALTHY, 200, {EU: 4000.0})
    world.probes = {EAST: behind, WEST: behind}
    decision = world.fail(EU)
    assert decision.outcome is DecisionOutcome.HELD
    assert {"cooldown", "replication_lag"} <= refusals(decision)


def test_a_last_resort_comes_before_a_region_that_a_human_evacuated() -> None:
    world = left_and_back()
    world.tick(times=9)
    world.edit(replace(world.state, evacuated=(EAST,)))
    world.fail(EU)
    assert world.carrying == (WEST,)


def test_an_evacuated_region_is_a_last_resort_when_it_alone_is_left() -> None:
    world = left_and_back()
    world.tick(times=9)
    world.edit(replace(world.state, evacuated=(EAST,)))
    world.probes = {WEST: FAILING}
    world.fail(EU)
    assert world.carrying == (EAST,)


def test_moves_by_last_resort_are_bounded_like_all_others() -> None:
    world = left_and_back(max_auto_failovers={"count": 2, "within": "24h"})
    world.tick(times=9)
    decision = world.fail(EU)
    assert decision.outcome is DecisionOutcome.HELD
    assert "max_auto_failovers" in refusals(decision)
    assert world.carrying == (EU,)
