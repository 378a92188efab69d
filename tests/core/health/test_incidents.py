"""Health from incidents: the order, the number and the lateness of messages do not matter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.document import codec
from orchestrator.core.document.ground import create
from orchestrator.core.health.counting import PROBE_SPACING
from orchestrator.core.health.incidents import assess, believable, is_blind, join, status, too_old
from orchestrator.core.health.tombstones import TOMBSTONE_LIFE
from orchestrator.core.model import (
    AlertClosed,
    AlertOpened,
    Doubt,
    Incident,
    IncidentState,
    NoAnswer,
    Probe,
    Signal,
    State,
    Status,
    Tick,
    Verdict,
)
from orchestrator.core.policy import Confirm, Policy, Service
from tests.support.examples import examples
from tests.support.fakes import FAILING, HEALTHY, REGIONS, START, service
from tests.support.loop import SILENT, TIMEOUT, closed, loop, opened, routing_of

DOWN, UP, RECOVERING = Status.DOWN, Status.UP, Status.RECOVERING
EAST = "us-east-1"
MINUTE = timedelta(minutes=1)
quick = settings(deadline=None)


def fresh(ours: Service | None = None) -> State:
    """A document in which every region is up."""
    return replace(create(ours or service(), routing_of([]), START), revision=41)


def after(
    signals: Iterable[Signal],
    probe: Probe | None = None,
    policy: Policy | None = None,
    state: State | None = None,
) -> State:
    """The document after these signals, the first region answering its probe so."""
    state = state or fresh()
    probes = {EAST: probe} if probe else {}
    for signal in signals:
        state = assess(state, signal, probes, policy or Policy(), START)
    return state


def ticks(
    state: State, probe: Probe, times: int, every: float = 60, **policy: Any
) -> State:  # any limit
    """The document after so many ticks, so many seconds apart, from a minute after the start."""
    for index in range(times):
        now = START + MINUTE + timedelta(seconds=every * index)
        state = assess(state, Tick(), {EAST: probe}, Policy(**policy), now)
    return state


def status_of(state: State, region: str = EAST) -> Status:
    """What the document says of a region."""
    return state.regions[region].status


# --- the join ------------------------------------------------------------------------------------

TIMES = st.integers(0, 10).map(lambda n: START + timedelta(minutes=n))
INCIDENTS = st.builds(
    Incident,
    id=st.just("i"),
    region=st.sampled_from(REGIONS),
    state=st.sampled_from(IncidentState),
    started_at=TIMES,
    ended_at=st.none() | TIMES,
    opened=st.booleans(),
    contradicted=st.booleans(),
    settled=st.booleans(),
    refused=st.lists(st.sampled_from(["brake", "confirm"]), unique=True).map(
        lambda rules: tuple(sorted(rules))
    ),
    doubt=st.none() | st.sampled_from(Doubt),
)


@quick
@given(one=INCIDENTS, other=INCIDENTS, third=INCIDENTS)
def test_joining_is_commutative_associative_and_idempotent(
    one: Incident, other: Incident, third: Incident
) -> None:
    assert join(one, other) == join(other, one)
    assert join(join(one, other), third) == join(one, join(other, third))
    assert join(one, one) == one
    assert join(join(one, other), other) == join(one, other)


@quick
@given(one=INCIDENTS, other=INCIDENTS)
def test_closed_wins_over_open(one: Incident, other: Incident) -> None:
    states = {one.state, other.state}
    if IncidentState.CLOSED in states:
        assert join(one, other).state is IncidentState.CLOSED


# --- order and number of messages ----------------------------------------------------------------


@st.composite
def messages(draw: st.DrawFn) -> list[AlertOpened | AlertClosed]:
    """Opens and closes of a few incidents, each of one region, within the tombstones' life."""
    made: list[AlertOpened | AlertClosed] = []
    for number in range(draw(st.integers(1, 5))):
        region = draw(st.sampled_from(REGIONS))
        for _ in range(draw(st.integers(1, 3))):
            began = START - timedelta(minutes=draw(st.integers(0, 24 * 60)))
            if draw(st.booleans()):
                doubt = draw(st.none() | st.sampled_from(Doubt))
                made.append(AlertOpened(f"i{number}", region, began, doubt))
            else:
                ended = began + timedelta(minutes=draw(st.integers(0, 90)))
                made.append(AlertClosed(f"i{number}", region, began, ended))
    return made


