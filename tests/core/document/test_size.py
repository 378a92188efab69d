"""The document stays small enough for every reader, and means the same when it is cut."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.client.document import read_document
from orchestrator.client.sources import _fetching
from orchestrator.core.document.codec import decode, encode
from orchestrator.core.document.size import fitted
from orchestrator.core.health.incidents import assess, live, status
from orchestrator.core.health.tombstones import buried, capped
from orchestrator.core.model import Incident, IncidentState, Probe, Status, Tick, Verdict
from orchestrator.core.outside import limits
from orchestrator.core.policy import Policy
from tests.support.fakes import FAILING, HEALTHY, REGIONS, START
from tests.support.loop import Loop, closed, loop, opened

EAST, WEST, EU = REGIONS
OPEN, _, CLOSED = IncidentState
MANY = (*REGIONS, "us-east-2", "us-west-1", "eu-central-1", "ap-south-1", "sa-east-1")
SILENT = Probe(Verdict.SILENT, 403)


def size(world: Loop) -> int:
    """Bytes of the document."""
    return len(encode(world.state))


# --- growth --------------------------------------------------------------------------------------


def test_writer_and_readers_go_by_the_same_numbers() -> None:
    assert limits.WRITTEN * 4 <= limits.READ == _fetching.LARGEST
    document = encode(loop().state)
    padded = document + b" " * (limits.READ - len(document))
    assert read_document(padded) == read_document(document)
    with pytest.raises(ValueError, match="more than"):
        read_document(padded + b" ")


@pytest.mark.long
def test_eight_regions_that_flap_for_two_days_make_a_small_document() -> None:
    """None ever proves healthy; each stays recovering by what is kept."""
    world = loop(regions=MANY)
    state, policy, now = world.state, world.service.policy, START
    for number in range(2 * 24 * 3):
        now += timedelta(minutes=20)
        for name in MANY:
            state = assess(state, opened(name, f"{number}.{name}", now), {}, policy, now)
            state = assess(state, closed(name, f"{number}.{name}", now), {}, policy, now)
        state = assess(state, Tick(), dict.fromkeys(MANY, SILENT), policy, now)
    assert len(encode(state)) < limits.WRITTEN
    assert len(state.incidents) <= limits.INCIDENTS
    assert state.forgotten > 0
    assert {entry.status for entry in state.regions.values()} == {Status.RECOVERING}
    state = assess(state, Tick(), {}, policy, now + timedelta(hours=30))
    assert len(state.incidents) == len(MANY)
    assert {entry.status for entry in state.regions.values()} == {Status.RECOVERING}


def test_an_alert_costs_the_same_late_in_a_day_of_thousands() -> None:
    """Counted in calls, not in time; the document is read and written each time."""
    world = loop()
    world.probes = {EU: FAILING}
    state, policy, costs = world.state, world.service.policy, []
    for number in range(1500):
        world.pass_time(seconds=20)
        alert = opened(EU, f"{number:04}.incident-of-the-usual-length", world.now)
        state = assess(state, alert, world.probes, policy, world.now)
        if number in {699, 1499}:
            world.edit(state)
            world.pass_time(seconds=20)
            costs.append(calls(world, opened(EU, f"{number:04}.another-of-such-length", world.now)))
    assert 450 < len(world.state.incidents) <= limits.INCIDENTS
    assert size(world) < limits.WRITTEN
    assert world.state.regions[EU].status is Status.DOWN
    assert costs[1] == pytest.approx(costs[0], rel=0.02)


def calls(world: Loop, alert: object) -> int:
    """Calls of functions that one signal takes."""
    count = 0

    def counted(frame: FrameType, event: str, argument: object) -> None:
        del frame, argument
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        world.send(alert)  # type: ignore[arg-type]  # any signal
    finally:
        sys.setprofile(before)
    return count


def test_commands_and_history_are_bounded_by_number_and_the_newest_stay() -> None:
    state = loop().state
    commands = {f"c{n}": START + timedelta(seconds=n) for n in range(1000)}
    fit = fitted(replace(state, commands=commands, history=({"n": 1},) * 100))
    assert list(fit.state.commands) == [f"c{n}" for n in range(800, 1000)]
    assert len(fit.state.history) == limits.HISTORY
    assert fit.dropped == {"ids of commands": 800}


def test_history_gives_way_when_decisions_are_long() -> None:
    state = loop().state
    history = tuple({"n": n, "reasons": ["x" * 100] * 400} for n in range(20))
    fit = fitted(replace(state, history=history))
    assert len(fit.data) < limits.WRITTEN
    assert 1 <= len(fit.state.history) < 20
    assert fit.state.history[0]["n"] == 0
    assert decode(fit.data, "checkout") == fit.state


def test_unknown_fields_stay_until_no_reader_could_take_the_document() -> None:
    document = json.loads(encode(loop().state))
    small = decode(json.dumps({**document, "note": "x" * 400_000}).encode(), "checkout")
    assert b'"note"' in fitted(small).data
    large = decode(json.dumps({**document, "note": "x" * 2_000_000}).encode(), "checkout")
    assert len(fitted(large).data) < limits.WRITTEN


# --- what is kept --------------------------------------------------------------------------------

INCIDENTS = st.lists(
    st.builds(
        lambda region, state, minutes, opened, contradicted, settled: Incident(
            f"{region}.{minutes}.{state}.{settled}",
            region,
            state,
            START - timedelta(minutes=minutes),
            None if state is OPEN else START - timedelta(minutes=minutes),
            opened=opened,
            contradicted=contradicted,
            settled=settled,
        ),
        st.sampled_from(REGIONS),
        st.sampled_from(IncidentState),
        st.integers(0, 4000),
        st.sampled_from([True, True, True, False]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=30,
).map(lambda made: {one.id: one for one in made})
POLICIES = st.builds(Policy, min_incidents=st.integers(1, 4), trust_close=st.booleans())


@settings(deadline=None)
@given(known=INCIDENTS, policy=POLICIES, copies=st.integers(1, 60))
def test_what_is_dropped_changes_no_status_and_no_oldest_or_newest_open_one(
    known: dict[str, Incident], policy: Policy, copies: int
) -> None:
    many = {
        f"{key}+{n}": replace(one, id=f"{key}+{n}")
        for key, one in known.items()
        for n in range(copies)
    }
    by_age = buried(many, policy, START, ())
    for kept in (by_age, capped(many, policy, ()), capped(by_age, policy, ())):
        for name in REGIONS:
            assert status(kept, name, policy) is status(many, name, policy)
            assert starts(kept, name)[:1] == starts(many, name)[:1]
            assert starts(kept, name)[-1:] == starts(many, name)[-1:]
        assert len(capped(kept, policy, ())) <= max(limits.INCIDENTS, 0)


def starts(known: Mapping[str, Incident], region: str) -> list[datetime]:
    """When the region's open incidents began, oldest first."""
    return sorted(one.started_at for one in live(known, region))


