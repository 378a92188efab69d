"""Health from incidents: a join, so that the order and number of messages do not matter.

The state keeps a set of incidents by id. Merging a message is a join: of two accounts of one
incident the later state wins (open < stale < closed), times go to the earliest start and latest
end, and "an open was seen" is an or. A join is commutative, associative and idempotent; so any
order and any number of copies of the same messages end in the same set. A region's status is a
function of that set alone:

- `down`: at least `min_incidents` open incidents that the second signal does not contradict;
- `recovering`: not down, but at least that many that were opened, not contradicted and not settled;
- `up`: otherwise.

`settled` is the proof: a tick has seen the region healthy `recovery_probes` times in a row. It
settles every incident of the region and makes one that Monitoring still calls open `stale`. A
close is no proof, because Monitoring closes incidents on missing data too.

`assess` is what a decision asks: a message is joined to the set, contradictions that no longer hold
end, a tick counts its probes (`orchestrator.core.health.counting`), incidents that have had their
time go (`orchestrator.core.health.tombstones`), and each status follows from the set that is left.

This module does not choose regions and does not know routing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.core.health.counting import PROBE_SPACING, ROW_GAP, count, uncounted
from orchestrator.core.health.second import agreed
from orchestrator.core.health.tombstones import TOMBSTONE_LIFE, buried, capped, is_over
from orchestrator.core.model import (
    AlertClosed,
    AlertOpened,
    Command,
    Incident,
    IncidentState,
    NoAnswer,
    Probe,
    RegionState,
    Signal,
    State,
    Status,
    Tick,
    Verdict,
)
from orchestrator.core.policy import Confirm, Policy

TICK_PREFIX = "tick-"
"""Incidents that a tick opened itself, after as many failing probes as recovery needs."""

_ORDER = {IncidentState.OPEN: 0, IncidentState.STALE: 1, IncidentState.CLOSED: 2}

Incidents = Mapping[str, Incident]
Probes = Mapping[str, Probe]


@dataclass(frozen=True, slots=True)
class _Looks:
    """What was seen of the regions in one round. own: by our own probes, as far as they may be
    believed. second: by the second signal, which may be the same."""

    own: Probes
    second: Probes


# --- the set --------------------------------------------------------------------------------------


def join(one: Incident, other: Incident) -> Incident:
    """Two accounts of one incident as one. Commutative, associative, idempotent."""
    ended = [at for at in (one.ended_at, other.ended_at) if at]
    return Incident(
        id=one.id,
        region=min(one.region, other.region),  # they are equal (`key_of`); min keeps it a join
        state=max(one.state, other.state, key=_ORDER.__getitem__),
        started_at=min(one.started_at, other.started_at),
        ended_at=max(ended, default=None),
        opened=one.opened or other.opened,
        contradicted=one.contradicted or other.contradicted,
        settled=one.settled or other.settled,
        refused=tuple(sorted({*one.refused, *other.refused})),
        set_aside=max(one.set_aside, other.set_aside),
        doubt=max(one, other, key=_certainty).doubt,
        failed_at=min((at for at in (one.failed_at, other.failed_at) if at), default=None),
    )


def _certainty(incident: Incident) -> tuple[bool, bool, str]:
    """Which account's doubt stands: an opening's before a close's, and one without any before."""
    return incident.opened, incident.doubt is None, incident.doubt or ""


def from_message(signal: AlertOpened | AlertClosed) -> Incident:
    """The account that one message gives of its incident."""
    match signal:
        case AlertOpened():
            return Incident(
                signal.incident_id,
                signal.region,
                IncidentState.OPEN,
                signal.started_at,
                doubt=signal.doubt,
            )
        case AlertClosed():
            return Incident(
                signal.incident_id,
                signal.region,
                IncidentState.CLOSED,
                signal.started_at,
                ended_at=signal.ended_at,
                opened=False,  # a close that comes before its open makes no region fail
            )


