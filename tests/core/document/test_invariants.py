"""A document that contradicts itself is corrupt, and no legitimate one is taken for such."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.core.document.codec import decode
from orchestrator.core.model import DecisionOutcome, State
from orchestrator.core.outside.limits import EPOCHS
from orchestrator.core.outside.reading import Contradiction, Corrupt, NewerSchema
from tests.support.fakes import REGIONS, Lab, lab, service

EAST, WEST, EU = REGIONS
BEFORE, AFTER = "2026-11-23T05:00:00Z", "2026-11-23T06:00:00Z"
Document = dict[str, Any]


def moved(**overrides: Any) -> Lab:  # as `lab` takes them
    """A world whose first failure was dealt with."""
    made = lab(**overrides)
    made.down(EAST)
    assert made.handle(made.opened(EAST)).decision.outcome is DecisionOutcome.MOVED
    return made


def read(document: Document) -> State:
    """The state in this JSON."""
    return decode(json.dumps(document).encode(), "checkout")


def put(*path: str, to: object) -> Callable[[Document], object]:
    """An edit by hand: this field becomes that."""

    def edit(document: Document) -> None:
        place = document
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = to

    return edit


def both(*edits: Callable[[Document], object]) -> Callable[[Document], object]:
    """Several edits at once."""
    return lambda document: [edit(document) for edit in edits]


SWITCH = {"to": EU, "left": WEST, "step": "fencing", "since": AFTER, "until": BEFORE}
EDITS: dict[str, tuple[Callable[[Document], object], str]] = {
    "another primary": (put("primary", to=EU), "primary, routing: the primary is eu-west-1"),
    "another routing": (put("routing", to={EU: 1.0}), "primary, routing"),
    "both": (
        both(put("primary", to=EU), put("routing", to={EU: 1.0})),
        "routing: eu-west-1 carries traffic, and epoch 1 was decided for us-west-2",
    ),
    "one region more": (
        both(put("routing", to={WEST: 0.5, EU: 0.5}), put("shift", "routing_epoch", to=0)),
        "in active-passive mode only one region",
    ),
    "another share": (put("routing", to={WEST: 0.5}), "epoch 1 was decided for us-west-2"),
    "a region that it has not": (
        both(put("primary", to="mars-1"), put("routing", to={"mars-1": 1.0})),
        "primary, routing: the document names no region that it has",
    ),
    "another epoch": (put("epoch", to=2), "shift.epoch: 1 is not the epoch 2"),
    "a freeze": (put("freeze", to={"since": AFTER, "until": BEFORE}), "freeze: it ends at"),
    "a switch": (put("switch", to=SWITCH), "switch: it ends at"),
}


@pytest.mark.parametrize(("edit", "told"), EDITS.values(), ids=EDITS.keys())
def test_a_contradiction_is_corrupt_and_names_its_fields(
    edit: Callable[[Document], object], told: str
) -> None:
    document = moved().document
    edit(document)
    with pytest.raises(Contradiction, match=told):
        read(document)


@pytest.mark.parametrize("epoch", [EPOCHS, 10**18])
def test_an_epoch_above_all_that_can_be_is_corrupt(epoch: int) -> None:
    document = moved().document
    document["epoch"] = document["shift"]["epoch"] = epoch
    with pytest.raises(Corrupt, match="epoch"):
        read(document)


def test_an_active_active_document_may_have_many_regions_and_not_a_stranger_as_primary() -> None:
    document = moved(mode="active-active").document
    assert len(document["routing"]) == 2
    assert set(read(document).routing) == {WEST, EU}
    document["primary"] = EAST
    with pytest.raises(Contradiction, match="primary"):
        read(document)


# --- what older versions wrote -------------------------------------------------------------------


def test_a_document_that_keeps_no_decided_routing_is_not_asked_for_it() -> None:
    document = moved().document
    for name in ("routing", "routing_epoch"):
        del document["shift"][name]
    assert read(document).shift == read(document).shift
    assert read(document).routing == {WEST: 1.0}


def test_an_older_version_that_kept_the_field_and_decided_anew_is_believed() -> None:
    """It carries along what it does not know, and writes its own epoch beside it."""
    document = moved().document
    document["epoch"] = document["shift"]["epoch"] = 2
    document["primary"], document["routing"] = EU, {EU: 1.0}
    assert document["shift"]["routing"] == {WEST: 1.0}
    assert read(document).primary == EU


def test_a_document_that_does_not_tell_its_mode_may_have_many_regions() -> None:
    document = moved(mode="active-active").document
    del document["config"]["mode"]
    assert len(read(document).routing) == 2


def test_a_mode_changed_at_epoch_0_while_frozen_leaves_a_document_that_can_be_read() -> None:
    """It follows the load balancer, and its stamp is still the one of the other mode."""
    made = lab()
    made.tick()
    made.freeze()
    for backend in made.traffic.resource["backends"]:
        backend["capacityScaler"] = 1.0
    made.service = service(mode="active-active", serial=2)
    made.tick()
    assert made.state.epoch == 0
    assert len(made.state.routing) == 3


# --- what newer versions wrote -------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        ("regions", EAST, "status"),
        ("config", "mode"),
        ("lever",),
        ("incidents", f"0.{EAST}", "state"),
    ],
)
def test_an_unknown_word_is_a_newer_version_and_not_corrupt(path: tuple[str, ...]) -> None:
    document = moved().document
    put(*path, to="dancing")(document)
    with pytest.raises(NewerSchema, match=rf"{path[0]}: 'dancing' is not known"):
        read(document)


def test_an_incident_that_ended_before_it_began_ended_when_it_began() -> None:
    document = moved().document
    [key] = document["incidents"]
    document["incidents"][key]["ended_at"] = "2001-01-01T00:00:00Z"
    incident = read(document).incidents[key]
    assert incident.ended_at == incident.started_at
