"""The second signal by Monitoring: what its checker locations come to, and what follows from it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core import rules
from orchestrator.core.health.second import NOT_ASKED, Sight, agreed, judge, second_signal
from orchestrator.core.model import (
    DecisionOutcome,
    IncidentState,
    Probe,
    Status,
    Tick,
    Verdict,
)
from orchestrator.core.policy import Confirm, OnUnconfirmed, Policy
from orchestrator.core.rule import needs_human
from tests.support.fakes import FAILING, HEALTHY, REGIONS, START
from tests.support.loop import SILENT, Loop, loop, opened, reasons

EAST, WEST, EU = REGIONS
MINUTE = timedelta(minutes=1)
BY_MONITORING = Policy(confirm=Confirm.MONITORING)
SEEN_WELL = Probe(Verdict.HEALTHY, "6 of 6 checker locations pass")
SEEN_ILL = Probe(Verdict.FAILING, "6 of 6 checker locations fail")


def sights(passing: int, failing: int) -> list[Sight]:
    """One result of each of so many checker locations."""
    told = [True] * passing + [False] * failing
    return [Sight(str(number), START, passed) for number, passed in enumerate(told)]


def watched(**overrides: object) -> Loop:
    """A service that confirms by Monitoring, which sees every region well."""
    world = loop(policy={"confirm": "monitoring", **overrides})
    world.checks = dict.fromkeys(REGIONS, SEEN_WELL)
    return world


# --- what the checker locations come to ----------------------------------------------------------


@pytest.mark.parametrize(
    ("passing", "failing", "verdict"),
    [
        (6, 0, Verdict.HEALTHY),
        (5, 1, Verdict.HEALTHY),
        (4, 2, Verdict.FAILING),
        (0, 6, Verdict.FAILING),
        (2, 0, Verdict.HEALTHY),
        (2, 1, Verdict.HEALTHY),
        (1, 1, Verdict.SILENT),
        (1, 0, Verdict.SILENT),
        (0, 1, Verdict.SILENT),
        (0, 2, Verdict.FAILING),
        (0, 0, Verdict.SILENT),
    ],
)
def test_two_failing_vantage_points_decide_as_for_the_alert_else_two_that_pass(
    passing: int, failing: int, verdict: Verdict
) -> None:
    found = judge(sights(passing, failing))
    assert found.verdict is verdict
    assert found.detail


@given(st.permutations([*sights(3, 3), Sight("0", START - MINUTE, passed=False)]))
def test_only_the_newest_result_of_a_vantage_point_counts_in_whatever_order(
    told: list[Sight],
) -> None:
    assert judge(told).detail == "3 of 6 checker locations fail"


def test_the_detail_names_both_numbers_or_that_there_is_nothing() -> None:
    assert judge(sights(5, 1)).detail == "5 of 6 checker locations pass"
    assert judge(sights(1, 0)).detail == "1 of 1 checker locations pass: too few to decide"
    assert judge([]).detail == "no data"


# --- whose word counts ----------------------------------------------------------------------------


@pytest.mark.parametrize("confirm", [Confirm.NONE, Confirm.PROBE])
def test_without_the_policy_our_own_probe_is_the_second_signal(confirm: Confirm) -> None:
    probes = {EAST: FAILING}
    assert second_signal(Policy(confirm=confirm), probes, {EAST: SEEN_WELL}) == probes
    assert agreed(probes, probes) == probes


def test_a_region_that_monitoring_was_not_asked_of_has_no_second_signal() -> None:
    found = second_signal(BY_MONITORING, {EAST: HEALTHY, WEST: HEALTHY}, {EAST: SEEN_ILL})
    assert found == {EAST: SEEN_ILL, WEST: NOT_ASKED}


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (HEALTHY, SEEN_ILL, Verdict.FAILING),
        (FAILING, SEEN_WELL, Verdict.SILENT),
        (HEALTHY, SEEN_WELL, Verdict.HEALTHY),
        (FAILING, SEEN_ILL, Verdict.FAILING),
        (HEALTHY, SILENT, Verdict.HEALTHY),
        (FAILING, SILENT, Verdict.FAILING),
        (SILENT, SEEN_ILL, Verdict.SILENT),
    ],
)
def test_ticks_count_what_we_see_unless_monitoring_sees_the_opposite(
    ours: Probe, theirs: Probe, verdict: Verdict
) -> None:
    assert agreed({EAST: ours}, {EAST: theirs})[EAST].verdict is verdict


@pytest.mark.parametrize(
    ("told", "otherwise", "passed"),
    [
        (SEEN_ILL, "hold", True),
        (SEEN_WELL, "proceed", False),
        (SILENT, "proceed", True),
        (SILENT, "hold", False),
    ],
)
def test_the_rule_names_monitoring_and_what_it_saw(
    told: Probe, otherwise: str, passed: bool
) -> None:
    policy = Policy(confirm=Confirm.MONITORING, on_unconfirmed=OnUnconfirmed(otherwise))
    reason = rules.confirm(policy, EAST, told)
    assert reason.passed is passed
    assert told.detail in reason.value
    assert reason.limit == f"monitoring, if silent: {otherwise}"
    assert needs_human(reason) is (told is SILENT and otherwise == "hold")


# --- decisions -----------------------------------------------------------------------------------


def test_an_alert_that_monitoring_contradicts_holds_whatever_our_probe_says() -> None:
    world = watched()
    world.probes = {EAST: FAILING}
    decision = world.send(opened(EAST))
    assert (decision.outcome, world.carrying) == (DecisionOutcome.HELD, (EAST,))
    assert reasons(decision)["confirm"].value == f"Monitoring says healthy: {SEEN_WELL.detail}"
    assert decision.state.regions[EAST].status is Status.UP


def test_an_alert_that_monitoring_confirms_moves_although_our_own_probe_is_answered() -> None:
    world = watched()
    world.checks[EAST] = SEEN_ILL
    decision = world.send(opened(EAST))
    assert (decision.outcome, world.carrying) == (DecisionOutcome.MOVED, (WEST,))
    assert reasons(decision)["confirm"].value == f"Monitoring fails too: {SEEN_ILL.detail}"


def test_the_region_that_takes_over_must_answer_our_own_probe() -> None:
    world = watched()
    world.checks[EAST] = SEEN_ILL
    world.probes = {WEST: FAILING}
    world.send(opened(EAST))
    assert world.carrying == (EU,)


@pytest.mark.parametrize(("otherwise", "carrying"), [("proceed", (WEST,)), ("hold", (EAST,))])
def test_without_an_answer_of_monitoring_the_policy_for_that_decides(
    otherwise: str, carrying: tuple[str, ...]
) -> None:
    world = watched(on_unconfirmed=otherwise)
    world.checks = {}
    decision = world.send(opened(EAST))
    assert world.carrying == carrying
    assert bool(decision.page) is (otherwise == "hold")


def test_a_contradiction_ends_when_monitoring_sees_the_region_fail() -> None:
    world = watched()
    world.send(opened(EAST))
    world.probes = {EAST: FAILING}
    world.now += MINUTE
    world.send(Tick())
    assert world.carrying == (EAST,)
    world.checks[EAST] = SEEN_ILL
    for carrying in (EAST, WEST):  # two looks in a row
        world.now += MINUTE
        world.send(Tick())
        assert world.carrying == (carrying,)


def test_ticks_do_not_call_a_region_recovered_that_monitoring_sees_failing() -> None:
    """Its incident stays open at Monitoring, so no new alert would ever come."""
    world = watched()
    world.checks[EAST] = SEEN_ILL
    world.send(opened(EAST))
    for _ in range(5):
        world.now += MINUTE
        world.send(Tick())
    assert world.state.regions[EAST].status is Status.DOWN
    for seen, proofs in ((SEEN_WELL, 1), (SEEN_WELL, 2), (SEEN_ILL, 0), (SEEN_WELL, 1)):
        world.checks[EAST] = seen
        world.now += MINUTE
        world.send(Tick())
        assert world.state.regions[EAST].proofs == proofs
    for _ in range(2):
        world.now += MINUTE
        world.send(Tick())
    assert world.state.regions[EAST].status is Status.UP
    assert world.state.incidents[f"0.{EAST}"].state is IncidentState.STALE


def test_a_region_that_only_we_cannot_reach_is_not_called_failing_by_ticks() -> None:
    world = watched()
    world.probes = {EAST: FAILING}
    for _ in range(5):
        world.send(Tick())
        world.now += MINUTE
    assert world.state.regions[EAST].status is Status.UP
    assert world.carrying == (EAST,)


@pytest.mark.parametrize("ours", [HEALTHY, FAILING])
def test_ticks_find_a_lost_alert_by_what_monitoring_sees(ours: Probe) -> None:
    world = watched()
    world.probes, world.checks[EAST] = {EAST: ours}, SEEN_ILL
    for _ in range(3):
        world.send(Tick())
        world.now += MINUTE
    assert world.carrying == (WEST,)


def test_a_region_whose_probe_says_nothing_is_not_called_failing_by_ticks() -> None:
    """Nothing could ever prove it well again."""
    world = watched()
    world.probes, world.checks[EAST] = {EAST: SILENT}, SEEN_ILL
    for _ in range(5):
        world.send(Tick())
        world.now += MINUTE
    assert world.state.regions[EAST].status is Status.UP


def test_a_tick_acts_on_an_old_incident_while_monitoring_sees_it_fail() -> None:
    world = watched()
    world.checks[EAST] = SEEN_ILL
    world.send(opened(EAST, at=START - timedelta(hours=2)))
    assert world.carrying == (EAST,)
    world.send(Tick())
    assert world.carrying == (WEST,)
