"""The graceful switch: fencing -> (draining ->) the traffic moves, in one epoch.

The old primary takes no writes until `fenced_until`. One `max_staleness` and the longest request
pass, and the replica catches up. Then the traffic moves. Past the deadline nothing has moved, and
the old primary takes writes again. Each step is one decision. The next signal takes the next step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.core.case import Case
from orchestrator.core.document.ground import undisturbed
from orchestrator.core.health.incidents import set_aside
from orchestrator.core.model import (
    Command,
    DecisionOutcome,
    Leave,
    Signal,
    State,
    Step,
    Switch,
)
from orchestrator.core.policy import Graceful
from orchestrator.core.proposal import Proposal, left_by_hand, step, to_be_drained
from orchestrator.core.rule import Cause, Reason, Rule, all_pass

MARGIN = timedelta(seconds=5)
"""What a commit may take until it is seen: the fence is counted from so much after its decision,
and the commit that ends a switch is sent no later than this before the fence opens."""


def begin(  # a switch's two ends, whose wish it is, and why
    case: Case,
    left: str,
    to: str,
    command: str,
    gates: tuple[Reason, ...],
    *,
    evacuate: bool = False,
) -> Proposal:
    """Fence the old primary: its clients stop writing as they read this document.

    evacuate: drain it afterwards, though standbys stay attached.
    """
    state, now, graceful = case.state, case.now, case.service.policy.graceful
    until = now + graceful.deadline
    regions = {**state.regions, left: replace(state.regions[left], fenced_until=until)}
    switch = Switch(to, left, Step.FENCING, now, until, command, evacuate)
    state = replace(state, regions=regions, switch=switch)
    promised = Reason(Rule.SWITCH, True, promise(switch, graceful))
    return step(case, state, (left,), DecisionOutcome.SWITCHING, (*gates, promised))


def promise(switch: Switch, graceful: Graceful) -> str:
    """What a switch does and when, for people."""
    return (
        f"{switch.left} takes no writes. The traffic moves to {switch.to} soon after"
        f" {due(switch, graceful):%H:%M:%S} UTC. If it cannot move before"
        f" {switch.until - MARGIN:%H:%M:%S} UTC, {switch.left} takes writes again"
    )


def due(switch: Switch, graceful: Graceful) -> datetime:
    """From when on the traffic may move: every client has read the fence, no request is old."""
    return switch.since + graceful.max_staleness + graceful.request_timeout + MARGIN


def ended(before: State | None, after: State, signal: Signal, told: Iterable[Reason]) -> bool:
    """Whether a switch under way is ended by this decision, and none of its own steps says so."""
    was = before.switch if before else None
    now = after.switch
    if was is None or (now and (now.since, now.command) == (was.since, was.command)):
        return False
    own = not isinstance(signal, Command) and any(reason.rule == Rule.SWITCH for reason in told)
    return not own


def end(switch: Switch) -> Reason:
    """That this decision ends the switch. A command line that waits for it looks for its
    `command`."""
    value = f"this decision ends the switch to {switch.to}, {_asked(switch)}"
    return Reason(Rule.SWITCH, False, value, "", switch.to, Cause.ENDED, switch.command)


def _asked(switch: Switch) -> str:
    whose = f"command {switch.command}" if switch.command else "automatic failback"
    return f"asked for by {whose}"


def advance(case: Case, switch: Switch) -> Proposal:
    """Wait, move, or give the switch up."""
    possible = switch.to in case.service.names and case.carrying == (switch.left,)
    gates = _gates(case, switch) if possible else _stopped(case, switch)
    if is_late(switch, case.now) or not possible or not all_pass(gates):
        return _give_up(case, switch, gates)
    begins = due(switch, case.service.policy.graceful)
    if case.now < begins:
        seconds = round((begins - case.now).total_seconds())
        value = f"{switch.left} takes no writes. Every client knows that in {seconds} s"
        return Proposal(case.state, waiting=(Reason(Rule.SWITCH, False, value),))
    lag = (*case.lag(switch.to, (switch.left,)), *case.knows(switch.to))
    if not all_pass(lag):
        state = replace(case.state, switch=replace(switch, step=Step.DRAINING))
        return Proposal(state, waiting=lag)
    return _move(case, switch, (*gates, *lag))


def _gates(case: Case, switch: Switch) -> tuple[Reason, ...]:
    """Whether the switch may go on. At its deadline its record also tells what it waited for."""
    late = is_late(switch, case.now)
    lag = case.lag(switch.to, case.carrying) if late else ()
    return (case.fit(switch.to), *lag, *_stopped(case, switch))


def _stopped(case: Case, switch: Switch) -> tuple[Reason, ...]:
    """A freeze stops automation's own switch. One that an operator asked for goes on."""
    return () if switch.command else case.frozen()


def _move(case: Case, switch: Switch, gates: tuple[Reason, ...]) -> Proposal:
    """The traffic moves: the fence has closed, and the replica has everything."""
    waited = round((case.now - switch.since).total_seconds())
    value = f"{switch.left} took no writes for {waited} s. The switch was {_asked(switch)}"
    done = Reason(Rule.SWITCH, True, value, command=switch.command)
    state = undisturbed(case.state)
    if switch.command:
        state = set_aside(state, switch.to, case.now, f"command {switch.command}")
        state = left_by_hand(case, state, case.carrying, switch.to)
    if switch.evacuate:
        state = to_be_drained(state, switch.left, Leave.EVACUATED)
    return step(case, state, (switch.to,), DecisionOutcome.MOVED, (*gates, done))


def _give_up(case: Case, switch: Switch, gates: tuple[Reason, ...]) -> Proposal:
    late = is_late(switch, case.now)
    why = "its deadline has passed" if late else "it cannot be finished now"
    value = (
        f"the switch to {switch.to}, {_asked(switch)}, is given up, because {why}. {switch.left}"
        " takes writes again"
    )
    limit = f"{switch.until - MARGIN:%H:%M:%S} UTC"
    ends = Reason(Rule.SWITCH, False, value, limit, switch.to, Cause.ENDED, switch.command)
    state = replace(undisturbed(case.state), given_up_at=case.now)
    return step(case, state, case.carrying, DecisionOutcome.ABANDONED, (*gates, ends))


def is_late(switch: Switch, now: datetime) -> bool:
    """Whether it is too late to send a commit of this switch."""
    return now > switch.until - MARGIN
