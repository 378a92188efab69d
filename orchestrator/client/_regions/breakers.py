"""The two breakers of one region, one for reads and one for writes.

Each counts its own calls: a region whose writes hang is left by writes, though its reads are well.
One thing concerns both. A connection that is not made says nothing about reads or writes, so
failures to connect are also counted together. Five in a row, without an answer to either between,
open both.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from orchestrator.client._regions.breaker import BUDGET, Breaker, BreakerState, Need

OnChange = Callable[[Need, BreakerState, BreakerState], None]


class Breakers:
    """One region's. clock: monotonic seconds. on_change: told the kind, and the state before and
    after, outside of every lock.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, on_change: OnChange | None = None
    ) -> None:
        def told(need: Need) -> Callable[[BreakerState, BreakerState], None]:
            return lambda before, after: on_change(need, before, after) if on_change else None

        self.read = Breaker(clock=clock, on_change=told(Need.READ))
        self.write = Breaker(clock=clock, on_change=told(Need.WRITE))
        self._lock = threading.Lock()
        self._unreached = 0

    def of(self, need: Need) -> Breaker:
        """The one for this kind of call."""
        return self.read if need is Need.READ else self.write

    @property
    def state(self) -> BreakerState:
        """The worse one of both."""
        states = (self.read.state, self.write.state)
        worst = (BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED)
        return next(one for one in worst if one in states)

    def succeeded(self, need: Need) -> None:
        """The region answered as it should."""
        if self._unreached:
            with self._lock:
                self._unreached = 0
        self.of(need).succeeded()

    def believe(self) -> None:
        """The region is well: what its probes would find out a little later. For tests."""
        for breaker in (self.read, self.write):
            breaker.believe()

    def unreachable(self, need: Need) -> None:
        """There was no connection."""
        with self._lock:
            self._unreached += 1
            both = self._unreached >= BUDGET
        self.of(need).failed()
        if both:
            self.read.trip()
            self.write.trip()
