"""Confirmation by Monitoring, and gauges to it, on real parts: Google's clients in the function."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.local.monitoring.monitoring import Vantage
from orchestrator.local.process.wait import wait_until
from orchestrator.local.rpc.wire import Json
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import alert, settled

pytestmark = [pytest.mark.long, pytest.mark.world, pytest.mark.timeout(180)]

EAST, WEST = "us-east-1", "us-west-2"
CONFIRMED: dict[str, Json] = {
    "gauges": True,
    "services": {"checkout": {"policy": {"confirm": "monitoring", "on_unconfirmed": "hold"}}},
}


@pytest.fixture
def world() -> Iterator[LaptopWorld]:
    with LaptopWorld(pace=60, traffic_rate=0, controls=1, overrides=CONFIRMED) as made:
        yield made


def seen(world: LaptopWorld, passed: bool) -> None:
    """Wait until a whole round of checks from now has found the first region so."""
    assert world.monitoring is not None
    before = len(world.monitoring.results)

    def found() -> bool:
        assert world.monitoring is not None
        new = [r for r in world.monitoring.results[before:] if r.region == EAST]
        return {r.vantage for r in new if r.passed is passed} == set(Vantage)

    wait_until(found, 30, f"every checker location to find passed={passed}")


def confirmation(world: LaptopWorld) -> str:
    """What the newest decision in the history says of the rule."""
    [newest, *_] = world.document()["history"]
    return next(str(one["value"]) for one in newest["reasons"] if one["rule"] == "confirm")


def gauges(world: LaptopWorld, instance: str) -> dict[tuple[str, str], list[int]]:
    """What one instance has written, by name and region, the newest first."""
    assert world.metrics is not None
    return {
        (key.metric.rpartition("/")[2], told.get("region", "")): [int(p.value) for p in points]
        for key, points in world.metrics.written().items()
        if (told := dict(key.labels))["instance"] == instance
    }


def test_an_alert_holds_that_the_checks_contradict_or_that_nobody_can_confirm(
    world: LaptopWorld,
) -> None:
    assert world.metrics is not None
    seen(world, passed=True)
    assert world.push(alert(world, EAST, "0.made-up")).acknowledged
    assert confirmation(world) == "Monitoring says healthy: 6 of 6 checker locations pass"
    assert world.routed_regions == (EAST,)
    world.metrics.stop()
    assert world.push(alert(world, EAST, "0.unconfirmed")).acknowledged
    assert confirmation(world).startswith("no second signal: Monitoring: ServiceUnavailable")
    assert world.routed_regions == (EAST,)
    assert world.patches() == []


def test_what_only_users_see_is_left_by_the_alert_alone_and_told_by_the_next_tick(
    world: LaptopWorld,
) -> None:
    """Two of six checker locations do not get through; our own probe is answered with 200."""
    assert world.monitoring is not None
    for vantage in (Vantage.EUROPE, Vantage.USA_IOWA):
        world.monitoring.cut(vantage, EAST)
    world.monitoring.wait_for_open(EAST, 60)
    wait_until(lambda: world.routed_regions == (WEST,), 30, "traffic to move")
    assert confirmation(world) == "Monitoring fails too: 2 of 6 checker locations fail"
    assert gauges(world, "function-0") == {}
    assert world.tick().acknowledged
    found = gauges(world, "control-0")
    assert found["region_health", EAST] == [0]
    assert (found["primary", EAST], found["primary", WEST]) == ([0], [1])
    assert (found["epoch", ""], found["frozen", ""]) == ([1], [0])
    assert world.tick().acknowledged
    settled(world, WEST, 1)


def test_a_tick_does_its_work_while_gauges_cannot_be_written(world: LaptopWorld) -> None:
    assert world.metrics is not None
    world.metrics.stop()
    assert world.tick().acknowledged
    told = [str(line.get("message")) for line in world.controls[0].log_lines()]
    assert any(line.startswith("gauges not written: Monitoring:") for line in told)
    assert world.document()["epoch"] == 0
