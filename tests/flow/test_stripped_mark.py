"""Something else keeps removing the mark: writing ends, and nothing else does.

The mark alone is written a few times for an epoch and then left. What is decided by "the load
balancer carries this epoch" goes by the traffic then.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.core.exceptions import FailoverError, Kind, Outdated, Unavailable
from orchestrator.core.model import NO_MARK, Tick
from orchestrator.core.paging import MARK_ROUNDS
from orchestrator.core.traffic.fence import read_frozen, read_mark
from tests.support.fakes import REGIONS, Lab, lab, service

EAST, WEST = "us-east-1", "us-west-2"


def strip(world: Lab) -> None:
    """Somebody writes the description anew, without the mark."""
    world.traffic.change({"description": "tf"})


def stripped(world: Lab, rounds: int) -> int:
    """The mark is stripped before each of so many ticks; gives the patches that ticks made."""
    before = len(world.traffic.applied)
    for _ in range(rounds):
        world.clock.rest(60)
        strip(world)
        world.tick()
    return len(world.traffic.applied) - before - rounds


def failed_over() -> Lab:
    """A human has moved to west, and all is verified."""
    world = lab()
    world.tick()
    world.command("failover", WEST, now=True)
    world.tick()
    return world


class Forever(list[Callable[[], None]]):
    """Hooks that never run out."""

    def __init__(self, hook: Callable[[], None]) -> None:
        super().__init__([hook])

    def pop(self, index: int = -1) -> Callable[[], None]:  # type: ignore[override]  # a list's has SupportsIndex
        """The same each time."""
        return self[index]


def test_a_mark_that_is_stripped_in_the_moment_it_is_written_is_left_after_some_rounds() -> None:
    """So fast that no shift of the epoch is ever read back as it should be."""
    world = lab()
    world.tick()

    def strips() -> None:
        world.traffic.resource["description"] = "controller"
        world.traffic.resource["fingerprint"] += "!"

    world.traffic.after_patch = Forever(strips)
    world.command("failover", WEST, now=True)
    per_tick = []
    for _ in range(20):
        before = len(world.traffic.applied)
        world.clock.rest(60)
        world.tick()
        per_tick.append(len(world.traffic.applied) - before)
    assert sum(per_tick) <= 2 * MARK_ROUNDS
    assert per_tick[-10:] == [0] * 10
    assert any(line.get("rule") == "mark" for line in world.lines if line.get("page"))
    assert world.traffic.scalers()[WEST] == 1


def test_with_attached_standbys_the_service_still_moves_without_its_mark() -> None:
    world = lab(standby="attached", regions=REGIONS[:2])
    world.tick()
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.tick()
    world.down()
    world.handle(world.closed(EAST))
    stripped(world, 20)
    assert world.state.regions[EAST].attached
    world.down(WEST)
    strip(world)
    world.handle(world.opened(WEST, "0.second"))
    stripped(world, 5)
    assert world.state.primary == EAST


def test_a_freeze_repairs_nothing_where_the_mark_was_left_unwritten() -> None:
    world = failed_over()
    stripped(world, MARK_ROUNDS + 2)
    assert read_mark(world.traffic.resource["description"], "checkout") == NO_MARK
    world.freeze(6)
    backends = [{**b, "capacityScaler": 0.0} for b in world.traffic.resource["backends"]]
    backends[0]["capacityScaler"] = 1.0
    world.traffic.change({"backends": backends})
    world.clock.rest(60)
    world.tick()
    assert world.traffic.scalers() == {EAST: 1.0, WEST: 0.0, "eu-west-1": 0.0}


def test_a_mark_that_is_there_is_told_of_a_freeze_however_often_it_was_written() -> None:
    world = lab(policy={"on_state_loss": "act"})
    world.tick()
    world.command("failover", WEST, now=True)
    world.tick()
    stripped(world, MARK_ROUNDS)
    assert read_mark(world.traffic.resource["description"], "checkout") == world.state.mark
    world.freeze()
    assert read_frozen(world.traffic.resource["description"], "checkout")


def test_an_older_instance_does_not_write_a_stripped_mark() -> None:
    """It keeps no count of that, so a newer one has to."""
    world = lab(serial=2)
    world.tick()
    world.command("failover", WEST, now=True)
    older = service(serial=1)
    before = len(world.traffic.applied)
    for _ in range(10):
        world.clock.rest(60)
        strip(world)
        with pytest.raises(Outdated):
            world.handle(Tick(), service=older)
    assert len(world.traffic.applied) == before + 10


# --- patches that were refused -------------------------------------------------------------------


def test_a_patch_that_was_refused_is_not_told_as_made_when_another_call_makes_it() -> None:
    """The resource was busy with the other call's patch: nothing of ours was written."""
    world = lab()
    world.down(EAST)

    def another_call_makes_it() -> None:
        world.tick()
        raise Unavailable("400 resourceNotReady", kind=Kind.REQUEST)

    world.traffic.before_patch = [another_call_makes_it]
    report = world.handle(world.opened(EAST))
    assert len(world.traffic.applied) == 1
    assert report.plans == ()
    assert world.state.repairs == ()
    assert not any(line.get("drift") for line in world.lines)


# --- a refusal, and then the state is lost -------------------------------------------------------


def test_what_was_held_by_the_document_is_not_moved_without_it() -> None:
    limits = {"max_auto_failovers": {"count": 1, "within": "24h"}, "cooldown": "1m"}
    world = lab(policy={"on_state_loss": "act", **limits})
    world.tick()
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.tick()
    world.clock.rest(600)
    world.down(WEST)

    class Dying:
        """A bucket that is gone from the first write on."""

        gone = False

        def get(self, name: str) -> tuple[bytes, int] | None:
            if self.gone:
                raise Unavailable("503")
            return world.objects.get(name)

        def put(self, name: str, data: bytes, generation: int) -> int:
            del name, data, generation
            self.gone = True
            raise Unavailable("503")

    before = len(world.traffic.applied)
    with pytest.raises(FailoverError):
        world.handle(world.opened(WEST, "0.second"), objects=Dying())
    assert len(world.traffic.applied) == before
    assert any(line.get("rule") == "max_auto_failovers" for line in world.lines if line.get("page"))
