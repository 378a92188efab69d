"""Backends that no region claims: which are known, and which a move left with traffic.

They are left as they are, because nobody has said whose they are. The document remembers them, so
that a new one is reported once, and that one which kept its traffic when the regions' was moved
pages for as long as it does: its users are where a human, or a rule, wanted nobody to be.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from orchestrator.core.model import (
    Decision,
    DecisionOutcome,
    Page,
    Routing,
    Signal,
    State,
    Tick,
)
from orchestrator.core.policy import Mode, Service, Standby
from orchestrator.core.rule import Rule
from orchestrator.core.traffic.plan import carrying
from orchestrator.core.traffic.shares import Unclaimed, besides, unclaimed


def remembered(
    service: Service, stood: State, decision: Decision, routing: Routing | None, signal: Signal
) -> State:
    """The state that knows the unclaimed backends that get traffic, each with the move's epoch.

    stood: the document before the decision. 0 stands for one that no move has left. Between moves
    only ticks look, so that a message that changes nothing writes nothing.
    """
    state = decision.state
    moved = _has_moved(stood, decision)
    if not moved and (routing is None or not isinstance(signal, Tick)):
        return state
    groups = _groups(service, state, routing)
    epochs = {group: state.epoch if moved else state.unclaimed.get(group, 0) for group in groups}
    return state if epochs == state.unclaimed else replace(state, unclaimed=epochs)


def _has_moved(stood: State, decision: Decision) -> bool:
    """Whether the decision has given the traffic to other regions, or said that it does."""
    state = decision.state
    others = set(state.routing) != set(stood.routing)
    return state.epoch != stood.epoch and (others or decision.outcome is DecisionOutcome.MOVED)


def _groups(service: Service, state: State, routing: Routing | None) -> list[str]:
    """The unclaimed groups as read; where nothing was read, those that are known."""
    if routing is None:
        return sorted(state.unclaimed)
    return sorted(one.group for one in unclaimed(routing, service, state) if not one.retired)


def fresh(before: State | None, state: State) -> tuple[str, ...]:
    """The unclaimed groups that the state knows and the document before did not."""
    groups: Collection[str] = before.unclaimed if before else ()
    return tuple(group for group in state.unclaimed if group not in groups)


def pages(service: Service, state: State, routing: Routing | None) -> tuple[Page, ...]:
    """What a human must know of the traffic as it was read, whatever was decided."""
    if routing is None:
        return ()
    others = unclaimed(routing, service, state)
    left = tuple(one for one in others if state.unclaimed.get(one.group) and not one.retired)
    nobody = () if carrying(routing, service) else (_nobody(service, state, routing, others),)
    return (*nobody, *((_left(service, state, routing, left),) if left else ()))


def _nobody(
    service: Service, state: State, routing: Routing, others: tuple[Unclaimed, ...]
) -> Page:
    what = "had capacity" if service.standby is Standby.ATTACHED else "carried traffic"
    text = (
        f"{routing.name}: no configured region {what} when it was read"
        f"{besides(others, alone=True)}. Users of"
        f" {service.name} get errors, or go to what the file does not name. Give a region traffic,"
        f" or correct `backend` in the file (`failoverctl check {service.name}` names its groups)"
    )
    return Page(Rule.NO_TRAFFIC, text, command=_give(service, state))


def _give(service: Service, state: State) -> str:
    """The command that gives a region traffic: the first that is healthy, else the preferred."""
    why = '--apply --reason "no region had traffic"'
    if service.mode is Mode.ACTIVE_ACTIVE:
        return f"failoverctl failback {service.name} {why}"
    up = (name for name in service.names if name in state.regions and state.regions[name].healthy)
    to = next(up, service.names[0])
    return f"failoverctl failover {service.name} --to {to} --now {why}"


def _left(service: Service, state: State, routing: Routing, left: tuple[Unclaimed, ...]) -> Page:
    epoch = max(state.unclaimed[one.group] for one in left)
    listed = ", ".join(map(str, left))
    text = (
        f"{routing.name}: {listed} keeps its traffic, because no region claims it: epoch {epoch}"
        f" moves only the traffic of {service.name}'s configured regions. {advice(routing, left)}"
    )
    return Page(Rule.UNCLAIMED, text, tuple(sorted({one.place for one in left})))


def warning(service: Service, routing: Routing, others: tuple[Unclaimed, ...]) -> str:
    """What is said once of unclaimed backends that were not there before."""
    listed = ", ".join(map(str, others))
    return (
        f"{service.name}: {listed} gets traffic from {routing.name}, and no region claims it. No"
        f" failover moves it. {advice(routing, others)}"
    )


def advice(routing: Routing, others: tuple[Unclaimed, ...]) -> str:
    """What a human can do about the first of them."""
    return (
        "Name it as `backend` of its region in the file and raise `serial` (`*` claims a name in"
        f" every zone), or take its traffic away: `{_command(routing, others)}`"
    )


def _command(routing: Routing, others: tuple[Unclaimed, ...]) -> str:
    one = others[0]
    name = one.group.rsplit("/", 1)[-1]
    kind = "instance-group" if "/instanceGroups/" in one.group else "network-endpoint-group"
    scope = "region" if "/regions/" in one.group else "zone"
    serverless = scope == "region" and kind == "network-endpoint-group"
    verb, end = ("remove-backend", "") if serverless else ("update-backend", " --capacity-scaler=0")
    where = f"--{kind}={name} --{kind}-{scope}={one.place}"
    return f"gcloud compute backend-services {verb} {routing.name} --global {where}{end}"
