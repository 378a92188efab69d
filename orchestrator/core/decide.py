"""What should be: one pure question, asked by every signal and answered here alone.

    decide(service, observed, signal, now) -> Decision

In order: stand on the document as it is (or make one, or adopt what the routing says when the
document is older than it); merge the signal and see who is healthy; ask whether a region that
carries traffic is down and, if so, whether every rule lets it be left, and for whom. At most one
new epoch comes out of one decision.

The primary is what the state says, never what the configuration prefers: a second failure moves on
from the second region.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from orchestrator.core import rules
from orchestrator.core.errors import Outdated, Unavailable
from orchestrator.core.incidents import assess, believable, is_blind, live, too_old
from orchestrator.core.model import (
    AlertOpened,
    Decision,
    Incident,
    Move,
    Observed,
    Outcome,
    Pair,
    Phase,
    Probe,
    Reason,
    RegionState,
    Routing,
    Shift,
    Signal,
    State,
    Status,
    Tick,
    Verdict,
)
from orchestrator.core.plan import (
    carrying,
    lever_from_kinds,
    lever_of,
    movable,
    remember,
    seen_pair,
)
from orchestrator.core.policy import Mode, Service, Stamp

NOT_PROBED = Probe(Verdict.SILENT, "not probed")


class Standing(StrEnum):
    """How the configuration of this instance stands to the one that the document was made with."""

    SAME = "same"
    NEWER = "newer"
    OLDER = "older"
    CLASH = "clash"


def standing(document: Stamp, mine: Stamp) -> Standing:
    """Compare by serial; the same serial with another digest is a clash."""
    if mine.serial != document.serial:
        return Standing.NEWER if mine.serial > document.serial else Standing.OLDER
    return Standing.SAME if mine.digest == document.digest else Standing.CLASH


@dataclass(frozen=True, slots=True)
class _Choice:
    """The regions that shall carry traffic, and the gates on the way there."""

    regions: tuple[str, ...]
    left: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()


def decide(service: Service, observed: Observed, signal: Signal, now: datetime) -> Decision:
    """What the state of this service should be after this signal, and why.

    Raises Outdated when this instance's configuration is older than the document's, Unavailable
    when a document would have to be made without having seen the routing.
    """
    before = observed.stored.state
    if before and standing(before.stamp, service.stamp) is Standing.OLDER:
        raise Outdated(
            f"{service.name}: this instance has configuration serial {service.stamp.serial}, the"
            f" document was made with {before.stamp.serial}; it decides nothing, and a newer"
            " instance will take the redelivery"
        )
    probes = believable(observed.probes)
    ground = _ground(service, before, observed, now)
    state = assess(_levered(ground.state, service, observed), signal, probes, service.policy, now)
    routing = observed.routing
    if routing is None or ground.stuck:
        reasons = (*ground.reasons, *_heard(service, state, signal, probes, now))
        return _conclude(before, state, signal, reasons, None, observed)
    choice = _choose(service, state, routing, signal, probes, now, ground.carrying)
    reasons = (*ground.reasons, *_heard(service, state, signal, probes, now), *choice.reasons)
    moved = set(choice.regions) != set(state.routing)
    if not choice.regions or (ground.outcome is None and not moved):
        return _conclude(before, state, signal, reasons, None, observed)
    state = _new_epoch(service, state, routing, observed.stored.generation, choice, now)
    outcome = Outcome.MOVED if moved and choice.left else ground.outcome or Outcome.MOVED
    return _conclude(before, state, signal, reasons, outcome, observed)


# --- the ground: which document do we stand on --------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ground:
    """The document to go on from.

    outcome: why it needs an epoch of its own. stuck: no epoch may come.
    """

    state: State
    carrying: tuple[str, ...]
    outcome: Outcome | None = None
    reasons: tuple[Reason, ...] = ()
    stuck: bool = False


def _ground(service: Service, before: State | None, observed: Observed, now: datetime) -> _Ground:
    routing = observed.routing
    if before is None:
        if routing is None:
            raise Unavailable(
                f"{service.name}: there is no state document yet and the routing cannot be read; a"
                " document is made only with the routing in sight, so nothing was written"
            )
        before = create(service, routing, now)
    state = _refit(before, service, now)
    current = tuple(name for name in state.routing if name in service.names)
    if routing is None:
        return _Ground(state, current)
    seen = seen_pair(routing, service)
    pointed = carrying(routing, service, lever_of(service, state.lever))
    if not pointed:
        value = f"{routing.name} gives no traffic to any configured region"
        return _Ground(state, current, None, (Reason("routing", False, value, "known"),), True)
    if seen > state.pair:
        value = f"the resource carries epoch {seen.epoch}, the document {state.pair.epoch}"
        adopted = replace(state, epoch=seen.epoch)
        regions = _kept(service, adopted, pointed)
        adopted = replace(adopted, routing=shares(regions), primary=regions[0])
        return _Ground(adopted, regions, Outcome.ADOPTED, (Reason("adopt", True, value),))
    if standing(before.stamp, service.stamp) is Standing.NEWER:
        value = f"serial {before.stamp.serial} to {service.stamp.serial}"
        regions = _configured(service, before, state)
        reasons = (Reason("configuration", True, value),)
        return _Ground(state, regions, Outcome.CONFIGURED, reasons)
    return _Ground(state, current)


def create(service: Service, routing: Routing, now: datetime) -> State:
    """The first document: epoch 0, the primary where the routing points, else the first region."""
    pointed = carrying(routing, service, lever_of(service, None))
    regions = pointed or service.names
    if service.mode is Mode.ACTIVE_PASSIVE:
        regions = regions[:1]
    entries = {
        region.name: RegionState(region.endpoint, Status.UP, now) for region in service.regions
    }
    return State(service.name, 0, 0, service.stamp, regions[0], entries, shares(regions))


def shares(regions: Iterable[str]) -> Mapping[str, float]:
    """Equal shares of the traffic, to four places."""
    names = tuple(regions)
    return {name: round(1 / len(names), 4) for name in names}


def _refit(state: State, service: Service, now: datetime) -> State:
    """The document with the regions that are configured: new ones up, removed ones gone.

    While two configurations clash neither removes what the other has.
    """
    entries = {
        region.name: replace(
            state.regions.get(region.name, RegionState(region.endpoint, Status.UP, now)),
            endpoint=region.endpoint,
        )
        for region in service.regions
    }
    if standing(state.stamp, service.stamp) is Standing.CLASH:
        entries = {**entries, **state.regions}
    return replace(state, regions=entries)


def _kept(service: Service, state: State, pointed: tuple[str, ...]) -> tuple[str, ...]:
    """Which of the regions that the routing points to are adopted: one, in active-passive mode."""
    if service.mode is Mode.ACTIVE_ACTIVE:
        return pointed
    return (state.primary,) if state.primary in pointed else pointed[:1]


def _configured(service: Service, before: State, state: State) -> tuple[str, ...]:
    """Which regions carry traffic under a newer configuration; empty: one must be found."""
    if service.mode is Mode.ACTIVE_PASSIVE:
        return (before.primary,) if before.primary in service.names else ()
    if before.stamp.mode is Mode.ACTIVE_PASSIVE:
        return tuple(name for name in service.names if state.regions[name].healthy)
    return tuple(
        name for name in service.names if name in before.routing or name not in before.regions
    )


def _levered(state: State, service: Service, observed: Observed) -> State:
    learnt = lever_from_kinds(observed.kinds.values())
    return replace(state, lever=learnt) if learnt and not service.stated_lever else state


# --- the choice: who carries the traffic --------------------------------------------------------


def _choose(
    service: Service,
    state: State,
    routing: Routing,
    signal: Signal,
    probes: Mapping[str, Probe],
    now: datetime,
    current: tuple[str, ...],
) -> _Choice:
    """Leave the regions that are down if every rule lets us; find one to go to if none is left."""
    policy = service.policy
    down = [name for name in current if state.regions[name].status is Status.DOWN]
    if current and not down:
        return _Choice(current)
    confirmed = {name: rules.confirm(policy, name, probes.get(name, NOT_PROBED)) for name in down}
    left = tuple(name for name in down if confirmed[name].passed)
    gates = (
        *confirmed.values(),
        rules.max_event_age(policy, signal, now),
        rules.brake(policy, state.regions, now, blind=is_blind(probes)),
        rules.max_auto_failovers(policy, state.moves, state.acknowledged_at, now),
    )
    stay = tuple(name for name in current if name not in left)
    if current and not left:
        return _Choice(current, (), gates)
    found = _target(service, state, routing, probes, now, (*stay, *left), stay)
    reasons = (*gates, *found.reasons)
    general = [gate for gate in gates if gate.rule != "confirm"]
    if not found.regions or not all(gate.passed for gate in general):
        return _Choice(current, (), reasons)
    regions = tuple(name for name in service.names if name in {*stay, *found.regions})
    return _Choice(regions, left, reasons)


def _target(
    service: Service,
    state: State,
    routing: Routing,
    probes: Mapping[str, Probe],
    now: datetime,
    carrying_now: tuple[str, ...],
    stay: tuple[str, ...],
) -> _Choice:
    """The region to go to: one that stays and is proven, else the first by preference that may."""
    lever = lever_of(service, state.lever)
    reasons: list[Reason] = []
    others = [name for name in service.names if name not in carrying_now]
    for name in (*stay, *others):
        region = service.region(name)
        fit = rules.target_healthy(
            service.policy,
            name,
            state.regions[name],
            probes.get(name, NOT_PROBED),
            asked=region.health_url is not None,
            movable=movable(routing, service, lever, name),
        )
        rested = rules.cooldown(service.policy, name, state.moves, now)
        reasons += [fit] if name in stay else [fit, rested]
        if fit.passed and (rested.passed or name in stay):
            reasons.append(Reason("last_region", True, f"{name} takes over"))
            return _Choice((name,), (), tuple(reasons))
    value = "no other region is up, answers its probe and is outside its cooldown"
    reasons.append(Reason("last_region", False, value, "fail open: the routing stays"))
    return _Choice((), (), tuple(reasons))


# --- the conclusion -----------------------------------------------------------------------------


def _new_epoch(
    service: Service,
    state: State,
    routing: Routing,
    generation: int,
    choice: _Choice,
    now: datetime,
) -> State:
    """The state with a new epoch for these regions: above all that state and resource have seen."""
    epoch = max(state.epoch, seen_pair(routing, service).epoch) + 1
    regions = choice.regions or tuple(state.routing)
    moves = state.moves
    if choice.left:
        moves = (Move(now, epoch, choice.left, regions), *moves)
    primary = state.primary if state.primary in regions else regions[0]
    moved = replace(
        state,
        epoch=epoch,
        stamp=service.stamp,
        primary=primary,
        routing=shares(regions),
        shift=Shift(Pair(epoch, generation), Phase.COMMITTED),
        moves=_recent(moves, service, now),
    )
    return replace(moved, restore=remember(moved, routing, service, regions))


def _recent(moves: tuple[Move, ...], service: Service, now: datetime) -> tuple[Move, ...]:
    """The moves that some rule may still ask for."""
    policy = service.policy
    life = max(policy.cooldown, policy.max_auto_failovers.within, timedelta(hours=24))
    return tuple(move for move in moves if now - move.at <= life)


def _heard(
    service: Service,
    state: State,
    signal: Signal,
    probes: Mapping[str, Probe],
    now: datetime,
) -> tuple[Reason, ...]:
    """What was made of the message itself: too old to be merged, or contradicted."""
    if isinstance(signal, Tick):
        return ()
    incident = state.incidents.get(signal.incident_id)
    if incident is None and too_old(signal, {}, now):
        value = f"began {signal.started_at.isoformat()}: not merged"
        return (Reason("max_event_age", False, value, "24h", signal.region),)
    contradicted = incident is not None and incident.contradicted
    if isinstance(signal, AlertOpened) and contradicted:
        return (
            rules.confirm(service.policy, signal.region, probes.get(signal.region, NOT_PROBED)),
        )
    return ()


def _conclude(
    before: State | None,
    state: State,
    signal: Signal,
    reasons: tuple[Reason, ...],
    outcome: Outcome | None,
    observed: Observed,
) -> Decision:
    """Compare with the document as read, note new refusals on their incidents, name the outcome."""
    refused = [reason for reason in reasons if not reason.passed]
    held = outcome is None and bool(refused)
    fresh = False
    if held:
        state, fresh = _note_refusals(state, signal, [reason.rule for reason in refused])
    statuses = {name: entry.status for name, entry in state.regions.items()}
    known = {name: entry.status for name, entry in before.regions.items()} if before else {}
    known = known or dict.fromkeys(statuses, Status.UP)
    if outcome is None:
        outcome = Outcome.HEALTH if statuses != known else Outcome.UNCHANGED
        outcome = Outcome.HELD if held else outcome
    changed = observed.stored.generation == 0 or state != before
    recorded = changed and (
        outcome not in {Outcome.HELD, Outcome.UNCHANGED} or fresh or statuses != known
    )
    needs = [str(reason) for reason in refused if rules.pages(reason)] if held else []
    return Decision(state, outcome, reasons, changed, recorded, "; ".join(needs))


def _note_refusals(state: State, signal: Signal, rules_refused: list[str]) -> tuple[State, bool]:
    """Note each rule once on each incident it refused; say whether any of it is new."""
    concerned = _concerned(state, signal)
    noted = {
        incident.id: replace(incident, refused=tuple(sorted({*incident.refused, *rules_refused})))
        for incident in concerned
    }
    fresh = any(noted[incident.id] != incident for incident in concerned)
    return replace(state, incidents={**state.incidents, **noted}), fresh


def _concerned(state: State, signal: Signal) -> tuple[Incident, ...]:
    """The incidents that a refusal is about: those of the regions that carry traffic and are down,
    and the signal's own when it was contradicted."""
    found = [incident for name in state.routing for incident in live(state.incidents, name)]
    if not isinstance(signal, Tick) and signal.incident_id in state.incidents:
        own = state.incidents[signal.incident_id]
        if own.contradicted:
            found.append(own)
    return tuple(found)
