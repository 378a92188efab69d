"""The necessary move: traffic leaves the regions that are down, when every rule lets it.

A region that is down is left when every rule lets it be left. A region that stays and is proven
takes over. Else it is the first in order of preference that is up, answers its probe and was not
left by automation within the cooldown. As a last resort it is one that was left within the cooldown
and has proven healthy since. If there is none the routing stays as it is. PURE.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.core import rules
from orchestrator.core.case import NOT_PROBED, Case
from orchestrator.core.document.ground import undisturbed
from orchestrator.core.health.incidents import is_blind, live
from orchestrator.core.model import DecisionOutcome, State, Verdict
from orchestrator.core.moves.switch import is_late
from orchestrator.core.proposal import Proposal, whole
from orchestrator.core.rule import Reason, Rule, all_pass, refusals

FAIL_OPEN = "a region must remain that can serve, else the traffic stays"
"""The limit of a refusal because no other region can serve."""

Asked = dict[str, tuple[Reason, ...]]
"""The gates of each region that was asked."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The regions that must carry traffic, and the gates on the way there."""

    regions: tuple[str, ...]
    left: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()


def necessary(case: Case) -> Proposal:
    """The move that users need now, or why it is refused; nothing where nothing is needed.

    An epoch is also due when the document itself asks for one: a newer configuration, or traffic
    that is adopted from the load balancer (`Ground.outcome`).
    """
    due, frozen = case.ground.outcome, case.frozen()
    choice = choose(case, () if frozen else case.ground.joining)
    changes = set(choice.regions) != set(case.state.routing)
    # A freeze stops every move but following a newer mark: that one has been made already.
    stopped = frozen and due is not DecisionOutcome.ADOPTED
    if not choice.regions or stopped or not (due or changes):
        return Proposal(case.state, reasons=choice.reasons)
    if not changes:
        state = _without_late_switch(case.state, case.now)
        return Proposal(state, choice.regions, due, choice.reasons, choice.left)
    outcome = DecisionOutcome.MOVED if choice.left else due or DecisionOutcome.MOVED
    reasons = (*choice.reasons, *_not_configured(case))
    return Proposal(
        _calmed(case.state, choice.regions), choice.regions, outcome, reasons, choice.left
    )


def is_held(proposal: Proposal) -> bool:
    """Whether a move is needed and a rule refuses it: then no optional move is made either."""
    return not proposal.acts and bool(refusals(proposal.reasons))


def choose(case: Case, joining: Collection[str] = ()) -> Choice:
    """Leave the regions that are down if every rule lets us; find one to go to if none is left.

    joining: those that are to carry traffic too, if they prove healthy.
    """
    choice = _leave(case)
    if not choice.regions or not joining:
        return choice
    asked = {name: _gates(case, name, choice.left, stays=False) for name in joining}
    new = {name for name, gates in asked.items() if all_pass(gates)}
    regions = case.in_order({*choice.regions, *new})
    return Choice(regions, choice.left, (*choice.reasons, *_flat(asked)))


def _leave(case: Case) -> Choice:
    down = [name for name in case.carrying if case.is_down(name)]
    if case.carrying and not down:
        return Choice(case.carrying)
    left, proofs = _proven_failures(case, down)
    general = _general(case, left)
    gates = (*proofs, *general)
    if case.carrying and not left:
        return Choice(case.carrying, (), gates)
    stay = case.staying(left)
    # The target is looked for even when a general rule refuses, so that the record is whole.
    target = _target(case, stay, left)
    reasons = (*gates, *target.reasons)
    if not target.regions or not all_pass(general):
        return Choice(case.carrying, (), reasons)
    return Choice(case.in_order({*stay, *target.regions}), left, reasons)


def _proven_failures(case: Case, down: Iterable[str]) -> tuple[tuple[str, ...], tuple[Reason, ...]]:
    """Those of these regions that may be left, and what each was asked.

    Each is asked by itself: an old alert must not ride on a fresh one of another region.
    """
    proofs = {name: _proof_of_failure(case, name) for name in down}
    return tuple(name for name, gates in proofs.items() if all_pass(gates)), _flat(proofs)


def _proof_of_failure(case: Case, name: str) -> tuple[Reason, Reason]:
    """Whether a region that is down may be left: it fails by the second signal, and now."""
    policy, second = case.service.policy, case.second.get(name, NOT_PROBED)
    age = rules.max_event_age(
        policy,
        case.signal,
        name,
        live(case.state.incidents, name),
        case.now,
        failing=second.verdict is Verdict.FAILING,
    )
    return rules.confirm(policy, name, second), age


def _general(case: Case, left: tuple[str, ...]) -> tuple[Reason, ...]:
    """The gates that do not depend on where to go."""
    state, policy = case.state, case.service.policy
    configured = {name: state.regions[name] for name in case.service.names}
    return (
        rules.brake(policy, configured, case.now, blind=is_blind(case.probes)),
        rules.max_auto_failovers(policy, state.moves, state.acknowledged_at, case.now),
        *case.frozen(),
        *_spare(case, left),
    )


def _spare(case: Case, left: tuple[str, ...]) -> tuple[Reason, ...]:
    """The rule of spare regions, where it asks for more than the one that takes over."""
    policy = case.service.policy
    if policy.min_healthy_regions <= 1:
        return ()
    return (rules.min_healthy_regions(policy, case.state.regions, case.unused(left)),)


