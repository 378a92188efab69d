"""The state document: nothing is lost on a rewrite, and nothing half-understood is read."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.document.codec import decode, encode
from orchestrator.core.document.flat import decode_flat, encode_flat, upgrade
from orchestrator.core.document.ground import create
from orchestrator.core.model import (
    Doubt,
    Incident,
    IncidentState,
    Leave,
    Mark,
    Move,
    Phase,
    RegionState,
    Shift,
    State,
    Status,
)
from orchestrator.core.outside.limits import HISTORY
from orchestrator.core.outside.reading import Corrupt, NewerSchema, read_time, stamp_time
from orchestrator.core.policy import Lever, Mode, Stamp
from tests.support.examples import examples
from tests.support.fakes import REGIONS, START, service
from tests.support.loop import deployed, loop

EAST, WEST, EU = REGIONS
quick = settings(deadline=None)

NAMES = st.sampled_from(REGIONS)
TIMES = st.integers(0, 100 * 365 * 86400 * 10**6).map(
    lambda microseconds: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
MIDDLE = datetime(2026, 1, 1, tzinfo=UTC)
TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
STAMPS = st.builds(Stamp, st.integers(0, 99), TEXT, st.sampled_from(Mode), TEXT)
REGION_STATES = st.builds(
    RegionState,
    endpoint=TEXT,
    aws_region=TEXT,
    status=st.sampled_from(Status),
    since=TIMES,
    proofs=st.integers(0, 9),
    failures=st.integers(0, 9),
    counted_at=st.none() | TIMES,
    attach=st.booleans(),
    attached=st.booleans(),
    leave=st.none() | st.sampled_from(Leave),
)
INCIDENTS = st.lists(
    st.builds(
        Incident,
        id=TEXT,
        region=NAMES,
        state=st.sampled_from(IncidentState),
        started_at=TIMES.map(lambda at: min(at, MIDDLE)),
        ended_at=st.none() | TIMES.map(lambda at: max(at, MIDDLE)),
        opened=st.booleans(),
        contradicted=st.booleans(),
        doubt=st.none() | st.sampled_from(Doubt),
        settled=st.booleans(),
        refused=st.lists(TEXT, max_size=3).map(tuple),
    ),
    max_size=4,
).map(lambda made: {one.id: one for one in made})
MOVES = st.lists(
    st.builds(
        Move,
        at=TIMES,
        epoch=st.integers(0, 99),
        left=st.lists(NAMES).map(tuple),
        to=st.lists(NAMES).map(tuple),
    ),
    max_size=3,
).map(tuple)


@st.composite
def states(draw: st.DrawFn) -> State:
    """Any state that the core may make."""
    epoch = draw(st.integers(0, 10**12))
    mark = Mark(epoch, draw(st.integers(0, 10**18)))
    primary, stamp = draw(NAMES), draw(STAMPS)
    routing = draw(st.dictionaries(NAMES, st.floats(0.01, 1.0))) | {primary: 1.0}
    if stamp.mode is Mode.ACTIVE_PASSIVE:
        routing = {primary: 1.0}
    kept = draw(st.sampled_from([None, routing]))
    phase, at = draw(st.sampled_from(Phase)), draw(st.none() | TIMES)
    return State(
        service="checkout",
        revision=draw(st.integers(0, 10**18)),
        epoch=epoch,
        stamp=stamp,
        primary=primary,
        regions={name: draw(REGION_STATES) for name in REGIONS},
        routing=routing,
        incidents=draw(INCIDENTS),
        shift=Shift(mark, phase, at, kept) if epoch else None,
        restore=draw(st.dictionaries(TEXT, OBJECTS, max_size=2)),
        lever=draw(st.none() | st.sampled_from(Lever)),
        moves=draw(MOVES),
        acknowledged_at=draw(st.none() | TIMES),
        history=draw(st.lists(OBJECTS, max_size=3).map(tuple)),
        forgotten=draw(st.integers(0, 9)),
        writer=draw(TEXT),
        updated_at=draw(st.none() | TIMES),
    )


def whole() -> dict[str, Any]:
    """A document with every part, after a failover, as JSON."""
    world = loop()
    world.fail(EAST)
    state = replace(world.state, history=({"outcome": "moved"},), updated_at=START, writer="w")
    document: dict[str, Any] = json.loads(encode(state))
    assert document["incidents"]
    assert document["moves"]
    assert document["restore"]
    return document


def read(document: object) -> State:
    """The state in this JSON."""
    return decode(json.dumps(document).encode(), "checkout")


# --- round trips ---------------------------------------------------------------------------------


@quick
@given(state=states())
def test_what_is_written_is_what_is_read(state: State) -> None:
    back = decode(encode(state), "checkout")
    assert back == state
    assert encode(back) == encode(state)


def test_the_document_is_what_applications_rely_on() -> None:
    document = whole()
    assert document["schema"] == 1
    assert document["service"] == "checkout"
    assert document["epoch"] == 1
    assert document["primary"] == WEST
    assert document["routing"] == {WEST: 1.0}
    assert document["regions"][EAST]["endpoint"] == "dynamodb.us-east-1.amazonaws.com"
    assert document["regions"][EAST]["healthy"] is False
    assert document["regions"][EAST]["status"] == "down"
    assert document["regions"][EAST]["since"] == "2026-11-23T05:00:00Z"
    shift = {"epoch": 1, "rev": document["shift"]["rev"], "phase": "committed"}
    decided = {"routing": {WEST: 1.0}, "routing_epoch": 1}
    assert document["shift"] == {**shift, "at": "2026-11-23T05:00:00Z", **decided}
    assert document["switch"] is None
    assert document["freeze"] is None
    assert document["commands"] == []
    assert set(document["config"]) >= {"serial", "digest"}


@quick
@given(state=st.sampled_from(Status))
def test_only_up_is_healthy(state: Status) -> None:
    document = whole()
    document["regions"][EAST]["status"] = state
    assert json.loads(encode(read(document)))["regions"][EAST]["healthy"] is (state is Status.UP)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("updated_at", "soon"),
        ("updated_at", "0001-01-01T00:00:00+14:00"),
        ("history", 7),
        ("history", None),
        ("history", [7]),
        ("shift", {"epoch": 1, "rev": 0, "phase": "dancing"}),
    ],
)
def test_what_is_for_people_only_never_stands_in_the_way(field: str, value: object) -> None:
    """No path decides by it, so an odd value must not make the document unreadable."""
    state = read({**whole(), "epoch": 1, "shift": {"epoch": 1, "rev": 0}, field: value})
    assert read(json.loads(encode(state))) == state


def test_the_history_keeps_the_newest_twenty() -> None:
    state = replace(loop().state, history=tuple({"n": number} for number in range(30)))
    kept = decode(encode(state), "checkout").history
    assert kept == tuple({"n": number} for number in range(HISTORY))
    assert HISTORY == 20


@quick
@given(at=TIMES)
def test_times_are_written_in_utc_and_read_back(at: datetime) -> None:
    assert stamp_time(at).endswith("Z")
    assert read_time(stamp_time(at)) == at
    there = at.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert stamp_time(there) == stamp_time(at)


# --- unknown fields ------------------------------------------------------------------------------

UNKNOWN = {"new": {"deep": [1, {"er": None}]}}
PLACES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "the document": lambda d: d,
    "config": lambda d: d["config"],
    "a region": lambda d: d["regions"][EAST],
    "an incident": lambda d: next(iter(d["incidents"].values())),
    "the shift": lambda d: d["shift"],
    "a remembered backend": lambda d: next(iter(d["restore"].values())),
    "a move": lambda d: d["moves"][0],
    "the history": lambda d: d["history"][0],
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_an_unknown_field_survives_a_rewrite(
    place: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """Also one in which known fields have changed meanwhile."""
    document = whole()
    place(document).update(copy.deepcopy(UNKNOWN))
    state = read(document)
    regions = {**state.regions, WEST: replace(state.regions[WEST], proofs=1)}
    after = json.loads(encode(replace(state, revision=99, regions=regions)))
    assert place(after)["new"] == UNKNOWN["new"]
    assert after["revision"] == 99
    assert after["regions"][WEST]["proofs"] == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("switch", {"to": WEST, "step": "fencing", "until": "2026-11-23T05:00:00Z"}),
        ("commands", ["c1", "c2"]),
        ("freeze", {"until": "2026-11-23T05:00:00Z", "reason": "a"}),
    ],
)
def test_what_another_version_wrote_is_kept(field: str, value: Any) -> None:
    """Also where it wrote less than this version does."""
    document = {**whole(), field: value}
    after = json.loads(encode(read(document)))[field]
    assert after == value if isinstance(value, list) else value.items() <= after.items()


# --- corrupt documents ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"alas",
        b"\xff\xfe\x00",
        b"{",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 10_000,
    ],
)
def test_what_is_no_document_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        decode(data, "checkout")


def test_a_truncated_document_is_corrupt_wherever_it_is_cut() -> None:
    data = json.dumps(whole()).encode()
    for length in range(0, len(data), 7):
        with pytest.raises(Corrupt):
            decode(data[:length], "checkout")


REQUIRED = ("schema", "service", "revision", "epoch", "config", "primary", "regions", "routing")


@pytest.mark.parametrize("field", REQUIRED)
def test_a_missing_field_is_named(field: str) -> None:
    document = whole()
    del document[field]
    with pytest.raises(Corrupt, match=field):
        read(document)


WRONG: dict[str, list[object]] = {
    "revision": [None, -1, 1.5, "7", True, []],
    "epoch": [None, -1, 1.5, "7", True, 99],
    "config": [
        None,
        7,
        {},
        {"serial": "1", "digest": "d"},
        {"serial": 1},
        {"serial": 1, "digest": 7},
    ],
    "primary": [None, 7, "", "mars-1"],
    "regions": [None, [], {EAST: None}, {EAST: {}}],
    "routing": [None, [], {}, {EAST: "1"}, {EAST: None}, {EAST: True}],
    "incidents": [7, [], {"i": None}, {"i": {}}],
    "shift": [7, {}, {"epoch": 1}, {"epoch": 2, "rev": 1}, {"epoch": 1, "rev": -1}, None],
    "restore": [7, [], {"g": 7}],
    "lever": [7, "crowbar"],
    "moves": [7, {}, [7], [{}], [{"at": "soon", "epoch": 1, "left": [], "to": []}]],
    "acknowledged_at": [7, "soon", "2026-11-23T05:00:00"],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG.items() for value in values]
)
def test_a_field_of_another_type_is_corrupt_and_named(field: str, value: object) -> None:
    with pytest.raises(Corrupt, match=field):
        read({**whole(), field: value})


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("regions", "endpoint", None),
        ("regions", "status", "fine"),
        ("regions", "since", "soon"),
        ("regions", "proofs", -1),
        ("regions", "failures", "1"),
        ("regions", "counted_at", 7),
        ("incidents", "region", None),
        ("incidents", "state", "ajar"),
        ("incidents", "started_at", None),
        ("incidents", "ended_at", "soon"),
        ("incidents", "refused", "brake"),
    ],
)
def test_a_part_of_another_type_is_corrupt_and_its_field_named(
    part: str, field: str, value: object
) -> None:
    document = whole()
    document[part][next(iter(document[part]))][field] = value
    with pytest.raises(Corrupt, match=part):
        read(document)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_share_that_is_no_number_is_corrupt(number: str) -> None:
    """JSON has no such numbers, and applications could not read them back."""
    data = json.dumps(whole()).replace(
        f'"routing": {{"{WEST}": 1.0}}', f'"routing": {{"{WEST}": {number}}}'
    )
    assert number in data
    with pytest.raises(Corrupt):
        decode(data.encode(), "checkout")


def test_the_document_of_another_service_is_corrupt() -> None:
    with pytest.raises(Corrupt, match="service"):
        decode(encode(loop().state), "search")


@pytest.mark.parametrize("schema", [2, 99])
def test_a_newer_schema_is_told_apart(schema: int) -> None:
    """A newer instance must act; nothing needs mending."""
    with pytest.raises(NewerSchema, match=str(schema)):
        read({**whole(), "schema": schema})


@pytest.mark.parametrize("schema", [0, -1, "1", None, 1.5, []])
def test_an_unknown_schema_is_corrupt(schema: object) -> None:
    with pytest.raises(Corrupt, match="schema"):
        read({**whole(), "schema": schema})


@settings(deadline=None, max_examples=examples(200))
@given(field=st.sampled_from(sorted(whole())), value=JSON)
def test_any_json_in_any_field_is_read_whole_or_corrupt(field: str, value: object) -> None:
    """And what is read can be written and read again."""
    try:
        state = read({**whole(), field: value})
    except Corrupt:
        return
    assert decode(encode(state), "checkout") == state


@quick
@given(data=st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_corrupt(data: bytes) -> None:
    for reader in (lambda: decode(data, "checkout"), lambda: decode_flat(data)):
        try:
            reader()
        except Corrupt:
            continue


def test_half_a_surrogate_pair_is_read_and_written_or_corrupt() -> None:
    """JSON can spell what UTF-8 cannot; a document that is read must be writable."""
    data = json.dumps({**whole(), "note": "\ud800"}).encode()
    try:
        state = decode(data, "checkout")
    except Corrupt:
        return
    assert decode(encode(state), "checkout") == state


# --- the older flat file -------------------------------------------------------------------------

FLAT = {
    EAST: {"endpoint": "old", "healthy": True, "note": "kept"},
    WEST: {"endpoint": "old", "healthy": False},
    "gone-1": {"endpoint": "x", "healthy": True},
}


def test_the_flat_file_gives_a_document_of_epoch_zero() -> None:
    flat = decode_flat(json.dumps(FLAT).encode())
    ours = service()
    state = upgrade(create(ours, deployed(ours), START), flat, START)
    assert state.epoch == 0
    assert {name: entry.healthy for name, entry in state.regions.items()} == {
        EAST: True,
        WEST: False,
        EU: True,
    }
    assert decode(encode(state), "checkout") == state


def test_the_document_gives_the_flat_file_over_what_it_was() -> None:
    """Health and endpoints of our regions; other fields and other regions as they were."""
    world = loop()
    world.fail(EAST)
    after = json.loads(encode_flat(world.state, FLAT))
    assert after[EAST] == {
        "endpoint": "dynamodb.us-east-1.amazonaws.com",
        "healthy": False,
        "note": "kept",
    }
    assert after[WEST]["healthy"] is True
    assert after["gone-1"] == FLAT["gone-1"]
    assert EU in after


def test_the_flat_file_that_is_up_to_date_stays_as_it_is() -> None:
    state = loop().state
    once = encode_flat(state, {})
    assert encode_flat(state, decode_flat(once)) == once


@pytest.mark.parametrize("data", [b"", b"alas", b"[]", b"null", b'{"a": 7}', b"[" * 100_000])
def test_a_broken_flat_file_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        decode_flat(data)


@pytest.mark.parametrize("healthy", [True, None, "false", 0, 1])
def test_only_a_plain_false_calls_a_region_unhealthy(healthy: object) -> None:
    ours = service()
    state = upgrade(create(ours, deployed(ours), START), {EAST: {"healthy": healthy}}, START)
    assert state.regions[EAST].healthy
