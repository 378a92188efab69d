"""What a human's command comes to. It passes the cooldown, and does not start it.

Commands are a sequence. Pub/Sub may deliver them late, twice and in any order, so each has a place:
when it was given, then its id. The document keeps, for each family, the place of the newest command
that was obeyed, and the rule `command` refuses every older one. What is obeyed therefore only rises
in that order, and the end is what the obeyed commands come to in the order they were given. A
command that is refused leaves everything as it was: the switch under way, and the order.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from orchestrator.core import attached, rules
from orchestrator.core.actors import claimed
from orchestrator.core.choice import NOT_PROBED, Scene, nowhere
from orchestrator.core.ground import undisturbed
from orchestrator.core.incidents import set_aside
from orchestrator.core.model import (
    Command,
    Family,
    Freeze,
    Given,
    Leave,
    Outcome,
    State,
    Verdict,
    Wish,
)
from orchestrator.core.paging import acknowledged, standing
from orchestrator.core.plan import carrying
from orchestrator.core.policy import Mode, Standby
from orchestrator.core.ramp import first_step
from orchestrator.core.rule import Cause, Reason, Rule
from orchestrator.core.switch import begin
from orchestrator.core.wanted import (
    Wanted,
    away,
    left_by_hand,
    lives,
    overridden,
    to_be_drained,
    whole,
)

AT = "%Y-%m-%d %H:%M:%S UTC"
"""How a time is told to people."""


def newest(state: State, command: Command, now: datetime) -> Given | None:
    """The place of the newest obeyed command of this one's family, if that is known.

    One that lies ahead of now by more than a minute does not count: a wrong clock gave it, and it
    would shut out every command until then. A freeze of an older version says itself when it began.
    """
    found = state.order.get(command.family)
    if found is None and command.family is Family.FREEZES and state.freeze:
        found = Given(state.freeze.since, "")
    latest = max(now, command.published or now)  # our clock may be slow
    return found if found and found.at <= latest + rules.AHEAD else None


def commanded(scene: Scene, current: tuple[str, ...], command: Command) -> Wanted:
    """What a human's command comes to. It passes the cooldown, and does not start it.

    An obeyed move ends the switch or ramp under way; a refused one leaves it.
    """
    if command.family is not Family.MOVES:
        return Wanted(scene.state, current, Outcome.OBEYED)
    made = _moved(replace(scene, state=undisturbed(scene.state)), current, command)
    if made.outcome is None:
        return replace(made, state=scene.state)
    return replace(made, state=_ordered(made.state, command))


def _moved(scene: Scene, current: tuple[str, ...], command: Command) -> Wanted:
    passive = scene.service.mode is Mode.ACTIVE_PASSIVE
    if command.region and command.region not in scene.service.names:
        value = f"{command.region} is not a region of {scene.service.name}"
        known = ", ".join(scene.service.names)
        return _refused(scene, current, Reason(Rule.COMMAND, False, value, known))
    match command.wish:
        case Wish.FAILOVER if passive:
            return _go(scene, current, command, command.region)
        case Wish.FAILOVER:
            value = "active-active: every healthy region carries traffic; evacuate or failback one"
            return _refused(scene, current, Reason(Rule.COMMAND, False, value, "active-passive"))
        case Wish.FAILBACK if passive:
            return _go(scene, current, command, scene.service.names[0])
        case Wish.FAILBACK:
            return _give_back(scene, current, command)
        case Wish.EVACUATE if passive:
            return _evacuate_primary(scene, current, command)
        case _:
            return _evacuate_one(scene, current, command)


def _ordered(state: State, command: Command) -> State:
    """The state in which this command is the newest that was obeyed of its family."""
    return replace(state, order={**state.order, command.family: command.given})


def obey(state: State, command: Command, now: datetime, done: int = 0) -> State:
    """The state with what a command says of automation itself; a move says nothing of it.

    done: the epoch that the load balancer carries, as far as it was seen.
    """
    match command.wish:
        case Wish.FREEZE:
            assert command.until is not None  # rules.command refuses a freeze without an end
            at = min(command.given.at, now)
            freeze = Freeze(command.until, command.actor, command.reason, at, done)
            return _ordered(replace(undisturbed(state), freeze=freeze), command)
        case Wish.UNFREEZE:
            return _ordered(replace(state, freeze=None), command)
        case Wish.ACK:
            at, pages = _acknowledged(state, command, now), acknowledged(state.pages)
            return _ordered(replace(state, acknowledged_at=at, pages=pages), command)
        case _:
            return state


def effect(state: State, command: Command, now: datetime) -> tuple[Reason, ...]:
    """What a command does to automation itself, for people. state: as it was before it."""
    match command.wish:
        case Wish.FREEZE:
            assert command.until is not None  # as above
            value = f"frozen until {command.until:{AT}}{_replaced(state, now)}"
            return (_told(command, value),)
        case Wish.UNFREEZE:
            return (_told(command, _thawing(state, now)),)
        case Wish.ACK:
            return (_told(command, _silenced(state, command, now)),)
        case _:
            return ()


def _told(command: Command, value: str) -> Reason:
    return Reason(Rule(command.wish), True, value)


def _standing(state: State, now: datetime) -> Freeze | None:
    return state.freeze if state.freeze and state.freeze.until > now else None


def _replaced(state: State, now: datetime) -> str:
    freeze = _standing(state, now)
    if freeze is None:
        return ""
    return f"; replaces the freeze of {claimed(freeze.actor)} until {freeze.until:{AT}}"


def _thawing(state: State, now: datetime) -> str:
    freeze = _standing(state, now)
    if freeze is None:
        return "nothing was frozen"
    return f"the freeze of {claimed(freeze.actor)} until {freeze.until:{AT}} is ended"


def _silenced(state: State, command: Command, now: datetime) -> str:
    """What an `ack` changes: the moves that no longer count, and the pages that stay quiet."""
    known, before = _acknowledged(state, command, now), state.acknowledged_at
    seen = [move for move in state.moves if move.at <= known]
    fresh = sum(1 for move in seen if before is None or move.at > before)
    pages = [name for name, page in standing(state.pages, now).items() if not page.quiet]
    told = [f"{rules.counted(fresh, 'automatic move')} acknowledged"] if fresh else []
    if pages:
        listed = ", ".join(sorted(pages))
        told.append(f"reminders of {rules.counted(len(pages), 'page')} stop: {listed}")
    return ", ".join(told) or "nothing to acknowledge"


def _acknowledged(state: State, command: Command, now: datetime) -> datetime:
    """What its giver could know of; never of what is still to come, and never less than before."""
    known = min(command.given.at, now)
    return max(known, state.acknowledged_at or known)


def _refused(scene: Scene, current: tuple[str, ...], *reasons: Reason) -> Wanted:
    return Wanted(scene.state, current, None, reasons)


def _go(scene: Scene, current: tuple[str, ...], command: Command, to: str) -> Wanted:
    """Go to that region: gracefully while the one that is left lives, else at once."""
    if current == (to,):
        if _is_undecided(scene, current):
            return _first_decision(scene, current, command)
        state = _chosen(scene, to, command)
        value = f"{to} carries the traffic already"
        return Wanted(state, current, Outcome.OBEYED, (Reason(Rule.COMMAND, True, value),))
    if scene.service.standby is Standby.ATTACHED and not scene.movable(to):
        return attached.first(scene, current, to, command)
    if not command.now and current and all(lives(scene, name) for name in current):
        return _go_gracefully(scene, current, command, to)
    gates = (_fit(scene, to, command), *_lag(scene, to, current, command))
    if not all(gate.passed for gate in gates):
        return _refused(scene, current, *gates)
    state = left_by_hand(scene, _chosen(scene, to, command), current, to)
    if _drains(scene, command):
        state = to_be_drained(state, command.region, Leave.EVACUATED)
    return Wanted(state, (to,), Outcome.MOVED, gates)


def _is_undecided(scene: Scene, current: tuple[str, ...]) -> bool:
    """Whether the load balancer has at epoch 0 something else than the document says.

    From epoch 1 on every shift puts such a difference right; at epoch 0 nothing is touched.
    """
    if scene.state.epoch or scene.routing is None:
        return False
    given, wanted = _given(scene), set(current)
    return not given >= wanted if scene.service.standby is Standby.ATTACHED else given != wanted


def _given(scene: Scene) -> set[str]:
    """The regions that get traffic, as the load balancer was read."""
    return set(carrying(scene.routing, scene.service)) if scene.routing else set()


def _first_decision(scene: Scene, current: tuple[str, ...], command: Command) -> Wanted:
    """Have the load balancer do as the document says: whoever of these is well gets the traffic."""
    gates = {name: _well(scene, name, command) for name in current}
    regions = tuple(name for name, gate in gates.items() if gate.passed)
    if not regions:
        return _refused(scene, current, *gates.values())
    for name in regions:
        scene = replace(scene, state=_chosen(scene, name, command))
    left = sorted(_given(scene) - set(regions))
    state = left_by_hand(scene, scene.state, left, regions[0])
    return Wanted(state, regions, Outcome.MOVED, tuple(gates.values()))


def _well(scene: Scene, name: str, command: Command) -> Reason:
    """Whether the region is up, answers its probe and has a backend; no override gives it one."""
    gate = scene.well(name)
    return overridden((gate,), command)[0] if scene.has_backend(name) else gate


def _lag(scene: Scene, to: str, current: tuple[str, ...], command: Command) -> tuple[Reason, ...]:
    """Whether the target's replica is near enough, as far as this command asks for it.

    Who overrides `target_healthy` goes to a region that gives no healthy answer. Such a region
    cannot tell its lag either, and a command overrides one rule only, so that lag is let pass.
    """
    gates = overridden(scene.lag(to, current), command)
    silent = scene.probes.get(to, NOT_PROBED).verdict is not Verdict.HEALTHY
    if command.override != Rule.TARGET_HEALTHY or not silent:
        return gates
    return overridden(gates, replace(command, override=Rule.REPLICATION_LAG))


def _go_gracefully(scene: Scene, current: tuple[str, ...], command: Command, to: str) -> Wanted:
    """Begin a switch. It asks its rules again before it moves, so none can be overridden here.

    A replica that is behind is waited for later. One whose lag nobody knows is not waited for: the
    old primary would take no writes until the deadline, for nothing.
    """
    why = f"; {current[0]} lives, and a graceful switch asks again: --override needs --now"
    lag = (
        gate
        for gate in scene.lag(to, current)
        if gate.rule == command.override or (gate.cause is Cause.UNKNOWN_LAG and not gate.passed)
    )
    gates = tuple(
        replace(gate, value=gate.value + why, cause=Cause.NEEDS_NOW)
        if gate.rule == command.override and not gate.passed
        else gate
        for gate in (scene.fit(to), *lag)
    )
    if not all(gate.passed for gate in gates):
        return _refused(scene, current, *gates)
    if command.wish is Wish.FAILBACK:
        scene = replace(scene, state=attached.freed(scene.state))
    drains = _drains(scene, command)
    return begin(scene, current[0], to, command.id, gates, evacuate=drains)


def _drains(scene: Scene, command: Command) -> bool:
    """Whether the region that is left is to lose its capacity, too."""
    return scene.service.standby is Standby.ATTACHED and command.wish is Wish.EVACUATE


def _chosen(scene: Scene, to: str, command: Command) -> State:
    """The state in which a human has chosen the region: by a failback, none stays evacuated."""
    state = set_aside(scene.state, to, scene.now, command.actor)
    return attached.freed(state) if command.wish is Wish.FAILBACK else state


def _fit(scene: Scene, name: str, command: Command) -> Reason:
    """Whether the region may be given traffic; no override gives it a backend."""
    gate = scene.fit(name)
    return overridden((gate,), command)[0] if scene.movable(name) else gate


def _evacuate_primary(scene: Scene, current: tuple[str, ...], command: Command) -> Wanted:
    if command.region not in current:
        if scene.service.standby is Standby.ATTACHED:
            return attached.evacuated(scene, current, command.region)
        if _is_undecided(scene, current) and command.region in _given(scene):
            return _first_decision(scene, current, command)
        value = f"{command.region} carries no traffic"
        return Wanted(scene.state, current, Outcome.OBEYED, (Reason(Rule.COMMAND, True, value),))
    gates: list[Reason] = []
    ready = [name for name in scene.service.names if scene.movable(name)]
    for name in dict.fromkeys((*ready, *scene.service.names)):
        if name != command.region:
            went = _go(scene, current, command, name)
            if went.outcome is not None:
                return replace(went, reasons=(*gates, *went.reasons))
            gates += went.reasons
    last = Reason(Rule.LAST_REGION, False, nowhere(gates), "fail open: the routing stays")
    return _refused(scene, current, *gates, last)


def _evacuate_one(scene: Scene, current: tuple[str, ...], command: Command) -> Wanted:
    stay = tuple(name for name in current if name != command.region)
    if len(stay) == len(current):
        value = f"{command.region} carries no traffic"
        return Wanted(scene.state, current, Outcome.OBEYED, (Reason(Rule.COMMAND, True, value),))
    fit = [_fit(scene, name, command) for name in stay]
    if not any(gate.passed for gate in fit):
        value = "no region that stays is up and answers its probe"
        last = Reason(Rule.LAST_REGION, False, value, "fail open: the routing stays")
        return _refused(scene, current, *fit, last)
    unused = scene.unused((command.region,))
    spare = rules.min_healthy_regions(scene.service.policy, scene.state.regions, unused)
    gates = overridden((spare,), command)
    if not all(gate.passed for gate in gates):
        return _refused(scene, current, *gates)
    gone = tuple(dict.fromkeys((*scene.state.evacuated, command.region)))
    state = replace(scene.state, ceilings=whole(scene.state, stay), evacuated=gone)
    return Wanted(state, stay, Outcome.MOVED, (*fit, *gates))


def _give_back(scene: Scene, current: tuple[str, ...], command: Command) -> Wanted:
    missing = away(scene, current)
    if not missing:
        if _is_undecided(scene, current):
            return _first_decision(scene, current, command)
        value = "every region carries traffic already"
        return Wanted(scene.state, current, Outcome.OBEYED, (Reason(Rule.COMMAND, True, value),))
    gates: list[Reason] = []
    for name in missing:
        gates.append(_fit(scene, name, command))
        if gates[-1].passed:
            state = set_aside(scene.state, name, scene.now, command.actor)
            chosen = replace(scene, state=state)
            return first_step(chosen, current, name, tuple(gates))
    return _refused(scene, current, *gates)
