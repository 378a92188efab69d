"""What was seen and would be done, as JSON: the documented shapes of `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from orchestrator.core.model import AlertClosed, AlertOpened, Json, Observed, Paged, Signal, State
from orchestrator.core.paging import standing
from orchestrator.core.plan import Plan, backends_after, desired, mark_of
from orchestrator.core.policy import Service
from orchestrator.core.reading import stamp_time, stamped
from orchestrator.core.traffic import Traffic, shares, traffic, unclaimed_view, view
from orchestrator.flow import record
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


def _traffic(service: Service, observed: Observed) -> Traffic | None:
    return traffic(observed.routing, service, observed.stored.state)


def _remains(service: Service, found: Preview) -> Traffic | None:
    """Who would get traffic after the plan of a preview; None where there is no plan."""
    if found.plan is None or found.observed.routing is None:
        return None
    after = replace(
        found.observed.routing, backends=backends_after(found.plan, found.observed.routing)
    )
    return traffic(after, service, found.decision.state)


def status_view(service: Service, observed: Observed, now: datetime) -> Json:
    """How one service stands: by the document, by the load balancer, by our own probes."""
    state, routing = observed.stored.state, observed.routing
    mark = mark_of(routing, service) if routing else None
    seen = _traffic(service, observed)
    read, others = shares(routing, service, state, observed.roles)
    return {
        "service": service.name,
        "mode": service.mode,
        "standby": service.standby,
        "document": state is not None,
        "epoch": state.epoch if state else None,
        "revision": state.revision if state else None,
        "primary": state.primary if state else None,
        "routing": dict(state.routing) if state else None,
        "phase": state.shift.phase if state and state.shift else None,
        "pages": [_paged(name, one) for name, one in standing(state.pages, now).items()]
        if state
        else [],
        "differs": _differs(service, state, seen),
        "updated_at": stamped(state.updated_at) if state else None,
        **_under_way(state),
        "load_balancer": {
            "name": service.backend_service,
            "carrying": list(seen.regions),
            "unclaimed": [
                {**one, "share": others.get(str(one["group"]))} for one in unclaimed_view(seen)
            ],
            "epoch": mark.epoch,
            "rev": mark.rev,
        }
        if seen and mark
        else None,
        "regions": [_region(service, observed, name, read) for name in service.names],
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


def _differs(service: Service, state: State | None, seen: Traffic | None) -> Json | None:
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
    """What stands in the way of automation, or is not finished, as the document has it."""
    return {name: state.raw.get(name) if state else None for name in ("freeze", "switch", "ramp")}


def chosen_by(state: State, name: str) -> str | None:
    """Who chose a region that counts as up for that alone: nothing has proven it well since."""
    entry = state.regions[name]
    for incident in state.incidents.values():
        ended = incident.ended_at or incident.started_at
        proven = entry.proven_at is not None and entry.proven_at > ended
        if incident.region == name and incident.set_aside and entry.healthy and not proven:
            return incident.set_aside
    return None


def _region(
    service: Service, observed: Observed, name: str, read: Mapping[str, float] | None
) -> Json:
    state = observed.stored.state
    entry = state.regions.get(name) if state else None
    probe, role = observed.probes.get(name), observed.roles.get(name)
    open_ones = [
        incident.id
        for incident in (state.incidents.values() if state else ())
        if incident.region == name and incident.opened and incident.state == "open"
    ]
    return {
        "region": name,
        "endpoint": service.region(name).endpoint,
        "status": entry.status if entry else None,
        "healthy": entry.healthy if entry else None,
        "since": stamp_time(entry.since) if entry else None,
        "share": read[name] if read else None,
        "wanted_share": state.routing.get(name, 0.0) if state else None,
        "probe": {"verdict": probe.verdict, "detail": probe.detail} if probe else None,
        "role": {"part": role.part, "detail": role.detail, "epoch": role.epoch} if role else None,
        "attach": entry.attach if entry else None,
        "attached": entry.attached if entry else None,
        "leave": entry.leave if entry else None,
        "open_incidents": open_ones,
        "chosen": chosen_by(state, name) if state and entry else None,
    }
