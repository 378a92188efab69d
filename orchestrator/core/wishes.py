"""Moves that nobody needs: what a human commands, a graceful switch, a ramp, a failback.

None of them is made while a region that carries traffic must be left: a necessary move comes first
and ends them. Each is a step that one decision takes; the next signal takes the next, so that
nothing is held open. Whatever is given up leaves the traffic where it is.

    graceful switch   fencing -> (draining ->) the traffic moves, in one epoch
                      the old primary takes no writes until `fenced_until`; one `max_staleness` and
                      the longest request pass; the replica catches up; past the deadline nothing
                      has moved, and the old primary takes writes again
    ramp              a region gets its traffic back by steps, each an epoch; a new incident takes
                      all of it away again
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from orchestrator.core import rules
from orchestrator.core.choice import NOT_PROBED, Scene
from orchestrator.core.ground import undisturbed
from orchestrator.core.incidents import live, set_aside
from orchestrator.core.model import (
    Command,
    Freeze,
    Outcome,
    Ramp,
    Reason,
    State,
    Status,
    Step,
    Switch,
    Tick,
    Verdict,
    Wish,
)
from orchestrator.core.plan import lever_of
from orchestrator.core.policy import Failback, Lever, Mode

MOVING = frozenset({Wish.FAILOVER, Wish.FAILBACK, Wish.EVACUATE})
"""The commands that ask for a move."""

MARGIN = timedelta(seconds=5)
"""What a commit may take until it is seen: the fence is counted from so much after its decision,
and the commit that ends a switch is sent no later than this before the fence opens."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be beyond what is needed.

    regions: to carry the traffic. outcome: None when there is nothing to do, or a gate refused.
    left: what the move leaves, for the record. waiting: gates of a move that is merely not due.
    """

    state: State
    regions: tuple[str, ...]
    outcome: Outcome | None = None
    reasons: tuple[Reason, ...] = ()
    waiting: tuple[Reason, ...] = field(default=())


def wanted(scene: Scene, current: tuple[str, ...]) -> Wanted:
    """The next step of whatever is wished for. current: the regions that carry traffic now."""
    state, signal = scene.state, scene.signal
    if isinstance(signal, Command):
        return commanded(scene, current, signal)
    if state.switch is not None:
        return _advance(scene, current, state.switch)
    if state.ramp is not None:
        return _climb(scene, current, state.ramp)
    if isinstance(signal, Tick) and scene.service.policy.failback is Failback.AUTO:
        return _failback(scene, current)
    return Wanted(state, current)


def is_ending(state: State, now: datetime) -> bool:
    """Whether something under way is to end now, whatever else is held.

    A ramp, when something is known against the region it brings back; a switch, at its deadline.
    """
    if state.switch is not None:
        return _is_late(state.switch, now)
    return state.ramp is not None and bool(live(state.incidents, state.ramp.region))


def _is_late(switch: Switch, now: datetime) -> bool:
    return now > switch.until - MARGIN


def whole(state: State, regions: Iterable[str]) -> Mapping[str, float]:
    """The ceilings with which those of these regions that have one carry all they can."""
    return {name: 1.0 for name in regions if name in state.ceilings}


# --- commands ------------------------------------------------------------------------------------


def commanded(scene: Scene, current: tuple[str, ...], command: Command) -> Wanted:
    """What a human's command comes to. It passes the cooldown, and does not start it."""
    passive = scene.service.mode is Mode.ACTIVE_PASSIVE
    if command.region and command.region not in scene.service.names:
        value = f"{command.region} is not a region of {scene.service.name}"
        known = ", ".join(scene.service.names)
        return _refused(scene, current, Reason("command", False, value, known))
    match command.wish:
        case Wish.FREEZE | Wish.UNFREEZE | Wish.ACK:
            return Wanted(scene.state, current, Outcome.OBEYED)
        case Wish.FAILOVER if passive:
            return _go(scene, current, command, command.region)
        case Wish.FAILOVER:
            value = "active-active: every healthy region carries traffic; evacuate or failback one"
            return _refused(scene, current, Reason("command", False, value, "active-passive"))
        case Wish.FAILBACK if passive:
            return _go(scene, current, command, scene.service.names[0])
        case Wish.FAILBACK:
            return _give_back(scene, current, command)
        case Wish.EVACUATE if passive:
            return _evacuate_primary(scene, current, command)
        case Wish.EVACUATE:
            return _evacuate_one(scene, current, command)


def obey(state: State, command: Command, now: datetime, done: int = 0) -> State:
    """The state with what a command says of automation itself.

    done: the epoch that the load balancer carries, as far as it was seen.
    """
    match command.wish:
        case Wish.FREEZE:
            assert command.until is not None  # the parser refuses a freeze without an end
            at = command.issued_at
            freeze = Freeze(command.until, command.actor, command.reason, at, done)
            return replace(undisturbed(state), freeze=freeze)
        case Wish.UNFREEZE if state.freeze and command.issued_at < state.freeze.since:
            return state  # it was given before that freeze, and came late
        case Wish.UNFREEZE:
            return replace(state, freeze=None)
        case Wish.ACK:
            return replace(state, acknowledged_at=_acknowledged(state, command, now))
        case _:
            return undisturbed(state)


