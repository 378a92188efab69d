"""`history`: the decisions of a service, from its document or its journal.

What an invocation that failed was given is in the journal alone, and is read from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from orchestrator.cli import gates, sentences
from orchestrator.cli.failures import error_of
from orchestrator.cli.session import Session, side_by_side
from orchestrator.core.errors import FailoverError
from orchestrator.core.limits import READ
from orchestrator.core.model import Json, Outcome
from orchestrator.core.policy import Service
from orchestrator.core.reading import read_json
from orchestrator.flow.failed import PREFIX
from orchestrator.flow.observe import read_state
from orchestrator.wiring import World

EPOCH = 50
"""Newest journal entries of one epoch that are searched for patches."""


def history(session: Session, name: str | None, *, limit: int, journal: bool) -> bool:
    """The decisions of one service, newest first: the document's, or all that the journal keeps."""
    world = session.world()
    service = session.service(name, world.config)
    error: FailoverError | None = None
    if journal:
        found = journaled(session, service.name, world, limit)
    else:
        found, error = _known(session, service, world, limit)
    entries = sorted(found, key=_time, reverse=True)[:limit]
    if session.as_json:
        fault = {"error": error_of(error, session)} if error else {}
        session.answer({"service": service.name, "history": entries, **fault})
        return error is None
    if not entries:
        session.say(f"{service.name}: nothing was decided yet.")
        return error is None
    rows = [
        (
            sentences.short(_time(entry)),
            entry.get("outcome"),
            _cell(entry.get("epoch")),
            _cell(entry.get("primary")),
            sentences.signal(entry) if entry.get("signal") else "-",
            ", ".join(stood_out(entry)) or "-",
            entry.get("id"),
        )
        for entry in entries
    ]
    columns = ("at (UTC)", "outcome", "epoch", "primary", "what came in", "rules", "id")
    session.table(f"{service.name}", columns, rows)
    return error is None


def _cell(value: object) -> object:
    return "-" if value is None else value


def _known(
    session: Session, service: Service, world: World, limit: int
) -> tuple[list[Json], FailoverError | None]:
    """The document's decisions and the failures; all of the journal where there is no document.

    Also the error of a document that cannot be read.
    """
    try:
        state = read_state(service.name, world.context).state
    except FailoverError as error:
        found = journaled(session, service.name, world, limit)
        session.note(f"The document cannot be read, so this is the journal: {error}", "yellow")
        return found, error
    if state is not None:
        return [*state.history, *_failed(session, service, world, limit)], None
    found = journaled(session, service.name, world, limit)
    if found:
        session.note(f"{service.name} has no document, so this is the journal.", "yellow")
    return found, None


def _time(entry: Json) -> str:
    """When it happened. A failure has its place where its command was given."""
    return str(entry.get("failed_at") or entry.get("at"))


def _failed(session: Session, service: Service, world: World, limit: int) -> list[Json]:
    """The newest invocations that failed; none where the journal cannot be read, which is told."""
    try:
        return failures(session, service.name, world, limit)
    except FailoverError as error:
        session.note(f"Whether invocations failed is unknown: {error}", "yellow")
        return []


def stood_out(entry: Json) -> list[str]:
    """The rules that refused a decision, or that it passed over: what the table shows of them."""
    held = str(entry.get("outcome")) in {Outcome.HELD, Outcome.ABANDONED}
    told = [_stood_out(reason, held=held) for reason in gates.reasons(entry)]
    return list(dict.fromkeys(word for word in told if word))


def _stood_out(reason: Json, *, held: bool) -> str:
    rule = str(reason.get("rule"))
    if gates.ends_something(reason):
        return f"{rule} ended"
    if not reason.get("passed"):
        return f"{rule} refused" if held else ""
    return f"{rule} overridden" if gates.is_overridden(reason) else ""


def journaled(
    session: Session, service: str, world: World, limit: int, identity: str = ""
) -> list[Json]:
    """The newest entries of the journal, newest first; one that is no JSON is noted and left out.

    identity: only the decision of this id. Raises Unavailable.
    """
    names = world.archive.names(f"journal/{service}/")
    newest = [name for name in names if name.endswith(f"{_dash(identity)}.json")][-limit:]
    return _read(session, newest, world)


def failures(
    session: Session, service: str, world: World, limit: int, within: str = ""
) -> list[Json]:
    """The newest entries of invocations that failed, newest first, each once.

    within: how their names go on below the service's folder. Raises Unavailable.
    """
    names = world.archive.names(f"journal/{service}/{within}")
    found = _read(session, [name for name in names if f"-{PREFIX}" in name][-limit:], world)
    return list({str(entry.get("id")): entry for entry in found}.values())


def carried_out(session: Session, service: str, world: World, decision: Json) -> list[Json]:
    """The journal's entries of patches that other invocations made for this decision's epoch.

    Raises Unavailable.
    """
    names = world.archive.names(f"journal/{service}/{decision.get('epoch'):>08}-")
    found = _read(session, names[-EPOCH:], world)
    return [entry for entry in found if entry.get("of") == decision.get("id")]


def _read(session: Session, newest: Sequence[str], world: World) -> list[Json]:
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
