"""The choice: which regions shall carry the traffic, and the gates on the way there.

A region that is down is left when every rule lets it be left. Somebody who stays and is proven
takes over; else the first region in order of preference that is up, answers its probe and was not
left by automation within the cooldown; as a last resort one that was left within it and has proven
healthy since. If there is nobody the routing stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from orchestrator.core import rules
from orchestrator.core.counting import proof_needed
from orchestrator.core.incidents import is_blind, live
from orchestrator.core.model import Part, Probe, Role, Routing, Signal, State, Status, Verdict
from orchestrator.core.plan import (
    lever_of,
    movable,
)
from orchestrator.core.policy import Mode, Service, Standby
from orchestrator.core.rule import Reason, Rule

NOT_PROBED = Probe(Verdict.SILENT, "not probed")
UNHEARD = Role(Part.SILENT, "nothing")


@dataclass(frozen=True, slots=True)
class Choice:
    """The regions that shall carry traffic, and the gates on the way there."""

    regions: tuple[str, ...]
    left: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a choice looks at.

    state: with this signal's health already in it. routing: None while it cannot be read; only
    attached standbys can do without it. second: the second signal, by region. roles: what regions
    say that they are.
    """

    service: Service
    state: State
    routing: Routing | None
    signal: Signal
    probes: Mapping[str, Probe]
    second: Mapping[str, Probe]
    now: datetime
    roles: Mapping[str, Role] = field(default_factory=dict)

    def fit(self, name: str) -> Reason:
        """Whether the region is up, answers its probe, and can be given traffic."""
        gate = self.well(name)
        if self.service.standby is Standby.DRAINED or not gate.passed:
            return gate
        if not self.movable(name):
            return rules.attached(name, self.state.regions[name])
        said = rules.role(name, self.roles.get(name, UNHEARD))
        return gate if said.passed else said

    def well(self, name: str) -> Reason:
        """Whether the region is up, answers its probe, and has a backend to be given traffic by."""
        return rules.target_healthy(
            self.service.policy,
            name,
            self.state.regions[name],
            self.probes.get(name, NOT_PROBED),
            asked=self.service.region(name).health_url is not None,
            movable=self.has_backend(name),
            proof=proof_needed(self.state.regions[name], self.service.policy, self.now),
        )

    def movable(self, name: str) -> bool:
        """Whether the load balancer has a backend of the region that the lever can move.

        With attached standbys it must have capacity, as last seen, unless the primary is no
        longer configured: then there is none that could wait for it.
        """
        if self.service.standby is Standby.DRAINED or self.state.primary not in self.service.names:
            return self.has_backend(name)
        return self.state.regions[name].attached

    def has_backend(self, name: str) -> bool:
        """Whether the lever could give the region capacity, as far as can be seen."""
        lever = lever_of(self.service, self.state.lever)
        return self.routing is None or movable(self.routing, self.service, lever, name)

    def knows(self, name: str) -> tuple[Reason, ...]:
        """Whether an attached region goes by the newest document: it is to act on the next one."""
        if self.service.standby is Standby.DRAINED:
            return ()
        return (rules.knows(name, self.roles.get(name, UNHEARD), self.state.epoch),)

    def is_later(self, name: str) -> tuple[bool, bool, bool]:
        """Whether automation goes there last: a human evacuated it, it cannot be probed, or it
        knows an older document.

        Nothing but the absence of alerts speaks for a region that cannot be probed. With attached
        standbys, who does not read the document does not take over by it.
        """
        told = self.roles.get(name, UNHEARD)
        is_old = told.part is not Part.SILENT and told.epoch < self.state.epoch
        unseen = self.service.region(name).health_url is None
        return name in self.state.evacuated, unseen, is_old

    def lag(self, name: str, left: tuple[str, ...]) -> tuple[Reason, ...]:
        """Whether the region's replica is not too far behind each region that is left."""
        probe = self.probes.get(name, NOT_PROBED)
        policy = self.service.policy
        return tuple(
            rules.replication_lag(policy, name, gone, probe) for gone in left if gone != name
        )

    def unused(self, left: tuple[str, ...]) -> tuple[str, ...]:
        """The regions that cannot be counted on when these are left.

        In active-active mode that is every region without traffic: it would have to be given some.
        """
        if self.service.mode is Mode.ACTIVE_PASSIVE:
            return left
        stay = {name for name in self.state.routing if name not in left}
        return tuple(name for name in self.state.regions if name not in stay)

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
    gates = {
        name: (scene.fit(name), scene.rested(name), *scene.lag(name, choice.left))
        for name in joining
    }
    new = {name for name, asked in gates.items() if all(gate.passed for gate in asked)}
    return Choice(
        tuple(name for name in scene.service.names if name in {*choice.regions, *new}),
        choice.left,
        (*choice.reasons, *(gate for asked in gates.values() for gate in asked)),
    )


def _leave(scene: Scene, current: tuple[str, ...]) -> Choice:
    state = scene.state
    down = [name for name in current if state.regions[name].status is Status.DOWN]
    if current and not down:
        return Choice(current)
    asked = {name: _proof_of_failure(scene, name) for name in down}
    left = tuple(name for name, both in asked.items() if all(gate.passed for gate in both))
    general = _general(scene, left)
    gates = (*(gate for both in asked.values() for gate in both), *general)
    if current and not left:
        return Choice(current, (), gates)
    stay = tuple(name for name in current if name not in left)
    found = _target(scene, (*stay, *left), stay, left)
    reasons = (*gates, *found.reasons)
    if not found.regions or not all(gate.passed for gate in general):
        return Choice(current, (), reasons)
    regions = tuple(name for name in scene.service.names if name in {*stay, *found.regions})
    return Choice(regions, left, reasons)


