"""The local circuit breaker: what opens it, what closes it, and what it never does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.client._regions.breaker import (
    KEPT,
    LEASE,
    LONGEST_PAUSE,
    Breaker,
    BreakerState,
    Need,
)
from orchestrator.client._regions.breakers import Breakers


class Clock:
    """Monotonic seconds that are moved by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock=clock)
    for _ in range(5):
        breaker.failed()
    return breaker


def test_failures_in_a_row_open_it() -> None:
    clock = Clock()
    breaker = Breaker(clock=clock)
    for _ in range(4):
        breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert breaker.state is BreakerState.OPEN
    assert breaker.dead
    assert not breaker.allows()


def test_stray_failures_never_open_it() -> None:
    breaker = Breaker(clock=Clock())
    for _ in range(1000):
        breaker.failed()
        for _ in range(10):
            breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_a_share_of_failures_opens_it_in_time() -> None:
    breaker = Breaker(clock=Clock())
    for _ in range(20):
        breaker.failed()
        for _ in range(4):
            breaker.succeeded()
    assert breaker.state is BreakerState.OPEN
    assert not breaker.dead


def test_throttling_opens_it_and_does_not_make_it_dead() -> None:
    breaker = Breaker(clock=Clock())
    for _ in range(5):
        breaker.throttled()
    assert breaker.state is BreakerState.OPEN
    assert not breaker.dead


def test_after_the_pause_exactly_one_call_is_let_through() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.at += 1.3
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED
    assert breaker.allows()


def test_a_failed_trial_opens_it_for_longer() -> None:
    clock = Clock()
    breaker = opened(clock)
    pauses = []
    for _ in range(6):
        assert breaker.tries_at is not None
        pauses.append(breaker.tries_at - clock.at)
        clock.at = breaker.tries_at
        assert breaker.allows()
        breaker.failed()
    assert pauses[1] > pauses[0]
    assert all(pause <= LONGEST_PAUSE * 1.2 for pause in pauses)
    assert pauses[-1] > LONGEST_PAUSE * 0.7


def test_a_trial_that_never_reports_back_is_given_up() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.at += 1.3
    assert breaker.allows()
    clock.at += LEASE - 0.1
    assert not breaker.allows()
    clock.at += 0.2
    assert breaker.allows()


def test_an_answer_to_an_older_call_does_not_close_an_open_one() -> None:
    breaker = opened(Clock())
    breaker.succeeded()
    assert breaker.state is BreakerState.OPEN
    assert not breaker.dead, "it did answer: the only region that takes writes is worth a try"


def test_one_request_that_fails_for_ever_does_not_open_it() -> None:
    breaker = Breaker(clock=Clock())
    for number in range(1000):
        breaker.suspected(number % 2)
        if number % 3:
            breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_different_requests_that_fail_in_a_row_open_it_as_failures_do() -> None:
    breaker = Breaker(clock=Clock())
    for number in range(5):
        assert breaker.state is BreakerState.CLOSED
        breaker.suspected(number)
    assert breaker.state is BreakerState.OPEN
    assert breaker.dead


def test_few_different_requests_are_enough_if_nothing_succeeds_between() -> None:
    breaker = Breaker(clock=Clock())
    for number in range(5):
        assert breaker.state is BreakerState.CLOSED
        breaker.suspected(number % 3)
    assert breaker.dead


def test_a_trial_that_fails_opens_it_whatever_the_request() -> None:
    clock = Clock()
    breaker = Breaker(clock=clock)
    for number in range(5):
        breaker.suspected(number)
    clock.at += 1.3
    assert breaker.allows()
    breaker.suspected(0)
    assert breaker.state is BreakerState.OPEN


def test_late_answers_open_it_and_do_not_make_it_dead() -> None:
    breaker = Breaker(clock=Clock())
    for number in range(5):
        breaker.suspected(number, answered=True)
    assert breaker.state is BreakerState.OPEN
    assert not breaker.dead


def test_who_did_not_try_gives_the_trial_to_the_next_one() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.at += 1.3
    assert breaker.allows()
    breaker.untried()
    assert [breaker.allows() for _ in range(2)] == [True, False]


def test_suspects_are_remembered_within_bounds() -> None:
    breaker = Breaker(clock=Clock())
    for number in range(10 * KEPT):
        breaker.suspected(number)
    assert len(breaker._suspects) == KEPT
    assert len(breaker._company) == KEPT


@given(
    st.lists(st.one_of(st.sampled_from(["a", "b"]), st.integers(1, 9)), max_size=200),
)
def test_two_poisonous_requests_never_open_a_breaker(steps: list[str | int]) -> None:
    """However often they are asked for, and whatever succeeds between."""
    breaker = Breaker(clock=Clock())
    for step in steps:
        if isinstance(step, str):
            breaker.suspected(hash(step))
        else:
            for _ in range(step):
                breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_no_connection_to_reads_opens_the_breaker_for_writes_too() -> None:
    breakers = Breakers(clock=Clock())
    for _ in range(4):
        breakers.unreachable(Need.READ)
    breakers.succeeded(Need.WRITE)
    for _ in range(4):
        breakers.unreachable(Need.READ)
    assert breakers.read.state is BreakerState.OPEN
    assert breakers.write.state is BreakerState.CLOSED, "writes were answered in between"
    breakers.unreachable(Need.READ)
    assert breakers.write.dead


def test_failures_of_writes_say_nothing_of_reads() -> None:
    breakers = Breakers(clock=Clock())
    for number in range(9):
        breakers.write.suspected(number)
        breakers.succeeded(Need.READ)
    assert breakers.write.dead
    assert breakers.read.state is BreakerState.CLOSED
    assert breakers.state is BreakerState.OPEN, "the worse of both is told"


def test_every_change_is_told_once() -> None:
    clock = Clock()
    told: list[tuple[BreakerState, BreakerState]] = []
    breaker = Breaker(clock=clock, on_change=lambda a, b: told.append((a, b)))
    for _ in range(8):
        breaker.failed()
    clock.at += 1.3
    breaker.allows()
    breaker.succeeded()
    closed, opened_, half = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
    assert told == [(closed, opened_), (opened_, half), (half, closed)]


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["succeeded", "failed", "throttled", "allows", "trip", "untried"]),
            st.integers(0, 9),
            st.floats(0, 20, allow_nan=False),
        ),
        max_size=60,
    )
)
def test_it_never_sticks(steps: list[str | int | float]) -> None:
    """Whatever happened, after the longest pause a call is let through, and its success closes."""
    clock = Clock()
    breaker = Breaker(clock=clock)
    for step in steps:
        if isinstance(step, float):
            clock.at += step
        elif isinstance(step, int):
            breaker.suspected(step, answered=step > 5)
        else:
            getattr(breaker, step)()
    clock.at += max(LONGEST_PAUSE * 1.2, LEASE) + 0.1
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED
