"""Floods, by whoever may publish: of made-up incidents, and of messages that nobody can read."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from orchestrator.client.document import read_document
from orchestrator.core.exceptions import BadEvent, Conflict, Unavailable
from orchestrator.core.model import AlertOpened, DecisionOutcome
from orchestrator.core.outside.limits import INCIDENTS, READ, WRITTEN
from orchestrator.flow.context import Memory
from orchestrator.flow.journal import poison
from orchestrator.flow.journal.poison import DAILY, INDEX, PoisonKept
from tests.support.fakes import Lab, lab

EAST, WEST = "us-east-1", "us-west-2"


def forged(world: Lab, number: int, region: str = WEST) -> AlertOpened:
    """A made-up incident, of a region that is well."""
    return AlertOpened(f"forged.{number:060}", region, world.clock.at)


def said(world: Lab, severity: str) -> list[str]:
    """What was said of floods in this severity."""
    lines = [line for line in world.lines if line["severity"] == severity]
    return [str(line["message"]) for line in lines if "flood:" in str(line["message"])]


def test_more_than_twenty_new_incidents_a_minute_are_a_warning_and_then_a_page() -> None:
    world = lab()
    world.tick()
    for number in range(21):
        assert said(world, "WARNING") == []
        world.handle(forged(world, number))
    assert len(said(world, "WARNING")) == 1
    assert said(world, "CRITICAL") == []
    for number in range(21, 60):
        world.clock.rest(2)
        world.handle(forged(world, number))
    assert len(said(world, "WARNING")) == 1
    (page,) = said(world, "CRITICAL")
    assert "more than 20 new incidents of checkout" in page


def test_copies_and_a_slow_rise_are_no_flood() -> None:
    world = lab()
    world.tick()
    for _ in range(30):
        world.handle(forged(world, 1))
    for number in range(60):
        world.clock.rest(3.1)
        world.handle(forged(world, number + 2))
    assert said(world, "WARNING") == []


@pytest.mark.parametrize("contradicted", [pytest.param(True, marks=pytest.mark.long), False])
def test_a_flood_fills_no_document_and_hides_no_failure(*, contradicted: bool) -> None:
    """Three hundred forged alerts with long ids, then the primary dies."""
    world = lab()
    world.tick()
    if not contradicted:
        world.down(WEST)
    for number in range(301):
        world.handle(forged(world, number))
    data = json.dumps(world.document).encode()
    assert len(data) < WRITTEN < READ
    assert read_document(data).primary == EAST
    assert len(world.state.incidents) <= INCIDENTS
    world.down(EAST, *([] if contradicted else [WEST]))
    assert world.handle(world.opened(EAST)).decision.outcome is DecisionOutcome.MOVED
    assert world.state.primary == (WEST if contradicted else "eu-west-1")


# --- poison --------------------------------------------------------------------------------------


def unreadable(world: Lab, number: int) -> PoisonKept:
    """One message that nobody can read."""
    return poison.keep(b"poison %d" % number, BadEvent("not JSON"), world.context())


def kept(world: Lab) -> int:
    """How many messages are kept."""
    return len(world.objects.names("journal/_poison/"))


def test_so_many_unreadable_messages_are_kept_on_one_day_and_it_pages_once() -> None:
    world = lab()
    found = [unreadable(world, number) for number in range(DAILY + 30)]
    assert found == [PoisonKept.KEPT] * DAILY + [PoisonKept.LEFT_OUT] * 30
    assert kept(world) == DAILY
    pages = [line for line in world.lines if line.get("page")]
    assert [page["rule"] for page in pages] == ["poison"]
    world.memory = Memory()  # another instance
    assert unreadable(world, 9999) is PoisonKept.LEFT_OUT
    assert len([line for line in world.lines if line.get("page")]) == 1
    world.clock.at += timedelta(days=1)
    assert unreadable(world, 9999) is PoisonKept.KEPT


def test_a_list_that_somebody_else_has_filled_pages_too() -> None:
    """It would keep every message of the day out of the journal unseen."""
    world = lab()
    filled = {f"{world.clock.at:%Y-%m-%d}": [f"{number:064x}" for number in range(DAILY)]}
    world.objects.put(INDEX, json.dumps(filled).encode(), 0)
    assert [unreadable(world, number) for number in range(3)] == [PoisonKept.LEFT_OUT] * 3
    assert [line["rule"] for line in world.lines if line.get("page")] == ["poison"]


def test_a_crash_between_the_page_and_its_note_pages_once_more_and_never_not_at_all() -> None:
    world = lab()
    for number in range(DAILY):
        unreadable(world, number)
    put = world.objects.put

    def fails(*_: object) -> int:
        raise Unavailable("killed")

    world.objects.put = fails  # type: ignore[method-assign,assignment]  # the port's own error
    unreadable(world, 1000)
    world.objects.put = put  # type: ignore[method-assign]
    world.memory = Memory()  # the instance that comes after
    for number in range(1001, 1004):
        unreadable(world, number)
    assert len([line for line in world.lines if line.get("page")]) == 2


def test_a_copy_takes_no_room() -> None:
    world = lab()
    assert [unreadable(world, 1) for _ in range(5)] == [PoisonKept.KEPT] * 5
    assert kept(world) == 1
    assert len(next(iter(json.loads((world.objects.get(INDEX) or (b"", 0))[0]).values()))) == 1


def test_the_list_is_of_a_few_days() -> None:
    world = lab()
    for day in range(30):
        unreadable(world, day)
        world.clock.at += timedelta(days=1)
    listed = json.loads((world.objects.get(INDEX) or (b"", 0))[0])
    assert len(listed) == poison.DAYS


@pytest.mark.parametrize("rubbish", [b"", b"[]", b'{"2026-11-23": 7}', b'{"2026-11-23": [7]}'])
def test_a_list_that_cannot_be_read_is_begun_again(rubbish: bytes) -> None:
    world = lab()
    world.objects.put(INDEX, rubbish, 0)
    assert unreadable(world, 1) is PoisonKept.KEPT


@pytest.mark.parametrize("error", [Unavailable("gone"), Conflict("another was faster")])
def test_what_cannot_be_listed_is_not_kept_and_fails_nothing(error: Exception) -> None:
    world = lab()

    def refuses(*_: object) -> int:
        raise error

    world.objects.put = refuses  # type: ignore[method-assign,assignment]  # the port's own error
    assert unreadable(world, 1) is not PoisonKept.KEPT
    assert kept(world) == 0


def test_the_newest_are_looked_at_first_and_the_rest_is_counted() -> None:
    world = lab()
    for number in range(5):
        unreadable(world, number)
        world.clock.at += timedelta(hours=1)
    names, more = poison.names(world.objects, 2)
    first = json.loads((world.objects.get(names[0]) or (b"", 0))[0])
    assert first["first"] == "poison 4"
    assert (len(names), more) == (2, 3)


def test_a_list_that_somebody_else_wrote_leads_to_no_other_object() -> None:
    """Who can write the bucket wants `explain` to read what they name, or to fail."""
    world = lab()
    data, error = b"not readable", BadEvent("the notification is not JSON")
    forged = {"2026-11-23": ["../../x", "checkout", "a" * 63, "\x1b[2J", "b" * 64]}
    world.objects.put(INDEX, json.dumps(forged).encode(), 0)
    assert poison.keep(data, error, world.context()) is PoisonKept.KEPT
    listed, _ = poison.names(world.objects, 100)
    assert poison.name_of("b" * 64) in listed
    assert len(listed) == 2
