"""What runs beside the requests: begun once, ended, begun again in a child, outliving faults."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from orchestrator.client._process.loop import Failing, Loop
from orchestrator.local.process.wait import wait_until
from tests.support.regional import PATIENCE

pytestmark = pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")

FAILING = Failing("counting failed", "Nothing is counted", "counting again")


class Turns:
    """Counts the turns. trouble: what the next ones raise."""

    def __init__(self) -> None:
        self.made = 0
        self.trouble: Exception | None = None

    def __call__(self) -> None:
        self.made += 1
        if self.trouble is not None:
            raise self.trouble


@contextmanager
def looping(turn: Callable[[], float | None], every: float = 100.0) -> Iterator[Loop]:
    """A loop that is closed in the end, and was not begun."""
    loop = Loop("counting", turn, FAILING, every=every)
    try:
        yield loop
    finally:
        loop.close()


def threads() -> int:
    return sum(thread.name == "counting" for thread in threading.enumerate())


def in_a_child(check: Callable[[], bool]) -> bool:
    child = os.fork()
    if not child:
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_it_begins_when_it_is_started_and_once() -> None:
    turns = Turns()
    with looping(turns) as loop:
        assert threads() == turns.made == 0
        loop.start()
        loop.start()
        assert loop.turn_now(PATIENCE)
        assert threads() == 1
    assert threads() == 0


def test_what_was_closed_is_not_started_any_more() -> None:
    turns = Turns()
    with looping(turns) as loop:
        loop.close()
        loop.start()
        assert not loop.turn_now(PATIENCE)
        loop.wait_for(lambda: False, PATIENCE)
    assert threads() == turns.made == 0


def test_whoever_waits_goes_on_when_it_is_closed() -> None:
    hanging, may_end = threading.Event(), threading.Event()

    def turn() -> None:
        hanging.set()
        may_end.wait(PATIENCE)

    ended: list[bool] = []
    with looping(turn) as loop:
        loop.start()
        assert hanging.wait(PATIENCE)
        waiting = threading.Thread(target=lambda: ended.append(loop.turn_now(PATIENCE)))
        waiting.start()
        threading.Timer(0.05, may_end.set).start()
    waiting.join(PATIENCE)
    assert len(ended) == 1


def test_a_turn_may_say_when_the_next_one_is_due() -> None:
    turns = Turns()

    def turn() -> float:
        turns()
        return 0.001

    with looping(turn) as loop:
        loop.start()
        wait_until(lambda: turns.made > 3, PATIENCE, "turns that nobody asked for")


def test_a_turn_that_fails_does_not_end_it_and_is_logged_once_for_each_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    turns = Turns()
    with caplog.at_level(logging.INFO), looping(turns) as loop:
        loop.start()
        troubles = [*map(OSError, ("a", "b", "c")), ValueError("d"), None, None, OSError("e")]
        for turns.trouble in troubles:
            assert loop.turn_now(PATIENCE)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "counting failed: OSError: a. Nothing is counted",
        "counting failed: ValueError: d. Nothing is counted",
        "counting again",
        "counting failed: OSError: e. Nothing is counted",
    ]


def test_in_a_child_it_goes_on_if_it_had_begun() -> None:
    turns, idle = Turns(), Turns()
    with looping(turns) as loop, looping(idle) as never:
        loop.start()
        assert loop.turn_now(PATIENCE)

        def goes_on() -> bool:
            before = turns.made
            for one in (loop, never):
                one.after_fork()
            return loop.turn_now(PATIENCE) and turns.made > before and not idle.made

        assert in_a_child(goes_on)
        assert loop.turn_now(PATIENCE), "and in the parent"


def test_a_fork_waits_for_the_turn_under_way() -> None:
    """What the turn holds would be held for ever in the child."""
    lock, hanging, may_end = threading.Lock(), threading.Event(), threading.Event()

    def turn() -> None:
        with lock:
            hanging.set()
            may_end.wait(PATIENCE)

    with looping(turn) as loop:
        loop.start()
        assert hanging.wait(PATIENCE)
        threading.Timer(0.05, may_end.set).start()
        assert in_a_child(lambda: lock.acquire(timeout=1))


def test_a_thread_that_outlives_a_fork_ends_and_touches_nothing_of_the_child() -> None:
    """gevent's threads do."""
    turns = Turns()
    with looping(turns) as loop:
        life = loop._life
        loop.after_fork()
        loop._run(life, at_home=lambda: False)
        assert turns.made == loop._life.begun == 0
