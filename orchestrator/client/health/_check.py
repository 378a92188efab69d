"""The health of this region's application, as load balancers and uptime checks ask for it.

    /healthz           200 where the region's table answers and the application's own checks pass
    /healthz/primary   200 where that is so AND the region is to have users (`role`)

One read of items of our own in the region's own table is all it costs, and many requests at once
share it. The answer comes within the bound whatever hangs: the read has a thread of its own, and is
given up on (`bounded`). What went wrong is logged, once for each change, and never shown to the one
who asks: the answer has names of checks and regions, and numbers.

What counts as healthy:

- DynamoDB answered. Also that the item does not exist: a table that can say so can serve.
- DynamoDB answered that it is throttling. It serves what it can; to leave the region for that would
  take its whole load to a table that throttles next. It is reported as `throttled`.
- Nothing else: an error, a refused permission, a missing table or no answer in time are failing.

How old the document is changes nothing about health, and is reported as `document`.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

from orchestrator.client._calls.routing import ServiceMode
from orchestrator.client._process.bounded import Lane, NotInTime, gather
from orchestrator.client._process.fork import in_child
from orchestrator.client._process.once import WELL, Once, kind_of
from orchestrator.client.document import DocumentView
from orchestrator.client.health._beat import (
    HEALTH_KEY,
    Beat,
    PeerSight,
    Pulse,
    heartbeat_key,
    judge,
    read_beat,
)
from orchestrator.client.health._own_items import TIMEOUT, Item, ItemsThrottled, OwnItems, now
from orchestrator.client.health._role import OwnRole

_LOG = logging.getLogger(__name__)

TABLE = "dynamodb"
"""Name of the check of the region's table."""


class CheckState(StrEnum):
    """What one check came to. Values equal the JSON."""

    OK = "ok"
    THROTTLED = "throttled"
    FAILING = "failing"
    TIMEOUT = "timeout"


class HealthStatus(StrEnum):
    """What an answer says. Values equal the JSON. LINGERING: the role is lost, see `role`."""

    OK = "ok"
    LINGERING = "lingering"
    STANDBY = "standby"
    UNKNOWN = "unknown"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take, in seconds.

    timeout: for one answer as a whole. cache: how long one measurement serves. linger: see `role`.
    """

    timeout: float = TIMEOUT
    cache: float = 1.0
    linger: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: an HTTP status, and JSON."""

    status: HTTPStatus
    body: bytes


@dataclass(frozen=True, slots=True)
class Health:
    """One measurement. taken: when it ended, monotonic.

    lag: seconds by region; None for a region whose lag is unknown, because its heartbeat is
    missing, stalled or could not be read. None for the whole while no document names the regions.
    Empty where nobody writes heartbeats: then there is nothing to know.
    """

    checks: Mapping[str, CheckState]
    lag: Mapping[str, float | None] | None
    pulses: Mapping[str, Pulse]
    taken: float

    @property
    def ok(self) -> bool:
        """Whether the region can serve users."""
        return all(state in {CheckState.OK, CheckState.THROTTLED} for state in self.checks.values())


_NOTHING = MappingProxyType[str, Item]({})


