"""What one invocation works with: the ports, the clock, identifiers, and its patience."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Paged
from orchestrator.ports import Checks, Gauges, Log, Mirror, Objects, Prober, Topic, Traffic

PATIENCE = 20.0
"""Seconds that an invocation retries before it gives up: a redelivery costs at least 10 s."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 4.0


@dataclass(slots=True)
class Memory:
    """What a process has learnt once and need not ask again.

    silent: regions, by service, whose probe says nothing, and what it met; each is logged once.
    pages: conditions that people were paged for and that no document could keep, by service.
    made: by service, the epochs whose making was looked up, and whether anybody made them.
    """

    documents: set[str] = field(default_factory=set)
    kinds: dict[str, str] = field(default_factory=dict)
    recorded: set[str] = field(default_factory=set)
    flat_file: bool = True
    pages: dict[str, Mapping[str, Paged]] = field(default_factory=dict)
    silent: set[tuple[str, str, str]] = field(default_factory=set)
    made: dict[str, dict[int, bool]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)


@dataclass(frozen=True, slots=True)
class Context:
    """The world as the flow sees it.

    now: the one clock. monotonic, rest: in seconds. jitter: a number between 0.5 and 1.5.
    only_service: no other service shares the state folder. events: where decisions are announced,
    if anywhere. checks: asked where a policy confirms by Monitoring. gauges: written after ticks,
    if anywhere. mirrors: where applications read the document too, if anywhere.
    """

    objects: Objects
    traffic: Traffic
    prober: Prober
    log: Log
    executor: ThreadPoolExecutor
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    monotonic: Callable[[], float]
    rest: Callable[[float], None]
    jitter: Callable[[], float]
    only_service: bool
    events: Topic | None = None
    checks: Checks | None = None
    gauges: Gauges | None = None
    mirrors: tuple[Mirror, ...] = ()
    memory: Memory = field(default_factory=Memory)


class Patience:
    """Jittered pauses between tries, until it is spent; then the error is raised."""

    def __init__(self, context: Context, seconds: float = PATIENCE) -> None:
        self._context = context
        self._seconds = seconds
        self._since: float | None = None
        self._pause = FIRST_PAUSE

    def pause(self, error: FailoverError) -> None:
        """Rest a moment before the next try.

        Raises the error when no time is left for one, or when trying again cannot cure it.
        """
        if error.page:
            raise error
        now = self._context.monotonic()
        self._since = now if self._since is None else self._since
        rest = self._pause * self._context.jitter()
        if now + rest - self._since > self._seconds:
            raise error
        self._context.log("INFO", f"trying again in {rest:.1f} s: {error}")
        self._context.rest(rest)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
