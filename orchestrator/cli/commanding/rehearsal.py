"""A command that is only shown: what it would do now, and what stops it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from orchestrator.cli.failures import error_of, show_error, show_obstacle, with_advice
from orchestrator.cli.session import Session, side_by_side
from orchestrator.cli.words import gates, sentences
from orchestrator.cli.words.remedies import remedies
from orchestrator.cli.words.views import preview_view
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Command, DecisionOutcome, Json
from orchestrator.core.policy import Service
from orchestrator.flow.preview import Preview, preview
from orchestrator.wiring import Deployment


def rehearse(
    session: Session, services: tuple[Service, ...], made: Command, world: Deployment
) -> bool:
    """Show what the command would do. False where a rule or the world stands in its way."""
    asked = {one.name: partial(preview, one, made, world.context) for one in services}
    known = {one.name: one for one in services}
    found = side_by_side(asked)
    views = [_preview_view(known[name], seen, session) for name, seen in found.items()]
    if session.as_json:
        session.answer({"services": views, "applied": False})
    else:
        for view in views:
            _show_preview(session, view)
        session.say("Nothing was changed. Add --apply and --reason.", "bold")
    return all("error" not in view and not _is_stopped(view) for view in views)


def _is_stopped(view: Json) -> bool:
    """Whether the command would do nothing: a rule refuses it, or nothing can be moved."""
    outcome = view["outcome"]
    return outcome == DecisionOutcome.HELD or bool(
        view["obstacle"] and outcome != DecisionOutcome.OBEYED
    )


def _preview_view(service: Service, seen: Preview | FailoverError, session: Session) -> Json:
    if isinstance(seen, FailoverError):
        return {"service": service.name, "error": error_of(seen, session)}
    return with_advice(preview_view(service, seen), seen.error, session)


def _show_preview(session: Session, view: Json) -> None:
    if "error" in view:
        session.say(f"{view['service']}: the command would fail", "bold red")
        show_error(session, view["error"])
        return
    blocked = view["obstacle"] and _is_stopped(view)
    comes = (
        "could not be carried out now" if blocked else f"would have this outcome: {view['outcome']}"
    )
    session.say(f"{view['service']}: the command {comes}", "bold")
    for line in gates.gates(view):
        session.say(f"  {line}")
    for line in remedies(view):
        session.say(f"  To do, {line}")
    if view["obstacle"]:
        show_obstacle(session, view)
    if blocked:
        return
    routing = view["routing"]
    wanted = list(routing) if isinstance(routing, dict) else []
    told = sentences.will_carry(view["remains"], wanted)
    session.say(f"  {_WHEN.get(str(view['outcome']), 'After it')}, {told} (epoch {view['epoch']})")


_WHEN: Mapping[str, str] = {
    DecisionOutcome.SWITCHING: "Until the switch ends",
    DecisionOutcome.HELD: "As now",
}
"""When the traffic is as a preview says, by outcomes that do not move it at once."""
