"""Who writes where during a switch: what docs/consistency.md says.

Two applications write all the time. One reads the document; the other one's source hangs, so that
it knows nothing of the switch. Writes are numbered as they begin: which of them still go to the old
primary is told by their numbers, so that a slow machine changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from orchestrator.client._calls.call import OnStale, Options, Settings
from orchestrator.client._calls.calls import Calls
from orchestrator.client._calls.routing import ServiceMode
from orchestrator.client._regions.regions import Regions
from orchestrator.client.document import DocumentView
from orchestrator.client.errors import RegionError
from orchestrator.local.process.wait import wait_until
from tests.support.regional import (
    EAST,
    PATIENCE,
    WEST,
    Direct,
    FakeSession,
    FakeTime,
    HeldSource,
    document,
)

INTERVAL, STALENESS = 0.05, 1000.0


class Application:
    """Writes all the time. begun: how many writes have begun. last: the number of the last write
    to each region. refused: the number of the last write that was refused.
    """

    def __init__(self, on_stale: OnStale) -> None:
        self.source, self.time = HeldSource(document()), FakeTime()
        self.view = DocumentView(
            [self.source],
            interval=INTERVAL,
            max_staleness=STALENESS,
            monotonic=self.time.monotonic,
        )
        self.begun, self.refused = 0, 0
        self.last: dict[str, int] = {}
        regions = Regions(lambda: cast("Any", FakeSession()))
        settings = Settings(WEST, ServiceMode.ACTIVE_PASSIVE, on_stale=on_stale)
        calls = Calls(self.view.start(), regions, settings, lambda: datetime.now(UTC))
        self._table = Direct(calls, Options(deadline=0.1), "orders")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        while not self._stopping.wait(0.002):
            self.begun += 1
            try:
                answer = self._table.put_item(Item={})
            except RegionError:
                self.refused = self.begun
            else:
                self.last[answer["region"]] = self.begun

    def wait_until_written(self, region: str, after: int = 0) -> None:
        """Wait until a write that began after the one of this number has gone there."""
        wait_until(lambda: self.last.get(region, -1) > after, PATIENCE, f"a write to {region}")

    def wait_until_refused(self, after: int, times: int) -> None:
        """Wait until so many writes that began after the one of this number could be refused."""
        wait_until(lambda: self.refused >= after + times, PATIENCE, "refusals")

    def stop(self) -> None:
        """End it."""
        self._stopping.set()
        self.source.going_on.set()
        self._thread.join()
        self.view.close()


@contextmanager
def running(on_stale: OnStale) -> Iterator[Application]:
    """An application that has written to the primary, in the east."""
    application = Application(on_stale)
    try:
        application.wait_until_written(EAST)
        yield application
    finally:
        application.stop()


@pytest.mark.parametrize("on_stale", list(OnStale))
def test_who_reads_the_document_leaves_the_old_primary_within_a_refresh(on_stale: OnStale) -> None:
    """One look of its own after the switch is enough: no write that begins later goes there."""
    with running(on_stale) as application:
        looks = application.source.asked
        application.source.body = document(2, WEST, down=[EAST])
        wait_until(lambda: application.source.asked >= looks + 3, PATIENCE, "a look that has ended")
        seen = application.begun
        application.wait_until_written(WEST, after=seen + 20)
        assert application.last[EAST] <= seen


def test_who_cannot_read_it_stops_at_max_staleness_where_it_is_to() -> None:
    """Until then it writes to the old primary, and afterwards nowhere."""
    with running(OnStale.REFUSE_WRITES) as application:
        application.source.going_on.clear()
        application.source.body = document(2, WEST, down=[EAST])
        application.time.rest(STALENESS - 1)
        application.wait_until_written(EAST, after=application.begun)
        application.time.rest(2)
        assert application.view.stale
        late = application.begun
        application.wait_until_refused(after=late, times=3)
        assert application.last[EAST] <= late
        assert WEST not in application.last


def test_who_cannot_read_it_goes_on_where_it_may() -> None:
    """`serve`: without a bound, which is why `docs/consistency.md` says what it means."""
    with running(OnStale.SERVE) as application:
        application.source.going_on.clear()
        application.source.body = document(2, WEST, down=[EAST])
        application.time.rest(STALENESS * 100)
        application.wait_until_written(EAST, after=application.begun)


def test_a_graceful_switch_has_a_time_without_any_writer() -> None:
    """The fence is known to all before the new primary is: nobody writes in two regions."""
    with running(OnStale.REFUSE_WRITES) as application:
        until = datetime.now(UTC) + timedelta(minutes=10)
        application.source.body = document(2, fenced={EAST: until})
        assert application.view.refresh(PATIENCE)
        fenced = application.begun
        application.wait_until_refused(after=fenced, times=1)
        application.source.body = document(3, WEST)
        application.wait_until_written(WEST, after=fenced)
        assert application.last[EAST] <= fenced