def too_old(signal: Signal, incidents: Incidents, now: datetime) -> bool:
    """Whether the message may be about an incident whose tombstone is gone, and is not merged.

    One whose incident is still known is merged however old it is.
    """
    if isinstance(signal, Tick | Command) or key_of(incidents, signal) in incidents:
        return False
    return signal.started_at < now - TOMBSTONE_LIFE


def key_of(incidents: Incidents, signal: AlertOpened | AlertClosed) -> str:
    """The key that a message's incident has here: its id, unless another region has that id."""
    earlier = incidents.get(signal.incident_id)
    if earlier is None or earlier.region == signal.region:
        return signal.incident_id
    return f"{signal.incident_id}@{signal.region}"


def bare_id(incident: Incident) -> str:
    """The id that its messages have, which another region's incident may have too."""
    return incident.id.removesuffix(f"@{incident.region}")


def set_aside(state: State, region: str, now: datetime, by: str) -> State:
    """The state with what is known against this region settled by a human's choice of it.

    Only a newer incident counts against it. by: who chose it, for people.
    """
    incidents = {
        key: replace(_settle(incident, now), set_aside=by)
        if incident.region == region and not incident.settled
        else incident
        for key, incident in state.incidents.items()
    }
    regions = {**state.regions, region: uncounted(state.regions[region])}
    return replace(state, incidents=incidents, regions=regions)


def _settle(incident: Incident, now: datetime) -> Incident:
    if incident.settled:
        return incident
    if incident.state is not IncidentState.OPEN:
        return replace(incident, settled=True)
    ended = max(now, incident.started_at)  # its start may lie ahead of our clock
    return replace(incident, settled=True, state=IncidentState.STALE, ended_at=ended)


# --- a region's status, from the set alone --------------------------------------------------------


def derived(state: State, policy: Policy, now: datetime, trusted: Collection[str] = ()) -> State:
    """The state with every region's status as it follows from the incidents."""
    regions = dict(state.regions)
    own: dict[str, dict[str, Incident]] = {name: {} for name in state.regions}
    for key, incident in state.incidents.items():
        own.setdefault(incident.region, {})[key] = incident
    for region, entry in state.regions.items():
        # A status that stays keeps its `since`, so that waiting times are counted from the change.
        follows = status(own[region], region, policy, trusting=region in trusted)
        if follows is not entry.status:
            regions[region] = replace(entry, status=follows, since=now)
    return replace(state, regions=regions)


def status(incidents: Incidents, region: str, policy: Policy, *, trusting: bool = False) -> Status:
    """The region's status: a function of the set of incidents alone.

    trusting: a close is taken as proof, because there is nothing else to prove health by.
    """
    if _weight(live(incidents, region), policy) >= policy.min_incidents:
        return Status.DOWN
    unproven = _unproven(incidents, region, trusting=policy.trust_close or trusting)
    return Status.RECOVERING if _weight(unproven, policy) >= policy.min_incidents else Status.UP


def live(incidents: Incidents, region: str) -> tuple[Incident, ...]:
    """The region's open incidents that the second signal does not contradict, by id."""
    keys = [key for key, incident in incidents.items() if incident.region == region]
    return tuple(incidents[key] for key in sorted(keys) if _is_live(incidents[key]))


def _is_live(incident: Incident) -> bool:
    heard = incident.opened and not incident.contradicted
    return heard and incident.state is IncidentState.OPEN


def _unproven(incidents: Incidents, region: str, *, trusting: bool) -> tuple[Incident, ...]:
    """The region's incidents that were true as far as is known, and that nothing has settled."""
    return tuple(
        incident
        for incident in incidents.values()
        if incident.region == region
        and incident.opened
        and not (incident.contradicted or incident.settled)
        and not (trusting and incident.state is IncidentState.CLOSED)
    )


def _weight(incidents: Iterable[Incident], policy: Policy) -> int:
    """How many incidents these count as: what a tick has seen itself needs no second witness."""
    return sum(
        policy.min_incidents if incident.id.startswith(TICK_PREFIX) else 1 for incident in incidents
    )


# --- what may be believed -------------------------------------------------------------------------


