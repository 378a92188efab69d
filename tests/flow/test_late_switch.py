"""A graceful switch ends at its deadline, whatever else the decision is about."""

from __future__ import annotations

from orchestrator.core.model import DecisionOutcome
from tests.support.fakes import lab, service

WEST = "us-west-2"


def test_a_newer_configuration_does_not_carry_a_switch_past_its_deadline() -> None:
    world = lab()
    world.command("failover", WEST, id="c-switch")
    switch = world.state.switch
    assert switch
    world.clock.at = switch.until
    world.service = service(serial=2)
    report = world.tick()
    assert report.decision.outcome is DecisionOutcome.CONFIGURED
    assert world.state.switch is None
    assert world.state.given_up_at == world.clock.at
    assert not any(entry.fenced_until for entry in world.state.regions.values())
    (told,) = [r.value for r in report.decision.reasons if r.rule == "switch"]
    assert "c-switch" in told


def test_a_newer_configuration_leaves_a_switch_that_has_time() -> None:
    world = lab()
    world.command("failover", WEST, id="c-switch")
    world.service = service(serial=2)
    world.tick()
    assert world.state.switch
    assert world.state.switch.command == "c-switch"