POLICIES = st.builds(
    Policy,
    confirm=st.sampled_from(Confirm),
    min_incidents=st.integers(1, 3),
    trust_close=st.booleans(),
)
PROBES = st.dictionaries(st.sampled_from(REGIONS), st.sampled_from([HEALTHY, FAILING, SILENT]))


@settings(deadline=None, max_examples=examples(300))
@given(told=messages(), policy=POLICIES, probes=PROBES, dice=st.randoms(use_true_random=False))
def test_any_order_and_number_of_the_same_messages_ends_the_same(
    told: list[AlertOpened | AlertClosed], policy: Policy, probes: dict[str, Probe], dice: Any
) -> None:
    shuffled = [*told, *dice.choices(told, k=dice.randrange(len(told) + 1))]
    dice.shuffle(shuffled)
    one, other = fresh(), fresh()
    for signal in told:
        one = assess(one, signal, probes, policy, START)
    for signal in shuffled:
        other = assess(other, signal, probes, policy, START)
    assert other.incidents == one.incidents
    assert other.regions == one.regions
    for name in REGIONS:
        assert one.regions[name].status is status(one.incidents, name, policy)


@settings(deadline=None, max_examples=examples(300))
@given(
    steps=st.lists(
        st.tuples(
            messages().map(lambda made: made[0]) | st.just(Tick()),
            PROBES,
            st.sampled_from([0, 20, 45, 60, 3600, 90000]),
        ),
        max_size=12,
    ),
    policy=POLICIES,
)
def test_a_status_is_a_function_of_the_incidents_alone(
    steps: list[tuple[Signal, dict[str, Probe], int]], policy: Policy
) -> None:
    """Whatever happened, ticks and probes included; and only `up` is healthy."""
    state, now = fresh(), START
    for signal, probes, seconds in steps:
        now += timedelta(seconds=seconds)
        state = assess(state, signal, believable(probes), policy, now)
        for name, entry in state.regions.items():
            assert entry.status is status(state.incidents, name, policy)
            assert entry.healthy == (entry.status is UP)


# --- opens, closes, tombstones -------------------------------------------------------------------


def test_an_open_incident_takes_its_region_down() -> None:
    state = after([opened(EAST)], FAILING)
    assert status_of(state) is DOWN
    assert not state.regions[EAST].healthy
    assert state.regions[EAST].since == START
    assert status_of(state, "us-west-2") is UP


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_region_is_down_from_min_incidents_on(limit: int) -> None:
    policy = Policy(min_incidents=limit)
    told = [opened(EAST, f"i{number}") for number in range(limit)]
    assert status_of(after(told[:-1], FAILING, policy)) is UP
    assert status_of(after(told, FAILING, policy)) is DOWN


def test_copies_of_one_incident_count_once() -> None:
    assert status_of(after([opened(EAST)] * 9, FAILING, Policy(min_incidents=2))) is UP


def test_a_close_is_no_proof() -> None:
    """Monitoring closes incidents on missing data too: the region recovers, but is not up."""
    state = after([opened(EAST), closed(EAST)], FAILING)
    assert status_of(state) is RECOVERING
    assert not state.regions[EAST].healthy


def test_a_close_is_proof_where_it_is_trusted() -> None:
    policy = Policy(trust_close=True)
    assert status_of(after([opened(EAST), closed(EAST)], FAILING, policy)) is UP


def test_a_close_before_its_open_leaves_no_region_down() -> None:
    state = after([closed(EAST), opened(EAST)], FAILING)
    assert status_of(state) is RECOVERING
    assert state.incidents["0.us-east-1"].state is IncidentState.CLOSED


def test_a_close_alone_changes_no_region_but_keeps_its_tombstone() -> None:
    state = after([closed(EAST)], FAILING)
    assert status_of(state) is UP
    assert state.incidents["0.us-east-1"].state is IncidentState.CLOSED


def test_a_tombstone_is_kept_for_its_life_and_then_buried() -> None:
    state = ticks(after([opened(EAST), closed(EAST)], FAILING), HEALTHY, 3)
    last = START + MINUTE
    kept = assess(state, Tick(), {}, Policy(), last + TOMBSTONE_LIFE)
    assert "0.us-east-1" in kept.incidents
    gone = assess(state, Tick(), {}, Policy(), last + TOMBSTONE_LIFE + timedelta(seconds=1))
    assert not gone.incidents


