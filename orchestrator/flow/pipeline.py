"""The pipeline, for one service and one signal. Read it as its sentence:

    observe -> decide -> commit -> shift -> verify -> record

From the alert to the patch there are three sequential network rounds: observe, commit, shift.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.core.decide import decide
from orchestrator.core.errors import (
    Conflict,
    FailoverError,
    StateLost,
    Unavailable,
    UnsafePlan,
    Unverified,
)
from orchestrator.core.ground import Standing, standing
from orchestrator.core.model import Decision, Json, Observed, Outcome, Phase, Signal, Stored, Tick
from orchestrator.core.plan import Plan
from orchestrator.core.policy import Service
from orchestrator.flow import announce, gauges, mirrors, record, stateless
from orchestrator.flow.commit import Raced, commit
from orchestrator.flow.context import Context, Patience
from orchestrator.flow.converge import Converged, Superseded, converge
from orchestrator.flow.observe import observe


@dataclass(frozen=True, slots=True)
class Report:
    """What an invocation came to: the decision, the plans that it carried out, the document."""

    decision: Decision
    plans: tuple[Plan, ...]
    stored: Stored


def handle(service: Service, signal: Signal, context: Context) -> Report:
    """Take one signal through the pipeline.

    Conflict and Unavailable are tried again for a while first; what is raised then, a redelivery
    can cure. A refusal is no error: it is in the report.
    """
    try:
        report = _handle(service, signal, context)
    except FailoverError as error:
        if isinstance(error, StateLost):
            stateless.act(service, signal, context)
        if getattr(error, "page", False):
            announce.page(service, str(error), context.now(), context)
        if context.mirrors and not isinstance(error, StateLost):
            mirrors.publish(service.name, None, context)  # the intent may have been committed
        raise
    if mirrors.due(signal, report.decision, context):
        mirrors.publish(service.name, report.stored, context)
    if isinstance(signal, Tick):
        gauges.emit(report.stored, context)
    return report


def _handle(service: Service, signal: Signal, context: Context) -> Report:
    patience = Patience(context)
    seen: tuple[Observed, Unavailable | None] | None = None
    first: Report | None = None
    while True:
        try:
            seen = seen or observe(service, context, kinds=isinstance(signal, Tick))
            report = _once(service, signal, *seen, context, patience)
            if first is not None or not _attaches(report):
                return _together(first, report)
            first, seen = report, None
        except Raced as race:
            patience.pause(race)
            seen = (replace(seen[0], stored=race.stored), seen[1]) if seen else None
        except Superseded as newer:
            patience.pause(newer)
            signal, seen = Tick(), None
        except (Conflict, Unavailable) as error:
            patience.pause(error)
            seen = None


def _attaches(report: Report) -> bool:
    """Whether a standby may have got its capacity just now, with which the signal comes to more."""
    wanted = any(one.rule == "attached" and not one.passed for one in report.decision.reasons)
    return bool(report.plans) and (wanted or report.decision.outcome is Outcome.STANDBYS)


def _together(first: Report | None, last: Report) -> Report:
    """One report of an invocation that took its signal twice: of what came of it."""
    if first is None:
        return last
    nothing = last.decision.outcome in {Outcome.UNCHANGED, Outcome.HEALTH}
    decision = first.decision if nothing else last.decision
    return Report(decision, (*first.plans, *last.plans), last.stored)


def _once(
    service: Service,
    signal: Signal,
    observed: Observed,
    lost_routing: Unavailable | None,
    context: Context,
    patience: Patience,
) -> Report:
    if lost_routing is not None and observed.stored.state is None:
        raise lost_routing  # a first document is made with the routing in sight, or not at all
    intent = _intend(service, signal, observed, context)
    decision, stored = intent.decision, intent.stored
    result = Converged(stored)
    phase: Phase | None = Phase.COMMITTED if decision.changed else None
    if decision.changed:
        mirrors.ahead(service, stored, context)
    try:
        if lost_routing is not None or observed.routing is None:
            raise lost_routing or Unavailable("the routing was not read")
        committed = decision.changed
        result = converge(service, stored, observed.routing, context, patience, committed=committed)
        phase = _after(service, signal, result, context)
        return Report(decision, result.plans, result.stored)
    except UnsafePlan as unsafe:
        context.log("CRITICAL", str(unsafe), service=service.name, page=True, rule=unsafe.rule)
        announce.page(service, str(unsafe), intent.at, context)
        return Report(decision, (), stored)
    except Unverified as unverified:
        phase = Phase.UNVERIFIED
        context.log("ERROR", str(unverified), service=service.name, unverified=True)
        record.phase(stored, phase, context)
        return Report(decision, (), stored)
    finally:
        _record(service, signal, intent, result, phase, context)


@dataclass(frozen=True, slots=True)
class Intent:
    """A decision that is durable. entry: as the history has it. at: when it was made."""

    decision: Decision
    entry: Json
    stored: Stored
    at: datetime


def _intend(service: Service, signal: Signal, observed: Observed, context: Context) -> Intent:
    """Decide, and commit what was decided if that changes anything."""
    _warn_of_clash(service, observed.stored, context)
    now = context.now()
    decision = decide(service, observed, signal, now)
    before = record.before(service, observed.stored, observed.routing)
    made = record.entry(decision, record.describe(signal), before, now, context.new_id())
    stored = observed.stored
    if decision.changed:
        state = decision.state
        if decision.recorded:
            state = replace(state, history=(made, *state.history))
        stored = commit(state, stored.generation, context)
    return Intent(decision, made, stored, now)


def _record(  # an invocation's whole outcome
    service: Service,
    signal: Signal,
    intent: Intent,
    result: Converged,
    phase: Phase | None,
    context: Context,
) -> None:
    """Say, announce and keep what happened. Raises nothing."""
    decision = intent.decision
    _say(service, signal, decision, intent.stored, context)
    if decision.page:
        announce.page(service, decision.page, intent.at, context)
    for repair in result.repairs:
        announce.drift(service, repair, intent.at, context)
    if decision.recorded:
        record.publish(service, intent.entry, context, phase=phase, plans=result.plans)
    if isinstance(signal, Tick):
        record.catch_up(service, result.stored, intent.at, context)
    if _has_flat_file(signal, decision, context):
        record.flat_file(service.name, context)


def _after(
    service: Service, signal: Signal, converged: Converged, context: Context
) -> Phase | None:
    """Tell people that the routing is as the document says, when we made or a tick found it so."""
    if converged.plans or isinstance(signal, Tick):
        record.phase(converged.stored, Phase.VERIFIED, context)
    if converged.plans:
        record.balancer_view(service, converged.plans[-1], context)
    return Phase.VERIFIED if converged.plans else None


def _has_flat_file(signal: Signal, decision: Decision, context: Context) -> bool:
    """Whether the older flat file may need an update: after a change, and on every tick."""
    due = (decision.changed and context.memory.flat_file) or isinstance(signal, Tick)
    return context.only_service and due


def _warn_of_clash(service: Service, stored: Stored, context: Context) -> None:
    """Name a configuration that was changed without raising its serial."""
    state = stored.state
    if state is None or standing(state.stamp, service.stamp) is not Standing.CLASH:
        return
    context.log(
        "ERROR",
        f"{service.name}: two configurations share serial {state.stamp.serial}: the document was"
        f" made with digest {state.stamp.digest}, this instance has {service.stamp.digest}. It"
        " repairs no drift. Raise `serial` with every change of the file",
        service=service.name,
    )


def _say(
    service: Service, signal: Signal, decision: Decision, stored: Stored, context: Context
) -> None:
    """One line for the decision, in the severity that it deserves."""
    severity = {"held": "WARNING", "unchanged": "INFO", "health": "NOTICE"}.get(
        decision.outcome, "NOTICE"
    )
    state = decision.state
    carrying = ", ".join(state.routing)
    context.log(
        "CRITICAL" if decision.page else severity,
        f"{service.name}: {record.describe(signal)} -> {decision.outcome};"
        f" {carrying} carries traffic (epoch {state.epoch})"
        + (f"; a human is needed: {decision.page}" if decision.page else ""),
        service=service.name,
        epoch=state.epoch,
        revision=stored.state.revision if stored.state else None,
        outcome=decision.outcome,
        reasons=[str(value) for value in decision.reasons],
        **({"page": True} if decision.page else {}),
        **({"frozen": True} if state.freeze and state.freeze.until > context.now() else {}),
    )
