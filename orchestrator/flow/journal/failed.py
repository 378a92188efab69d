"""Failed: what an invocation that ended with an error was given, kept in the journal.

A decision that was never made leaves no trace in the document. So the journal keeps one entry for
each condition: the service, what failed, and the command that was given; without a command, the
hour. The entry's name follows from these alone, so redeliveries and other instances add none.
Nothing here is on the path before the shift, and nothing here can fail an invocation.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from orchestrator.core.document import codec, trigger
from orchestrator.core.document.restoration import highest_epoch
from orchestrator.core.exceptions import FailoverError, NoStore, Orphaned, StateLost
from orchestrator.core.model import Command, Json, Signal, State
from orchestrator.core.outside import reading
from orchestrator.core.outside.limits import TOLD
from orchestrator.core.outside.shown import short
from orchestrator.core.policy import Service
from orchestrator.flow.context import Context
from orchestrator.flow.journal import record
from orchestrator.flow.observe import document_name
from orchestrator.flow.outgoing.spared import spared

FAILED = "failed"
"""The outcome of such an entry."""

PREFIX = "failed-"
"""How the id of such an entry begins."""


def keep(service: Service, signal: Signal, error: FailoverError, context: Context) -> None:
    """Keep one failed invocation, once. Raises nothing."""
    spared(
        "failure not kept", lambda: _keep(service, signal, error, context), context, service.name
    )


def _keep(service: Service, signal: Signal, error: FailoverError, context: Context) -> None:
    now = context.now()
    since, identity = _condition(service, signal, error, now)
    if identity in context.memory.recorded:
        return
    what = f"{service.name}: {trigger.words(trigger.of(signal))} failed"
    if isinstance(error, StateLost | NoStore | Orphaned):  # the journal may be somebody else's
        if isinstance(signal, Command):
            text = f"{what}, and the journal does not keep that: {error}"
            context.log("ERROR", text, service=service.name, command=signal.id)
        return
    try:
        got = context.objects.get(document_name(service.name))
    except FailoverError as lost:
        context.log("ERROR", f"{what}, and the journal cannot keep that: {lost}")
        return
    made = _entry(service, signal, error, got[0] if got else b"", now)
    made = {"id": identity, "at": reading.stamp_time(since), **made}
    if record.keep(service, made, context):
        context.memory.recorded.add(identity)
        context.log("WARNING", f"{what}; kept as {identity}: {error}", service=service.name)


def _condition(
    service: Service, signal: Signal, error: FailoverError, now: datetime
) -> tuple[datetime, str]:
    """Since when it lasts, for the entry's place, and its id."""
    what = f"{type(error).__name__}\n{error.cloud}\n{error.kind}"
    if isinstance(signal, Command):
        since, whose = signal.given.at, signal.id
    else:
        since = now - timedelta(minutes=now.minute, seconds=now.second)
        since, whose = since.replace(microsecond=0), "hour"
    text = f"{service.name}\n{what}\n{whose}\n{since.isoformat()}"
    return since, PREFIX + hashlib.sha256(text.encode()).hexdigest()[:12]


def _entry(
    service: Service, signal: Signal, error: FailoverError, data: bytes, now: datetime
) -> Json:
    """The entry without its id and place. data: the document, readable or not."""
    state, epoch = _state(service, data), highest_epoch(data)
    command = signal if isinstance(signal, Command) else None
    until = _until(command, service) if command else None
    return {
        "failed_at": reading.stamp_time(now),
        "signal": trigger.as_json(trigger.of(signal)),
        "outcome": FAILED,
        "epoch": epoch,
        "epoch_before": epoch,
        "primary": state.primary if state else None,
        "routing": dict(state.routing) if state else None,
        "reasons": [],
        "page": "",
        "error": {
            "type": type(error).__name__,
            "cloud": error.cloud,
            "kind": error.kind,
            "text": short(str(error), TOLD),
        },
        "command": command.id if command else None,
        "recorded": bool(command and state and command.id in state.commands),
        "until": reading.stamped(until),
    }


def _until(command: Command, service: Service) -> datetime | None:
    """Until when the command may still be obeyed, None beyond the end of the calendar."""
    try:
        return command.issued_at + service.policy.max_event_age
    except OverflowError:
        return None


def _state(service: Service, data: bytes) -> State | None:
    try:
        return codec.decode(data, service.name) if data else None
    except reading.Corrupt:
        return None
