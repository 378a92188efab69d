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

from orchestrator.client import attempt
from orchestrator.client.breaker import LEASE, BreakerState, Need
from orchestrator.client.fork import Background, work
from orchestrator.client.outcome import FAILURES, Kind, kind
from orchestrator.client.regions import Region, Regions

_LOG = logging.getLogger(__name__)

WARM_EVERY = 20.0
"""Seconds without an answer after which a region is asked something; shorter than idle timeouts."""

WARM_CONNECTIONS = 2
"""Connections kept open to a region that gets no requests."""

ROUND = 0.5
"""Seconds between two looks at what is due."""


class Keeper:
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
        ask: Callable[[Region], object],
        also: Callable[[], None] = lambda: None,
        *,
        warm_every: float = WARM_EVERY,
        write: Callable[[Region], object] | None = None,
        patience: float = LEASE,
    ) -> None:
        self._regions = regions
        self._ask = ask
        self._write = write
        self._patience = patience
        self._also = also
        self._warm_every = warm_every
        self._reset()

    def _reset(self) -> None:
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._asking: dict[tuple[str, Need], list[threading.Thread]] = {}
        self._unwritten: set[str] = set()  # where the write is not taken: a user's finds out
        self._renewing: threading.Thread | None = None
        self._troubles: dict[str, str] = {}

    def start(self) -> None:
        """Begin. Idempotent."""
        if self._thread is None and not self._stopping.is_set():
            self._thread = Background(self._run, "region-keeper")
            self._thread.start()

    def close(self) -> None:
        """End; waits for nothing but its own round. Idempotent."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=2.0)

    def after_fork(self) -> None:
        """In a child process: begin again if the parent had begun."""
        running = self._thread is not None and not self._stopping.is_set()
        self._reset()
        if running:
            self.start()

    def _run(self, at_home: Callable[[], bool]) -> None:
        stopping = self._stopping
        while not stopping.wait(ROUND) and at_home():
            try:
                self._renew()
                for region in self._regions.all():
                    self._look(region)
            except Exception:  # noqa: BLE001  # this thread must outlive every fault
                _LOG.exception("keeping the regions warm failed; requests go on without it")

    def _renew(self) -> None:
        """What may hang has a thread of its own, one at a time."""
        if self._renewing is None or not self._renewing.is_alive():
            self._renewing = _begin(self._also)

    def _look(self, region: Region) -> None:
        closed = region.breakers.read.state is BreakerState.CLOSED
        idle = closed and time.monotonic() - region.used > self._warm_every
        self._try(region, Need.READ, WARM_CONNECTIONS if idle else 0)
        if self._write is not None and region.name not in self._unwritten:
            self._try(region, Need.WRITE, 0)

    def _try(self, region: Region, need: Need, warm: int) -> None:
        """Ask if the breaker is open and may be tried, else so often; not while others wait."""
        key, breaker = (region.name, need), region.breakers.of(need)
        if any(one.is_alive() for one in self._asking.get(key, ())):
            return
        if breaker.state is not BreakerState.CLOSED:
            warm = 1 if breaker.allows() else 0
        self._asking[key] = [_begin(self._put, region, need) for _ in range(warm)]

    def _put(self, region: Region, need: Need) -> None:
        breaker = region.breakers.of(need)
        attempt.begin(self._patience)  # a region may send a byte now and then, for ever
        try:
            self._ask(region) if need is Need.READ or self._write is None else self._write(region)
        except FAILURES as error:
            match kind(error):
                case Kind.NOT_SENT:
                    region.breakers.unreachable(need)
                    return
                case Kind.UNKNOWN:
                    breaker.failed()
                    return
                case Kind.THROTTLED:
                    breaker.throttled()
                    return
                case Kind.ANSWERED | Kind.DENIED if need is Need.WRITE:
                    self._leave_to_users(region, error)
                    return
                case Kind.ANSWERED | Kind.BUSY | Kind.CROWDED | Kind.DENIED:
                    pass
        except Exception as error:  # noqa: BLE001  # credentials and the like: no fault of the region
            if self._troubles.get(region.name) != str(error):  # once for each change
                _LOG.warning("%s was not asked: %s", region.name, error)
            self._troubles[region.name] = str(error)
            return
        finally:
            attempt.end()
        self._troubles.pop(region.name, None)
        region.breakers.succeeded(need)
        region.used = time.monotonic()

    def _leave_to_users(self, region: Region, error: Exception) -> None:
        """The write was refused before it was one: it says nothing of writes."""
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
