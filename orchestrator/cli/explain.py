"""`explain`: why did it move, or not? In sentences, with every rule's value.

Without an id it tells the last decision, where every region stands, and what a tick would do now.
With an id, of a decision or of an incident, it tells everything that is recorded of that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from orchestrator.cli import sentences
from orchestrator.cli.look import journaled
from orchestrator.cli.session import Session, meant
from orchestrator.core.errors import FailoverError
from orchestrator.core.model import Incident, Json, Observed, State, Tick, Verdict
from orchestrator.core.policy import Service
from orchestrator.core.reading import stamp_time, stamped
from orchestrator.flow.observe import observe, read_state
from orchestrator.flow.preview import preview
from orchestrator.wiring import World

JOURNAL = 200
"""Newest journal entries that are searched for an id."""


class NotRecorded(FailoverError):
    """Nothing is known of that id."""


def explain(session: Session, name: str | None, identity: str | None) -> bool:
    """Tell why. Raises NotRecorded for an id that nothing is known of, and what looking raises."""
    world = session.world()
    service = session.service(name, world.config)
    told = _one(service, world, identity) if identity else _standing(service, world)
    if session.as_json:
        session.answer({"service": service.name, **told})
        return True
    for line in told["sentences"] if isinstance(told["sentences"], list) else ():
        session.say(line, _style(line))
    return True


def _style(line: str) -> str:
    for word, style in (("REFUSED", "yellow"), ("MOVED", "bold green"), ("HELD", "bold yellow")):
        if word in line:
            return style
    if line.startswith(("A human was paged", "To do")):
        return "bold"
    return "dim" if line.strip().startswith("passed") else ""


# --- everything ----------------------------------------------------------------------------------


def _standing(service: Service, world: World) -> Json:
    """The last decision, every region, and what a tick would do now."""
    now = world.context.now()
    observed, lost = observe(service, world.context)
    state = observed.stored.state
    if state is None:
        text = f"{service.name}: there is no document yet, so no alert and no tick was ever handled"
        return {"sentences": [f"{text}. `check` says whether it would work."], "decision": None}
    last = _with_outcome(state.history[0], service, world) if state.history else None
    lines = [_where(service, state, observed)]
    lines += (
        ["", "The last decision:", *sentences.indented(sentences.tell(last, now))] if last else []
    )
    lines += ["", "The regions:", *sentences.indented(_regions(service, state, observed))]
    known = [sentences.incident_sentence(one, now) for one in _newest(state.incidents.values())]
    lines += ["", "Incidents known:", *sentences.indented(known)] if known else []
    lines += ["", *_next(service, world, str(lost or ""))]
    return {
        "sentences": lines,
        "decision": last,
        "incidents": [_incident_view(one) for one in _newest(state.incidents.values())],
    }


def _where(service: Service, state: State, observed: Observed) -> str:
    carrying = ", ".join(state.routing)
    phase = f", {state.shift.phase}" if state.shift else ", nothing decided yet"
    text = f"{service.name}: traffic goes to {carrying}, primary {state.primary} (epoch"
    seen = "" if observed.routing else " The load balancer cannot be read now!"
    return f"{text} {state.epoch}{phase}).{seen}"


def _regions(service: Service, state: State, observed: Observed) -> Iterable[str]:
    for name in service.names:
        entry, probe = state.regions.get(name), observed.probes.get(name)
        if entry is None:
            yield f"{name} is configured, and the document does not know it yet; a tick adds it."
            continue
        mine = [one for one in state.incidents.values() if one.region == name]
        detail = f"{probe.verdict} ({probe.detail})" if probe else "nothing"
        yield sentences.region_sentence(name, entry.status, detail, mine)
        if probe and probe.verdict is Verdict.FAILING and entry.healthy:
            counted = f"{entry.failures} of {service.policy.recovery_probes}"
            yield (
                f"  No alert has come for {name}, though its probe fails. Ticks count it ({counted}"
                " failures in a row so far) and then take it as down themselves."
            )


def _newest(incidents: Iterable[Incident]) -> list[Incident]:
    return sorted(incidents, key=lambda one: one.started_at, reverse=True)


def _next(service: Service, world: World, lost: str) -> list[str]:
    """What a tick would do now: why it is not moving at this moment."""
    if lost:
        return [f"Nothing can be moved now: {lost}"]
    try:
        found = preview(service, Tick(), world.context)
    except FailoverError as error:
        return [f"A tick now would fail: {error}"]
    decision = found.decision
    reasons = [
        sentences.gate(
            {
                "rule": r.rule,
                "passed": r.passed,
                "value": r.value,
                "limit": r.limit,
                "region": r.region,
            }
        )
        for r in decision.reasons
    ]
    would = f"A tick now would come to: {decision.outcome}."
    if found.plan is None:
        return [would, *sentences.indented(reasons), f"  It could not shift: {found.obstacle}"]
    left = (
        "The load balancer is as decided." if found.plan.empty else f"It would write: {found.plan}"
    )
    drift = ["  That is drift: another hand changed the traffic since."] if found.plan.drift else []
    return [would, *sentences.indented(reasons), f"  {left}", *drift]


# --- one id --------------------------------------------------------------------------------------


def _one(service: Service, world: World, identity: str) -> Json:
    """Everything recorded of one decision or incident."""
    now = world.context.now()
    state = read_state(service.name, world.context).state
    entries = _entries(service, state, world)
    incident = state.incidents.get(identity) if state else None
    mentioned = [e for e in entries if e.get("id") == identity or _is_about(e, identity)]
    lines: list[str] = []
    if incident:
        lines.append(sentences.incident_sentence(incident, now))
        lines += _copies(mentioned)
    for entry in mentioned:
        lines += ["", *sentences.tell(entry, now)] if lines else sentences.tell(entry, now)
    if not lines:
        return _poison(service, world, identity, state, entries)
    return {
        "sentences": lines,
        "decision": mentioned[0] if mentioned else None,
        "decisions": mentioned,
        "incidents": [_incident_view(incident)] if incident else [],
    }


def _copies(mentioned: list[Json]) -> list[str]:
    if not mentioned:
        return ["No decision came of it: it changed neither the health nor the traffic."]
    return ["However often its messages come, they are handled once: a copy changes nothing."]


def _is_about(entry: Json, identity: str) -> bool:
    return identity in str(entry.get("signal", "")).split()


def _entries(service: Service, state: State | None, world: World) -> list[Json]:
    """The decisions of the journal and, where that cannot be read or lacks one, the document's."""
    try:
        kept = journaled(service.name, world, JOURNAL)
    except FailoverError:
        kept = []
    known = {entry.get("id") for entry in kept}
    history = state.history if state else ()
    late = [entry for entry in history if entry.get("id") not in known]
    return sorted([*kept, *late], key=lambda entry: str(entry.get("at")), reverse=True)


