"""Telling: what happened is said, paged, announced and kept. Nothing here can fail an invocation.

Each part is spared by itself: one that fails is named in the log, and the others are done.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.core import rules
from orchestrator.core.document import trigger
from orchestrator.core.document.ground import Standing, standing
from orchestrator.core.exceptions import UnsafePlan, Unverified
from orchestrator.core.health import flood
from orchestrator.core.model import Decision, Json, Page, Phase, Signal, Stored, Tick, Verdict
from orchestrator.core.paging import ROLLOUT, page_of
from orchestrator.core.policy import Service
from orchestrator.core.rule import Rule
from orchestrator.core.traffic import leftover
from orchestrator.core.traffic.shares import told, traffic, unclaimed, view
from orchestrator.flow.context import Context
from orchestrator.flow.converge import Converged
from orchestrator.flow.intent import Intent
from orchestrator.flow.journal import provenance, record, shifts
from orchestrator.flow.outgoing import announce, page
from orchestrator.flow.outgoing.spared import spared

CLIPPED = 40
"""Characters of a digest that are shown; ours have fewer, and somebody else may write more."""


def tell(
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


def phase(service: Service, signal: Signal, done: Converged, context: Context) -> None:
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
    page.page(
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
    """Keep the decision with the result of its own epoch, and every other patch by itself."""
    own, others = shifts.parted(intent.decision, done, fresh=intent.fresh)
    became = {**own.told(), **_seen(service, done)}
    if intent.decision.recorded and not record.publish(service, intent.entry, context, became):
        others = (own, *others) if own.plans else others  # a tick was faster, and knew of no patch
    keep(service, signal, others, done, context)


def _seen(service: Service, done: Converged) -> Json:
    """The traffic as it was last read."""
    return {"traffic": view(traffic(done.routing, service, done.stored.state))}


def keep(
    service: Service,
    signal: Signal,
    others: Iterable[shifts.Aftermath],
    done: Converged,
    context: Context,
) -> None:
    """Keep the patches of epochs that this invocation did not decide."""
    seen = _seen(service, done)
    for other in others:
        what, now = trigger.of(signal), context.now()
        made = shifts.entry(other, done.stored, what, now, context.new_id())
        record.keep(service, {**made, **seen}, context)


def _has_flat_file(signal: Signal, decision: Decision, context: Context) -> bool:
    """Whether the older flat file may need an update: after a change, and on every tick."""
    due = (decision.changed and context.memory.flat_file) or isinstance(signal, Tick)
    return context.only_service and due


def warn_of_clash(service: Service, stored: Stored, context: Context) -> None:
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
    """Name once each region whose probe says nothing about its health, while that is the same."""
    silent = {
        (service.name, name, probe.detail)
        for name, probe in intent.observed.probes.items()
        if probe.verdict is Verdict.SILENT
    }
    kept = {one for one in context.memory.silent if one[0] != service.name}
    for _, name, detail in sorted(silent - context.memory.silent):
        asked = service.region(name).health_url is not None
        what = f"{service.name}: our probe of {name} says nothing about its health: {detail}"
        means = rules.unheard(service.policy, asked=asked)
        context.log("WARNING", f"{what}. {means}", service=service.name, region=name)
    context.memory.silent = kept | silent


def _warn_of_unclaimed(service: Service, intent: Intent, context: Context) -> None:
    """Name once the backends with traffic that no region claims and that were not known before."""
    if intent.observed.routing is None or not intent.new_groups:
        return
    found = unclaimed(intent.observed.routing, service, intent.decision.state)
    new = tuple(one for one in found if one.group in intent.new_groups)
    text = leftover.warning(service, intent.observed.routing, new)
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
        f"{service.name}: {trigger.words(trigger.of(signal))} -> {decision.outcome}."
        f" Now {seen} (epoch {state.epoch})",
        service=service.name,
        epoch=state.epoch,
        revision=stored.state.revision if stored.state else None,
        outcome=decision.outcome,
        reasons=[str(value) for value in decision.reasons],
        **({"frozen": True} if state.freeze and state.freeze.until > context.now() else {}),
    )
