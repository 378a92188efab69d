"""Operations of the Compute Engine API: a change is accepted now and takes effect later.

An operation runs for `operation_seconds` and then, in one step of the event loop, applies its
change and is done. While it runs, no other may run on the same resource. A request id that was seen
before returns the operation it began, for the life of the process. The module does not know what a
change is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from orchestrator.local.rpc.wire import API_ROOT, ApiError, JsonObject, invalid, not_found

WAIT_LIMIT = 120.0  # seconds, of `wait`: the API's own
_ZERO = uuid.UUID(int=0)
_LOG = logging.getLogger(__name__)

OperationType = Literal["patch", "update"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; running until `ended`. `error` is a message, empty where it succeeded."""

    path: str
    id: str
    type: OperationType
    target: str
    target_id: str
    user: str
    started: datetime
    ended: datetime | None = None
    error: str = ""

    @property
    def name(self) -> str:
        """Its name, the end of its path."""
        return self.path.rpartition("/")[2]

    def resource(self) -> JsonObject:
        """The operation as the API returns it."""
        started = self.started.isoformat(timespec="milliseconds")
        found: JsonObject = {
            "kind": "compute#operation",
            "id": self.id,
            "name": self.name,
            "operationType": self.type,
            "targetLink": API_ROOT + self.target,
            "targetId": self.target_id,
            "status": "DONE" if self.ended else "RUNNING",
            "progress": 100 if self.ended else 0,
            "user": self.user,
            "insertTime": started,
            "startTime": started,
            "selfLink": API_ROOT + self.path,
        }
        if self.ended:
            found["endTime"] = self.ended.isoformat(timespec="milliseconds")
        return found | (self._failure() if self.error else {})

    def _failure(self) -> JsonObject:
        return {
            "error": {"errors": [{"code": "INTERNAL_ERROR", "message": self.error}]},
            "httpErrorStatusCode": 503,
            "httpErrorMessage": "SERVICE UNAVAILABLE",
        }


@dataclass(frozen=True, slots=True)
class Effect:
    """What an operation is to do: `apply` is called once, when its time has come.

    `target` and `target_id` name the resource. A `failure` is the message with which the operation
    ends instead of applying anything.
    """

    type: OperationType
    target: str
    target_id: str
    apply: Callable[[], None]
    failure: str = ""


@dataclass(slots=True)
class _Book:
    """What has begun: operations by path, their ends, who runs on a target, who began by an id."""

    operations: dict[str, Operation] = field(default_factory=dict)
    ends: dict[str, asyncio.Event] = field(default_factory=dict)
    running: dict[str, str] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)


class Operations:
    """All operations since the process began.

    `clock` gives aware times; `seconds` is how long each operation takes.
    """

    def __init__(self, project: str, clock: Callable[[], datetime], seconds: float) -> None:
        self._project = project
        self._clock = clock
        self._seconds = seconds
        self._seconds_changed = asyncio.Event()
        self._book = _Book()
        self._tasks: set[asyncio.Task[None]] = set()

    def set_seconds(self, seconds: float) -> None:
        """How long operations take from now on, counted from their start; running ones too."""
        self._seconds = seconds
        self._seconds_changed.set()
        self._seconds_changed = asyncio.Event()

    def begun_by(self, request_id: str) -> Operation | None:
        """The operation, as it is now, that this request id began; None for a new or empty id.

        Raises ApiError (400) if the id is not a UUID, or is the zero one.
        """
        if not request_id:
            return None
        path = self._book.requests.get(_checked(request_id))
        return self._book.operations[path] if path else None

    def check_idle(self, target: str) -> None:
        """Raises ApiError (400, resourceNotReady) while an operation runs on `target`."""
        if target in self._book.running:
            raise ApiError(400, "resourceNotReady", f"The resource '{target}' is not ready")

    def begin(self, change: Effect, request_id: str = "") -> Operation:
        """Begin an operation and return it, running. The target must be idle."""
        operation = self._new(change)
        self._book.operations[operation.path] = operation
        self._book.ends[operation.path] = asyncio.Event()
        self._book.running[change.target] = operation.path
        if request_id:
            self._book.requests[_checked(request_id)] = operation.path
        task = asyncio.get_running_loop().create_task(self._run(operation, change))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return operation

    def get(self, path: str) -> Operation:
        """The operation as it is now. Raises ApiError (404)."""
        if path not in self._book.operations:
            raise not_found(path)
        return self._book.operations[path]

    def all(self) -> list[Operation]:
        """All operations as they are now, by name: the oldest first."""
        return sorted(self._book.operations.values(), key=lambda operation: operation.name)

    async def wait(self, path: str) -> Operation:
        """The operation when it is done, or as it is after two minutes. Raises ApiError (404)."""
        self.get(path)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._book.ends[path].wait(), WAIT_LIMIT)
        return self.get(path)

    async def stop(self) -> None:
        """Give up what still runs; none of it is applied."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _new(self, change: Effect) -> Operation:
        now, token = self._clock(), uuid.uuid4()
        name = f"operation-{int(now.timestamp() * 1000)}-{token.hex[:13]}"
        return Operation(
            path=f"projects/{self._project}/global/operations/{name}",
            id=str(token.int >> 65),  # the API's numbers have 64 bits
            type=change.type,
            target=change.target,
            target_id=change.target_id,
            user=f"laptop@{self._project}.iam.gserviceaccount.com",
            started=now,
        )

    async def _run(self, operation: Operation, change: Effect) -> None:
        await self._elapse()
        error = change.failure or _apply(change)
        done = replace(operation, ended=self._clock(), error=error)
        self._book.operations[operation.path] = done
        del self._book.running[change.target]
        self._book.ends[operation.path].set()

    async def _elapse(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        while (left := started + self._seconds - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._seconds_changed.wait(), left)


def _apply(change: Effect) -> str:
    try:
        change.apply()
    except Exception as error:  # noqa: BLE001  # whatever it is, the operation must end and say so
        _LOG.exception("change of %s was not applied", change.target)
        return f"Internal error: {error}"
    return ""


def _checked(request_id: str) -> str:
    try:
        value = uuid.UUID(request_id)
    except ValueError:
        value = _ZERO
    if value == _ZERO or str(value) != request_id.lower():
        raise invalid("requestId", request_id, "Must be a valid, non-zero UUID.")
    return str(value)
