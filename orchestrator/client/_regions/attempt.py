"""One attempt at a region: how long it may take, whether it may still be sent, and whether it was.

A call makes its attempts in its own thread, through layers of boto3 that pass nothing on. So what
the lower layers need to know is kept for the thread.

Between the decision where to send a request and its first byte lie serializing, signing and perhaps
a connection: a millisecond, in which the process may be frozen for an hour. So a connection asks
once more right before it sends (`look`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class _Current(threading.local):
    """This thread's attempt. seconds: what it was given. until: on `time.monotonic`'s clock.

    guard: called right before each part that is sent; what it raises prevents the sending.
    """

    seconds: float | None = None
    until: float | None = None
    guard: Callable[[], None] | None = None
    sent: bool = False


_current = _Current()


def begin(seconds: float, guard: Callable[[], None] | None = None) -> None:
    """An attempt begins that may take so long, and be sent as long as `guard` raises nothing."""
    _current.seconds = seconds
    _current.until = time.monotonic() + seconds
    _current.guard = guard
    _current.sent = False


def end() -> None:
    """It is over. What is asked outside of an attempt has no limit of this kind."""
    _current.seconds = _current.until = _current.guard = None


def seconds() -> float | None:
    """What the attempt under way was given; None outside of one."""
    return _current.seconds


def is_calls() -> bool:
    """Whether the attempt under way is a call's, and not a probe's."""
    return _current.guard is not None


def left() -> float | None:
    """Seconds until its end, less than nothing after it; None outside of an attempt."""
    return None if _current.until is None else _current.until - time.monotonic()


def look() -> None:
    """Called by a connection right before it sends. Raises what the guard raises."""
    if _current.guard is not None:
        _current.guard()


def sending(**_: object) -> None:
    """The request is made, signed, and sent now: what fails from here on may have been executed."""
    _current.sent = True


def sent() -> bool:
    """Whether the last attempt of this thread got so far."""
    return _current.sent
