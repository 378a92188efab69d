"""An epoch that no decision made: a tick finds it, and a human is told once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.core.exceptions import FailoverError, Unavailable, UnsafePlan
from orchestrator.core.model import DecisionOutcome, Mark
from orchestrator.core.outside.limits import EPOCHS
from orchestrator.core.traffic.fence import read_mark, write_mark
from orchestrator.flow.context import Memory
from tests.support.fakes import Lab, lab

EAST, WEST = "us-east-1", "us-west-2"


def moved(**overrides: Any) -> Lab:  # any JSON
    """A world whose traffic went from east to west, at epoch 1, recorded."""
    world = lab(**overrides)
    world.tick()
    world.down(EAST)
    world.handle(world.opened(EAST))
    assert world.state.epoch == 1
    return world


def forge(world: Lab, epoch: int, to: str = "eu-west-1") -> None:
    """Somebody who can write the bucket puts a document there that sends users elsewhere."""
    document = world.document
    document |= {"epoch": epoch, "primary": to, "routing": {to: 1.0}}
    document["shift"] = {"epoch": epoch, "rev": document["revision"], "phase": "verified"}
    world.replace_document(document)


def paged(world: Lab, rule: str = "epoch") -> list[str]:
    """The messages of the pages of one rule."""
    return [str(line["message"]) for line in world.lines if line.get("rule") == rule]


def mark(world: Lab, mark: Mark) -> None:
    """Somebody who can write the load balancer puts a mark there."""
    world.traffic.resource["description"] = write_mark("", "checkout", mark)


def test_an_epoch_that_a_hand_wrote_into_the_document_pages_once() -> None:
    world = moved()
    forge(world, 2)
    world.tick(times=30)
    (said,) = paged(world)
    assert "no entry of history or journal made epoch 2 of checkout" in said
    assert "(eu-west-1)" in said
    assert "failoverctl state show checkout --versions" in said


@pytest.mark.parametrize("odd", [[[]], {}, "2", None, 2.5])
def test_an_odd_epoch_in_a_history_hides_no_forged_one_and_silences_no_page(odd: object) -> None:
    """Who can write the document cannot have the look-up fail, and with it every page."""
    world = moved()
    forge(world, 2)
    document = world.document
    entry = {**document["history"][0], "epoch": odd, "epoch_before": 0}
    world.replace_document({**document, "history": [entry, *document["history"]]})
    world.down("eu-west-1", WEST, EAST)
    world.tick(times=5)
    assert len(paged(world)) == 1
    assert [line["message"] for line in world.lines if "not sent" in str(line["message"])] == []
    assert [line for line in world.lines if line.get("page") and line["rule"] != "epoch"]


def test_another_instance_does_not_page_for_it_again() -> None:
    world = moved()
    forge(world, 2)
    world.tick()
    world.memory = Memory()
    world.tick()
    assert len(paged(world)) == 1


def test_a_mark_of_our_own_epoch_with_a_revision_that_is_not_ours_pages_once() -> None:
    """Who can write the load balancer wants the traffic of their choice adopted, unseen."""
    world = moved()
    mark(world, Mark(1, world.document["shift"]["rev"] + 1))
    world.tick(times=30)
    assert world.state.epoch == 2
    (said,) = paged(world)
    assert "carried a mark of epoch 1" in said
    assert "gcloud logging read" in said


@pytest.mark.parametrize("odd", [[], {}, [1], "x", True, -1, None])
@pytest.mark.parametrize("field", ["epoch", "epoch_before", "mark_before"])
def test_an_odd_entry_of_the_history_hides_no_page(field: str, odd: object) -> None:
    """Who can write the bucket puts a value there that no epoch is, beside an epoch of theirs."""
    world = moved()
    forge(world, 2)
    entry = {**world.document["history"][0], "id": "odd", field: odd}
    world.replace_document({**world.document, "history": [entry, *world.document["history"]]})
    world.tick(times=3)
    assert sum("made epoch 2 of" in said for said in paged(world)) == 1
    assert not any("fault of the program" in str(line["message"]) for line in world.lines)


@pytest.mark.parametrize("decisions", [0, 25])
def test_epochs_that_decisions_made_never_page(decisions: int) -> None:
    """Also when so many decisions came since that the history knows the epoch no longer."""
    world = moved()
    for number in range(decisions):
        world.handle(world.opened("eu-west-1", f"0.e{number}"))
        world.down(EAST, *(["eu-west-1"] if number % 2 else []))
        world.tick(times=4)
    world.memory = Memory()
    world.tick(times=3)
    assert paged(world) == []


def test_the_making_is_looked_up_once_for_an_epoch() -> None:
    """At rest a tick reads nothing for it."""
    world = moved()
    world.replace_document({**world.document, "history": []})
    world.tick()
    world.objects.names = None  # type: ignore[assignment,method-assign]  # any call would fail
    world.tick(times=2)
    assert paged(world) == []


def test_what_cannot_be_listed_is_unknown_and_does_not_page() -> None:
    world = moved()
    forge(world, 2)
    asked: list[str] = []

    def fails(prefix: str) -> tuple[str, ...]:
        asked.append(prefix)
        raise Unavailable("the bucket cannot be listed")

    world.objects.names = fails  # type: ignore[method-assign]  # the port's own error
    world.tick(times=2)
    assert asked
    assert paged(world) == []


@pytest.mark.parametrize("rubbish", [b"", b"[1]", b"\xff", b"[" * 9999])
def test_a_journal_entry_that_cannot_be_read_is_unknown(rubbish: bytes) -> None:
    world = moved()
    forge(world, 2)
    world.objects.put("journal/checkout/00000002-20261123T050000Z-x.json", rubbish, 0)
    world.tick(times=2)
    assert paged(world) == []


def test_a_journal_that_has_expired_says_nothing() -> None:
    world = moved()
    for name in world.objects.names("journal/"):
        world.objects._objects.pop(name)
    forge(world, 2)
    world.tick(times=2)
    assert paged(world) == []


def test_a_mark_that_nobody_wrote_is_adopted_and_pages() -> None:
    world = moved()
    mark(world, Mark(40, 1763874000123456))
    world.handle(world.closed(EAST))  # it is adopted by whatever signal comes
    assert world.state.epoch == 41
    world.tick(times=2)
    (said,) = paged(world)
    assert "made epoch 40 of checkout" in said
    assert "epoch 41 was decided after it" in said


def test_a_document_of_the_past_is_adopted_and_nobody_is_paged() -> None:
    """The journal knows the epoch that the restored document does not."""
    world = lab()
    world.tick()
    before = world.document
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.tick()
    world.replace_document(before)
    world.tick(times=2)
    assert world.state.epoch == 2
    assert paged(world) == []


@pytest.mark.parametrize(("policy", "pages"), [("act", 0), ("hold", 1)])
def test_a_move_without_the_state_leaves_no_entry(policy: str, pages: int) -> None:
    world = moved(policy={"on_state_loss": policy})
    mark(world, Mark(2, 0))
    world.tick(times=2)
    assert world.state.epoch == 3
    assert len(paged(world)) == pages


def test_an_epoch_that_is_adopted_while_a_rule_refuses_is_recorded_too() -> None:
    """Else it would be one that nobody made."""
    world = lab()
    world.tick()
    before = world.document
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.replace_document(before)
    world.down(EAST, WEST, "eu-west-1")
    world.handle(world.opened(WEST))
    entry = world.state.history[0]
    assert (entry["epoch_before"], entry["epoch"]) == (0, 2)
    assert entry["mark_before"] == {"epoch": 1, "rev": 1}


@pytest.mark.parametrize("epoch", [EPOCHS, 10**18 - 1])
def test_a_mark_above_every_epoch_is_not_adopted_and_pages(epoch: int) -> None:
    """It counts as none; the fence stays one that can be read back."""
    world = moved()
    mark(world, Mark(epoch, 1))
    world.tick(times=2)
    assert world.state.epoch == 1
    assert read_mark(world.traffic.resource["description"], "checkout").epoch == 1
    (said,) = paged(world, "mark")
    assert "that no decision can have made" in said


def test_above_the_last_epoch_nothing_is_decided() -> None:
    """A document or mark with an epoch that cannot be read back would be without a fence."""
    world = moved()
    mark(world, Mark(EPOCHS - 1, 1))
    with pytest.raises(UnsafePlan, match="no epoch is left above"):
        world.tick()
    assert world.state.epoch == 1
    assert len(paged(world)) == 1


@pytest.mark.parametrize("field", ["epoch", "shift", "moves", "freeze"])
def test_a_document_with_an_epoch_above_every_one_is_corrupt(field: str) -> None:
    world = moved()
    text = json.dumps(world.document)
    document = json.loads(text)
    bad: dict[str, Any] = {
        "epoch": 10**18,
        "shift": {**document["shift"], "epoch": 10**18},
        "moves": [{**document["moves"][0], "epoch": 10**18}],
        "freeze": {"until": "2030-01-01T00:00:00Z", "done": 10**18},
    }
    world.replace_document({**document, field: bad[field]})
    with pytest.raises(FailoverError, match="above every epoch"):
        world.tick()
    assert world.traffic.scalers()[WEST] == 1.0


def test_an_epoch_that_was_left_again_before_the_tick_pages_too() -> None:
    """The forged document sends users to a region that is down; the next decision moves on."""
    world = moved()
    forge(world, 2, EAST)
    assert world.tick().decision.outcome is DecisionOutcome.MOVED
    assert world.state.epoch == 3
    (said,) = paged(world)
    assert "made epoch 2 of checkout" in said
    assert "epoch 3 was decided after it" in said
