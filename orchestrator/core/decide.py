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
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.core import attached, flood, leftover, misplaced, rules
from orchestrator.core.actors import claimed
from orchestrator.core.carried import carries
from orchestrator.core.choice import NOT_PROBED, Scene, choose
from orchestrator.core.clocks import believed, given_up
from orchestrator.core.commands import effect, newest, obey
from orchestrator.core.errors import Outdated
from orchestrator.core.fence import next_epoch
from orchestrator.core.ground import (
    Ground,
    Standing,
    settle,
    shares,
    stand,
    standing,
    undisturbed,
)
from orchestrator.core.incidents import assess, believable, derived, key_of, live, too_old
from orchestrator.core.model import (
    NO_PAIR,
    AlertOpened,
    Command,
    Decision,
    Family,
    Incident,
    IncidentState,
    Move,
    Observed,
    Outcome,
    Page,
    Pair,
    Phase,
    Probe,
    Routing,
    Shift,
    Signal,
    State,
    Status,
    Stored,
    Tick,
    Verdict,
)
from orchestrator.core.paging import contradicted, implausible
from orchestrator.core.plan import (
    desired,
    lever_from_kinds,
    remember,
    seen_pair,
)
from orchestrator.core.policy import Service
from orchestrator.core.rule import Reason, Rule, needs_human
from orchestrator.core.second import second_signal
from orchestrator.core.switch import end, ended, is_late
from orchestrator.core.wanted import Wanted, whole
from orchestrator.core.wishes import is_ending, wanted

COMMAND_LIFE = timedelta(hours=24)
"""How long the id of a command is kept, so that a copy of it is known for one."""

COMMANDS_KEPT = 50
"""Ids that are kept whatever their age, the newest: a clock that is ahead makes all of them old."""


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
    if before and isinstance(signal, Command) and signal.id in before.commands:
        return _known(before, service, signal, now)
    timely, pages = believed(before, now) if before else (None, ())
    ground = stand(service, timely, observed, now)
    made = given_up(_decide(service, ground, observed, signal, now), pages)
    made = misplaced.told(made, misplaced.found(service, before))
    whole = _complete(service, ground, made, observed.routing, signal)
    return flood.told(service, before, whole, now)


def _known(before: State, service: Service, command: Command, now: datetime) -> Decision:
    """A copy of a command decides nothing: it only shifts what is committed already."""
    told = (rules.command(service.policy, command, before.commands, None, now),)
    return Decision(before, Outcome.UNCHANGED, told, changed=False, recorded=False)


def _decide(
    service: Service, ground: Ground, observed: Observed, signal: Signal, now: datetime
) -> Decision:
    """What should be, on this ground. It is compared with the document as it was read."""
    before = observed.stored.state
    known_down = {n for n, r in ground.state.regions.items() if r.status is Status.DOWN}
    probes = believable(observed.probes, known_down)
    second = second_signal(service.policy, probes, observed.checks)
    trusted = {region.name for region in service.regions if region.health_url is None}
    levered = _levered(ground.state, service, observed)
    levered = attached.noticed(levered, service, observed.routing, now)
    state = assess(levered, signal, probes, service.policy, now, trusted, second)
    heard = _heard(service, state, signal, second, probes, now)
    state, expired = _thawed(_finished(state, observed.routing, service, now), signal, now)
    void = _is_void(heard, signal)
    unseen = observed.routing is None and not attached.moves_unseen(service, before)
    told = (*ground.reasons, *heard, *_done_to(state, signal, now, void=void))
    if unseen or ground.stuck:
        refused = void or ground.stuck
        state, still = _standing(state, signal, now, void=void, refused=refused)
        return _conclude(before, state, signal, (*told, *expired), still, observed)
    adopts = ground.outcome is Outcome.ADOPTED  # then even a refused command takes an epoch
    if isinstance(signal, Command):
        life = max(COMMAND_LIFE, 2 * service.policy.max_event_age)
        state = _noted(state, signal, now, life)
        done = _carried_out(state, observed.routing, service, now)
        state = state if void else obey(state, signal, now, done)
    roles = observed.roles
    scene = Scene(service, state, observed.routing, signal, probes, second, now, roles)
    made = Resolution(state, None, ()) if void else _arranged(scene, ground)
    if made.regions is None and adopts:
        made = replace(made, regions=ground.carrying)
    state = derived(made.state, service.policy, now, trusted)
    reasons = (*told, *expired, *made.reasons)
    if made.regions is not None:
        scene = replace(scene, state=state)
        state = _new_epoch(scene, observed.stored, made)
    outcome = made.outcome or (Outcome.OBEYED if expired else None)
    return _disputing(
        _conclude(before, state, signal, reasons, outcome, observed, made.waiting), signal, now
    )


