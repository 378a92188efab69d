"""A document that decodes may say anything where nobody looks: a tick runs over it all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from orchestrator.adapters.folder.objects import FileObjects
from orchestrator.core.model import DecisionOutcome
from orchestrator.flow.journal import record
from tests.fuzz import seeds
from tests.fuzz.engines import grafted
from tests.fuzz.targets import BY_NAME
from tests.support.examples import examples
from tests.support.fakes import FakeGauges, FakeMirror, FakeTopic, Lab, lab

AT = "2026-11-23T05:00:00Z"
DECISION = {"id": "d1", "at": AT, "epoch": 0, "epoch_before": 0, "outcome": "held"}

ENTRIES: tuple[dict[str, Any], ...] = (  # any JSON
    {},
    {key: value for key, value in DECISION.items() if key != "id"},
    {key: value for key, value in DECISION.items() if key != "outcome"},
    {**DECISION, "id": None},
    {**DECISION, "id": 7},
    {**DECISION, "id": ["../x"]},
    {**DECISION, "outcome": {"a": 1}},
    {**DECISION, "at": None},
    {**DECISION, "at": 10**30},
    {**DECISION, "at": "0001-01-01T00:00:00+14:00"},
    {**DECISION, "epoch": "0"},
    {**DECISION, "epoch": True},
    {**DECISION, "epoch": -1},
    {**DECISION, "epoch": 10**40},
    {**DECISION, "epoch": [[]]},
)
"""Entries of a history that no decision made."""

NAMED = (
    "../../../outside",
    "/etc/outside",
    "..",
    "\x00",
    "\ud800",
    "\x1b]0;x\x07",
    "a b/c",
    "x" * 5000,
)


def with_history(world: Lab, *entries: Any) -> None:  # any JSON
    """The document has these decisions, as somebody with access to the bucket may write them."""
    world.tick()
    world.replace_document({**world.document, "history": list(entries)})


def errors(world: Lab) -> list[str]:
    """What was logged as an error."""
    return [line["message"] for line in world.lines if line["severity"] in {"ERROR", "CRITICAL"}]


@pytest.mark.parametrize("made", ENTRIES, ids=range(len(ENTRIES)))
def test_a_history_entry_that_is_none_stops_no_tick_and_no_other_entry(made: Any) -> None:
    world = lab()
    with_history(world, made, DECISION)
    assert world.tick().decision.outcome is DecisionOutcome.UNCHANGED
    assert errors(world) == []
    kept = world.objects.names("journal/checkout/")
    assert [name for name in kept if name.endswith("-d1.json")]


@pytest.mark.parametrize("identity", NAMED, ids=range(len(NAMED)))
@pytest.mark.parametrize("at", [AT, "2026-11-23/05:00:00+00:00", "2026-11-23.04:30:00.5Z"])
def test_no_id_and_no_time_of_a_document_names_anything_outside_of_the_folder(
    tmp_path: Path, identity: str, at: str
) -> None:
    folder = tmp_path / "a" / "b" / "state"
    world = lab()
    world.objects = FileObjects(folder)  # type: ignore[assignment]  # the port, as a folder
    with_history(world, {**DECISION, "id": identity, "at": at})
    world.tick()
    assert errors(world) == []
    outside = [
        path for path in tmp_path.rglob("*") if path.is_file() and folder not in path.parents
    ]
    assert outside == []
    (name,) = FileObjects(folder).names("journal/checkout/")
    assert name.removeprefix("journal/checkout/").isascii()
    assert ".." not in name.split("/")


def test_the_name_of_a_decision_is_what_it_always_was() -> None:
    """So that an entry that is there is found."""
    made = {**DECISION, "id": "f00", "epoch": 12, "at": "2026-11-23T05:00:00.000123Z"}
    assert record.journal_name("checkout", made) == (
        "journal/checkout/00000012-20261123T050000.000123Z-f00.json"
    )


@given(data=grafted(seeds.documents()))
@settings(max_examples=examples(120), deadline=None)
def test_whatever_decodes_from_json_in_any_place_is_corrupt_or_survives_a_tick(data: bytes) -> None:
    """No fault of the program, no object of a strange name; and it is written as it was read."""
    BY_NAME["document"].run(data)
    BY_NAME["tick"].run(data)


# --- parts that a failover does not wait for -----------------------------------------------------


class Broken(Exception):
    """A fault that nobody has thought of."""


class BrokenGauges(FakeGauges):
    """Gauges with a fault."""

    def write(self, *_: object) -> None:
        """Fail as no gauge has failed before."""
        raise Broken("gauges")


class BrokenTopic(FakeTopic):
    """A topic with a fault."""

    def publish(self, *_: object) -> str:
        """Fail as no topic has failed before."""
        raise Broken("events")


class BrokenJournal:
    """A state folder in which everything but the document fails in a way of its own."""

    def __init__(self, world: Lab) -> None:
        self._objects = world.objects

    def get(self, name: str) -> tuple[bytes, int] | None:
        """As the folder does it."""
        return self._objects.get(name)

    def put(self, name: str, data: bytes, generation: int) -> int:
        """The document alone."""
        if name != "checkout.json":
            raise Broken(name)
        return self._objects.put(name, data, generation)


def broken_mirror() -> FakeMirror:
    """A mirror that fails as none has failed before."""
    made = FakeMirror()
    made.error = Broken("mirror")
    return made


PARTS: dict[str, Callable[[Lab], dict[str, Any]]] = {  # any port
    "gauges": lambda _: {"gauges": BrokenGauges()},
    "events": lambda _: {"events": BrokenTopic()},
    "journal": lambda world: {"objects": BrokenJournal(world)},
    "mirrors": lambda _: {"mirrors": (broken_mirror(),)},
}


@pytest.mark.parametrize("ports", PARTS.values(), ids=PARTS)
def test_a_fault_in_a_part_that_nothing_depends_on_is_an_error_line_and_no_failure(
    ports: Callable[[Lab], dict[str, Any]],
) -> None:
    world = lab()
    world.tick()
    world.down("us-east-1")
    changed = ports(world)
    report = world.handle(world.opened("us-east-1"), **changed)
    assert report.decision.outcome is DecisionOutcome.MOVED
    assert world.traffic.scalers()["us-east-1"] == 0.0
    world.handle(seeds.TICK, **changed)
    told = [line for line in world.lines if line["severity"] == "ERROR"]
    assert any("Broken" in line["message"] for line in told)
    assert all("failover itself is not affected" in line["message"] for line in told)


def test_a_fault_of_the_program_is_told_with_its_kind() -> None:
    world = lab()
    world.down("us-east-1")
    world.handle(world.opened("us-east-1"), events=BrokenTopic())
    faults = [line for line in world.lines if line.get("fault") == "Broken"]
    assert faults
    assert "Please report it" in faults[0]["message"]
    assert json.dumps(faults[0])
