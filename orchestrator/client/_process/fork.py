"""What a fork must not break: threads are gone in the child, and locks may be held by nobody.

Servers that load the application and then fork their workers (gunicorn --preload, uWSGI) make that
the common case, and they fork at the very moment at which our threads begin to work.

So a fork waits for the work that threads of ours are at (`work`), and none begins meanwhile. What a
thread holds in the middle of an import, a look-up of a name or a handshake would else be held for
ever in the child: the child's first import of that module would wait without end. The wait is
bounded (`PATIENCE`), because a region that is silent must not keep a server from its workers.

Where greenlets stand for threads (gevent) the parent's threads outlive the fork, in the child. So
what runs in a loop ends when it finds itself in another process (`Background`).
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 3.0
"""Seconds that a fork waits for work under way, and that new work waits for a fork."""


class Gate:
    """Counts the work under way, and the forks that wait for it. patience: seconds of a wait."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._changed = threading.Condition()
        self._working = 0
        self._forking = 0
        self._own = threading.local()

    @property
    def _mine(self) -> int:
        return getattr(self._own, "working", 0)

    def enter(self) -> bool:
        """Work begins, after the fork that is under way. Within other work it begins at once.

        False if the fork took longer than that may be waited for.
        """
        with self._changed:
            in_time = self._changed.wait_for(self._may_enter, self._patience)
            self._working += 1
            self._own.working = self._mine + 1
            return in_time

    def leave(self) -> None:
        """Work has ended."""
        with self._changed:
            self._working -= 1
            self._own.working = self._mine - 1
            self._changed.notify_all()

    def shut(self) -> bool:
        """A fork is about to be made: wait for all work but this thread's own.

        False if the work took longer than that may be waited for.
        """
        with self._changed:
            self._forking += 1
            return self._changed.wait_for(lambda: self._working <= self._mine, self._patience)

    def open(self) -> None:
        """The fork was made, or failed."""
        with self._changed:
            self._forking -= 1
            self._changed.notify_all()

    def _may_enter(self) -> bool:
        return not self._forking or self._mine > 0


class _Process:
    """This process's gate."""

    gate = Gate()

    @classmethod
    def before_fork(cls) -> None:
        cls.gate.shut()

    @classmethod
    def in_parent(cls) -> None:
        cls.gate.open()

    @classmethod
    def in_child(cls) -> None:
        cls.gate = Gate()


os.register_at_fork(
    before=_Process.before_fork,
    after_in_parent=_Process.in_parent,
    after_in_child=_Process.in_child,
)


@contextmanager
def work() -> Iterator[bool]:
    """What a thread of ours does beside the requests: a fork waits until it is done.

    Gives whether it begins in time: False if a fork takes longer than that may be waited for.
    """
    gate = _Process.gate
    in_time = gate.enter()
    try:
        yield in_time
    finally:
        gate.leave()


class Background(threading.Thread):
    """A daemon thread of ours. run: told whether it is still in the process that it was begun in.

    It must end when it is not.
    """

    def __init__(self, run: Callable[[Callable[[], bool]], object], name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._work = run
        self._process = os.getpid()

    def run(self) -> None:
        """Do it."""
        self._work(self._is_at_home)
        if not self._is_at_home():  # gevent's: threading has forgotten it, and would say so
            threading.current_thread()  # it is known again, and can be forgotten in order

    def _is_at_home(self) -> bool:
        return os.getpid() == self._process


def in_child(thing: T, again: Callable[[T], None]) -> None:
    """Call `again(thing)` in every forked child, as long as the thing lives."""
    weak = weakref.ref(thing)

    def call() -> None:
        if (alive := weak()) is not None:
            again(alive)

    os.register_at_fork(after_in_child=call)
