"""Gauges: written after a tick that ended well, last of all, and nothing depends on them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pytest

from orchestrator.core.exceptions import Unavailable
from orchestrator.core.model import DecisionOutcome, Tick
from orchestrator.ports import Gauge
from tests.support.fakes import START, Flaky, Lab, lab

EAST, WEST, EU = "us-east-1", "us-west-2", "eu-west-1"


def read(made: Lab) -> dict[tuple[str, str], int]:
    """The gauges that were written last, by name and region."""
    _, gauges = made.gauges.written[-1]
    assert {gauge.labels["service"] for gauge in gauges} == {"checkout"}
    return {(gauge.name, gauge.labels.get("region", "")): gauge.value for gauge in gauges}


def test_a_tick_tells_how_the_service_stands() -> None:
    made = lab()
    made.tick()
    assert read(made) == {
        **{("region_health", region): 1 for region in (EAST, WEST, EU)},
        ("primary", EAST): 1,
        ("primary", WEST): 0,
        ("primary", EU): 0,
        ("epoch", ""): 0,
        ("frozen", ""): 0,
        ("last_tick", ""): int(START.timestamp()),
    }


def test_after_a_failover_they_tell_of_it_with_the_next_tick() -> None:
    made = lab()
    made.down(EAST)
    made.handle(made.opened(EAST))
    made.freeze()
    assert made.gauges.written == []
    made.tick()
    found = read(made)
    assert (found["region_health", EAST], found["primary", WEST], found["epoch", ""]) == (0, 1, 1)
    assert found["frozen", ""] == 1
    made.clock.rest(2 * 3600)
    made.tick()
    assert read(made)["frozen", ""] == 0


def test_they_come_after_the_patch_of_a_tick_that_moves() -> None:
    made = lab()
    patched: list[int] = []

    class Gauges:
        def write(self, gauges: Iterable[Gauge], now: datetime) -> None:
            made.gauges.write(gauges, now)
            patched.append(len(made.traffic.applied))

    made.down(EAST)
    outcomes = []
    for _ in range(3):
        outcomes.append(made.handle(Tick(), gauges=Gauges()).decision.outcome)
        made.clock.rest(60)
    assert outcomes[-1] is DecisionOutcome.MOVED
    assert patched == [0, 0, 1]


def test_that_they_cannot_be_written_changes_nothing_and_is_said_once_a_tick() -> None:
    made = lab()
    made.gauges.error = Unavailable("Monitoring: ServiceUnavailable: gone")
    made.down(EAST)
    assert made.tick(3).decision.outcome is DecisionOutcome.MOVED
    told = [line for line in made.lines if line["message"].startswith("gauges not written")]
    assert [line["severity"] for line in told] == ["INFO"] * 3
    assert made.traffic.scalers()[WEST] == 1.0


def test_a_tick_that_is_given_back_writes_none() -> None:
    """So an alert on their absence also tells of an orchestrator whose every tick fails."""
    made = lab()
    made.tick()

    def gone() -> Unavailable:
        return Unavailable("gone", page=True)

    with pytest.raises(Unavailable):
        made.handle(Tick(), traffic=Flaky(made.traffic, 1, "before", gone))
    assert len(made.gauges.written) == 1


def test_nothing_is_written_where_nothing_is_configured() -> None:
    made = lab()
    made.handle(Tick(), gauges=None)
    assert made.gauges.written == []