def believable(probes: Probes, known_down: Collection[str] = ()) -> Probes:
    """The probes as they may be believed.

    When every region that was asked fails to answer in the same way at once, perhaps we are the
    ones who are cut off: then none of them says anything (they are `blind`). An HTTP status of any
    kind shows that we are not. Regions that were down before say nothing about it either way.
    """
    failure = _common_failure(probes, known_down)
    if failure is None or _any_status(probes):
        return probes
    detail = f"blind: every region answers alike ({failure})"
    blind = Probe(Verdict.SILENT, detail, blind=True)
    return {
        region: probe if probe.verdict is Verdict.SILENT else blind
        for region, probe in probes.items()
    }


def _common_failure(probes: Probes, known_down: Collection[str]) -> NoAnswer | None:
    """How every region that was asked fails to answer; None where one does, or fails otherwise.

    One region alone has nobody to be compared with.
    """
    asked = [
        probe.answer
        for region, probe in probes.items()
        if probe.verdict is not Verdict.SILENT and region not in known_down
    ]
    first = asked[0] if len(asked) > 1 else None
    # A 503 everywhere is an outage that we see. Only silence may be our own fault.
    return first if isinstance(first, NoAnswer) and set(asked) == {first} else None


def _any_status(probes: Probes) -> bool:
    """Whether any region has answered with an HTTP status."""
    return any(isinstance(probe.answer, int) for probe in probes.values())


def is_blind(probes: Probes) -> bool:
    """Whether `believable` found that we may be the ones who are cut off."""
    return any(probe.blind for probe in probes.values())


# --- what one signal changes ----------------------------------------------------------------------


def assess(  # a decision's whole world
    state: State,
    signal: Signal,
    probes: Probes,
    policy: Policy,
    now: datetime,
    trusted: Collection[str] = (),
    second: Probes | None = None,
) -> State:
    """The state with this signal merged and every region's health as it then follows.

    probes: our own, believable ones. trusted: regions without a health URL, whose close is taken as
    proof. second: the second signal, where it is not the probes. Routing and epoch are left alone.
    """
    looks = _Looks(probes, probes if second is None else second)
    incidents = _heard(state.incidents, signal, looks, policy, now)
    incidents = {**incidents, **_looked_at_again(incidents, looks, now)}
    regions = state.regions
    if isinstance(signal, Tick):  # only ticks count: alerts come in bursts, and a burst is no row
        regions, incidents = _counted(replace(state, incidents=incidents), looks, policy, now)
        incidents = buried(incidents, policy, now, trusted)
    kept = capped(incidents, policy, trusted)
    # Of those that the document had: a new one that finds no room was never remembered.
    forgotten = sum(1 for key in state.incidents if key in incidents and key not in kept)
    assessed = replace(state, incidents=kept, forgotten=state.forgotten + forgotten)
    return derived(replace(assessed, regions=regions), policy, now, trusted)


def _heard(
    incidents: Incidents, signal: Signal, looks: _Looks, policy: Policy, now: datetime
) -> Incidents:
    """The incidents with what the message says of its own, unless it is too old to be believed."""
    if isinstance(signal, Tick | Command) or too_old(signal, incidents, now):
        return incidents
    incident = _merged(incidents, signal, looks, policy)
    return {**incidents, incident.id: incident}


def _merged(
    incidents: Incidents, signal: AlertOpened | AlertClosed, looks: _Looks, policy: Policy
) -> Incident:
    """The message joined to what is known, and the incident judged when it is first opened.

    One that every opening so far left in doubt is judged again by the first that does not.
    """
    message = replace(from_message(signal), id=key_of(incidents, signal))
    earlier = incidents.get(message.id)
    if earlier is None:
        return _judged(message, looks, policy) if message.opened else message
    incident = join(earlier, message)
    if message.opened and not earlier.opened:
        return _judged(incident, looks, policy)
    sheds_doubt = earlier.opened and earlier.doubt is not None and incident.doubt is None
    return _judged_again(incident, earlier, looks, policy) if sheds_doubt else incident


