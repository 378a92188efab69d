"""With `on_state_loss: act` the mark tells of a freeze, and a move without the state honours it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.adapters.folder.memory import MemoryObjects
from orchestrator.core.exceptions import StateLost, Unavailable
from orchestrator.core.model import Command, DecisionOutcome, Mark, Wish
from orchestrator.core.traffic.fence import read_frozen, read_mark, write_mark
from tests.support.fakes import REGIONS, Flaky, Lab, lab

EAST, WEST, EU = REGIONS
ACT: dict[str, Any] = {"policy": {"on_state_loss": "act"}}
LATEST = Mark(2**53 - 1, 10**20 - 1)


class Gone(MemoryObjects):
    """A bucket that does not answer."""

    def get(self, name: str) -> tuple[bytes, int] | None:
        """Nothing."""
        raise Unavailable(f"503 for {name}")


def moved(**overrides: Any) -> Lab:  # as `lab` takes them
    """A world whose load balancer carries a document's mark; everything is well."""
    made = lab(**{**ACT, **overrides})
    made.tick()  # a document, so that the epoch's revision is above 0
    made.down(EAST)
    made.handle(made.opened(EAST))
    made.down()
    return made


def fail_without_state(made: Lab) -> None:
    """The primary fails while the bucket is gone."""
    made.down(WEST, EAST)
    with pytest.raises(StateLost):
        made.handle(made.opened(WEST), objects=Gone())


def told(made: Lab) -> int:
    """What the mark tells of a freeze."""
    return read_frozen(made.traffic.resource["description"], "checkout")


def test_a_freeze_writes_the_mark_and_no_traffic_and_act_waits_for_its_end() -> None:
    made = moved()
    before = made.traffic.scalers()
    report = made.freeze(hours=1)
    assert report.decision.outcome is DecisionOutcome.OBEYED
    assert [str(plan) for plan in report.plans] == ["checkout by capacity: the mark only (epoch 1)"]
    assert told(made) == int((made.clock.at + timedelta(hours=1)).timestamp())
    fail_without_state(made)
    assert made.traffic.scalers() == before
    assert any("frozen until" in line["message"] for line in made.lines)
    made.clock.rest(3601)
    fail_without_state(made)
    assert made.traffic.scalers() == {EAST: 0.0, WEST: 0.0, EU: 1.0}


def test_the_end_of_a_freeze_takes_it_from_the_mark() -> None:
    ways: list[Callable[[Lab], object]] = [
        lambda made: made.command("unfreeze"),
        lambda made: made.tick(62),
    ]
    for ends in ways:
        made = moved()
        made.freeze(hours=1)
        assert told(made)
        ends(made)
        assert told(made) == 0
        patches = len(made.traffic.applied)
        made.tick(3)
        assert len(made.traffic.applied) == patches


def test_where_act_is_not_chosen_a_freeze_patches_nothing() -> None:
    made = moved(policy={})
    patches = len(made.traffic.applied)
    made.freeze()
    made.tick(2)
    assert len(made.traffic.applied) == patches
    assert told(made) == 0


def test_drift_is_left_alone_in_a_freeze_and_the_mark_tells_of_it() -> None:
    made = moved()
    made.traffic.resource["backends"][0]["capacityScaler"] = 0.5
    made.freeze()
    assert told(made)
    assert made.traffic.scalers()[EAST] == 0.5
    patches = len(made.traffic.applied)
    made.tick(2)
    assert len(made.traffic.applied) == patches


def test_a_patch_of_the_mark_that_was_lost_is_sent_again_and_told_once() -> None:
    made = moved()
    until = made.clock.at + timedelta(hours=1)
    lost = Flaky(made.traffic, 2, "before", lambda: Unavailable("reset"))
    command = Command("c", Wish.FREEZE, "alice", "a drill", made.clock.at, until=until)
    report = made.handle(command, traffic=lost)
    assert lost.hit
    assert told(made)
    assert len(report.plans) == 1


def test_the_mark_stays_within_160_characters_and_older_readers_find_the_mark() -> None:
    service = "s" * 63
    mark = write_mark("", service, LATEST, 9_999_999_999)
    assert len(mark) <= 160
    assert read_mark(mark, service) == LATEST
    assert read_mark(mark.partition(" frozen=")[0], service) == LATEST
    assert write_mark(mark + " mine", service, LATEST) == f"{write_mark('', service, LATEST)} mine"
    assert read_frozen(mark, "another") == 0
