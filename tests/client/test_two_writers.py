"""How long two regions can be written to during a switch: the figures of docs/consistency.md.

Two applications write all the time. One reads the document; the other one's source hangs, so that
it knows nothing of the switch. When does each of them write to the old primary for the last time?
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from orchestrator.client.call import OnStale, Options, Settings
from orchestrator.client.calls import Calls
from orchestrator.client.errors import RegionError
from orchestrator.client.regions import Regions
from orchestrator.client.routing import Mode
from orchestrator.client.table import RoutedTable
from orchestrator.client.view import DocumentView
from tests.regional import EAST, WEST, FakeSession, HeldSource, document

INTERVAL, STALENESS = 0.2, 0.8


class Application:
    """Writes all the time, and knows when it last wrote to each region."""

    def __init__(self, on_stale: OnStale) -> None:
        self.source = HeldSource(document())
        self.view = DocumentView([self.source], interval=INTERVAL, max_staleness=STALENESS)
        self.last: dict[str, float] = {}
        regions = Regions(lambda: cast("Any", FakeSession()))
        settings = Settings(WEST, Mode.ACTIVE_PASSIVE, on_stale=on_stale)
        calls = Calls(self.view.start(), regions, settings, lambda: datetime.now(UTC))
        self._table = RoutedTable("orders", calls, Options(deadline=0.3))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        while not self._stopping.wait(0.002):
            try:
                answer = self._table.put_item(Item={})
            except RegionError:
                continue
            self.last[answer["region"]] = time.monotonic()

    def wait_until_written(self, region: str, after: float = 0.0) -> None:
        """Wait until it has written there after that time."""
        deadline = time.monotonic() + 10
        while self.last.get(region, -1.0) <= after:
            assert time.monotonic() < deadline, f"no write to {region}"
            time.sleep(0.005)  # a poll: a write tells nobody

    def stop(self) -> None:
        """End it."""
        self._stopping.set()
        self.source.going_on.set()
        self._thread.join()
        self.view.close()


@pytest.mark.parametrize("on_stale", list(OnStale))
def test_who_reads_the_document_leaves_the_old_primary_within_a_refresh(on_stale: OnStale) -> None:
    application = Application(on_stale)
    try:
        application.wait_until_written(EAST)
        switched = time.monotonic()
        application.source.body = document(2, WEST, down=[EAST])
        application.wait_until_written(WEST)
        assert application.last[EAST] - switched < INTERVAL * 1.2 + 0.3  # 0.3: a slow machine
    finally:
        application.stop()


def test_who_cannot_read_it_stops_within_max_staleness_where_it_is_to() -> None:
    application = Application(OnStale.REFUSE_WRITES)
    try:
        application.wait_until_written(EAST)
        application.source.going_on.clear()
        switched = time.monotonic()
        application.source.body = document(2, WEST, down=[EAST])
        while time.monotonic() < switched + STALENESS + 1.0:
            time.sleep(0.02)  # the time that it could go on for
        assert application.last[EAST] - switched < STALENESS + 0.3
        assert application.view.stale
    finally:
        application.stop()


def test_who_cannot_read_it_goes_on_where_it_may() -> None:
    """`serve`: without a bound, which is why `docs/consistency.md` says what it means."""
    application = Application(OnStale.SERVE)
    try:
        application.wait_until_written(EAST)
        application.source.going_on.clear()
        switched = time.monotonic()
        application.source.body = document(2, WEST, down=[EAST])
        application.wait_until_written(EAST, after=switched + STALENESS + 0.2)
    finally:
        application.stop()


def test_a_graceful_switch_has_a_time_without_any_writer() -> None:
    """The fence is known to all before the new primary is: nobody writes in two regions."""
    application = Application(OnStale.REFUSE_WRITES)
    try:
        application.wait_until_written(EAST)
        until = datetime.now(UTC) + timedelta(minutes=1)
        application.source.body = document(2, fenced={EAST: until})
        assert application.view.refresh(5)
        fenced = time.monotonic()
        application.source.body = document(3, WEST)
        application.wait_until_written(WEST)
        assert application.last[EAST] <= fenced + 0.01
        assert application.last[WEST] > application.last[EAST]
    finally:
        application.stop()
