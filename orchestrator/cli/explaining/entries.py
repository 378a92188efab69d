"""The entries of a service's journal: decisions, patches and invocations that failed.

The document keeps the last decisions. The journal keeps all, and knows the result of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from orchestrator.cli.session import Session, side_by_side
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Json, State
from orchestrator.core.outside.limits import READ
from orchestrator.core.outside.reading import read_json
from orchestrator.core.policy import Service
from orchestrator.flow.journal.failed import PREFIX
from orchestrator.flow.journal.record import epoch_prefix, journal_folder
from orchestrator.wiring import Deployment

JOURNAL = 200
"""Newest journal entries that are searched for an id."""

EPOCH = 50
"""Newest journal entries of one epoch that are searched for patches."""


def journaled(
    session: Session, service: str, world: Deployment, limit: int, identity: str = ""
) -> list[Json]:
    """The newest entries of the journal, newest first; one that is no JSON is noted and left out.

    identity: only the decision of this id. Raises Unavailable.
    """
    names = world.archive.names(f"journal/{service}/")
    newest = [name for name in names if name.endswith(f"{_dash(identity)}.json")][-limit:]
    return _read(session, newest, world)


def failures(
    session: Session, service: str, world: Deployment, limit: int, within: str = ""
) -> list[Json]:
    """The newest entries of invocations that failed, newest first, each once.

    within: how their names go on below the service's folder. Raises Unavailable.
    """
    names = world.archive.names(f"journal/{service}/{within}")
    found = _read(session, [name for name in names if f"-{PREFIX}" in name][-limit:], world)
    return list({str(entry.get("id")): entry for entry in found}.values())


def carried_out(session: Session, service: str, world: Deployment, decision: Json) -> list[Json]:
    """The journal's entries of patches that other invocations made for this decision's epoch.

    Nothing for an entry without an epoch, as somebody with an editor may leave it. Raises
    Unavailable.
    """
    epoch = decision.get("epoch")
    if not isinstance(epoch, int):
        return []
    names = world.archive.names(f"{journal_folder(service)}{epoch_prefix(epoch)}")
    found = _read(session, names[-EPOCH:], world)
    return [entry for entry in found if entry.get("of") == decision.get("id")]


def _read(session: Session, newest: Sequence[str], world: Deployment) -> list[Json]:
    asked = {name: partial(world.context.objects.get, name) for name in reversed(newest)}
    entries = []
    for name, got in side_by_side(asked).items():
        if isinstance(got, FailoverError):
            raise got
        entries.append(_entry(session, name, got[0] if got else b"null"))
    return [entry for entry in entries if entry]


def _dash(identity: str) -> str:
    return f"-{identity}" if identity else ""


def _entry(session: Session, name: str, data: bytes) -> Json | None:
    try:
        found = read_json(data, READ)
    except ValueError as error:
        session.note(f"{name} is no JSON and left out: {error}", "yellow")
        return None
    return found if isinstance(found, dict) else None


def decisions(
    session: Session, service: Service, state: State | None, world: Deployment, identity: str = ""
) -> list[Json]:
    """The decisions of the journal and, where that cannot be read or lacks one, the document's.

    identity: only the journal's decision of this id.
    """
    try:
        kept = journaled(session, service.name, world, JOURNAL, identity)
    except FailoverError:
        kept = []
    known = {str(entry.get("id")) for entry in kept}
    history = state.history if state else ()
    late = [entry for entry in history if str(entry.get("id")) not in known]
    return sorted([*kept, *late], key=lambda entry: str(entry.get("at")), reverse=True)


def carried_out_elsewhere(
    session: Session, service: Service, world: Deployment, decision: Json
) -> list[Json]:
    """What others did for that decision. Nothing where the journal cannot be read."""
    try:
        return carried_out(session, service.name, world, decision)
    except FailoverError as error:
        session.note(f"The result of it in other calls is unknown: {error}", "yellow")
        return []