def _acknowledged(state: State, command: Command, now: datetime) -> datetime:
    """What its giver could know of; never of what is still to come, and never less than before."""
    known = min(command.issued_at, now)
    return max(known, state.acknowledged_at or known)


def _refused(scene: Scene, current: tuple[str, ...], *reasons: Reason) -> Wanted:
    return Wanted(scene.state, current, None, reasons)


def _go(scene: Scene, current: tuple[str, ...], command: Command, to: str) -> Wanted:
    """Go to that region: gracefully while the one that is left lives, else at once."""
    if current == (to,):
        state = set_aside(scene.state, to, scene.now)
        value = f"{to} carries the traffic already"
        return Wanted(state, current, Outcome.OBEYED, (Reason("command", True, value),))
    gates = (_fit(scene, to, command), *_overridden(scene.lag(to, current), command))
    hurried = command.now or not current or not all(_lives(scene, name) for name in current)
    if not hurried:  # the replica is waited for later
        gates = tuple(gate for gate in gates if gate.rule != "replication_lag")
    if not all(gate.passed for gate in gates):
        return _refused(scene, current, *gates)
    state = set_aside(scene.state, to, scene.now)
    if hurried:
        return Wanted(_left(scene, state, current, to), (to,), Outcome.MOVED, gates)
    return _begin(replace(scene, state=state), current[0], to, command.id, gates)


def _left(scene: Scene, state: State, left: Iterable[str], to: str) -> State:
    """The state that remembers where a human took the traffic away from.

    Going to the preferred region is going home, and leaves nothing to remember.
    """
    if to == scene.service.names[0]:
        return replace(state, evacuated=())
    return replace(state, evacuated=tuple(dict.fromkeys((*state.evacuated, *left))))


def _overridden(gates: Iterable[Reason], command: Command) -> tuple[Reason, ...]:
    """The gates, with the refusal of the one rule that the human named taken back, by name."""
    return tuple(
        replace(gate, passed=True, value=f"{gate.value}; overridden by {command.actor}")
        if not gate.passed and gate.rule == command.override
        else gate
        for gate in gates
    )


def _fit(scene: Scene, name: str, command: Command) -> Reason:
    """Whether the region may be given traffic; no override gives it a backend."""
    gate = scene.fit(name)
    return _overridden((gate,), command)[0] if scene.movable(name) else gate


def _lives(scene: Scene, name: str) -> bool:
    """Whether nothing says that the region fails: then it may still be taking writes."""
    probe = scene.probes.get(name, NOT_PROBED)
    return scene.state.regions[name].status is Status.UP and probe.verdict is not Verdict.FAILING


def _evacuate_primary(scene: Scene, current: tuple[str, ...], command: Command) -> Wanted:
    if command.region not in current:
        value = f"{command.region} carries no traffic"
        return Wanted(scene.state, current, Outcome.OBEYED, (Reason("command", True, value),))
    gates: list[Reason] = []
    for name in scene.service.names:
        if name != command.region:
            went = _go(scene, current, command, name)
            if went.outcome is not None:
                return replace(went, reasons=(*gates, *went.reasons))
            gates += went.reasons
    value = "no other region is up, answers its probe and is near enough"
    last = Reason("last_region", False, value, "fail open: the routing stays")
    return _refused(scene, current, *gates, last)


def _evacuate_one(scene: Scene, current: tuple[str, ...], command: Command) -> Wanted:
    stay = tuple(name for name in current if name != command.region)
    if len(stay) == len(current):
        value = f"{command.region} carries no traffic"
        return Wanted(scene.state, current, Outcome.OBEYED, (Reason("command", True, value),))
    fit = [_fit(scene, name, command) for name in stay]
    if not any(gate.passed for gate in fit):
        value = "no region that stays is up and answers its probe"
        last = Reason("last_region", False, value, "fail open: the routing stays")
        return _refused(scene, current, *fit, last)
    unused = scene.unused((command.region,))
    spare = rules.min_healthy_regions(scene.service.policy, scene.state.regions, unused)
    gates = _overridden((spare,), command)
    if not all(gate.passed for gate in gates):
        return _refused(scene, current, *gates)
    gone = tuple(dict.fromkeys((*scene.state.evacuated, command.region)))
    state = replace(scene.state, ceilings=whole(scene.state, stay), evacuated=gone)
    return Wanted(state, stay, Outcome.MOVED, (*fit, *gates))


def _give_back(scene: Scene, current: tuple[str, ...], command: Command) -> Wanted:
    away = _away(scene, current)
    if not away:
        value = "every region carries traffic already"
        return Wanted(scene.state, current, Outcome.OBEYED, (Reason("command", True, value),))
    gates: list[Reason] = []
    for name in away:
        gates.append(_fit(scene, name, command))
        if gates[-1].passed:
            chosen = replace(scene, state=set_aside(scene.state, name, scene.now))
            return _first_step(chosen, current, name, tuple(gates))
    return _refused(scene, current, *gates)


