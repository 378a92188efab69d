"""Automatic failback: a region that has been well for long enough gets its traffic back."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.core import rules
from orchestrator.core.case import Case
from orchestrator.core.health.incidents import live
from orchestrator.core.moves.ramp import first_step
from orchestrator.core.moves.switch import begin
from orchestrator.core.proposal import Proposal, away
from orchestrator.core.rule import Reason, all_pass


def failback(case: Case) -> Proposal:
    """Give the preferred region its traffic back when it has been well for long enough."""
    asked = {region: _gates(case, region) for region in _candidates(case)}
    region = _first_ready(asked) if case.carrying else None
    if region is None:
        return _not_due(case, asked)
    if not case.passive:
        return first_step(case, region, asked[region])
    if not all(case.lives(name) for name in case.carrying):
        return _not_due(case, asked)  # what fails is left by a necessary move, and not gracefully
    return begin(case, case.carrying[0], region, "", asked[region])


def _candidates(case: Case) -> tuple[str, ...]:
    """The preferred region alone; with shared traffic every region that lacks some of it."""
    if not case.passive:
        return away(case)
    return tuple(name for name in case.service.names[:1] if name not in case.carrying)


def _first_ready(asked: Mapping[str, tuple[Reason, ...]]) -> str | None:
    return next((region for region, gates in asked.items() if all_pass(gates)), None)


def _not_due(case: Case, asked: Mapping[str, tuple[Reason, ...]]) -> Proposal:
    waiting = tuple(gate for gates in asked.values() for gate in gates)
    return Proposal(case.state, waiting=waiting)


def _gates(case: Case, region: str) -> tuple[Reason, ...]:
    state, policy, now = case.state, case.service.policy, case.now
    return (
        rules.failback_after(policy, region, state.regions[region], state.given_up_at, now),
        rules.undisputed(region, live(state.incidents, region)),
        *rules.evacuated(region, state.evacuated),
        rules.optional(policy, state.moves, state.given_up_at, now),
        case.fit(region),
        *(case.lag(region, case.carrying) if case.passive else ()),
        *case.frozen(),
    )
