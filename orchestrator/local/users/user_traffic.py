"""User traffic at a steady rate, and what became of every single request.

The loop is open: a request is sent when its time has come, whether or not earlier ones have been
answered, as independent users do; so an outage cannot hide behind a client that waits. What the
record means (outages, who served) is in `traffic_record`; nothing is judged here.
"""

import asyncio
import errno
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import aiohttp

from orchestrator.local.process.loop_thread import LoopThread
from orchestrator.local.process.wait import wait_until
from orchestrator.local.users.traffic_record import Sample


class UserTraffic:
    """Users who ask `url`, `rate` of them a second, each giving up after `timeout` seconds.

    `rate` must be greater than 0. A context manager: traffic flows within it. The record can be
    read at any time, also afterwards.
    """

    def __init__(self, url: str, rate: float = 50.0, timeout: float = 1.0) -> None:
        self.url = url
        self.rate = rate
        self.timeout = timeout
        self._samples: list[Sample] = []
        self._thread: LoopThread | None = None
        self._sender: asyncio.Future[None] | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Begin to send; the record goes on where it ended. Raises RuntimeError if it flows."""
        if self._thread is not None:
            raise RuntimeError("traffic flows already")
        self._stopping = asyncio.Event()
        self._thread = LoopThread("traffic")
        self._thread.run(self._begin())

    def stop(self) -> None:
        """Send nothing more and wait for the requests under way. Idempotent."""
        if self._thread is not None:
            self._thread.run(self._end())
            self._thread.stop()
            self._thread = None

    @property
    def samples(self) -> tuple[Sample, ...]:
        """All requests that have ended so far, in the order in which they were started."""
        return tuple(sorted(self._samples.copy(), key=lambda sample: sample.started))

    def wait_for(
        self, condition: Callable[[tuple[Sample, ...]], bool], within: float, what: str
    ) -> tuple[Sample, ...]:
        """Wait until `condition` holds for the record and return it. Raises TimeoutError."""
        return wait_until(lambda: found if condition(found := self.samples) else (), within, what)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def _begin(self) -> None:
        self._sender = asyncio.ensure_future(self._send())

    async def _end(self) -> None:
        self._stopping.set()
        if self._sender is not None:
            await self._sender

    async def _send(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self.timeout)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            requests: set[asyncio.Task[None]] = set()
            first, sent = time.monotonic(), 0
            while not self._stopping.is_set():
                request = asyncio.create_task(self._ask(session))
                requests.add(request)
                request.add_done_callback(requests.discard)
                sent += 1
                await asyncio.sleep(first + sent / self.rate - time.monotonic())
            await asyncio.gather(*requests)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        at, started = datetime.now(UTC), time.monotonic()
        status, region, error = None, None, None
        try:
            async with session.get(self.url, allow_redirects=False) as answer:
                status = answer.status
                region = _region(await answer.read())
        except (aiohttp.ClientError, OSError) as problem:
            error = _kind(problem)
        seconds = time.monotonic() - started
        self._samples.append(Sample(started, at, seconds, status, error, region))


def _region(body: bytes) -> str | None:
    """The region that the answer names, None if it names none."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    region = document.get("region") if isinstance(document, dict) else None
    return region if isinstance(region, str) else None


def _kind(problem: Exception) -> str:
    """One word for what went wrong."""
    if isinstance(problem, TimeoutError):
        return "timeout"
    if isinstance(problem, aiohttp.ServerDisconnectedError):
        return "closed"
    number = problem.errno if isinstance(problem, OSError) else None
    known = {errno.ECONNREFUSED: "refused", errno.ECONNRESET: "reset", errno.EPIPE: "reset"}
    return known.get(number or 0, type(problem).__name__)
