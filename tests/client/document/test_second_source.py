"""A client that knows the bucket and a mirror: which of them it goes by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.adapters.redis.mirror import RedisMirror
from orchestrator.client._calls.routing import ServiceMode
from orchestrator.client.document import DocumentView
from orchestrator.client.errors import SourceUnavailable
from orchestrator.client.health._role import OwnRole
from orchestrator.client.sources.file import FileSource
from orchestrator.client.sources.redis import RedisSource
from orchestrator.core.document.codec import encode
from orchestrator.core.document.public import public_view
from orchestrator.core.model import State
from orchestrator.core.outside.redis_url import read_redis_url
from orchestrator.local.process.loopback import HOST
from orchestrator.local.process.wait import wait_until
from tests.support.fakes import lab
from tests.support.places import PASSWORD, RedisServer, redis_server
from tests.support.regional import EAST, WEST, FakeTime, HeldSource, document


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


def seen_by(*sources: HeldSource) -> tuple[DocumentView, FakeTime]:
    """A view of these sources, whose looks the test makes and whose clock it holds."""
    time = FakeTime()
    return DocumentView(sources, interval=2, max_staleness=30, monotonic=time.monotonic), time


def after(view: DocumentView, time: FakeTime, *pauses: float) -> int:
    """The revision known when so many seconds, and a look after each, have gone by."""
    for pause in pauses:
        time.rest(pause)
        view._look()
    assert view.latest is not None
    return view.latest.revision


def test_a_mirror_that_is_ahead_is_overruled_by_the_first_sources_steady_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who can write a mirror shuts the real document out for no longer than max_staleness."""
    first, mirror = HeldSource(document(5)), HeldSource(document(9, WEST))
    view, time = seen_by(first, mirror)
    first.trouble = SourceUnavailable("gone")
    assert after(view, time, 0) == 9
    first.trouble = None
    assert after(view, time, 2, 2, 25) == 9
    first.body = document(6)  # it may go on meanwhile
    assert after(view, time, 2, 2) == 6
    assert not view.stale
    (said,) = [one.message for one in caplog.records if one.levelname == "ERROR"]
    assert "has had revision 6" in said
    first.trouble = SourceUnavailable("gone")
    assert after(view, time, 2, 2) == 6
    mirror.body = document(6)
    assert after(view, time, 2) == 6
    mirror.body = document(7, WEST)  # it agreed, so it is believed again
    assert after(view, time, 2) == 7


def test_a_mirror_that_says_something_higher_at_every_look_is_overruled_all_the_same() -> None:
    """Who can write a mirror wants the real document shut out for ever, one revision at a time."""
    first, mirror = HeldSource(document(5)), HeldSource(document(9, WEST))
    view, time = seen_by(first, mirror)
    first.trouble = SourceUnavailable("gone")
    assert after(view, time, 0) == 9
    first.trouble = None
    for revision in range(10, 24):
        mirror.body = document(revision, WEST)
        assert after(view, time, 2) == revision
    for revision in range(24, 40):
        mirror.body, first.body = document(revision, WEST), document(6)
        after(view, time, 2)
    assert view.latest is not None
    assert (view.latest.revision, view.latest.primary) == (6, EAST)
    assert not view.stale


def test_a_source_that_lags_and_always_comes_after_overrules_nobody() -> None:
    """Every change reaches the mirror first, and the first source ten seconds later."""
    first, mirror = HeldSource(document(1)), HeldSource(document(6))
    view, time = seen_by(first, mirror)
    first.trouble = SourceUnavailable("gone")
    after(view, time, 0)
    first.trouble = None
    for revision in range(7, 60):
        mirror.body, first.body = document(revision), document(revision - 5)
        assert after(view, time, 2) == revision


def test_a_word_that_is_interrupted_is_not_steady() -> None:
    """A replica that lags and fails by turns takes nobody back."""
    first, mirror = HeldSource(document(5)), HeldSource(document(9, WEST))
    view, time = seen_by(first, mirror)
    first.trouble = SourceUnavailable("gone")
    assert after(view, time, 0) == 9
    for _ in range(5):
        first.trouble = None
        assert after(view, time, 2, 20) == 9
        first.trouble = SourceUnavailable("gone")
        assert after(view, time, 2) == 9


def test_a_later_source_that_is_behind_overrules_nobody() -> None:
    first, mirror = HeldSource(document(9, WEST)), HeldSource(document(5))
    view, time = seen_by(first, mirror)
    assert after(view, time, 0) == 9
    first.trouble = SourceUnavailable("gone")
    assert after(view, time, *[2.0] * 40) == 9
    first.body, first.trouble = document(5), None  # nor does a source its own older word
    assert after(view, time, *[2.0] * 40) == 9


def test_of_two_documents_of_one_revision_the_earlier_sources_counts() -> None:
    first, mirror = HeldSource(document(5)), HeldSource(document(5, WEST))
    view, time = seen_by(first, mirror)
    first.trouble = SourceUnavailable("gone")
    after(view, time, 0)
    assert view.latest is not None
    assert view.latest.primary == WEST
    first.trouble = None
    after(view, time, 2)
    assert view.latest.primary == EAST


def test_a_role_goes_back_with_the_view() -> None:
    """A forged document makes no region the primary for longer than the view believes it."""
    first, mirror = HeldSource(document(5)), HeldSource(document(9, WEST))
    view, time = seen_by(first, mirror)
    first.trouble = SourceUnavailable("gone")
    after(view, time, 0)
    role = OwnRole(WEST, view, ServiceMode.ACTIVE_PASSIVE)
    assert role.now().carries
    first.trouble = None
    after(view, time, 2, 2, 30)
    assert role.now().carries is False
