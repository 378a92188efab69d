"""What never reached a human before: alerts contradicted for good, and drift that comes back."""

from __future__ import annotations

from typing import Any

from orchestrator.core.model import DecisionOutcome, IncidentState
from orchestrator.flow.context import Memory
from tests.support.fakes import Lab, lab

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"


def pages(world: Lab) -> list[dict[str, Any]]:
    """The lines that page."""
    return [line for line in world.lines if line.get("page")]


def pause(world: Lab, minutes: float = 1) -> None:
    """Let time pass."""
    world.clock.rest(minutes * 60)


def contradicted() -> Lab:
    """Monitoring says that west fails, and our probe says that it does not."""
    world = lab()
    world.tick()
    world.handle(world.opened(WEST, "0.wrong"))
    return world


def test_an_alert_that_the_probe_contradicts_for_good_pages_once() -> None:
    world = contradicted()
    world.tick(times=8)
    assert pages(world) == []
    world.clock.rest(60)
    world.tick(times=120)
    (line,) = pages(world)
    assert (line["rule"], line["regions"]) == ("contradicted", [WEST])
    assert "0.wrong" in line["message"]
    assert world.state.incidents["0.wrong"].state is IncidentState.STALE


def test_a_contradicted_alert_that_is_closed_in_time_pages_nobody() -> None:
    world = contradicted()
    world.tick(times=5)
    world.handle(world.closed(WEST, "0.wrong"))
    world.tick(times=60)
    assert pages(world) == []


def undo(world: Lab, **changes: Any) -> None:
    """A controller puts everything back as it was before the failover."""
    backends = [{**b, "capacityScaler": 1.0} for b in world.traffic.resource["backends"]]
    world.traffic.change({"backends": backends, **changes})


def moved() -> Lab:
    """East has failed over to west, and ticks have verified it."""
    world = lab()
    world.tick()
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.tick()
    return world


def test_drift_that_comes_back_every_minute_pages_once_with_the_resource_and_its_audit_log() -> (
    None
):
    world = moved()
    for _ in range(30):
        undo(world)
        world.memory = Memory()  # another instance each time
        world.tick()
        pause(world)
    told = pages(world)
    assert [line["count"] for line in told] == [1, 2]  # the page and one reminder in half an hour
    assert {line["rule"] for line in told} == {"drift"}
    assert "checkout" in told[0]["message"]
    assert told[0]["command"].startswith("gcloud logging read")
    assert world.traffic.scalers() == {EAST: 0.0, WEST: 1.0, EUROPE: 0.0}  # repairing went on


def test_drift_that_came_twice_pages_nobody() -> None:
    world = moved()
    for _ in range(2):
        undo(world)
        world.tick()
        pause(world)
    world.tick(times=30)
    assert pages(world) == []


def test_a_writer_that_is_faster_than_the_verification_pages_too() -> None:
    world = moved()
    for _ in range(3):
        undo(world)
        world.traffic.after_patch += [lambda: undo(world)] * 2
        assert world.tick().decision.outcome is DecisionOutcome.UNCHANGED
        pause(world)
    (line,) = pages(world)
    assert line["rule"] == "drift"


def test_a_mark_that_another_writer_removes_is_left_after_some_rounds_and_pages() -> None:
    world = moved()
    for _ in range(10):
        world.traffic.change({"description": '{"kubernetes.io/service-name": "shop/web"}'})
        world.tick()
        pause(world)
    writes = [body for body in world.traffic.applied if "failover epoch" in str(body)]
    assert len(writes) == 1 + 5  # the move, and five tries
    (line,) = pages(world)
    assert (line["rule"], line["command"].split()[0]) == ("mark", "gcloud")


def test_a_mark_that_was_left_is_written_with_the_next_traffic() -> None:
    world = moved()
    for _ in range(8):
        world.traffic.change({"description": "theirs"})
        world.tick()
        pause(world)
    undo(world)
    world.tick()
    assert "failover epoch=1" in world.traffic.resource["description"]
    world.traffic.change({"description": "theirs"})
    world.down(WEST)
    world.handle(world.opened(WEST))
    assert world.state.epoch == 2
    assert "failover epoch=2" in world.traffic.resource["description"]
