"""What came of a command, for each service that it concerns."""

from __future__ import annotations

from datetime import datetime

from orchestrator.cli.commanding.order import Manner, Order, repeated
from orchestrator.cli.failures import error_of, show_error
from orchestrator.cli.session import Session
from orchestrator.cli.words import gates, sentences
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import DecisionOutcome, Json
from orchestrator.core.rule import Rule
from orchestrator.core.traffic.plan import mark_of
from orchestrator.core.traffic.shares import traffic
from orchestrator.core.traffic.shares import view as traffic_view
from orchestrator.wiring import Deployment


def show(
    session: Session,
    found: dict[str, Json | FailoverError],
    order: Order,
    manner: Manner,
    world: Deployment,
) -> bool:
    """Show each decision or error. True where every service carried the command out."""
    views: list[Json] = []
    for name, entry in found.items():
        if isinstance(entry, FailoverError):
            views.append({"service": name, "error": error_of(entry, session)})
            continue
        repeat = {"repeat": repeated(name, order, manner)} if _is_late(entry) else {}
        views.append({"service": name, "decision": _with_traffic(name, entry, world), **repeat})
    if session.as_json:
        session.answer({"services": views, "applied": True})
    else:
        for view in views:
            _show(session, view, world.context.now())
    return all(_is_done(entry) for entry in found.values())


def _is_done(entry: Json | FailoverError) -> bool:
    """Whether the command was carried out, and neither refused nor given up."""
    if isinstance(entry, FailoverError):
        return False
    return entry.get("outcome") not in {DecisionOutcome.HELD, DecisionOutcome.ABANDONED}


def _show(session: Session, view: Json, now: datetime) -> None:
    service, entry = str(view["service"]), view.get("decision")
    session.say(service, "bold")
    if "error" in view:
        show_error(session, view["error"])
    if isinstance(entry, dict):
        for line in sentences.tell(entry, now, service):
            session.say(f"  {line}")
    if "repeat" in view:
        session.say(f"  To give it again: {view['repeat']}", "bold")


def _is_late(entry: Json) -> bool:
    """Whether the command was refused for its age or its place: giving it again cures that."""
    refused = [reason for reason in gates.reasons(entry) if not reason.get("passed")]
    held = entry.get("outcome") == DecisionOutcome.HELD
    return held and any(reason.get("rule") == Rule.COMMAND for reason in refused)


def _with_traffic(name: str, entry: Json, world: Deployment) -> Json:
    """The decision of a new epoch with the traffic as it is read now; others as they are.

    So a move is shown as done only where it is. A later epoch's traffic says nothing about it.
    """
    service, epoch = world.config.services[name], entry.get("epoch")
    if not isinstance(epoch, int) or epoch == entry.get("epoch_before"):
        return entry
    try:
        routing = world.context.traffic.read(service.backend_service)
    except FailoverError:
        return {**entry, "traffic": None}
    if mark_of(routing, service).epoch > epoch:
        return entry
    return {**entry, "traffic": traffic_view(traffic(routing, service, None))}
