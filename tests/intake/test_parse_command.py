"""Commands on the control topic: who may speak is IAM's; what is said must be whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.core.exceptions import BadEvent
from orchestrator.core.model import Command, Tick, Wish
from orchestrator.intake.parse import Addressed, Message, parse_control
from tests.support.fakes import START, service

SERVICES = {"checkout": service()}
WHOLE: dict[str, Any] = {
    "kind": "command",
    "id": "c-1",
    "issued_at": "2026-11-23T05:00:00Z",
    "verb": "failover",
    "service": "checkout",
    "to": "us-west-2",
    "actor": "alice@laptop",
    "reason": "a drill",
}


def take(**changes: Any) -> tuple[Addressed, ...]:
    """The signals of a command with these fields changed; None takes one away."""
    told = {key: value for key, value in {**WHOLE, **changes}.items() if value is not None}
    return parse_control(Message(json.dumps(told).encode(), "m", START), SERVICES)


def one(**changes: Any) -> Command:
    """The only signal."""
    (found,) = take(**changes)
    assert isinstance(found.signal, Command)
    return found.signal


def test_a_whole_command_is_taken_as_it_stands() -> None:
    assert one() == Command(
        id="c-1",
        wish=Wish.FAILOVER,
        actor="alice@laptop",
        reason="a drill",
        issued_at=datetime(2026, 11, 23, 5, 0, tzinfo=UTC),
        region="us-west-2",
        published=datetime(2026, 11, 23, 5, 0, tzinfo=UTC),
    )


@pytest.mark.parametrize("field", ["id", "issued_at", "verb", "actor", "reason"])
@pytest.mark.parametrize("value", [None, "", "  ", 7, []])
def test_a_command_without_a_needed_field_is_poison(field: str, value: object) -> None:
    if field == "issued_at" and value == 7:
        return
    with pytest.raises(BadEvent):
        take(**{field: value})


def test_a_command_for_a_service_or_region_that_is_not_ours_is_poison() -> None:
    for changes in ({"service": "search"}, {"service": 7}, {"to": "mars-north-1"}):
        with pytest.raises(BadEvent):
            take(**changes)


@pytest.mark.parametrize("verb", ["failover", "failback"])
def test_a_move_to_somewhere_is_for_one_service(verb: str) -> None:
    with pytest.raises(BadEvent, match="for one service"):
        take(verb=verb, service=None)


@pytest.mark.parametrize("verb", ["failover", "evacuate"])
def test_a_move_needs_its_region(verb: str) -> None:
    with pytest.raises(BadEvent, match="needs a region"):
        take(verb=verb, to=None)


def test_a_freeze_always_ends_and_soon_enough() -> None:
    at = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
    for until in (None, "", "2026-11-23T04:59:00Z", (at + timedelta(days=8)).isoformat()):
        with pytest.raises(BadEvent, match="until"):
            take(verb="freeze", to=None, until=until)
    assert one(verb="freeze", to=None, until="2026-11-23T07:00:00Z").until == at.replace(hour=7)


def test_a_command_without_a_service_is_for_every_one() -> None:
    found = take(verb="ack", to=None, service=None)
    assert [to.service for to in found] == list(SERVICES)


def test_an_evacuation_is_for_the_services_that_have_the_region() -> None:
    both = {"checkout": SERVICES["checkout"], "small": service(regions=("us-east-1", "us-west-2"))}
    told = {**WHOLE, "verb": "evacuate", "service": None, "to": None, "region": "eu-west-1"}
    message = Message(json.dumps(told).encode(), "m", START)
    assert [to.service for to in parse_control(message, both)] == ["checkout"]


def test_a_tick_is_still_a_tick() -> None:
    found = parse_control(Message(b'{"kind": "tick"}', "m", START), SERVICES)
    assert [to.signal for to in found] == [Tick()]


def test_long_texts_are_cut_and_made_one_line() -> None:
    found = one(reason="why\n" * 1000, actor="a" * 1000)
    assert len(found.reason) <= 256
    assert "\n" not in found.reason
    assert len(found.actor) == 256


@pytest.mark.parametrize("year", ["9999", "0001", "2200"])
def test_a_time_where_no_clock_is_is_no_time(year: str) -> None:
    """Sums with it would leave the calendar."""
    at = f"{year}-12-31T00:00:00Z"
    with pytest.raises(BadEvent, match="issued_at"):
        take(verb="freeze", issued_at=at, until=f"{year}-12-31T01:00:00Z")
