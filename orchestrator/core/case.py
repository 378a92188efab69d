"""The case: everything that one decision looks at, made once and then only read.

    build(service, observed, signal, now) -> Case

The document comes first: as it is, or made for the occasion (`orchestrator.core.document.ground`).
Then the signal's health is merged into it. What follows from the message alone is settled here too:
a command that is refused, an alert that is contradicted, a freeze that has ended. All proposals
start from `Case.state`. PURE.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from orchestrator.core import rules
from orchestrator.core.document import attached, orders
from orchestrator.core.document.carried import carries
from orchestrator.core.document.clocks import believed
from orchestrator.core.document.ground import Ground, stand
from orchestrator.core.health.counting import proof_needed
from orchestrator.core.health.incidents import assess, believable, key_of, too_old
from orchestrator.core.health.second import second_signal
from orchestrator.core.model import (
    AlertClosed,
    AlertOpened,
    Command,
    Family,
    Incident,
    IncidentState,
    Observed,
    Page,
    Part,
    Probe,
    Role,
    Routing,
    Signal,
    State,
    Status,
    Tick,
    Verdict,
)
from orchestrator.core.outside.actors import claimed
from orchestrator.core.policy import Mode, Service, Standby
from orchestrator.core.rule import Reason, Rule, all_pass
from orchestrator.core.traffic.plan import lever_from_kinds, lever_of, movable

NOT_PROBED = Probe(Verdict.SILENT, "not probed")
UNHEARD = Role(Part.SILENT, "nothing")


@dataclass(frozen=True, slots=True)
class Case:
    """One service, one signal, and the world as it was observed.

    ground: the document before this signal. state: the same with this signal's health in it.
    routing: None while it cannot be read. probes: our own, as they may be believed. second: the
    second signal, by region. roles: what regions say that they are. before: the document as it was
    read, None when there was none. void: the command is refused as it is. closed: no epoch may
    follow. ends_freeze: a freeze has had its time. reasons: what was found before anything is
    proposed. given_up: pages about what a wrong clock wrote.
    """

    service: Service
    ground: Ground
    state: State
    routing: Routing | None
    signal: Signal
    probes: Mapping[str, Probe]
    second: Mapping[str, Probe]
    now: datetime
    roles: Mapping[str, Role] = field(default_factory=dict)
    before: State | None = None
    void: bool = False
    closed: bool = False
    ends_freeze: bool = False
    reasons: tuple[Reason, ...] = ()
    given_up: tuple[Page, ...] = ()

    @property
    def carrying(self) -> tuple[str, ...]:
        """The regions that carry the traffic by the document, and may go on to."""
        return self.ground.carrying

    @property
    def passive(self) -> bool:
        """Whether one region at a time carries the traffic."""
        return self.service.mode is Mode.ACTIVE_PASSIVE

    @property
    def keeps_standbys(self) -> bool:
        """Whether standbys stay attached to the load balancer."""
        return self.service.standby is Standby.ATTACHED

    def staying(self, left: Collection[str]) -> tuple[str, ...]:
        """The regions that carry the traffic on when these are left."""
        return tuple(name for name in self.carrying if name not in left)

    def in_order(self, names: Collection[str]) -> tuple[str, ...]:
        """These regions in the order of preference."""
        return tuple(name for name in self.service.names if name in names)

    # --- what is known of one region --------------------------------------------------------------

    def probe(self, name: str) -> Probe:
        """Our own look at the region."""
        return self.probes.get(name, NOT_PROBED)

    def role(self, name: str) -> Role:
        """What the region says that it is."""
        return self.roles.get(name, UNHEARD)

    def is_down(self, name: str) -> bool:
        """Whether open incidents that nothing contradicts say that the region fails."""
        return self.state.regions[name].status is Status.DOWN

    def lives(self, name: str) -> bool:
        """Whether nothing says that the region fails: then it may still be taking writes."""
        up = self.state.regions[name].status is Status.UP
        return up and self.probe(name).verdict is not Verdict.FAILING

    def has_backend(self, name: str) -> bool:
        """Whether the lever could give the region capacity, as far as can be seen."""
        lever = lever_of(self.service, self.state.lever)
        return self.routing is None or movable(self.routing, self.service, lever, name)

    def movable(self, name: str) -> bool:
        """Whether the load balancer has a backend of the region that the lever can move.

        With attached standbys it must have capacity, as last seen, unless the primary is no
        longer configured: then there is none that could wait for it.
        """
        if not self.keeps_standbys or self.state.primary not in self.service.names:
            return self.has_backend(name)
        return self.state.regions[name].attached

    def is_later(self, name: str) -> tuple[bool, bool, bool]:
        """Whether automation goes there last: an operator evacuated it, it cannot be probed, or it
        knows an older document.

        Nothing but the absence of alerts speaks for a region that cannot be probed. With attached
        standbys, a region that does not read the document does not take over by it.
        """
        role = self.role(name)
        is_old = role.part is not Part.SILENT and role.epoch < self.state.epoch
        unseen = self.service.region(name).health_url is None
        return name in self.state.evacuated, unseen, is_old

    def unused(self, left: Collection[str]) -> tuple[str, ...]:
        """The regions that cannot be counted on when these are left.

        In active-active mode that is every region without traffic: it would have to be given some.
        """
        if self.passive:
            return tuple(left)
        stay = {name for name in self.state.routing if name not in left}
        return tuple(name for name in self.state.regions if name not in stay)

    # --- the rules, asked of one region -----------------------------------------------------------

    def well(self, name: str) -> Reason:
        """Whether the region is up, answers its probe, and has a backend to be given traffic by."""
        return rules.target_healthy(
            self.service.policy,
            name,
            self.state.regions[name],
            self.probe(name),
            asked=self.service.region(name).health_url is not None,
            movable=self.has_backend(name),
            proof=proof_needed(self.state.regions[name], self.service.policy, self.now),
        )

    def fit(self, name: str) -> Reason:
        """Whether the region is up, answers its probe, and can be given traffic."""
        gate = self.well(name)
        if not self.keeps_standbys or not gate.passed:
            return gate
        if not self.movable(name):
            return rules.attached(name, self.state.regions[name])
        role = rules.role(name, self.role(name))
        return gate if role.passed else role

    def rested(self, name: str) -> Reason:
        """Whether automation has not left the region within the cooldown."""
        return rules.cooldown(self.service.policy, name, self.state.moves, self.now)

    def lag(self, name: str, left: Collection[str]) -> tuple[Reason, ...]:
        """Whether the region's replica is not too far behind each region that is left."""
        policy, probe = self.service.policy, self.probe(name)
        return tuple(
            rules.replication_lag(policy, name, gone, probe) for gone in left if gone != name
        )

    def knows(self, name: str) -> tuple[Reason, ...]:
        """Whether an attached region uses the newest document: it must act on the next one."""
        if not self.keeps_standbys:
            return ()
        return (rules.knows(name, self.role(name), self.state.epoch),)

    def frozen(self) -> tuple[Reason, ...]:
        """The refusal of a freeze; nothing where automation is not frozen."""
        freeze = rules.freeze(self.state.freeze, self.now)
        return (freeze,) if freeze else ()