class HealthCheck:
    """The health of one region. Thread-safe, starts no thread when made, goes on after a fork.

    region: as the document names it. items: of our own, in the region's own table. view: without
    one there is no role and no lag. regions: whose heartbeats are read; None: the document's.
    unknown_carries: whether the region is taken for one that has users before any document was
    read.
    """

    def __init__(
        self,
        region: str,
        items: OwnItems,
        view: DocumentView | None = None,
        *,
        mode: ServiceMode | str = ServiceMode.ACTIVE_PASSIVE,
        regions: Sequence[str] | None = None,
        limits: Limits | None = None,
        unknown_carries: bool = False,
    ) -> None:
        self.region = region
        self.limits = limits or Limits()
        self.unknown_carries = unknown_carries
        self.role = OwnRole(region, view, ServiceMode(mode), self.limits.linger)
        self._view = view
        self._items = items
        self._regions = regions
        self._lanes: dict[str, Lane[object]] = {TABLE: Lane(TABLE, self._read)}
        self._once = Once()
        self._latest: Health | None = None
        self._reset()
        in_child(self, HealthCheck._reset)

    def _reset(self) -> None:
        self._ended = threading.Condition()
        self._measuring = False

    def add(self, name: str, check: Callable[[], object]) -> None:
        """Have a check of the application's own made too, beside the table's.

        It passes unless it returns False or raises. What has not returned when the time is over
        is a timeout, and goes on in its thread; at most two of them hang at once.
        """
        if name in self._lanes:
            raise ValueError(f"there is a check {name!r} already: give this one another name")
        self._lanes = {**self._lanes, name: Lane(name, check)}

    # --- what is answered

    def answer(self, health: Health | None = None) -> Answer:
        """Whether the region can serve users. Takes no longer than the timeout.

        health: a measurement that serves (`recent`); with one it takes no time.
        """
        health = health or self.measure()
        return self._answer(HealthStatus.OK if health.ok else HealthStatus.FAILING, health)

    def answer_primary(self, health: Health | None = None) -> Answer:
        """Whether it can serve users and, as the primary, must get them. As `answer`."""
        health = health or self.measure()
        standing = self.role.now()
        carries = self.unknown_carries if standing.carries is None else standing.carries
        if not health.ok:
            status = HealthStatus.FAILING
        elif carries:
            status = HealthStatus.OK
        elif standing.lingers:
            status = HealthStatus.LINGERING
        else:
            status = HealthStatus.UNKNOWN if standing.carries is None else HealthStatus.STANDBY
        return self._answer(status, health)

    def _answer(self, status: HealthStatus, health: Health) -> Answer:
        document = self.role.now().document
        told = {
            "status": status,
            "region": self.region,
            "checks": health.checks,
            "replication_lag_seconds": health.lag,
            "heartbeats": health.pulses,
            "document": self._age(),
            "revision": document.revision if document else None,
            "epoch": document.epoch if document else None,
        }
        good = status in {HealthStatus.OK, HealthStatus.LINGERING}
        code = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        return Answer(code, json.dumps(told).encode())

    def _age(self) -> str:
        if self._view is None or self._view.latest is None:
            return "none"
        return "stale" if self._view.stale else "fresh"

    # --- how it is measured

    @property
    def recent(self) -> Health | None:
        """The last measurement, if it still serves."""
        latest = self._latest
        if latest is None or time.monotonic() - latest.taken >= self.limits.cache:
            return None
        return latest

    def measure(self) -> Health:
        """The health now, or a moment ago. Callers at once share one measurement."""
        until = time.monotonic() + self.limits.timeout
        with self._ended:
            begun = self._latest
            self._ended.wait_for(
                lambda: not self._measuring or self._latest is not begun, until - time.monotonic()
            )
            if (recent := self.recent) is not None:
                return recent
            if self._latest is not None and self._latest is not begun:
                return self._latest  # it ended while we waited for it
            if self._measuring:  # the measuring thread was held up longer than it may take
                return self._gave_up()
            self._measuring = True
        try:
            self._latest = self._measure()
        finally:
            with self._ended:
                self._measuring = False
                self._ended.notify_all()
        return self._latest

    def _gave_up(self) -> Health:
        checks = dict.fromkeys(self._lanes, CheckState.TIMEOUT)
        return Health(checks, {}, {}, time.monotonic())

    def _measure(self) -> Health:
        results = gather(self._lanes, self.limits.timeout)
        checks = {name: self._state(name, result) for name, result in results.items()}
        read = results[TABLE]
        lag, pulses = self._behind(read if isinstance(read, Mapping) else None)
        return Health(checks, lag, pulses, time.monotonic())

    def _read(self) -> Mapping[str, Item]:
        keys = [heartbeat_key(region) for region in self._measured()]
        return self._items.read(HEALTH_KEY, *keys)

    def _measured(self) -> Sequence[str]:
        """The regions whose heartbeats are read, the own one among them; none where it is alone."""
        document = self._view.latest if self._view else None
        regions = self._regions or (document.names if document else ())
        return tuple(dict.fromkeys((self.region, *regions))) if regions else ()

    def _behind(
        self, items: Mapping[str, Item] | None
    ) -> tuple[dict[str, float | None] | None, dict[str, Pulse]]:
        """Lag and heartbeats of the other regions. items: None where they could not be read."""
        names = self._measured()
        others = [name for name in names if name != self.region]
        if self._view is not None and not names:
            return None, {}
        if items is None:
            return dict.fromkeys(others), {}
        beats = {name: read_beat(items.get(heartbeat_key(name))) for name in names}
        lags, pulses = _judged(beats, others)
        for name, pulse in pulses.items():
            good = pulse in {Pulse.FRESH, Pulse.MISSING}
            self._tell(f"heartbeat of {name}", pulse, pulse, good=good, usual=good)
        return lags if any(beats.values()) else {}, pulses

    # --- what is logged

    def _state(self, name: str, result: object) -> CheckState:
        finding = _judge_check(result)
        if name == TABLE and finding.state is CheckState.OK and HEALTH_KEY not in _keys(result):
            finding = _NO_ITEM
        good = finding.state is CheckState.OK
        text = ": ".join(filter(None, (finding.state, finding.why)))
        kind = (finding.state, finding.kind)
        self._tell(f"check {name}", text, kind, good=good, usual=good and not finding.why)
        return finding.state

    def _tell(self, what: str, text: str, kind: object, *, good: bool, usual: bool) -> None:
        """Say it once for each change of kind. usual: not if it was so from the start."""
        if self._once.is_new(what, kind, usual=usual):
            level = logging.INFO if good else logging.WARNING
            _LOG.log(level, "health of %s: %s: %s", self.region, what, text)