# --- where to go ----------------------------------------------------------------------------------


def _target(case: Case, stay: tuple[str, ...], left: tuple[str, ...]) -> Choice:
    """The region to go to: one that stays and is proven, else the first by preference that may."""
    asked: Asked = {}

    def plainly(name: str) -> tuple[Reason, ...]:
        return _gates(case, name, left, stays=name in stay)

    def as_last_resort(name: str) -> tuple[Reason, ...]:
        # Users are not kept on regions that are confirmed down for the sake of a cooldown.
        return _without_cooldown(case, name, asked[name])

    for names in _tiers(case, stay, left):
        for ask in (plainly, as_last_resort):
            name = _first(names, ask, asked)
            if name is not None:
                taken = Reason(Rule.LAST_REGION, True, f"{name} takes over")
                return Choice((name,), (), (*_flat(asked), taken))
    gates = _flat(asked)
    nobody = Reason(Rule.LAST_REGION, False, nowhere(gates), FAIL_OPEN)
    return Choice((), (), (*gates, nobody))


def _tiers(
    case: Case, stay: tuple[str, ...], left: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who is asked first, and who after all of them: the regions that an operator evacuated."""
    others = [name for name in case.service.names if name not in {*stay, *left}]
    others.sort(key=case.is_later)  # stable, so regions that are alike stay in order of preference
    evacuated = tuple(name for name in others if name in case.state.evacuated)
    return (*stay, *(name for name in others if name not in evacuated)), evacuated


def _first(
    names: Iterable[str], ask: Callable[[str], tuple[Reason, ...]], asked: Asked
) -> str | None:
    """The first of these that no gate refuses; what each was asked is noted."""
    for name in names:
        asked[name] = ask(name)
        if all_pass(asked[name]):
            return name
    return None


def _gates(case: Case, name: str, left: tuple[str, ...], *, stays: bool) -> tuple[Reason, ...]:
    """The gates of one candidate. One that stays carries traffic: it is only asked for health."""
    if stays:
        return (case.fit(name),)
    return (case.fit(name), case.rested(name), *case.lag(name, left))


def _without_cooldown(case: Case, name: str, gates: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """The gates, with the cooldown passed if it alone refuses and the region has proven well."""
    rested = case.rested(name)
    proven = rules.proven_since_left(case.state.regions[name], name, case.state.moves)
    if refusals(gates) != (rested,) or not proven:
        return gates
    value = f"{rested.value}, but it has proven healthy since, and no other region can take over"
    passed = replace(rested, passed=True, value=value)
    return tuple(passed if gate == rested else gate for gate in gates)


def _flat(asked: Mapping[str, tuple[Reason, ...]]) -> tuple[Reason, ...]:
    return tuple(gate for gates in asked.values() for gate in gates)


# --- what the document is left as -----------------------------------------------------------------


def _calmed(state: State, regions: tuple[str, ...]) -> State:
    """The state as a necessary move leaves it: without a switch or ramp under way.

    A region on a step of a ramp that stays is needed whole.
    """
    return replace(undisturbed(state), ceilings=whole(state, regions))


def _without_late_switch(state: State, now: datetime) -> State:
    """The state without a switch whose deadline has come, though the epoch is taken for another
    reason: it would be shown as under way until the next signal."""
    if state.switch is None or not is_late(state.switch, now):
        return state
    return replace(undisturbed(state), given_up_at=now)


def _not_configured(case: Case) -> tuple[Reason, ...]:
    """The regions that the document gives traffic and this configuration does not allow."""
    gone = [name for name in case.state.routing if name not in case.carrying]
    if not gone:
        return ()
    value = f"the document gives {', '.join(gone)} traffic, and this file does not allow it"
    return (Reason(Rule.CONFIGURATION, True, value),)


# --- why there is nowhere to go -------------------------------------------------------------------

_NOT_FIT = frozenset({Rule.TARGET_HEALTHY, Rule.ATTACHED})
"""The rules that refuse a region because it cannot serve."""

_REFUSED = {
    Rule.ROLE: (
        "{} is up, and its role URL refuses it",
        "{} are up, and their role URLs refuse them",
    ),
    Rule.REPLICATION_LAG: (
        "{} is up, and its replication lag refuses it",
        "{} are up, and their replication lag refuses them",
    ),
    Rule.COOLDOWN: (
        "{} is in its cooldown and has not proven healthy since",
        "{} are in their cooldown and have not proven healthy since",
    ),
}
"""What is said of one and of several regions that are up, by the first rule that refuses them."""


def nowhere(gates: Iterable[Reason]) -> str:
    """Why no other region can take over, from the gates of the candidates."""
    return ", and ".join(_clauses(_up(gates))) or "no other region is up and answers its probe"


def _up(gates: Iterable[Reason]) -> dict[str, set[Rule]]:
    """The rules that refuse each candidate that could serve."""
    refused: dict[str, set[Rule]] = {}
    for gate in gates:
        refused.setdefault(gate.region, set()).update(() if gate.passed else (gate.rule,))
    return {name: by for name, by in refused.items() if not _NOT_FIT & by}


def _clauses(up: dict[str, set[Rule]]) -> Iterator[str]:
    for rule, (one, several) in _REFUSED.items():
        names = [name for name, by in up.items() if rule in by]
        up = {name: by for name, by in up.items() if rule not in by}
        if names:
            yield (one if len(names) == 1 else several).format(" and ".join(names))
