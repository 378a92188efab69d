"""The decision's part of `check`: what would a tick do now, and who could take over?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cli.check.finding import Finding, Level
from orchestrator.cli.words.conditions import left_alone
from orchestrator.cli.words.remedies import remedies, remedy
from orchestrator.core import rules
from orchestrator.core.case import Case
from orchestrator.core.document.ground import Ground
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Decision, DecisionOutcome, Observed, State, Tick
from orchestrator.core.policy import Mode, Service
from orchestrator.core.rule import Reason, Rule
from orchestrator.flow.journal import record
from orchestrator.flow.preview import preview
from orchestrator.wiring import Deployment


def next_tick(service: Service, world: Deployment) -> Iterator[Finding]:
    """What a tick would come to: one that is held is never fine."""
    try:
        found = preview(service, Tick(), world.context)
    except FailoverError as error:
        yield Finding(service.name, "next tick", Level.FAIL, str(error), error=error)
        return
    if found.decision.outcome is DecisionOutcome.HELD:
        yield _held(service, found.decision)
    if found.plan is None:
        yield Finding(service.name, "next tick", Level.FAIL, found.obstacle, error=found.error)
    elif found.unmarked:
        text = "Have what writes the description of the load balancer leave it alone"
        yield Finding(service.name, "next tick", Level.WARN, left_alone(found), text)
    elif not found.plan.empty:
        text = "The next tick writes this. `plan` and `explain` say why"
        yield Finding(service.name, "next tick", Level.WARN, str(found.plan), text)
    elif found.decision.outcome is not DecisionOutcome.HELD:
        yield Finding(
            service.name, "next tick", Level.OK, f"{found.decision.outcome}, nothing to write"
        )


def _held(service: Service, decision: Decision) -> Finding:
    refused = [reason for reason in decision.reasons if not reason.passed]
    lost = any(reason.rule == Rule.LAST_REGION for reason in refused)
    detail = f"held: {'; '.join(dict.fromkeys(map(str, refused)))}"
    told = [record.reason(reason) for reason in decision.reasons]
    entry = {
        "outcome": DecisionOutcome.HELD,
        "reasons": told,
        "routing": dict(decision.state.routing),
    }
    text = ". ".join(line.rstrip(".") for line in remedies(entry, service.name))
    return Finding(service.name, "next tick", Level.FAIL if lost else Level.WARN, detail, text)


def could_take_over(service: Service, observed: Observed, world: Deployment) -> Iterator[Finding]:
    """Whether somebody could take over from a region that carries traffic, as things stand now.

    Nothing is said of a service with one region, nor while there is no document.
    """
    state, routing = observed.stored.state, observed.routing
    if state is None or routing is None or len(service.names) == 1:
        return
    case = Case(
        service,
        Ground(state, tuple(state.routing)),
        state,
        routing,
        Tick(),
        observed.probes,
        observed.probes,
        world.context.now(),
    )
    yield from _after_each(case, [name for name in service.names if name in state.regions])
    yield from _automation(service, state, world)


def _after_each(case: Case, known: Sequence[str]) -> Iterator[Finding]:
    """Who could take over from each region that the document sends traffic to. known: by it."""
    fit = {name: case.fit(name) for name in known}
    for name in filter(case.state.routing.__contains__, known):
        others = {other: _target(case, other, name, fit[other]) for other in known if other != name}
        yield _others(case.service, name, others)


def _target(case: Case, name: str, left: str, fit: Reason) -> Reason:
    """The first gate that would refuse the region as a target. One that carries traffic already
    is asked for its health alone."""
    if name in case.state.routing:
        return fit
    return next((gate for gate in (fit, *case.lag(name, (left,))) if not gate.passed), fit)


def _automation(service: Service, state: State, world: Deployment) -> Iterator[Finding]:
    """What keeps automation from moving, though somebody could take over."""
    now = world.context.now()
    limit = rules.max_auto_failovers(service.policy, state.moves, state.acknowledged_at, now)
    for reason in (rules.freeze(state.freeze, now), limit):
        if reason is not None and not reason.passed:
            text = remedy(reason.rule, service.name)
            yield Finding(service.name, "automation", Level.WARN, str(reason), text)


def _others(service: Service, name: str, others: dict[str, Reason]) -> Finding:
    ready = [other for other, reason in others.items() if reason.passed]
    if ready:
        shared = service.mode is Mode.ACTIVE_ACTIVE
        word = "stay" if shared else "could take over"
        return Finding(
            service.name, "failover", Level.OK, f"{', '.join(ready)} {word} if {name} fails"
        )
    detail = f"nobody could take over if {name} fails: {'; '.join(map(str, others.values()))}"
    text = "Bring one of these regions up: until then a failover cannot happen"
    return Finding(service.name, "failover", Level.FAIL, detail, text)
