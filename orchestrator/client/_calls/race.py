"""A read that two regions are asked for: the first success wins, and nobody waits for the other.

Both attempts have threads of their own, and the call waits. It alone takes note of what concerns
the call. An attempt that ends when the call is over tells so in its own thread (`late`): what it
came to still says something of its region.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from orchestrator.client._process.workers import Workers
from orchestrator.client._regions.regions import RoutedRegion


@dataclass(frozen=True, slots=True)
class End:
    """How one attempt ended: by an answer, or by what it raised. took: seconds."""

    region: RoutedRegion
    took: float
    answer: Any = None
    error: Exception | None = None


class Race:
    """send: makes an attempt at a region that may take so many seconds. late: told of each attempt
    that ends after the race, in that attempt's thread. monotonic: seconds.

    under_way: the regions whose attempts the call still waits for.
    """

    def __init__(
        self,
        send: Callable[[RoutedRegion, float], Any],
        late: Callable[[End], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._send = send
        self._late = late
        self._monotonic = monotonic
        self._ends: SimpleQueue[End] = SimpleQueue()
        self._lock = threading.Lock()
        self._over = False
        self._given_up: set[str] = set()
        self.under_way: dict[str, RoutedRegion] = {}

    def enter(self, region: RoutedRegion, until: float, workers: Workers) -> bool:
        """Ask the region, until that time. False, and it is not asked, if there is no thread."""
        context = copy_context()  # handlers of the application's may look at what it keeps there
        if not workers.take(lambda: context.run(self._run, region, until)):
            return False
        self.under_way[region.name] = region
        return True

    def next(self, until: float) -> End | None:
        """The next attempt that ends; None if none does by that time."""
        try:
            end = self._ends.get(timeout=max(0.0, until - self._monotonic()))
        except Empty:
            return None
        del self.under_way[end.region.name]
        return end

    def give_up(self) -> list[RoutedRegion]:
        """Wait no longer: the regions that are asked still. How they end is not told any more."""
        with self._lock:
            late, self.under_way = list(self.under_way.values()), {}
            self._given_up.update(region.name for region in late)
        return late

    def close(self) -> None:
        """The call is over. What ends from now on is late."""
        with self._lock:
            self._over = True
        while True:
            try:
                self._tell(self._ends.get_nowait())
            except Empty:
                return

    def _run(self, region: RoutedRegion, until: float) -> None:
        began = self._monotonic()
        try:
            answer = self._send(region, until - began)
        except Exception as error:  # noqa: BLE001  # the call raises it, or leaves it
            end = End(region, self._monotonic() - began, error=error)
        else:
            end = End(region, self._monotonic() - began, answer)
        with self._lock:
            if not self._over:
                self._ends.put(end)
                return
        self._tell(end)

    def _tell(self, end: End) -> None:
        if end.region.name not in self._given_up:
            self._late(end)
