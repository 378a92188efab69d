"""One look at a source, bounded in time whatever the source does.

The timeouts of the libraries count for each wait on a socket: a look-up of a name that hangs, or a
server that sends a byte now and then, is never timed out by them. So each look runs in a thread of
its own, and whoever asked waits no longer than the bound. What hangs is cut off where the library
can be told to, and left behind where it cannot; the number of those left behind is bounded too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from orchestrator.client.errors import SourceUnavailable
from orchestrator.client.fork import Background
from orchestrator.core.limits import READ as READ_LIMIT
from orchestrator.core.secrets import repeats

T = TypeVar("T")

CONNECT = 1.0
"""Seconds to reach a source; one in another region answers within a third of that. Longer, in
proportion, where a whole look may take longer than `WHOLE`."""

READ = 2.0
"""Seconds to wait for each piece of an answer. Longer, in proportion, as `CONNECT` is."""

WHOLE = 3.0
"""Seconds that a whole look may take."""

LARGEST = READ_LIMIT
"""Bytes of a document; a real one has a few thousand."""

_CHAIN = 20
"""Causes of an error that are looked at, each the next one's."""

_LEFT_BEHIND = 4
"""Looks that may hang at once; after that none is begun until one of them has ended."""


class Bounded:
    """Runs one look at a time, for at most `seconds`. connect, read: seconds for the library."""

    def __init__(self, seconds: float = WHOLE) -> None:
        self._seconds = seconds
        longer = max(1.0, seconds / WHOLE)
        self.connect, self.read = CONNECT * longer, READ * longer
        self._hanging: list[threading.Thread] = []

    def run(self, look: Callable[[], T], cut: Callable[[], None]) -> T:
        """What `look` returns or raises. cut: called when it did not end in time.

        Raises SourceUnavailable then, and when too many earlier looks still hang.
        """
        self._hanging = [thread for thread in self._hanging if thread.is_alive()]
        if len(self._hanging) >= _LEFT_BEHIND:
            raise SourceUnavailable(
                f"{len(self._hanging)} earlier looks still hang: it takes connections and does not"
                " answer, or its name cannot be looked up. See to the server and the name service"
            )
        answers: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()
        thread = Background(lambda _: _look(look, answers), "region-document-look")
        thread.start()
        try:
            found, error = answers.get(timeout=self._seconds)
        except Empty:
            self._hanging.append(thread)
            cut()
            raise SourceUnavailable(
                f"no whole answer within {self._seconds:g} s: it is slow, hangs, or is cut off from"
                " here. What was known before is kept; the next look asks again"
            ) from None
        if error is not None:
            raise error
        return found  # type: ignore[return-value]  # without an error it is what `look` returned


def _look(
    look: Callable[[], T], answers: SimpleQueue[tuple[T | None, BaseException | None]]
) -> None:
    try:
        answers.put((look(), None))
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is for whoever asked
        answers.put((None, error))


class PerProcess(Generic[T]):
    """A library's client, made when it is first asked for, anew after a fork.

    A connection that parent and child share would hand one the other's answers. end: closes what
    the client holds open; called when it is dropped, and when the source itself is forgotten.
    """

    def __init__(self, make: Callable[[], T], end: Callable[[T], object]) -> None:
        self._make = make
        self._end = end
        self._made: tuple[int, T] | None = None

    def __call__(self) -> T:
        """The client of this process. Raises whatever making it raises."""
        held = self.held
        if held is None:
            held = self._make()
            self._made = (os.getpid(), held)
        return held

    @property
    def held(self) -> T | None:
        """The client of this process if it is made."""
        made = self._made
        return made[1] if made is not None and made[0] == os.getpid() else None

    def drop(self) -> None:
        """Have the next one made anew."""
        held, self._made = self.held, None
        if held is not None:
            with suppress(Exception):  # it is given up, whatever state it is in
                self._end(held)

    def __del__(self) -> None:
        self.drop()


def told(error: BaseException, secrets: Iterable[str | None] = ()) -> str:
    """A library's error in one line, not too long.

    secrets: what it must not repeat; the name of its class is told alone where it does.
    """
    text = str(error).strip()
    if repeats(text, secrets):
        return f"{type(error).__name__} (what it says repeats a secret, and is left out)"
    lines = text.splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:300]}"


def cause(error: BaseException, secrets: Iterable[str | None]) -> BaseException | None:
    """What an error of ours is raised from: not from one that repeats a secret, because a
    traceback tells it too."""
    found: BaseException | None = error
    for _ in range(_CHAIN):
        if found is None:
            return error
        if repeats(str(found), secrets):
            return None
        found = found.__cause__ or found.__context__
    return None
