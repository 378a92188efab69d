"""A ramp and an evacuation are said by their rules, whatever else a decision says."""

from __future__ import annotations

from orchestrator.core import rules
from orchestrator.core.model import DecisionOutcome
from orchestrator.core.rule import Cause, Reason, Rule
from tests.support.fakes import Lab, lab

EAST, WEST = "us-east-1", "us-west-2"


def failed_over() -> Lab:
    """Several regions carried; east has failed and is well again."""
    once = {"max_auto_failovers": {"count": 1, "within": "24h"}}
    world = lab(mode="active-active", policy=once)
    world.tick()
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.down()
    world.clock.rest(60)
    world.tick(3)
    return world


def test_each_step_of_a_ramp_passes_its_rule_and_an_incident_ends_it() -> None:
    world = failed_over()
    begun = world.command("failback").decision
    [step] = [reason for reason in begun.reasons if reason.rule is Rule.RAMP]
    assert step == Reason(Rule.RAMP, True, f"{EAST} gets 10% of its capacity, step 1 of 3")
    world.down(EAST)
    world.clock.rest(60)
    ended = world.handle(world.opened(EAST, "0.again")).decision
    assert ended.outcome is DecisionOutcome.ABANDONED
    [end] = [reason for reason in ended.reasons if reason.rule is Rule.RAMP]
    assert (end.passed, end.cause) == (False, Cause.ENDED)


def test_a_region_that_a_human_has_evacuated_is_refused_by_its_rule_and_no_other_is() -> None:
    [refused] = rules.evacuated(WEST, (WEST,))
    assert (refused.rule, refused.region, refused.passed) == (Rule.EVACUATED, WEST, False)
    assert rules.evacuated(EAST, (WEST,)) == ()
