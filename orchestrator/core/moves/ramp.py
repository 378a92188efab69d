"""The ramp: a region gets its traffic back by steps, each an epoch.

A step is a ceiling of the region's full capacity. A new incident takes all of it away again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.core.case import Case
from orchestrator.core.health.incidents import live
from orchestrator.core.model import DecisionOutcome, Ramp
from orchestrator.core.policy import Lever
from orchestrator.core.proposal import Proposal, step
from orchestrator.core.rule import Cause, Reason, Rule
from orchestrator.core.traffic.plan import lever_of


def first_step(case: Case, region: str, gates: tuple[Reason, ...]) -> Proposal:
    """Give the region the first step of its traffic: all of it where there are no scalers."""
    regions = case.in_order({*case.carrying, region})
    lever = lever_of(case.service, case.state.lever)
    steps = case.service.policy.ramp if lever is Lever.CAPACITY else (1.0,)
    return _step(case, regions, region, steps, gates)


def _step(
    case: Case,
    regions: tuple[str, ...],
    region: str,
    steps: tuple[float, ...],
    gates: tuple[Reason, ...],
) -> Proposal:
    """The first step that is above what the region has; the last, at the latest."""
    has = case.state.ceilings.get(region, 1.0) if region in case.state.routing else 0.0
    number = next((n for n, share in enumerate(steps) if share > has), len(steps) - 1)
    last = number >= len(steps) - 1
    ramp = None if last else Ramp(region, number, case.now)
    ceilings = {**_others(case.state.ceilings, region), region: steps[number]}
    state = replace(case.state, ramp=ramp, ceilings=ceilings)
    value = f"{region} gets {steps[number]:.0%} of its capacity, step {number + 1} of {len(steps)}"
    return step(
        case, state, regions, DecisionOutcome.RAMPED, (*gates, Reason(Rule.RAMP, True, value))
    )


def _others(ceilings: Mapping[str, float], region: str) -> dict[str, float]:
    return {name: share for name, share in ceilings.items() if name != region and share < 1}


def climb(case: Case, ramp: Ramp) -> Proposal:
    """The next step when it is due and the region does well; all steps back when it does not."""
    if ramp.region not in case.carrying:
        return Proposal(replace(case.state, ramp=None))
    against = live(case.state.incidents, ramp.region)
    if against:
        return _roll_back(case, ramp, f"incident {against[0].id}")
    policy, gate, frozen = case.service.policy, case.fit(ramp.region), case.frozen()
    due = ramp.since + policy.ramp_step
    if frozen or not gate.passed or case.now < due:
        value = f"step {ramp.step + 1} of {len(policy.ramp)}, the next is due at {due:%H:%M:%S} UTC"
        return Proposal(case.state, waiting=(*frozen, gate, Reason(Rule.RAMP, False, value)))
    return _step(case, case.carrying, ramp.region, policy.ramp, (gate,))


def _roll_back(case: Case, ramp: Ramp, why: str) -> Proposal:
    """Take the region's traffic back, unless nobody else could serve it."""
    stay = case.staying((ramp.region,))
    frozen = case.frozen()
    if frozen or not any(case.fit(name).passed for name in stay):
        return Proposal(case.state, waiting=frozen)
    ceilings = _others(case.state.ceilings, ramp.region)
    state = replace(case.state, ramp=None, ceilings=ceilings, given_up_at=case.now)
    value = f"{why} ends the ramp: {ramp.region} loses its traffic again"
    reason = Reason(Rule.RAMP, False, value, cause=Cause.ENDED)
    return step(case, state, stay, DecisionOutcome.ABANDONED, (reason,))
