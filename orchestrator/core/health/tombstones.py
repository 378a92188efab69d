"""Which incidents the document keeps: by age, then by number.

A closed incident is kept as a tombstone so that a late copy of its *open* message finds it and does
not open it again. After `TOMBSTONE_LIFE` no such copy is merged any longer, so the tombstone goes.
Beyond `limits.INCIDENTS` the oldest go first, in this order: what is closed or stale and says
nothing any more (settled, forgiven, never opened); what the second signal contradicts; what is
closed and not yet proven; what is open. So the set stays a join up to that number, and which ones
go is a function of the set alone, not of the order in which messages came.

What a region's status and rules rest on never goes: its `min_incidents` oldest open ones (it stays
down), its newest open one (`max_event_age` asks how recent it is), and `min_incidents` closed ones
that nothing has proven (it stays recovering).

What a dropped tombstone means: a late copy of its open message, within the day, is taken for a new
incident. The second signal contradicts it while the region is well. `max_event_age` keeps it from
moving traffic, because it counts from the incident's own start. Ticks prove the region and make it
stale. Only where a region has no health URL does it stay down, until the copy of the close comes or
a human chooses the region. What a dropped open incident means: the region stays down by the older
ones, and when those close, ticks look for themselves. PURE.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from orchestrator.core.model import Incident, IncidentState
from orchestrator.core.outside.limits import INCIDENT_BYTES, INCIDENTS
from orchestrator.core.policy import Policy

TOMBSTONE_LIFE = timedelta(hours=24)
"""How long a finished incident is kept, so that a late copy of its messages finds it."""

_FORM = 245
"""Bytes of an incident in the document, besides what its texts take."""

Incidents = Mapping[str, Incident]


def is_over(incident: Incident, policy: Policy, trusted: Collection[str] = ()) -> bool:
    """Whether the incident no longer says anything about its region's health.

    trusted: regions whose close is taken as proof.
    """
    closed = incident.state is IncidentState.CLOSED
    trusting = policy.trust_close or incident.region in trusted
    forgiven = closed and (incident.contradicted or trusting)
    return incident.settled or forgiven or not incident.opened


def buried(
    incidents: Incidents, policy: Policy, now: datetime, trusted: Collection[str]
) -> dict[str, Incident]:
    """The incidents without those that have had their time and that no status rests on."""
    vital = _vital(incidents, policy, trusted)
    return {
        key: incident
        for key, incident in incidents.items()
        if incident.state is IncidentState.OPEN
        or key in vital
        or _last(incident) >= now - TOMBSTONE_LIFE
    }


def capped(incidents: Incidents, policy: Policy, trusted: Collection[str]) -> Incidents:
    """The incidents without those that are too many, or too large together, for the document."""
    excess = len(incidents) - INCIDENTS
    surplus = sum(map(_bytes, incidents.values())) - INCIDENT_BYTES
    if excess <= 0 and surplus <= 0:
        return incidents
    vital = _vital(incidents, policy, trusted)
    kept = dict(incidents)
    spare = (one for one in incidents.items() if one[0] not in vital)
    for key, incident in sorted(spare, key=lambda one: _worth(one[1], policy, trusted)):
        if excess <= 0 and surplus <= 0:
            break
        del kept[key]
        excess, surplus = excess - 1, surplus - _bytes(incident)
    return kept


def _worth(
    incident: Incident, policy: Policy, trusted: Collection[str]
) -> tuple[int, datetime, str]:
    """What goes first is lowest."""
    is_open = incident.state is IncidentState.OPEN
    if is_over(incident, policy, trusted) and not is_open:
        rank = 0
    elif incident.contradicted or not incident.opened:
        rank = 1
    else:
        rank = 3 if is_open else 2
    return rank, _last(incident), incident.id


def _vital(incidents: Incidents, policy: Policy, trusted: Collection[str]) -> set[str]:
    """The keys of what a region's status and rules rest on."""
    live: dict[str, list[tuple[datetime, str]]] = {}
    unproven: dict[str, list[tuple[datetime, str]]] = {}
    for key, incident in incidents.items():
        if incident.contradicted or is_over(incident, policy, trusted):
            continue
        kind = live if incident.state is IncidentState.OPEN else unproven
        kind.setdefault(incident.region, []).append((incident.started_at, key))
    enough = policy.min_incidents
    first = (key for found in live.values() for _, key in sorted(found)[:enough])
    newest = (max(found)[1] for found in live.values())
    last = (key for found in unproven.values() for _, key in sorted(found)[-enough:])
    return {*first, *newest, *last}


def _last(incident: Incident) -> datetime:
    """When it was last heard of."""
    return max(incident.ended_at or incident.started_at, incident.started_at)


def _bytes(incident: Incident) -> int:
    """About what it takes in the document."""
    texts: Iterable[str] = (incident.id, incident.region, incident.set_aside)
    told = sum(len(one) if one.isascii() else 12 * len(one) for one in texts)
    return _FORM + told + sum(len(rule) + 10 for rule in incident.refused)
