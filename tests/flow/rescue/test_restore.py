"""A lost or corrupt document comes back, and whoever still holds a decision of it is fenced out."""

from __future__ import annotations

import json

import pytest

from orchestrator.core.document import trigger
from orchestrator.core.document.restoration import highest_epoch
from orchestrator.core.exceptions import Conflict, Outdated, Unavailable, UnsafePlan
from orchestrator.core.model import DecisionOutcome, Mark
from orchestrator.core.traffic.fence import read_mark
from orchestrator.flow.rescue.restore import (
    NothingToRestore,
    Restoration,
    carry_out,
    kept_versions,
    prepare,
)
from tests.support.fakes import Lab, lab


def failed_over() -> Lab:
    """A world in which the primary has failed over once."""
    world = lab()
    world.down("us-east-1")
    world.handle(world.opened("us-east-1"))
    assert world.state.epoch == 1
    return world


def spoil(world: Lab, data: bytes = b'{"schema": 1, "service": "checkout", "epoch": 1') -> None:
    """Somebody writes rubbish over the document."""
    got = world.objects.get("checkout.json")
    world.objects.put("checkout.json", data, got[1] if got else 0)


def look(world: Lab, generation: int | None = None) -> Restoration:
    """What a restore would do."""
    return prepare(world.service, generation, world.context(), world.objects)


def restore(world: Lab, generation: int | None = None) -> Restoration:
    """Restore."""
    found = look(world, generation)
    carry_out(world.service, found, "ops@laptop", world.context())
    return found


def mark(world: Lab) -> Mark:
    """The mark on the load balancer."""
    return read_mark(world.traffic.resource["description"], "checkout")


def test_a_corrupt_document_is_never_overwritten_by_a_signal_and_the_error_says_what_to_do() -> (
    None
):
    world = failed_over()
    spoil(world)
    before = world.objects.get("checkout.json")
    for signal in (world.opened("us-west-2"), world.closed("us-east-1")):
        with pytest.raises(Unavailable, match="failoverctl state restore checkout"):
            world.handle(signal)
    assert world.objects.get("checkout.json") == before


def test_the_last_good_version_comes_back_under_a_higher_epoch_with_the_traffic_as_it_is() -> None:
    world = failed_over()
    spoil(world)
    found = restore(world)
    assert found.live
    assert found.source.state is not None
    assert world.state.epoch == 2
    assert world.state.primary == "us-west-2"
    assert dict(world.state.routing) == {"us-west-2": 1.0}
    assert "0.us-east-1" in world.state.incidents
    assert mark(world) == world.state.mark
    assert world.traffic.scalers() == {"us-east-1": 0.0, "us-west-2": 1.0, "eu-west-1": 0.0}


def test_the_restore_stands_in_history_journal_and_events_with_its_actor() -> None:
    world = failed_over()
    spoil(world)
    restore(world)
    newest = world.state.history[0]
    assert newest["outcome"] == DecisionOutcome.ADOPTED
    came = trigger.read(newest["signal"])
    assert (came.kind, came.actor) == (trigger.TriggerOrigin.RESTORE, "ops@laptop")
    assert came.generation.isdecimal()
    kept = [world.objects.get(name) for name in world.objects.names("journal/checkout/")]
    decided = [got for got in kept if got and json.loads(got[0])["outcome"] != "shifted"]
    assert len(decided) == 2
    assert world.events.events[-1]["id"] == newest["id"]


def test_looking_changes_nothing() -> None:
    world = failed_over()
    spoil(world)
    before, writes = world.objects.get("checkout.json"), len(world.traffic.applied)
    look(world)
    assert world.objects.get("checkout.json") == before
    assert len(world.traffic.applied) == writes


def test_an_old_version_never_brings_its_traffic_back() -> None:
    world = failed_over()
    *_, oldest = kept_versions("checkout", world.objects)
    assert oldest.state is not None
    world.down("us-east-1", "us-west-2")
    world.handle(world.opened("us-west-2"))
    assert world.state.primary == "eu-west-1"
    restore(world, oldest.version.generation)
    assert world.state.primary == "eu-west-1"
    assert world.state.epoch == 3
    assert world.traffic.scalers()["eu-west-1"] == 1.0


