"""What is done beside the requests so that no request has to: warm connections, half-open probes.

A region that gets no requests has no open connections, and the first ones after a failover would
all shake hands at once, across an ocean, with credentials that nobody asked for in hours. So every
region is asked something small now and then. The same question is put to a region whose breaker is
open, so that no user's request has to find out whether it is back. A breaker for writes is only
closed by a write, so that a region whose reads are well is not taken for one whose writes are.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from orchestrator.client._process.fork import Background, work
from orchestrator.client._process.loop import Failing, InBackground, Loop
from orchestrator.client._process.once import WELL, Once, kind_of
from orchestrator.client._regions import attempt
from orchestrator.client._regions.breaker import LEASE, BreakerState, Need
from orchestrator.client._regions.outcome import FAILURES, Failure, FailureKind, kind
from orchestrator.client._regions.regions import Regions, RoutedRegion

_LOG = logging.getLogger(__name__)

WARM_EVERY = 20.0
"""Seconds without an answer after which a region is asked something; shorter than idle timeouts."""

WARM_CONNECTIONS = 2
"""Connections kept open to a region that gets no requests."""

ROUND = 0.5
"""Seconds between two looks at what is due, spread by a fifth."""

_FAILING = Failing(
    "keeping the regions warm failed",
    "Requests go on without it",
    "keeping the regions warm works again",
    bug=True,
)


class Keeper(InBackground):
    """Keeps the regions' connections warm and tries open breakers.

    One thread, and short-lived ones for what may hang; all are daemons, so that none keeps the
    process from ending.

    ask: the small question, for one region. write: a write that changes nothing, for one region,
    which returns if the region took it for a write; None: one user's write finds out. also: called
    in every round (credentials). warm_every: seconds. patience: seconds for one question.
    """

    def __init__(
        self,
        regions: Regions,
        ask: Callable[[RoutedRegion], object],
        also: Callable[[], None] = lambda: None,
        *,
        warm_every: float = WARM_EVERY,
        write: Callable[[RoutedRegion], object] | None = None,
        patience: float = LEASE,
    ) -> None:
        self._regions = regions
        self._ask = ask
        self._write = write
        self._patience = patience
        self._also = also
        self._warm_every = warm_every
        self._loop = Loop("region-keeper", self._round, _FAILING, every=ROUND, first=ROUND)
        self._reset()

    def _reset(self) -> None:
        self._asking: dict[tuple[str, Need], list[threading.Thread]] = {}
        self._unwritten: set[str] = set()  # where the write is not taken: a user's finds out
        self._renewing: threading.Thread | None = None
        self._once = Once()

    def after_fork(self) -> None:
        """In a child process: begin again if the parent had begun."""
        self._reset()
        super().after_fork()

    def _round(self) -> None:
        self._renew()
        for region in self._regions.all():
            self._look(region)

    def _renew(self) -> None:
        """What may hang has a thread of its own, one at a time."""
        if self._renewing is None or not self._renewing.is_alive():
            self._renewing = _begin(self._also)

    def _look(self, region: RoutedRegion) -> None:
        closed = region.breakers.read.state is BreakerState.CLOSED
        idle = closed and time.monotonic() - region.used > self._warm_every
        self._try(region, Need.READ, WARM_CONNECTIONS if idle else 0)
        if self._write is not None and region.name not in self._unwritten:
            self._try(region, Need.WRITE, 0)

    def _try(self, region: RoutedRegion, need: Need, warm: int) -> None:
        """Ask if the breaker is open and may be tried, else so often; not while others wait."""
        key, breaker = (region.name, need), region.breakers.of(need)
        if any(one.is_alive() for one in self._asking.get(key, ())):
            return
        if breaker.state is not BreakerState.CLOSED:
            warm = 1 if breaker.allows() else 0
        self._asking[key] = [_begin(self._put, region, need) for _ in range(warm)]

    def _put(self, region: RoutedRegion, need: Need) -> None:
        attempt.begin(self._patience)  # a region may send a byte now and then, for ever
        try:
            self._ask(region) if need is Need.READ or self._write is None else self._write(region)
        except FAILURES as error:
            if not self._answers(region, need, error):
                return
        except Exception as error:  # noqa: BLE001  # credentials and the like: no fault of the region
            if self._once.is_new(region.name, kind_of(error)):
                _LOG.warning("%s was not asked: %s", region.name, error)
            return
        finally:
            attempt.end()
        self._once.is_new(region.name, WELL)
        region.breakers.succeeded(need)
        region.used = time.monotonic()

    def _answers(self, region: RoutedRegion, need: Need, error: Failure) -> bool:
        """Whether the region is well by this error of it; if not, its breaker learns so."""
        breaker = region.breakers.of(need)
        match kind(error):
            case FailureKind.NOT_SENT:
                region.breakers.unreachable(need)
            case FailureKind.UNKNOWN:
                breaker.failed()
            case FailureKind.THROTTLED:
                breaker.throttled()
            case FailureKind.ANSWERED | FailureKind.DENIED if need is Need.WRITE:
                self._leave_to_users(region, error)
            case FailureKind.ANSWERED | FailureKind.BUSY | FailureKind.CROWDED | FailureKind.DENIED:
                return True
        return False

    def _leave_to_users(self, region: RoutedRegion, error: Exception) -> None:
        """The write was refused before it was one: it says nothing about writes."""
        _LOG.warning(
            "writes to %s cannot be tried beside the requests (%s): a request of the application"
            " finds out when they are possible again. Allow dynamodb:UpdateItem on the item"
            " client#probe of the health table, whose key is pk",
            region.name,
            error,
        )
        self._unwritten.add(region.name)
        region.breakers.write.untried()


def _begin(call: Callable[..., object], *arguments: object) -> threading.Thread:
    def run(_: Callable[[], bool]) -> None:
        with work():
            call(*arguments)

    thread = Background(run, "region-keeper-asks")
    thread.start()
    return thread
