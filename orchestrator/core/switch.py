"""The graceful switch: fencing -> (draining ->) the traffic moves, in one epoch.

The old primary takes no writes until `fenced_until`; one `max_staleness` and the longest request
pass; the replica catches up; then the traffic moves. Past the deadline nothing has moved, and the
old primary takes writes again. Each step is one decision; the next signal takes the next.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.core import rules
from orchestrator.core.choice import Scene
from orchestrator.core.ground import undisturbed
from orchestrator.core.model import Leave, Outcome, Reason, Step, Switch
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
    value = f"{left} takes no writes until {until:%H:%M:%S}; then the traffic goes to {to}"
    return Wanted(state, (left,), Outcome.SWITCHING, (*gates, Reason("switch", True, value)))


def advance(scene: Scene, current: tuple[str, ...], switch: Switch) -> Wanted:
    """Wait, move, or give the switch up."""
    known = switch.to in scene.service.names and current == (switch.left,)
    gates = (scene.fit(switch.to),) if known else ()
    frozen = None if switch.command else rules.freeze(scene.state.freeze, scene.now)
    late = is_late(switch, scene.now)
    if late or frozen or not known or not all(gate.passed for gate in gates):
        return _give_up(scene, current, switch, (*gates, *([frozen] if frozen else [])), late)
    graceful = scene.service.policy.graceful
    due = switch.since + graceful.max_staleness + graceful.request_timeout + MARGIN
    if scene.now < due:
        seconds = round((due - scene.now).total_seconds())
        value = f"{switch.left} is fenced; {seconds} s until every client knows"
        return Wanted(scene.state, current, waiting=(Reason("switch", False, value),))
    lag = (*scene.lag(switch.to, (switch.left,)), *scene.knows(switch.to))
    if not all(gate.passed for gate in lag):
        state = replace(scene.state, switch=replace(switch, step=Step.DRAINING))
        return Wanted(state, current, waiting=lag)
    asked = f"command {switch.command}" if switch.command else "automatic failback"
    waited = round((scene.now - switch.since).total_seconds())
    done = Reason("switch", True, f"{switch.left} was fenced for {waited} s; asked for by {asked}")
    state = undisturbed(scene.state)
    if switch.command:
        state = left_by_hand(scene, state, current, switch.to)
    if switch.evacuate:
        state = to_be_drained(state, switch.left, Leave.EVACUATED)
    return Wanted(state, (switch.to,), Outcome.MOVED, (*gates, *lag, done))


def _give_up(
    scene: Scene, current: tuple[str, ...], switch: Switch, gates: tuple[Reason, ...], late: bool
) -> Wanted:
    why = "its deadline has come" if late else "it cannot be finished as things stand"
    value = f"the switch to {switch.to} is given up: {why}; {switch.left} takes writes again"
    limit = f"{switch.until - MARGIN:%H:%M:%S}"
    reasons = (*gates, Reason("switch", False, value, limit))
    state = replace(undisturbed(scene.state), given_up_at=scene.now)
    return Wanted(state, current, Outcome.ABANDONED, reasons)


def is_late(switch: Switch, now: datetime) -> bool:
    """Whether no commit of this switch may be sent any more."""
    return now > switch.until - MARGIN
