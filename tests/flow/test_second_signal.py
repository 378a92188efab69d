"""Monitoring's uptime checks in the observe round: asked where the policy says so, only there."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from orchestrator.core.model import Outcome, Probe
from orchestrator.core.policy import Region
from orchestrator.core.second import Sight
from orchestrator.flow.preview import preview
from tests.fakes import FAILING, Lab, lab

EAST = "us-east-1"


def watched() -> Lab:
    """A service that confirms by Monitoring."""
    return lab(policy={"confirm": "monitoring"})


def fail(made: Lab, region: str) -> None:
    """All vantage points have just seen the region fail."""
    made.checks.sights[region] = [Sight(str(n), made.clock.at, passed=False) for n in range(6)]


def test_an_alert_that_the_checks_confirm_moves_traffic_in_one_patch() -> None:
    made = watched()
    fail(made, EAST)
    assert made.handle(made.opened(EAST)).decision.outcome is Outcome.MOVED
    assert len(made.traffic.applied) == 1


def test_an_alert_that_the_checks_contradict_holds_although_our_probe_fails() -> None:
    made = watched()
    made.prober.answers = {EAST: FAILING}
    assert made.handle(made.opened(EAST)).decision.outcome is Outcome.HELD
    assert made.traffic.applied == []


def test_results_of_more_than_five_minutes_ago_say_nothing() -> None:
    made = watched()
    fail(made, EAST)
    made.clock.rest(timedelta(minutes=6).total_seconds())
    [reason] = [
        one for one in made.handle(made.opened(EAST)).decision.reasons if one.rule == "confirm"
    ]
    assert reason.value == "no second signal: no data"


def test_a_preview_asks_them_too() -> None:
    made = watched()
    fail(made, EAST)
    found = preview(made.service, made.opened(EAST), made.context())
    assert found.decision.outcome is Outcome.MOVED


def test_who_does_not_confirm_by_monitoring_never_asks_it() -> None:
    class Nobody:
        def verdicts(self, regions: Iterable[Region], now: datetime) -> Mapping[str, Probe]:
            raise AssertionError(f"asked for {regions} at {now}")

    for confirm in ("probe", "none"):
        made = lab(policy={"confirm": confirm})
        made.down(EAST)
        report = made.handle(made.opened(EAST), checks=Nobody())
        assert report.decision.outcome is Outcome.MOVED


def test_they_are_asked_beside_everything_else_in_one_round() -> None:
    """Our probe does not answer before the checks are asked, nor they before our probe is."""
    made = watched()
    both = threading.Barrier(2)

    class Prober:
        def probe(self, regions: Iterable[Region]) -> Mapping[str, Probe]:
            both.wait(10)
            return made.prober.probe(regions)

    class Checks:
        def verdicts(self, regions: Iterable[Region], now: datetime) -> Mapping[str, Probe]:
            both.wait(10)
            return made.checks.verdicts(regions, now)

    fail(made, EAST)
    preview(made.service, made.opened(EAST), made.context(prober=Prober(), checks=Checks()))
