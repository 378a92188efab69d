"""The local circuit breaker of one region, for reads or for writes: it stops asking before the
orchestrator has spoken.

A budget, as gRPC throttles its retries (gRFC A6): each failure takes 1 from it, each success gives
a tenth back, up to the full budget; at nothing left the breaker opens. So a few failures in a row
open it at once, a share of failures above a ninth opens it in time, and stray ones never do.

While it is open the region is not asked. After a pause, which doubles each time up to a bound, ONE
call is let through (half-open): it closes the breaker or opens it again.

A failure is the region's, or the request's. `failed`: the region's for certain, because there was
no connection, or because another region answered the same request. `throttled`: the region answered
that it will not serve this now. `suspected`: no answer or a 5xx, and no region answered the
request. One poisonous item fails like this everywhere, however often it is asked for, in regions
that answer everything else. So a suspicion counts only

    the first time      that this request is suspected here, or
    in company          while at least three different requests are suspected since the last success

From this follows: up to two poisonous requests cost two failures of the budget in all and never
open a breaker, however often they are repeated and whatever comes between. And a region that
answers nothing is left after five failures in a row, as if all were certain, unless they are of
fewer than three different requests.

Only `failed` and `suspected` make a region `dead`, which is what a write without an alternative
uses: throttling a share of the writes must not become a refusal of all.

Own code, because of what the known libraries do not: see `docs/decisions/`. No lock is held while a
call runs, and a closed breaker costs its callers no lock at all.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from enum import StrEnum

BUDGET = 5.0
"""Failures in a row that open the breaker."""

REFUND = 0.1
"""What one success gives back."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 2.0
"""Seconds that an open breaker waits before it lets one call through: short, as it is usually a
probe beside the requests, and while all breakers are open every call fails."""

DIFFERENT = 3
"""So many requests that fail without a success between are taken for the region's fault."""

KEPT = 64
"""Suspected requests that are remembered, the newest ones."""

LEASE = 5.0
"""Seconds after which the one call that was let through counts as lost, and another may try."""


class Need(StrEnum):
    """What a region is asked for. Each has a breaker: writes may hang while reads are well."""

    READ = "read"
    WRITE = "write"


class BreakerState(StrEnum):
    """Values are what is logged and shown."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """One region's. budget: failures in a row that open it. clock: monotonic seconds.

    on_change: told the state before and after, outside of every lock.
    """

    def __init__(
        self,
        budget: float = BUDGET,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[BreakerState, BreakerState], None] | None = None,
    ) -> None:
        if budget < 1:
            raise ValueError(f"budget is {budget:g}; it must be at least 1 failure")
        self._budget = budget
        self._clock = clock
        self._on_change = on_change
        self._lock = threading.Lock()
        self._left = budget
        self._in_a_row = 0
        self._suspects: dict[int, None] = {}  # remembered, the oldest first
        self._company: set[int] = set()  # those since the last success
        self._pause = FIRST_PAUSE
        self._again_at = 0.0
        self.state = BreakerState.CLOSED

    def allows(self) -> bool:
        """Whether to ask the region now. True of a half-open one for exactly one caller.

        Who was allowed must say what came of it: `succeeded`, `failed`, `suspected`, `throttled`,
        or `untried`.
        """
        return self.state is BreakerState.CLOSED or self._may_try()

    @property
    def dead(self) -> bool:
        """Whether everything failed lately, without one answer in between."""
        return self.state is not BreakerState.CLOSED and self._in_a_row >= self._budget

    @property
    def tries_at(self) -> float | None:
        """When (monotonic seconds) the next call may be let through; None while closed."""
        return None if self.state is BreakerState.CLOSED else self._again_at

    def succeeded(self) -> None:
        """The region answered as it should; also a condition that failed is such an answer."""
        if self._left >= self._budget and not self._in_a_row and not self._company:
            return  # the usual case: nothing to write
        with self._lock:
            before = self.state
            self._in_a_row = 0
            self._company.clear()
            if before is BreakerState.CLOSED:
                self._left = min(self._budget, self._left + REFUND)
            elif (
                before is BreakerState.HALF_OPEN
            ):  # while open, answers to older calls close nothing
                self.state, self._left, self._pause = BreakerState.CLOSED, self._budget, FIRST_PAUSE
        self._tell(before)

    def failed(self) -> None:
        """The region did not answer, or with a 5xx, and it is not the request's fault."""
        self._spend(broken=True)

    def throttled(self) -> None:
        """The region answered that it will not serve this now."""
        self._spend(broken=False)

    def suspected(self, request: int, *, answered: bool = False) -> None:
        """It may be the region's fault or the request's. request: the same number for the same one.

        answered: the region answered, but too late.
        """
        with self._lock:
            before = self.state
            new = request not in self._suspects
            self._remember(request)
            if new or len(self._company) >= DIFFERENT or before is BreakerState.HALF_OPEN:
                self._count(broken=not answered)
        self._tell(before)

    def trip(self) -> None:
        """Open it: what is known of the region elsewhere is enough."""
        with self._lock:
            before = self.state
            if before is BreakerState.CLOSED:
                self._in_a_row, self._left = max(self._in_a_row, math.ceil(self._budget)), 0.0
                self._open()
        self._tell(before)

    def believe(self) -> None:
        """The region is well, whatever was counted. For tests of applications."""
        with self._lock:
            before, self.state = self.state, BreakerState.CLOSED
            self._in_a_row, self._left, self._pause = 0, self._budget, FIRST_PAUSE
            self._company.clear()
        self._tell(before)

    def untried(self) -> None:
        """Who was allowed did not try: the next one may."""
        with self._lock:
            before = self.state
            if before is BreakerState.HALF_OPEN:
                self.state, self._again_at = BreakerState.OPEN, self._clock()
        self._tell(before)

    def after_fork(self) -> None:
        """In a child process: the lock may be held by nobody."""
        self._lock = threading.Lock()

    def _spend(self, *, broken: bool) -> None:
        with self._lock:
            before = self.state
            self._count(broken=broken)
        self._tell(before)

    def _count(self, *, broken: bool) -> None:
        self._in_a_row = self._in_a_row + 1 if broken else 0
        self._left = max(0.0, self._left - 1)
        spent = self.state is BreakerState.CLOSED and self._left <= 0
        if spent or self.state is BreakerState.HALF_OPEN:
            self._open()

    def _remember(self, request: int) -> None:
        self._suspects.pop(request, None)
        self._suspects[request] = None
        if len(self._suspects) > KEPT:
            del self._suspects[next(iter(self._suspects))]
        if len(self._company) < KEPT:
            self._company.add(request)

    def _open(self) -> None:
        self.state = BreakerState.OPEN
        spread = random.uniform(0.8, 1.2)  # noqa: S311  # spreads load, guards nothing
        self._again_at = self._clock() + self._pause * spread
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _may_try(self) -> bool:
        with self._lock:
            before, now = self.state, self._clock()
            if before is BreakerState.CLOSED:
                return True
            if now < self._again_at:
                return False
            self.state, self._again_at = BreakerState.HALF_OPEN, now + LEASE
        self._tell(before)
        return True

    def _tell(self, before: BreakerState) -> None:
        after = self.state
        if after is not before and self._on_change:
            self._on_change(before, after)
