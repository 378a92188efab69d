"""Each rule at its boundary: what it saw, what its limit is, whether it lets the move pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from orchestrator.core import rules
from orchestrator.core.model import (
    Incident,
    IncidentState,
    Move,
    Probe,
    RegionState,
    Status,
    Tick,
    Verdict,
)
from orchestrator.core.policy import AutoFailovers, Brake, Confirm, OnUnconfirmed, Policy
from orchestrator.core.rule import Reason, Rule, needs_human
from tests.support.fakes import FAILING, HEALTHY, START
from tests.support.loop import SILENT, TIMEOUT, closed, opened

EAST, WEST = "us-east-1", "us-west-2"
SECOND = timedelta(seconds=1)


def region(status: Status = Status.UP, since: datetime = START) -> RegionState:
    """A region of this status."""
    return RegionState("dynamodb.example.com", status, since)


def move(ago: timedelta, left: str = EAST, to: str = WEST) -> Move:
    """An automatic move so long before the start."""
    return Move(START - ago, 1, (left,), (to,))


# --- confirm -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probe", "otherwise", "passed"),
    [
        (FAILING, "hold", True),
        (TIMEOUT, "hold", True),
        (HEALTHY, "proceed", False),
        (SILENT, "proceed", True),
        (SILENT, "hold", False),
        (Probe(Verdict.SILENT, 404), "hold", False),
    ],
)
def test_the_second_signal_confirms_refuses_or_is_not_to_be_had(
    probe: Probe, otherwise: str, passed: bool
) -> None:
    policy = Policy(on_unconfirmed=OnUnconfirmed(otherwise))
    reason = rules.confirm(policy, EAST, probe)
    assert (reason.rule, reason.region, reason.passed) == ("confirm", EAST, passed)
    assert probe.detail in reason.value


@pytest.mark.parametrize("probe", [HEALTHY, FAILING, SILENT])
def test_without_a_second_signal_asked_for_every_alert_is_confirmed(probe: Probe) -> None:
    assert rules.confirm(Policy(confirm=Confirm.NONE), EAST, probe).passed


def test_only_a_second_signal_that_cannot_be_had_pages() -> None:
    """A healthy probe is an answer; no answer to be had is a human's question."""
    hold = Policy(on_unconfirmed=OnUnconfirmed.HOLD)
    assert needs_human(rules.confirm(hold, EAST, SILENT))
    assert not needs_human(rules.confirm(hold, EAST, HEALTHY))
    assert not needs_human(rules.confirm(hold, EAST, FAILING))


# --- max_event_age -------------------------------------------------------------------------------


@pytest.mark.parametrize(("over", "passed"), [(timedelta(0), True), (SECOND, False)])
def test_an_alert_of_exactly_the_limits_age_still_moves(over: timedelta, passed: bool) -> None:
    """What counts is the incident of the region that is to be left, not the messenger's."""
    began = START - timedelta(minutes=15) - over
    known = [Incident("0.a", EAST, IncidentState.OPEN, began)]
    for signal in (opened(EAST, at=began), opened(WEST, at=START), closed(EAST, at=began)):
        found = rules.max_event_age(Policy(), signal, EAST, known, START, failing=True)
        assert found.passed is passed


@pytest.mark.parametrize("failing", [True, False])
def test_a_tick_acts_on_an_old_incident_only_if_it_sees_the_region_fail(failing: bool) -> None:
    known = [Incident("0.a", EAST, IncidentState.OPEN, START - timedelta(hours=20))]
    found = rules.max_event_age(Policy(), Tick(), EAST, known, START, failing=failing)
    assert found.passed is failing


def test_an_incident_of_the_future_is_told_as_one() -> None:
    known = [Incident("0.a", EAST, IncidentState.OPEN, START + timedelta(days=2519))]
    found = rules.max_event_age(Policy(), opened(EAST), EAST, known, START, failing=True)
    assert found.value == "incident began 60456h in the future by our clock"


# --- brake ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("down", "of", "passed"),
    [
        (1, 1, False),
        (1, 2, True),
        (2, 2, False),
        (2, 3, True),
        (3, 3, False),
        (7, 10, True),
        (8, 10, False),
    ],
)
def test_more_than_the_share_of_regions_newly_down_brakes(down: int, of: int, passed: bool) -> None:
    """Exactly the share does not."""
    found = {
        f"r{number}": region(Status.DOWN if number < down else Status.UP) for number in range(of)
    }
    assert rules.brake(Policy(), found, START, blind=False).passed is passed


@pytest.mark.parametrize(("over", "passed"), [(timedelta(0), False), (SECOND, True)])
def test_only_what_went_down_within_the_time_counts(over: timedelta, passed: bool) -> None:
    since = START - timedelta(minutes=2) - over
    found = {EAST: region(Status.DOWN), WEST: region(Status.DOWN, since)}
    assert rules.brake(Policy(), found, START, blind=False).passed is passed


