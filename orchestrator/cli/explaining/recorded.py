"""Everything that is recorded of one id: of a decision, an incident or a command."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from orchestrator.cli.explaining.entries import carried_out_elsewhere, decisions
from orchestrator.cli.explaining.known import doubted_ids
from orchestrator.cli.session import Session
from orchestrator.cli.words import gates, sentences, states
from orchestrator.cli.words.spelling import nearest
from orchestrator.cli.words.views import incident_view
from orchestrator.core.document import trigger
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.health.incidents import bare_id
from orchestrator.core.model import NOTHING, Incident, Json, State
from orchestrator.core.outside.ids import forms, plain_id
from orchestrator.core.outside.limits import READ
from orchestrator.core.outside.reading import mapping, read_json, read_time
from orchestrator.core.paging import AHEAD, publish_log
from orchestrator.core.policy import Service
from orchestrator.flow.journal import poison
from orchestrator.flow.observe import read_state
from orchestrator.wiring import Deployment

POISON = 200
"""Unreadable messages that are looked at for an id, the newest: each is a request."""


class NotRecorded(FailoverError):
    """Nothing is known of that id."""


def recorded(session: Session, service: Service, world: Deployment, identity: str) -> Json:
    """Everything recorded of one decision, incident or command; by the journal alone where need be.

    Raises NotRecorded for an id that nothing is known of.
    """
    given = forms(identity)
    state, fault = _state(service, world)
    entries = _entries(session, service, world, state, plain_id(identity.strip()))
    mentioned = _mentioned(entries, given)
    if fault and not mentioned:
        raise fault
    lines = (
        [f"The document cannot be read, so this is from the journal: {fault}", ""] if fault else []
    )
    lines += _told(service, world, state, mentioned, identity)
    if not lines:
        return _poison(service, world, identity, state, entries)
    return {
        "sentences": lines[:-1],
        "decision": mentioned[0] if mentioned else None,
        "decisions": mentioned,
        "incidents": [incident_view(incident) for incident in _incidents(state, given)],
    }


def _entries(
    session: Session, service: Service, world: Deployment, state: State | None, identity: str
) -> list[Json]:
    """The decisions that may name this id, with what other calls did for the one it names."""
    named = decisions(session, service, None, world, identity)
    found = named or decisions(session, service, state, world)
    later = [e for one in named for e in carried_out_elsewhere(session, service, world, one)]
    return [*found, *later]


def _mentioned(entries: list[Json], given: Collection[str]) -> list[Json]:
    """Those of the entries that name this id, the one that it belongs to first."""
    mentioned = [e for e in entries if _is_of(e, given) or _is_about(e, given)]
    return sorted(mentioned, key=lambda entry: not _is_of(entry, given))


def _told(
    service: Service, world: Deployment, state: State | None, mentioned: list[Json], identity: str
) -> Iterator[str]:
    """The incidents, the decisions and the command of this id, each followed by an empty line."""
    now, given = world.context.now(), forms(identity)
    for incident in _incidents(state, given):
        yield from [states.incident_sentence(incident, now), *_copies(mentioned), ""]
    for entry in mentioned:
        yield from [*sentences.tell(entry, now, service.name, doubted_ids(state)), ""]
    for entry in mentioned[:1]:
        yield from _publisher(service, entry, world)
    if not mentioned and state and not given.isdisjoint(state.commands):
        yield from [f"Command {identity} was handled, and changed nothing.", ""]


def _publisher(service: Service, entry: Json, world: Deployment) -> list[str]:
    """How to find out which account published a command; nothing of other decisions.

    It was published before it was handled, and not longer before than a command is obeyed.
    """
    topic = world.config.topics.control
    came = trigger.read(entry.get("signal"))
    if came.kind is not trigger.TriggerOrigin.COMMAND or topic is None:
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


def _state(service: Service, world: Deployment) -> tuple[State | None, FailoverError | None]:
    try:
        return read_state(service.name, world.context).state, None
    except FailoverError as error:
        return None, error


def _copies(mentioned: list[Json]) -> list[str]:
    if not mentioned:
        return ["No decision came of it: it changed neither the health nor the traffic."]
    return ["Its messages are handled once. A duplicate changes nothing."]


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


def _kept(data: bytes) -> Json:
    """What the journal keeps of one message. Nothing where it is no JSON."""
    try:
        return mapping(read_json(data, READ))
    except ValueError:
        return NOTHING


def _poison(
    service: Service, world: Deployment, identity: str, state: State | None, entries: list[Json]
) -> Json:
    """The unreadable message that names this id. Raises NotRecorded when there is none."""
    looked_at, more = poison.names(world.context.objects, POISON)
    for name in looked_at:
        got = world.context.objects.get(name)
        found = _kept(got[0]) if got else {}
        if identity in str(found.get("first", "")) or identity == found.get("sha256"):
            came = (
                f"A message that names {identity} came and could not be read. It was acknowledged,"
                " kept in the journal, and changed nothing."
            )
            lines = [came, f"Why: {found.get('reason')}.", f"Kept as {name}."]
            return {"sentences": lines, "decision": None, "poison": found}
    known = [str(entry.get("id")) for entry in entries] + list(state.incidents if state else ())
    near = nearest(identity, known)
    meant = f". Did you mean {near!r}?" if near else "."
    unread = f". {more} older unreadable messages were not searched" if more else ""
    raise NotRecorded(
        f"nothing is recorded of {identity!r} for {service.name}{meant} There is no record of a"
        " message that never came, a test of the channel, an alert for another service, a"
        " duplicate, or a command that is not carried out yet. The function's log has what it"
        f" answered{unread}"
    )