def _proof_of_failure(scene: Scene, name: str) -> tuple[Reason, Reason]:
    """Whether a region that is down may be left: it fails by the second signal, and now.

    Asked of each region by itself: an old alert does not ride on a fresh one of another region.
    """
    policy, second = scene.service.policy, scene.second.get(name, NOT_PROBED)
    age = rules.max_event_age(
        policy,
        scene.signal,
        name,
        live(scene.state.incidents, name),
        scene.now,
        failing=second.verdict is Verdict.FAILING,
    )
    return rules.confirm(policy, name, second), age


def _general(scene: Scene, left: tuple[str, ...]) -> tuple[Reason, ...]:
    """The gates that do not depend on where to go."""
    state, policy = scene.state, scene.service.policy
    configured = {name: state.regions[name] for name in scene.service.names}
    frozen = [reason] if (reason := rules.freeze(state.freeze, scene.now)) else []
    return (
        rules.brake(policy, configured, scene.now, blind=is_blind(scene.probes)),
        rules.max_auto_failovers(policy, state.moves, state.acknowledged_at, scene.now),
        *frozen,
        *_spare(scene, left),
    )


def _spare(scene: Scene, left: tuple[str, ...]) -> tuple[Reason, ...]:
    """The rule of spare regions, where it asks for more than the one that takes over."""
    policy = scene.service.policy
    if policy.min_healthy_regions <= 1:
        return ()
    return (rules.min_healthy_regions(policy, scene.state.regions, scene.unused(left)),)


def _target(
    scene: Scene, carrying_now: tuple[str, ...], stay: tuple[str, ...], left: tuple[str, ...]
) -> Choice:
    """The region to go to: one that stays and is proven, else the first by preference that may.

    When there is none, the first that only its cooldown keeps away and that has proven healthy
    since automation left it: users are not kept on regions that are confirmed down. Regions that a
    human evacuated are asked after all others, in the same two steps.
    """
    asked: dict[str, tuple[Reason, ...]] = {}
    others = [name for name in scene.service.names if name not in carrying_now]
    others.sort(key=scene.is_later)  # stable: else by preference
    evacuated = [name for name in others if name in scene.state.evacuated]
    kept = [name for name in others if name not in evacuated]
    for names in ((*stay, *kept), evacuated):
        for name in names:
            asked[name] = _gates(scene, name, left, stays=name in stay)
            if all(gate.passed for gate in asked[name]):
                return _found(name, asked)
        for name in names:
            asked[name] = _as_last_resort(scene, name, asked[name])
            if all(gate.passed for gate in asked[name]):
                return _found(name, asked)
    gates = _all(asked)
    nobody = Reason(Rule.LAST_REGION, False, nowhere(gates), "fail open: the routing stays")
    return Choice((), (), (*gates, nobody))


_NOT_FIT = frozenset({Rule.TARGET_HEALTHY, Rule.ATTACHED})
"""The rules that refuse a region because it cannot serve."""

_REFUSED = {
    Rule.ROLE: (
        "{} is up, and its role URL refuses it",
        "{} are up, and their role URLs refuse them",
    ),
    Rule.REPLICATION_LAG: (
        "{} is up, and its replication lag refuses it",
        "{} are up, and their replication lag refuses them",
    ),
    Rule.COOLDOWN: (
        "{} is in its cooldown and has not proven healthy since",
        "{} are in their cooldown and have not proven healthy since",
    ),
}
"""What is said of one and of several regions that are up, by the first rule that refuses them."""


def nowhere(gates: Iterable[Reason]) -> str:
    """Why no other region can take over, from the gates of the candidates."""
    refused: dict[str, list[str]] = {}
    for gate in gates:
        rules_of = refused.setdefault(gate.region, [])
        if not gate.passed:
            rules_of.append(gate.rule)
    up = {name: found for name, found in refused.items() if not _NOT_FIT.intersection(found)}
    clauses = []
    for rule, (one, several) in _REFUSED.items():
        names = [name for name, found in up.items() if rule in found]
        up = {name: found for name, found in up.items() if rule not in found}
        if names:
            clauses.append((one if len(names) == 1 else several).format(" and ".join(names)))
    return ", and ".join(clauses) or "no other region is up and answers its probe"


def _found(name: str, asked: Mapping[str, tuple[Reason, ...]]) -> Choice:
    taken = Reason(Rule.LAST_REGION, True, f"{name} takes over")
    return Choice((name,), (), (*_all(asked), taken))


def _all(asked: Mapping[str, tuple[Reason, ...]]) -> tuple[Reason, ...]:
    return tuple(gate for gates in asked.values() for gate in gates)


def _gates(scene: Scene, name: str, left: tuple[str, ...], *, stays: bool) -> tuple[Reason, ...]:
    """The gates of one candidate. One that stays carries traffic: it is only asked for health."""
    return (
        (scene.fit(name),)
        if stays
        else (scene.fit(name), scene.rested(name), *scene.lag(name, left))
    )


def _as_last_resort(scene: Scene, name: str, gates: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """The gates, with the cooldown passed if it alone refuses and the region has proven well."""
    refused = [gate for gate in gates if not gate.passed]
    rested = scene.rested(name)
    proven = rules.proven_since_left(scene.state.regions[name], name, scene.state.moves)
    if refused != [rested] or not proven:
        return gates
    value = f"{rested.value}; it has proven healthy since, and no other region can take over"
    passed = replace(rested, passed=True, value=value)
    return tuple(passed if gate == rested else gate for gate in gates)
