"""The choice: which regions shall carry the traffic, and the gates on the way there.

A region that is down is left when every rule lets it be left. Somebody who stays and is proven
takes over; else the first region in order of preference that is up, answers its probe and was not
left by automation within the cooldown. If there is nobody the routing stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestrator.core import rules
from orchestrator.core.incidents import is_blind
from orchestrator.core.model import (
    Probe,
    Reason,
    Routing,
    Signal,
    State,
    Status,
    Verdict,
)
from orchestrator.core.plan import (
    lever_of,
    movable,
)
from orchestrator.core.policy import Service

NOT_PROBED = Probe(Verdict.SILENT, "not probed")


@dataclass(frozen=True, slots=True)
class Choice:
    """The regions that shall carry traffic, and the gates on the way there."""

    regions: tuple[str, ...]
    left: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()


def choose(
    service: Service,
    state: State,
    routing: Routing,
    signal: Signal,
    probes: Mapping[str, Probe],
    now: datetime,
    current: tuple[str, ...],
) -> Choice:
    """Leave the regions that are down if every rule lets us; find one to go to if none is left."""
    policy = service.policy
    down = [name for name in current if state.regions[name].status is Status.DOWN]
    if current and not down:
        return Choice(current)
    confirmed = {name: rules.confirm(policy, name, probes.get(name, NOT_PROBED)) for name in down}
    left = tuple(name for name in down if confirmed[name].passed)
    gates = (
        *confirmed.values(),
        rules.max_event_age(policy, signal, now),
        rules.brake(policy, state.regions, now, blind=is_blind(probes)),
        rules.max_auto_failovers(policy, state.moves, state.acknowledged_at, now),
    )
    stay = tuple(name for name in current if name not in left)
    if current and not left:
        return Choice(current, (), gates)
    found = _target(service, state, routing, probes, now, (*stay, *left), stay)
    reasons = (*gates, *found.reasons)
    general = [gate for gate in gates if gate.rule != "confirm"]
    if not found.regions or not all(gate.passed for gate in general):
        return Choice(current, (), reasons)
    regions = tuple(name for name in service.names if name in {*stay, *found.regions})
    return Choice(regions, left, reasons)


def _target(
    service: Service,
    state: State,
    routing: Routing,
    probes: Mapping[str, Probe],
    now: datetime,
    carrying_now: tuple[str, ...],
    stay: tuple[str, ...],
) -> Choice:
    """The region to go to: one that stays and is proven, else the first by preference that may."""
    lever = lever_of(service, state.lever)
    reasons: list[Reason] = []
    others = [name for name in service.names if name not in carrying_now]
    for name in (*stay, *others):
        region = service.region(name)
        fit = rules.target_healthy(
            service.policy,
            name,
            state.regions[name],
            probes.get(name, NOT_PROBED),
            asked=region.health_url is not None,
            movable=movable(routing, service, lever, name),
        )
        rested = rules.cooldown(service.policy, name, state.moves, now)
        reasons += [fit] if name in stay else [fit, rested]
        if fit.passed and (rested.passed or name in stay):
            reasons.append(Reason("last_region", True, f"{name} takes over"))
            return Choice((name,), (), tuple(reasons))
    value = "no other region is up, answers its probe and is outside its cooldown"
    reasons.append(Reason("last_region", False, value, "fail open: the routing stays"))
    return Choice((), (), tuple(reasons))
