"""What the document leaves out for its size is counted and logged; its numbers have bounds."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core.exceptions import Unavailable
from orchestrator.core.model import AlertClosed, AlertOpened
from orchestrator.core.outside import limits
from tests.support.fakes import REGIONS, Lab, lab

EAST, WEST, EU = REGIONS
DAY = 86_400_000_000
GENERATION = 1_795_410_000_000_000
"""Microseconds of the fakes' morning."""


def test_incidents_that_are_too_many_are_counted_in_the_document_and_logged() -> None:
    made = lab()
    made.tick()
    document: dict[str, Any] = made.document
    entry = {"region": EU, "state": "closed", "settled": True, "started_at": "2026-11-23T04:00:00Z"}
    document["incidents"] = {f"0.{number}": entry for number in range(limits.INCIDENTS + 40)}
    made.replace_document(document)
    made.handle(AlertOpened("0.new", EU, made.clock.at))
    assert made.document["forgotten"] == 41
    assert [line["dropped"] for line in made.lines if "dropped" in line] == [{"incidents": 41}]
    made.lines.clear()
    made.handle(AlertClosed("0.new", EU, made.clock.at, made.clock.at))
    assert not [line for line in made.lines if "dropped" in line]


def test_a_copy_of_what_was_dropped_at_once_writes_nothing() -> None:
    made = lab()
    made.tick()
    document: dict[str, Any] = made.document
    entry = {"region": EU, "state": "closed", "settled": True, "started_at": "2026-11-23T04:59:00Z"}
    document["incidents"] = {f"0.{number}": entry for number in range(limits.INCIDENTS)}
    made.replace_document(document)
    before = made.objects.get("checkout.json")
    late = made.clock.at.replace(hour=4, minute=0)
    made.handle(AlertClosed("0.late", EU, late, late))
    assert made.objects.get("checkout.json") == before


def at_generation(made: Lab, generation: int, **fields: Any) -> None:
    """The document with these fields, in an object of that generation."""
    document = {**made.document, **fields}
    made.objects = type(made.objects)()
    made.replace_document(document)
    [(data, _)] = made.objects._objects.values()
    made.objects._objects["checkout.json"] = (data, generation)


def test_a_revision_of_next_year_is_corrupt() -> None:
    made = lab()
    made.tick()
    at_generation(made, GENERATION, revision=GENERATION + 365 * DAY)
    with pytest.raises(Unavailable, match=r"corrupt \(revision: .* ahead"):
        made.tick()


@pytest.mark.parametrize("revision", [0, 17, GENERATION - 1, GENERATION + 6 * DAY])
def test_counters_and_revisions_of_a_clock_that_is_ahead_are_read(revision: int) -> None:
    made = lab()
    made.tick()
    at_generation(made, GENERATION, revision=revision)
    made.tick()


def test_a_slow_clock_of_ours_makes_no_document_corrupt() -> None:
    """The object's generation is the time by the bucket's clock."""
    made = lab()
    made.tick()
    at_generation(made, GENERATION + 900 * DAY, revision=GENERATION + 899 * DAY)
    made.tick()