# --- making it ------------------------------------------------------------------------------------


def build(service: Service, observed: Observed, signal: Signal, now: datetime) -> Case:
    """The case of this signal. Raises Unavailable when a document would have to be made without
    having seen the routing, Orphaned when one is missing that the routing knows of."""
    before, routing = observed.stored.state, observed.routing
    timely, given_up = believed(before, now) if before else (None, ())
    ground = stand(service, timely, observed, now)
    probes = believable(observed.probes, _known_down(ground.state))
    second = second_signal(service.policy, probes, observed.checks)
    trusted = service.trusted
    state = _with_what_is_seen(ground.state, service, observed, now)
    state = assess(state, signal, probes, service.policy, now, trusted, second)
    case = Case(
        service,
        ground,
        state,
        routing,
        signal,
        probes,
        second,
        now,
        observed.roles,
        before,
        closed=ground.stuck or _is_blind(service, before, routing),
        given_up=given_up,
    )
    return _with_message(case)


def _known_down(state: State) -> set[str]:
    return {name for name, entry in state.regions.items() if entry.status is Status.DOWN}


def _is_blind(service: Service, before: State | None, routing: Routing | None) -> bool:
    """Whether the routing cannot be read, and no move can be decided without it."""
    return routing is None and not attached.moves_unseen(service, before)


