"""What runs beside the requests again and again: the document, the heartbeat, warm connections.

Each is a `Loop`: one daemon thread, which is there from `start` until `close`. The rest is the same
for all of them and stands here:

- It begins when it is started, not when it is made, and only once.
- A turn counts as work that a fork waits for (`fork.work`). In the child the loop begins again,
  with locks of its own. What the thread of before left there (a greenlet) ends.
- A turn that fails does not end the loop. It is logged once for each kind of error.
- A caller may have a turn made now and wait for it. Many at once share one.
- What a turn learns answers the freezes of the process from before it (`awake`), and no later one.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from orchestrator.client._process.awake import Awake
from orchestrator.client._process.fork import Background, work
from orchestrator.client._process.once import WELL, Once, kind_of

_LOG = logging.getLogger(__name__)

SPREAD = 0.8, 1.2
"""Parts of a pause between which it is chosen: processes do not march in step."""

END = 5.0
"""Seconds that `close` waits for a turn that is under way."""

_TURN = "turn"  # the one thing of which trouble is said

_started: set[Loop] = set()  # in a forked child no thread holds them any more


@dataclass(frozen=True, slots=True)
class Failing:
    """What is logged of a loop whose turns fail. what: fails, as `the heartbeat is not written`.

    means: what that means. again: it goes on. bug: it is a fault of ours, with a traceback.
    """

    what: str
    means: str
    again: str
    bug: bool = False


@dataclass(slots=True)
class _Life:
    """One process's part of a loop. Turns are numbered: asked for, begun, ended."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    wanted: int = 0
    begun: int = 0
    ended: int = 0
    closed: bool = False
    thread: threading.Thread | None = None


class Loop:
    """Does `turn` again and again, from `start` until `close`.

    name: of the thread. turn: returns the seconds until the next one; None: `every`, spread by a
    fifth. failing: what to say when it raises. first: seconds before the first turn. spacing:
    seconds between two turns at least, however many callers want one. awake: started and closed
    with the loop; told what the turns answer.
    """

    def __init__(
        self,
        name: str,
        turn: Callable[[], float | None],
        failing: Failing,
        *,
        every: float,
        first: float = 0.0,
        spacing: float = 0.0,
        awake: Awake | None = None,
    ) -> None:
        self._name = name
        self._turn = turn
        self._failing = failing
        self._every = every
        self._first = first
        self._spacing = spacing
        self._awake = awake
        self._once = Once()
        self._life = _Life()

    # --- life

    def start(self) -> None:
        """Begin. Does nothing when it has begun, or was closed."""
        if self._awake is not None:
            self._awake.start()
        life = self._life
        with life.changed:
            if life.thread is None and not life.closed:
                _started.add(self)
                life.thread = Background(lambda at_home: self._run(life, at_home), self._name)
                life.thread.start()

    def close(self) -> None:
        """End, and wait for the turn that is under way, not for ever. Idempotent."""
        if self._awake is not None:
            self._awake.close()
        life = self._life
        with life.changed:
            life.closed = True
            life.changed.notify_all()
        _started.discard(self)
        if life.thread is not None and life.thread is not threading.current_thread():
            life.thread.join(END)

    def after_fork(self) -> None:
        """In a child process: begin again if the parent had begun. For the owner of the loop, once
        it has what its turns need: threads are gone, and locks may be held by nobody."""
        before, self._life = self._life, _Life()
        if before.thread is not None and not before.closed:
            self.start()

    # --- what callers wait for

    def turn_now(self, wait: float) -> bool:
        """Have a turn made now that begins after this call. True if it ended within `wait` s."""
        life = self._life
        with life.changed:
            wanted = life.wanted = life.begun + 1
            life.changed.notify_all()
            life.changed.wait_for(lambda: life.ended >= wanted or life.closed, wait)
            return life.ended >= wanted

    def wait_for(self, known: Callable[[], bool], wait: float) -> None:
        """Wait until turns have made it so, the loop is closed, or `wait` seconds are over."""
        life = self._life
        with life.changed:
            life.changed.wait_for(lambda: known() or life.closed, wait)

    # --- the thread

    def _run(self, life: _Life, at_home: Callable[[], bool]) -> None:
        self._rest(life, self._first)
        while not life.closed and at_home():
            with life.changed:
                life.begun += 1
            freezes = self._awake.freezes if self._awake else 0
            with work():
                pause = self._turned()
            if not at_home():
                return
            with life.changed:
                if self._awake is not None:
                    self._awake.answered(freezes)
                life.ended = life.begun
                life.changed.notify_all()
            self._rest(life, self._spacing)
            self._rest(life, pause, wanted=True)

    def _rest(self, life: _Life, seconds: float, *, wanted: bool = False) -> None:
        """Wait so long, or until the loop is closed. wanted: or until somebody wants a turn."""
        with life.changed:
            life.changed.wait_for(
                lambda: life.closed or (wanted and life.wanted > life.begun), seconds
            )

    def _turned(self) -> float:
        """One turn, whatever it comes to; seconds until the next one."""
        try:
            pause = self._turn()
        except Exception as error:  # noqa: BLE001  # the loop must outlive every fault
            self._say_failing(error)
            pause = None
        else:
            self._say_again()
        return self._every * random.uniform(*SPREAD) if pause is None else pause  # noqa: S311  # spreads load

    def _say_failing(self, error: Exception) -> None:
        if self._once.is_new(_TURN, kind_of(error)):
            say, name = self._failing, type(error).__name__
            _LOG.warning("%s: %s: %s. %s", say.what, name, error, say.means, exc_info=say.bug)

    def _say_again(self) -> None:
        if self._once.is_new(_TURN, WELL, usual=True):
            _LOG.info("%s", self._failing.again)


class InBackground:
    """What works in a thread of its own from `start` to `close`, or in a `with` block."""

    _loop: Loop

    def start(self) -> Self:
        """Begin. Idempotent."""
        self._loop.start()
        return self

    def close(self) -> None:
        """End. What is known stays. Idempotent."""
        self._loop.close()

    def after_fork(self) -> None:
        """In a child process: begin again if the parent had begun."""
        self._loop.after_fork()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