def _with_outcome(entry: Json, service: Service, world: World) -> Json:
    """The decision as the journal has it, which also knows what became of it."""
    for known in _entries(service, None, world):
        if known.get("id") == entry.get("id"):
            return known
    return entry


def _poison(
    service: Service, world: World, identity: str, state: State | None, entries: list[Json]
) -> Json:
    """The unreadable message that speaks of this id; raises NotRecorded when there is none."""
    for name in world.archive.names("journal/_poison/"):
        got = world.context.objects.get(name)
        found = json.loads(got[0]) if got else {}
        if identity in str(found.get("first", "")) or identity == found.get("sha256"):
            came = (
                f"A message that speaks of {identity} came and could not be taken: it was"
                " acknowledged, kept in the journal, and changed nothing."
            )
            lines = [came, f"Why: {found.get('reason')}.", f"Kept as {name}."]
            return {"sentences": lines, "decision": None, "poison": found}
    known = [str(entry.get("id")) for entry in entries] + list(state.incidents if state else ())
    raise NotRecorded(
        f"nothing is recorded of {identity!r} for {service.name}"
        f"{meant(identity, known) if known else '.'} A message that never came, a test of the"
        " channel, or an alert for another service leaves no record; a copy changes nothing. What"
        " the function answered stands in its log"
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
    }
