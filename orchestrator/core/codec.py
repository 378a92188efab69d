"""The state document to and from JSON, keeping what this version does not know.

`encode` writes what it knows over the document as it was read, so unknown fields survive at every
level. `decode` refuses a document that it cannot read whole: a half-understood state is worse than
none, and a corrupt one is never overwritten.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from orchestrator.core.incidents import TICK_PREFIX
from orchestrator.core.model import (
    NOTHING,
    Incident,
    IncidentState,
    Json,
    Move,
    Pair,
    Phase,
    RegionState,
    Shift,
    State,
    Status,
)
from orchestrator.core.policy import Lever, Mode, Stamp

SCHEMA = 1
HISTORY = 20
"""Decisions kept in the document; the journal keeps all."""

T = TypeVar("T")


class Corrupt(ValueError):
    """The document cannot be read; the text says where."""


class NewerSchema(Corrupt):
    """The document was written by a newer version."""


def _stamped(at: datetime | None) -> str | None:
    return None if at is None else stamp_time(at)


def stamp_time(at: datetime) -> str:
    """A time as the document writes it: UTC, ISO 8601, `Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_time(value: object) -> datetime:
    """The inverse of `stamp_time`. Raises ValueError on anything but an aware time."""
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return at.astimezone(UTC)


# --- to JSON -----------------------------------------------------------------------------------


def encode(state: State) -> bytes:
    """The document as bytes, sorted by nothing: the order is the one people read in."""
    raw = state.raw
    regions, incidents = _mapping(raw.get("regions")), _mapping(raw.get("incidents"))
    document = {
        **raw,
        "schema": SCHEMA,
        "service": state.service,
        "revision": state.revision,
        "epoch": state.epoch,
        "config": {
            **_mapping(raw.get("config")),
            "serial": state.stamp.serial,
            "digest": state.stamp.digest,
            "mode": state.stamp.mode,
        },
        "primary": state.primary,
        "writer": state.writer,
        "updated_at": _stamped(state.updated_at),
        "regions": {
            name: {**_mapping(regions.get(name)), **_region(entry)}
            for name, entry in state.regions.items()
        },
        "routing": dict(state.routing),
        "incidents": {
            key: {**_mapping(incidents.get(key)), **_incident(incident)}
            for key, incident in state.incidents.items()
        },
        "shift": {**_mapping(raw.get("shift")), **_shift(state.shift)} if state.shift else None,
        "switch": raw.get("switch"),
        "commands": raw.get("commands", []),
        "freeze": raw.get("freeze"),
        "restore": dict(state.restore),
        "retired": list(state.retired),
        "lever": state.lever,
        "moves": [{**_known_move(raw, move), **_move(move)} for move in state.moves],
        "acknowledged_at": _stamped(state.acknowledged_at),
        "history": list(state.history[:HISTORY]),
    }
    return json.dumps(document, indent=1).encode()


def _region(entry: RegionState) -> Json:
    return {
        "endpoint": entry.endpoint,
        "healthy": entry.healthy,
        "status": entry.status,
        "since": stamp_time(entry.since),
        "proofs": entry.proofs,
        "failures": entry.failures,
        "counted_at": _stamped(entry.counted_at),
        "backends": list(entry.backends),
    }


def _incident(incident: Incident) -> Json:
    return {
        "region": incident.region,
        "state": incident.state,
        "started_at": stamp_time(incident.started_at),
        "ended_at": _stamped(incident.ended_at),
        "opened": incident.opened,
        "contradicted": incident.contradicted,
        "settled": incident.settled,
        "refused": list(incident.refused),
    }


def _shift(shift: Shift) -> Json:
    return {"epoch": shift.pair.epoch, "rev": shift.pair.rev, "phase": shift.phase}


def _known_move(raw: Json, move: Move) -> Json:
    """The move as the document had it; an epoch is made by one move."""
    known = raw.get("moves")
    found = [m for m in known if isinstance(m, dict)] if isinstance(known, list) else []
    return next((m for m in found if m.get("epoch") == move.epoch), NOTHING)


def _move(move: Move) -> Json:
    return {
        "at": stamp_time(move.at),
        "epoch": move.epoch,
        "left": list(move.left),
        "to": list(move.to),
    }


# --- from JSON ---------------------------------------------------------------------------------


def decode(data: bytes, service: str) -> State:
    """The state of this service. Raises Corrupt, naming the field, for anything unreadable."""
    try:
        document = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Corrupt("not a JSON object")
    schema = document.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise NewerSchema(f"schema {schema}; this version reads {SCHEMA}")
    if schema != SCHEMA:
        raise Corrupt(f"schema: {schema!r} is not {SCHEMA}")
    if document.get("service") != service:
        raise Corrupt(f"service: {document.get('service')!r} is not {service!r}")
    return _decode(document)


def _decode(document: Json) -> State:
    read = _Reader(document)
    state = State(
        service=str(document["service"]),
        revision=read("revision", _count),
        epoch=read("epoch", _count),
        stamp=read("config", _read_stamp),
        primary=read("primary", _text),
        regions=read("regions", lambda v: {k: _read_region(r) for k, r in _strict(v).items()}),
        routing=read("routing", lambda v: {k: _number(s) for k, s in _strict(v).items()}),
        incidents=read(
            "incidents", lambda v: {k: _read_incident(k, i) for k, i in _strict(v).items()}, {}
        ),
        shift=read("shift", lambda v: _read_shift(_strict(v)) if v else None, None),
        restore=read("restore", lambda v: {k: _strict(s) for k, s in _strict(v).items()}, {}),
        retired=read("retired", _texts, ()),
        lever=read("lever", lambda v: Lever(_text(v)) if v else None, None),
        moves=read("moves", lambda v: tuple(_read_move(_strict(m)) for m in _sequence(v)), ()),
        acknowledged_at=read("acknowledged_at", lambda v: _maybe(v, read_time), None),
        history=_history(document.get("history")),
        writer=str(document.get("writer") or ""),
        updated_at=_lenient_time(document.get("updated_at")),
        raw=document,
    )
    if not state.routing or state.primary not in state.regions:
        raise Corrupt("primary, routing: the document names no region that it has")
    if state.shift and state.shift.pair.epoch != state.epoch:
        raise Corrupt(f"shift.epoch: {state.shift.pair.epoch} is not the epoch {state.epoch}")
    if state.epoch and not state.shift:
        raise Corrupt(f"shift: missing at epoch {state.epoch}")
    return state


class _Reader:
    """Reads fields of one mapping; a fault is named by its field."""

    _REQUIRED = object()

    def __init__(self, document: Json) -> None:
        self._document = document

    def __call__(self, name: str, convert: Callable[[object], T], default: object = _REQUIRED) -> T:
        if name not in self._document and default is not self._REQUIRED:
            return default  # type: ignore[return-value]  # the caller's default has the field's type
        try:
            return convert(self._document[name])
        except KeyError as error:
            raise Corrupt(f"{name}: {error} is missing") from error
        except (TypeError, ValueError, OverflowError) as error:
            raise Corrupt(f"{name}: {error}") from error


def _read_stamp(value: object) -> Stamp:
    stamp = _strict(value)
    mode = Mode(_text(stamp.get("mode", Mode.ACTIVE_PASSIVE)))
    return Stamp(_count(stamp["serial"]), _text(stamp["digest"]), mode)


def _read_region(value: object) -> RegionState:
    entry = _strict(value)
    return RegionState(
        endpoint=_text(entry["endpoint"]),
        status=Status(_text(entry["status"])),
        since=read_time(entry["since"]),
        proofs=_count(entry.get("proofs", 0)),
        failures=_count(entry.get("failures", 0)),
        counted_at=_maybe(entry.get("counted_at"), read_time),
        backends=_texts(entry.get("backends", [])),
    )


def _read_incident(key: str, value: object) -> Incident:
    entry = _strict(value)
    return Incident(
        id=key,
        region=_text(entry["region"]),
        state=IncidentState(_text(entry["state"])),
        started_at=read_time(entry["started_at"]),
        ended_at=_maybe(entry.get("ended_at"), read_time),
        opened=bool(entry.get("opened", True)),
        contradicted=bool(entry.get("contradicted", False)),
        settled=bool(entry.get("settled", False)),
        refused=_texts(entry.get("refused", [])),
    )


def _read_shift(entry: Json) -> Shift:
    pair = Pair(_count(entry["epoch"]), _count(entry["rev"]))
    known = {str(phase): phase for phase in Phase}
    return Shift(pair, known.get(str(entry.get("phase")), Phase.COMMITTED))


def _history(value: object) -> tuple[Json, ...]:
    """For people only: whatever of it can be read."""
    entries = value if isinstance(value, list) else []
    return tuple(entry for entry in entries if isinstance(entry, dict))


def _lenient_time(value: object) -> datetime | None:
    """For people only: None for anything unreadable."""
    try:
        return read_time(value)
    except (ValueError, OverflowError):
        return None


def _read_move(entry: Json) -> Move:
    return Move(
        at=read_time(entry["at"]),
        epoch=_count(entry["epoch"]),
        left=_texts(entry["left"]),
        to=_texts(entry["to"]),
    )


# --- the older flat file -------------------------------------------------------------------------


def decode_flat(data: bytes) -> Mapping[str, Json]:
    """The older format, `{region: {endpoint, healthy}}`. Raises Corrupt."""
    try:
        return {name: _strict(entry) for name, entry in _strict(json.loads(data)).items()}
    except (TypeError, ValueError, RecursionError) as error:
        raise Corrupt(str(error)) from error


def encode_flat(state: State, before: Mapping[str, Json]) -> bytes:
    """The older format as this state has it, over the file as it was."""
    after: dict[str, Json] = dict(before)
    for name, entry in state.regions.items():
        after[name] = {
            **before.get(name, NOTHING),
            "endpoint": entry.endpoint,
            "healthy": entry.healthy,
        }
    return json.dumps(after, indent=1).encode()


def upgrade(state: State, flat: Mapping[str, Json], now: datetime) -> State:
    """A new document with the health that the older file tells.

    A region that it calls unhealthy gets an incident of our own, closed by recovery like any other.
    """
    incidents = dict(state.incidents)
    regions = dict(state.regions)
    for name, entry in flat.items():
        if name in regions and entry.get("healthy") is False:
            own = f"{TICK_PREFIX}{name}-upgrade"
            incidents[own] = Incident(own, name, IncidentState.OPEN, now)
            regions[name] = replace(regions[name], status=Status.DOWN)
    return replace(state, incidents=incidents, regions=regions)


# --- small readers -------------------------------------------------------------------------------


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else NOTHING


def _strict(value: object) -> Json:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is not an object")
    return value


def _sequence(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not an array")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(item) for item in _sequence(value))


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is not a whole number of at least 0")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a number")
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not finite")
    return float(value)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _maybe(value: object, convert: Callable[[object], T]) -> T | None:
    return None if value is None else convert(value)
