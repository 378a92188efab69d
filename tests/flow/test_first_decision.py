"""At epoch 0 the load balancer may have anything: a command is the first decision all the same."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from orchestrator.core.model import DecisionOutcome
from orchestrator.flow.pipeline import Report
from tests.support.fakes import REGIONS, Lab, lab

EAST, WEST, EUROPE = REGIONS


def deployed(*getting: str, **options: Any) -> Lab:
    """A service with a document of epoch 0 whose load balancer has been changed by hand to this."""
    made = lab(**options)
    made.tick()
    for backend in made.traffic.resource["backends"]:
        name = backend["group"].rsplit("checkout-", 1)[-1]
        backend["capacityScaler"] = 1.0 if name in getting else 0.0
    made.traffic.resource["fingerprint"] = "by hand"
    return made


def getting(made: Lab) -> set[str]:
    """The regions that the load balancer gives traffic."""
    return {name for name, scaler in made.traffic.scalers().items() if scaler > 0}


def as_the_page_says(made: Lab) -> Report:
    """The command of the page that no configured region gets traffic, given word for word."""
    (page,) = (page for page in made.tick().decision.pages if page.rule == "no_traffic")
    _, verb, _, *options = shlex.split(page.command)
    where = options[options.index("--to") + 1] if "--to" in options else ""
    return made.command(verb, where, now="--now" in options)


def test_a_failover_to_the_primary_that_lost_its_traffic_gives_it_back_whoever_repeats_it() -> None:
    """Somebody drained east; two humans command it, the second between the first one's reads."""
    policy = {"failback": "auto", "failback_after": "1m", "min_incidents": 2}
    made = deployed(policy=policy)
    made.tick()
    assert getting(made) == set()
    told: list[Report] = []
    made.traffic.before_read.append(lambda: told.append(made.command("failover", EAST, id="c1")))
    told.append(made.command("failover", EAST, id="c2"))
    assert [report.decision.outcome for report in told] == [
        DecisionOutcome.MOVED,
        DecisionOutcome.OBEYED,
    ]
    assert (getting(made), made.state.epoch) == ({EAST}, 1)
    made.tick(5)
    assert (getting(made), made.state.epoch) == ({EAST}, 1)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lever": "membership"},
        {"standby": "attached"},
        {"mode": "active-active"},
    ],
)
def test_the_command_of_the_page_gives_traffic_at_epoch_0(options: dict[str, Any]) -> None:
    made = deployed(**options)
    assert as_the_page_says(made).decision.outcome is DecisionOutcome.MOVED
    assert EAST in getting(made)
    assert made.state.epoch == 1
    assert not any(page.rule == "no_traffic" for page in made.tick().decision.pages)


def test_a_failback_without_any_traffic_gives_it_to_the_regions_that_are_well() -> None:
    made = deployed(mode="active-active")
    made.down(WEST)
    made.command("failback")
    assert getting(made) == {EAST, EUROPE}


@pytest.mark.parametrize("wish", [("failover", EAST), ("failback", ""), ("evacuate", WEST)])
def test_a_command_takes_the_traffic_of_a_region_that_should_have_none_at_epoch_0(
    wish: tuple[str, str],
) -> None:
    """East is the primary, and west was deployed with its capacity."""
    made = deployed(EAST, WEST)
    assert made.command(*wish).decision.outcome is DecisionOutcome.MOVED
    assert (getting(made), made.state.epoch) == ({EAST}, 1)


def test_a_failover_to_the_primary_that_fails_is_refused_at_epoch_0_and_says_why() -> None:
    made = deployed()
    made.down(EAST)
    report = made.command("failover", EAST, now=True)
    assert report.decision.outcome is DecisionOutcome.HELD
    assert [r.rule for r in report.decision.reasons if not r.passed] == ["target_healthy"]
    assert (getting(made), made.state.epoch) == (set(), 0)
    told = made.command("failover", EAST, now=True, override="target_healthy")
    assert told.decision.outcome is DecisionOutcome.MOVED
    assert getting(made) == {EAST}


@pytest.mark.parametrize(
    ("wish", "options", "regions"),
    [
        (("failover", EAST), {}, (EAST,)),
        (("evacuate", WEST), {}, (EAST,)),
        (("failover", EAST), {"standby": "attached"}, REGIONS),
        (("failback", ""), {"mode": "active-active"}, REGIONS),
    ],
)
def test_a_command_for_what_is_so_already_takes_no_epoch(
    wish: tuple[str, str], options: dict[str, Any], regions: tuple[str, ...]
) -> None:
    made = deployed(*regions, **options)
    before = len(made.traffic.applied)
    assert made.command(*wish).decision.outcome is DecisionOutcome.OBEYED
    assert made.state.epoch == 0
    assert len(made.traffic.applied) == before


def test_the_first_decision_pages_for_a_group_that_keeps_traffic_and_that_nobody_claims() -> None:
    made = deployed()
    stray = {"group": "projects/laptop/zones/us-east4-c/instanceGroups/k8s", "capacityScaler": 1.0}
    made.traffic.resource["backends"].append(stray)
    rules = {page.rule for page in made.command("failover", EAST).decision.pages}
    assert "unclaimed" in rules
    assert made.state.unclaimed == {stray["group"]: 1}
