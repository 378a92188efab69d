"""When a second region is asked although the first has not failed. No attempt is made here.

A read is hedged when its region takes longer than it takes for 95 of 100 such reads. What that is
follows from the newest answers of the region to that operation, because a page of a scan takes
longer than an item. Until there are enough of them it is unknown, and unknown means no hedge.

Hedges are paid for. Each read that may be hedged earns a share of a token, and a hedge costs one.
So of all reads at most that share is sent twice, however slow a region is: a region that becomes
slow for every read gets no other region twice the load. Tokens that nobody needs are kept up to
`MOST_TOKENS`.

Reads that may be hedged make their first attempt in a thread, because the call must be able to go
on without it. There are at most `THREADS` threads for first attempts and as many for second ones.
"""

from __future__ import annotations

import math
import threading
from collections import deque

from orchestrator.client._process.workers import Workers

PERCENTILE = 0.95
"""The share of a region's answers that come sooner than it is waited for them."""

KEPT, ENOUGH, EVERY = 200, 50, 10
"""Answers that an estimate is made from: the newest, at least, and after how many it is renewed."""

MOST_TOKENS = 10.0
"""Hedges in a row at most, after a time without any."""

THREADS = 32
"""First attempts under way at most, and second ones. What finds no room is not hedged."""

COUNTS = ("reads", "asked", "won", "no_room")
"""What is counted; see `Hedges`."""

HEDGED = frozenset(
    {
        "batch_execute_statement",
        "batch_get_item",
        "execute_statement",
        "get_item",
        "query",
        "scan",
    }
)
"""Operations that read items, and may do so in any region."""


class Estimate:
    """How long a region takes for an operation. Not for several threads at once."""

    __slots__ = ("_new", "_newest", "p95")

    def __init__(self) -> None:
        self._newest: deque[float] = deque(maxlen=KEPT)
        self._new = 0
        self.p95: float | None = None

    def add(self, seconds: float) -> None:
        """One more answer, and how long it took."""
        self._newest.append(seconds)
        self._new += 1
        if self._new >= EVERY and len(self._newest) >= ENOUGH:
            self._new = 0
            ordered = sorted(self._newest)
            self.p95 = ordered[math.ceil(PERCENTILE * len(ordered)) - 1]


class Hedges:
    """share: of the reads that may be hedged, the part that may be sent twice, above 0, at most 1.

    The counts: `reads` that might have been hedged, those for which a second region was `asked`,
    those that the second one `won`, and those that had no thread (`no_room`).
    """

    def __init__(self, share: float, threads: int = THREADS) -> None:
        self._share = share
        self.firsts, self.seconds = Workers(threads), Workers(threads)
        self._estimates: dict[tuple[str, str], Estimate] = {}
        self._lock = threading.Lock()
        self._tokens = 0.0
        self.reads = self.asked = self.won = self.no_room = 0

    def begin(self) -> None:
        """A read begins that may be hedged."""
        with self._lock:
            self.reads += 1
            self._tokens = min(MOST_TOKENS, self._tokens + self._share)

    def measured(self, region: str, operation: str, seconds: float) -> None:
        """The region has answered such a read, after so many seconds."""
        with self._lock:
            estimate = self._estimates.get((region, operation))
            if estimate is None:
                estimate = self._estimates[region, operation] = Estimate()
            estimate.add(seconds)

    def patience(self, region: str, operation: str) -> float | None:
        """Seconds after which a second region is asked. None: none is asked.

        It is unknown how long the region takes, or there is no token.
        """
        estimate = self._estimates.get((region, operation))
        return estimate.p95 if estimate is not None and self._tokens >= 1 else None

    def spend(self) -> bool:
        """Take a token; False if another call has taken the last one."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            self.asked += 1
            return True

    def unspent(self) -> None:
        """There was no thread for what a token was taken for."""
        with self._lock:
            self._tokens += 1
            self.asked -= 1
            self.no_room += 1

    def crowded(self) -> None:
        """There was no thread for the first attempt: it is made without one, and not hedged."""
        with self._lock:
            self.no_room += 1

    def has_won(self) -> None:
        """The second region was the first to answer."""
        with self._lock:
            self.won += 1

    def stats(self) -> dict[str, int]:
        """The counts."""
        return {name: getattr(self, name) for name in COUNTS}

    def close(self) -> None:
        """End the threads, those of attempts that are under way with their attempts."""
        self.firsts.close()
        self.seconds.close()

    def after_fork(self) -> None:
        """In a child process: new threads. What is known of the regions holds there too."""
        self._lock = threading.Lock()
        self.firsts.after_fork()
        self.seconds.after_fork()
        self.reads = self.asked = self.won = self.no_room = 0