def _disputing(made: Decision, signal: Signal, now: datetime) -> Decision:
    """The decision that also pages, on a tick, for alerts that are contradicted for good."""
    found = contradicted(made.state, now) if isinstance(signal, Tick) else ()
    return replace(made, pages=(*made.pages, *found))


def _complete(
    service: Service, ground: Ground, made: Decision, routing: Routing | None, signal: Signal
) -> Decision:
    """The decision with what is to be remembered and paged of all traffic, claimed or not."""
    state = leftover.remembered(service, ground.state, made, routing, signal)
    changed = made.changed or state != made.state
    known = {page.rule for page in made.pages}
    known |= {Rule.NO_TRAFFIC} if Rule.ROUTING in known else set()  # it says the same
    found = (*leftover.pages(service, state, routing), *implausible(routing, service))
    pages = (*made.pages, *(page for page in found if page.rule not in known))
    return replace(made, state=state, changed=changed, pages=pages)


def _done_to(state: State, signal: Signal, now: datetime, *, void: bool) -> tuple[Reason, ...]:
    """What a command did to freezes, switches and acknowledgements, in words."""
    return effect(state, signal, now) if isinstance(signal, Command) and not void else ()


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a scene comes to. regions: of a new epoch; None for no epoch. left: by automation."""

    state: State
    outcome: Outcome | None
    reasons: tuple[Reason, ...]
    regions: tuple[str, ...] | None = None
    left: tuple[str, ...] = ()
    waiting: tuple[Reason, ...] = ()


def _arranged(scene: Scene, ground: Ground) -> Resolution:
    """What moves the traffic; where nothing does, what is to be done with standbys."""
    made = _resolve(scene, ground)
    if made.regions is not None or made.outcome is not None or ground.outcome is not None:
        return made
    wish = attached.arrange(replace(scene, state=made.state), ground.carrying)
    regions = tuple(made.state.routing) if wish.outcome else None
    reasons, waiting = (*made.reasons, *wish.reasons), (*made.waiting, *wish.waiting)
    return Resolution(wish.state, wish.outcome, reasons, regions, (), waiting)


def _resolve(scene: Scene, ground: Ground) -> Resolution:
    """A human's move; else the necessary one; else the next step of what is wished for."""
    state = scene.state
    if isinstance(scene.signal, Command) and scene.signal.family is Family.MOVES:
        return _wished(scene, wanted(scene, ground.carrying), ())
    frozen = rules.freeze(state.freeze, scene.now)
    choice = choose(scene, ground.carrying, () if frozen else ground.joining)
    needed = set(choice.regions) != set(state.routing)
    waits = frozen is not None and ground.outcome is not Outcome.ADOPTED
    if choice.regions and (ground.outcome is not None or needed) and not waits:
        outcome = Outcome.MOVED if needed and choice.left else ground.outcome or Outcome.MOVED
        calm = _calmed(state, choice.regions) if needed else _in_time(state, scene.now)
        told = (*choice.reasons, *_unknown(state, ground)) if needed else choice.reasons
        return Resolution(calm, outcome, told, choice.regions, choice.left)
    held = not choice.regions or any(not reason.passed for reason in choice.reasons)
    if held and not isinstance(scene.signal, Command) and not is_ending(state, scene.now):
        return Resolution(state, None, choice.reasons)
    return _wished(scene, wanted(scene, ground.carrying), choice.reasons)


def _unknown(state: State, ground: Ground) -> tuple[Reason, ...]:
    """Which regions the document gives traffic and this configuration does not let have it."""
    gone = [name for name in state.routing if name not in ground.carrying]
    if not gone:
        return ()
    value = f"{', '.join(gone)} carries traffic by the document, and may not by this file"
    return (Reason(Rule.CONFIGURATION, True, value),)