def test_an_epoch_that_only_the_lost_document_and_the_journal_knew_is_passed() -> None:
    world = failed_over()
    spoil(world, b'{"epoch": 7, "shift": {"epoch": 7')
    found = look(world)
    assert found.decision.state.epoch == 8
    world.objects.put("journal/checkout/00000012-20261123T050000Z-x.json", b"{}", 0)
    assert look(world).decision.state.epoch == 13


def test_a_handler_that_held_a_decision_of_the_lost_document_is_fenced_out() -> None:
    """A stands between commit and patch while the document is lost and restored beneath it."""
    world = lab()
    world.down("us-east-1")

    def meanwhile() -> None:
        world.traffic.before_patch.clear()
        spoil(world)
        restore(world)

    world.traffic.before_patch.append(meanwhile)
    world.handle(world.opened("us-east-1"))
    assert mark(world) == world.state.mark
    assert world.state.epoch >= 2
    carrying = {name for name, scaler in world.traffic.scalers().items() if scaler > 0}
    assert carrying == set(world.state.routing)


def test_a_document_changed_meanwhile_is_not_overwritten() -> None:
    world = failed_over()
    spoil(world)
    found = look(world)
    spoil(world, b"other rubbish")
    with pytest.raises((Conflict, Unavailable)):
        carry_out(world.service, found, "ops@laptop", world.context())
    got = world.objects.get("checkout.json")
    assert got is not None
    assert got[0] == b"other rubbish"


def test_a_deleted_document_comes_back_too() -> None:
    world = failed_over()
    world.objects._objects.pop("checkout.json")
    found = restore(world)
    assert found.live == "there is none"
    assert world.state.epoch == 2
    assert mark(world) == world.state.mark


def test_a_readable_document_is_replaced_only_by_a_version_that_is_named() -> None:
    world = failed_over()
    with pytest.raises(NothingToRestore, match="--generation"):
        look(world)
    *_, oldest = kept_versions("checkout", world.objects)
    assert look(world, oldest.version.generation).decision.state.epoch == 2


def test_a_version_that_is_not_kept_or_cannot_be_read_is_refused_with_where_to_look() -> None:
    world = failed_over()
    spoil(world)
    rubbish, *_ = kept_versions("checkout", world.objects)
    assert rubbish.fault
    with pytest.raises(NothingToRestore, match="state show checkout --versions"):
        look(world, rubbish.version.generation)
    with pytest.raises(NothingToRestore, match="not kept"):
        look(world, 10**9)


def test_when_no_version_can_be_read_it_says_what_removing_the_document_costs() -> None:
    world = lab()
    spoil(world, b"rubbish")
    with pytest.raises(NothingToRestore, match="--adopt` makes a new one"):
        look(world)


def test_a_version_of_a_newer_configuration_is_left_to_a_newer_instance() -> None:
    world = failed_over()
    spoil(world)
    newer = lab(serial=0).service
    with pytest.raises(Outdated):
        prepare(newer, None, world.context(), world.objects)


def test_routing_without_any_of_our_regions_is_not_adopted() -> None:
    world = failed_over()
    spoil(world)
    for backend in world.traffic.resource["backends"]:
        backend["capacityScaler"] = 0.0
    with pytest.raises(UnsafePlan, match="by hand first"):
        look(world)


def test_a_document_of_a_newer_schema_is_not_broken_and_never_replaced() -> None:
    world = failed_over()
    newer = {**world.document, "schema": 2}
    spoil(world, json.dumps(newer).encode())
    with pytest.raises(Outdated, match="not broken but newer"):
        look(world)
    *_, oldest = kept_versions("checkout", world.objects)
    with pytest.raises(Outdated):
        look(world, oldest.version.generation)


def test_without_document_and_version_there_is_nothing_to_restore() -> None:
    with pytest.raises(NothingToRestore, match="no version of one"):
        look(lab())


def test_at_epoch_zero_nothing_was_decided_and_nothing_is() -> None:
    world = lab()
    world.tick()
    assert world.state.epoch == 0
    spoil(world, b"rubbish")
    restore(world)
    assert world.state.epoch == 0
    assert not world.traffic.applied


def test_the_highest_epoch_is_found_in_any_rubbish() -> None:
    assert highest_epoch(b"") == 0
    assert highest_epoch(b'{"epoch": 3, "shift": {"epoch":12, \xff\x00') == 12
    assert highest_epoch(json.dumps({"epoch": 10**12}).encode()) == 0
