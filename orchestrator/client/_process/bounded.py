"""Work that may hang, done in threads of its own, so that the caller can stop waiting.

A timeout of a library does not bound the look-up of a name, nor a server that sends a byte now and
then. So the caller waits for a thread, and no longer than it has time. What it gave up on goes on
in its thread until it ends by itself. Pile-ups do not grow: each lane has two places, and work that
finds none is not begun. A run that hangs for long is written off and gives its place away, or what
once hung for ever would stay broken; there is an end to that as well.

Checks of health, other regions' heartbeats and looks at a source of the document are made so.

The threads are daemons and not an executor's: the end of the process does not wait for them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from orchestrator.client._process.fork import Background, in_child

T = TypeVar("T")

PLACES = 2
"""How many runs of one piece of work may hang at once before it is no longer begun."""

WRITTEN_OFF = 30.0
"""Seconds after which a run that hangs no longer takes a place."""

MOST = 16
"""How many runs of one piece of work may hang at all, those that are written off too."""


class NotInTime(Exception):
    """The work was not done when the time was over, or was not begun for lack of a place."""


class NoPlace(NotInTime):
    """It was not begun: so many earlier runs of it still hang."""

    def __init__(self) -> None:
        super().__init__("earlier runs still hang")


class Lane(Generic[T]):
    """One piece of work that may hang. name: for the thread. places: how many runs may hang at
    once. written_off: seconds until a run that hangs takes no place any more."""

    def __init__(
        self,
        name: str,
        work: Callable[..., T],
        *,
        places: int = PLACES,
        written_off: float = WRITTEN_OFF,
    ) -> None:
        self.name = name
        self._work = work
        self._places = places
        self._written_off = written_off
        self._reset()
        in_child(self, Lane._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[threading.Thread, float] = {}  # since when

    def run(self, seconds: float, *given: object) -> T:
        """What the work comes to with these arguments: its result, or what it raises.

        Raises NotInTime when it takes longer than so many seconds, and NoPlace.
        """
        results: SimpleQueue[T | BaseException] = SimpleQueue()
        self.begin(results.put, *given)
        try:
            result = results.get(timeout=seconds)
        except Empty:
            raise _late(seconds) from None
        if isinstance(result, BaseException):
            raise result
        return result

    def begin(self, done: Callable[[T | BaseException], None], *given: object) -> None:
        """Have the work done in a thread, which calls `done` with the result or what was raised.

        Without a free place `done` is called at once, with NoPlace.
        """
        thread = Background(lambda _: self._run(thread, done, given), f"bounded-{self.name}")
        if not self._take_place(thread):
            done(NoPlace())
            return
        try:
            thread.start()
        except RuntimeError as error:  # the system has no thread left
            with self._lock:
                self._running.pop(thread, None)
            done(error)

    def _take_place(self, thread: threading.Thread) -> bool:
        now = time.monotonic()
        with self._lock:
            hanging = sum(now - since < self._written_off for since in self._running.values())
            if hanging >= self._places or len(self._running) >= MOST:
                return False
            self._running[thread] = now
            return True

    def _run(
        self,
        thread: threading.Thread,
        done: Callable[[T | BaseException], None],
        given: tuple[object, ...],
    ) -> None:
        try:
            result: T | BaseException = self._work(*given)
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is what the work came to
            result = error
        with self._lock:
            self._running.pop(thread, None)
        done(result)


def gather(lanes: Mapping[str, Lane[T]], wait: float) -> dict[str, T | BaseException]:
    """What each lane came to, all at once and within `wait` seconds; NotInTime where it did not."""
    changed = threading.Condition()
    results: dict[str, T | BaseException] = {}

    def done(name: str) -> Callable[[T | BaseException], None]:
        def take(result: T | BaseException) -> None:
            with changed:
                results[name] = result
                changed.notify_all()

        return take

    for name, lane in lanes.items():
        lane.begin(done(name))
    with changed:
        changed.wait_for(lambda: len(results) == len(lanes), wait)
        return {name: results.get(name, _late(wait)) for name in lanes}


def _late(seconds: float) -> NotInTime:
    return NotInTime(f"no end in {seconds:g} s")