def _with_what_is_seen(state: State, service: Service, observed: Observed, now: datetime) -> State:
    """The document with what the load balancer itself tells: its lever, and who has capacity."""
    learnt = lever_from_kinds(observed.kinds.values())
    if learnt and not service.stated_lever:
        state = replace(state, lever=learnt)
    return attached.noticed(state, service, observed.routing, now)


def _with_message(case: Case) -> Case:
    """The case after what the message says of itself: before anything is proposed."""
    message = _heard(case)
    void = isinstance(case.signal, Command) and not all_pass(message)
    done = _carried_out(case)
    state, ended = _thawed(_finished(case.state, done), case.signal, case.now)
    case = replace(
        case,
        state=state,
        void=void,
        ends_freeze=bool(ended),
        reasons=(*case.ground.reasons, *message, *_effect(case, state, void=void), *ended),
    )
    if not isinstance(case.signal, Command) or _waits(case, case.signal):
        return case
    state = orders.noted(case.state, case.signal, case.service.policy, case.now)
    # A refused command is known as well: a copy of it must not be obeyed later.
    return replace(case, state=state if void else orders.obey(state, case.signal, case.now, done))


def _waits(case: Case, command: Command) -> bool:
    """Whether this is a move that cannot be decided now. It is not noted, for its redelivery must
    not be taken for a copy."""
    moves = command.family is Family.MOVES and not case.void
    return moves and case.closed and not case.ground.stuck


def _effect(case: Case, state: State, *, void: bool) -> tuple[Reason, ...]:
    """What a command does to freezes, switches and acknowledgements, in words."""
    if void or not isinstance(case.signal, Command):
        return ()
    return orders.effect(state, case.signal, case.now)


def _carried_out(case: Case) -> int:
    """The epoch that the load balancer carries for the document, 0 while it is on its way."""
    if case.routing is None or not carries(case.state, case.routing, case.service, case.now):
        return 0
    return case.state.epoch


def _finished(state: State, done: int) -> State:
    """The state whose freeze knows that the epoch was carried out after it began.

    Without it what is changed afterwards would be taken for work that is not done yet.
    """
    if state.freeze is None or done <= state.freeze.done:
        return state
    return replace(state, freeze=replace(state.freeze, done=done))


def _thawed(state: State, signal: Signal, now: datetime) -> tuple[State, tuple[Reason, ...]]:
    """The state without a freeze that has had its time; ticks take it away."""
    if not isinstance(signal, Tick) or state.freeze is None or state.freeze.until > now:
        return state, ()
    value = f"the freeze of {claimed(state.freeze.actor)} has ended: {state.freeze.reason}"
    return replace(state, freeze=None), (Reason(Rule.FREEZE, True, value),)


# --- what the message says of itself --------------------------------------------------------------


def _heard(case: Case) -> tuple[Reason, ...]:
    """What was made of the message: a refused command, an alert that is too old or contradicted."""
    match case.signal:
        case Tick():
            return ()
        case Command() as command:
            return (orders.admitted(case.service.policy, case.state, command, case.now),)
        case alert:
            return _heard_alert(case, alert)


def _heard_alert(case: Case, alert: AlertOpened | AlertClosed) -> tuple[Reason, ...]:
    incident = case.state.incidents.get(key_of(case.state.incidents, alert))
    if incident is None and too_old(alert, {}, case.now):
        value = f"began {alert.started_at.isoformat()}: not merged"
        return (Reason(Rule.MAX_EVENT_AGE, False, value, "24h", alert.region),)
    if isinstance(alert, AlertOpened) and incident is not None and _is_disputed(incident):
        return (_dispute(case, alert.region, incident),)
    return ()


def _is_disputed(incident: Incident) -> bool:
    return incident.contradicted and incident.state is IncidentState.OPEN


def _dispute(case: Case, region: str, incident: Incident) -> Reason:
    """Which of our own probe and the second signal does not bear the alert out."""
    if incident.doubt and case.probe(region).verdict is not Verdict.FAILING:
        return rules.doubted(region, incident.doubt, case.probe(region))
    second = case.second.get(region, NOT_PROBED)
    if second.verdict is Verdict.FAILING:
        return rules.looked_at(region, second)
    return rules.confirm(case.service.policy, region, second)
