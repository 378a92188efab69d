"""Waiting for something to become true, with a deadline.

It must not be used to wait for time to pass: name the event instead.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.01


def wait_until(condition: Callable[[], T], within: float, what: str) -> T:
    """Ask `condition` every 10 ms until its answer is truthy, and return that answer.

    `within` is in seconds; `what` completes the sentence "waited 5 s in vain for ...".
    Raises TimeoutError. Exceptions of `condition` pass through.
    """
    deadline = time.monotonic() + within
    while not (answer := condition()):
        if time.monotonic() >= deadline:
            raise TimeoutError(f"waited {within:g} s in vain for {what}")
        time.sleep(_PAUSE)
    return answer
