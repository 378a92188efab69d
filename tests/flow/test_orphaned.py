"""The load balancer carries an epoch and there is no document: that is no fresh start."""

from __future__ import annotations

import json

import pytest

from orchestrator.core.exceptions import Conflict, NoStore, Orphaned, UnsafePlan
from orchestrator.core.model import Command, DecisionOutcome, Mark, Signal, Tick, Wish
from orchestrator.core.traffic.fence import write_mark
from orchestrator.flow.observe import FLAT_FILE
from orchestrator.flow.rescue.adopt import adopt
from tests.support.fakes import FakeMirror, Lab, lab

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
FLAT = json.dumps(
    {name: {"endpoint": f"dynamodb.{name}.amazonaws.com", "healthy": True} for name in (EAST, WEST)}
).encode()


def orphaned(**overrides: object) -> Lab:
    """A world whose state folder is empty, and whose load balancer carries epoch 7."""
    world = lab(**overrides)
    mark = Mark(7, 1763874000123456)
    world.traffic.resource["description"] = write_mark("", "checkout", mark)
    return world


def signals(world: Lab) -> list[Signal]:
    """One of each kind."""
    command = Command("c", Wish.FAILOVER, "alice", "a drill", world.clock.at, WEST, now=True)
    return [world.opened(EAST), world.closed(EAST), Tick(), command]


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("on_state_loss", ["hold", "act"])
def test_no_signal_creates_a_document_or_moves_anything_and_it_pages(
    number: int, on_state_loss: str
) -> None:
    """The state is not lost but elsewhere, so that `act` does not apply."""
    world = orphaned(policy={"on_state_loss": on_state_loss})
    world.down(EAST)
    with pytest.raises(Orphaned) as caught:
        world.handle(signals(world)[number])
    assert caught.value.page
    assert not world.state_exists
    assert world.traffic.applied == []
    pages = [event["data"]["page"] for event in world.events.events]
    assert pages == [str(caught.value)]


def test_the_error_names_the_epoch_the_likely_causes_and_what_to_do() -> None:
    world = orphaned()
    with pytest.raises(Orphaned) as caught:
        world.tick()
    text = str(caught.value)
    assert "carries epoch 7 of checkout" in text
    for cause in ("bucket or prefix", "deleted", "backend_service"):
        assert cause in text
    assert "failoverctl state restore checkout --apply" in text
    assert "failoverctl check checkout --apply --adopt" in text


def test_a_flat_file_is_no_document() -> None:
    world = orphaned()
    world.objects.put(FLAT_FILE, FLAT, 0)
    with pytest.raises(Orphaned):
        world.tick()
    assert not world.state_exists


def test_mirrors_keep_the_document_that_they_have() -> None:
    """Applications go on by it: an empty bucket says nothing of their regions."""
    world, mirror = orphaned(), FakeMirror()
    mirror.held["checkout"] = (7, b"the last document")
    with pytest.raises(Orphaned):
        world.handle(Tick(), mirrors=(mirror,))
    assert mirror.held == {"checkout": (7, b"the last document")}


def test_without_a_mark_it_is_a_fresh_start() -> None:
    world = lab()
    world.traffic.resource["description"] = "failover epoch=7 service=orders rev=9"
    world.tick()
    assert world.state.epoch == 0


def test_a_document_that_is_deleted_while_the_function_runs_is_not_made_again() -> None:
    world = lab()
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.objects._objects.pop("checkout.json")
    with pytest.raises(Orphaned):
        world.tick()
    assert not world.state_exists


def test_a_document_that_another_instance_has_just_made_is_seen() -> None:
    """It was made, and its mark written, between the two reads of one observation."""
    world = lab()
    world.down(EAST)

    def another() -> None:
        world.handle(world.opened(EAST))

    world.traffic.before_read.append(another)
    world.handle(world.opened(EAST))
    assert world.state.epoch == 1
    assert world.state.primary == WEST


# --- adopting ------------------------------------------------------------------------------------


def test_adopting_takes_the_traffic_as_it_is_above_the_epoch_that_is_there() -> None:
    world = orphaned()
    for backend in world.traffic.resource["backends"]:
        backend["capacityScaler"] = 1.0 if WEST in backend["group"] else 0.0
    before = world.traffic.scalers()
    adopt(world.service, "alice", world.context())
    assert (world.state.epoch, world.state.primary) == (8, WEST)
    assert world.traffic.scalers() == before
    assert "failover epoch=8 service=checkout" in world.traffic.resource["description"]
    (entry,) = world.state.history
    assert entry["signal"] == {"kind": "adopt", "actor": "alice"}
    assert entry["outcome"] == DecisionOutcome.ADOPTED
    assert world.tick().decision.outcome is DecisionOutcome.UNCHANGED


def test_nothing_is_adopted_where_there_is_a_document() -> None:
    world = lab()
    world.tick()
    with pytest.raises(Conflict):
        adopt(world.service, "alice", world.context())


def test_traffic_of_regions_that_nobody_knows_is_not_adopted() -> None:
    world = orphaned()
    for backend in world.traffic.resource["backends"]:
        backend["group"] = "projects/p/zones/z/networkEndpointGroups/unknown"
    with pytest.raises(UnsafePlan):
        adopt(world.service, "alice", world.context())
    assert not world.state_exists


# --- the bucket itself is missing ----------------------------------------------------------------


class NoBucket:
    """A state bucket that does not exist."""

    def get(self, name: str) -> None:
        """Nothing is there."""
        raise NoStore(f"{name}: the bucket does not exist")

    put = get


def test_a_missing_bucket_is_no_loss_of_the_state_on_which_somebody_acts() -> None:
    world = orphaned(policy={"on_state_loss": "act"})
    world.down(EAST)
    with pytest.raises(NoStore):
        world.handle(world.opened(EAST), objects=NoBucket())
    assert world.traffic.applied == []
