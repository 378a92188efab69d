"""A proxy that does to requests what networks do: delays, cuts, lost answers, answers of its own.

`FaultProxy` stands between a client and one server and passes bodies, queries and headers on as
they are (only `Host` and what concerns the single connection change). Before forwarding it asks
its `hook` for a verdict on the request. It must not judge by itself and never retries.

A client that has gone does not stop a request that the verdict lets through: the network delivers a
dead sender's packets too. An answer that cannot be had from the server is a reset connection.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from orchestrator.local.process.loop_thread import LoopThread
from orchestrator.local.process.loopback import HOST, free_port, url_of
from orchestrator.local.rpc.reset import reset


@dataclass(frozen=True, slots=True)
class Request:
    """What the hook is shown of a request."""

    method: str
    path_qs: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body read as JSON. Raises ValueError if it is not."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Delay:
    """Forward after `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """Do not forward: answer in the server's place."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class ResetBefore:
    """Do not forward: cut the connection. The server has seen nothing."""


@dataclass(frozen=True, slots=True)
class ResetAfter:
    """Forward, then cut the connection without an answer. The server has done its work."""


@dataclass(frozen=True, slots=True)
class RunBeside:
    """Run `before` before forwarding, `after` after the server's answer and before passing it on.

    Both may block: each runs in a thread, and the request waits for it.
    """

    before: Callable[[], object] | None = None
    after: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Forward as soon as `event` is set."""

    event: threading.Event


@dataclass(frozen=True, slots=True)
class Review:
    """Forward, then hand the server's status to `review`: an answer from it takes its place."""

    review: Callable[[int], OwnAnswer | None]


Treatment = Delay | OwnAnswer | ResetBefore | ResetAfter | RunBeside | Hold | Review
Hook = Callable[[Request], Treatment | None]


@dataclass(slots=True)
class Exchange:
    """One request and what became of it; `ended` is None while it is under way.

    `status` is the one the server gave (or the verdict), None if there was none; `delivered` says
    whether an answer was sent back. Times are monotonic seconds.
    """

    method: str
    path_qs: str
    body: bytes
    started: float
    verdict: Treatment | None = None
    status: int | None = None
    delivered: bool = False
    ended: float | None = None
    error: str | None = None


_CONNECTION_HEADERS = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"),
        *("transfer-encoding", "content-length"),  # both are made anew from the whole body
    }
)
_NO_OWN_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_HOLD_PAUSE = 0.002
_LARGEST_BODY = 64 * 2**20


class FaultProxy:
    """A proxy before `target_url`, started by the constructor, in a thread of its own.

    `hook` is asked for every request, on the proxy's loop: it must answer at once (what blocks
    belongs in `RunBeside` or `Hold`); None forwards. `latency` seconds are added to every request.
    """

    def __init__(
        self,
        target_url: str,
        hook: Hook | None = None,
        latency: float = 0.0,
        port: int | None = None,
    ) -> None:
        self.target_url = target_url.rstrip("/")
        self.hook = hook
        self.latency = latency
        self.port = port or free_port()
        self.url = url_of(self.port)
        self._exchanges: list[Exchange] = []
        self._calls = ThreadPoolExecutor(32, thread_name_prefix="proxy-call")
        self._thread = LoopThread("proxy")
        self._runner, self._session = self._thread.run(self._open())

    @property
    def log(self) -> tuple[Exchange, ...]:
        """All exchanges so far, in the order in which the requests came."""
        return tuple(self._exchanges)

    def close(self) -> None:
        """Stop listening and drop what is under way."""
        self._thread.run(self._close())
        self._thread.stop()
        self._calls.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def _open(self) -> tuple[web.AppRunner, aiohttp.ClientSession]:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, HOST, self.port).start()
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            auto_decompress=False,
            skip_auto_headers=_NO_OWN_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None),
        )
        return runner, session

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, incoming: web.Request) -> web.StreamResponse:
        request = Request(
            incoming.method, incoming.raw_path, incoming.headers, await incoming.read()
        )
        exchange = Exchange(request.method, request.path_qs, request.body, time.monotonic())
        self._exchanges.append(exchange)
        try:
            response = await self._judged(request, exchange)
        except Exception as error:  # noqa: BLE001 - an unreachable server, or any code of a hook: cut
            exchange.error = repr(error)
            response = None
        exchange.ended = time.monotonic()
        if response is None:
            reset(incoming)
            return web.Response()
        exchange.delivered = incoming.transport is not None
        return response

    async def _judged(self, request: Request, exchange: Exchange) -> web.Response | None:
        """The answer to give, None to cut the connection."""
        await asyncio.sleep(self.latency)
        verdict = exchange.verdict = self.hook(request) if self.hook else None
        match verdict:
            case ResetBefore():
                return None
            case OwnAnswer():
                exchange.status = verdict.status
                return _response(verdict)
            case Delay(seconds):
                await asyncio.sleep(seconds)
            case Hold(event):
                await _set(event)
            case RunBeside(before=before) if before is not None:
                await self._run(before)
        response = await self._forward(request)
        exchange.status = response.status
        match verdict:
            case ResetAfter():
                return None
            case RunBeside(after=after) if after is not None:
                await self._run(after)
            case Review(review) if (instead := review(response.status)) is not None:
                return _response(instead)
        return response

    async def _forward(self, request: Request) -> web.Response:
        url = URL(self.target_url + request.path_qs, encoded=True)
        sent = _passed_on(request.headers, without={"host"})
        body = request.body or None
        async with self._session.request(
            request.method, url, headers=sent, data=body, allow_redirects=False
        ) as answer:
            content = await answer.read()
            got = _passed_on(answer.headers)
            return web.Response(
                status=answer.status, reason=answer.reason, headers=got, body=content
            )

    async def _run(self, work: Callable[[], object]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._calls, work)


def _response(answer: OwnAnswer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)


def _passed_on(
    headers: Mapping[str, str], without: set[str] | frozenset[str] = frozenset()
) -> CIMultiDict[str]:
    dropped = _CONNECTION_HEADERS | without
    kept = ((name, value) for name, value in headers.items() if name.lower() not in dropped)
    return CIMultiDict(kept)


async def _set(event: threading.Event) -> None:
    while not event.is_set():  # noqa: ASYNC110 - it is set outside of the loop
        await asyncio.sleep(_HOLD_PAUSE)
