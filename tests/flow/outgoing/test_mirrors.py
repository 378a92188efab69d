"""Mirrors are published after the shift and on ticks, and what they do harms no failover."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from orchestrator.adapters.folder.memory import MemoryObjects
from orchestrator.client.document import read_document
from orchestrator.core.document.public import public_view
from orchestrator.core.exceptions import Unavailable
from orchestrator.core.model import DecisionOutcome, Tick
from orchestrator.flow.observe import read_state
from orchestrator.flow.outgoing import mirrors
from orchestrator.local.process.wait import wait_until
from tests.support.fakes import FakeMirror, FakeTopic, lab


class Mirrored:
    """A world with two mirrors."""

    def __init__(self, **overrides: Any) -> None:  # any JSON
        self.world = lab(**overrides)
        self.mirrors = (FakeMirror("one"), FakeMirror("two"))

    def fail_over(self) -> None:
        """The primary dies, and its alert comes."""
        self.world.down("us-east-1")
        alert = self.world.opened("us-east-1")
        report = self.world.handle(alert, mirrors=self.mirrors)
        assert report.decision.outcome is DecisionOutcome.MOVED

    def held(self, mirror: int = 0) -> dict[str, Any]:
        """What lies in that mirror."""
        found: dict[str, Any] = json.loads(self.mirrors[mirror].held["checkout"][1])
        return found

    @property
    def errors(self) -> list[str]:
        """What was logged as an error."""
        return [line["message"] for line in self.world.lines if line["severity"] == "ERROR"]


def test_after_a_failover_every_mirror_has_the_document_as_it_is_now() -> None:
    """Also its last revision, which told how far the shift came."""
    made = Mirrored()
    made.fail_over()
    for number in (0, 1):
        held = made.held(number)
        assert held["revision"] == made.world.state.revision
        assert held["primary"] == made.world.state.primary == "us-west-2"
    assert made.errors == []


def test_nothing_is_published_before_the_shift() -> None:
    made = Mirrored()
    seen: list[int] = []
    made.world.traffic.before_patch.append(lambda: seen.append(len(made.mirrors[0].held)))
    made.fail_over()
    assert seen == [0]


def test_what_changes_nothing_is_not_published_but_every_tick_repairs() -> None:
    made = Mirrored()
    made.fail_over()
    made.mirrors[0].held.clear()
    made.world.handle(made.world.opened("us-east-1"), mirrors=made.mirrors)
    assert made.mirrors[0].held == {}
    made.world.handle(Tick(), mirrors=made.mirrors)
    assert made.held()["revision"] == made.world.state.revision


def test_a_mirror_that_fails_is_one_line_that_names_it_and_the_other_is_written() -> None:
    made = Mirrored()
    made.mirrors[0].error = Unavailable("ssm://us-east-1/x: no answer")
    made.fail_over()
    assert made.world.traffic.scalers()["us-west-2"] == 1.0
    (said,) = made.errors
    assert "mirror one" in said
    assert "no answer" in said
    assert "not affected" in said
    assert made.held(1)["revision"] == made.world.state.revision


def test_a_mirror_with_a_fault_of_its_own_harms_nothing_either() -> None:
    """As when its library is not there."""
    made = Mirrored()
    made.mirrors[0].error = ModuleNotFoundError("No module named 'boto3'")
    made.fail_over()
    (said,) = made.errors
    assert "ModuleNotFoundError: No module named 'boto3'" in said


def test_a_mirror_that_hangs_is_left_alone_after_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mirrors, "BOUND", 0.2)
    released = threading.Event()

    class Hanging(FakeMirror):
        def publish(self, service: str, revision: int, document: bytes) -> int:
            released.wait()
            return super().publish(service, revision, document)

    made = Mirrored()
    made.mirrors = (Hanging("hanging"), made.mirrors[1])
    made.fail_over()
    (said,) = made.errors
    assert "mirror hanging" in said
    assert "no answer within 0.2 s" in said
    assert made.held(1)["revision"] == made.world.state.revision
    released.set()
    made.world.executor.shutdown()


def test_what_was_committed_is_published_although_the_shift_fails() -> None:
    made = Mirrored()
    made.world.down("us-east-1")

    def refuse() -> None:
        raise Unavailable("503 of the Compute API", page=True)

    made.world.traffic.before_patch.append(refuse)
    with pytest.raises(Unavailable, match="503"):
        made.world.handle(made.world.opened("us-east-1"), mirrors=made.mirrors)
    assert made.held()["primary"] == "us-west-2"
    assert made.held()["revision"] == made.world.state.revision


class LostAfterwards(MemoryObjects):
    """A bucket that is unreadable from the moment on that the traffic has moved."""

    lost = False

    def get(self, name: str) -> tuple[bytes, int] | None:
        """Nothing, once it is lost."""
        if self.lost and not name.startswith("journal"):
            raise Unavailable("the bucket does not answer")
        return super().get(name)


def test_what_our_own_commit_wrote_is_published_when_the_bucket_is_lost_then() -> None:
    """Just when applications need the mirror."""
    made = Mirrored()
    objects = LostAfterwards()
    made.world.objects = objects
    made.world.tick()

    class Losing(FakeTopic):
        def publish(self, data: bytes, attributes: Mapping[str, str]) -> str:
            objects.lost = True  # a decision is announced when it is verified
            return super().publish(data, attributes)

    made.world.events = Losing()
    made.fail_over()
    objects.lost = False
    assert made.held()["primary"] == "us-west-2"
    assert made.held()["revision"] <= made.world.state.revision


def test_while_the_state_cannot_be_read_mirrors_stay_as_they_are() -> None:
    made = Mirrored()
    made.fail_over()
    before = made.held()
    objects = LostAfterwards()
    objects.lost = True
    made.world.objects = objects
    with pytest.raises(Unavailable):
        made.world.handle(made.world.opened("us-west-2"), mirrors=made.mirrors)
    assert made.held() == before
    assert made.errors == []


def test_a_slow_publisher_with_an_older_document_does_no_harm() -> None:
    made = Mirrored()
    made.fail_over()
    older = made.mirrors[0].held["checkout"]
    made.world.clock.rest(3600)
    made.world.down()
    made.world.handle(Tick(), mirrors=made.mirrors)
    newest = made.held()
    assert newest["revision"] > older[0]
    made.mirrors[0].publish("checkout", *older)
    assert made.held() == newest


def test_without_mirrors_nothing_more_is_read() -> None:
    counts = []
    for mirrored in ((), (FakeMirror(),)):
        world = lab()
        objects = Counting()
        world.objects = objects
        world.tick()
        objects.gets = 0
        world.down("us-east-1")
        world.handle(world.opened("us-east-1"), mirrors=mirrored)
        counts.append(objects.gets)
    assert counts[1] == counts[0] + 1


class Counting(MemoryObjects):
    """Counts what is read."""

    gets = 0

    def get(self, name: str) -> tuple[bytes, int] | None:
        """As ever."""
        self.gets += 1
        return super().get(name)


def test_an_application_reads_from_a_mirror_what_it_reads_from_the_bucket() -> None:
    made = lab()
    one = FakeMirror()
    for failing in (("us-east-1",), ()):
        made.down(*failing)
        made.handle(made.opened("us-east-1"), mirrors=(one,))
        made.handle(Tick(), mirrors=(one,))
        whole = made.objects.get("checkout.json")
        assert whole is not None
        assert read_document(one.held["checkout"][1]) == read_document(whole[0])


def test_attached_standbys_get_the_document_by_a_mirror_while_the_patch_is_under_way() -> None:
    """There the document is what moves the users: the mirror must not wait for the Compute API."""
    made = Mirrored(standby="attached")
    made.world.tick()
    seen: list[str] = []

    def patching() -> None:
        wait_until(lambda: "checkout" in made.mirrors[0].held, 30, "the mirror to be written")
        seen.append(made.held()["primary"])

    made.world.traffic.before_patch.append(patching)
    made.fail_over()
    assert seen[0] == "us-west-2"


def forged(made: Mirrored, ahead: int, mirror: int = 0) -> None:
    """Somebody who can write that mirror sends users elsewhere, and shuts the real one out."""
    document = {**made.held(mirror), "revision": ahead, "primary": "eu-west-1"}
    made.mirrors[mirror].held["checkout"] = (ahead, json.dumps(document).encode())


def paged(made: Mirrored) -> list[str]:
    """What people were called for about mirrors."""
    return [str(one["message"]) for one in made.world.lines if one.get("rule") == "mirror"]


def test_a_mirror_that_is_ahead_is_told_and_written_over_by_the_next_tick() -> None:
    made = Mirrored()
    made.fail_over()
    forged(made, 2**62)
    for _ in range(3):
        made.world.handle(Tick(), mirrors=made.mirrors)
    assert made.held()["revision"] == made.world.state.revision
    assert made.held()["primary"] == "us-west-2"
    (said,) = paged(made)
    assert f"one had revision {2**62} of checkout" in said
    assert "the document is there again" in said
    assert len(made.errors) == 1


def test_another_document_of_the_same_revision_is_written_over() -> None:
    made = Mirrored()
    made.fail_over()
    made.world.handle(Tick(), mirrors=made.mirrors)
    forged(made, made.world.state.revision)
    made.world.handle(Tick(), mirrors=made.mirrors)
    assert made.held()["primary"] == "us-west-2"
    assert paged(made) == []


def test_what_another_orchestrator_published_meanwhile_is_not_ahead() -> None:
    """It was committed before: the document is read again after the mirror was."""
    made = Mirrored()
    made.fail_over()

    class Late(FakeMirror):
        """Another orchestrator commits and publishes just before ours arrives."""

        def publish(self, service: str, revision: int, document: bytes) -> int:
            if not self.held:
                made.world.freeze()
                super().publish(service, made.world.state.revision, public_view(made.world.state))
            return super().publish(service, revision, document)

    late = Late("late")
    stored = read_state("checkout", made.world.context())
    mirrors.publish(made.world.service, stored, made.world.context(mirrors=(late,)))
    assert late.held["checkout"][0] == made.world.state.revision
    assert paged(made) == []


def test_a_mirror_that_is_ahead_and_cannot_be_written_over_is_an_error_each_time() -> None:
    made = Mirrored()
    made.fail_over()
    forged(made, 2**62)

    def refuses(*_: object) -> bool:
        raise Unavailable("one: no permission to write")

    made.mirrors[0].replace = refuses  # type: ignore[method-assign,assignment]  # the port's own error
    made.world.handle(Tick(), mirrors=made.mirrors)
    (said,) = made.errors
    assert "no permission to write" in said