def test_a_share_of_one_never_brakes_on_numbers() -> None:
    policy = Policy(brake=Brake(1.0, timedelta(minutes=2)))
    found = {EAST: region(Status.DOWN), WEST: region(Status.DOWN)}
    assert rules.brake(policy, found, START, blind=False).passed


def test_blindness_brakes_and_pages() -> None:
    reason = rules.brake(Policy(), {EAST: region()}, START, blind=True)
    assert not reason.passed
    assert needs_human(reason)


# --- max_auto_failovers --------------------------------------------------------------------------


def auto(*ago: timedelta, acknowledged: datetime | None = None, **limit: Any) -> Reason:
    """The rule after moves so long ago."""
    policy = Policy(max_auto_failovers=AutoFailovers(**limit))
    return rules.max_auto_failovers(policy, [move(one) for one in ago], acknowledged, START)


def test_as_many_moves_as_the_limit_hold_the_next() -> None:
    hours = [timedelta(hours=n) for n in (1, 2, 3)]
    assert auto(*hours[:2]).passed
    assert not auto(*hours).passed
    assert needs_human(auto(*hours))


def test_a_move_is_forgotten_when_the_window_has_passed() -> None:
    recent = [timedelta(hours=1), timedelta(hours=2)]
    assert not auto(*recent, timedelta(hours=24) - SECOND).passed
    assert auto(*recent, timedelta(hours=24) + SECOND).passed


def test_an_acknowledgement_starts_the_count_over() -> None:
    hours = [timedelta(hours=n) for n in (1, 2, 3)]
    assert auto(*hours, acknowledged=START - timedelta(minutes=90)).passed
    assert not auto(*hours, acknowledged=START - timedelta(days=9)).passed


def test_a_limit_of_zero_never_moves() -> None:
    assert not auto(count=0).passed


# --- cooldown ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("short_of", "passed"), [(timedelta(0), True), (SECOND, False)])
def test_a_region_is_a_target_again_after_exactly_the_cooldown(
    short_of: timedelta, passed: bool
) -> None:
    moves = [move(timedelta(minutes=10) - short_of)]
    assert rules.cooldown(Policy(), EAST, moves, START).passed is passed


def test_the_last_time_a_region_was_left_counts() -> None:
    moves = [move(timedelta(hours=2)), move(timedelta(minutes=1)), move(timedelta(hours=1))]
    assert not rules.cooldown(Policy(), EAST, moves, START).passed


def test_a_region_that_was_only_moved_to_has_no_cooldown() -> None:
    assert rules.cooldown(Policy(), WEST, [move(SECOND)], START).passed


# --- target_healthy ------------------------------------------------------------------------------


def fit(
    probe: Probe, status: Status = Status.UP, *, asked: bool = True, movable: bool = True
) -> bool:
    """Whether the region may take over."""
    made = rules.target_healthy(Policy(), EAST, region(status), probe, asked=asked, movable=movable)
    return made.passed


def test_a_target_is_up_and_answers() -> None:
    assert fit(HEALTHY)
    assert not fit(FAILING)
    assert not fit(SILENT)
    assert not fit(HEALTHY, Status.DOWN)
    assert not fit(HEALTHY, Status.RECOVERING)
    assert not fit(HEALTHY, movable=False)


def test_a_target_without_a_health_url_is_taken_at_its_word_under_proceed() -> None:
    credulous = (Policy(on_unconfirmed=OnUnconfirmed.PROCEED), Policy(confirm=Confirm.NONE))
    for policy, passes in ((Policy(), False), *((policy, True) for policy in credulous)):
        made = rules.target_healthy(policy, EAST, region(), SILENT, asked=False, movable=True)
        assert made.passed is passes


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.5, "500ms"),
        (2, "2s"),
        (59.5, "59.5s"),
        (90, "90s"),
        (600, "10m"),
        (7200, "2h"),
        (86400, "24h"),
    ],
)
def test_durations_are_told_in_the_words_of_the_configuration(seconds: float, words: str) -> None:
    assert rules.duration(timedelta(seconds=seconds)) == words


def test_a_reason_reads_as_a_sentence() -> None:
    reason = rules.cooldown(Policy(), EAST, [move(timedelta(minutes=4))], START)
    assert str(reason) == "refused cooldown [us-east-1]: automation moved away 4m ago (limit 10m)"


def test_no_passed_rule_pages() -> None:
    for rule in ("brake", "max_auto_failovers", "last_region", "routing", "confirm"):
        assert not needs_human(Reason(Rule(rule), True, "no second signal"))
    assert not needs_human(replace(Reason(Rule.COOLDOWN, False, "left"), region=EAST))
