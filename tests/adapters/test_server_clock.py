"""The time by a server's `Date`, which goes on between its answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.adapters.server_clock import ServerClock
from orchestrator.wiring import by_servers

DATE = "Mon, 23 Nov 2026 05:00:00 GMT"
AT = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


class Ticking:
    """A monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_nothing_is_known_before_the_first_answer() -> None:
    assert ServerClock().now() is None


def test_the_time_goes_on_between_answers() -> None:
    ticking = Ticking()
    clock = ServerClock(ticking)
    clock.hear(DATE)
    ticking.at += 90.5
    assert clock.now() == AT + timedelta(seconds=90.5)


def test_an_answer_of_the_same_second_does_not_put_the_time_back() -> None:
    ticking = Ticking()
    clock = ServerClock(ticking)
    clock.hear(DATE)
    ticking.at += 0.8
    clock.hear(DATE)
    assert clock.now() == AT + timedelta(seconds=0.8)


@pytest.mark.parametrize("seconds", [-600, 600])
def test_a_clock_of_this_machine_that_stood_still_or_ran_is_put_right(seconds: float) -> None:
    ticking = Ticking()
    clock = ServerClock(ticking)
    clock.hear(DATE)
    ticking.at += seconds
    clock.hear(DATE)
    assert clock.now() == AT


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Nov 2026 05:00:00 GMT"])
def test_a_date_that_cannot_be_read_says_nothing(date: str | None) -> None:
    clock = ServerClock(Ticking())
    clock.hear(date)
    assert clock.now() is None
    clock.hear(DATE)
    clock.hear(date)
    assert clock.now() == AT


class Server:
    """Says a time."""

    def __init__(self, says: datetime | None) -> None:
        self.says = says

    def server_time(self) -> datetime | None:
        """What it says."""
        return self.says


def test_the_first_server_that_has_told_the_time_counts_else_the_machine() -> None:
    later = AT + timedelta(days=1)
    assert by_servers((Server(None), Server(AT)), lambda: later) == AT
    assert by_servers((Server(AT), Server(later)), lambda: later) == AT
    assert by_servers((Server(None), Server(None)), lambda: later) == later
