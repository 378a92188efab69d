"""The state document to and from JSON, keeping what this version does not know.

`encode` writes what it knows over the document as it was read, so unknown fields survive at every
level. `decode` refuses a document that it cannot read whole: a half-understood state is worse than
none, and a corrupt one is never overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from orchestrator.core.model import (
    NOTHING,
    Freeze,
    Incident,
    IncidentState,
    Json,
    Leave,
    Move,
    Pair,
    Phase,
    Ramp,
    RegionState,
    Shift,
    State,
    Status,
    Step,
    Switch,
)
from orchestrator.core.policy import Lever, Mode, Stamp
from orchestrator.core.reading import (
    Corrupt,
    NewerSchema,
    count,
    mapping,
    maybe,
    no_constant,
    number,
    read_time,
    sequence,
    stamp_time,
    stamped,
    strict,
    text,
    texts,
)

SCHEMA = 1
HISTORY = 20
"""Decisions kept in the document; the journal keeps all."""

T = TypeVar("T")


# --- to JSON -----------------------------------------------------------------------------------


def encode(state: State) -> bytes:
    """The document as bytes, sorted by nothing: the order is the one people read in."""
    raw = state.raw
    regions, incidents = mapping(raw.get("regions")), mapping(raw.get("incidents"))
    document = {
        **raw,
        "schema": SCHEMA,
        "service": state.service,
        "revision": state.revision,
        "epoch": state.epoch,
        "config": {
            **mapping(raw.get("config")),
            "serial": state.stamp.serial,
            "digest": state.stamp.digest,
            "mode": state.stamp.mode,
        },
        "primary": state.primary,
        "writer": state.writer,
        "updated_at": stamped(state.updated_at),
        "regions": {
            name: {**mapping(regions.get(name)), **_region(entry)}
            for name, entry in state.regions.items()
        },
        "routing": dict(state.routing),
        "incidents": {
            key: {**mapping(incidents.get(key)), **_incident(incident)}
            for key, incident in state.incidents.items()
        },
        "shift": {**mapping(raw.get("shift")), **_shift(state.shift)} if state.shift else None,
        "switch": _over(raw, "switch", _switch(state.switch) if state.switch else None),
        "commands": list(state.commands),
        "commanded_at": {key: stamp_time(at) for key, at in state.commands.items()},
        "freeze": _over(raw, "freeze", _freeze(state.freeze) if state.freeze else None),
        "ramp": _over(raw, "ramp", _ramp(state.ramp) if state.ramp else None),
        "ceilings": dict(state.ceilings),
        "given_up_at": stamped(state.given_up_at),
        "evacuated": list(state.evacuated),
        "restore": dict(state.restore),
        "retired": list(state.retired),
        "unclaimed": dict(state.unclaimed),
        "lever": state.lever,
        "moves": [{**_known_move(raw, move), **_move(move)} for move in state.moves],
        "acknowledged_at": stamped(state.acknowledged_at),
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
        "counted_at": stamped(entry.counted_at),
        "backends": list(entry.backends),
        "fenced_until": stamped(entry.fenced_until),
        "proven_at": stamped(entry.proven_at),
        "recoveries": entry.recoveries,
        "attach": entry.attach,
        "attached": entry.attached,
        "leave": entry.leave,
    }


def _incident(incident: Incident) -> Json:
    return {
        "region": incident.region,
        "state": incident.state,
        "started_at": stamp_time(incident.started_at),
        "ended_at": stamped(incident.ended_at),
        "opened": incident.opened,
        "contradicted": incident.contradicted,
        "settled": incident.settled,
        "refused": list(incident.refused),
        "set_aside": incident.set_aside,
    }


def _over(raw: Json, name: str, value: Json | None) -> Json | None:
    """The value over what stood there, so that fields unknown to this version survive."""
    return None if value is None else {**mapping(raw.get(name)), **value}


def _freeze(freeze: Freeze) -> Json:
    return {
        "until": stamp_time(freeze.until),
        "actor": freeze.actor,
        "reason": freeze.reason,
        "since": stamp_time(freeze.since),
        "done": freeze.done,
    }


def _switch(switch: Switch) -> Json:
    return {
        "to": switch.to,
        "left": switch.left,
        "step": switch.step,
        "since": stamp_time(switch.since),
        "until": stamp_time(switch.until),
        "command": switch.command,
        "evacuate": switch.evacuate,
    }


def _ramp(ramp: Ramp) -> Json:
    return {"region": ramp.region, "step": ramp.step, "since": stamp_time(ramp.since)}


def _shift(shift: Shift) -> Json:
    pair = shift.pair
    return {"epoch": pair.epoch, "rev": pair.rev, "phase": shift.phase, "at": stamped(shift.at)}


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
        document = json.loads(data, parse_constant=no_constant)
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
        revision=read("revision", count),
        epoch=read("epoch", count),
        stamp=read("config", _read_stamp),
        primary=read("primary", text),
        regions=read("regions", lambda v: {k: _read_region(r) for k, r in strict(v).items()}),
        routing=read("routing", lambda v: {k: number(s) for k, s in strict(v).items()}),
        incidents=read(
            "incidents", lambda v: {k: _read_incident(k, i) for k, i in strict(v).items()}, {}
        ),
        shift=read("shift", lambda v: _read_shift(strict(v)) if v else None, None),
        restore=read("restore", lambda v: {k: strict(s) for k, s in strict(v).items()}, {}),
        retired=read("retired", texts, ()),
        unclaimed=read("unclaimed", lambda v: {k: count(e) for k, e in strict(v).items()}, {}),
        lever=read("lever", lambda v: Lever(text(v)) if v else None, None),
        moves=read("moves", lambda v: tuple(_read_move(strict(m)) for m in sequence(v)), ()),
        acknowledged_at=read("acknowledged_at", lambda v: maybe(v, read_time), None),
        freeze=read("freeze", lambda v: maybe(v, _read_freeze), None),
        switch=read("switch", lambda v: maybe(v, _read_switch), None),
        ramp=read("ramp", lambda v: maybe(v, _read_ramp), None),
        ceilings=read("ceilings", lambda v: {k: number(s) for k, s in strict(v).items()}, {}),
        given_up_at=read("given_up_at", lambda v: maybe(v, read_time), None),
        evacuated=read("evacuated", texts, ()),
        commands=_read_commands(document, read),
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
    stamp = strict(value)
    mode = Mode(text(stamp.get("mode", Mode.ACTIVE_PASSIVE)))
    return Stamp(count(stamp["serial"]), text(stamp["digest"]), mode)


def _read_region(value: object) -> RegionState:
    entry = strict(value)
    return RegionState(
        endpoint=text(entry["endpoint"]),
        status=Status(text(entry["status"])),
        since=read_time(entry["since"]),
        proofs=count(entry.get("proofs", 0)),
        failures=count(entry.get("failures", 0)),
        counted_at=maybe(entry.get("counted_at"), read_time),
        backends=texts(entry.get("backends", [])),
        fenced_until=maybe(entry.get("fenced_until"), read_time),
        proven_at=maybe(entry.get("proven_at"), read_time),
        recoveries=count(entry.get("recoveries", 0)),
        attach=bool(entry.get("attach", False)),
        attached=bool(entry.get("attached", False)),
        leave=maybe(entry.get("leave"), lambda value: Leave(text(value))),
    )


def _read_incident(key: str, value: object) -> Incident:
    entry = strict(value)
    return Incident(
        id=key,
        region=text(entry["region"]),
        state=IncidentState(text(entry["state"])),
        started_at=read_time(entry["started_at"]),
        ended_at=maybe(entry.get("ended_at"), read_time),
        opened=bool(entry.get("opened", True)),
        contradicted=bool(entry.get("contradicted", False)),
        settled=bool(entry.get("settled", False)),
        refused=texts(entry.get("refused", [])),
        set_aside=text(entry.get("set_aside", "")),
    )


def _read_freeze(value: object) -> Freeze:
    entry = strict(value)
    return Freeze(
        until=read_time(entry["until"]),
        actor=text(entry.get("actor", "")),
        reason=text(entry.get("reason", "")),
        since=read_time(entry.get("since", entry["until"])),
        done=count(entry.get("done", 0)),
    )


def _read_switch(value: object) -> Switch:
    entry = strict(value)
    return Switch(
        to=text(entry["to"]),
        left=text(entry.get("left", "")),
        step=Step(text(entry["step"])),
        since=read_time(entry.get("since", entry["until"])),
        until=read_time(entry["until"]),
        command=text(entry.get("command", "")),
        evacuate=bool(entry.get("evacuate", False)),
    )


def _read_ramp(value: object) -> Ramp:
    entry = strict(value)
    return Ramp(text(entry["region"]), count(entry["step"]), read_time(entry["since"]))


def _read_commands(document: Json, read: _Reader) -> Mapping[str, datetime]:
    """When each command was carried out; one without a time counts as of the last commit."""
    times = read("commanded_at", lambda v: {k: read_time(t) for k, t in strict(v).items()}, {})
    last = _lenient_time(document.get("updated_at")) or datetime.max.replace(tzinfo=UTC)
    return {key: times.get(key, last) for key in read("commands", texts, ())}


def _read_shift(entry: Json) -> Shift:
    pair = Pair(count(entry["epoch"]), count(entry["rev"]))
    known = {str(phase): phase for phase in Phase}
    phase = known.get(str(entry.get("phase")), Phase.COMMITTED)
    return Shift(pair, phase, _lenient_time(entry.get("at")))


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
        epoch=count(entry["epoch"]),
        left=texts(entry["left"]),
        to=texts(entry["to"]),
    )
