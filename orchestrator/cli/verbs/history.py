"""`history`: the decisions of a service, from its document or its journal.

What an invocation that failed was given is in the journal alone, and is read from there.
"""

from __future__ import annotations

import click

from orchestrator.cli.arguments import service_argument
from orchestrator.cli.explaining.entries import failures, journaled
from orchestrator.cli.failures import error_of
from orchestrator.cli.session import Session
from orchestrator.cli.verb import verb
from orchestrator.cli.words import gates, sentences
from orchestrator.cli.words.times import short
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import DecisionOutcome, Json
from orchestrator.core.policy import Service
from orchestrator.flow.observe import read_state
from orchestrator.wiring import Deployment


@verb
@service_argument
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    metavar="N",
    help="The number of decisions to show, newest first.",
)
@click.option(
    "--journal",
    is_flag=True,
    help="Read the journal, which keeps all decisions. The document keeps the last 20.",
)
def history(session: Session, service: str | None, *, limit: int, journal: bool) -> bool:
    """List the decisions of a service."""
    world = session.world()
    one = session.service(service, world.config)
    error: FailoverError | None = None
    if journal:
        found = journaled(session, one.name, world, limit)
    else:
        found, error = _known(session, one, world, limit)
    entries = sorted(found, key=_time, reverse=True)[:limit]
    if session.as_json:
        fault = {"error": error_of(error, session)} if error else {}
        session.answer({"service": one.name, "history": entries, **fault})
    else:
        _show(session, one.name, entries)
    return error is None


def _show(session: Session, service: str, entries: list[Json]) -> None:
    if not entries:
        session.say(f"{service}: nothing was decided yet.")
        return
    rows = [
        (
            short(_time(entry)),
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
    session.table(service, columns, rows)


def _cell(value: object) -> object:
    return "-" if value is None else value


def _known(
    session: Session, service: Service, world: Deployment, limit: int
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


def _failed(session: Session, service: Service, world: Deployment, limit: int) -> list[Json]:
    """The newest invocations that failed. None where the journal cannot be read, which it says."""
    try:
        return failures(session, service.name, world, limit)
    except FailoverError as error:
        session.note(f"Whether invocations failed is unknown: {error}", "yellow")
        return []


def stood_out(entry: Json) -> list[str]:
    """The rules that refused a decision, or that it passed over: what the table shows of them."""
    held = str(entry.get("outcome")) in {DecisionOutcome.HELD, DecisionOutcome.ABANDONED}
    told = [_stood_out(reason, held=held) for reason in gates.reasons(entry)]
    return list(dict.fromkeys(word for word in told if word))


def _stood_out(reason: Json, *, held: bool) -> str:
    if gates.ends_something(reason):
        return gates.stood_out(reason)
    if not reason.get("passed"):
        return gates.stood_out(reason) if held else ""
    return f"overridden {reason.get('rule')}" if gates.is_overridden(reason) else ""
