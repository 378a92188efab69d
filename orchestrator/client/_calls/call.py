"""One call under way: its deadline, its attempts, and what is known of them.

It knows no region and makes no attempt; that is `calls`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.client._calls.routing import Consistency, ServiceMode
from orchestrator.client._regions.outcome import Failure
from orchestrator.client._regions.regions import READ_TIMEOUT, RoutedRegion

Ask = Callable[[RoutedRegion], Any]
"""Makes one attempt at a region, and gives its answer."""

DEADLINE = 3.0
"""Seconds that a call may take in all."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.8
"""Seconds between attempts at a region that throttles; doubled, and spread from nothing to all."""

TOKEN, TOKEN_LIFE = "ClientRequestToken", 600.0
"""What makes a transaction known to a region, and the seconds for which the region remembers it."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time that calls go by. monotonic: in seconds. rest: lets so many seconds pass."""

    monotonic: Callable[[], float] = time.monotonic
    rest: Callable[[float], None] = time.sleep  # back-off: there is no event to wait for


class OnStale(StrEnum):
    """What happens to writes while the document is older than `max_staleness`."""

    SERVE = "serve"
    REFUSE_WRITES = "refuse-writes"


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of one call. deadline: seconds. idempotent: a write may be done twice."""

    deadline: float = DEADLINE
    idempotent: bool = False


@dataclass(slots=True)
class Call:
    """One call under way.

    ask: makes one attempt at a region.
    tried: regions and what they said. unknown: one attempt may have been executed. safe: it may be
    repeated then, in any region. token: DynamoDB itself executes it once, in the region that knows
    the token. only: that region, once one attempt there is unknown. reread: the document was read
    again for it. freezes: how many there were when it was decided where to send it; None: it may be
    sent whatever happened since. last: what the last attempt came to. asked: the regions that it
    was tried in. failed: those of them that did not answer. suspects: the same once for each
    attempt, until it is known whose fault it was. stays: the region that throttled it, where it
    goes again. denied: what the first region said that does not know us or the table. home: of what
    it is about; None: the process's. hedged: a second region may be asked beside the first.
    beside: those that were asked so in this round.
    """

    operation: str
    kwargs: Mapping[str, Any]
    ask: Ask
    deadline: float
    safe: bool = True
    token: bool = False
    only: str | None = None
    tried: list[tuple[str, str]] = field(default_factory=list)
    unknown: bool = False
    reread: bool = False
    freezes: int | None = None
    pause: float = FIRST_PAUSE
    last: Failure | None = None
    asked: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    suspects: list[RoutedRegion] = field(default_factory=list)
    stays: str | None = None
    denied: Failure | None = None
    home: str | None = None
    hedged: bool = False
    beside: set[str] = field(default_factory=set)
    clock: Clock = field(default_factory=Clock)
    begun: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.clock.monotonic()

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.begun + self.deadline - self.clock.monotonic()

    def may_go_to(self, region: str) -> bool:
        """Whether a repeat there is safe: with a token alone only where it was sent, in time."""
        if self.only is None:
            return True
        return region == self.only and self.clock.monotonic() - self.begun < TOKEN_LIFE

    def time_for_another(self, needed: float) -> bool:
        """Whether an attempt that hangs would still end within the deadline.

        The first may always be made; of a deadline that is shorter than attempts are, each of three
        has a third.
        """
        return self.last is None or self.left >= min(needed, self.deadline / 3)

    def rest(self) -> bool:
        """Pause before the same region is asked again; False when there is no time for it."""
        seconds = random.uniform(0, self.pause)  # noqa: S311  # spreads load, guards nothing
        self.pause = min(self.pause * 2, LONGEST_PAUSE)
        if seconds >= self.left:
            return False
        self.clock.rest(seconds)
        return True


@dataclass(frozen=True, slots=True)
class Settings:
    """How an application uses the regions; see `MultiRegionDynamoDB`."""

    home: str | None
    mode: ServiceMode
    consistency: Consistency = Consistency.MREC
    on_stale: OnStale = OnStale.SERVE
    consistent_fallback: bool = False
    attempt: float = READ_TIMEOUT
