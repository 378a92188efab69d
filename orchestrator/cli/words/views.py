"""What was seen and would be done, as JSON: the documented shapes of `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from orchestrator.core.document.codec import incident_fields
from orchestrator.core.model import (
    AlertClosed,
    AlertOpened,
    Incident,
    IncidentState,
    Json,
    Observed,
    Paged,
    Signal,
    State,
)
from orchestrator.core.outside.reading import stamp_time, stamped
from orchestrator.core.paging import standing
from orchestrator.core.policy import Service
from orchestrator.core.traffic.plan import Plan, backends_after, desired, mark_of
from orchestrator.core.traffic.shares import TrafficShares, shares, traffic, unclaimed_view, view
from orchestrator.flow.journal import record
from orchestrator.flow.preview import Preview


def signal_view(service: str, signal: Signal) -> Json:
    """One signal and whom it is for."""
    doubt = None
    match signal:
        case AlertOpened():
            kind, ended, doubt = "opened", None, signal.doubt
        case AlertClosed():
            kind, ended = "closed", stamp_time(signal.ended_at)
        case _:
            return {"service": service, "kind": "tick"}
    return {
        "service": service,
        "kind": kind,
        "region": signal.region,
        "incident_id": signal.incident_id,
        "started_at": stamp_time(signal.started_at),
        "ended_at": ended,
        "doubt": doubt,
    }


def plan_view(plan: Plan) -> Json:
    """One plan: its changes and its marks."""
    return {
        "resource": plan.resource,
        "lever": plan.lever,
        "empty": plan.empty,
        "drift": plan.drift,
        "seen": {"epoch": plan.mark_before.epoch, "rev": plan.mark_before.rev},
        "wanted": {"epoch": plan.mark.epoch, "rev": plan.mark.rev},
        "changes": [
            {
                "verb": change.verb,
                "region": change.region,
                "group": change.backend.group,
                "capacity_scaler": change.backend.scaler,
            }
            for change in plan.changes
        ],
    }


def preview_view(service: Service, found: Preview) -> Json:
    """What a signal would do now."""
    decision = found.decision
    return {
        "service": service.name,
        "outcome": decision.outcome,
        "changes_document": decision.changed,
        "epoch": decision.state.epoch,
        "primary": decision.state.primary,
        "routing": dict(decision.state.routing),
        "health": {name: entry.status for name, entry in decision.state.regions.items()},
        "reasons": [record.reason(reason) for reason in decision.reasons],
        "waiting": [record.reason(reason) for reason in decision.waiting],
        "page": decision.page,
        "traffic": view(_traffic(service, found.observed)),
        "remains": view(_remains(service, found)),
        **_under_way(found.observed.stored.state),
        "plan": plan_view(found.plan) if found.plan else None,
        "obstacle": found.obstacle,
        "mark_left_alone": found.unmarked,
    }


def _traffic(service: Service, observed: Observed) -> TrafficShares | None:
    return traffic(observed.routing, service, observed.stored.state)


def _remains(service: Service, found: Preview) -> TrafficShares | None:
    """Who would get traffic after the plan of a preview. None where there is no plan."""
    if found.plan is None or found.observed.routing is None:
        return None
    after = replace(
        found.observed.routing, backends=backends_after(found.plan, found.observed.routing)
    )
    return traffic(after, service, found.decision.state)


def status_view(service: Service, observed: Observed, now: datetime) -> Json:
    """How one service stands: by the document, by the load balancer, by our own probes."""
    state = observed.stored.state
    seen = _traffic(service, observed)
    read, others = shares(observed.routing, service, state, observed.roles)
    return {
        "service": service.name,
        "mode": service.mode,
        "standby": service.standby,
        "document": state is not None,
        **(_document(state, now) if state else dict.fromkeys(_OF_DOCUMENT) | {"pages": []}),
        "differs": _differs(service, state, seen),
        **_under_way(state),
        "load_balancer": _balancer(service, observed, seen, others),
        "regions": [
            {
                "region": name,
                "endpoint": service.region(name).endpoint,
                "share": read[name] if read else None,
                **_of_document(state, name),
                **_answers(observed, name),
            }
            for name in service.names
        ],
    }


_OF_DOCUMENT = ("epoch", "revision", "primary", "routing", "phase", "updated_at")
"""What only a document tells of a service."""


def _document(state: State, now: datetime) -> Json:
    return {
        "epoch": state.epoch,
        "revision": state.revision,
        "primary": state.primary,
        "routing": dict(state.routing),
        "phase": state.shift.phase if state.shift else None,
        "updated_at": stamped(state.updated_at),
        "pages": [_paged(name, one) for name, one in standing(state.pages, now).items()],
    }


def _balancer(
    service: Service, observed: Observed, seen: TrafficShares | None, others: Mapping[str, float]
) -> Json | None:
    """The load balancer as read now. others: the shares of backends that no region claims."""
    if seen is None or observed.routing is None:
        return None
    mark = mark_of(observed.routing, service)
    unclaimed = [{**one, "share": others.get(str(one["group"]))} for one in unclaimed_view(seen)]
    return {
        "name": service.backend_service,
        "carrying": list(seen.regions),
        "unclaimed": unclaimed,
        "epoch": mark.epoch,
        "rev": mark.rev,
    }


def _paged(name: str, entry: Paged) -> Json:
    """A condition that a human was paged for and that holds, as far as the document knows."""
    return {
        "condition": name,
        "since": stamp_time(entry.since),
        "seen": stamp_time(entry.seen),
        "paged": stamped(entry.last),
        "count": entry.count,
        "acknowledged": entry.quiet,
    }


def _differs(service: Service, state: State | None, seen: TrafficShares | None) -> Json | None:
    """The regions as read and as the document wants them, where these are not the same.

    None where they are, where one of both was not read, and at epoch 0, which wants nothing.
    """
    if state is None or seen is None or state.epoch == 0:
        return None
    wanted = desired(state, service)
    if wanted == frozenset(seen.regions):
        return None
    return {"read": list(seen.regions), "wanted": [n for n in service.names if n in wanted]}


def _under_way(state: State | None) -> Json:
    """What blocks automation, or is not finished, as the document has it."""
    return {name: state.raw.get(name) if state else None for name in ("freeze", "switch", "ramp")}


def incident_view(incident: Incident) -> Json:
    """One incident as the document knows it."""
    return {"id": incident.id, **incident_fields(incident)}


def chosen_by(state: State, name: str) -> str | None:
    """Who chose a region that counts as up for that alone: nothing has proven it well since."""
    entry = state.regions[name]
    for incident in state.incidents.values():
        ended = incident.ended_at or incident.started_at
        proven = entry.proven_at is not None and entry.proven_at > ended
        if incident.region == name and incident.set_aside and entry.healthy and not proven:
            return incident.set_aside
    return None


_OF_ENTRY = ("status", "healthy", "since", "attach", "attached", "leave", "chosen")
"""What only a document that knows the region tells of it."""


def _of_document(state: State | None, name: str) -> Json:
    """What the document has of a region."""
    if state is None:
        return {**dict.fromkeys(_OF_ENTRY), "wanted_share": None, "open_incidents": []}
    known = _entry(state, name) if name in state.regions else dict.fromkeys(_OF_ENTRY)
    open_incidents = [
        incident.id
        for incident in state.incidents.values()
        if incident.region == name and incident.opened and incident.state is IncidentState.OPEN
    ]
    share = state.routing.get(name, 0.0)
    return {**known, "wanted_share": share, "open_incidents": open_incidents}


def _entry(state: State, name: str) -> Json:
    entry = state.regions[name]
    return {
        "status": entry.status,
        "healthy": entry.healthy,
        "since": stamp_time(entry.since),
        "attach": entry.attach,
        "attached": entry.attached,
        "leave": entry.leave,
        "chosen": chosen_by(state, name),
    }


def _answers(observed: Observed, name: str) -> Json:
    """What the region answered just now."""
    probe, role = observed.probes.get(name), observed.roles.get(name)
    return {
        "probe": {"verdict": probe.verdict, "detail": probe.detail} if probe else None,
        "role": {"part": role.part, "detail": role.detail, "epoch": role.epoch} if role else None,
    }
