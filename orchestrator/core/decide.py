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

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.core import rules
from orchestrator.core.choice import NOT_PROBED, Choice, Scene, choose
from orchestrator.core.errors import Outdated
from orchestrator.core.ground import Standing, settle, shares, stand, standing
from orchestrator.core.incidents import assess, believable, key_of, live, too_old
from orchestrator.core.model import (
    AlertOpened,
    Decision,
    Incident,
    IncidentState,
    Move,
    Observed,
    Outcome,
    Pair,
    Phase,
    Probe,
    Reason,
    Routing,
    Shift,
    Signal,
    State,
    Status,
    Tick,
)
from orchestrator.core.plan import (
    lever_from_kinds,
    remember,
    seen_pair,
)
from orchestrator.core.policy import Service


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
    ground = stand(service, before, observed, now)
    known_down = {n for n, r in ground.state.regions.items() if r.status is Status.DOWN}
    probes = believable(observed.probes, known_down)
    trusted = {region.name for region in service.regions if region.health_url is None}
    levered = _levered(ground.state, service, observed)
    state = assess(levered, signal, probes, service.policy, now, trusted)
    routing = observed.routing
    if routing is None or ground.stuck:
        reasons = (*ground.reasons, *_heard(service, state, signal, probes, now))
        return _conclude(before, state, signal, reasons, None, observed)
    scene = Scene(service, state, routing, signal, probes, now)
    choice = choose(scene, ground.carrying, ground.joining)
    reasons = (*ground.reasons, *_heard(service, state, signal, probes, now), *choice.reasons)
    moved = set(choice.regions) != set(state.routing)
    if not choice.regions or (ground.outcome is None and not moved):
        return _conclude(before, state, signal, reasons, None, observed)
    state = _new_epoch(service, state, routing, observed.stored.generation, choice, now)
    outcome = Outcome.MOVED if moved and choice.left else ground.outcome or Outcome.MOVED
    return _conclude(before, state, signal, reasons, outcome, observed)


def _levered(state: State, service: Service, observed: Observed) -> State:
    learnt = lever_from_kinds(observed.kinds.values())
    return replace(state, lever=learnt) if learnt and not service.stated_lever else state


# --- the conclusion -----------------------------------------------------------------------------


def _new_epoch(
    service: Service,
    state: State,
    routing: Routing,
    generation: int,
    choice: Choice,
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
        settle(state, service),
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
    incident = state.incidents.get(key_of(state.incidents, signal))
    if incident is None and too_old(signal, {}, now):
        value = f"began {signal.started_at.isoformat()}: not merged"
        return (Reason("max_event_age", False, value, "24h", signal.region),)
    standing_open = incident is not None and incident.state is IncidentState.OPEN
    if isinstance(signal, AlertOpened) and standing_open and incident and incident.contradicted:
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
    if not isinstance(signal, Tick):
        own = state.incidents.get(key_of(state.incidents, signal))
        if own is not None and own.contradicted:
            found.append(own)
    return tuple(found)