def test_an_open_incident_is_never_buried() -> None:
    state = after([opened(EAST)], FAILING)
    later = assess(state, Tick(), {EAST: FAILING}, Policy(), START + timedelta(days=9))
    assert status_of(later) is DOWN


def test_an_unproven_incident_is_never_buried() -> None:
    """A region that no probe has proven stays recovering, however long."""
    state = after([opened(EAST), closed(EAST)], FAILING)
    later = assess(state, Tick(), {EAST: SILENT}, Policy(), START + timedelta(days=9))
    assert status_of(later) is RECOVERING


def test_a_message_of_before_the_tombstones_life_is_not_merged() -> None:
    at_limit, beyond = START - TOMBSTONE_LIFE, START - TOMBSTONE_LIFE - timedelta(seconds=1)
    assert status_of(after([opened(EAST, at=at_limit)], FAILING)) is DOWN
    state = after([opened(EAST, at=beyond), closed(EAST, at=beyond)], FAILING)
    assert state == fresh()
    assert too_old(opened(EAST, at=beyond), {}, START)


def test_a_late_close_of_a_known_incident_is_merged_however_old() -> None:
    state = after([opened(EAST)], FAILING)
    now = START + timedelta(days=3)
    state = assess(state, closed(EAST), {}, Policy(), now)
    assert status_of(state) is RECOVERING


# --- contradiction -------------------------------------------------------------------------------


def test_a_healthy_probe_contradicts_a_new_incident() -> None:
    state = after([opened(EAST)], HEALTHY)
    assert status_of(state) is UP
    assert state.incidents["0.us-east-1"].contradicted


@pytest.mark.parametrize("probe", [FAILING, SILENT, None])
def test_no_other_probe_contradicts(probe: Probe | None) -> None:
    assert status_of(after([opened(EAST)], probe)) is DOWN


def test_nothing_contradicts_where_no_second_signal_is_asked_for() -> None:
    policy = Policy(confirm=Confirm.NONE)
    assert status_of(after([opened(EAST)], HEALTHY, policy)) is DOWN


def looks(*told: tuple[float, Probe], signal: Signal | None = None) -> State:
    """A contradicted alert, and looks at its region so many seconds after it."""
    state = after([opened(EAST)], HEALTHY)
    for seconds, probe in told:
        now = START + timedelta(seconds=seconds)
        state = assess(state, signal or Tick(), {EAST: probe}, Policy(recovery_probes=60), now)
    return state


def test_two_failing_looks_in_a_row_lift_a_contradiction() -> None:
    """By any signal."""
    for signal in (Tick(), opened(EAST), closed(EAST, "0.other")):
        assert status_of(looks((60, FAILING), signal=signal)) is UP
        assert status_of(looks((60, FAILING), (105, FAILING), signal=signal)) is DOWN


@pytest.mark.parametrize(
    "told",
    [
        [(60, FAILING), (104.9, FAILING)],
        [(60, FAILING), (90, HEALTHY), (120, FAILING)],
        [(60, FAILING), (1000, FAILING)],
        [(1000, FAILING), (60, FAILING)],
        [(60, FAILING), (120, SILENT), (180, SILENT)],
    ],
    ids=["too close", "healthy between", "too far", "a clock that went back", "silent"],
)
def test_looks_that_are_not_two_in_a_row_lift_no_contradiction(
    told: list[tuple[float, Probe]],
) -> None:
    assert status_of(looks(*told)) is UP


def test_a_silent_look_between_does_not_break_the_row() -> None:
    assert status_of(looks((60, FAILING), (90, SILENT), (120, FAILING))) is DOWN


def test_looks_are_kept_for_each_incident() -> None:
    """One that was opened later and contradicted too has its own."""
    state = looks((60, FAILING))
    state = assess(state, opened(EAST, "0.late"), {EAST: HEALTHY}, Policy(), START + MINUTE)
    assert state.incidents["0.late"].contradicted
    assert state.incidents["0.us-east-1"].failed_at is None
    again = START + 2 * MINUTE
    state = assess(state, Tick(), {EAST: FAILING}, Policy(), again)
    assert {one.failed_at for one in state.incidents.values()} == {again}
    assert codec.decode(codec.encode(state), "checkout").incidents == state.incidents


