"""Monitoring's uptime checks in the observe round: asked where the policy says so, only there."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from orchestrator.core.health.second import Sight
from orchestrator.core.model import DecisionOutcome, Probe, Verdict
from orchestrator.core.policy import Region
from orchestrator.flow.preview import preview
from tests.support.fakes import FAILING, Lab, lab

EAST = "us-east-1"


def watched() -> Lab:
    """A service that confirms by Monitoring."""
    return lab(policy={"confirm": "monitoring"})


def fail(made: Lab, region: str) -> None:
    """All checker locations have just seen the region fail."""
    made.checks.sights[region] = [Sight(str(n), made.clock.at, passed=False) for n in range(6)]


def test_an_alert_that_the_checks_confirm_moves_traffic_in_one_patch() -> None:
    made = watched()
    fail(made, EAST)
    assert made.handle(made.opened(EAST)).decision.outcome is DecisionOutcome.MOVED
    assert len(made.traffic.applied) == 1


def test_an_alert_that_the_checks_contradict_holds_although_our_probe_fails() -> None:
    made = watched()
    made.prober.answers = {EAST: FAILING}
    assert made.handle(made.opened(EAST)).decision.outcome is DecisionOutcome.HELD
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
    assert found.decision.outcome is DecisionOutcome.MOVED


def test_who_does_not_confirm_by_monitoring_never_asks_it() -> None:
    class Nobody:
        def verdicts(self, regions: Iterable[Region], now: datetime) -> Mapping[str, Probe]:
            raise AssertionError(f"asked for {regions} at {now}")

    for confirm in ("probe", "none"):
        made = lab(policy={"confirm": confirm})
        made.down(EAST)
        report = made.handle(made.opened(EAST), checks=Nobody())
        assert report.decision.outcome is DecisionOutcome.MOVED


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


def told(made: Lab) -> list[str]:
    """What was said of probes that say nothing."""
    lines = [line for line in made.lines if line["severity"] == "WARNING"]
    return [str(line["message"]) for line in lines if "says nothing" in str(line["message"])]


def test_a_tick_names_each_region_whose_probe_says_nothing_once() -> None:
    """A wrong path or IAM: else it would show in the night in which an alert comes."""
    made = lab()
    for name, status in ((EAST, 404), ("eu-west-1", 302)):
        made.prober.answers[name] = Probe(Verdict.SILENT, status)
    made.tick(times=3)
    first, second = told(made)
    assert "eu-west-1" in first
    assert "302" in first
    assert EAST in second
    assert "an alert moves nothing and pages" in second
    made.prober.answers.clear()
    made.tick()
    made.prober.answers[EAST] = Probe(Verdict.SILENT, 401)
    made.tick(times=2)
    assert len(told(made)) == 3


@pytest.mark.parametrize("status", [302, 401, 403, 404, 429])
def test_one_message_moves_nothing_where_the_health_url_says_nothing(status: int) -> None:
    """With the defaults. It pages, so that a human looks."""
    made = lab()
    made.prober.answers[EAST] = Probe(Verdict.SILENT, status)
    assert made.handle(made.opened(EAST)).decision.outcome is DecisionOutcome.HELD
    assert made.traffic.applied == []
    (page,) = [line for line in made.lines if line.get("page")]
    assert page["rule"] == "confirm"
    assert str(status) in str(page["message"])


def test_a_region_that_cannot_be_probed_is_chosen_after_all_others() -> None:
    """Only the absence of alerts speaks for it."""
    made = lab(policy={"on_unconfirmed": "proceed"})
    east, west, europe = made.service.regions
    service = replace(made.service, regions=(east, replace(west, health_url=None), europe))
    made.prober.answers["us-west-2"] = Probe(Verdict.SILENT, "no health_url")
    made.down(EAST)
    made.handle(made.opened(EAST), service=service)
    assert made.state.primary == "eu-west-1"
    made.down(EAST, "eu-west-1")
    made.prober.answers["us-west-2"] = Probe(Verdict.SILENT, "no health_url")
    made.handle(made.opened("eu-west-1"), service=service)
    assert made.state.primary == "us-west-2"