@settings(deadline=None, max_examples=30)
@given(known=INCIDENTS, dice=st.randoms(use_true_random=False))
def test_which_ones_are_dropped_does_not_depend_on_the_order(
    known: dict[str, Incident], dice: object
) -> None:
    many = {f"{k}+{n}": replace(one, id=f"{k}+{n}") for k, one in known.items() for n in range(60)}
    mixed = list(many.items())
    dice.shuffle(mixed)  # type: ignore[attr-defined]  # Hypothesis's own Random
    assert capped(many, Policy(), ()) == capped(dict(mixed), Policy(), ())


def test_what_says_nothing_goes_first_and_an_open_one_last() -> None:
    def made(kind: str, **fields: object) -> dict[str, Incident]:
        base = Incident("", EAST, CLOSED, START, START)
        found = {f"{kind}{n}": replace(base, id=f"{kind}{n}") for n in range(300)}
        return {key: replace(one, **fields) for key, one in found.items()}  # type: ignore[arg-type]  # fields

    many = {**made("open", state=OPEN, ended_at=None), **made("unproven")}
    many |= {**made("contradicted", state=OPEN, contradicted=True), **made("settled", settled=True)}
    kept = capped(many, Policy(), ())
    kinds = {kind: sum(key.startswith(kind) for key in kept) for kind in ("open", "settled")}
    assert kinds == {"open": 300, "settled": 0}
    assert sum(key.startswith("contradicted") for key in kept) == 0
    assert len(kept) == limits.INCIDENTS


def test_a_late_copy_of_a_dropped_open_message_moves_nothing() -> None:
    """The region is well, and the incident's own start is long ago."""
    world = loop()
    world.probes = {EAST: HEALTHY}
    world.pass_time(hours=3)
    world.send(opened(EAST, "dropped", START))
    assert world.carrying == (EAST,)
    assert world.state.regions[EAST].status is Status.UP
