"""gunicorn with its workers sync, gthread and gevent, with and without `--preload`.

The application makes its client when it is loaded: with `--preload` before the fork, and with the
gevent worker before the patching, unless the configuration file patches first.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from orchestrator.local.dynamodb.database import Database
from orchestrator.local.process.child import ROOT, Child
from orchestrator.local.process.loopback import HOST, free_port
from orchestrator.local.process.wait import wait_until
from tests.libraries.places import OWN
from tests.support.regional import EAST, WEST, document, two_servers, write_whole

pytestmark = [pytest.mark.world, pytest.mark.timeout(180)]
WORKERS = 2
PATCH_FIRST = "import gevent.monkey\n\ngevent.monkey.patch_all()\n"
OURS = ["heartbeat", "region-awake", "region-document", "region-keeper"]
TROUBLE = ("Traceback", "RecursionError", "KeyError", "no client for")
WITHIN = 60.0
"""Seconds for what takes one on a quiet machine."""

SETUPS = {
    "sync": ["-k", "sync"],
    "sync, preloaded": ["-k", "sync", "--preload"],
    "gthread": ["-k", "gthread", "--threads", "4"],
    "gthread, preloaded": ["-k", "gthread", "--threads", "4", "--preload"],
    "gevent": ["-k", "gevent"],
    "gevent, patched first": ["-k", "gevent", "-c", "patch_first.py"],
    "gevent, patched first, preloaded": ["-k", "gevent", "-c", "patch_first.py", "--preload"],
}


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Database]]:
    """The east and the west."""
    with two_servers(tmp_path_factory.mktemp("dynamodb")) as found:
        yield found


class Served:
    """gunicorn with the application, on a port of its own."""

    def __init__(
        self, folder: Path, databases: Mapping[str, Database], options: Sequence[str]
    ) -> None:
        self._urls = {name: one.url for name, one in databases.items()}
        self._document = folder / "document.json"
        self.publish(1, EAST)
        (folder / "patch_first.py").write_text(PATCH_FIRST)
        self._port = free_port()
        at = ["-b", f"{HOST}:{self._port}", "-w", str(WORKERS)]
        environment = {
            **os.environ,
            "DOCUMENT": str(self._document),
            "HOME_URL": self._urls[EAST],
            "AWS_ACCESS_KEY_ID": "laptop",
            "AWS_SECRET_ACCESS_KEY": "laptop",
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),  # gunicorn keeps a socket there
        }
        run = [sys.executable, "-m", "gunicorn", *at, *options]
        self.child = Child(
            "gunicorn",
            [*run, "tests.libraries.served_application:app"],
            log=folder / "gunicorn.log",
            env=environment,
            cwd=folder,
        )

    def publish(self, revision: int, primary: str) -> None:
        """Write the document as the orchestrator would."""
        write_whole(self._document, document(revision, primary, endpoints=self._urls))

    def ask(self, path: str = "/") -> Any:
        """What one worker answers; whichever takes the connection. None: nobody is there yet."""
        connection = HTTPConnection(HOST, self._port, timeout=20)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        except ConnectionRefusedError:
            return None
        finally:
            connection.close()

    def each_worker(self) -> Mapping[int, Any]:
        """The answers of all workers, by process."""
        found: dict[int, Any] = {}

        def all_found() -> bool:
            assert self.child.running, self.log
            if answer := self.ask():
                assert "error" not in answer, answer["error"]
                found[answer["process"]] = answer
            return len(found) >= WORKERS

        wait_until(all_found, WITHIN, "each worker to answer")
        return found

    @property
    def log(self) -> str:
        """All that it said."""
        return self.child.log.read_text()


@contextmanager
def served(
    folder: Path, databases: Mapping[str, Database], options: Sequence[str]
) -> Iterator[Served]:
    """gunicorn, until the end of the block."""
    made = Served(folder, databases, options)
    with made.child:
        yield made


@pytest.mark.parametrize("setup", SETUPS)
def test_view_keeper_and_heartbeat_live_in_each_worker_and_calls_follow_a_failover(
    setup: str, tmp_path: Path, databases: Mapping[str, Database]
) -> None:
    with served(tmp_path, databases, SETUPS[setup]) as gunicorn:
        for answer in gunicorn.each_worker().values():
            assert answer["found"]
            assert answer["primary"] == EAST
            preloaded = answer["loaded_in"] != answer["process"]
            assert preloaded is ("--preload" in SETUPS[setup])
            assert [name for name in answer["threads"] if name in OURS] == OURS, "each of them once"

        def standby_is_warm() -> bool:
            return all(one["idle"].get(WEST, 99.0) < 2 for one in gunicorn.each_worker().values())

        wait_until(standby_is_warm, WITHIN, "the keepers to ask the standby")
        health = gunicorn.ask("/healthz/primary")
        assert (health["status"], health["checks"]["dynamodb"]) == ("ok", "ok")
        gunicorn.publish(2, WEST)

        def all_moved() -> bool:
            return all(one["primary"] == WEST for one in gunicorn.each_worker().values())

        wait_until(all_moved, WITHIN, "each worker's view to see the new primary")
        assert all(one["found"] for one in gunicorn.each_worker().values())
    assert not [one for one in TROUBLE if one in gunicorn.log], gunicorn.log


def test_workers_begin_while_the_parents_threads_are_at_work(
    tmp_path: Path, databases: Mapping[str, Database]
) -> None:
    """A fork in the middle of an import left a lock that the child waited for without end.

    gunicorn forks at once after the application is loaded: the view and the keeper make clients and
    connections at that moment.
    """
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        with served(folder, databases, SETUPS["gthread, preloaded"]) as gunicorn:
            assert all(one["found"] for one in gunicorn.each_worker().values())


def test_gevent_that_patches_after_the_fork_is_refused_at_the_start(
    tmp_path: Path, databases: Mapping[str, Database]
) -> None:
    """Each request ended in a RecursionError: contexts of TLS are made of classes of before."""
    with served(tmp_path, databases, ["-k", "gevent", "--preload"]) as gunicorn:
        wait_until(lambda: not gunicorn.child.running, WITHIN, "gunicorn to give up")
    assert "PatchedLate: gevent has replaced sockets, TLS or threads" in gunicorn.log
    assert "import gevent.monkey\ngevent.monkey.patch_all()\n" in gunicorn.log
    assert "Worker failed to boot" in gunicorn.log
    assert "RecursionError: " not in gunicorn.log


def test_gevent_that_patches_after_boto3_was_imported_is_refused_at_the_start(
    tmp_path: Path, databases: Mapping[str, Database]
) -> None:
    """Without `--preload` too, where the configuration file imports boto3 (for a secret, say)."""
    (tmp_path / "early.py").write_text("import boto3\n")
    with served(tmp_path, databases, ["-k", "gevent", "-c", "early.py"]) as gunicorn:
        wait_until(lambda: not gunicorn.child.running, WITHIN, "gunicorn to give up")
    assert "PatchedLate: gevent has replaced" in gunicorn.log
    assert "Worker failed to boot" in gunicorn.log


def test_a_later_patching_fails_where_the_client_is_made_before(
    tmp_path: Path, databases: Mapping[str, Database]
) -> None:
    """A program of its own, without gunicorn; a call that comes nevertheless says the same."""
    source = tmp_path / "document.json"
    urls = {name: one.url for name, one in databases.items()}
    write_whole(source, document(endpoints=urls))
    program = tmp_path / "late.py"
    program.write_text(
        "import gevent.monkey\n"
        "from orchestrator.client.allowed import loopback\n"
        "from orchestrator.client.dynamodb import MultiRegionDynamoDB\n"
        "from orchestrator.client.errors import PatchedLate\n"
        "from orchestrator.client.sources.file import FileSource\n"
        f"db = MultiRegionDynamoDB(FileSource({str(source)!r}), allow_endpoint=loopback)\n"
        f"table = db.Table({OWN!r})\n"
        "for attempt in (gevent.monkey.patch_all, lambda: table.get_item(Key={'pk': 'a'})):\n"
        "    try:\n"
        "        attempt()\n"
        "    except PatchedLate as error:\n"
        "        print(error, flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = [sys.executable, str(program)]
    with Child("late", run, log=tmp_path / "late.log", env=environment, cwd=ROOT) as child:
        wait_until(lambda: not child.running, WITHIN, "the program to end")
    assert child.log.read_text().count("gevent has replaced") == 2
