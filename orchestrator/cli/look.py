"""Looking: `parse`, `status`, `plan`, `history`. Nothing is changed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from orchestrator.cli import sentences
from orchestrator.cli.session import Session
from orchestrator.cli.views import plan_view, preview_view, signal_view, status_view
from orchestrator.core.errors import FailoverError, Unavailable
from orchestrator.core.model import Json, Tick
from orchestrator.core.policy import Service
from orchestrator.flow.observe import observe, read_state
from orchestrator.flow.preview import Preview, preview
from orchestrator.parse import Ignored, Message, parse_alert, unwrap
from orchestrator.wiring import World, now

__all__ = ["history", "message_of", "parse", "plan", "show_plan", "status"]


def message_of(file: Path) -> Message:
    """The message in a file: a bare notification, or a Pub/Sub push or CloudEvent around one."""
    data = file.read_bytes()
    at = now()
    try:
        raw = json.loads(data)
    except ValueError:
        return Message(data, file.name, at)
    wrapped = isinstance(raw, dict) and ("message" in raw or "specversion" in raw)
    return unwrap(data, at) if wrapped else Message(data, file.name, at)


def parse(session: Session, file: Path) -> bool:
    """What an alert file means to this configuration. Raises BadEvent for poison."""
    found = parse_alert(message_of(file), session.config().services)
    if isinstance(found, Ignored):
        session.tell({"ignored": found.reason}, f"{file}: ignored: {found.reason}")
        return True
    views = [signal_view(to.service, to.signal) for to in found]
    if session.as_json:
        session.answer({"signals": views})
        return True
    columns = ("service", "kind", "region", "incident_id", "started_at", "ended_at")
    session.table(f"{file}", columns, [[view[c] or "-" for c in columns] for view in views])
    return True


# --- status ------------------------------------------------------------------------------------


def status(session: Session, name: str | None, *, watch: bool, every: float) -> bool:
    """How the services stand. watch: again and again, until interrupted."""
    world = session.world()
    services = session.services(name, world.config)
    while True:
        views = [_status(service, world) for service in services]
        if watch and session.console.is_terminal:
            session.console.clear()
        if session.as_json:
            session.answer({"services": views})
        else:
            for view in views:
                _show_status(session, view)
        if not watch:
            return all("error" not in view for view in views)
        time.sleep(every)


def _status(service: Service, world: World) -> Json:
    try:
        observed, lost = observe(service, world.context)
    except FailoverError as error:
        return {"service": service.name, "error": str(error)}
    view = status_view(service, observed)
    return {**view, "error": str(lost)} if lost else view


def _show_status(session: Session, view: Json) -> None:
    if "epoch" not in view:
        session.say(f"{view['service']}: not to be had: {view['error']}", "red")
        return
    balancer = view["load_balancer"]
    says = "not to be had"
    if isinstance(balancer, dict):
        names = ", ".join(balancer["carrying"]) or "nobody"
        says = f"{balancer['name']} gives {names} traffic and carries epoch {balancer['epoch']}"
    session.say(f"{view['service']} ({view['mode']})", "bold")
    if view["document"]:
        routing = view["routing"]
        carrying = ", ".join(routing) if isinstance(routing, dict) else ""
        session.say(
            f"  document:      epoch {view['epoch']}, primary {view['primary']}, traffic to"
            f" {carrying}, {view['phase'] or 'nothing decided yet'}, {view['updated_at']}"
        )
    else:
        session.say("  document:      none yet; the first signal makes it, or check --apply")
    session.say(f"  load balancer: {says}")
    if view.get("error"):
        session.say(f"  {view['error']}", "red")
    if view["freeze"]:
        session.say(f"  FROZEN: {view['freeze']}", "yellow")
    _show_regions(session, view)


def _show_regions(session: Session, view: Json) -> None:
    rows = []
    regions = view["regions"]
    for region in regions if isinstance(regions, list) else []:
        probe = region["probe"] or {}
        rows.append(
            (
                region["region"],
                region["status"] or "-",
                "-" if region["share"] is None else f"{region['share']:.0%}",
                f"{probe.get('verdict', '-')} ({probe.get('detail', '')})",
                ", ".join(region["open_incidents"]) or "-",
                region["since"] or "-",
            )
        )
    session.table("", ("region", "status", "traffic", "probe now", "open incidents", "since"), rows)


# --- plan --------------------------------------------------------------------------------------


def plan(session: Session, name: str | None) -> bool:
    """What a tick would do now."""
    world = session.world()
    found = {
        service.name: (service, preview(service, Tick(), world.context))
        for service in session.services(name, world.config)
    }
    show_plan(session, found)
    return True


def show_plan(session: Session, found: Mapping[str, tuple[Service, Preview]]) -> None:
    """Previews, as tables or JSON."""
    if session.as_json:
        session.answer({"services": [preview_view(*one) for one in found.values()]})
        return
    for service, seen in found.values():
        view = preview_view(service, seen)
        session.say(f"{service.name}: a tick now would come to: {seen.decision.outcome}", "bold")
        for line in sentences.gates(view):
            session.say(f"  {line}")
        if seen.plan is None:
            session.say(f"  no plan: {seen.obstacle}", "red")
            continue
        session.say(f"  {seen.plan}")
        rows = plan_view(seen.plan)["changes"]
        columns = ("verb", "region", "group", "capacity_scaler")
        if isinstance(rows, list) and rows:
            session.table("", columns, [[row[c] for c in columns] for row in rows])


# --- history -----------------------------------------------------------------------------------


def history(session: Session, name: str | None, *, limit: int, journal: bool) -> bool:
    """The decisions of one service, newest first: the document's, or all that the journal keeps."""
    world = session.world()
    service = session.service(name, world.config)
    entries = journaled(service.name, world, limit) if journal else _remembered(service, world)
    entries = entries[:limit]
    if session.as_json:
        session.answer({"service": service.name, "history": entries})
        return True
    if not entries:
        session.say(f"{service.name}: nothing was decided yet.")
        return True
    rows = [
        (
            str(entry.get("at", ""))[:19],
            entry.get("outcome"),
            entry.get("epoch"),
            entry.get("primary"),
            entry.get("signal"),
            ", ".join(refused(entry)) or "-",
            entry.get("id"),
        )
        for entry in entries
    ]
    columns = ("at (UTC)", "outcome", "epoch", "primary", "what came in", "refused by", "id")
    session.table(f"{service.name}", columns, rows)
    return True


def refused(entry: Json) -> list[str]:
    """The names of the rules that refused, of one decision."""
    reasons = entry.get("reasons")
    found = [r for r in reasons if isinstance(r, dict)] if isinstance(reasons, list) else []
    return list(dict.fromkeys(str(r.get("rule")) for r in found if not r.get("passed")))


def _remembered(service: Service, world: World) -> list[Json]:
    state = read_state(service.name, world.context).state
    return list(state.history) if state else []


def journaled(service: str, world: World, limit: int) -> list[Json]:
    """The newest entries of the journal, newest first. Raises Unavailable."""
    names = world.archive.names(f"journal/{service}/")[-limit:]
    return [entry for name in reversed(names) if (entry := _entry(name, world))]


def _entry(name: str, world: World) -> Json | None:
    got = world.context.objects.get(name)
    try:
        found = json.loads(got[0]) if got else None
    except ValueError as error:
        raise Unavailable(f"{name} is no JSON: {error}") from error
    return found if isinstance(found, dict) else None
