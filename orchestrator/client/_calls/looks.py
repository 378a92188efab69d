"""Looks at the document that calls ask for, shared: one a second at most, for the whole process.

While writes are refused every one of them would have the document read again before it says so.
With thousands of processes that is a storm on the bucket, at the moment of a failover. So a call
joins the look that is under way, and goes without where one has just ended. The time between two is
spread, so that processes do not march in step.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable

EVERY, SPREAD = 1.0, 0.5
"""Seconds between the beginnings of two looks at least, and what is added at most."""


class Looks:
    """refresh: has the document read and waits for that so many seconds. monotonic: in seconds."""

    def __init__(self, refresh: Callable[[float], object], monotonic: Callable[[], float]) -> None:
        self._refresh = refresh
        self._monotonic = monotonic
        self.after_fork()

    def after_fork(self) -> None:
        """In a child process: locks may be held by nobody."""
        self._lock = threading.Lock()
        self._next = -math.inf
        self._over = threading.Event()
        self._over.set()

    def look(self, wait: float) -> bool:
        """Whether a look was waited for, at most so many seconds; False if one has just ended."""
        with self._lock:
            mine = self._over.is_set() and self._monotonic() >= self._next
            if mine:
                spread = random.uniform(0, SPREAD)  # noqa: S311  # spreads load
                self._next = self._monotonic() + EVERY + spread
                self._over = threading.Event()
            elif self._over.is_set():
                return False
            over = self._over
        if not mine:
            over.wait(wait)
            return True
        try:
            self._refresh(wait)
        finally:
            over.set()
        return True
