"""What `check` says of the mirrors, read only."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli.check.copies import mirrors
from orchestrator.cli.check.finding import Level
from orchestrator.core.exceptions import Unavailable
from orchestrator.local.process.loopback import HOST, free_port
from tests.support.desk import Desk
from tests.support.fakes import FakeMirror, Lab, lab
from tests.support.places import PASSWORD, RedisServer, redis_server


@pytest.fixture
def world() -> Lab:
    """A world with a document."""
    made = lab()
    made.tick()
    made.tick()
    return made


def found(world: Lab, mirror: FakeMirror) -> tuple[Level, str, str]:
    """The one finding."""
    (one,) = mirrors(world.service, world.context(mirrors=(mirror,)))
    return one.level, one.detail, one.do


def test_without_mirrors_nothing_is_said(world: Lab) -> None:
    assert mirrors(world.service, world.context()) == []


def test_a_mirror_is_fine_at_the_documents_revision_and_behind_below_it(world: Lab) -> None:
    mirror = FakeMirror()
    assert found(world, mirror)[:2] == (Level.WARN, "no document yet")
    world.handle(world.opened("us-east-1"), mirrors=(mirror,))
    world.down("us-east-1")
    world.handle(world.opened("us-east-1", "0.other"), mirrors=(mirror,))
    assert found(world, mirror)[0] is Level.OK
    revision, body = mirror.held["checkout"]
    mirror.held["checkout"] = (revision - 1, body)
    assert found(world, mirror)[0] is Level.WARN
    mirror.held["checkout"] = (revision + 1, body)
    assert found(world, mirror)[0] is Level.FAIL


def test_a_mirror_that_cannot_be_read_is_named_with_its_fault(world: Lab) -> None:
    mirror = FakeMirror()
    mirror.error = Unavailable("ssm://us-east-1/x: AccessDenied")
    assert found(world, mirror)[:2] == (Level.WARN, "ssm://us-east-1/x: AccessDenied")
    mirror.error = ModuleNotFoundError("No module named 'redis'")
    assert "No module named 'redis'" in found(world, mirror)[1]


# --- from the file to the server -----------------------------------------------------------------


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A running Redis."""
    server = redis_server(tmp_path)
    yield server
    server.stop()


def mirrored(desk: Desk, port: int) -> None:
    """Configure a mirror at this port."""
    desk.write()
    content: dict[str, Any] = yaml.safe_load(desk.config.read_text())
    content["mirrors"] = {"redis": {"urls": [f"redis://{HOST}:{port}/0?password_env=MY_REDIS"]}}
    desk.config.write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.mark.world
def test_a_first_document_goes_to_the_redis_that_the_file_names(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: file, wiring, flow, adapter, server; and what `check` says of it."""
    desk = Desk(tmp_path / "desk")
    desk.folder.mkdir()
    monkeypatch.setenv("MY_REDIS", PASSWORD)
    mirrored(desk, redis.port)
    assert desk.routing.exists()
    desk.run("check", "--apply")
    findings = desk.json("check")["findings"]
    (one,) = [f for f in findings if f["what"].startswith("mirror")]
    assert one["level"] == "ok"
    assert one["detail"] == f"revision {desk.document['revision']}"
    with redis.client() as client:
        assert (
            client.hget("failover:checkout", "revision") == str(desk.document["revision"]).encode()
        )
    redis.child.signal(signal.SIGSTOP)
    findings = desk.json("check")["findings"]
    redis.child.signal(signal.SIGCONT)
    (one,) = [f for f in findings if f["what"].startswith("mirror")]
    assert one["level"] == "warn"
    assert PASSWORD not in str(findings)


def test_a_dead_mirror_makes_check_warn_and_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    monkeypatch.setenv("MY_REDIS", PASSWORD)
    mirrored(desk, free_port())
    assert desk.routing.exists()
    done = desk.json("check", "--apply")
    (one,) = [f for f in done["findings"] if f["what"].startswith("mirror")]
    assert one["level"] == "warn"
    assert "ConnectionError" in one["detail"]
