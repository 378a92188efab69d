"""A document that contradicts itself moves nothing, pages, and comes back by a restore."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.core.exceptions import Outdated, Unavailable
from orchestrator.core.model import DecisionOutcome, Signal, Tick
from orchestrator.flow.rescue import restore
from tests.support.fakes import REGIONS, Lab, lab

EAST, WEST, EU = REGIONS


def edited(**fields: Any) -> Lab:
    """A world after one failover, whose document somebody has edited by hand."""
    made = lab()
    made.down(EAST)
    made.handle(made.opened(EAST))
    got = made.objects.get("checkout.json")
    assert got is not None
    document = json.dumps({**json.loads(got[0]), **fields}).encode()
    made.objects.put("checkout.json", document, got[1])
    return made


SIGNALS: list[Callable[[Lab], Signal]] = [
    lambda _: Tick(),
    lambda made: made.opened(WEST),
    lambda made: made.closed(EAST),
]


@pytest.mark.parametrize("signal", SIGNALS, ids=["tick", "open", "close"])
@pytest.mark.parametrize("fields", [{"primary": EU}, {"primary": EU, "routing": {EU: 1.0}}])
def test_nothing_moves_and_a_human_is_told_what_to_do(
    fields: dict[str, Any], signal: Callable[[Lab], Signal]
) -> None:
    made = edited(**fields)
    before = made.objects.get("checkout.json"), made.traffic.resource
    made.down(WEST)
    with pytest.raises(Unavailable, match=r"routing.*`failoverctl state restore checkout") as told:
        made.handle(signal(made))
    assert told.value.page
    assert (made.objects.get("checkout.json"), made.traffic.resource) == before
    assert made.traffic.scalers() == {EAST: 0.0, WEST: 1.0, EU: 0.0}


def test_state_restore_brings_back_the_version_before_the_edit() -> None:
    made = edited(primary=EU)
    found = restore.prepare(made.service, None, made.context(), made.objects)
    assert "primary" in found.live
    report = restore.carry_out(made.service, found, "alice", made.context())
    assert report.decision.outcome is not DecisionOutcome.MOVED
    assert made.state.primary == WEST
    assert made.traffic.scalers() == {EAST: 0.0, WEST: 1.0, EU: 0.0}


def test_a_slip_in_a_word_is_left_to_a_newer_version_unless_a_human_names_one_to_restore() -> None:
    made = edited(lever="capacitty")
    with pytest.raises(Outdated, match="--generation"):
        made.tick()
    with pytest.raises(Outdated, match="--generation"):
        restore.prepare(made.service, None, made.context(), made.objects)
    newest, good, *_ = made.objects.versions("checkout.json")
    assert newest.generation > good.generation
    found = restore.prepare(made.service, good.generation, made.context(), made.objects)
    assert "lever: 'capacitty'" in found.live
    restore.carry_out(made.service, found, "alice", made.context())
    assert made.state.primary == WEST
