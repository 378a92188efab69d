"""Automatic failback: a region that has been well for long enough gets its traffic back."""

from __future__ import annotations

from orchestrator.core import rules
from orchestrator.core.choice import Scene
from orchestrator.core.incidents import live
from orchestrator.core.policy import Mode
from orchestrator.core.ramp import first_step
from orchestrator.core.rule import Reason
from orchestrator.core.switch import begin
from orchestrator.core.wanted import Wanted, away, lives


def failback(scene: Scene, current: tuple[str, ...]) -> Wanted:
    """Give the preferred region its traffic back when it has been well for long enough."""
    passive = scene.service.mode is Mode.ACTIVE_PASSIVE
    preferred = [name for name in scene.service.names[:1] if name not in current]
    waiting: list[Reason] = []
    for region in preferred if passive else away(scene, current):
        gates = _failback_gates(scene, current, region)
        waiting += gates
        if not current or not all(gate.passed for gate in gates):
            continue
        if not passive:
            return first_step(scene, current, region, gates)
        if all(lives(scene, name) for name in current):
            return begin(scene, current[0], region, "", gates)
    return Wanted(scene.state, current, waiting=tuple(waiting))


def _failback_gates(scene: Scene, current: tuple[str, ...], region: str) -> tuple[Reason, ...]:
    state, policy, now = scene.state, scene.service.policy, scene.now
    frozen = rules.freeze(state.freeze, now)
    lag = scene.lag(region, current) if scene.service.mode is Mode.ACTIVE_PASSIVE else ()
    return (
        rules.failback_after(policy, region, state.regions[region], state.given_up_at, now),
        rules.undisputed(region, live(state.incidents, region)),
        *rules.evacuated(region, state.evacuated),
        rules.optional(policy, state.moves, state.given_up_at, now),
        scene.fit(region),
        *lag,
        *([frozen] if frozen else []),
    )
