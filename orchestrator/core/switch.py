"""The graceful switch: fencing -> (draining ->) the traffic moves, in one epoch.

The old primary takes no writes until `fenced_until`; one `max_staleness` and the longest request
pass; the replica catches up; then the traffic moves. Past the deadline nothing has moved, and the
old primary takes writes again. Each step is one decision; the next signal takes the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.core import rules
from orchestrator.core.choice import Scene
from orchestrator.core.ground import undisturbed
from orchestrator.core.incidents import set_aside
from orchestrator.core.model import Command, Leave, Outcome, Signal, State, Step, Switch
from orchestrator.core.policy import Graceful
from orchestrator.core.rule import Cause, Reason, Rule
from orchestrator.core.wanted import Wanted, left_by_hand, to_be_drained

MARGIN = timedelta(seconds=5)
"""What a commit may take until it is seen: the fence is counted from so much after its decision,
and the commit that ends a switch is sent no later than this before the fence opens."""


def begin(  # a switch's two ends, whose wish it is, and why
    scene: Scene,
    left: str,
    to: str,
    command: str,
    gates: tuple[Reason, ...],
    *,
    evacuate: bool = False,
) -> Wanted:
    """Fence the old primary: its clients stop writing as they read this document.

    evacuate: drain it afterwards, though standbys stay attached.
    """
    state, now = scene.state, scene.now
    until = now + scene.service.policy.graceful.deadline
    regions = {**state.regions, left: replace(state.regions[left], fenced_until=until)}
    switch = Switch(to, left, Step.FENCING, now, until, command, evacuate)
    state = replace(state, regions=regions, switch=switch)
    value = promise(switch, scene.service.policy.graceful)
    return Wanted(state, (left,), Outcome.SWITCHING, (*gates, Reason(Rule.SWITCH, True, value)))


def promise(switch: Switch, graceful: Graceful) -> str:
    """What a switch comes to and when, for people."""
    return (
        f"{switch.left} takes no writes; the traffic goes to {switch.to} soon after"
        f" {due(switch, graceful):%H:%M:%S} UTC, or all is given up at"
        f" {switch.until - MARGIN:%H:%M:%S} UTC"
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
    """That this decision ends the switch. Whoever waits for it looks for its `command`."""
    value = f"the switch to {switch.to}, {_asked(switch)}, is ended by this decision"
    return Reason(Rule.SWITCH, False, value, "", switch.to, Cause.ENDED, switch.command)


def _asked(switch: Switch) -> str:
    whose = f"command {switch.command}" if switch.command else "automatic failback"
    return f"asked for by {whose}"


def advance(scene: Scene, current: tuple[str, ...], switch: Switch) -> Wanted:
    """Wait, move, or give the switch up."""
    known = switch.to in scene.service.names and current == (switch.left,)
    gates: tuple[Reason, ...] = (scene.fit(switch.to),) if known else ()
    frozen = None if switch.command else rules.freeze(scene.state.freeze, scene.now)
    late = is_late(switch, scene.now)
    if late and known:  # for the record: what it waited for
        gates += scene.lag(switch.to, current)
    if late or frozen or not known or not all(gate.passed for gate in gates):
        return _give_up(scene, current, switch, (*gates, *([frozen] if frozen else [])), late)
    graceful = scene.service.policy.graceful
    if scene.now < due(switch, graceful):
        seconds = round((due(switch, graceful) - scene.now).total_seconds())
        value = f"{switch.left} is fenced; {seconds} s until every client knows"
        return Wanted(scene.state, current, waiting=(Reason(Rule.SWITCH, False, value),))
    lag = (*scene.lag(switch.to, (switch.left,)), *scene.knows(switch.to))
    if not all(gate.passed for gate in lag):
        state = replace(scene.state, switch=replace(switch, step=Step.DRAINING))
        return Wanted(state, current, waiting=lag)
    waited = round((scene.now - switch.since).total_seconds())
    value = f"{switch.left} was fenced for {waited} s; {_asked(switch)}"
    done = Reason(Rule.SWITCH, True, value, command=switch.command)
    state = undisturbed(scene.state)
    if switch.command:
        state = set_aside(state, switch.to, scene.now, f"command {switch.command}")
        state = left_by_hand(scene, state, current, switch.to)
    if switch.evacuate:
        state = to_be_drained(state, switch.left, Leave.EVACUATED)
    return Wanted(state, (switch.to,), Outcome.MOVED, (*gates, *lag, done))


def _give_up(
    scene: Scene, current: tuple[str, ...], switch: Switch, gates: tuple[Reason, ...], late: bool
) -> Wanted:
    why = "its deadline has come" if late else "it cannot be finished as things stand"
    value = (
        f"the switch to {switch.to}, {_asked(switch)}, is given up: {why}; {switch.left} takes"
        " writes again"
    )
    limit = f"{switch.until - MARGIN:%H:%M:%S} UTC"
    ends = Reason(Rule.SWITCH, False, value, limit, switch.to, Cause.ENDED, switch.command)
    reasons = (*gates, ends)
    state = replace(undisturbed(scene.state), given_up_at=scene.now)
    return Wanted(state, current, Outcome.ABANDONED, reasons)


def is_late(switch: Switch, now: datetime) -> bool:
    """Whether no commit of this switch may be sent any more."""
    return now > switch.until - MARGIN
