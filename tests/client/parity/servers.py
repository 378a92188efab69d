"""Two servers of one kind, with the same tables: one for boto3, one for what is routed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import boto3
import pytest

from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.sources.file import FileSource
from orchestrator.local.dynamodb.database import Database
from orchestrator.local.process.ask import answers
from orchestrator.local.process.child import Child
from orchestrator.local.process.loopback import HOST, free_port, url_of
from tests.client.parity.outcome import Side
from tests.client.parity.tables import create
from tests.support.regional import EAST, WEST, document, write_whole

DYNALITE = "4.0.0"


class Server(Protocol):
    """A DynamoDB that can be started."""

    @property
    def url(self) -> str:
        """Its base URL."""

    def start(self) -> None:
        """Start it and wait until it answers."""

    def stop(self) -> None:
        """End it."""


class Dynalite:
    """dynalite, a DynamoDB in JavaScript that has nothing in common with moto; in memory."""

    def __init__(self, program: Path, folder: Path, name: str) -> None:
        self.port = free_port()
        self.url = url_of(self.port)
        at_once = [f"--{what}TableMs=0" for what in ("create", "update", "delete")]
        command = ["node", str(program), "--host", HOST, "--port", str(self.port), *at_once]
        self._child = Child(f"dynalite {name}", command, log=folder / f"dynalite-{name}.log")

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._child.start_ready(lambda: answers(self.url), 45)

    def stop(self) -> None:
        """End it."""
        self._child.stop()


def dynalite() -> Path:
    """dynalite's program, installed once into the user's cache. Skips where there is no npm."""
    for needed in ("node", "npm"):
        if shutil.which(needed) is None:
            pytest.skip(f"{needed} is not installed: the cases on dynalite were not run")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "region-failover-orchestrator" / f"dynalite-{DYNALITE}"
    program = folder / "node_modules" / "dynalite" / "cli.js"
    if not (folder / "installed").exists():
        _install(folder)
        (folder / "installed").touch()
    return program


def _install(folder: Path) -> None:
    """npm writes a package whole or says that it failed; a half of another run is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    quiet = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts"]
    command = ["npm", "install", "--prefix", str(folder), *quiet, f"dynalite@{DYNALITE}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if run.returncode:
        pytest.skip(f"npm could not install dynalite@{DYNALITE}: {run.stderr[-300:]}")


def on_moto(folder: Path) -> Callable[[str], Server]:
    """Makes moto's servers."""
    return lambda name: Database(name, folder)


def on_dynalite(folder: Path) -> Callable[[str], Server]:
    """Makes dynalite's servers."""
    program = dynalite()
    return lambda name: Dynalite(program, folder, name)


@contextmanager
def sides(make: Callable[[str], Server], folder: Path) -> Iterator[tuple[Side, Side]]:
    """boto3 and the routed one, each with a server of its own that nobody else uses.

    The routed one's other region is boto3's server: a call that went there would be seen.
    """
    with ExitStack() as stack:
        servers = {name: make(name) for name in (EAST, WEST)}
        for one in servers.values():
            stack.callback(one.stop)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda one: one.start(), servers.values()))
        plain = {name: _client(one.url) for name, one in servers.items()}
        for one in plain.values():
            create(one)
        path = folder / "checkout.json"
        urls = {name: one.url for name, one in servers.items()}
        write_whole(path, document(endpoints=urls))
        made: Any = {"session": _session, "allow_endpoint": loopback, "deadline": 30.0}
        db = MultiRegionDynamoDB(FileSource(path), home=EAST, read_timeout=10.0, **made)
        stack.enter_context(db)
        assert db.ready(30)
        yield (
            Side(_resource(urls[WEST]), plain[WEST], plain[WEST]),
            Side(db.resource, db.client, plain[EAST]),
        )


def _session() -> boto3.Session:
    return boto3.Session("laptop", "laptop", region_name=EAST)


def _resource(url: str) -> Any:
    return _session().resource("dynamodb", endpoint_url=url)


def _client(url: str) -> Any:
    return _session().client("dynamodb", endpoint_url=url)
