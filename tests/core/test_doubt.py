"""An alert in doubt counts only while our own probe of its region fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from orchestrator.core.decide import decide
from orchestrator.core.document import codec
from orchestrator.core.health.incidents import assess
from orchestrator.core.model import (
    AlertOpened,
    DecisionOutcome,
    Doubt,
    Observed,
    Probe,
    State,
    Status,
    Tick,
)
from orchestrator.core.policy import Confirm, Policy
from tests.core.health.test_incidents import EAST, fresh, status_of
from tests.support.fakes import FAILING, HEALTHY, START, service
from tests.support.loop import SILENT, Loop, closed, deployed, opened, reasons

MINUTE = timedelta(minutes=1)
DOUBTS = list(Doubt)
CONFIRMS = list(Confirm)


def doubted(doubt: Doubt = Doubt.CONTRADICTED, incident: str = "0.us-east-1") -> AlertOpened:
    """An alert of the first region that is not sure of it."""
    return replace(opened(EAST, incident), doubt=doubt)


def after(
    signal: AlertOpened | Tick,
    own: Probe | None,
    second: Probe | None = None,
    state: State | None = None,
    confirm: Confirm = Confirm.NONE,
    at: datetime = START,
) -> State:
    """The document after this signal. second: Monitoring's word, where that is asked."""
    probes = {EAST: own} if own else {}
    others = {EAST: second} if second else None
    return assess(state or fresh(), signal, probes, Policy(confirm=confirm), at, (), others)


@pytest.mark.parametrize("confirm", CONFIRMS)
@pytest.mark.parametrize("doubt", DOUBTS)
@pytest.mark.parametrize("probe", [HEALTHY, SILENT, None])
def test_it_does_not_count_while_our_probe_does_not_fail(
    confirm: Confirm, doubt: Doubt, probe: Probe | None
) -> None:
    """Whatever the policy asks for: also where the alert alone would be enough."""
    assert status_of(after(doubted(doubt), probe, confirm=confirm)) is Status.UP


@pytest.mark.parametrize("confirm", CONFIRMS)
@pytest.mark.parametrize("doubt", DOUBTS)
def test_it_counts_when_our_probe_fails(confirm: Confirm, doubt: Doubt) -> None:
    assert status_of(after(doubted(doubt), FAILING, confirm=confirm)) is Status.DOWN


def test_monitoring_alone_cannot_bear_it_out() -> None:
    """It may have raised the alert: only our own probe is another witness."""
    state = after(doubted(), HEALTHY, FAILING, confirm=Confirm.MONITORING)
    assert status_of(state) is Status.UP
    state = after(Tick(), HEALTHY, FAILING, state, Confirm.MONITORING)
    assert status_of(state) is Status.UP
    state = after(Tick(), FAILING, FAILING, state, Confirm.MONITORING)
    later = after(Tick(), FAILING, FAILING, state, Confirm.MONITORING, START + MINUTE)
    assert status_of(later) is Status.DOWN


def test_it_counts_from_the_look_on_that_finds_the_region_failing() -> None:
    state = after(doubted(), HEALTHY)
    assert status_of(after(Tick(), SILENT, state=state)) is Status.UP
    state = after(Tick(), FAILING, state=state)
    assert status_of(state) is Status.UP
    assert status_of(after(Tick(), FAILING, state=state, at=START + MINUTE)) is Status.DOWN


def test_a_copy_that_finds_the_region_well_does_not_take_it_back() -> None:
    state = after(doubted(), FAILING)
    assert status_of(after(doubted(), HEALTHY, state=state)) is Status.DOWN


@pytest.mark.parametrize("probe", [HEALTHY, SILENT, FAILING])
@pytest.mark.parametrize("confirm", CONFIRMS)
def test_one_account_without_doubt_settles_it_in_either_order(
    probe: Probe, confirm: Confirm
) -> None:
    """As when the configuration was corrected between two copies of a message."""
    sure = replace(doubted(), doubt=None)
    one = after(sure, probe, state=after(doubted(), probe, confirm=confirm), confirm=confirm)
    other = after(doubted(), probe, state=after(sure, probe, confirm=confirm), confirm=confirm)
    assert one.incidents == other.incidents
    assert one.incidents["0.us-east-1"].doubt is None
    assert status_of(one) is status_of(after(sure, probe, confirm=confirm))


def test_its_close_is_merged_without_a_probe() -> None:
    state = assess(after(doubted(), FAILING), closed(EAST), {}, Policy(), START)
    assert status_of(state) is Status.RECOVERING


def test_the_doubt_stands_in_the_document() -> None:
    """A later instance must know what it may not believe."""
    state = after(doubted(Doubt.FOREIGN), HEALTHY)
    again = codec.decode(codec.encode(state), "checkout")
    assert again.incidents["0.us-east-1"].doubt is Doubt.FOREIGN
    assert status_of(after(Tick(), HEALTHY, state=again)) is Status.UP


# --- decisions -----------------------------------------------------------------------------------


def loop(probe: Probe | None) -> Loop:
    """A service for which an alert alone moves traffic. probe: of the first region."""
    ours = service(policy={"confirm": "none"})
    made = Loop(ours, deployed(ours))
    made.send(Tick())
    made.probes = {EAST: probe} if probe else {}
    return made


@pytest.mark.parametrize("doubt", DOUBTS)
def test_it_moves_nothing_from_a_region_that_answers(doubt: Doubt) -> None:
    world = loop(HEALTHY)
    decision = world.send(doubted(doubt))
    assert decision.outcome is DecisionOutcome.HELD
    assert world.carrying == (EAST,)
    reason = reasons(decision)["confirm"]
    assert not reason.passed
    assert reason.region == EAST
    assert reason.value.startswith("our own probe does not fail: 200. ")
    assert not decision.pages


def test_it_pages_when_our_probe_says_nothing() -> None:
    """Then a failover may not happen, and nobody but a human can tell."""
    decision = loop(SILENT).send(doubted())
    assert decision.outcome is DecisionOutcome.HELD
    assert [page.rule for page in decision.pages] == ["confirm"]


@pytest.mark.parametrize("doubt", DOUBTS)
def test_it_moves_the_traffic_when_our_probe_fails(doubt: Doubt) -> None:
    world = loop(FAILING)
    assert world.send(doubted(doubt)).outcome is DecisionOutcome.MOVED
    assert world.carrying == ("us-west-2",)


def test_a_refused_one_is_recorded_once() -> None:
    world = loop(HEALTHY)
    assert world.send(doubted()).recorded
    world.now += MINUTE
    assert not world.send(doubted()).recorded


def test_a_doubted_incident_adds_nothing_to_those_that_are_needed() -> None:
    ours = service(policy={"confirm": "none", "min_incidents": 2})
    world = Loop(ours, deployed(ours))
    world.send(opened(EAST, "first"))
    assert world.send(doubted(incident="second")).outcome is not DecisionOutcome.MOVED
    observed: Observed = world.observed()
    assert decide(ours, observed, Tick(), world.now).outcome is not DecisionOutcome.MOVED
