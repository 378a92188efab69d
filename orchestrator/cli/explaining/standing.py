"""How a service stands: its last decision, its regions, and what a tick would do now."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from orchestrator.cli.explaining.entries import carried_out_elsewhere, decisions, failures
from orchestrator.cli.explaining.known import doubted_ids, newest
from orchestrator.cli.explaining.regions_now import regions
from orchestrator.cli.failures import error_of
from orchestrator.cli.session import Session
from orchestrator.cli.words import conditions, gates, sentences, states
from orchestrator.cli.words.views import incident_view, preview_view
from orchestrator.core.document.ground import orphaned
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Json, Observed, State, Tick
from orchestrator.core.paging import key
from orchestrator.core.policy import Service
from orchestrator.core.traffic.shares import told, traffic
from orchestrator.flow.observe import observe
from orchestrator.flow.preview import Preview, preview
from orchestrator.wiring import Deployment

FAILURES = 3
"""Newest failures that are shown beside the last decision."""


def standing(session: Session, service: Service, world: Deployment) -> Json:
    """The last decision, every region, and what a tick would do now. Raises what reading raises."""
    observed = observe(service, world.context)
    state = observed.stored.state
    if state is None:
        return _without_document(session, service, observed)
    now, doubted = world.context.now(), doubted_ids(state)
    last = _with_outcome(session, state.history[0], service, world) if state.history else None
    next_lines, coming, holding = _next(session, service, world, observed.lost)
    incidents = newest(state)
    known = [states.incident_sentence(one, now) for one in incidents]
    lines = [
        _where(service, state, observed),
        *conditions.under_way(state.raw, now),
        *conditions.paged(state.pages, now, holding),
        *_last(session, service, world, last, doubted),
        *_failed(session, service, world, last, doubted),
        *_section("The regions:", list(regions(service, state, observed, now))),
        *_section("Incidents known:", known),
        "",
        *next_lines,
    ]
    return {
        "sentences": lines,
        "decision": last,
        "incidents": [incident_view(one) for one in incidents],
        "next": coming,
    }


def _section(heading: str, lines: list[str]) -> list[str]:
    """The lines below a heading, after an empty line. Nothing where there is nothing to say."""
    return ["", heading, *sentences.indented(lines)] if lines else []


def _without_document(session: Session, service: Service, observed: Observed) -> Json:
    orphan = orphaned(service, observed.routing) if observed.routing else None
    lines = [f"{orphan}."] if orphan else [_nothing_yet(service, observed)]
    view: Json = {"sentences": lines, "decision": None, "incidents": [], "next": None}
    return {**view, "error": error_of(orphan, session)} if orphan else view


def _nothing_yet(service: Service, observed: Observed) -> str:
    """What there is to say where there is no document. What cannot be read is not known."""
    if observed.routing is None:
        return (
            f"{service.name}: there is no document, and the load balancer cannot be read now, so"
            " whether there ever was one is not known."
        )
    return (
        f"{service.name}: there is no document yet, and the load balancer carries no epoch, so no"
        " alert and no tick was ever handled. `failoverctl check` says whether a failover would"
        " work."
    )


def _where(service: Service, state: State, observed: Observed) -> str:
    seen = told(traffic(observed.routing, service, state), state.routing)
    never = "nothing moved yet" if state.history else "nothing decided yet"
    phase = f", {state.shift.phase if state.shift else never}"
    return f"{service.name}: {seen}. Primary {state.primary} (epoch {state.epoch}{phase})."


def _last(
    session: Session,
    service: Service,
    world: Deployment,
    last: Json | None,
    doubted: Collection[str],
) -> Iterator[str]:
    """The last decision, and what other calls did for it."""
    if last is None:
        return
    now = world.context.now()
    told = sentences.tell(last, now, service.name, doubted)
    yield from _section("The last decision:", told)
    yield from _later(carried_out_elsewhere(session, service, world, last), now, doubted)


def _later(entries: list[Json], now: datetime, doubted: Collection[str]) -> list[str]:
    """What other calls did for a decision: the newest in full, the others as a number."""
    if not entries:
        return []
    newest, others = entries[0], len(entries) - 1
    calls = f"{others} other call{'' if others == 1 else 's'}"
    more = [f"  {calls} made other patches for it before: `failoverctl history --journal`."]
    told = sentences.indented(sentences.tell(newest, now, doubted=doubted))
    return ["", *told, *(more if others else [])]


def _failed(
    session: Session,
    service: Service,
    world: Deployment,
    last: Json | None,
    doubted: Collection[str],
) -> Iterator[str]:
    """The newest invocations that failed after the last decision, each in sentences."""
    for one in _failed_since(session, service, world, last):
        told = sentences.tell(one, world.context.now(), doubted=doubted)
        yield from ["", *sentences.indented(told)]


def _failed_since(
    session: Session, service: Service, world: Deployment, last: Json | None
) -> list[Json]:
    """The newest invocations that failed after the last decision."""
    try:
        found = failures(session, service.name, world, FAILURES)
    except FailoverError as error:
        session.note(f"Whether invocations failed since is unknown: {error}", "yellow")
        return []
    since = str(last.get("at")) if last else ""
    return [entry for entry in found if str(entry.get("failed_at")) > since]


def _with_outcome(session: Session, entry: Json, service: Service, world: Deployment) -> Json:
    """The decision as the journal has it, which also knows its result."""
    named = decisions(session, service, None, world, str(entry.get("id")))
    return named[0] if named else entry


# --- what a tick would do -------------------------------------------------------------------------


def _next(
    session: Session, service: Service, world: Deployment, lost: FailoverError | None
) -> tuple[list[str], Json, frozenset[str] | None]:
    """What a tick would do now, in sentences and as JSON: why it is not moving at this moment.

    Last the keys of the conditions that it finds, None where it could not look at everything.
    """
    if lost:
        return (*_failing(session, lost), None)
    try:
        found = preview(service, Tick(), world.context)
    except FailoverError as error:
        return (*_failing(session, error), None)
    view = preview_view(service, found)
    lines = [
        f"The outcome of a tick now would be: {found.decision.outcome}.",
        *sentences.indented(gates.gates(view)),
        *sentences.indented(_shift(found, view)),
        *sentences.indented(conditions.would_page(found)),
    ]
    waiting = gates.gates({"reasons": view["waiting"]})
    lines += sentences.indented(["Not due yet:", *sentences.indented(waiting)] if waiting else [])
    if not found.decision.reasons and not waiting:
        lines.insert(1, "  No rule was checked, because nothing calls for a move.")
    holding = None if found.observed.routing is None else frozenset(map(key, found.pages))
    return lines, view, holding


def _failing(session: Session, error: FailoverError) -> tuple[list[str], Json]:
    view = error_of(error, session)
    told = [f"A tick now would fail: {error}", str(view.get("advice", ""))]
    return [line for line in told if line], {"error": view}


def _shift(found: Preview, view: Json) -> Iterator[str]:
    if found.plan is None:
        yield f"It could not shift: {found.obstacle}"
        return
    if found.unmarked:
        yield f"{sentences.as_decided(view)} {sentences.capital(conditions.left_alone(found))}."
    elif found.plan.empty:
        yield sentences.as_decided(view)
    else:
        yield f"It would write: {found.plan}"
    if found.plan.drift:
        yield "That is drift: something other than the orchestrator changed the traffic since."
