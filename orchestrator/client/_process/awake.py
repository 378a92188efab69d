"""Whether this process was frozen: no time for it, while time went on for everybody else.

Cloud Run gives no processor between requests, Lambda freezes between invocations, a laptop or a
virtual machine is suspended, somebody sends SIGSTOP. What such a process knows is as old as the
freeze was long, and it does not know that. So a thread takes note of the time at short intervals
and does nothing else. If that note is old, the process was frozen: a thread that waits for an
answer does not make it old.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from orchestrator.client._process.fork import Background, in_child


def boot_time() -> float:
    """Seconds that also pass while the machine is suspended, where the system has such a clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Awake:
    """Takes note of the time every `interval` seconds. clock: seconds, also those of a suspension.

    A freeze of more than two intervals is reported, and stays until it is `answered`.
    """

    def __init__(self, interval: float, clock: Callable[[], float] = boot_time) -> None:
        self._interval = interval
        self._clock = clock
        self._freezes = 0
        self._answered = 0
        self._reset()
        in_child(self, Awake._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._noted: float | None = None

    def start(self) -> None:
        """Begin to take note; in a child process again. Idempotent."""
        with self._lock:
            if self._noted is None and not self._ending.is_set():
                self._noted = self._clock()
                Background(self._run, "region-awake").start()

    def close(self) -> None:
        """Stop taking note."""
        self._ending.set()

    @property
    def freezes(self) -> int:
        """How many freezes there were so far, one that has just ended included."""
        noted = self._noted
        if noted is not None and self._clock() - noted > 2 * self._interval:
            self._note()
        return self._freezes

    @property
    def was_frozen(self) -> bool:
        """Whether there was a freeze that nobody has answered yet."""
        return self.freezes > self._answered

    def answered(self, freezes: int) -> None:
        """What was read since so many freezes is not from before them."""
        self._answered = max(self._answered, freezes)

    def _run(self, at_home: Callable[[], bool]) -> None:
        ending = self._ending
        while not ending.wait(self._interval) and at_home():
            self._note()

    def _note(self) -> None:
        with self._lock:
            now = self._clock()
            if self._noted is not None and now - self._noted > 2 * self._interval:
                self._freezes += 1
            self._noted = now
