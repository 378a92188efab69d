"""Replication lag: told, not told, or unknown. Absence is never a small lag."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.core.health.second import agreed
from orchestrator.core.model import DecisionOutcome, NoLag, Probe, Verdict
from orchestrator.core.policy import OnLag, Policy
from orchestrator.core.rules import replication_lag
from tests.support.fakes import service
from tests.support.loop import loop

EAST, WEST, EU = "us-east-1", "us-west-2", "eu-west-1"
STALLED = Probe(Verdict.HEALTHY, 200, {EAST: None})
UNREADABLE = Probe(Verdict.HEALTHY, 200, lag_unreadable=True)
NOT_TOLD = Probe(Verdict.HEALTHY, 200, {"eu-west-1": 1.0})


def told(seconds: float) -> Probe:
    """A healthy answer with this lag."""
    return Probe(Verdict.HEALTHY, 200, {EAST: seconds})


def asked(probe: Probe, on_lag: OnLag = OnLag.HOLD, *, required: bool = False) -> tuple[bool, str]:
    """Whether the rule lets the move pass, and what it says."""
    policy = Policy(max_replication_lag=timedelta(seconds=60), on_lag=on_lag, lag_required=required)
    reason = replication_lag(policy, WEST, EAST, probe)
    return reason.passed, reason.value


def test_a_told_lag_is_told_whole_and_as_the_most_that_is_lost() -> None:
    assert asked(told(12.0)) == (True, "at most 12.0 s behind us-east-1, the RPO estimate")
    assert not asked(told(61.0))[0]
    assert asked(told(61.0), OnLag.PROCEED)[0]


@pytest.mark.parametrize("probe", [STALLED, UNREADABLE], ids=["stalled", "unreadable"])
def test_an_unknown_lag_is_decided_on_as_one_that_is_too_high(probe: Probe) -> None:
    passed, value = asked(probe)
    assert not passed
    assert "unknown" in value


@pytest.mark.parametrize("probe", [STALLED, UNREADABLE], ids=["stalled", "unreadable"])
def test_an_unknown_lag_passes_where_the_policy_says_proceed_and_is_still_unknown(
    probe: Probe,
) -> None:
    passed, value = asked(probe, OnLag.PROCEED)
    assert passed
    assert "unknown" in value


def test_a_lag_that_is_not_told_passes_unless_the_file_asks_for_it() -> None:
    assert asked(NOT_TOLD) == (True, "us-west-2 reports no replication lag from us-east-1")
    assert not asked(NOT_TOLD, required=True)[0]
    passed, value = asked(NOT_TOLD, OnLag.PROCEED, required=True)
    assert passed
    assert "unknown" in value


def test_a_probe_says_which_of_the_three_it_is() -> None:
    assert told(3.0).behind(EAST) == 3.0
    assert NOT_TOLD.behind(EAST) is NoLag.NOT_TOLD
    assert STALLED.behind(EAST) is NoLag.UNKNOWN
    assert UNREADABLE.behind(EAST) is NoLag.UNKNOWN


def test_what_monitoring_says_of_health_takes_nothing_away_from_the_lag() -> None:
    failing = Probe(Verdict.FAILING, "2 of 6 pass")
    assert agreed({WEST: UNREADABLE}, {WEST: failing})[WEST].behind(EAST) is NoLag.UNKNOWN


def test_a_region_that_a_newer_file_adds_does_not_join_a_move_while_it_is_behind() -> None:
    """The file turns active-active in the same decision in which the only carrier is left."""
    world = loop()
    world.probes = {WEST: Probe(Verdict.HEALTHY, 200, {EAST: 300.0})}
    world.service = service(serial=2, mode="active-active")
    decision = world.fail(EAST)
    assert decision.outcome is DecisionOutcome.MOVED
    assert world.carrying == (EU,)
    refused = [(r.rule, r.region) for r in decision.reasons if not r.passed]
    assert ("replication_lag", WEST) in refused
