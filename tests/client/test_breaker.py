"""The local circuit breaker: what opens it, what closes it, and what it never does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.client.breaker import LEASE, LONGEST_PAUSE, Breaker, BreakerState


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
            st.sampled_from(["succeeded", "failed", "throttled", "allows"]),
            st.floats(0, 20, allow_nan=False),
        ),
        max_size=60,
    )
)
def test_it_never_sticks(steps: list[str | float]) -> None:
    """Whatever happened, after the longest pause a call is let through, and its success closes."""
    clock = Clock()
    breaker = Breaker(clock=clock)
    for step in steps:
        if isinstance(step, float):
            clock.at += step
        else:
            getattr(breaker, step)()
    clock.at += max(LONGEST_PAUSE * 1.2, LEASE) + 0.1
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED
