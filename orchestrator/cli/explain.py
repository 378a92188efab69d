"""`explain`: why did it move, or not? In sentences, with every rule's value.

Without an id it tells the last decision, where every region stands, and what a tick would do now.
With an id, of a decision or of an incident, it tells everything that is recorded of that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from orchestrator.cli import gates, sentences
from orchestrator.cli.failures import error_of
from orchestrator.cli.history import carried_out, failures, journaled
from orchestrator.cli.line import style_of
from orchestrator.cli.session import Session, nearest
from orchestrator.cli.views import chosen_by, preview_view
from orchestrator.core import trigger
from orchestrator.core.counting import proof_needed
from orchestrator.core.errors import FailoverError
from orchestrator.core.ground import orphaned
from orchestrator.core.ids import forms, plain_id
from orchestrator.core.incidents import bare_id
from orchestrator.core.limits import READ
from orchestrator.core.model import (
    NOTHING,
    Incident,
    IncidentState,
    Json,
    Observed,
    Part,
    Role,
    State,
    Status,
    Tick,
    Verdict,
)
from orchestrator.core.paging import AHEAD, key, publish_log
from orchestrator.core.plan import desired
from orchestrator.core.policy import Service
from orchestrator.core.reading import mapping, read_json, read_time, stamp_time, stamped
from orchestrator.core.traffic import told, traffic
from orchestrator.flow import poison
from orchestrator.flow.observe import observe, read_state
from orchestrator.flow.preview import Preview, preview
from orchestrator.wiring import World

JOURNAL = 200
"""Newest journal entries that are searched for an id."""

FAILURES = 3
"""Newest failures that are told beside the last decision."""


POISON = 200
"""Unreadable messages that are looked at for an id, the newest: each is a request."""


class NotRecorded(FailoverError):
    """Nothing is known of that id."""


def explain(session: Session, name: str | None, identity: str | None) -> bool:
    """Tell why. Raises NotRecorded for an id that nothing is known of, and what looking raises."""
    world = session.world()
    services = world.config.services
    if name and not identity and name not in services and not nearest(name, services):
        name, identity = None, name
    if identity:
        service, told = _found(session, session.services(name, world.config), world, identity)
    else:
        service = session.service(name, world.config)
        told = _standing(session, service, world)
    if session.as_json:
        session.answer({"service": service.name, **told})
        return "error" not in told
    for line in told["sentences"] if isinstance(told["sentences"], list) else ():
        session.say(line, style_of(line))
    return "error" not in told


def _found(
    session: Session, services: Iterable[Service], world: World, identity: str
) -> tuple[Service, Json]:
    """The service that knows of this id, and what it knows."""
    missed: list[NotRecorded] = []
    for service in services:
        try:
            return service, _one(session, service, world, identity)
        except NotRecorded as error:
            missed.append(error)
    raise missed[0]


def known_ids(session: Session, name: str | None) -> list[str]:
    """Ids that can be explained, newest first. Raises what looking raises, and usage errors."""
    world = session.world()
    state = read_state(session.service(name, world.config).name, world.context).state
    if state is None:
        return []
    decisions = [str(entry.get("id")) for entry in state.history]
    incidents = [one.id for one in _newest(state.incidents.values())]
    return [*decisions, *incidents, *reversed(list(state.commands))]


# --- everything ----------------------------------------------------------------------------------


def _standing(session: Session, service: Service, world: World) -> Json:
    """The last decision, every region, and what a tick would do now."""
    now = world.context.now()
    observed = observe(service, world.context)
    state = observed.stored.state
    if state is None:
        orphan = orphaned(service, observed.routing) if observed.routing else None
        lines = [f"{orphan}."] if orphan else _without_document(service, observed)
        view = {"sentences": lines, "decision": None, "incidents": [], "next": None}
        return {**view, "error": error_of(orphan, session)} if orphan else view
    last = _with_outcome(session, state.history[0], service, world) if state.history else None
    later = _carried_out(session, service, world, last) if last else []
    told, coming, holding = _next(session, service, world, observed.lost)
    doubted = _doubted(state)
    lines = [_where(service, state, observed), *sentences.under_way(state.raw, now)]
    lines += sentences.paged(state.pages, now, holding)
    lines += (
        [
            "",
            "The last decision:",
            *sentences.indented(sentences.tell(last, now, service.name, doubted)),
        ]
        if last
        else []
    )
    lines += _later(later, now, doubted)
    failed = _failed_since(session, service, world, last)
    lines += [
        line
        for one in failed
        for line in ["", *sentences.indented(sentences.tell(one, now, doubted=doubted))]
    ]
    lines += ["", "The regions:", *sentences.indented(_regions(service, state, observed, now))]
    known = [sentences.incident_sentence(one, now) for one in _newest(state.incidents.values())]
    lines += ["", "Incidents known:", *sentences.indented(known)] if known else []
    lines += ["", *told]
    return {
        "sentences": lines,
        "decision": last,
        "incidents": [_incident_view(one) for one in _newest(state.incidents.values())],
        "next": coming,
    }


def _doubted(state: State | None) -> frozenset[str]:
    """The incidents whose alert does not say for certain which region fails."""
    known = state.incidents.values() if state else ()
    return frozenset(one.id for one in known if one.doubt)


def _without_document(service: Service, observed: Observed) -> list[str]:
    """What there is to say where there is no document; what cannot be read is not known."""
    if observed.routing is None:
        text = f"{service.name}: there is no document, and the load balancer cannot be read now, so"
        return [f"{text} whether there ever was one is not known."]
    text = f"{service.name}: there is no document yet, and the load balancer carries no epoch, so"
    check = "`failoverctl check` says whether it would work."
    return [f"{text} no alert and no tick was ever handled. {check}"]


def _where(service: Service, state: State, observed: Observed) -> str:
    seen = told(traffic(observed.routing, service, state), state.routing)
    never = "nothing moved yet" if state.history else "nothing decided yet"
    phase = f", {state.shift.phase if state.shift else never}"
    return f"{service.name}: {seen}. Primary {state.primary} (epoch {state.epoch}{phase})."


def _regions(service: Service, state: State, observed: Observed, now: datetime) -> Iterable[str]:
    for name in service.names:
        entry, probe = state.regions.get(name), observed.probes.get(name)
        if entry is None:
            yield f"{name} is configured, and the document does not know it yet; a tick adds it."
            continue
        mine = [one for one in state.incidents.values() if one.region == name]
        detail = f"{probe.verdict} ({probe.detail})" if probe else "nothing"
        chosen = chosen_by(state, name)
        failing = probe is not None and probe.verdict is Verdict.FAILING
        yield sentences.region_sentence(name, entry.status, detail, mine, chosen, failing=failing)
        if name in observed.roles:
            yield f"  {_second_path(service, state, name, observed.roles[name])}"
        if entry.status is Status.RECOVERING:
            needed = proof_needed(entry, service.policy, now)
            counted = f"{entry.proofs} of {needed}"
            yield f"  Ticks have counted {counted} healthy probes in a row, 45 s or more apart."
        if probe and probe.verdict is Verdict.FAILING and entry.healthy:
            counted = f"{entry.failures} of {service.policy.recovery_probes}"
            came = any(one.opened and one.state is IncidentState.OPEN for one in mine)
            came = came or any(one.doubt for one in state.incidents.values())
            known = f"No alert {'counts' if came else 'has come'} for {name}"
            known = f"The alerts of {name} were set aside" if chosen else known
            yield (
                f"  {known}, though its probe fails. Ticks count it ({counted} failures in a row so"
                " far) and then take it as down themselves."
            )


def _second_path(service: Service, state: State, name: str, role: Role) -> str:
    """What a region says of its role, and whether it could take over by the document alone."""
    entry = state.regions[name]
    by = "" if role.part is Part.SILENT else f" by the document of epoch {role.epoch}"
    told = f"Its role URL says {role.detail}{by}: it {_PARTS[role.part]}."
    if name == state.primary:
        return told
    if entry.leave is not None:
        drained = "drained" if name not in desired(state, service) else "to be drained"
        return f"{told} It is {drained}: {entry.leave}."
    if entry.attached:
        return f"{told} It is attached, and could take over without the Compute API."
    return f"{told} It has no capacity, as last seen, and must be attached before it can take over."


_PARTS = {
    Part.LEADS: "takes itself for the primary",
    Part.LINGERS: "was the primary a moment ago, and still answers",
    Part.STANDS_BY: "stands by",
    Part.SILENT: "does not say what it is",
}


def _newest(incidents: Iterable[Incident]) -> list[Incident]:
    return sorted(incidents, key=lambda one: one.started_at, reverse=True)


def _next(
    session: Session, service: Service, world: World, lost: FailoverError | None
) -> tuple[list[str], Json, frozenset[str] | None]:
    """What a tick would do now, in sentences and as JSON: why it is not moving at this moment.

    Last the keys of the conditions that it finds, None where it could not look at everything.
    """
    if lost:
        return (*_failing(session, lost), None)
    try:
        found = preview(service, Tick(), world.context)
    except FailoverError as error:
        return (*_failing(session, error), None)
    view = preview_view(service, found)
    lines = [
        f"A tick now would come to: {found.decision.outcome}.",
        *sentences.indented(gates.gates(view)),
        *sentences.indented(_shift(found, view)),
        *sentences.indented(sentences.would_page(found)),
    ]
    waiting = gates.gates({"reasons": view["waiting"]})
    lines += sentences.indented(["Not due yet:", *sentences.indented(waiting)] if waiting else [])
    if not found.decision.reasons and not waiting:
        lines.insert(1, "  No rule was asked: nothing calls for a move.")
    holding = None if found.observed.routing is None else frozenset(map(key, found.pages))
    return lines, view, holding


def _failing(session: Session, error: FailoverError) -> tuple[list[str], Json]:
    view = error_of(error, session)
    told = [f"A tick now would fail: {error}", str(view.get("advice", ""))]
    return [line for line in told if line], {"error": view}


def _shift(found: Preview, view: Json) -> Iterable[str]:
    if found.plan is None:
        yield f"It could not shift: {found.obstacle}"
        return
    if found.unmarked:
        yield f"{sentences.as_decided(view)} {sentences.capital(sentences.left_alone(found))}."
    elif found.plan.empty:
        yield sentences.as_decided(view)
    else:
        yield f"It would write: {found.plan}"
    if found.plan.drift:
        yield "That is drift: something other than the orchestrator changed the traffic since."


# --- one id --------------------------------------------------------------------------------------


def _one(session: Session, service: Service, world: World, identity: str) -> Json:
    """Everything recorded of one decision or incident; by the journal alone where need be."""
    given = forms(identity)
    now = world.context.now()
    state, fault = _state(service, world)
    named = _entries(session, service, None, world, plain_id(identity.strip()))
    entries = named or _entries(session, service, state, world)
    entries += [e for one in named for e in _carried_out(session, service, world, one)]
    incidents = _incidents(state, given)
    mentioned = [e for e in entries if _is_of(e, given) or _is_about(e, given)]
    mentioned.sort(key=lambda entry: not _is_of(entry, given))
    if fault and not mentioned:
        raise fault
    lines = [f"From the journal alone, for {fault}", ""] if fault else []
    for incident in incidents:
        lines += [sentences.incident_sentence(incident, now), *_copies(mentioned), ""]
    for entry in mentioned:
        lines += [*sentences.tell(entry, now, service.name, _doubted(state)), ""]
    lines += [line for entry in mentioned[:1] for line in _publisher(service, entry, world)]
    if not mentioned and state and not given.isdisjoint(state.commands):
        lines += [f"Command {identity} was handled, and changed nothing.", ""]
    if not lines:
        return _poison(service, world, identity, state, entries)
    return {
        "sentences": lines[:-1],
        "decision": mentioned[0] if mentioned else None,
        "decisions": mentioned,
        "incidents": [_incident_view(incident) for incident in incidents],
    }


def _publisher(service: Service, entry: Json, world: World) -> list[str]:
    """How to find out which account published a command; nothing of other decisions.

    It was published before it was handled, and not longer before than a command is obeyed.
    """
    topic = world.config.topics.control
    came = trigger.read(entry.get("signal"))
    if came.kind is not trigger.Origin.COMMAND or topic is None:
        return []
    try:
        handled = read_time(entry.get("failed_at") or entry.get("at"))
        since = handled - service.policy.max_event_age - AHEAD
    except (ValueError, OverflowError):
        return []
    command = publish_log(topic, world.config.project, since, handled + AHEAD)
    told = (
        "Who gave it is what the command claims. The audit log has the accounts that published to"
        f" {topic} at that time, if data access logs are switched on for Pub/Sub. It does not have"
        " the messages. A command that was given with --direct is not in it:"
    )
    return [told, f"  `{command}`", ""]


def _state(service: Service, world: World) -> tuple[State | None, FailoverError | None]:
    try:
        return read_state(service.name, world.context).state, None
    except FailoverError as error:
        return None, error


def _copies(mentioned: list[Json]) -> list[str]:
    if not mentioned:
        return ["No decision came of it: it changed neither the health nor the traffic."]
    return ["However often its messages come, they are handled once: a copy changes nothing."]


def _incidents(state: State | None, given: Collection[str]) -> list[Incident]:
    """The incidents of that id: there may be one for each region."""
    known = state.incidents.values() if state else ()
    return [one for one in known if not {one.id, bare_id(one)}.isdisjoint(given)]


def _is_of(entry: Json, given: Collection[str]) -> bool:
    """Whether this is the decision of that id, or the one on the alert or command of that id."""
    came = trigger.read(entry.get("signal"))
    return _text(entry, "id") in given or not came.ids.isdisjoint(given)


def _is_about(entry: Json, given: Collection[str]) -> bool:
    """Whether it carried that decision out, or ended the switch of the command of that id."""
    asked = any(gates.command_of(reason) in given for reason in gates.reasons(entry))
    return asked or _text(entry, "of") in given


def _text(entry: Json, name: str) -> str | None:
    """The entry's field, None where it is no text."""
    found = entry.get(name)
    return found if isinstance(found, str) else None


def _entries(
    session: Session, service: Service, state: State | None, world: World, identity: str = ""
) -> list[Json]:
    """The decisions of the journal and, where that cannot be read or lacks one, the document's.

    identity: only the journal's decision of this id.
    """
    try:
        kept = journaled(session, service.name, world, JOURNAL, identity)
    except FailoverError:
        kept = []
    known = {entry.get("id") for entry in kept}
    history = state.history if state else ()
    late = [entry for entry in history if entry.get("id") not in known]
    return sorted([*kept, *late], key=lambda entry: str(entry.get("at")), reverse=True)


def _with_outcome(session: Session, entry: Json, service: Service, world: World) -> Json:
    """The decision as the journal has it, which also knows what became of it."""
    named = _entries(session, service, None, world, str(entry.get("id")))
    return named[0] if named else entry


def _later(entries: list[Json], now: datetime, doubted: Collection[str]) -> list[str]:
    """What other calls did for a decision: the newest in full, the others as a number."""
    if not entries:
        return []
    newest, others = entries[0], len(entries) - 1
    calls = f"{others} other call{'' if others == 1 else 's'}"
    more = [f"  {calls} made other patches for it before: `failoverctl history --journal`."]
    told = sentences.indented(sentences.tell(newest, now, doubted=doubted))
    return ["", *told, *(more if others else [])]


def _carried_out(session: Session, service: Service, world: World, decision: Json) -> list[Json]:
    """What others did for that decision; nothing where the journal cannot be read."""
    try:
        return carried_out(session, service.name, world, decision)
    except FailoverError as error:
        session.note(f"What became of it in other calls is unknown: {error}", "yellow")
        return []


def _failed_since(
    session: Session, service: Service, world: World, last: Json | None
) -> list[Json]:
    """The newest invocations that failed after the last decision."""
    try:
        found = failures(session, service.name, world, FAILURES)
    except FailoverError as error:
        session.note(f"Whether invocations failed since is unknown: {error}", "yellow")
        return []
    since = str(last.get("at")) if last else ""
    return [entry for entry in found if str(entry.get("failed_at")) > since]


def _kept(data: bytes) -> Json:
    """What the journal keeps of one message; nothing where it is no JSON."""
    try:
        return mapping(read_json(data, READ))
    except ValueError:
        return NOTHING


def _poison(
    service: Service, world: World, identity: str, state: State | None, entries: list[Json]
) -> Json:
    """The unreadable message that speaks of this id; raises NotRecorded when there is none."""
    looked_at, more = poison.names(world.context.objects, POISON)
    for name in looked_at:
        got = world.context.objects.get(name)
        found = _kept(got[0]) if got else {}
        if identity in str(found.get("first", "")) or identity == found.get("sha256"):
            came = (
                f"A message that speaks of {identity} came and could not be taken: it was"
                " acknowledged, kept in the journal, and changed nothing."
            )
            lines = [came, f"Why: {found.get('reason')}.", f"Kept as {name}."]
            return {"sentences": lines, "decision": None, "poison": found}
    known = [str(entry.get("id")) for entry in entries] + list(state.incidents if state else ())
    near = nearest(identity, known)
    raise NotRecorded(
        f"nothing is recorded of {identity!r} for {service.name}"
        f"{f'; did you mean {near!r}?' if near else '.'} A message that never came, a test of the"
        " channel, or an alert for another service leaves no record; a copy changes nothing; a"
        " command that nobody has carried out yet has none either. What the function answered"
        " stands in its log"
        f"{f'. {more} older unreadable messages were not looked at' if more else ''}"
    )


def _incident_view(incident: Incident) -> Json:
    return {
        "id": incident.id,
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
    }