def _judged(incident: Incident, looks: _Looks, policy: Policy) -> Incident:
    """The incident as it counts from its first opening on."""
    failing = _says(looks.own, incident.region, Verdict.FAILING)
    doubted = incident.doubt is not None and not failing
    return replace(incident, contradicted=_is_denied(incident, looks, policy) or doubted)


def _judged_again(incident: Incident, earlier: Incident, looks: _Looks, policy: Policy) -> Incident:
    """The incident once its doubt is gone, so that the order of the two openings does not matter.

    It may become true by that and never false: it was believed before in spite of the doubt.
    """
    if earlier.contradicted and _is_denied(incident, looks, policy):
        return replace(incident, contradicted=True)
    return replace(incident, contradicted=False, failed_at=None)


def _is_denied(incident: Incident, looks: _Looks, policy: Policy) -> bool:
    """Whether the second signal, where it is asked, finds the incident's region healthy."""
    if policy.confirm is Confirm.NONE:
        return False
    return _says(looks.second, incident.region, Verdict.HEALTHY)


def _looked_at_again(incidents: Incidents, looks: _Looks, now: datetime) -> Incidents:
    """The contradicted incidents after one more look at their regions.

    A contradiction ends when two looks in a row, apart, see the region fail: one look alone may be
    a hiccup beside an alert that was wrong all the time. It never begins later than the alert.
    """
    return {
        key: _looked_at(incident, looks, now)
        for key, incident in incidents.items()
        if incident.contradicted and incident.state is IncidentState.OPEN
    }


def _looked_at(incident: Incident, looks: _Looks, now: datetime) -> Incident:
    if _says(looks.second, incident.region, Verdict.HEALTHY):
        return replace(incident, failed_at=None)
    if not _is_seen_failing(incident, looks):
        return incident
    since = now - incident.failed_at if incident.failed_at else None
    if since is None or abs(since) > ROW_GAP:  # the first look of a row
        return replace(incident, failed_at=now)
    if since < PROBE_SPACING:  # another orchestrator's tick of the same minute
        return incident
    return replace(incident, contradicted=False, failed_at=None)


def _is_seen_failing(incident: Incident, looks: _Looks) -> bool:
    """By the second signal, and by our own probe too where the alert's word alone is in doubt."""
    if not _says(looks.second, incident.region, Verdict.FAILING):
        return False
    return incident.doubt is None or _says(looks.own, incident.region, Verdict.FAILING)


def _counted(
    state: State, looks: _Looks, policy: Policy, now: datetime
) -> tuple[Mapping[str, RegionState], Incidents]:
    """Regions and incidents after a tick has counted one probe of each region.

    Proof settles what speaks against a region. Failing that no alert told of opens an incident.
    """
    regions, incidents = dict(state.regions), dict(state.incidents)
    probes = agreed(looks.own, looks.second)
    for region in [name for name in regions if name in probes]:
        against = _against(incidents, region, policy)
        down = status(incidents, region, policy) is Status.DOWN
        verdict, accused = probes[region].verdict, bool(against)
        counted = count(regions[region], verdict, policy, now, accused=accused, down=down)
        regions[region] = counted.region
        if counted.proven:
            incidents |= {incident.id: _settle(incident, now) for incident in against}
        if counted.failed:
            own = _own_incident(region, state.revision, now)
            incidents[own.id] = own
    return regions, incidents


def _against(incidents: Incidents, region: str, policy: Policy) -> tuple[Incident, ...]:
    """The incidents that still say something of this region's health."""
    of_region = (incident for incident in incidents.values() if incident.region == region)
    return tuple(incident for incident in of_region if not is_over(incident, policy))


def _own_incident(region: str, revision: int, now: datetime) -> Incident:
    """The incident that a tick opens itself: the alert was lost, or nothing watches the region.

    All instances that find it at this revision give it one id, so that it is one incident.
    """
    return Incident(f"{TICK_PREFIX}{region}-{revision}", region, IncidentState.OPEN, now)


def _says(probes: Probes, region: str, verdict: Verdict) -> bool:
    return region in probes and probes[region].verdict is verdict
