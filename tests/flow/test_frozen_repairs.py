"""Under a freeze a committed epoch is finished once, and nothing is repaired after that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.core.model import Command, Wish
from tests.support.fakes import Flaky, Lab, lab

EAST, WEST = "us-east-1", "us-west-2"


class Crash(BaseException):
    """The process is killed here."""


def finished_under_a_freeze() -> Lab:
    """An epoch was committed, its handler killed; it was frozen; a tick has finished the epoch."""
    world = lab()
    world.down(EAST)
    with pytest.raises(Crash):
        world.handle(world.opened(EAST), traffic=Flaky(world.traffic, 2, "before", Crash))
    world.freeze()
    world.tick()
    assert world.traffic.scalers()[WEST] == 1
    return world


def reset(world: Lab) -> int:
    """Somebody sets everything back, mark and all; gives the number of changes until then."""
    backends = [dict(b) for b in world.traffic.resource["backends"]]
    for backend in backends:
        backend["capacityScaler"] = 1.0 if EAST in backend["group"] else 0.0
    world.traffic.change({"backends": backends, "description": "by hand"})
    return len(world.traffic.applied)


@pytest.mark.parametrize("by", ["mark and traffic", "traffic alone"])
def test_what_is_changed_after_an_epoch_was_finished_under_a_freeze_is_left_alone(by: str) -> None:
    world = finished_under_a_freeze()
    description = world.traffic.resource["description"]
    changes = reset(world)
    if by == "traffic alone":
        world.traffic.resource["description"] = description
    world.tick(3)
    assert len(world.traffic.applied) == changes
    assert any("drift is not repaired" in line["message"] for line in world.lines)


def test_the_next_signal_learns_that_the_epoch_was_finished_where_the_record_was_lost() -> None:
    """The write that says so after the shift was dropped: the next decision notes it itself."""
    world = lab()
    world.down(EAST)
    with pytest.raises(Crash):
        world.handle(world.opened(EAST), traffic=Flaky(world.traffic, 2, "before", Crash))
    until, at = world.clock.at + timedelta(hours=1), world.clock.at
    freeze = Command("c-1", Wish.FREEZE, "alice", "a drill", at, until=until)
    with pytest.raises(Crash):  # killed after the patch, before anything is recorded
        world.handle(freeze, traffic=Flaky(world.traffic, 2, "after", Crash))
    assert world.traffic.scalers()[WEST] == 1
    world.handle(world.opened(EAST))
    assert world.state.freeze
    assert world.state.freeze.done == world.state.epoch == 1
    changes = reset(world)
    world.tick(3)
    assert len(world.traffic.applied) == changes
