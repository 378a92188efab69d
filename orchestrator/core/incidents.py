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
close is no proof, for Monitoring closes incidents on missing data too.

This module does not choose regions and does not know routing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

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
from orchestrator.core.second import agreed
from orchestrator.core.tombstones import TOMBSTONE_LIFE, buried, capped, is_over

PROBE_SPACING = timedelta(seconds=45)
"""Probes closer than this count once: two orchestrators tick every minute, each on its own."""

ROW_GAP = timedelta(minutes=15)
"""Probes further apart than this, in either direction of the clock, are not in a row."""

TICK_PREFIX = "tick-"
"""Incidents that a tick opened itself, after as many failing probes as recovery needs."""

RELAPSE = timedelta(hours=24)
"""A region that fails again within this time of its recovery has relapsed."""

LONGEST_PROOF = 60
"""Probes that a recovery takes at most, however often the region has relapsed: about an hour."""

_ORDER = {IncidentState.OPEN: 0, IncidentState.STALE: 1, IncidentState.CLOSED: 2}

Incidents = Mapping[str, Incident]
Probes = Mapping[str, Probe]


def join(one: Incident, other: Incident) -> Incident:
    """Two accounts of one incident as one. Commutative, associative, idempotent."""
    ended = [at for at in (one.ended_at, other.ended_at) if at]
    return Incident(
        id=one.id,
        region=min(one.region, other.region),
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
                opened=False,
            )


def too_old(signal: Signal, incidents: Incidents, now: datetime) -> bool:
    """Whether the message may speak of an incident whose tombstone is gone, and is not merged.

    One whose incident is still known is merged however old it is.
    """
    if isinstance(signal, Tick | Command) or key_of(incidents, signal) in incidents:
        return False
    return signal.started_at < now - TOMBSTONE_LIFE


def believable(probes: Probes, known_down: Collection[str] = ()) -> Probes:
    """The probes as they may be believed.

    When every region that was asked fails to answer in the same way at once, it may be us who are
    cut off: then none of them says anything (they are `blind`). An HTTP status of
    any kind shows that we are not. Regions that were down before say nothing of it either way.
    """
    asked = [
        probe
        for region, probe in probes.items()
        if probe.verdict is not Verdict.SILENT and region not in known_down
    ]
    first = asked[0].answer if len(asked) > 1 else None
    alike = isinstance(first, NoAnswer) and all(probe.answer == first for probe in asked)
    answered = any(isinstance(probe.answer, int) for probe in probes.values())
    if answered or not alike:
        return probes
    told = f"blind: every region answers alike ({first})"
    blind = Probe(Verdict.SILENT, told, blind=True)
    return {
        region: probe if probe.verdict is Verdict.SILENT else blind
        for region, probe in probes.items()
    }


def is_blind(probes: Probes) -> bool:
    """Whether `believable` found that we may be the ones who are cut off."""
    return any(probe.blind for probe in probes.values())


def live(incidents: Incidents, region: str) -> tuple[Incident, ...]:
    """The region's open incidents that the second signal does not contradict, by id."""
    found = [
        (key, incident)
        for key, incident in incidents.items()
        if incident.region == region
        and incident.opened
        and not incident.contradicted
        and incident.state is IncidentState.OPEN
    ]
    return tuple(incident for _, incident in sorted(found, key=lambda one: one[0]))


def key_of(incidents: Incidents, signal: AlertOpened | AlertClosed) -> str:
    """The key that a message's incident has here: its id, unless another region has that id."""
    known = incidents.get(signal.incident_id)
    if known is None or known.region == signal.region:
        return signal.incident_id
    return f"{signal.incident_id}@{signal.region}"


def bare_id(incident: Incident) -> str:
    """The id that its messages have, which another region's incident may have too."""
    return incident.id.removesuffix(f"@{incident.region}")