def _away(scene: Scene, current: tuple[str, ...]) -> tuple[str, ...]:
    """The regions that do not carry all that they can, in order of preference."""
    part = {name for name, share in scene.state.ceilings.items() if share < 1}
    return tuple(n for n in scene.service.names if n not in current or n in part)


# --- the graceful switch -------------------------------------------------------------------------


def _begin(scene: Scene, left: str, to: str, command: str, gates: tuple[Reason, ...]) -> Wanted:
    """Fence the old primary: its clients stop writing as they read this document."""
    state, now = scene.state, scene.now
    until = now + scene.service.policy.graceful.deadline
    regions = {**state.regions, left: replace(state.regions[left], fenced_until=until)}
    switch = Switch(to, left, Step.FENCING, now, until, command)
    state = replace(state, regions=regions, switch=switch)
    value = f"{left} takes no writes until {until:%H:%M:%S}; then the traffic goes to {to}"
    return Wanted(state, (left,), Outcome.SWITCHING, (*gates, Reason("switch", True, value)))


def _advance(scene: Scene, current: tuple[str, ...], switch: Switch) -> Wanted:
    """Wait, move, or give the switch up."""
    known = switch.to in scene.service.names and current == (switch.left,)
    gates = (scene.fit(switch.to),) if known else ()
    frozen = None if switch.command else rules.freeze(scene.state.freeze, scene.now)
    late = _is_late(switch, scene.now)
    if late or frozen or not known or not all(gate.passed for gate in gates):
        return _give_up(scene, current, switch, (*gates, *([frozen] if frozen else [])), late)
    graceful = scene.service.policy.graceful
    due = switch.since + graceful.max_staleness + graceful.request_timeout + MARGIN
    if scene.now < due:
        seconds = round((due - scene.now).total_seconds())
        value = f"{switch.left} is fenced; {seconds} s until every client knows"
        return Wanted(scene.state, current, waiting=(Reason("switch", False, value),))
    lag = scene.lag(switch.to, (switch.left,))
    if not all(gate.passed for gate in lag):
        state = replace(scene.state, switch=replace(switch, step=Step.DRAINING))
        return Wanted(state, current, waiting=lag)
    asked = f"command {switch.command}" if switch.command else "automatic failback"
    waited = round((scene.now - switch.since).total_seconds())
    done = Reason("switch", True, f"{switch.left} was fenced for {waited} s; asked for by {asked}")
    state = undisturbed(scene.state)
    if switch.command:
        state = _left(scene, state, current, switch.to)
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


# --- the ramp ------------------------------------------------------------------------------------


def _first_step(
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
    return Wanted(state, regions, Outcome.RAMPED, (*gates, Reason("ramp", True, value)))


def _others(ceilings: Mapping[str, float], region: str) -> dict[str, float]:
    return {name: share for name, share in ceilings.items() if name != region and share < 1}


def _climb(scene: Scene, current: tuple[str, ...], ramp: Ramp) -> Wanted:
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
        value = f"step {ramp.step + 1} of {len(policy.ramp)}, the next is due at {due:%H:%M:%S}"
        waiting = (*([frozen] if frozen else []), gate, Reason("ramp", False, value))
        return Wanted(state, current, waiting=waiting)
    return _step(scene, current, ramp.region, policy.ramp, (gate,))


def _roll_back(scene: Scene, current: tuple[str, ...], ramp: Ramp, why: str) -> Wanted:
    stay = tuple(name for name in current if name != ramp.region)
    frozen = rules.freeze(scene.state.freeze, scene.now)
    if frozen or not any(scene.fit(name).passed for name in stay):
        return Wanted(scene.state, current, waiting=(frozen,) if frozen else ())
    ceilings = _others(scene.state.ceilings, ramp.region)
    state = replace(scene.state, ramp=None, ceilings=ceilings, given_up_at=scene.now)
    reason = Reason("ramp", False, f"ended by {why}: {ramp.region} gives its traffic back again")
    return Wanted(state, stay, Outcome.ABANDONED, (reason,))


# --- automatic failback --------------------------------------------------------------------------


def _failback(scene: Scene, current: tuple[str, ...]) -> Wanted:
    """Give the preferred region its traffic back when it has been well for long enough."""
    passive = scene.service.mode is Mode.ACTIVE_PASSIVE
    preferred = [name for name in scene.service.names[:1] if name not in current]
    waiting: list[Reason] = []
    for region in preferred if passive else _away(scene, current):
        gates = _failback_gates(scene, current, region)
        waiting += gates
        if not current or not all(gate.passed for gate in gates):
            continue
        if not passive:
            return _first_step(scene, current, region, gates)
        if all(_lives(scene, name) for name in current):
            return _begin(scene, current[0], region, "", gates)
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
