"""What each source needs to fetch the document: looks that are bounded in time, a client of its
library for each process, and the library's errors in words.

The timeouts of the libraries count for each wait on a socket: a look-up of a name that hangs, or a
server that sends a byte now and then, is never timed out by them. So each look runs in a thread of
its own (`orchestrator.client._process.bounded`), and the thread that asked waits no longer than the
bound. What hangs is cut off where the library can do so, and left behind where it cannot.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Generic, TypeVar

from orchestrator.client._process.bounded import Lane, NoPlace, NotInTime
from orchestrator.client.errors import Silence, SourceUnavailable
from orchestrator.core.outside.limits import READ as READ_LIMIT
from orchestrator.core.outside.secrets import repeats

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


class Looking(Generic[T]):
    """Looks at a source, each for at most `seconds`. connect, read: seconds for the library."""

    def __init__(self, seconds: float = WHOLE) -> None:
        self._seconds = seconds
        longer = max(1.0, seconds / WHOLE)
        self.connect, self.read = CONNECT * longer, READ * longer
        self._lane: Lane[T] = Lane(
            "region-document", _made, places=_LEFT_BEHIND, written_off=math.inf
        )

    def look(self, make: Callable[[], T], cut: Callable[[], object] = lambda: None) -> T:
        """What `make` returns or raises. cut: called when that did not end in time.

        Raises SourceUnavailable when it does not end in time, and when too many earlier looks
        still hang.
        """
        try:
            return self._lane.run(self._seconds, make)
        except NoPlace:
            raise SourceUnavailable(
                f"{_LEFT_BEHIND} earlier reads still hang: it takes connections and does not"
                " answer, or its name cannot be looked up. Check the server and the DNS",
                Silence.HANGING,
            ) from None
        except NotInTime:
            cut()
            raise SourceUnavailable(
                f"no whole answer within {self._seconds:g} s: it is slow, hangs, or is unreachable."
                " What was known before is kept. The next read asks again",
                Silence.LATE,
            ) from None


def _made(make: Callable[[], T]) -> T:
    return make()


class PerProcess(Generic[T]):
    """A library's client, made when it is first asked for, and again after a fork.

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
        """Have the next one made again."""
        held, self._made = self.held, None
        if held is not None:
            with suppress(Exception):  # it is given up, whatever state it is in
                self._end(held)

    def __del__(self) -> None:
        self.drop()


def too_large() -> SourceUnavailable:
    """What there is has more than `LARGEST` bytes."""
    text = f"it has more than {LARGEST} bytes: that is no region document"
    return SourceUnavailable(text, Silence.REFUSED)


def told(error: BaseException, secrets: Iterable[str | None] = ()) -> str:
    """A library's error in one line, not too long.

    secrets: what it must not repeat; where it does, only the name of its class is shown.
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
