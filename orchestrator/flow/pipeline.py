"""The pipeline, for one service and one signal. Read it as its sentence:

    observe -> decide -> commit -> shift -> verify -> record

From the alert to the patch there are three sequential network rounds: observe, commit, shift.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.core import actors, flood, leftover, rules
from orchestrator.core.decide import decide
from orchestrator.core.errors import (
    Conflict,
    FailoverError,
    Outdated,
    StateLost,
    Unavailable,
    UnsafePlan,
    Unverified,
    Withheld,
)
from orchestrator.core.ground import Standing, standing
from orchestrator.core.model import (
    NO_PAIR,
    Decision,
    Json,
    Observed,
    Outcome,
    Page,
    Phase,
    Probe,
    Routing,
    Signal,
    State,
    Stored,
    Tick,
    Verdict,
)
from orchestrator.core.paging import ROLLOUT, Due, page_of
from orchestrator.core.plan import Plan, plan, seen_pair
from orchestrator.core.policy import Service
from orchestrator.core.rule import Rule
from orchestrator.core.traffic import told, traffic, unclaimed, view
from orchestrator.flow import (
    announce,
    failed,
    gauges,
    mirrors,
    paging,
    provenance,
    record,
    shifts,
    stateless,
)
from orchestrator.flow.commit import Raced, commit
from orchestrator.flow.context import Context, Patience
from orchestrator.flow.converge import Converged, Superseded, converge
from orchestrator.flow.observe import observe
from orchestrator.flow.spared import spared

CLIPPED = 40
"""Characters of a digest that are shown; ours have fewer, and somebody else may write more."""


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
        if error.page:
            _page_error(service, signal, error, context)
        if context.mirrors and not isinstance(error, StateLost):
            mirrors.publish(service, None, context)  # the intent may have been committed
        failed.keep(service, signal, error, context)
        raise
    if mirrors.due(signal, report.decision, context):
        mirrors.publish(service, report.stored, context)
    if isinstance(signal, Tick):
        gauges.emit(report.stored, context)
    return report


def _handle(service: Service, signal: Signal, context: Context) -> Report:
    patience = Patience(context)
    seen: tuple[Observed, Unavailable | None] | None = None
    first: Report | None = None
    withheld = False
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
            withheld = withheld or isinstance(error, Withheld)
            _rest(patience, error, withheld=withheld)
            seen = None


def _rest(patience: Patience, error: FailoverError, *, withheld: bool) -> None:
    """Rest before the next try. withheld: this invocation has decided to hold, by the document."""
    try:
        patience.pause(error)
    except StateLost as lost:
        raise (_withheld(lost) if withheld else lost) from error


def _withheld(error: Unavailable) -> Withheld:
    return Withheld(str(error), page=error.page, kind=error.kind, cloud=error.cloud)


def _attaches(report: Report) -> bool:
    """Whether a standby may have got its capacity just now, with which the signal comes to more."""
    wanted = any(one.rule == Rule.ATTACHED and not one.passed for one in report.decision.reasons)
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
    try:
        intent = _intend(service, signal, observed, context)
    except Outdated:
        _finish(service, signal, observed, context, patience)
        raise
    if intent.decision.changed:
        mirrors.ahead(service, intent.stored, context)
    done = _shift(service, intent, observed.routing, lost_routing, context, patience)
    _tell_phase(service, signal, done, context)
    _record(service, signal, intent, done, context)
    if isinstance(done.error, StateLost) and intent.decision.outcome is Outcome.HELD:
        raise _withheld(done.error)
    if done.error is not None and not isinstance(done.error, UnsafePlan | Unverified):
        raise done.error
    return Report(intent.decision, done.plans, done.stored)


@dataclass(frozen=True, slots=True)
class Intent:
    """A decision that is durable.

    entry: as the history has it. at: when it was made. fresh: it made its epoch. routing, probes:
    as read before that. new_groups: unclaimed ones with traffic that were not known before.
    floods: a flood of incidents has begun. due: pages that its commit remembers.
    """

    decision: Decision
    entry: Json
    stored: Stored
    at: datetime
    fresh: bool
    routing: Routing | None
    probes: Mapping[str, Probe]
    new_groups: tuple[str, ...]
    floods: bool
    due: tuple[Due, ...] = ()

    @property
    def id(self) -> str:
        """By which history and journal know it; none when they do not."""
        return str(self.entry["id"]) if self.decision.recorded else ""


def _intend(service: Service, signal: Signal, observed: Observed, context: Context) -> Intent:
    """Decide, and commit what was decided if that changes anything."""
    _warn_of_clash(service, observed.stored, context)
    now = context.now()
    decision = decide(service, observed, signal, now)
    before = record.before(service, observed.stored, observed.routing)
    made = record.entry(decision, record.describe(signal), before, now, context.new_id())
    if decision.outcome is Outcome.HELD and (asked := record.given(signal)):
        made = {**made, "given": asked}
    old = observed.stored.state
    fresh = decision.state.pair != (old.pair if old else NO_PAIR)
    new_groups = leftover.fresh(old, decision.state)
    floods = flood.begins(old, decision.state, now)
    seen = observed.routing, observed.probes
    intent = Intent(decision, made, observed.stored, now, fresh, *seen, new_groups, floods)
    return _committed(service, intent, context) if decision.changed else intent


def _committed(service: Service, intent: Intent, context: Context) -> Intent:
    """The same, committed: with its entry in the history, and with what it pages remembered."""
    decision = intent.decision
    state, due = paging.remember(decision.state, decision.pages, intent.id, context)
    made = {**intent.entry, "page": "; ".join(one.page.text for one in due)}
    if decision.recorded:
        state = replace(state, history=(made, *state.history))
    try:
        stored = commit(state, intent.stored.generation, context)
    except Unavailable as error:
        if decision.outcome is not Outcome.HELD:
            raise
        paging.page(service, decision.pages, context)  # it is true, whether or not it is kept
        raise _withheld(error) from error
    return replace(intent, entry=made, stored=stored, due=due)


def _shift(  # an intent, and the world that it is carried out in
    service: Service,
    intent: Intent,
    routing: Routing | None,
    lost: Unavailable | None,
    context: Context,
    patience: Patience,
) -> Converged:
    """Carry out what is committed, by whomever; what stopped it is in the result."""
    if lost is not None or routing is None:
        error = lost or Unavailable("the routing was not read")
        return Converged(intent.stored, error=error)
    committed = intent.decision.changed
    return converge(service, intent.stored, routing, context, patience, committed=committed)


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
    _tell_phase(service, signal, done, context)
    if isinstance(done.error, UnsafePlan):
        paging.page(service, (page_of(done.error, service.name),), context)
    _keep(service, signal, shifts.all_of(done), done, context)


def _is_unfinished(state: State, routing: Routing, service: Service) -> bool:
    """Whether the traffic is not as the epoch desires, or an older epoch's mark is on it.

    A mark that was lost beside the right traffic is left to a newer instance, which bounds how
    often it is written.
    """
    seen = seen_pair(routing, service)
    if seen != NO_PAIR:
        return seen < state.pair
    try:
        return bool(plan(state, routing, service).changes)
    except UnsafePlan:
        return True


def _page_error(service: Service, signal: Signal, error: FailoverError, context: Context) -> None:
    ticking = isinstance(signal, Tick)

    def page() -> None:
        paging.page(service, error, context, ticking=ticking)

    spared("page not sent", page, context, service.name)


def _tell_phase(service: Service, signal: Signal, done: Converged, context: Context) -> None:
    """Say in the document and the log how far the shift of the document's epoch came."""
    spared(
        "phase not written", lambda: _phase(service, signal, done, context), context, service.name
    )