def status(incidents: Incidents, region: str, policy: Policy, *, trusting: bool = False) -> Status:
    """The region's status: a function of the set of incidents alone.

    trusting: a close is taken as proof, for there is nothing else to prove health by.
    """
    if _weight(live(incidents, region), policy) >= policy.min_incidents:
        return Status.DOWN
    unproven = [
        incident
        for incident in incidents.values()
        if incident.region == region
        and incident.opened
        and not (incident.contradicted or incident.settled)
        and not (_trusts(policy, trusting) and incident.state is IncidentState.CLOSED)
    ]
    return Status.RECOVERING if _weight(unproven, policy) >= policy.min_incidents else Status.UP


def _trusts(policy: Policy, trusting: bool) -> bool:  # one of two reasons to trust
    return policy.trust_close or trusting


def _weight(incidents: Iterable[Incident], policy: Policy) -> int:
    """How many incidents these count as: what a tick has seen itself needs no second witness."""
    return sum(
        policy.min_incidents if incident.id.startswith(TICK_PREFIX) else 1 for incident in incidents
    )


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
    incidents = dict(state.incidents)
    second = probes if second is None else second
    if not isinstance(signal, Tick | Command) and not too_old(signal, incidents, now):
        _merge(incidents, signal, second, probes, policy)
    _lift_contradictions(incidents, second, probes, now)
    proofs = agreed(probes, second)
    regions = dict(state.regions)
    if isinstance(signal, Tick):
        for region, entry in state.regions.items():
            if region in proofs:
                regions[region] = _count(
                    incidents, region, entry, proofs[region], state, policy, now
                )
        incidents = buried(incidents, policy, now, trusted)
    kept = capped(incidents, policy, trusted)
    forgotten = sum(1 for key in state.incidents if key in incidents and key not in kept)
    merged = replace(state, incidents=kept, forgotten=state.forgotten + forgotten)
    return derived(replace(merged, regions=regions), policy, now, trusted)


def derived(state: State, policy: Policy, now: datetime, trusted: Collection[str] = ()) -> State:
    """The state with every region's status as it follows from the incidents."""
    regions = dict(state.regions)
    own: dict[str, dict[str, Incident]] = {name: {} for name in state.regions}
    for key, incident in state.incidents.items():
        own.setdefault(incident.region, {})[key] = incident
    for region, entry in state.regions.items():
        found = status(own[region], region, policy, trusting=region in trusted)
        if found is not entry.status:
            regions[region] = replace(entry, status=found, since=now)
    return replace(state, regions=regions)


def proof_needed(entry: RegionState, policy: Policy, now: datetime) -> int:
    """Healthy probes in a row that prove this region: twice as many with each relapse in a day."""
    again = entry.recoveries if _is_recent(entry, now) else 0
    doubled: int = policy.recovery_probes * 2 ** min(again, 16)
    return min(doubled, max(policy.recovery_probes, LONGEST_PROOF))


def _is_recent(entry: RegionState, now: datetime) -> bool:
    return entry.proven_at is not None and now - entry.proven_at <= RELAPSE


def _proven(entry: RegionState, now: datetime) -> RegionState:
    """The region that a tick has just proven healthy."""
    before = entry.recoveries if _is_recent(entry, now) else 0
    return replace(_counted(entry, 0, 0, None), proven_at=now, recoveries=before + 1)


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
    entry = replace(state.regions[region], proofs=0, failures=0, counted_at=None)
    return replace(state, incidents=incidents, regions={**state.regions, region: entry})


def _merge(
    incidents: dict[str, Incident],
    signal: AlertOpened | AlertClosed,
    second: Probes,
    own: Probes,
    policy: Policy,
) -> None:
    """Join the message to what is known, and judge an incident that is opened for the first time.

    One that every opening so far left in doubt is judged again by the first that does not: without
    the doubt, so that the order of the two does not matter.
    """
    message = replace(from_message(signal), id=key_of(incidents, signal))
    known = incidents.get(message.id)
    first_open = message.opened and not (known and known.opened)
    merged = join(known, message) if known else message
    denied = policy.confirm is not Confirm.NONE and _says(second, merged.region, Verdict.HEALTHY)
    doubted = merged.doubt is not None and not _says(own, merged.region, Verdict.FAILING)
    if first_open:
        merged = replace(merged, contradicted=denied or doubted)
    elif known and known.opened and known.doubt and merged.doubt is None:
        still = known.contradicted and denied
        merged = replace(merged, contradicted=still, failed_at=merged.failed_at if still else None)
    incidents[merged.id] = merged