@dataclass(frozen=True, slots=True)
class _Finding:
    """What a check came to. why: for people. kind: of the trouble, see `once`."""

    state: CheckState
    why: str = ""
    kind: object = WELL


_NO_ITEM = _Finding(
    CheckState.OK,
    f"the item {HEALTH_KEY} is not in the table: it answers, so it counts as healthy",
    "no item",
)


def _judge_check(result: object) -> _Finding:
    match result:
        case ItemsThrottled():
            return _Finding(CheckState.THROTTLED, str(result), kind_of(result))
        case NotInTime() | TimeoutError():
            return _Finding(CheckState.TIMEOUT, str(result), kind_of(result))
        case BaseException():
            why = f"{type(result).__name__}: {result}"
            return _Finding(CheckState.FAILING, why, kind_of(result))
        case False:
            return _Finding(CheckState.FAILING, "it returned False")
        case _:
            return _Finding(CheckState.OK)


def _judged(
    beats: Mapping[str, Beat | None], names: Sequence[str]
) -> tuple[dict[str, float | None], dict[str, Pulse]]:
    """Lag and heartbeat of each of these regions."""
    at = now()
    judged = {name: judge(beats[name], at, _sights(name, beats)) for name in names}
    lags = {name: None if lag is None else round(lag, 3) for name, (_, lag) in judged.items()}
    return lags, {name: pulse for name, (pulse, _) in judged.items()}


def _sights(name: str, beats: Mapping[str, Beat | None]) -> list[PeerSight]:
    """What every region whose heartbeat is readable knew of this one's."""
    return [beat.seen[name] for beat in beats.values() if beat and name in beat.seen]


def _keys(result: object) -> Mapping[str, Item]:
    return result if isinstance(result, Mapping) else _NOTHING
