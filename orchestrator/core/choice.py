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
from orchestrator.core.incidents import is_blind, live
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


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a choice looks at. state: with this signal's health already in it."""

    service: Service
    state: State
    routing: Routing
    signal: Signal
    probes: Mapping[str, Probe]
    now: datetime

    def fit(self, name: str) -> Reason:
        """Whether the region is up, answers its probe, and can be given traffic."""
        lever = lever_of(self.service, self.state.lever)
        return rules.target_healthy(
            self.service.policy,
            name,
            self.state.regions[name],
            self.probes.get(name, NOT_PROBED),
            asked=self.service.region(name).health_url is not None,
            movable=movable(self.routing, self.service, lever, name),
        )

    def rested(self, name: str) -> Reason:
        """Whether automation has not left the region within the cooldown."""
        return rules.cooldown(self.service.policy, name, self.state.moves, self.now)


def choose(scene: Scene, current: tuple[str, ...], joining: tuple[str, ...] = ()) -> Choice:
    """Leave the regions that are down if every rule lets us; find one to go to if none is left.

    current: the regions that carry traffic now. joining: those that are to carry it too, if they
    prove healthy.
    """
    choice = _leave(scene, current)
    if not choice.regions or not joining:
        return choice
    gates = {name: (scene.fit(name), scene.rested(name)) for name in joining}
    new = {name for name, both in gates.items() if all(gate.passed for gate in both)}
    return Choice(
        tuple(name for name in scene.service.names if name in {*choice.regions, *new}),
        choice.left,
        (*choice.reasons, *(gate for both in gates.values() for gate in both)),
    )


def _leave(scene: Scene, current: tuple[str, ...]) -> Choice:
    state, policy = scene.state, scene.service.policy
    down = [name for name in current if state.regions[name].status is Status.DOWN]
    if current and not down:
        return Choice(current)
    confirmed = {
        name: rules.confirm(policy, name, scene.probes.get(name, NOT_PROBED)) for name in down
    }
    left = tuple(name for name in down if confirmed[name].passed)
    general = _general(scene, down)
    gates = (*confirmed.values(), *general)
    if current and not left:
        return Choice(current, (), gates)
    stay = tuple(name for name in current if name not in left)
    found = _target(scene, (*stay, *left), stay)
    reasons = (*gates, *found.reasons)
    if not found.regions or not all(gate.passed for gate in general):
        return Choice(current, (), reasons)
    regions = tuple(name for name in scene.service.names if name in {*stay, *found.regions})
    return Choice(regions, left, reasons)


def _general(scene: Scene, down: list[str]) -> tuple[Reason, ...]:
    """The gates that do not depend on where to go."""
    state, policy = scene.state, scene.service.policy
    probes = [scene.probes.get(name, NOT_PROBED) for name in down]
    configured = {name: state.regions[name] for name in scene.service.names}
    return (
        rules.max_event_age(
            policy,
            scene.signal,
            [incident for name in down for incident in live(state.incidents, name)],
            scene.now,
            failing=any(probe.verdict is Verdict.FAILING for probe in probes),
        ),
        rules.brake(policy, configured, scene.now, blind=is_blind(scene.probes)),
        rules.max_auto_failovers(policy, state.moves, state.acknowledged_at, scene.now),
    )


def _target(scene: Scene, carrying_now: tuple[str, ...], stay: tuple[str, ...]) -> Choice:
    """The region to go to: one that stays and is proven, else the first by preference that may."""
    reasons: list[Reason] = []
    others = [name for name in scene.service.names if name not in carrying_now]
    for name in (*stay, *others):
        gates = [scene.fit(name)] if name in stay else [scene.fit(name), scene.rested(name)]
        reasons += gates
        if all(gate.passed for gate in gates):
            reasons.append(Reason("last_region", True, f"{name} takes over"))
            return Choice((name,), (), tuple(reasons))
    value = "no other region is up, answers its probe and is outside its cooldown"
    reasons.append(Reason("last_region", False, value, "fail open: the routing stays"))
    return Choice((), (), tuple(reasons))
