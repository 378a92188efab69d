"""Calling a human, through the pipeline: once for a condition, whoever meets it and how often."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.adapters.folder.memory import MemoryObjects
from orchestrator.core.exceptions import Cloud, Kind, Outdated, StateLost, Unavailable
from orchestrator.core.model import Tick
from orchestrator.flow.context import Memory
from tests.support.fakes import Lab, group, lab, service

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"


def pages(world: Lab) -> list[dict[str, Any]]:
    """The lines that page."""
    return [line for line in world.lines if line.get("page")]


def events(world: Lab) -> list[dict[str, Any]]:
    """The events that page."""
    return [event for event in world.events.events if event["type"] == "failover.page"]


def held() -> Lab:
    """Every region is down, and nothing can be moved."""
    world = lab()
    world.tick()
    world.down(EAST, WEST, EUROPE)
    world.handle(world.opened(EAST))
    return world


def pause(world: Lab, minutes: float = 1) -> None:
    """Let time pass."""
    world.clock.rest(minutes * 60)


# --- one condition -------------------------------------------------------------------------------


def test_a_page_says_which_region_which_rule_which_decision_and_what_to_paste() -> None:
    world = held()
    line = next(line for line in pages(world) if line["rule"] == "last_region")
    identity = world.state.history[0]["id"]
    assert (line["severity"], line["service"], line["regions"]) == ("CRITICAL", "checkout", [EAST])
    assert line["decision"] == identity
    assert line["command"] == f"failoverctl explain checkout {identity}"
    assert line["command"] in line["message"]
    event = next(one for one in events(world) if one["data"]["rule"] == "last_region")
    assert event["data"]["decision"] == identity
    assert event["data"]["regions"] == [EAST]


def test_while_a_move_is_held_messages_of_other_regions_page_nobody_again() -> None:
    """A storm of 500 messages paged 236 times. That it is a flood is one page of its own."""
    world = held()
    world.handle(world.opened(WEST))
    world.handle(world.opened(EUROPE))
    before = len(pages(world))
    for number in range(100):
        world.handle(world.opened((WEST, EUROPE)[number % 2], f"0.storm-{number}"))
        world.clock.rest(1)
    told = [line for line in pages(world) if line["rule"] != "flood"]
    assert len(told) == before
    assert len({(line["rule"], *line["regions"]) for line in told}) == before
    assert len(pages(world)) == before + 1


def test_a_held_move_reminds_and_the_reminder_names_the_first_decision() -> None:
    world = held()
    first = world.state.history[0]["id"]
    world.tick(times=70)
    told = [line for line in pages(world) if line["rule"] == "last_region"]
    assert [line["count"] for line in told] == [1, 2, 3]
    assert {line["decision"] for line in told} == {first}
    assert "reminder 1" in told[1]["message"]


def test_a_condition_that_is_over_is_taken_out_of_the_document_and_pages_when_it_comes_back() -> (
    None
):
    world = held()
    world.down()
    world.handle(world.closed(EAST))
    world.tick(times=15)
    assert world.state.pages == {}
    count = len(pages(world))
    world.down(EAST, WEST, EUROPE)
    world.handle(world.opened(EAST, "0.later"))
    assert len(pages(world)) > count


def test_another_instance_that_meets_the_same_condition_pages_nobody() -> None:
    world = held()
    world.tick(times=5)
    count = len(pages(world))
    world.memory = Memory()
    world.tick(times=5)
    assert len(pages(world)) == count


def test_two_instances_at_the_same_moment_page_once() -> None:
    """The compare-and-set decides which of them; the other one reads that it is done."""
    world = lab()
    world.tick()
    world.down(EAST, WEST, EUROPE)
    objects = world.objects

    class Racing(MemoryObjects):
        def __init__(self) -> None:
            self.raced = False

        def get(self, name: str) -> tuple[bytes, int] | None:
            return objects.get(name)

        def put(self, name: str, data: bytes, generation: int) -> int:
            if name == "checkout.json" and not self.raced:
                self.raced = True
                world.handle(world.opened(EAST), memory=Memory())
            return objects.put(name, data, generation)

    world.handle(world.opened(EAST), objects=Racing())
    rules = [line["rule"] for line in pages(world)]
    assert len(rules) == len(set(rules)) > 0


def test_an_acknowledged_condition_reminds_nobody() -> None:
    world = held()
    world.tick(times=5)
    world.command("ack")
    count = len(pages(world))
    world.tick(times=70)
    assert len(pages(world)) == count
    assert all(entry.quiet for entry in world.state.pages.values())


def test_a_document_that_cannot_be_written_does_not_keep_a_held_move_from_paging() -> None:
    world = lab()
    world.tick()
    world.down(EAST, WEST, EUROPE)
    objects = world.objects

    class ReadOnly(MemoryObjects):
        def get(self, name: str) -> tuple[bytes, int] | None:
            return objects.get(name)

        def put(self, name: str, data: bytes, generation: int) -> int:
            del data, generation
            raise Unavailable(f"429 on {name}", kind=Kind.BUSY, cloud=Cloud.STORAGE)

    for _ in range(3):
        with pytest.raises(Unavailable):
            world.handle(world.opened(EAST), objects=ReadOnly())
    rules = [line["rule"] for line in pages(world)]
    assert "last_region" in rules
    assert len(rules) == len(set(rules))


# --- errors --------------------------------------------------------------------------------------


def test_a_lower_serial_pages_once_and_decides_nothing() -> None:
    world = lab(serial=2)
    world.tick()
    before = world.document
    for _ in range(12):
        with pytest.raises(Outdated):
            world.handle(world.opened(EAST), service=service(serial=1))
        pause(world)
    (line,) = pages(world)
    assert line["rule"] == "outdated"
    assert "serial 1" in line["message"]
    assert world.document == before


def test_a_lower_serial_that_only_ticks_meet_pages_when_a_roll_out_would_be_over() -> None:
    world = lab(serial=2)
    world.tick()
    for minute in range(8):
        with pytest.raises(Outdated):
            world.handle(Tick(), service=service(serial=1))
        assert len(pages(world)) == (1 if minute >= 5 else 0)
        pause(world)


def test_a_condition_of_the_instance_is_not_forgotten_while_the_document_keeps_another() -> None:
    """The instance cannot carry out the epoch, and the load balancer names no region it knows."""
    world = lab(serial=1, lever="membership")
    world.tick()
    world.command("failover", EUROPE, now=True)
    world.service = service(serial=2, lever="membership", regions=(EAST, EUROPE))
    stray = [{"group": group(WEST, serverless=True)}]
    world.traffic.change({"backends": stray, "description": "mine"})
    for _ in range(12):
        pause(world)
        with pytest.raises(Outdated):
            world.tick()
    assert {line["rule"] for line in pages(world)} == {"routing", "outdated"}


def test_a_lasting_fault_pages_once_and_not_with_every_delivery() -> None:
    world = lab()
    world.objects.put("checkout.json", b"{", 0)
    for _ in range(14):
        with pytest.raises(Unavailable):
            world.handle(world.opened(EAST))
        pause(world)
    (line,) = pages(world)
    assert (line["rule"], line["command"]) == ("corrupt", "failoverctl state restore checkout")
    shows = (
        "`failoverctl state restore checkout` (this only shows the change. Add --apply to make it)"
    )
    assert line["message"].endswith(f"To do: {shows}")
    pause(world, 2)
    with pytest.raises(Unavailable):
        world.tick()
    assert len(pages(world)) == 2
    assert len({event["id"] for event in events(world)}) == 2


def test_a_state_that_cannot_be_read_while_a_region_fails_pages_once_for_the_region() -> None:
    world = lab()
    world.tick()

    class Gone(MemoryObjects):
        def get(self, name: str) -> tuple[bytes, int] | None:
            raise Unavailable(f"503 on {name}", kind=Kind.UNREACHABLE, cloud=Cloud.STORAGE)

    for _ in range(5):
        with pytest.raises(StateLost):
            world.handle(world.opened(EAST), objects=Gone())
    (line,) = pages(world)
    assert (line["rule"], line["regions"]) == ("on_state_loss", [EAST])


def test_a_fault_of_the_load_balancer_is_remembered_in_the_document() -> None:
    world = lab()
    world.tick()

    def refuse() -> None:
        world.traffic.before_patch.append(refuse)
        raise Unavailable("403", page=True, kind=Kind.PERMISSION, cloud=Cloud.COMPUTE)

    world.traffic.before_patch.append(refuse)
    world.down(EAST)
    for _ in range(3):
        with pytest.raises(Unavailable):
            world.handle(world.opened(EAST))
        world.memory = Memory()
        pause(world)
    (line,) = pages(world)
    assert (line["rule"], line["command"]) == ("compute-permission", "failoverctl check checkout")
    assert "compute-permission" in world.state.pages


def test_the_document_is_written_seldom_while_a_condition_lasts() -> None:
    world = held()
    world.tick(times=3)
    before = world.state.revision
    writes = 0
    for _ in range(60):
        pause(world)
        world.tick()
        writes += world.state.revision != before
        before = world.state.revision
    assert writes <= 14


def test_what_the_document_remembers_the_instance_need_not() -> None:
    world = held()
    assert world.memory.pages == {}


def test_the_history_says_that_a_human_was_paged_only_where_that_is_so() -> None:
    world = held()
    world.tick(times=3)
    world.handle(world.opened(EAST, "0.again"))
    again, *_, first = (e for e in world.state.history if e["outcome"] == "held")
    assert "last_region" in str(first["page"])
    assert again["page"] == ""
