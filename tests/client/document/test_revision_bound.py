"""A revision from the far future is refused, for it would shut out every real document."""

from __future__ import annotations

import time

import pytest

from orchestrator.client.document import DocumentView, Fetched
from orchestrator.core.outside.limits import AHEAD, COUNTERS
from tests.support.regional import WEST, HeldSource, document

DAY = 86_400
MICROSECONDS = 1_000_000


def now() -> int:
    """The time as a generation of the bucket tells it."""
    return time.time_ns() // 1000


class Dated(HeldSource):
    """A source that tells its time."""

    at = 0.0

    def fetch(self, known: str | None) -> Fetched | None:
        """The document with that time."""
        found = super().fetch(known)
        return found and Fetched(found.body, found.mark, self.at)


def view(source: HeldSource) -> DocumentView:
    """A view of this source that looks when it is told to."""
    return DocumentView([source], interval=100.0, max_staleness=1000.0)


def test_a_document_of_the_far_future_is_not_taken_and_the_next_real_one_is() -> None:
    source = HeldSource(document(now()))
    with view(source) as seen:
        known = seen.wait_first(5)
        assert known
        source.body = document(now() + 30 * DAY * MICROSECONDS, WEST)
        assert seen.refresh(5)
        assert seen.latest is known
        source.body = document(now(), WEST)
        assert seen.refresh(5)
        assert seen.latest is not known
        assert seen.latest.primary == WEST


def test_a_clock_of_ours_that_is_slow_refuses_nothing_that_the_source_dates() -> None:
    source = Dated(document(now() + 30 * DAY * MICROSECONDS))
    source.at = time.time() + 29 * DAY
    with view(source) as seen:
        assert seen.wait_first(5)


@pytest.mark.parametrize("revision", [1, 17, COUNTERS - 1])
def test_a_counter_tells_no_time(revision: int) -> None:
    with view(HeldSource(document(revision))) as seen:
        assert seen.wait_first(5)
    assert AHEAD.days == 7