def _phase(service: Service, signal: Signal, done: Converged, context: Context) -> None:
    match done.error:
        case UnsafePlan() as unsafe:
            context.log("ERROR", str(unsafe), service=service.name, rule=unsafe.rule)
        case Unverified() as unverified:
            context.log("ERROR", str(unverified), service=service.name, unverified=True)
            record.phase(done.stored, Phase.UNVERIFIED, context)
    if done.verified and (done.plans or isinstance(signal, Tick)):
        record.phase(done.stored, Phase.VERIFIED, context)
    if done.verified and done.plans:
        record.balancer_view(service, done.plans[-1], context)


def _record(
    service: Service, signal: Signal, intent: Intent, done: Converged, context: Context
) -> None:
    """Say, announce and keep what happened. Raises nothing."""
    parts = {
        "outcome not logged": lambda: _say(service, signal, intent, done, context),
        "warning not logged": lambda: _warn_of_unclaimed(service, intent, context),
        "flood not named": lambda: _warn_of_flood(service, intent, context),
        "page not sent": lambda: _page(service, signal, intent, done, context),
        "drift not announced": lambda: _announce_drift(service, intent, done, context),
        "journal not written": lambda: _journal(service, signal, intent, done, context),
    }
    if isinstance(signal, Tick):
        parts["silent probes not named"] = lambda: _warn_of_silence(service, intent, context)
        parts["late records not written"] = lambda: _catch_up(service, intent, done, context)
    if _has_flat_file(signal, intent.decision, context):
        parts["flat file not written"] = lambda: record.flat_file(service.name, context)
    for what, do in parts.items():
        spared(what, do, context, service.name)


def _announce_drift(service: Service, intent: Intent, done: Converged, context: Context) -> None:
    for repair in done.repairs:
        announce.drift(service, repair, intent.at, context)


def _catch_up(service: Service, intent: Intent, done: Converged, context: Context) -> None:
    """Record what a crash left out."""
    verified = view(traffic(done.routing, service, done.stored.state)) if done.verified else None
    record.catch_up(service, done.stored, intent.at, context, verified=verified)


