"""The pipeline, for one service and one signal. Read it as its sentence:

    observe -> decide -> commit -> shift -> verify -> record

From the alert to the patch there are three sequential network rounds: observe, commit, shift.
`_once` is the sentence; `_handle` repeats it while somebody else is faster or a dependency fails.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.core.exceptions import (
    Conflict,
    FailoverError,
    Outdated,
    StateLost,
    Unavailable,
    UnsafePlan,
    Unverified,
    Withheld,
)
from orchestrator.core.model import (
    NO_MARK,
    Decision,
    DecisionOutcome,
    Observed,
    Routing,
    Signal,
    State,
    Stored,
    Tick,
)
from orchestrator.core.paging import page_of
from orchestrator.core.policy import Service
from orchestrator.core.rule import Rule
from orchestrator.core.traffic.plan import Plan, mark_of, plan
from orchestrator.flow import lost_state, telling
from orchestrator.flow.commit import Raced
from orchestrator.flow.context import Context, Patience
from orchestrator.flow.converge import Converged, Superseded, converge
from orchestrator.flow.intent import Intent, intend, withheld
from orchestrator.flow.journal import failed, shifts
from orchestrator.flow.observe import observe
from orchestrator.flow.outgoing import measure, mirrors
from orchestrator.flow.outgoing import page as paging
from orchestrator.flow.outgoing.spared import spared


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
        _failed(service, signal, error, context)
        raise
    if mirrors.due(signal, report.decision, context):
        mirrors.publish(service, report.stored, context)
    if isinstance(signal, Tick):
        measure.emit(report.stored, context)
    return report


def _once(
    service: Service, signal: Signal, observed: Observed, context: Context, patience: Patience
) -> Report:
    """The sentence, from what was observed to what is recorded."""
    if observed.routing is None and observed.stored.state is None:
        raise observed.unseen  # a first document is made after the routing was read, or not at all
    telling.warn_of_clash(service, observed.stored, context)
    try:
        intent = intend(service, signal, observed, context)
    except Outdated:
        _finish(service, signal, observed, context, patience)
        raise
    if intent.decision.changed:
        mirrors.ahead(service, intent.stored, context)
    shifted = _shift(service, intent, context, patience)
    telling.phase(service, signal, shifted, context)
    telling.tell(service, signal, intent, shifted, context)
    _raise_for(intent, shifted)
    return Report(intent.decision, shifted.plans, shifted.stored)


def _shift(service: Service, intent: Intent, context: Context, patience: Patience) -> Converged:
    """Carry out what is committed, by any instance. What stopped it is in the result."""
    observed, committed = intent.observed, intent.decision.changed
    if observed.routing is None:
        return Converged(intent.stored, error=observed.unseen)
    return converge(
        service, intent.stored, observed.routing, context, patience, committed=committed
    )


def _raise_for(intent: Intent, shifted: Converged) -> None:
    """Raise what a redelivery can cure. An unsafe plan is a refusal, and a tick looks again at what
    was not verified."""
    error = shifted.error
    if isinstance(error, StateLost) and intent.decision.outcome is DecisionOutcome.HELD:
        raise withheld(error)
    if error is not None and not isinstance(error, UnsafePlan | Unverified):
        raise error


# --- again, while somebody else is faster ---------------------------------------------------------


def _handle(service: Service, signal: Signal, context: Context) -> Report:
    patience = Patience(context)
    observed: Observed | None = None
    first: Report | None = None
    holds = False  # by the document: then nobody acts without the state
    while True:
        try:
            observed = observed or observe(service, context, kinds=isinstance(signal, Tick))
            report = _once(service, signal, observed, context, patience)
            if first is not None or not _attaches(report):
                return _together(first, report)
            first, observed = report, None
        except Raced as race:
            patience.pause(race)
            observed = replace(observed, stored=race.stored) if observed else None
        except Superseded as newer:
            # Never with the old signal's wish: the newer epoch may have been decided against it.
            patience.pause(newer)
            signal, observed = Tick(), None
        except (Conflict, Unavailable) as error:
            holds = holds or isinstance(error, Withheld)
            _rest(patience, error, holds=holds)
            observed = None


def _rest(patience: Patience, error: FailoverError, *, holds: bool) -> None:
    """Rest before the next try. holds: this invocation has decided to hold, by the document."""
    try:
        patience.pause(error)
    except StateLost as lost:
        raise (withheld(lost) if holds else lost) from error


def _attaches(report: Report) -> bool:
    """Whether a standby may have got its capacity just now, with which the signal comes to more."""
    wanted = any(one.rule == Rule.ATTACHED and not one.passed for one in report.decision.reasons)
    return bool(report.plans) and (wanted or report.decision.outcome is DecisionOutcome.STANDBYS)


def _together(first: Report | None, last: Report) -> Report:
    """One report of an invocation that took its signal twice: of what came of it."""
    if first is None:
        return last
    nothing = last.decision.outcome in {DecisionOutcome.UNCHANGED, DecisionOutcome.HEALTH}
    decision = first.decision if nothing else last.decision
    return Report(decision, (*first.plans, *last.plans), last.stored)


# --- when it cannot be decided --------------------------------------------------------------------


def _failed(service: Service, signal: Signal, error: FailoverError, context: Context) -> None:
    """What is still done where the invocation fails. The intent may have been committed."""
    lost = isinstance(error, StateLost)
    if lost:
        lost_state.act(service, signal, context)
    if error.page:
        _page_error(service, signal, error, context)
    if context.mirrors and not lost:
        mirrors.publish(service, None, context)
    failed.keep(service, signal, error, context)


def _page_error(service: Service, signal: Signal, error: FailoverError, context: Context) -> None:
    ticking = isinstance(signal, Tick)

    def page() -> None:
        paging.page(service, error, context, ticking=ticking)

    spared("page not sent", page, context, service.name)


def _finish(
    service: Service, signal: Signal, observed: Observed, context: Context, patience: Patience
) -> None:
    """Carry out a committed epoch of a newer configuration that shifts in the same way as ours.

    Deciding is left to a newer instance; users wait for nobody.
    """
    stored, routing = observed.stored, observed.routing
    if stored.state is None or routing is None or not stored.state.stamp.shifts_like(service.stamp):
        return
    if not _is_unfinished(stored.state, routing, service):
        return
    done = converge(service, stored, routing, context, patience, committed=False)
    telling.phase(service, signal, done, context)
    if isinstance(done.error, UnsafePlan):
        paging.page(service, (page_of(done.error, service.name),), context)
    telling.keep(service, signal, shifts.all_of(done), done, context)


def _is_unfinished(state: State, routing: Routing, service: Service) -> bool:
    """Whether the traffic is not as the epoch desires, or an older epoch's mark is on it.

    A mark that was lost beside the right traffic is left to a newer instance, which bounds how
    often it is written.
    """
    seen = mark_of(routing, service)
    if seen != NO_MARK:
        return seen < state.mark
    try:
        return bool(plan(state, routing, service).changes)
    except UnsafePlan:
        return True
