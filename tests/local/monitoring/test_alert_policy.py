"""An uptime check's alert policy, evaluated without a clock."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.monitoring.alert_policy import (
    AlertPolicy,
    AlertState,
    CheckerPoint,
    Closed,
    Closure,
    Notice,
    Opened,
    Renotified,
    advance,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
CHECKERS = ("ASIA", "EUROPE", "IOWA", "OREGON", "SOUTH", "VIRGINIA")
POLICY = AlertPolicy(
    name="checkout-us-east-1",
    threshold=1,
    duration=timedelta(seconds=60),
    alignment=timedelta(seconds=1200),
    auto_close=timedelta(seconds=1800),
)
Steps = Sequence[tuple[float, Sequence[tuple[str, bool]]]]


def at(seconds: float) -> datetime:
    """The moment `seconds` after the start."""
    return START + timedelta(seconds=seconds)


def points(seconds: float, *failing: str, of: Iterable[str] = CHECKERS) -> list[CheckerPoint]:
    """A result of every checker at that moment; those named fail."""
    return [CheckerPoint(checker, at(seconds), checker not in failing) for checker in of]


def play(
    steps: Iterable[tuple[float, Sequence[CheckerPoint]]], policy: AlertPolicy = POLICY
) -> tuple[AlertState, list[tuple[float, Notice]]]:
    """The state after evaluating at each moment with what arrived, and the notices by moment."""
    state, told = AlertState(), list[tuple[float, Notice]]()
    for seconds, arrived in steps:
        state, notices = advance(state, arrived, at(seconds), policy)
        told += [(seconds, notice) for notice in notices]
    return state, told


def every_minute(
    minutes: Iterable[int], *failing: str
) -> list[tuple[float, Sequence[CheckerPoint]]]:
    """All checkers answering once a minute; those named fail."""
    return [(60.0 * m, points(60.0 * m, *failing)) for m in minutes]


# --- single cases --------------------------------------------------------------------------------


def test_two_failing_checkers_open_an_incident_when_the_duration_has_passed() -> None:
    steps = [*every_minute([0]), *every_minute([1, 2, 3, 4], "IOWA", "EUROPE")]
    _, told = play(steps)
    ((seconds, notice),) = told
    assert (seconds, type(notice)) == (120, Opened)
    assert isinstance(notice, Opened)
    assert (notice.started_at, notice.failing) == (at(120), 2)
    assert notice.incident_id.startswith("0.")


def test_one_failing_checker_opens_nothing() -> None:
    assert play(every_minute(range(60), "IOWA"))[1] == []


def test_a_failure_shorter_than_the_duration_opens_nothing() -> None:
    steps = [(0.0, points(0, *CHECKERS)), (59.0, points(59)), (61.0, points(61, *CHECKERS))]
    state, told = play(steps)
    assert told == []
    assert state.met_since == at(61)


def test_without_a_duration_it_opens_at_once() -> None:
    policy = replace(POLICY, duration=timedelta())
    assert [seconds for seconds, _ in play(every_minute([0], *CHECKERS), policy)[1]] == [0]


def test_a_recovery_closes_with_the_id_and_the_start_of_its_open() -> None:
    _, told = play([*every_minute([0, 1, 2], *CHECKERS), *every_minute([3])])
    (_, first), (_, last) = told
    assert isinstance(first, Opened)
    assert last == Closed(first.incident_id, first.started_at, at(180), Closure.RECOVERED)


def test_a_second_incident_has_an_id_of_its_own() -> None:
    bad, good = every_minute([0, 1], *CHECKERS), every_minute([2])
    again = every_minute([3, 4], *CHECKERS)
    _, told = play([*bad, *good, *again])
    assert [type(notice) for _, notice in told] == [Opened, Closed, Opened]
    assert len({notice.incident_id for _, notice in told}) == 2


def test_no_data_closes_after_auto_close_and_not_before() -> None:
    """The close looks like any other, and nobody has seen the region healthy."""
    failing = every_minute([0, 1, 2], *CHECKERS)
    silent: list[tuple[float, Sequence[CheckerPoint]]] = [
        (s, ()) for s in (1319, 1321, 1919, 1920, 1921)
    ]
    _, told = play([*failing, *silent])
    assert [(s, type(notice)) for s, notice in told] == [(60, Opened), (1920, Closed)]
    notice = told[-1][1]
    assert isinstance(notice, Closed)
    assert notice.why is Closure.NO_DATA


def test_no_data_opens_nothing() -> None:
    """A failure of which only one evaluation saw anything does not ripen in silence."""
    state, told = play([(0.0, points(0, *CHECKERS))])
    state, notices = advance(state, (), at(1200), POLICY)
    assert (told, notices, state.met_since) == ([], (), None)


def test_checkers_that_fell_silent_count_neither_way() -> None:
    """Four old failures leave the window; the two checkers that still answer decide."""
    failing = every_minute([0, 1], *CHECKERS)
    alive = [(1320.0, points(1320.0, "IOWA", of=("IOWA", "EUROPE")))]
    assert [type(notice) for _, notice in play([*failing, *alive])[1]] == [Opened, Closed]


def test_failures_that_leave_the_window_one_by_one_are_no_recovery() -> None:
    """Checkers are staggered, so their last failures fade one after the other: nothing passed."""
    rounds = [
        (60.0 * minute + 10 * n, points(60.0 * minute + 10 * n, checker, of=(checker,)))
        for minute in range(3)
        for n, checker in enumerate(CHECKERS)
    ]
    silence: list[tuple[float, Sequence[CheckerPoint]]] = [(float(s), ()) for s in range(171, 2100)]
    _, told = play([*rounds, *silence])
    assert [(s, type(notice)) for s, notice in told] == [(70, Opened), (1970, Closed)]
    notice = told[-1][1]
    assert isinstance(notice, Closed)
    assert notice.why is Closure.NO_DATA


def test_one_checker_that_sees_it_healthy_is_enough_for_a_recovery() -> None:
    """The others have long been silent, and their failures left the window."""
    failing = every_minute([0, 1], *CHECKERS)
    _, told = play([*failing, (1300.0, points(1300.0, of=("IOWA",)))])
    assert [(s, type(notice)) for s, notice in told] == [(60, Opened), (1300, Closed)]


def test_an_open_incident_is_told_again_at_its_interval() -> None:
    policy = replace(POLICY, renotify=timedelta(minutes=30))
    _, told = play(every_minute(range(70), *CHECKERS), policy)
    assert [(s, type(notice)) for s, notice in told] == [
        (60, Opened),
        (1860, Renotified),
        (3660, Renotified),
    ]
    assert len({notice.incident_id for _, notice in told}) == 1


def test_a_result_that_comes_late_does_not_replace_a_newer_one() -> None:
    steps = [(60.0, points(60)), (61.0, points(0, *CHECKERS)), (200.0, ())]
    state, told = play(steps)
    assert told == []
    assert all(point.passed for point in state.newest)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"threshold": -1}, "negative"),
        ({"duration": timedelta(seconds=-1)}, "negative"),
        ({"alignment": timedelta()}, "alignment"),
        ({"auto_close": timedelta(seconds=1199)}, "auto_close"),
        ({"renotify": timedelta()}, "renotify"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        replace(POLICY, **wrong)  # type: ignore[arg-type]  # wrong on purpose


# --- laws ----------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0, 30.0, 60.0, 61.0, 600.0, 1200.0, 1800.0, 4000.0]),
        st.lists(st.tuples(st.sampled_from(CHECKERS), st.booleans()), max_size=8),
    ),
    max_size=40,
)
POLICIES = st.builds(
    AlertPolicy,
    name=st.just("checkout-us-east-1"),
    threshold=st.integers(0, 5),
    duration=st.sampled_from([0, 60, 300]).map(lambda s: timedelta(seconds=s)),
    alignment=st.sampled_from([60, 1200]).map(lambda s: timedelta(seconds=s)),
    auto_close=st.sampled_from([1200, 1800]).map(lambda s: timedelta(seconds=s)),
    renotify=st.sampled_from([None, timedelta(minutes=30)]),
)


def timed(steps: Steps) -> list[tuple[float, list[CheckerPoint]]]:
    """Steps with pauses between them as moments, and what arrived at each."""
    now, moments = 0.0, list[tuple[float, list[CheckerPoint]]]()
    for pause, arrived in steps:
        now += pause
        moments.append(
            (now, [CheckerPoint(checker, at(now), passed) for checker, passed in arrived])
        )
    return moments


@given(STEPS, POLICIES)
def test_opens_and_closes_alternate_and_belong_together(steps: Steps, policy: AlertPolicy) -> None:
    """Never two opens without a close between; a close or repetition has the id of its open."""
    state, told = play(timed(steps), policy)
    open_now: Opened | None = None
    ids = set[str]()
    for _, notice in told:
        match notice:
            case Opened():
                assert open_now is None
                assert notice.incident_id not in ids
                assert notice.failing > policy.threshold
                open_now = notice
                ids.add(notice.incident_id)
            case Renotified() | Closed():
                assert open_now is not None
                assert notice.incident_id == open_now.incident_id
                assert notice.started_at == open_now.started_at
                open_now = None if isinstance(notice, Closed) else open_now
    assert (open_now is None) == (state.incident is None)
    assert len(ids) == state.count


@given(STEPS, POLICIES, st.data())
def test_no_more_failing_checkers_than_the_threshold_open_nothing(
    steps: Steps, policy: AlertPolicy, data: st.DataObject
) -> None:
    """Whichever checkers fail, and whenever: at or below the threshold nobody is told."""
    few = data.draw(st.sets(st.sampled_from(CHECKERS), max_size=policy.threshold))
    tame = [
        (seconds, [replace(p, passed=p.passed or p.checker not in few) for p in arrived])
        for seconds, arrived in timed(steps)
    ]
    assert play(tame, policy)[1] == []


@given(STEPS, POLICIES)
def test_silence_closes_every_incident(steps: Steps, policy: AlertPolicy) -> None:
    """Whatever came before, no data for auto_close leaves no incident open, and opens none."""
    moments = timed(steps)
    state, told = play(moments, policy)
    end = (moments[-1][0] if moments else 0.0) + policy.auto_close.total_seconds()
    after, notices = advance(state, (), at(end), policy)
    assert after.incident is None
    assert [type(notice) for notice in notices] == [Closed] * (state.incident is not None)
    if notices:
        opens = [notice for _, notice in told if isinstance(notice, Opened)]
        assert notices[0].incident_id == opens[-1].incident_id
        assert isinstance(notices[0], Closed)
        assert notices[0].why is Closure.NO_DATA


@given(STEPS, POLICIES, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(
    steps: Steps, policy: AlertPolicy, dice: Random
) -> None:
    """Results of different moments may arrive in any order: the newest of each checker counts."""
    arrived = [point for _, some in timed(steps) for point in some]
    newest = {(p.checker, p.at): p for p in arrived}
    ordered = list(newest.values())
    shuffled = ordered.copy()
    dice.shuffle(shuffled)
    end = at(sum(pause for pause, _ in steps))
    assert advance(AlertState(), ordered, end, policy) == advance(
        AlertState(), shuffled, end, policy
    )