def test_a_contradiction_is_never_set_later() -> None:
    """A copy of the alert that finds the region healthy is no reason to call it up."""
    state = after([opened(EAST)], FAILING)
    again = after([opened(EAST), opened(EAST)], HEALTHY, state=state)
    assert status_of(again) is DOWN
    assert not again.incidents["0.us-east-1"].contradicted


def test_a_silent_probe_lifts_no_contradiction() -> None:
    state = after([opened(EAST)], HEALTHY)
    assert status_of(ticks(state, SILENT, 5)) is UP


def test_a_second_incident_is_judged_by_its_own_probe() -> None:
    state = after([opened(EAST, "first")], HEALTHY)
    state = after([opened(EAST, "second")], SILENT, state=state)
    assert state.incidents["first"].contradicted
    assert not state.incidents["second"].contradicted
    assert status_of(state) is DOWN


# --- proof ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("needed", [1, 2, 3])
def test_recovery_needs_so_many_healthy_probes_in_a_row(needed: int) -> None:
    state = after([opened(EAST), closed(EAST)], FAILING)
    assert status_of(ticks(state, HEALTHY, needed - 1, recovery_probes=needed)) is RECOVERING
    assert status_of(ticks(state, HEALTHY, needed, recovery_probes=needed)) is UP


def test_a_failing_probe_starts_the_proof_over() -> None:
    state = after([opened(EAST), closed(EAST)], FAILING)
    now = START
    for probe in (HEALTHY, HEALTHY, FAILING, HEALTHY, HEALTHY):
        now += MINUTE
        state = assess(state, Tick(), {EAST: probe}, Policy(), now)
    assert status_of(state) is RECOVERING
    state = assess(state, Tick(), {EAST: HEALTHY}, Policy(), now + MINUTE)
    assert status_of(state) is UP


def test_proof_counts_at_most_once_in_45_seconds() -> None:
    """Two orchestrators tick every minute, each on its own."""
    state = after([opened(EAST), closed(EAST)], FAILING)
    assert timedelta(seconds=45) == PROBE_SPACING
    assert ticks(state, HEALTHY, 5, every=10).regions[EAST].proofs == 1
    assert ticks(state, HEALTHY, 2, every=44).regions[EAST].proofs == 1
    assert ticks(state, HEALTHY, 2, every=45).regions[EAST].proofs == 2


@quick
@given(gaps=st.lists(st.integers(0, 70), max_size=15))
def test_proven_health_takes_as_long_as_its_probes(gaps: list[int]) -> None:
    """However ticks fall, three proofs are never had in less than 90 seconds."""
    state, now = after([opened(EAST), closed(EAST)], FAILING), START
    first = None
    for gap in [0, *gaps]:
        now += timedelta(seconds=gap)
        first = first or now
        state = assess(state, Tick(), {EAST: HEALTHY}, Policy(), now)
        if status_of(state) is UP:
            assert now - first >= 2 * PROBE_SPACING
            return
    assert sum(gaps) < 2 * (45 + 70)


def test_messages_do_not_count_as_proof() -> None:
    state = after([opened(EAST), *[closed(EAST)] * 9], FAILING)
    assert status_of(after([closed(EAST)] * 9, HEALTHY, state=state)) is RECOVERING


def test_a_region_that_proves_healthy_makes_its_open_incident_stale() -> None:
    """A lost close heals."""
    state = ticks(after([opened(EAST)], FAILING), HEALTHY, 3)
    assert status_of(state) is UP
    assert state.incidents["0.us-east-1"].state is IncidentState.STALE


def test_a_stale_incident_takes_nothing_down_and_its_close_still_meets_it() -> None:
    state = ticks(after([opened(EAST)], FAILING), HEALTHY, 3)
    assert status_of(after([opened(EAST)], FAILING, state=state)) is UP
    state = after([closed(EAST)], FAILING, state=state)
    assert state.incidents["0.us-east-1"].state is IncidentState.CLOSED
    assert status_of(state) is UP


def test_a_new_incident_after_recovery_takes_the_region_down_again() -> None:
    state = ticks(after([opened(EAST)], FAILING), HEALTHY, 3)
    assert status_of(after([opened(EAST, "another")], FAILING, state=state)) is DOWN


# --- what a tick sees itself ---------------------------------------------------------------------


def test_a_tick_opens_an_incident_of_its_own_after_as_many_failures() -> None:
    """A lost open heals."""
    assert status_of(ticks(fresh(), FAILING, 2)) is UP
    state = ticks(fresh(), FAILING, 3)
    assert status_of(state) is DOWN
    assert list(state.incidents) == ["tick-us-east-1-41"]


