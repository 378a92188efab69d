"""The ramp: a region gets its traffic back by steps, each an epoch.

A step is a ceiling of the region's full capacity. A new incident takes all of it away again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.core import rules
from orchestrator.core.choice import Scene
from orchestrator.core.incidents import live
from orchestrator.core.model import Outcome, Ramp
from orchestrator.core.plan import lever_of
from orchestrator.core.policy import Lever
from orchestrator.core.rule import Cause, Reason, Rule
from orchestrator.core.wanted import Wanted


def first_step(
    scene: Scene, current: tuple[str, ...], region: str, gates: tuple[Reason, ...]
) -> Wanted:
    """Give the region the first step of its traffic: all of it where there are no scalers."""
    together = {*current, region}
    regions = tuple(name for name in scene.service.names if name in together)
    lever = lever_of(scene.service, scene.state.lever)
    steps = scene.service.policy.ramp if lever is Lever.CAPACITY else (1.0,)
    return _step(scene, regions, region, steps, gates)


def _step(
    scene: Scene,
    regions: tuple[str, ...],
    region: str,
    steps: tuple[float, ...],
    gates: tuple[Reason, ...],
) -> Wanted:
    """The first step that is above what the region has; the last, at the latest."""
    has = scene.state.ceilings.get(region, 1.0) if region in scene.state.routing else 0.0
    number = next((n for n, share in enumerate(steps) if share > has), len(steps) - 1)
    last = number >= len(steps) - 1
    ramp = None if last else Ramp(region, number, scene.now)
    ceilings = {**_others(scene.state.ceilings, region), region: steps[number]}
    state = replace(scene.state, ramp=ramp, ceilings=ceilings)
    value = f"{region} gets {steps[number]:.0%} of its capacity, step {number + 1} of {len(steps)}"
    return Wanted(state, regions, Outcome.RAMPED, (*gates, Reason(Rule.RAMP, True, value)))


def _others(ceilings: Mapping[str, float], region: str) -> dict[str, float]:
    return {name: share for name, share in ceilings.items() if name != region and share < 1}


def climb(scene: Scene, current: tuple[str, ...], ramp: Ramp) -> Wanted:
    """The next step when it is due and the region does well; all steps back when it does not."""
    state, policy = scene.state, scene.service.policy
    if ramp.region not in current:
        return Wanted(replace(state, ramp=None), current)
    against = live(state.incidents, ramp.region)
    if against:
        return _roll_back(scene, current, ramp, f"incident {against[0].id}")
    gate = scene.fit(ramp.region)
    frozen = rules.freeze(state.freeze, scene.now)
    due = ramp.since + policy.ramp_step
    if frozen or not gate.passed or scene.now < due:
        value = f"step {ramp.step + 1} of {len(policy.ramp)}, the next is due at {due:%H:%M:%S} UTC"
        waiting = (*([frozen] if frozen else []), gate, Reason(Rule.RAMP, False, value))
        return Wanted(state, current, waiting=waiting)
    return _step(scene, current, ramp.region, policy.ramp, (gate,))


def _roll_back(scene: Scene, current: tuple[str, ...], ramp: Ramp, why: str) -> Wanted:
    stay = tuple(name for name in current if name != ramp.region)
    frozen = rules.freeze(scene.state.freeze, scene.now)
    if frozen or not any(scene.fit(name).passed for name in stay):
        return Wanted(scene.state, current, waiting=(frozen,) if frozen else ())
    ceilings = _others(scene.state.ceilings, ramp.region)
    state = replace(scene.state, ramp=None, ceilings=ceilings, given_up_at=scene.now)
    value = f"ended by {why}: {ramp.region} gives its traffic back again"
    reason = Reason(Rule.RAMP, False, value, cause=Cause.ENDED)
    return Wanted(state, stay, Outcome.ABANDONED, (reason,))
