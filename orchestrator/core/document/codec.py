"""The state document to and from JSON, keeping what this version does not know.

`encode` writes what it knows over the document as it was read, so unknown fields survive at every
level. `decode` refuses a document that it cannot read whole: a half-understood state is worse than
none, and a corrupt one is never overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from orchestrator.core.document.invariants import refuse_contradictions
from orchestrator.core.model import (
    NOTHING,
    Doubt,
    Family,
    Freeze,
    Given,
    Incident,
    IncidentState,
    Json,
    Leave,
    Mark,
    Move,
    Paged,
    Phase,
    Ramp,
    RegionState,
    Repair,
    Shift,
    State,
    Status,
    Step,
    Switch,
)
from orchestrator.core.outside.limits import (
    AHEAD,
    ARRIVALS,
    EPOCHS,
    HISTORY,
    INCIDENTS_READ,
    READ,
    is_ahead,
)
from orchestrator.core.outside.reading import (
    Corrupt,
    NewerSchema,
    UnknownWord,
    count,
    mapping,
    maybe,
    member,
    number,
    read_json,
    read_time,
    sequence,
    stamp_time,
    stamped,
    strict,
    text,
    texts,
)
from orchestrator.core.outside.shown import quoted
from orchestrator.core.policy import Lever, Mode, Stamp

SCHEMA = 1

LONGEST = 4 * READ
"""Bytes of a document that the orchestrator reads: it must see one that has grown too long for
applications, to say so and to make it shorter."""

T = TypeVar("T")


# --- to JSON -----------------------------------------------------------------------------------


def encode(state: State) -> bytes:
    """The document as bytes, sorted by nothing: the order is the one people read in."""
    raw = state.raw
    document = {
        **raw,
        "schema": SCHEMA,
        "service": state.service,
        "revision": state.revision,
        "epoch": state.epoch,
        "config": _over(
            raw, "config", state.stamp, lambda s: _stamp(s, mapping(raw.get("config")))
        ),
        "primary": state.primary,
        "writer": state.writer,
        "updated_at": stamped(state.updated_at),
        "regions": _each_over(raw, "regions", state.regions, _region),
        "routing": dict(state.routing),
        "incidents": _incidents(state),
        "shift": _over(raw, "shift", state.shift, _shift),
        "switch": _over(raw, "switch", state.switch, _switch),
        "commands": list(state.commands),
        "commanded_at": {key: stamp_time(at) for key, at in state.commands.items()},
        "order": _order(state, mapping(raw.get("order"))),
        "freeze": _over(raw, "freeze", state.freeze, _freeze),
        "ramp": _over(raw, "ramp", state.ramp, _ramp),
        "ceilings": dict(state.ceilings),
        "given_up_at": stamped(state.given_up_at),
        "evacuated": list(state.evacuated),
        "restore": dict(state.restore),
        "retired": list(state.retired),
        "unclaimed": dict(state.unclaimed),
        "lever": state.lever,
        "moves": [{**_known_move(raw, move), **_move(move)} for move in state.moves],
        "acknowledged_at": stamped(state.acknowledged_at),
        "forgotten": state.forgotten,
        "history": list(state.history[:HISTORY]),
        "pages": _each_over(raw, "pages", state.pages, _paged),
        "repairs": [_repair(repair) for repair in state.repairs],
        "arrivals": [stamp_time(at) for at in state.arrivals],
    }
    return json.dumps(document, indent=1).encode()


def _over(raw: Json, name: str, value: T | None, written: Callable[[T], Json]) -> Json | None:
    """The value over what stood there, so that fields unknown to this version survive."""
    return None if value is None else {**mapping(raw.get(name)), **written(value)}


def _each_over(
    raw: Json, name: str, values: Mapping[str, T], written: Callable[[T], Json]
) -> Mapping[str, Json]:
    """The same for each value of a mapping, by its key."""
    there = mapping(raw.get(name))
    return {key: {**mapping(there.get(key)), **written(value)} for key, value in values.items()}


def _stamp(stamp: Stamp, there: Json) -> Json:
    """`routing_of` binds the routing digest to its configuration, as `routing_epoch` below.

    A document of an older version does not tell the mode of its configuration, and what is assumed
    for it is not written down: an active-active one would contradict itself then.
    """
    fields: dict[str, object] = {"serial": stamp.serial, "digest": stamp.digest}
    if "mode" in there or there.get("digest") != stamp.digest:
        fields["mode"] = stamp.mode
    if stamp.routing_digest:
        fields |= {"routing_digest": stamp.routing_digest, "routing_of": stamp.digest}
    return {**there, **fields}


def _region(entry: RegionState) -> Json:
    return {
        "endpoint": entry.endpoint,
        "aws_region": entry.aws_region or None,
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


def _incidents(state: State) -> Mapping[str, Json]:
    """As `_each_over`, except `failed_at`: it is written only while it holds."""
    there = mapping(state.raw.get("incidents"))
    return {
        key: {**_without(mapping(there.get(key)), "failed_at"), **incident_fields(incident)}
        for key, incident in state.incidents.items()
    }


def _without(fields: Json, name: str) -> Json:
    return {key: value for key, value in fields.items() if key != name}


def incident_fields(incident: Incident) -> Json:
    """One incident as the document has it, without its id, which is the key there."""
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
        "doubt": incident.doubt,
        **({"failed_at": stamp_time(incident.failed_at)} if incident.failed_at else {}),
    }


def _order(state: State, there: Json) -> Json:
    """The newest obeyed command of each family, over what stood there."""
    newest: Json = {
        str(family): {**mapping(there.get(family)), "at": stamp_time(given.at), "id": given.id}
        for family, given in state.order.items()
    }
    return {**there, **newest}


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
    """`routing_epoch` binds the routing to its epoch: a version that does not know either keeps
    both when it writes a later epoch, and they do not concern that one."""
    mark = shift.mark
    kept = {} if shift.routing is None else {"routing": dict(shift.routing)}
    bound = {"routing_epoch": mark.epoch} if kept else {}
    plain = {"epoch": mark.epoch, "rev": mark.rev, "phase": shift.phase, "at": stamped(shift.at)}
    return {**plain, **kept, **bound}


def _known_move(raw: Json, move: Move) -> Json:
    """The move as the document had it; an epoch is made by one move."""
    listed = raw.get("moves")
    moves = [m for m in listed if isinstance(m, dict)] if isinstance(listed, list) else []
    return next((m for m in moves if m.get("epoch") == move.epoch), NOTHING)


def _move(move: Move) -> Json:
    return {
        "at": stamp_time(move.at),
        "epoch": move.epoch,
        "left": list(move.left),
        "to": list(move.to),
    }


def _paged(entry: Paged) -> Json:
    return {
        "since": stamp_time(entry.since),
        "seen": stamp_time(entry.seen),
        "last": stamped(entry.last),
        "count": entry.count,
        "quiet": entry.quiet,
        "decision": entry.decision,
    }


def _repair(repair: Repair) -> Json:
    return {
        "at": stamp_time(repair.at),
        "resource": repair.resource,
        "epoch": repair.epoch,
        "mark": repair.mark,
    }


# --- from JSON ---------------------------------------------------------------------------------


def decode(data: bytes, service: str, times: Sequence[float] = ()) -> State:
    """The state of this service. Raises Corrupt, naming the field, for anything unreadable.

    times: what is known of the time, in seconds since 1970; then no revision may lie far ahead.
    """
    try:
        document = read_json(data, LONGEST)
    except ValueError as error:
        raise Corrupt(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Corrupt("not a JSON object")
    schema = document.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise NewerSchema(f"schema {schema}; this version reads {SCHEMA}")
    if schema != SCHEMA:
        raise Corrupt(f"schema: {quoted(schema)} is not {SCHEMA}")
    if document.get("service") != service:
        raise Corrupt(f"service: {quoted(document.get('service'))} is not {service!r}")
    state = _decode(document)
    if times and is_ahead(state.revision, *times):
        raise Corrupt(f"revision: {state.revision} lies more than {AHEAD.days} days ahead")
    return state


def _decode(document: Json) -> State:
    read = _Reader(document)
    state = State(
        service=str(document["service"]),
        revision=read("revision", count),
        epoch=read("epoch", _epoch),
        stamp=read("config", _read_stamp),
        primary=read("primary", text),
        regions=read("regions", lambda v: {k: _read_region(r) for k, r in strict(v).items()}),
        routing=read("routing", lambda v: {k: number(s) for k, s in strict(v).items()}),
        incidents=read("incidents", _read_incidents, {}),
        shift=read("shift", lambda v: _read_shift(strict(v)) if v else None, None),
        restore=read("restore", lambda v: {k: strict(s) for k, s in strict(v).items()}, {}),
        retired=read("retired", texts, ()),
        unclaimed=read("unclaimed", lambda v: {k: _epoch(e) for k, e in strict(v).items()}, {}),
        lever=read("lever", lambda v: member(v, Lever) if v else None, None),
        moves=read("moves", lambda v: tuple(_read_move(strict(m)) for m in sequence(v)), ()),
        acknowledged_at=read("acknowledged_at", lambda v: maybe(v, read_time), None),
        freeze=read("freeze", lambda v: maybe(v, _read_freeze), None),
        switch=read("switch", lambda v: maybe(v, _read_switch), None),
        ramp=read("ramp", lambda v: maybe(v, _read_ramp), None),
        ceilings=read("ceilings", lambda v: {k: number(s) for k, s in strict(v).items()}, {}),
        given_up_at=read("given_up_at", lambda v: maybe(v, read_time), None),
        evacuated=read("evacuated", texts, ()),
        commands=_read_commands(document, read),
        order=read("order", lambda v: _read_order(strict(v)), {}),
        history=_history(document.get("history")),
        forgotten=read("forgotten", count, 0),
        pages=_read_pages(document.get("pages")),
        repairs=_read_repairs(document.get("repairs")),
        arrivals=_read_arrivals(document.get("arrivals")),
        writer=str(document.get("writer") or ""),
        updated_at=_lenient_time(document.get("updated_at")),
        raw=document,
    )
    refuse_contradictions(state)
    return state


def _epoch(value: object) -> int:
    epoch = count(value)
    if epoch >= EPOCHS:
        raise ValueError(f"{epoch} is above every epoch that there can be")
    return epoch


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
        except UnknownWord as error:
            raise UnknownWord(f"{name}: {error}") from error
        except (TypeError, ValueError, OverflowError) as error:
            raise Corrupt(f"{name}: {error}") from error


def _read_stamp(value: object) -> Stamp:
    stamp = strict(value)
    mode = member(stamp.get("mode", Mode.ACTIVE_PASSIVE), Mode)
    digest, routing = text(stamp["digest"]), text(stamp.get("routing_digest", ""))
    bound = stamp.get("routing_of", digest) == digest
    return Stamp(count(stamp["serial"]), digest, mode, routing if bound else "")


def _read_region(value: object) -> RegionState:
    entry = strict(value)
    return RegionState(
        endpoint=text(entry["endpoint"]),
        aws_region=text(entry.get("aws_region") or ""),
        status=member(entry["status"], Status),
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
        leave=maybe(entry.get("leave"), lambda value: member(value, Leave)),
    )


def _read_incidents(value: object) -> Mapping[str, Incident]:
    incidents = strict(value)
    if len(incidents) > INCIDENTS_READ:
        raise ValueError(f"{len(incidents)} of them, more than {INCIDENTS_READ}")
    return {key: _read_incident(key, incident) for key, incident in incidents.items()}


def _read_incident(key: str, value: object) -> Incident:
    entry = strict(value)
    started_at = read_time(entry["started_at"])
    ended_at = maybe(entry.get("ended_at"), read_time)
    return Incident(
        id=key,
        region=text(entry["region"]),
        state=member(entry["state"], IncidentState),
        started_at=started_at,
        ended_at=max(ended_at, started_at) if ended_at else None,
        opened=bool(entry.get("opened", True)),
        contradicted=bool(entry.get("contradicted", False)),
        settled=bool(entry.get("settled", False)),
        refused=texts(entry.get("refused", [])),
        set_aside=text(entry.get("set_aside", "")),
        doubt=maybe(entry.get("doubt"), lambda value: member(value, Doubt)),
        failed_at=maybe(entry.get("failed_at"), read_time),
    )


def _read_freeze(value: object) -> Freeze:
    entry = strict(value)
    return Freeze(
        until=read_time(entry["until"]),
        actor=text(entry.get("actor", "")),
        reason=text(entry.get("reason", "")),
        since=read_time(entry.get("since", entry["until"])),
        done=_epoch(entry.get("done", 0)),
    )


def _read_switch(value: object) -> Switch:
    entry = strict(value)
    return Switch(
        to=text(entry["to"]),
        left=text(entry.get("left", "")),
        step=member(entry["step"], Step),
        since=read_time(entry.get("since", entry["until"])),
        until=read_time(entry["until"]),
        command=text(entry.get("command", "")),
        evacuate=bool(entry.get("evacuate", False)),
    )


def _read_ramp(value: object) -> Ramp:
    entry = strict(value)
    return Ramp(text(entry["region"]), count(entry["step"]), read_time(entry["since"]))


def _read_commands(document: Json, read: _Reader) -> Mapping[str, datetime]:
    """When each command was handled; one without a time counts as of the last commit."""
    times = read("commanded_at", lambda v: {k: read_time(t) for k, t in strict(v).items()}, {})
    last = _lenient_time(document.get("updated_at")) or datetime.max.replace(tzinfo=UTC)
    return {key: times.get(key, last) for key in read("commands", texts, ())}


def _read_order(entry: Json) -> Mapping[Family, Given]:
    """The families that this version knows; a newer version's are kept as they are."""
    families = {family: strict(entry[family]) for family in Family if family in entry}
    return {
        family: Given(read_time(given["at"]), text(given["id"]))
        for family, given in families.items()
    }


def _read_shift(entry: Json) -> Shift:
    mark = Mark(_epoch(entry["epoch"]), count(entry["rev"]))
    phases = {str(phase): phase for phase in Phase}
    phase = phases.get(str(entry.get("phase")), Phase.COMMITTED)
    return Shift(mark, phase, _lenient_time(entry.get("at")), _decided(entry, mark))


def _decided(entry: Json, mark: Mark) -> Mapping[str, float] | None:
    """The routing that the epoch was decided to be, where it is this epoch's."""
    if "routing" not in entry or entry.get("routing_epoch", mark.epoch) != mark.epoch:
        return None
    return {name: number(share) for name, share in strict(entry["routing"]).items()}


def _history(value: object) -> tuple[Json, ...]:
    """For people only: whatever of it can be read."""
    entries = value if isinstance(value, list) else []
    return tuple(entry for entry in entries if isinstance(entry, dict))


def _read_pages(value: object) -> Mapping[str, Paged]:
    """For people only: an entry that cannot be read is forgotten, and pages again."""
    pages: dict[str, Paged] = {}
    for key, entry in mapping(value).items():
        try:
            pages[key] = _read_paged(strict(entry))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return pages


def _read_paged(entry: Json) -> Paged:
    since = read_time(entry["since"])
    return Paged(
        since=since,
        seen=read_time(entry.get("seen", entry["since"])),
        last=maybe(entry.get("last"), read_time),
        count=count(entry.get("count", 0)),
        quiet=entry.get("quiet") is True,
        decision=str(entry.get("decision") or ""),
    )


def _read_repairs(value: object) -> tuple[Repair, ...]:
    """As pages: what cannot be read is forgotten."""
    repairs: list[Repair] = []
    for entry in value if isinstance(value, list) else []:
        try:
            repairs.append(_read_repair(strict(entry)))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return tuple(repairs)


def _read_arrivals(value: object) -> tuple[datetime, ...]:
    """As pages: what cannot be read is forgotten."""
    times = (_lenient_time(at) for at in (value if isinstance(value, list) else [])[-ARRIVALS:])
    return tuple(at for at in times if at is not None)


def _read_repair(entry: Json) -> Repair:
    return Repair(
        at=read_time(entry["at"]),
        resource=text(entry["resource"]),
        epoch=_epoch(entry["epoch"]),
        mark=entry.get("mark") is True,
    )


def _lenient_time(value: object) -> datetime | None:
    """For people only: None for anything unreadable."""
    try:
        return read_time(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _read_move(entry: Json) -> Move:
    return Move(
        at=read_time(entry["at"]),
        epoch=_epoch(entry["epoch"]),
        left=texts(entry["left"]),
        to=texts(entry["to"]),
    )