def _lift_contradictions(
    incidents: dict[str, Incident], second: Probes, own: Probes, now: datetime
) -> None:
    """A contradiction ends when two looks in a row, apart, see the region fail; it never begins
    later than the alert.

    One look alone may be a hiccup beside an alert that was wrong all the time. That of an incident
    in doubt ends only when our own probe fails too.
    """
    for key, incident in incidents.items():
        if incident.contradicted and incident.state is IncidentState.OPEN:
            incidents[key] = _looked_at(incident, second, own, now)


def _looked_at(incident: Incident, second: Probes, own: Probes, now: datetime) -> Incident:
    """The contradicted incident after one more look at its region."""
    if _says(second, incident.region, Verdict.HEALTHY):
        return replace(incident, failed_at=None)
    sure = incident.doubt is None or _says(own, incident.region, Verdict.FAILING)
    if not (sure and _says(second, incident.region, Verdict.FAILING)):
        return incident
    since = now - incident.failed_at if incident.failed_at else None
    if since is None or abs(since) > ROW_GAP:
        return replace(incident, failed_at=now)
    if since < PROBE_SPACING:
        return incident
    return replace(incident, contradicted=False, failed_at=None)


def _says(probes: Probes, region: str, verdict: Verdict) -> bool:
    return region in probes and probes[region].verdict is verdict


def _count(
    incidents: dict[str, Incident],
    region: str,
    entry: RegionState,
    probe: Probe,
    state: State,
    policy: Policy,
    now: datetime,
) -> RegionState:
    """Count one tick's probe of one region; settle or open incidents when enough have agreed."""
    pending = [
        incident
        for incident in incidents.values()
        if incident.region == region and not is_over(incident, policy)
    ]
    down = status(incidents, region, policy) is Status.DOWN
    was_down = entry.status is not Status.UP
    entry = _in_a_row(entry, now)
    spaced = entry.counted_at is None or now - entry.counted_at >= PROBE_SPACING
    match probe.verdict:
        case Verdict.HEALTHY if pending:
            proofs = entry.proofs + 1 if spaced else entry.proofs
            if proofs < proof_needed(entry, policy, now):
                return _counted(entry, proofs, 0, now if spaced else entry.counted_at)
            for incident in pending:
                incidents[incident.id] = _settle(incident, now)
            return _proven(entry, now) if was_down else _counted(entry, 0, 0, None)
        case Verdict.HEALTHY:
            return _counted(entry, 0, 0, None)
        case Verdict.FAILING if down:
            return _counted(entry, 0, 0, None)
        case Verdict.FAILING:
            failures = entry.failures + 1 if spaced else entry.failures
            if failures < policy.recovery_probes:
                return _counted(entry, 0, failures, now if spaced else entry.counted_at)
            own = Incident(
                f"{TICK_PREFIX}{region}-{state.revision}", region, IncidentState.OPEN, now
            )
            incidents[own.id] = own
            return _counted(entry, 0, 0, None)
        case Verdict.SILENT:
            return entry


def _in_a_row(entry: RegionState, now: datetime) -> RegionState:
    """The region without a count that is not of a moment ago: nothing is known of the time between.

    A count that lies a little ahead was made by a faster clock, and stands.
    """
    if entry.counted_at is None or abs(now - entry.counted_at) <= ROW_GAP:
        return entry
    return _counted(entry, 0, 0, None)


def _counted(
    entry: RegionState, proofs: int, failures: int, counted_at: datetime | None
) -> RegionState:
    return replace(entry, proofs=proofs, failures=failures, counted_at=counted_at)


def _settle(incident: Incident, now: datetime) -> Incident:
    if incident.settled:
        return incident
    if incident.state is not IncidentState.OPEN:
        return replace(incident, settled=True)
    ended = max(now, incident.started_at)  # its start may lie ahead of our clock
    return replace(incident, settled=True, state=IncidentState.STALE, ended_at=ended)
