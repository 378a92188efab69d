"""Threads for what a call must not wait for: few, started when needed, ended when idle.

The threads are daemons, because a region that hangs must not keep the process from ending. The
number is bounded, so regions that hang cannot take more of them: a call that finds no room goes
without one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from orchestrator.client._process.fork import Background

_LOG = logging.getLogger(__name__)

IDLE = 10.0
"""Seconds after which a thread that has nothing to do ends."""

Job = Callable[[], object]


class Workers:
    """At most `most` threads. idle: seconds.

    A thread is free while it waits and no job in the queue is meant for it. Jobs are only taken
    when a thread is free or may be started, so no job waits for another one's end.
    """

    def __init__(self, most: int, idle: float = IDLE) -> None:
        self._most = most
        self._idle = idle
        self._closed = False
        self.after_fork()

    def after_fork(self) -> None:
        """In a child process: the threads are gone, and the lock may be held by nobody."""
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._free = 0
        self.threads = 0

    def take(self, job: Job) -> bool:
        """Have the job done in a thread, now. False, and nothing is done, if there is no room."""
        with self._lock:
            if self._closed:
                return False
            if self._free:
                self._free -= 1
            elif not self._begin():
                return False
            self._jobs.put(job)
            return True

    def close(self) -> None:
        """Take no further jobs. Free threads end now, the others with their job. Idempotent."""
        with self._lock:
            self._closed = True
            for _ in range(self._free):
                self._jobs.put(None)
            self._free = 0

    def _begin(self) -> bool:
        """Start a thread, whose first job is put into the queue next. Under the lock."""
        if self.threads >= self._most:
            return False
        try:
            Background(self._run, "region-hedge").start()
        except RuntimeError:  # the system has no thread left, or the interpreter is ending
            return False
        self.threads += 1
        return True

    def _run(self, at_home: Callable[[], bool]) -> None:
        while (job := self._next(at_home)) is not None:
            try:
                job()
            except Exception:  # noqa: BLE001  # this thread must outlive every job's faults
                _LOG.exception("what was done beside a call failed")
            if not at_home():
                break
            with self._lock:
                if self._closed:
                    break
                self._free += 1
        if at_home():  # else it is not one of those that are counted
            with self._lock:
                self.threads -= 1

    def _next(self, at_home: Callable[[], bool]) -> Job | None:
        """The next job. None: the thread is to end."""
        while True:
            try:
                return self._jobs.get(timeout=self._idle)
            except Empty:
                if not at_home():
                    return None
                with self._lock:
                    if self._free:  # else every thread that waits has a job on its way
                        self._free -= 1
                        return None
