"""A client that knows the bucket and a mirror: which of them it goes by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.adapters.mirrors.redis import RedisMirror
from orchestrator.client.sources.file import FileSource
from orchestrator.client.sources.redis import RedisSource
from orchestrator.client.view import DocumentView
from orchestrator.core.codec import encode
from orchestrator.core.model import State
from orchestrator.core.public import public_view
from orchestrator.core.redis_url import read_redis_url
from orchestrator.local.loopback import HOST
from orchestrator.local.wait import wait_until
from tests.fakes import lab
from tests.places import PASSWORD, RedisServer, redis_server


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A running Redis."""
    server = redis_server(tmp_path)
    yield server
    server.stop()


@pytest.mark.world
def test_it_goes_by_the_mirror_while_the_first_source_is_gone_and_never_back(
    redis: RedisServer, tmp_path: Path
) -> None:
    file = tmp_path / "checkout.json"
    url = read_redis_url(f"redis://{HOST}:{redis.port}/0")
    mirror = RedisMirror(url, "failover:{service}", PASSWORD)
    sources = (FileSource(file), RedisSource(url, "failover:checkout", password=PASSWORD))
    world = lab()
    world.tick()

    def of(revision: int, primary: str) -> State:
        return replace(world.state, revision=revision, primary=primary)

    def publish(state: State) -> None:
        mirror.publish("checkout", state.revision, public_view(state))

    def write(state: State) -> None:
        beside = tmp_path / "new"
        beside.write_bytes(encode(state))
        beside.replace(file)

    def knows(primary: str) -> bool:
        return view.latest is not None and view.latest.primary == primary

    view = DocumentView(sources, interval=0.02, max_staleness=1)
    publish(of(1, "us-east-1"))
    write(of(2, "us-west-2"))
    with view:
        wait_until(lambda: knows("us-west-2"), 30, "the first source's document")
        file.unlink()
        for _ in range(5):
            assert view.refresh(5)
        assert knows("us-west-2")  # what the mirror has is older
        wait_until(lambda: view.stale, 30, "nobody confirms what is known any more")
        publish(of(3, "eu-west-1"))
        wait_until(lambda: knows("eu-west-1"), 30, "the mirror's newer document")
        assert not view.stale
        write(of(4, "us-east-1"))
        wait_until(lambda: knows("us-east-1"), 30, "the first source again")
