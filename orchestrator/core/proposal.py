"""A proposal: what one question about the traffic came to, and what several of them share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from orchestrator.core.case import Case
from orchestrator.core.model import Command, DecisionOutcome, Leave, State
from orchestrator.core.outside.actors import claimed
from orchestrator.core.rule import Cause, Reason


@dataclass(frozen=True, slots=True)
class Proposal:
    """What should be.

    state: the document, without a new epoch. regions: to carry the traffic by a new epoch; None: no
    epoch. outcome: None when there is nothing to do, or a gate refused. left: the regions that
    automation leaves. waiting: gates of an optional move that is merely not due.
    """

    state: State
    regions: tuple[str, ...] | None = None
    outcome: DecisionOutcome | None = None
    reasons: tuple[Reason, ...] = ()
    left: tuple[str, ...] = ()
    waiting: tuple[Reason, ...] = ()

    @property
    def acts(self) -> bool:
        """Whether this is more than a refusal or nothing."""
        return self.regions is not None or self.outcome is not None


_ALWAYS = frozenset({DecisionOutcome.MOVED, DecisionOutcome.STANDBYS})
"""What takes an epoch whatever the document says: the first decision changes the routing only."""


def step(
    case: Case,
    state: State,
    regions: tuple[str, ...],
    outcome: DecisionOutcome,
    reasons: tuple[Reason, ...],
) -> Proposal:
    """The proposal that these regions carry the traffic.

    It takes an epoch only when that changes who carries it, or how much of its capacity a region
    gets. Otherwise the document changes alone.
    """
    routing, ceilings = set(case.state.routing), case.state.ceilings
    moves = set(regions) != routing or state.ceilings != ceilings or outcome in _ALWAYS
    return Proposal(state, regions if moves and regions else None, outcome, reasons)


def refused(case: Case, *reasons: Reason) -> Proposal:
    """The proposal that everything stays as it was, and why."""
    return Proposal(case.state, reasons=reasons)


def whole(state: State, regions: Iterable[str]) -> Mapping[str, float]:
    """The ceilings with which those of these regions that have one carry all they can."""
    return {name: 1.0 for name in regions if name in state.ceilings}


def away(case: Case) -> tuple[str, ...]:
    """The regions that do not carry all that they can, in order of preference."""
    part = {name for name, share in case.state.ceilings.items() if share < 1}
    return tuple(n for n in case.service.names if n not in case.carrying or n in part)


def left_by_hand(case: Case, state: State, left: Iterable[str], to: str) -> State:
    """The state that remembers where an operator took the traffic away from.

    Going to the preferred region is going home, and leaves nothing to remember.
    """
    if to == case.service.names[0]:
        return replace(state, evacuated=())
    return replace(state, evacuated=tuple(dict.fromkeys((*state.evacuated, *left))))


def overridden(gates: Iterable[Reason], command: Command) -> tuple[Reason, ...]:
    """The gates, with the refusal of the one rule that the operator named taken back, by name."""
    by = f"overridden by {claimed(command.actor)}"
    return tuple(
        replace(gate, passed=True, value=f"{gate.value}; {by}", cause=Cause.OVERRIDDEN)
        if not gate.passed and gate.rule == command.override
        else gate
        for gate in gates
    )


def to_be_drained(state: State, region: str, why: Leave) -> State:
    """The state in which that region is drained once another is the primary and says so itself."""
    entry = replace(state.regions[region], leave=why)
    return replace(state, regions={**state.regions, region: entry})
