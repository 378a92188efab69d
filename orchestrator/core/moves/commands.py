"""The decision on an operator's command to move. It passes the cooldown, and does not start it.

An obeyed move ends the switch or ramp under way. A command that is refused changes neither the
switch under way nor the order of commands (`orchestrator.core.document.orders`). PURE.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.core import rules
from orchestrator.core.case import Case
from orchestrator.core.document import attached, orders
from orchestrator.core.document.ground import undisturbed
from orchestrator.core.health.incidents import set_aside
from orchestrator.core.model import (
    Command,
    DecisionOutcome,
    Family,
    Leave,
    State,
    Verdict,
    Wish,
)
from orchestrator.core.moves import standbys
from orchestrator.core.moves.necessary import FAIL_OPEN, nowhere
from orchestrator.core.moves.ramp import first_step
from orchestrator.core.moves.switch import begin
from orchestrator.core.proposal import (
    Proposal,
    away,
    left_by_hand,
    overridden,
    refused,
    step,
    to_be_drained,
    whole,
)
from orchestrator.core.rule import Cause, Reason, Rule, all_pass
from orchestrator.core.traffic.plan import carrying


def commanded(case: Case, command: Command) -> Proposal:
    """The proposal for the command. The state has already what it says about automation itself."""
    if command.family is not Family.MOVES:
        return Proposal(case.state, outcome=DecisionOutcome.OBEYED)
    proposal = _moved(replace(case, state=undisturbed(case.state)), command)
    if proposal.outcome is None:
        return replace(proposal, state=case.state)
    return replace(proposal, state=orders.ordered(proposal.state, command))


def _moved(case: Case, command: Command) -> Proposal:
    if command.region and command.region not in case.service.names:
        value = f"{command.region} is not a region of {case.service.name}"
        known = ", ".join(case.service.names)
        return refused(case, Reason(Rule.COMMAND, False, value, known))
    return _moved_alone(case, command) if case.passive else _moved_among(case, command)


def _moved_alone(case: Case, command: Command) -> Proposal:
    """One region at a time carries the traffic."""
    match command.wish:
        case Wish.FAILOVER:
            return _go(case, command, command.region)
        case Wish.FAILBACK:
            return _go(case, command, case.service.names[0])
        case _:
            return _evacuate_primary(case, command)


def _moved_among(case: Case, command: Command) -> Proposal:
    """Several regions carry the traffic."""
    match command.wish:
        case Wish.FAILOVER:
            value = "in active-active mode every healthy region carries traffic. Use `evacuate`"
            value += " or `failback`"
            return refused(case, Reason(Rule.COMMAND, False, value, "active-passive"))
        case Wish.FAILBACK:
            return _give_back(case, command)
        case _:
            return _evacuate_one(case, command)


def _nothing_to_do(state: State, value: str) -> Proposal:
    """The command is carried out already."""
    done = Reason(Rule.COMMAND, True, value)
    return Proposal(state, outcome=DecisionOutcome.OBEYED, reasons=(done,))


# --- one region carries the traffic ---------------------------------------------------------------


def _go(case: Case, command: Command, to: str) -> Proposal:
    """Go to that region: gracefully while the one that is left lives, else at once."""
    if case.carrying == (to,):
        return _stay(case, command, to)
    if case.keeps_standbys and not case.movable(to):
        return standbys.first(case, to, command)
    if not command.now and case.carrying and all(case.lives(name) for name in case.carrying):
        return _go_gracefully(case, command, to)
    return _go_now(case, command, to)


def _stay(case: Case, command: Command, to: str) -> Proposal:
    """The region carries the traffic by the document; at epoch 0 perhaps by nothing else."""
    if _is_undecided(case):
        return _first_decision(case, command)
    return _nothing_to_do(_chosen(case, to, command), f"{to} carries the traffic already")


def _go_now(case: Case, command: Command, to: str) -> Proposal:
    gates = (_fit(case, to, command), *_lag(case, to, command))
    if not all_pass(gates):
        return refused(case, *gates)
    state = left_by_hand(case, _chosen(case, to, command), case.carrying, to)
    if _drains(case, command):
        state = to_be_drained(state, command.region, Leave.EVACUATED)
    return step(case, state, (to,), DecisionOutcome.MOVED, gates)


def _go_gracefully(case: Case, command: Command, to: str) -> Proposal:
    """Begin a switch. It asks its rules again before it moves, so none can be overridden here."""
    gates = tuple(_asked_again(case, gate, command) for gate in _before_a_switch(case, command, to))
    if not all_pass(gates):
        return refused(case, *gates)
    if command.wish is Wish.FAILBACK:
        case = replace(case, state=attached.freed(case.state))
    drains = _drains(case, command)
    return begin(case, case.carrying[0], to, command.id, gates, evacuate=drains)


def _before_a_switch(case: Case, command: Command, to: str) -> tuple[Reason, ...]:
    """The gates that must pass before the old primary is fenced.

    A replica that is behind is waited for later. One whose lag nobody knows is not waited for: the
    old primary would take no writes until the deadline, for nothing.
    """
    lag = (
        gate
        for gate in case.lag(to, case.carrying)
        if gate.rule == command.override or (gate.cause is Cause.UNKNOWN_LAG and not gate.passed)
    )
    return (case.fit(to), *lag, *_frozen_since(case, command))


def _frozen_since(case: Case, command: Command) -> tuple[Reason, ...]:
    """The refusal of a freeze that was given after this command.

    A freeze ends a switch and a ramp. So a command of before it begins none, if it arrives later.
    """
    freeze = case.state.order.get(Family.FREEZES)
    return case.frozen() if freeze is not None and command.given < freeze else ()


def _asked_again(case: Case, gate: Reason, command: Command) -> Reason:
    """The gate; where it is the one to be overridden, with why that needs a move at once."""
    if gate.passed or gate.rule != command.override:
        return gate
    lives = case.carrying[0]
    why = f". {lives} works, so the switch is graceful and asks again: --override needs --now"
    return replace(gate, value=gate.value + why, cause=Cause.NEEDS_NOW)


def _evacuate_primary(case: Case, command: Command) -> Proposal:
    if command.region not in case.carrying:
        return _evacuate_idle(case, command)
    gates: list[Reason] = []
    ready = [name for name in case.service.names if case.movable(name)]
    for name in dict.fromkeys((*ready, *case.service.names)):
        if name != command.region:
            proposal = _go(case, command, name)
            if proposal.outcome is not None:
                return replace(proposal, reasons=(*gates, *proposal.reasons))
            gates += proposal.reasons
    last = Reason(Rule.LAST_REGION, False, nowhere(gates), FAIL_OPEN)
    return refused(case, *gates, last)


def _evacuate_idle(case: Case, command: Command) -> Proposal:
    """The region carries no traffic by the document."""
    if case.keeps_standbys:
        return standbys.evacuated(case, command.region)
    if _is_undecided(case) and command.region in _given(case):
        return _first_decision(case, command)
    return _nothing_to_do(case.state, f"{command.region} carries no traffic")


# --- the first decision ---------------------------------------------------------------------------


def _is_undecided(case: Case) -> bool:
    """Whether the load balancer has at epoch 0 something else than the document says.

    From epoch 1 on every shift puts such a difference right; at epoch 0 nothing is touched.
    """
    if case.state.epoch or case.routing is None:
        return False
    given, desired = _given(case), set(case.carrying)
    return not given >= desired if case.keeps_standbys else given != desired


def _given(case: Case) -> set[str]:
    """The regions that get traffic, as the load balancer was read."""
    return set(carrying(case.routing, case.service)) if case.routing else set()


def _first_decision(case: Case, command: Command) -> Proposal:
    """Have the load balancer do as the document says: each of these that is well gets traffic."""
    gates = {name: _well(case, name, command) for name in case.carrying}
    regions = tuple(name for name, gate in gates.items() if gate.passed)
    if not regions:
        return refused(case, *gates.values())
    for name in regions:
        case = replace(case, state=_chosen(case, name, command))
    left = sorted(_given(case) - set(regions))
    state = left_by_hand(case, case.state, left, regions[0])
    return step(case, state, regions, DecisionOutcome.MOVED, tuple(gates.values()))


# --- several regions carry the traffic ------------------------------------------------------------


def _evacuate_one(case: Case, command: Command) -> Proposal:
    stay = case.staying((command.region,))
    if stay == case.carrying:
        return _nothing_to_do(case.state, f"{command.region} carries no traffic")
    fit = [_fit(case, name, command) for name in stay]
    if not any(gate.passed for gate in fit):
        value = "no region that stays is up and answers its probe"
        return refused(case, *fit, Reason(Rule.LAST_REGION, False, value, FAIL_OPEN))
    unused = case.unused((command.region,))
    spare = rules.min_healthy_regions(case.service.policy, case.state.regions, unused)
    gates = overridden((spare,), command)
    if not all_pass(gates):
        return refused(case, *gates)
    gone = tuple(dict.fromkeys((*case.state.evacuated, command.region)))
    state = replace(case.state, ceilings=whole(case.state, stay), evacuated=gone)
    return step(case, state, stay, DecisionOutcome.MOVED, (*fit, *gates))


def _give_back(case: Case, command: Command) -> Proposal:
    missing = away(case)
    if not missing:
        if _is_undecided(case):
            return _first_decision(case, command)
        return _nothing_to_do(case.state, "every region carries traffic already")
    gates = list(_frozen_since(case, command))
    for name in missing:
        gates.append(_fit(case, name, command))
        if all_pass((*_frozen_since(case, command), gates[-1])):
            state = set_aside(case.state, name, case.now, command.actor)
            return first_step(replace(case, state=state), name, tuple(gates))
    return refused(case, *gates)


# --- what a command asks --------------------------------------------------------------------------


def _fit(case: Case, name: str, command: Command) -> Reason:
    """Whether the region may be given traffic; no override gives it a backend."""
    gate = case.fit(name)
    return overridden((gate,), command)[0] if case.movable(name) else gate


def _well(case: Case, name: str, command: Command) -> Reason:
    """Whether the region is up, answers its probe and has a backend; no override gives it one."""
    gate = case.well(name)
    return overridden((gate,), command)[0] if case.has_backend(name) else gate


def _lag(case: Case, to: str, command: Command) -> tuple[Reason, ...]:
    """Whether the target's replica is near enough, as far as this command asks for it.

    An operator who overrides `target_healthy` goes to a region that gives no healthy answer. Such a
    region cannot tell its lag either, and a command overrides one rule only, so that lag passes.
    """
    gates = overridden(case.lag(to, case.carrying), command)
    silent = case.probe(to).verdict is not Verdict.HEALTHY
    if command.override != Rule.TARGET_HEALTHY or not silent:
        return gates
    return overridden(gates, replace(command, override=Rule.REPLICATION_LAG))


def _chosen(case: Case, to: str, command: Command) -> State:
    """The state in which a human has chosen the region: by a failback, none stays evacuated."""
    state = set_aside(case.state, to, case.now, command.actor)
    return attached.freed(state) if command.wish is Wish.FAILBACK else state


def _drains(case: Case, command: Command) -> bool:
    """Whether the region that is left is to lose its capacity, too."""
    return case.keeps_standbys and command.wish is Wish.EVACUATE