def _wished(scene: Scene, wish: Wanted, before: tuple[Reason, ...]) -> Resolution:
    routing, ceilings = set(scene.state.routing), scene.state.ceilings
    moves = set(wish.regions) != routing or wish.state.ceilings != ceilings
    moves = moves or wish.outcome in {Outcome.MOVED, Outcome.STANDBYS}  # or the first decision
    asked = wish.outcome not in {None, Outcome.OBEYED}
    regions = wish.regions if asked and moves and wish.regions else None
    reasons = (*before, *wish.reasons)
    return Resolution(wish.state, wish.outcome, reasons, regions, (), wish.waiting)


def _calmed(state: State, regions: tuple[str, ...]) -> State:
    """The state as a necessary move leaves it: without a switch or ramp under way.

    A region on a step of a ramp that stays is needed whole.
    """
    return replace(undisturbed(state), ceilings=whole(state, regions))


def _in_time(state: State, now: datetime) -> State:
    """The state without a switch whose deadline has come, though the epoch is taken for another
    reason: it would be told as under way until the next signal."""
    if state.switch is None or not is_late(state.switch, now):
        return state
    return replace(undisturbed(state), given_up_at=now)


def _thawed(state: State, signal: Signal, now: datetime) -> tuple[State, tuple[Reason, ...]]:
    """The state without a freeze that has had its time; ticks take it away."""
    if not isinstance(signal, Tick) or state.freeze is None or state.freeze.until > now:
        return state, ()
    value = f"the freeze of {claimed(state.freeze.actor)} has ended: {state.freeze.reason}"
    return replace(state, freeze=None), (Reason(Rule.FREEZE, True, value),)


def _finished(state: State, routing: Routing | None, service: Service, now: datetime) -> State:
    """The state whose freeze knows that the epoch was carried out after it began.

    Without it what is changed afterwards would be taken for work that is not done yet.
    """
    done = _carried_out(state, routing, service, now)
    if state.freeze is None or done <= state.freeze.done:
        return state
    return replace(state, freeze=replace(state.freeze, done=done))


def _is_void(heard: tuple[Reason, ...], signal: Signal) -> bool:
    """Whether this is a command that is refused as it stands: repeated, or of long ago."""
    return isinstance(signal, Command) and not all(reason.passed for reason in heard)


def _noted(state: State, signal: Signal, now: datetime, life: timedelta = COMMAND_LIFE) -> State:
    """The state that knows this command, so that a copy of it is known for one."""
    if not isinstance(signal, Command) or signal.id in state.commands:
        return state
    newest = sorted(state.commands, key=state.commands.__getitem__)[-COMMANDS_KEPT:]
    kept = {key: at for key, at in state.commands.items() if now - at <= life or key in newest}
    return replace(state, commands={**kept, signal.id: now})


def _carried_out(state: State, routing: Routing | None, service: Service, now: datetime) -> int:
    """The epoch that the load balancer carries for the document, 0 while it is on its way."""
    there = routing is not None and carries(state, routing, service, now)
    return state.epoch if there else 0


def _standing(
    state: State, signal: Signal, now: datetime, *, void: bool, refused: bool
) -> tuple[State, Outcome | None]:
    """Where nothing can move. What a command says of automation itself is obeyed all the same."""
    if isinstance(signal, Command) and not void and signal.family is not Family.MOVES:
        return obey(_noted(state, signal, now), signal, now), Outcome.OBEYED
    return (_noted(state, signal, now) if refused else state), None


def _levered(state: State, service: Service, observed: Observed) -> State:
    learnt = lever_from_kinds(observed.kinds.values())
    return replace(state, lever=learnt) if learnt and not service.stated_lever else state


# --- the conclusion -----------------------------------------------------------------------------


