"""`parse`: what an alert file means to this configuration."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.arguments import FILE
from orchestrator.cli.session import Session
from orchestrator.cli.verb import verb
from orchestrator.cli.words.times import short
from orchestrator.cli.words.views import signal_view
from orchestrator.core.outside.reading import read_json
from orchestrator.intake.parse import MAX_BYTES, Ignored, Message, parse_alert, unwrap
from orchestrator.wiring import now


@verb
@click.argument("file", type=FILE)
def parse(session: Session, file: Path) -> bool:
    """Show what an alert FILE means to this configuration.

    The file holds a notification of Cloud Monitoring, alone or in a Pub/Sub push or CloudEvent.
    """
    found = parse_alert(message_of(file), session.config().services)
    if isinstance(found, Ignored):
        session.tell({"ignored": found.reason}, f"{file}: ignored: {found.reason}")
        return True
    views = [
        {**signal_view(to.service, to.signal), "note": to.note.text if to.note else ""}
        for to in found
    ]
    if session.as_json:
        session.answer({"signals": views})
        return True
    columns = ("service", "kind", "region", "incident_id", "started_at", "ended_at")
    session.table(f"{file}", columns, [[_cell(c, view[c]) for c in columns] for view in views])
    for to in found:
        if to.note:
            session.say(f"{to.note.severity} {to.note.text}.")
    return True


def _cell(column: str, value: object) -> object:
    return short(value) if column.endswith("_at") else value or "-"


def message_of(file: Path) -> Message:
    """The message in a file: a bare notification, or a Pub/Sub push or CloudEvent around one."""
    data = file.read_bytes()
    at = now()
    try:
        raw = read_json(data, 2 * MAX_BYTES)
    except ValueError:
        return Message(data, file.name, at)
    wrapped = isinstance(raw, dict) and ("message" in raw or "specversion" in raw)
    return unwrap(data, at) if wrapped else Message(data, file.name, at)