def test_failures_too_count_once_in_45_seconds() -> None:
    assert status_of(ticks(fresh(), FAILING, 9, every=10)) is UP
    assert status_of(ticks(fresh(), FAILING, 3, every=45)) is DOWN


def test_a_healthy_probe_starts_the_failures_over() -> None:
    state = ticks(fresh(), FAILING, 2)
    state = ticks(state, HEALTHY, 1)
    assert state.regions[EAST].failures == 0


def test_what_a_tick_has_seen_itself_needs_no_second_incident() -> None:
    assert status_of(ticks(fresh(), FAILING, 3, min_incidents=3)) is DOWN


def test_a_ticks_own_incident_is_closed_by_recovery() -> None:
    state = ticks(ticks(fresh(), FAILING, 3), HEALTHY, 3)
    assert status_of(state) is UP


def test_a_region_that_fails_while_it_recovers_is_down_again() -> None:
    state = after([opened(EAST), closed(EAST)], FAILING)
    assert status_of(ticks(state, FAILING, 3)) is DOWN


def test_a_silent_probe_counts_neither_way() -> None:
    state = ticks(fresh(), FAILING, 2)
    assert ticks(state, SILENT, 5) == state


def test_a_quiet_tick_changes_nothing() -> None:
    state = after([opened(EAST)], FAILING)
    assert ticks(fresh(), HEALTHY, 3) == fresh()
    assert ticks(state, FAILING, 3) == state


# --- when we may be blind ------------------------------------------------------------------------


@pytest.mark.parametrize("how", NoAnswer)
def test_when_every_region_fails_to_answer_alike_no_probe_is_believed(how: NoAnswer) -> None:
    probes = dict.fromkeys(REGIONS, Probe(Verdict.FAILING, how))
    seen = believable(probes)
    assert is_blind(seen)
    assert {probe.verdict for probe in seen.values()} == {Verdict.SILENT}


@pytest.mark.parametrize(
    "probes",
    [
        {EAST: TIMEOUT, "us-west-2": Probe(Verdict.FAILING, NoAnswer.REFUSED)},
        {EAST: TIMEOUT, "us-west-2": HEALTHY},
        {EAST: TIMEOUT, "us-west-2": FAILING},
        {EAST: FAILING, "us-west-2": FAILING},
        {EAST: HEALTHY, "us-west-2": HEALTHY},
        {EAST: TIMEOUT, "us-west-2": SILENT},
        {EAST: SILENT, "us-west-2": SILENT},
        {EAST: TIMEOUT},
        {},
    ],
)
def test_otherwise_every_probe_is_believed(probes: dict[str, Probe]) -> None:
    """An answer, whatever it says, has come through; one region alone proves nothing of us."""
    assert believable(probes) == probes
    assert not is_blind(probes)


def test_one_answer_of_any_kind_shows_that_we_are_not_blind() -> None:
    """A 404 says nothing about health, but it did not fail in the same way: it came through."""
    answered = Probe(Verdict.SILENT, 404)
    probes = {EAST: TIMEOUT, "us-west-2": TIMEOUT, "eu-west-1": answered}
    assert believable(probes) == probes


def test_words_that_look_like_an_answer_are_none() -> None:
    """`5 of 6 checker locations fail` begins with a digit, and is no HTTP status of ours."""
    told = Probe(Verdict.SILENT, "5 of 6 checker locations: too few to tell")
    assert is_blind(believable({EAST: TIMEOUT, "us-west-2": TIMEOUT, "eu-west-1": told}))


@pytest.mark.parametrize(
    ("probe", "detail"),
    [
        (Probe(Verdict.HEALTHY, 200), "200"),
        (Probe(Verdict.FAILING, 503), "503"),
        (Probe(Verdict.SILENT, 404), "404 says nothing about health"),
        (Probe(Verdict.FAILING, NoAnswer.REFUSED), "connection refused"),
        (Probe(Verdict.SILENT, "no health_url"), "no health_url"),
    ],
)
def test_a_probe_is_told_in_words(probe: Probe, detail: str) -> None:
    assert probe.detail == detail


def test_blind_ticks_take_no_region_down() -> None:
    world = loop()
    world.probes = dict.fromkeys(REGIONS, TIMEOUT)
    before = world.state
    world.tick(times=9)
    assert world.state == before