def _new_epoch(scene: Scene, stored: Stored, made: Resolution) -> State:
    """The state with a new epoch for these regions: above all that state and resource have seen."""
    service, state, routing, now = scene.service, scene.state, scene.routing, scene.now
    epoch = next_epoch(state.epoch, seen_pair(routing, service).epoch if routing else 0)
    regions = made.regions or tuple(state.routing)
    moves = state.moves
    if made.left:
        moves = (Move(now, epoch, made.left, regions), *moves)
    primary = state.primary if state.primary in regions else regions[0]
    routing_then = shares(regions)
    moved = replace(
        settle(state, service, routing),
        epoch=epoch,
        stamp=service.stamp,
        primary=primary,
        routing=routing_then,
        shift=Shift(Pair(epoch, stored.generation), Phase.COMMITTED, now, routing_then),
        moves=_recent(moves, service, now),
        evacuated=tuple(name for name in state.evacuated if name not in regions),
    )
    moved = attached.seated(moved, scene)
    if routing is None:
        return moved  # nothing is taken from any region, so there is nothing to remember
    wanted = desired(moved, service)
    return replace(moved, restore=remember(moved, routing, service, wanted, stored.state))


def _recent(moves: tuple[Move, ...], service: Service, now: datetime) -> tuple[Move, ...]:
    """The moves that some rule may still ask for."""
    policy = service.policy
    life = max(policy.cooldown, policy.max_auto_failovers.within, timedelta(hours=24))
    return tuple(move for move in moves if now - move.at <= life)


def _heard(
    service: Service,
    state: State,
    signal: Signal,
    second: Mapping[str, Probe],
    own: Mapping[str, Probe],
    now: datetime,
) -> tuple[Reason, ...]:
    """What was made of the message itself: too old to be merged, or contradicted."""
    if isinstance(signal, Tick):
        return ()
    if isinstance(signal, Command):
        known = newest(state, signal, now)
        return (rules.command(service.policy, signal, state.commands, known, now),)
    incident = state.incidents.get(key_of(state.incidents, signal))
    if incident is None and too_old(signal, {}, now):
        value = f"began {signal.started_at.isoformat()}: not merged"
        return (Reason(Rule.MAX_EVENT_AGE, False, value, "24h", signal.region),)
    standing_open = incident is not None and incident.state is IncidentState.OPEN
    if isinstance(signal, AlertOpened) and standing_open and incident and incident.contradicted:
        ours = own.get(signal.region, NOT_PROBED)
        if incident.doubt and ours.verdict is not Verdict.FAILING:
            return (rules.doubted(signal.region, incident.doubt, ours),)
        theirs = second.get(signal.region, NOT_PROBED)
        if theirs.verdict is Verdict.FAILING:
            return (rules.looked_at(signal.region, theirs),)
        return (rules.confirm(service.policy, signal.region, theirs),)
    return ()


def _conclude(
    before: State | None,
    state: State,
    signal: Signal,
    reasons: tuple[Reason, ...],
    outcome: Outcome | None,
    observed: Observed,
    waiting: tuple[Reason, ...] = (),
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
    refusal = held and isinstance(signal, Command)
    taken = state.pair != (before.pair if before else NO_PAIR)
    told = fresh or statuses != known or refusal or taken
    recorded = changed and (outcome not in {Outcome.HELD, Outcome.UNCHANGED} or told)
    if before and before.switch and ended(before, state, signal, reasons):
        reasons = (*reasons, end(before.switch))
    asked = isinstance(signal, Command)  # a human who is refused is told so, and not paged
    needs = [reason for reason in refused if needs_human(reason)] if held and not asked else []
    made = tuple(_page(state, reason) for reason in needs)
    return Decision(state, outcome, reasons, changed, recorded, made, waiting)


def _page(state: State, reason: Reason) -> Page:
    """The page about a refusal. It concerns the rule's region, else those that carry and fail."""
    down = tuple(n for n in sorted(state.routing) if state.regions[n].status is Status.DOWN)
    fails = f"{', '.join(down)} {'is' if len(down) == 1 else 'are'} down and no traffic moves: "
    regions = (reason.region,) if reason.region else down
    return Page(reason.rule, f"{fails if down else ''}{reason}", regions)


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
    if not isinstance(signal, Tick | Command):
        own = state.incidents.get(key_of(state.incidents, signal))
        if own is not None and own.contradicted:
            found.append(own)
    return tuple(found)
