"""What is recorded and announced after a decision, and that none of it can fail a failover."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.adapters.folder.memory import MemoryObjects
from orchestrator.core.exceptions import Unavailable
from orchestrator.core.model import DecisionOutcome
from orchestrator.flow.context import Memory
from tests.support.fakes import FAILING, Lab, lab


def entries(world: Lab) -> list[dict[str, Any]]:
    """The journal's decisions, in the order of their names."""
    found = []
    for name in world.objects.names("journal/checkout/"):
        got = world.objects.get(name)
        assert got is not None
        found.append(json.loads(got[0]))
    return found


class ClosedJournal(MemoryObjects):
    """A state folder that refuses everything but documents."""

    def put(self, name: str, data: bytes, generation: int) -> int:
        """Refuse the journal."""
        if name.startswith("journal/"):
            raise Unavailable(f"{name}: 403 no permission", page=True)
        return super().put(name, data, generation)


def fail_over(world: Lab) -> None:
    """The primary dies, and its alert comes."""
    world.down("us-east-1")
    report = world.handle(world.opened("us-east-1"))
    assert report.decision.outcome is DecisionOutcome.MOVED


# --- what is announced -------------------------------------------------------------------------


def test_a_failover_is_announced_as_one_event_with_the_id_of_its_history_entry() -> None:
    world = lab()
    fail_over(world)
    (event,) = world.events.events
    (entry,) = world.state.history
    assert event["specversion"] == "1.0"
    assert event["id"] == entry["id"]
    assert event["type"] == "failover.decision.moved"
    assert event["source"] == "//region-failover/projects/laptop/services/checkout"
    assert event["subject"] == "checkout"
    assert event["time"] == entry["at"]
    assert event["data"]["routing"] == {"us-west-2": 1.0}
    assert event["data"]["routing_before"] == {"us-east-1": 1.0}
    assert event["data"]["phase"] == "verified"
    assert event["data"]["shifted"]


def test_an_event_carries_what_a_subscription_filters_by() -> None:
    world = lab()
    fail_over(world)
    ((event, attributes),) = world.events.published
    assert attributes["ce-type"] == event["type"]
    assert attributes["ce-id"] == event["id"]
    assert attributes["ce-source"] == event["source"]
    assert attributes["content-type"] == "application/cloudevents+json"
    assert all(isinstance(value, str) for value in attributes.values())


def test_nothing_is_announced_before_the_shift() -> None:
    world = lab()
    seen: list[int] = []
    world.traffic.before_patch.append(lambda: seen.append(len(world.events.published)))
    fail_over(world)
    assert seen == [0]
    assert len(world.events.published) == 1


def test_a_copy_of_the_alert_is_not_announced_again() -> None:
    world = lab()
    fail_over(world)
    for _ in range(5):
        world.handle(world.opened("us-east-1"))
    assert len(world.events.published) == 1
    assert len(entries(world)) == 1


def test_a_page_is_one_log_line_and_one_event_however_often_its_condition_is_met() -> None:
    world = lab()
    world.down("us-east-1", "us-west-2", "eu-west-1")
    world.handle(world.opened("us-east-1"))
    world.handle(world.opened("us-west-2"))
    for _ in range(3):
        world.handle(world.opened("us-east-1"))
        world.tick()
    pages = [event for event in world.events.events if event["type"] == "failover.page"]
    assert len(world.pages) == len(pages) == 1


def test_two_instances_give_the_same_page_the_same_id() -> None:
    ids = []
    for _ in range(2):
        world = lab()
        world.objects.put("checkout.json", b"{", 0)
        with pytest.raises(Unavailable):
            world.handle(world.opened("us-east-1"))
        ids += [event["id"] for event in world.events.events]
    assert len(ids) == 2
    assert ids[0] == ids[1]


def test_without_a_topic_nothing_is_published_and_nothing_is_said_of_it() -> None:
    world = lab()
    world.down("us-east-1")
    world.handle(world.opened("us-east-1"), events=None)
    assert not world.events.published
    assert not [line for line in world.lines if line["severity"] == "ERROR"]
    assert len(entries(world)) == 1


# --- nothing of it can fail a failover -----------------------------------------------------------


def test_with_the_events_topic_gone_the_failover_happens_and_says_what_it_could_not_publish() -> (
    None
):
    world = lab()
    world.events.error = Unavailable("projects/laptop/topics/failover-events: NotFound", page=True)
    fail_over(world)
    assert world.traffic.scalers()["us-west-2"] == 1.0
    (line,) = [line for line in world.lines if line["severity"] == "ERROR"]
    assert "not published" in line["message"]
    assert "failover-events" in line["message"]
    assert len(entries(world)) == 1


def test_with_a_journal_that_refuses_writes_the_failover_happens_and_says_so() -> None:
    world = lab()
    world.objects = ClosedJournal()
    fail_over(world)
    assert world.traffic.scalers()["us-west-2"] == 1.0
    (line,) = [line for line in world.lines if line["severity"] == "ERROR"]
    assert "journal not written" in line["message"]
    assert len(world.events.published) == 1


# --- what an instance died before doing ----------------------------------------------------------


def test_a_tick_records_what_a_crash_left_unrecorded() -> None:
    world = lab()
    fail_over(world)
    (name,) = world.objects.names("journal/checkout/")
    world.objects._objects.pop(name)
    world.events.published.clear()
    world.memory = Memory()
    world.tick()
    (event,) = world.events.events
    (entry,) = entries(world)
    assert event["id"] == entry["id"] == world.state.history[0]["id"]
    world.tick(3)
    assert len(world.events.published) == 1


def test_a_tick_tries_again_what_could_not_be_published_until_it_can() -> None:
    world = lab()
    world.events.error = Unavailable("the topic is gone")
    world.objects = ClosedJournal()
    fail_over(world)
    world.tick(2)
    assert not world.events.published
    world.events.error = None
    world.tick()
    assert [event["type"] for event in world.events.events] == ["failover.decision.moved"]


def test_a_journal_that_stays_closed_does_not_double_the_event() -> None:
    world = lab()
    world.objects = ClosedJournal()
    fail_over(world)
    world.tick(5)
    assert [event["type"] for event in world.events.events] == ["failover.decision.moved"]


def test_decisions_of_long_ago_are_not_recorded_late() -> None:
    world = lab()
    world.events.error = Unavailable("the topic is gone")
    world.objects = ClosedJournal()
    fail_over(world)
    world.events.error = None
    world.clock.at += timedelta(hours=2)
    world.tick()
    assert "failover.decision.moved" not in [event["type"] for event in world.events.events]


def test_a_world_at_rest_is_asked_for_its_journal_once_and_written_never() -> None:
    world = lab()
    fail_over(world)
    world.tick()
    before = world.objects._last
    world.tick(5)
    assert world.objects._last == before
    assert world.prober.answers["us-east-1"] == FAILING


def test_a_repair_of_drift_is_announced() -> None:
    world = lab()
    fail_over(world)
    world.tick()
    for backend in world.traffic.resource["backends"]:
        backend["capacityScaler"] = 1.0
    world.traffic.resource["fingerprint"] = "drifted"
    world.tick()
    event = world.events.events[-1]
    assert event["type"] == "failover.drift"
    assert "Something other than the orchestrator changed checkout" in event["data"]["drift"]
