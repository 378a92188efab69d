"""Optional moves: what an operator commands, a graceful switch, a ramp, a failback.

None of them is made while a region that carries traffic must be left: a necessary move comes first
and ends them. Each is a step that one decision takes; the next signal takes the next, so that
nothing is held open. Whatever is given up leaves the traffic where it is.
"""

from __future__ import annotations

from datetime import datetime

from orchestrator.core.case import Case
from orchestrator.core.health.incidents import live
from orchestrator.core.model import Command, State, Tick
from orchestrator.core.moves.commands import commanded
from orchestrator.core.moves.failback import failback
from orchestrator.core.moves.ramp import climb
from orchestrator.core.moves.switch import advance, is_late
from orchestrator.core.policy import Failback
from orchestrator.core.proposal import Proposal


def wished(case: Case) -> Proposal:
    """The next step of what is under way, else of what the policy allows."""
    state, signal = case.state, case.signal
    if isinstance(signal, Command):
        return commanded(case, signal)
    if state.switch is not None:
        return advance(case, state.switch)
    if state.ramp is not None:
        return climb(case, state.ramp)
    if isinstance(signal, Tick) and case.service.policy.failback is Failback.AUTO:
        return failback(case)
    return Proposal(state)


def is_ending(state: State, now: datetime) -> bool:
    """Whether something under way is to end now, whatever else is held.

    A ramp, when something is known against the region it brings back; a switch, at its deadline.
    """
    if state.switch is not None:
        return is_late(state.switch, now)
    return state.ramp is not None and bool(live(state.incidents, state.ramp.region))
