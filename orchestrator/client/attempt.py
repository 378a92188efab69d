"""One attempt at a region: how long it may take, and whether it got as far as being sent.

A call makes its attempts in its own thread, through layers of boto3 that pass nothing on. So what
the lower layers need to know is kept for the thread.
"""

from __future__ import annotations

import threading
import time


class _Current(threading.local):
    """This thread's attempt. seconds: what it was given. until: on `time.monotonic`'s clock."""

    seconds: float | None = None
    until: float | None = None
    sent: bool = False


_current = _Current()


def begin(seconds: float) -> None:
    """An attempt begins that may take so long."""
    _current.seconds = seconds
    _current.until = time.monotonic() + seconds
    _current.sent = False


def end() -> None:
    """It is over. What is asked outside of an attempt has no limit of this kind."""
    _current.seconds = _current.until = None


def seconds() -> float | None:
    """What the attempt under way was given; None outside of one."""
    return _current.seconds


def left() -> float | None:
    """Seconds until its end, less than nothing after it; None outside of an attempt."""
    return None if _current.until is None else _current.until - time.monotonic()


def sending(**_: object) -> None:
    """The request is made, signed, and sent now: what fails from here on may have been executed."""
    _current.sent = True


def sent() -> bool:
    """Whether the last attempt of this thread got so far."""
    return _current.sent
