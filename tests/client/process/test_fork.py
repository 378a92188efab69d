"""A fork while threads of ours are at work, and patching that comes too late."""

from __future__ import annotations

import _thread
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from threading import Thread
from types import ModuleType, SimpleNamespace

import pytest

from orchestrator.client._process import patched
from orchestrator.client._process.fork import Background, Gate, work
from orchestrator.client._process.patched import must_be_early, refuse_later_patching, words
from orchestrator.client.errors import PatchedLate
from orchestrator.local.process.child import ROOT
from tests.support.regional import PATIENCE

pytestmark = pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")


def in_a_child(check: Callable[[], bool]) -> bool:
    """Whether it holds in a forked child."""
    child = os.fork()
    if not child:
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Importing:
    """Background work that holds a lock, as an import does, until it may end."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.thread = Background(self._run, "importing")
        self.thread.start()
        assert self.begun.wait(PATIENCE)

    def _run(self, _: Callable[[], bool]) -> None:
        with work(), self.lock:
            self.begun.set()
            self.may_end.wait(PATIENCE)


def test_a_fork_waits_for_the_work_under_way_so_that_no_lock_is_held_by_nobody() -> None:
    """The child's first import of encodings.idna waited without end for the parent's thread."""
    importing = Importing()
    threading.Timer(0.05, importing.may_end.set).start()
    assert in_a_child(lambda: importing.lock.acquire(timeout=1))


@pytest.mark.long
def test_a_fork_does_not_wait_for_work_that_hangs_longer_than_it_may() -> None:
    """It was made while the work was still under way: the lock is held in the child."""
    importing = Importing()
    assert in_a_child(lambda: not importing.lock.acquire(timeout=0.01))
    importing.may_end.set()


def test_neither_waits_for_the_other_longer_than_it_may() -> None:
    gate = Gate(patience=0.01)
    hanging = Thread(target=gate.enter)
    hanging.start()
    hanging.join()
    assert not gate.shut()
    assert not gate.enter()
    gate.open()
    assert gate.enter()


def test_work_goes_on_after_a_fork_in_parent_and_child() -> None:
    def works() -> bool:
        with work() as in_time:
            return in_time

    assert in_a_child(works)
    assert works()


def test_what_forks_within_work_does_not_wait_for_itself() -> None:
    """A listener to the document that starts a process of its own."""
    gate = Gate(PATIENCE)
    assert gate.enter()
    assert gate.enter()
    assert gate.shut()
    gate.open()
    with work(), work():
        assert in_a_child(lambda: True)


def test_what_runs_in_another_process_than_it_was_begun_in_is_not_at_home() -> None:
    """gevent's threads outlive a fork. They have to end there."""
    seen: list[bool] = []

    def run(at_home: Callable[[], bool]) -> None:
        seen.append(at_home())
        seen.append(in_a_child(lambda: not at_home()))

    thread = Background(run, "two places")
    thread.start()
    thread.join(PATIENCE)
    assert seen == [True, True]


def test_boto3_can_be_imported_right_after_the_client_is_made() -> None:
    """A thread of ours and the application imported it at once: one of them got half of it."""
    program = (
        "from orchestrator.client.dynamodb import MultiRegionDynamoDB\n"
        "from orchestrator.client.testing import MemorySource\n"
        "from orchestrator.client.testing._memory import Written\n"
        "told = Written(('us-east-1', 'us-west-2'), 'us-east-1').body()\n"
        "db = MultiRegionDynamoDB(MemorySource(told))\n"
        "from boto3.session import Session\n"
        "assert db.ready(30)\n"
    )
    run = [sys.executable, "-c", program]
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    said = subprocess.run(
        run, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert "no client for" not in said.stderr


# --- patching


def of(module: str) -> type:
    """A class of this module."""
    return type("Replaced", (), {"__module__": module})


def test_nothing_is_said_where_nothing_was_patched() -> None:
    must_be_early()


def test_sockets_threads_or_tls_that_are_others_than_at_the_import_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module, name in ((socket, "socket"), (_thread, "start_new_thread")):
        with monkeypatch.context() as patching:
            patching.setattr(module, name, of("gevent._socket3"))
            with pytest.raises(PatchedLate, match=r"^gevent has replaced .* Nothing was sent"):
                must_be_early()


def test_a_urllib3_that_was_imported_before_the_patching_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Our modules came after it, so they know nothing else."""
    monkeypatch.setitem(sys.modules, patched.CONTEXT, SimpleNamespace(SSLContext=of("ssl")))
    must_be_early()  # whoever replaced it, it was not by patching
    monkeypatch.setattr(ssl, "SSLContext", of("gevent.ssl"))
    with pytest.raises(PatchedLate):
        must_be_early()


def test_a_class_that_others_replace_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest-socket and PySocks replace the socket, truststore the context of TLS."""
    monkeypatch.setattr(socket, "socket", of("pytest_socket"))
    monkeypatch.setattr(ssl, "SSLContext", of("truststore"))
    must_be_early()


def test_what_is_said_names_who_patched_and_what_to_write() -> None:
    said = words("gevent")
    assert said.startswith("gevent has replaced sockets, TLS or threads after boto3")
    assert "\n\nimport gevent.monkey\ngevent.monkey.patch_all()\n\n" in said
    assert "eventlet is not supported: use gunicorn's worker class gevent" in words("eventlet")


def test_gevents_patching_fails_if_it_comes_after_the_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By gevent's own event at the end of `patch_all`; once, however many clients there are."""
    refuse_later_patching()  # gevent is not imported: nothing to do
    events = ModuleType("gevent.events")
    subscribers: list[Callable[[object], None]] = []
    vars(events)["subscribers"] = subscribers
    for name, module in (
        ("gevent", ModuleType("gevent")),
        ("gevent.monkey", ModuleType("gevent.monkey")),
        ("gevent.events", events),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    refuse_later_patching()
    refuse_later_patching()
    [told] = subscribers
    done = type("GeventDidPatchAllEvent", (), {})()
    told(done)  # it had patched before: this one changes nothing
    monkeypatch.setattr(socket, "socket", of("gevent._socket3"))
    told(object())
    with pytest.raises(PatchedLate):
        told(done)
