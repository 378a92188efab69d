"""A last look before the first byte of a request: whether it is still to be sent.

Between the decision where to send a request and its first byte lie serializing, signing and perhaps
a connection: a millisecond, in which the process may be frozen for an hour.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_guards = threading.local()


@contextmanager
def guarded(guard: Callable[[], None]) -> Iterator[None]:
    """Have `guard` called right before each part of a request that this thread sends.

    What it raises prevents the sending.
    """
    _guards.guard = guard
    try:
        yield
    finally:
        _guards.guard = None


def look() -> None:
    """Called by a connection right before it sends."""
    guard = getattr(_guards, "guard", None)
    if guard is not None:
        guard()
