"""Lag in the whole flow: nothing is taken off it, and an unknown one stands in the way."""

from __future__ import annotations

from orchestrator.core.model import DecisionOutcome, Probe, Verdict
from tests.support.fakes import Lab, lab

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
UNKNOWN = Probe(Verdict.HEALTHY, 200, lag_unreadable=True)
TWO = ("us-east-1", "us-west-2")


def refused(world: Lab) -> set[str]:
    """The rules that refuse what a tick would do now."""
    return {reason.rule for reason in world.tick().decision.reasons if not reason.passed}


def test_a_failure_that_lasts_takes_nothing_off_the_lag() -> None:
    """The failing region may still take writes that never arrive elsewhere."""
    world = lab(regions=TWO)
    world.down(EAST)
    world.lags(WEST, us_east_1=300)
    world.handle(world.opened(EAST, ago=10))
    for _ in range(12):
        world.clock.rest(60)
        assert "replication_lag" in refused(world)
    assert world.state.primary == EAST


def test_an_unknown_lag_is_passed_over_for_one_that_is_known() -> None:
    world = lab()
    world.down(EAST)
    world.prober.answers[WEST] = UNKNOWN
    world.lags(EUROPE, us_east_1=2)
    world.handle(world.opened(EAST))
    assert world.state.primary == EUROPE


def test_where_the_file_states_a_limit_a_lag_that_is_not_told_holds() -> None:
    stated = lab(regions=TWO, policy={"max_replication_lag": "60s"})
    stated.down(EAST)
    stated.handle(stated.opened(EAST))
    assert stated.state.primary == EAST
    default = lab(regions=TWO)
    default.down(EAST)
    default.handle(default.opened(EAST))
    assert default.state.primary == WEST


def test_a_graceful_switch_waits_while_the_lag_is_unknown_and_moves_when_it_is_known() -> None:
    world = lab(regions=TWO)
    world.lags(WEST, us_east_1=1)
    world.command("failover", WEST)
    world.prober.answers[WEST] = UNKNOWN
    world.clock.rest(60)
    report = world.tick(times=2, every=30)
    assert world.state.primary == EAST
    assert world.state.switch is not None
    assert "replication_lag" in {one.rule for one in report.decision.waiting if not one.passed}
    world.lags(WEST, us_east_1=1)
    world.clock.rest(30)
    world.tick()
    assert world.state.primary == WEST


def test_a_graceful_switch_does_not_begin_while_the_lag_is_unknown() -> None:
    """The old primary would take no writes until the deadline, for nothing."""
    world = lab(regions=TWO)
    world.prober.answers[WEST] = UNKNOWN
    report = world.command("failover", WEST)
    assert report.decision.outcome is DecisionOutcome.HELD
    assert world.state.switch is None
    assert not any(entry.fenced_until for entry in world.state.regions.values())


def test_who_overrides_target_healthy_is_not_stopped_by_a_lag_that_nobody_could_tell() -> None:
    """A command overrides one rule; a region that does not answer cannot tell its lag."""
    world = lab(regions=TWO, policy={"max_replication_lag": "60s"})
    world.down(EAST, WEST)
    world.command("failover", WEST, now=True)
    assert world.state.primary == EAST
    world.command("failover", WEST, now=True, override="target_healthy")
    assert world.state.primary == WEST
