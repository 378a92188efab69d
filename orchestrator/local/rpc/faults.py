"""Faults that a server on the laptop commits on demand, and its record of what it was asked.

`Controls` is one aiohttp middleware and a few routes under `/_laptop/`. Requests to those routes
are neither recorded nor disturbed. The module knows nothing of the API that it disturbs, but for
the form of an error and that an operation may be made to fail.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from aiohttp import web

from orchestrator.local.rpc.reset import reset
from orchestrator.local.rpc.wire import ApiError, Json, JsonObject

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PREFIX = "/_laptop/"
_FAILURE = "operation_failure"  # the key under which a request carries its operation's failure


class FaultKind(StrEnum):
    """What goes wrong.

    status: an error is answered, and nothing done. reset_before: the connection is cut, and nothing
    done. reset_after: it is done, then the connection is cut. operation_error: the operation ends
    with an error and applies nothing. delay: it is done `seconds` late.
    """

    STATUS = "status"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    OPERATION_ERROR = "operation_error"
    DELAY = "delay"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and what it befalls: the next `times` requests that match; empty matches all."""

    kind: FaultKind
    method: str = ""
    path_contains: str = ""
    times: int = 1
    status: int = 503
    reason: str = "backendError"
    seconds: float = 1.0
    message: str = "Injected fault"

    def befalls(self, request: web.Request) -> bool:
        """Whether it is for this request."""
        return self.method in ("", request.method) and self.path_contains in request.path


@dataclass(slots=True)
class Entry:
    """One request: times in seconds of this machine's monotonic clock, None while it is not over.

    `status` is None where no answer was sent; `body` is the JSON, or the text that was none.
    """

    method: str
    path: str
    query: dict[str, str]
    body: Json
    started: float
    ended: float | None = None
    status: int | None = None
    fault: str | None = None


class Controls:
    """The faults yet to come and the requests there were."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._log: list[Entry] = []

    def routes(self) -> list[web.RouteDef]:
        """The routes of the controls."""
        return [
            web.get(PREFIX + "ready", _ready),
            web.get(PREFIX + "log", self._get_log),
            web.delete(PREFIX + "log", self._delete_log),
            web.post(PREFIX + "faults", self._post_faults),
            web.delete(PREFIX + "faults", self._delete_faults),
        ]

    async def watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Record the request and let its fault, if there is one, befall it."""
        if request.path.startswith(PREFIX):
            return await handler(request)
        entry = await _entry(request)
        self._log.append(entry)
        fault = self._next_fault(request)
        entry.fault = fault.kind.value if fault else None
        try:
            response = await _answer(request, handler, fault)
            cut = fault and fault.kind in (FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER)
            entry.status = None if cut else response.status
            return response
        finally:
            entry.ended = time.monotonic()

    def _next_fault(self, request: web.Request) -> Fault | None:
        for place, fault in enumerate(self._faults):
            if fault.befalls(request):
                rest = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                self._faults[place : place + 1] = rest
                return fault
        return None

    async def _get_log(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(entry) for entry in self._log])

    async def _delete_log(self, _: web.Request) -> web.Response:
        self._log.clear()
        return web.json_response({})

    async def _post_faults(self, request: web.Request) -> web.Response:
        """Add faults behind those there are; the answer is all that wait."""
        self._faults += [_fault(value) for value in _list(await request.text())]
        return web.json_response([asdict(fault) for fault in self._faults])

    async def _delete_faults(self, _: web.Request) -> web.Response:
        self._faults.clear()
        return web.json_response({})


def operation_failure(request: web.Request) -> str:
    """The message with which the operation of this request must fail; empty where it must not."""
    message = request.get(_FAILURE, "")
    return message if isinstance(message, str) else ""


def seconds_in(body: JsonObject) -> float:
    """The `seconds` of a control's body, finite and not negative. Raises ApiError (400)."""
    seconds = body.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ApiError(400, "invalid", "`seconds` must be a number")
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ApiError(400, "invalid", "`seconds` must be finite and not negative")
    return float(seconds)


def error_response(error: ApiError) -> web.Response:
    """The answer for an error, in Google's form."""
    return web.json_response(error.body(), status=error.code)


async def _answer(
    request: web.Request, handler: Handler, fault: Fault | None
) -> web.StreamResponse:
    match fault:
        case Fault(kind=FaultKind.STATUS):
            return error_response(ApiError(fault.status, fault.reason, fault.message))
        case Fault(kind=FaultKind.RESET_BEFORE):
            return _cut(request)
        case Fault(kind=FaultKind.RESET_AFTER):
            await handler(request)
            return _cut(request)
        case Fault(kind=FaultKind.OPERATION_ERROR):
            request[_FAILURE] = fault.message
        case Fault(kind=FaultKind.DELAY):
            await asyncio.sleep(fault.seconds)
        case _:
            pass
    return await handler(request)


def _cut(request: web.Request) -> web.Response:
    """Reset the connection. The response returned is for the framework only: nobody gets it."""
    reset(request)
    return web.Response(status=503)


async def _entry(request: web.Request) -> Entry:
    started = time.monotonic()
    text = (await request.read()).decode(errors="replace")
    return Entry(request.method, request.path, dict(request.query), _body(text), started)


def _body(text: str) -> Json:
    try:
        body: Json = json.loads(text) if text else None
    except ValueError:
        return text
    return body


def _list(text: str) -> list[Json]:
    body = _body(text)
    if not isinstance(body, list):
        raise ApiError(400, "invalid", "a list of faults is needed")
    return body


_FIELDS: dict[str, type | tuple[type, ...]] = {
    "kind": str,
    "method": str,
    "path_contains": str,
    "times": int,
    "status": int,
    "reason": str,
    "seconds": (int, float),
    "message": str,
}


def _fault(value: Json) -> Fault:
    """The fault in `value`. Raises ApiError (400): one that is misspelt would never come."""
    if not isinstance(value, dict) or value.get("kind") not in set(FaultKind):
        raise ApiError(400, "invalid", f"a fault needs a kind of {', '.join(FaultKind)}: {value}")
    for key, item in value.items():
        if key not in _FIELDS or not isinstance(item, _FIELDS[key]):
            raise ApiError(400, "invalid", f"unknown field or wrong type: {key} = {item!r}")
    if value.get("times") == 0:
        raise ApiError(400, "invalid", "`times` must be at least 1")
    return Fault(**{**value, "kind": FaultKind(str(value["kind"]))})  # type: ignore[arg-type]  # checked by _FIELDS


async def _ready(_: web.Request) -> web.Response:
    return web.json_response({})