def _page(
    service: Service, signal: Signal, intent: Intent, done: Converged, context: Context
) -> None:
    """Call a human for what the decision and its shift found. A tick also forgets what is over."""
    seen = () if intent.decision.changed else intent.decision.pages
    unsafe = (page_of(done.error, service.name),) if isinstance(done.error, UnsafePlan) else ()
    made: list[Page] = []
    if isinstance(signal, Tick):
        made.extend(_clash(service, done.stored))
        spared(
            "epochs not looked up", lambda: made.extend(_unmade(service, done, context)), context
        )
    paging.page(
        service,
        (*intent.due, *seen, *unsafe, *done.pages, *made),
        context,
        stored=done.stored,
        decision=intent.id,
        repairs=done.drifted,
        ticking=isinstance(signal, Tick),
    )


def _clash(service: Service, stored: Stored) -> tuple[Page, ...]:
    """The page about a document whose configuration is neither ours nor an older or newer one."""
    state = stored.state
    if state is None or standing(state.stamp, service.stamp) is not Standing.CLASH:
        return ()
    text = (
        f"clash: the document of {service.name} was made with serial {state.stamp.serial} digest"
        f" {state.stamp.digest[:CLIPPED]}, and this instance has that serial with digest"
        f" {service.stamp.digest}. Until one has a higher serial, this instance repairs no drift"
        " and puts back no endpoint of the document. If the file was changed, raise `serial` and"
        " deploy it everywhere. If not, something other than the orchestrator wrote the document"
    )
    command = f"failoverctl check {service.name}"
    return (Page(Rule.CLASH, text, command=command, grace=ROLLOUT),)


def _unmade(service: Service, done: Converged, context: Context) -> tuple[Page, ...]:
    """The pages about epochs that nobody made."""
    return provenance.pages(service, done.stored, context)


def _journal(
    service: Service, signal: Signal, intent: Intent, done: Converged, context: Context
) -> None:
    """Keep the decision with what became of its own epoch, and every other patch by itself."""
    own, others = shifts.parted(intent.decision, done, fresh=intent.fresh)
    became = {**own.told(), **_seen(service, done)}
    if intent.decision.recorded and not record.publish(service, intent.entry, context, became):
        others = (own, *others) if own.plans else others  # a tick was faster, and knew of no patch
    _keep(service, signal, others, done, context)


def _seen(service: Service, done: Converged) -> Json:
    """The traffic as it was last read."""
    return {"traffic": view(traffic(done.routing, service, done.stored.state))}


def _keep(
    service: Service,
    signal: Signal,
    others: Iterable[shifts.Aftermath],
    done: Converged,
    context: Context,
) -> None:
    """Keep the patches of epochs that this invocation did not decide."""
    seen = _seen(service, done)
    for other in others:
        what, now = record.describe(signal), context.now()
        made = shifts.entry(other, done.stored, what, now, context.new_id())
        record.keep(service, {**made, **seen}, context)


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


def _warn_of_flood(service: Service, intent: Intent, context: Context) -> None:
    """Say once that a flood of new incidents has begun."""
    if intent.floods:
        context.log("WARNING", flood.warning(service), service=service.name)


def _warn_of_silence(service: Service, intent: Intent, context: Context) -> None:
    """Name once each region whose probe says nothing of its health, as long as it says the same."""
    silent = {
        (service.name, name, probe.detail)
        for name, probe in intent.probes.items()
        if probe.verdict is Verdict.SILENT
    }
    kept = {one for one in context.memory.silent if one[0] != service.name}
    for _, name, detail in sorted(silent - context.memory.silent):
        asked = service.region(name).health_url is not None
        what = f"{service.name}: our probe of {name} says nothing of its health: {detail}"
        means = rules.unheard(service.policy, asked=asked)
        context.log("WARNING", f"{what}. {means}", service=service.name, region=name)
    context.memory.silent = kept | silent


def _warn_of_unclaimed(service: Service, intent: Intent, context: Context) -> None:
    """Name once the backends with traffic that no region claims and that were not known before."""
    if intent.routing is None or not intent.new_groups:
        return
    found = unclaimed(intent.routing, service, intent.decision.state)
    new = tuple(one for one in found if one.group in intent.new_groups)
    text = leftover.warning(service, intent.routing, new)
    context.log("WARNING", text, service=service.name, unclaimed=[one.group for one in new])


def _say(
    service: Service, signal: Signal, intent: Intent, done: Converged, context: Context
) -> None:
    """One line for the decision, in the severity that it deserves, and the traffic as last read."""
    decision, stored = intent.decision, intent.stored
    severity = {"held": "WARNING", "unchanged": "INFO", "health": "NOTICE"}.get(
        decision.outcome, "NOTICE"
    )
    state = decision.state
    seen = told(traffic(done.routing, service, done.stored.state or state), state.routing)
    context.log(
        severity,
        f"{service.name}: {actors.words(record.describe(signal))} -> {decision.outcome};"
        f" {seen} (epoch {state.epoch})",
        service=service.name,
        epoch=state.epoch,
        revision=stored.state.revision if stored.state else None,
        outcome=decision.outcome,
        reasons=[str(value) for value in decision.reasons],
        **({"frozen": True} if state.freeze and state.freeze.until > context.now() else {}),
    )
