"""Hedged reads through boto3 and real connections: what the application gets, and what is left."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from orchestrator.client._calls.hedges import ENOUGH
from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.sources.file import FileSource
from orchestrator.local.process.wait import wait_until
from tests.support.regional import EAST, PATIENCE, WEST, document, write_whole
from tests.support.station import Asked, BadSocket, Said, Station, hang

ROOT = Path(__file__).parents[3]
KEY = {"pk": "a"}


def says(region: str) -> Said:
    return Said(200, f'{{"Item":{{"region":{{"S":"{region}"}}}}}}'.encode())


@dataclass
class World:
    """A west that hangs when the gate is shut, an east that answers, and a client at home in the
    west that knows how long the west takes."""

    db: MultiRegionDynamoDB
    gate: threading.Event

    def read(self) -> str:
        return str(self.db.Table("orders").get_item(Key=KEY)["Item"]["region"])

    def threads(self) -> int:
        hedges = self.db._calls.hedges
        assert hedges is not None
        return hedges.firsts.threads + hedges.seconds.threads


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """See `World`."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "laptop")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "laptop")
    gate = threading.Event()
    gate.set()

    def west(_: Asked) -> Said:
        assert gate.wait(PATIENCE)
        return says(WEST)

    source = tmp_path / "checkout.json"
    with Station(lambda _: says(EAST)) as one, Station(west) as other:
        write_whole(source, document(endpoints={EAST: one.url, WEST: other.url}))
        own: Any = {"deadline": PATIENCE, "read_timeout": PATIENCE, "connect_timeout": PATIENCE}
        made = MultiRegionDynamoDB(
            FileSource(source), home=WEST, hedge=1.0, allow_endpoint=loopback, **own
        )
        with made as db:
            assert db.ready(PATIENCE)
            found = World(db, gate)
            for _ in range(ENOUGH):
                assert found.read() == WEST
            yield found
            gate.set()


def test_a_slow_region_is_answered_for_by_another_one(world: World) -> None:
    world.gate.clear()
    assert [world.read() for _ in range(3)] == [EAST] * 3
    told = world.db.stats()["hedges"]
    assert told["won"] == 3
    assert told["asked"] <= told["reads"] == ENOUGH + 3
    world.gate.set()
    breakers = {name: one["breaker"] for name, one in world.db.stats()["regions"].items()}
    assert breakers == {EAST: "closed", WEST: "closed"}


def test_an_error_of_dynamodbs_from_the_second_is_boto3s_own(world: World) -> None:
    code = b'{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException","message":"no"}'
    world.gate.clear()
    for region in world.db._calls._regions.all():
        if region.name == EAST:
            region.client.meta.events.register("before-send.dynamodb", _answers(code))
    with pytest.raises(world.db.client.exceptions.ClientError, match="ValidationException"):
        world.read()


def _answers(body: bytes) -> Any:
    class Raw:
        def stream(self, *_: object, **__: object) -> Iterator[bytes]:
            yield body

    return lambda request, **_: AWSResponse(request.url, 400, HTTPHeaders(), Raw())


def test_a_close_leaves_no_thread_but_those_of_losers_and_these_end_with_them(
    world: World,
) -> None:
    world.gate.clear()
    assert world.read() == EAST
    world.db.close()
    wait_until(lambda: world.threads() == 1, PATIENCE, "the free threads to end")
    world.gate.set()
    wait_until(lambda: world.threads() == 0, PATIENCE, "the loser's to end")
    assert world.read() == WEST, "as before, but for the hedge"


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_hedges_with_threads_of_its_own(world: World) -> None:
    """While a loser of the parent's hangs."""
    world.gate.clear()
    assert world.read() == EAST
    child = os.fork()
    if not child:
        try:
            well = world.db.ready(PATIENCE) and world.read() == EAST
            os._exit(0 if well and world.db.stats()["hedges"]["won"] == 1 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.usefixtures("world")
def test_a_process_ends_while_a_loser_hangs(tmp_path: Path) -> None:
    code = """
import sys
from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.sources.file import FileSource
db = MultiRegionDynamoDB(FileSource(sys.argv[1]), home="us-west-2", hedge=1.0, deadline=600,
                         read_timeout=600, allow_endpoint=loopback)
assert db.ready(30)
for _ in range(60):
    db._calls.hedges.measured("us-west-2", "get_item", 0.0)
assert db.Table("orders").get_item(Key={"pk": "a"})["Item"]["region"] == "us-east-1"
"""
    source = tmp_path / "hanging.json"
    with Station(lambda _: says(EAST)) as east, BadSocket(hang) as silent:
        write_whole(source, document(endpoints={EAST: east.url, WEST: silent.url}))
        run = [sys.executable, "-c", code, str(source)]
        subprocess.run(run, cwd=ROOT, check=True, timeout=PATIENCE)
