"""`plan`: what a tick would do now."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from orchestrator.cli.arguments import service_argument
from orchestrator.cli.failures import error_of, show_error, show_obstacle, with_advice
from orchestrator.cli.session import Session, side_by_side
from orchestrator.cli.verb import verb
from orchestrator.cli.words import conditions, gates, sentences
from orchestrator.cli.words.views import plan_view, preview_view
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Json, Tick
from orchestrator.core.policy import Service
from orchestrator.core.traffic.plan import Plan
from orchestrator.core.traffic.shares import told, traffic
from orchestrator.flow.preview import Preview, preview
from orchestrator.wiring import Deployment


@verb
@service_argument
def plan(session: Session, service: str | None) -> bool:
    """Show what a tick would do now, with the value of each rule."""
    world = session.world()
    return show_plans(session, session.services(service, world.config), world)


def show_plans(session: Session, services: Iterable[Service], world: Deployment) -> bool:
    """What a tick would do to each service. False where that could not be found out."""
    known = {service.name: service for service in services}
    found = side_by_side(
        {name: partial(preview, one, Tick(), world.context) for name, one in known.items()}
    )
    if session.as_json:
        views = [_plan_view(known[name], seen, session) for name, seen in found.items()]
        session.answer({"services": views})
    else:
        for name, seen in found.items():
            _show_plan(session, known[name], seen, _plan_view(known[name], seen, session))
    return all(not isinstance(seen, FailoverError) and seen.plan for seen in found.values())


def _plan_view(service: Service, seen: Preview | FailoverError, session: Session) -> Json:
    if isinstance(seen, FailoverError):
        return {"service": service.name, "error": error_of(seen, session)}
    return with_advice(preview_view(service, seen), seen.error, session)


def _now(service: Service, seen: Preview) -> str:
    state = seen.observed.stored.state
    wanted = state.routing if state else ()
    return told(traffic(seen.observed.routing, service, state), wanted)


def _show_plan(
    session: Session, service: Service, seen: Preview | FailoverError, view: Json
) -> None:
    name = service.name
    if isinstance(seen, FailoverError):
        session.say(f"{name}: a tick now would fail", "bold red")
        show_error(session, view["error"])
        return
    session.say(f"{name}: the outcome of a tick now would be: {seen.decision.outcome}", "bold")
    for line in conditions.under_way(view, session.world().context.now()):
        session.say(f"  {line}", "yellow")
    session.say(f"  Now: {_now(service, seen)}.")
    for line in gates.gates(view):
        session.say(f"  {line}")
    for line in conditions.would_page(seen):
        session.say(f"  {line}", "bold")
    _show_shift(session, seen, view)


def _show_shift(session: Session, seen: Preview, view: Json) -> None:
    """What would be written to the load balancer."""
    if seen.plan is None:
        show_obstacle(session, view)
    elif seen.unmarked:
        left = sentences.capital(conditions.left_alone(seen))
        session.say(f"  {sentences.as_decided(view)} {left}.", "yellow")
    elif seen.plan.empty:
        session.say(f"  {sentences.as_decided(view)}")
    else:
        session.say(f"  It would write: {seen.plan}")
        _show_changes(session, seen.plan)


def _show_changes(session: Session, plan: Plan) -> None:
    rows = plan_view(plan)["changes"]
    columns = ("verb", "region", "group", "capacity_scaler")
    if isinstance(rows, list) and rows:
        session.table("", columns, [[row[c] for c in columns] for row in rows])
