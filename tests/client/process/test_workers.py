"""Threads beside the calls: bounded, reused, and gone when nobody needs them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.client._process.workers import Workers
from orchestrator.local.process.wait import wait_until

ROOT = Path(__file__).parents[3]
PATIENCE = 30.0


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What jobs hang at."""
    made = threading.Event()
    yield made
    made.set()


def test_no_more_threads_than_allowed_and_what_finds_no_room_is_told(
    gate: threading.Event,
) -> None:
    workers, begun = Workers(2), threading.Semaphore(0)

    def hang() -> None:
        begun.release()
        gate.wait()

    assert workers.take(hang)
    assert workers.take(hang)
    assert all(begun.acquire(timeout=PATIENCE) for _ in range(2))
    assert not workers.take(hang)
    assert workers.threads == 2


def test_a_thread_serves_again_when_it_is_free() -> None:
    workers, names = Workers(1), []
    for number in range(3):
        done = threading.Event()

        def job(done: threading.Event = done) -> None:
            names.append(threading.current_thread().ident)
            done.set()

        wait_until(
            lambda: workers.take(job), PATIENCE, f"room for job {number}"
        )  # used within the turn
        assert done.wait(PATIENCE)
    assert len(set(names)) == 1


def test_a_job_that_fails_costs_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    workers, done = Workers(1), threading.Event()

    def fail() -> None:
        raise RuntimeError("a bug")

    assert workers.take(fail)
    wait_until(lambda: workers.take(done.set), PATIENCE, "room")
    assert done.wait(PATIENCE)
    assert "failed" in caplog.text


def test_idle_threads_end(gate: threading.Event) -> None:
    workers = Workers(3, idle=0.01)
    for _ in range(3):
        assert workers.take(gate.wait)
    gate.set()
    wait_until(lambda: workers.threads == 0, PATIENCE, "the threads to end")
    assert workers.take(gate.wait), "a new one is started when it is needed"


def test_a_close_ends_the_free_threads_now_and_the_others_with_their_job(
    gate: threading.Event,
) -> None:
    workers, done = Workers(2, idle=PATIENCE), threading.Event()
    assert workers.take(gate.wait)
    assert workers.take(done.set)
    assert done.wait(PATIENCE)
    workers.close()
    wait_until(lambda: workers.threads == 1, PATIENCE, "the free thread to end")
    assert not workers.take(done.set)
    gate.set()
    wait_until(lambda: workers.threads == 0, PATIENCE, "the other one to end")


def test_a_system_without_threads_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    workers = Workers(2)
    monkeypatch.setattr(threading.Thread, "start", none_left)
    assert not workers.take(lambda: None)
    assert workers.threads == 0


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own(gate: threading.Event) -> None:
    """The parent's is busy for ever, and it is the only one that it may have."""
    workers = Workers(1)
    assert workers.take(gate.wait)
    child = os.fork()
    if not child:
        try:
            done = threading.Event()
            workers.after_fork()
            os._exit(0 if workers.take(done.set) and done.wait(PATIENCE) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_thread_that_outlives_a_fork_takes_no_part_in_the_child() -> None:
    """gevent's threads do. It would count itself out, and the child would have one too many."""
    workers, done = Workers(1, idle=0.01), threading.Event()
    workers._run(at_home=lambda: False)
    assert workers.threads == 0
    assert workers.take(done.set)
    assert done.wait(PATIENCE)


def test_a_job_that_hangs_does_not_keep_the_process_from_ending() -> None:
    code = """
import threading
from orchestrator.client._process.workers import Workers
assert Workers(1).take(threading.Event().wait)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=PATIENCE)
