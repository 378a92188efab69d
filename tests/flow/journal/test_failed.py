"""An invocation that fails leaves one entry for its condition in the journal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.adapters.folder.memory import MemoryObjects
from orchestrator.core.exceptions import FailoverError, Orphaned, Unavailable
from orchestrator.core.model import Command, Tick, Wish
from orchestrator.flow.context import Memory
from tests.support.fakes import START, Lab, lab

WEST = "us-west-2"


def command(number: int = 1, wish: Wish = Wish.FAILOVER) -> Command:
    """A command of now."""
    region = WEST if wish is Wish.FAILOVER else ""
    return Command(f"c{number}", wish, "alice", "a drill", START, region, now=True)


def failed(world: Lab) -> list[dict[str, Any]]:
    """The entries of invocations that failed."""
    names = [name for name in world.objects.names("journal/") if "-failed-" in name]
    return [json.loads(got[0]) for name in names if (got := world.objects.get(name))]


def fails(world: Lab, signal: Any, **ports: Any) -> None:
    """The signal is answered 5xx."""
    with pytest.raises(FailoverError):
        world.handle(signal, **ports)


def outage() -> Lab:
    """A world with a document, whose Compute API is gone."""
    world = lab()
    world.tick()
    world.traffic.is_gone = True
    return world


def test_a_command_that_failed_is_kept_once_however_often_it_comes() -> None:
    world = outage()
    for _ in range(3):
        fails(world, command())
        fails(world, command(), memory=Memory())  # another instance
    (entry,) = failed(world)
    assert entry["outcome"] == "failed"
    assert entry["signal"] == {
        "kind": "command",
        "id": "c1",
        "verb": "failover",
        "region": "us-west-2",
        "actor": "alice",
        "reason": "a drill",
    }
    assert entry["command"] == "c1"
    assert not entry["recorded"]
    assert entry["error"]["cloud"] == "compute"
    assert "503 ServiceUnavailable" in entry["error"]["text"]
    assert entry["until"] == "2026-11-23T05:15:00Z"


def test_each_command_has_an_entry_and_alerts_and_ticks_share_one_an_hour() -> None:
    world = outage()
    fails(world, command(1))
    fails(world, command(2))
    fails(world, Tick())
    fails(world, world.opened("us-east-1"))
    fails(world, Tick())
    assert sorted(str(entry["command"]) for entry in failed(world)) == ["None", "c1", "c2"]
    world.clock.rest(3600)
    fails(world, Tick())
    assert len(failed(world)) == 4


def test_a_command_that_is_in_the_document_says_so() -> None:
    world = outage()
    fails(world, command(wish=Wish.UNFREEZE))
    (entry,) = failed(world)
    assert entry["recorded"]


def test_without_the_state_the_log_names_the_command() -> None:
    world = outage()

    class Gone(MemoryObjects):
        """Cloud Storage, which does not answer."""

        def get(self, name: str) -> tuple[bytes, int] | None:
            raise Unavailable(f"{name}: 503")

    fails(world, command(), objects=Gone())
    assert failed(world) == []
    (line,) = [line for line in world.lines if line.get("command") == "c1"]
    assert "command c1 failover us-west-2 by alice (as claimed): a drill failed" in line["message"]


def test_a_journal_that_cannot_be_written_changes_no_answer_and_is_tried_again() -> None:
    world = outage()
    put = world.objects.put

    def refuse(name: str, data: bytes, generation: int) -> int:
        del data, generation
        raise Unavailable(f"{name}: 503")

    world.objects.put = refuse  # type: ignore[method-assign]  # for a while
    fails(world, command())
    world.objects.put = put  # type: ignore[method-assign]  # and back
    assert failed(world) == []
    fails(world, command())
    assert len(failed(world)) == 1


def test_a_corrupt_document_is_no_hindrance() -> None:
    world = outage()
    got = world.objects.get("checkout.json")
    assert got is not None
    world.objects.put("checkout.json", b'{"epoch": 7, broken', got[1])
    fails(world, command())
    (entry,) = failed(world)
    assert (entry["epoch"], entry["routing"]) == (7, None)


def test_a_command_of_the_last_day_of_the_calendar_breaks_nothing() -> None:
    world = lab()
    world.tick()
    world.traffic.is_gone = True
    with pytest.raises(Unavailable):
        world.command("failback", issued_at=datetime(9999, 12, 31, 23, 59, tzinfo=UTC))


def test_nothing_is_written_beside_a_mark_whose_document_is_missing() -> None:
    """The bucket may be somebody else's."""
    world = lab()
    world.tick()
    world.command("failover", WEST, now=True)
    world.objects = MemoryObjects()
    with pytest.raises(Orphaned):
        world.tick()
    assert world.objects.names("") == ()
