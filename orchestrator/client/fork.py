"""What a forked child must do first: its threads are gone, and locks may be held by nobody.

Servers that load the application and then fork their workers (gunicorn --preload, uWSGI) make that
the common case.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def in_child(thing: T, again: Callable[[T], None]) -> None:
    """Call `again(thing)` in every forked child, as long as the thing lives."""
    weak = weakref.ref(thing)

    def call() -> None:
        if (alive := weak()) is not None:
            again(alive)

    os.register_at_fork(after_in_child=call)
