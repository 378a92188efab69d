"""What the document knows by an id: its incidents, and the ids that can be explained."""

from __future__ import annotations

from orchestrator.cli.session import Session
from orchestrator.core.model import Incident, State
from orchestrator.flow.observe import read_state


def known_ids(session: Session, name: str | None) -> list[str]:
    """Ids that can be explained, newest first. Raises what looking raises, and usage errors."""
    world = session.world()
    state = read_state(session.service(name, world.config).name, world.context).state
    if state is None:
        return []
    decisions = [str(entry.get("id")) for entry in state.history]
    incidents = [one.id for one in newest(state)]
    return [*decisions, *incidents, *reversed(list(state.commands))]


def newest(state: State) -> list[Incident]:
    """The incidents of a document, the newest first."""
    return sorted(state.incidents.values(), key=lambda one: one.started_at, reverse=True)


def doubted_ids(state: State | None) -> frozenset[str]:
    """The incidents whose alert does not say for certain which region fails."""
    known = state.incidents.values() if state else ()
    return frozenset(one.id for one in known if one.doubt)
