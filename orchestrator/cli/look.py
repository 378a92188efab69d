"""Looking: `parse`, `status`, `plan`, `history`. Nothing is changed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from orchestrator.cli import sentences
from orchestrator.cli.advice import advice_on
from orchestrator.cli.session import Session, error_view, side_by_side
from orchestrator.cli.views import plan_view, preview_view, signal_view, status_view
from orchestrator.core.errors import FailoverError
from orchestrator.core.model import Json, Tick
from orchestrator.core.policy import Service
from orchestrator.flow.observe import observe, read_state
from orchestrator.flow.preview import Preview, preview
from orchestrator.parse import Ignored, Message, parse_alert, unwrap
from orchestrator.wiring import World, now

__all__ = ["history", "message_of", "parse", "plan", "show_plans", "status"]


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
    session.table(f"{file}", columns, [[_cell(c, view[c]) for c in columns] for view in views])
    return True


def _cell(column: str, value: object) -> object:
    return sentences.short(value) if column.endswith("_at") else value or "-"


# --- status ------------------------------------------------------------------------------------


def status(session: Session, name: str | None, *, watch: bool, every: float) -> bool:
    """How the services stand. watch: again and again, until interrupted."""
    world = session.world()
    services = session.services(name, world.config)
    try:
        while True:
            fine = _look(session, services, world, watch=watch)
            if not watch:
                return fine
            time.sleep(every)
    except KeyboardInterrupt:
        if watch:
            return True
        raise


def _look(session: Session, services: Iterable[Service], world: World, *, watch: bool) -> bool:
    """Show every service once. True when all of it could be read."""
    asked = {service.name: partial(_status, service, world) for service in services}
    found = side_by_side(asked)
    views = [_status_view(name, seen, session) for name, seen in found.items()]
    if watch and session.console.is_terminal:
        session.console.clear()
    if session.as_json:
        session.answer({"services": views}, one_line=watch)
    else:
        for view in views:
            _show_status(session, view)
    return all("error" not in view for view in views)


def _status(service: Service, world: World) -> tuple[Json, FailoverError | None]:
    observed, lost = observe(service, world.context)
    return status_view(service, observed), lost


def _status_view(
    name: str, seen: tuple[Json, FailoverError | None] | FailoverError, session: Session
) -> Json:
    """What was seen of a service; what could not be read is its `error`, with what to do."""
    view, lost = ({"service": name}, seen) if isinstance(seen, FailoverError) else seen
    return {**view, "error": error_of(lost, session)} if lost else view


def error_of(error: FailoverError, session: Session) -> Json:
    """An error of one service among others, with what to do about it."""
    return error_view(error, advice_on(error, session.environ))


def show_error(session: Session, error: object) -> None:
    """The same for people, on stderr, below the service's name. error: as `error_of` has it."""
    assert isinstance(error, dict)
    session.note(f"  {error['message']}", "red")
    if error.get("advice"):
        session.note(f"  {error['advice']}", "")


def _show_status(session: Session, view: Json) -> None:
    if "epoch" not in view:
        session.say(f"{view['service']}: its document cannot be read", "bold red")
        show_error(session, view["error"])
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
            f" {carrying}, {view['phase'] or 'nothing decided yet'},"
            f" {sentences.short(view['updated_at'])}"
        )
    else:
        session.say("  document:      none yet; the first signal makes it, or check --apply")
    session.say(f"  load balancer: {says}")
    if view.get("error"):
        show_error(session, view["error"])
    for line in sentences.under_way(view):
        session.say(f"  {line}", "yellow")
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
                sentences.short(region["since"]),
            )
        )
    session.table("", ("region", "status", "traffic", "probe now", "open incidents", "since"), rows)


# --- plan --------------------------------------------------------------------------------------


def plan(session: Session, name: str | None) -> bool:
    """What a tick would do now."""
    world = session.world()
    return show_plans(session, session.services(name, world.config), world)


def show_plans(session: Session, services: Iterable[Service], world: World) -> bool:
    """What a tick would do to each service; False where that could not be found out."""
    known = {service.name: service for service in services}
    found = side_by_side(
        {name: partial(preview, one, Tick(), world.context) for name, one in known.items()}
    )
    if session.as_json:
        views = [_plan_view(known[name], seen, session) for name, seen in found.items()]
        session.answer({"services": views})
    else:
        for name, seen in found.items():
            _show_plan(session, name, seen, _plan_view(known[name], seen, session))
    return all(not isinstance(seen, FailoverError) and seen.plan for seen in found.values())


def _plan_view(service: Service, seen: Preview | FailoverError, session: Session) -> Json:
    if isinstance(seen, FailoverError):
        return {"service": service.name, "error": error_of(seen, session)}
    return preview_view(service, seen)


def _show_plan(session: Session, name: str, seen: Preview | FailoverError, view: Json) -> None:
    if isinstance(seen, FailoverError):
        session.say(f"{name}: a tick now would fail", "bold red")
        show_error(session, view["error"])
        return
    session.say(f"{name}: a tick now would come to: {seen.decision.outcome}", "bold")
    for line in sentences.gates(view):
        session.say(f"  {line}")
    if seen.plan is None:
        session.say(f"  It could not shift: {seen.obstacle}", "red")
        return
    session.say("  The load balancer is as decided." if seen.plan.empty else f"  {seen.plan}")
    rows = plan_view(seen.plan)["changes"]
    columns = ("verb", "region", "group", "capacity_scaler")
    if isinstance(rows, list) and rows:
        session.table("", columns, [[row[c] for c in columns] for row in rows])


# --- history -----------------------------------------------------------------------------------


def history(session: Session, name: str | None, *, limit: int, journal: bool) -> bool:
    """The decisions of one service, newest first: the document's, or all that the journal keeps."""
    world = session.world()
    service = session.service(name, world.config)
    if journal:
        entries = journaled(session, service.name, world, limit)
    else:
        entries = _remembered(service, world)[:limit]
    if session.as_json:
        session.answer({"service": service.name, "history": entries})
        return True
    if not entries:
        session.say(f"{service.name}: nothing was decided yet.")
        return True
    rows = [
        (
            sentences.short(entry.get("at")),
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


def journaled(
    session: Session, service: str, world: World, limit: int, identity: str = ""
) -> list[Json]:
    """The newest entries of the journal, newest first; one that is no JSON is noted and left out.

    identity: only the decision of this id. Raises Unavailable.
    """
    names = world.archive.names(f"journal/{service}/")
    newest = [name for name in names if name.endswith(f"{_dash(identity)}.json")][-limit:]
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
        found = json.loads(data)
    except ValueError as error:
        session.note(f"{name} is no JSON and left out: {error}", "yellow")
        return None
    return found if isinstance(found, dict) else None
