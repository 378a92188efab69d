"""What may be moved while the state cannot be read: `on_state_loss: act`.

The load balancer's own mark stands in for the state. From (R, W) on the resource one move is made,
to (R+1, 0): a revision of 0 says that no document knows of it, so it is not moved on from, and when
the state can be read again it adopts what it finds. The mark tells of a freeze too, which holds
here as everywhere. Cooldown and limits stand in the state and cannot be asked; what can be seen is
asked all the more strictly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from orchestrator.core.document.ground import create, shares
from orchestrator.core.health.incidents import believable, is_blind
from orchestrator.core.model import AlertOpened, Mark, Phase, Probe, Routing, Shift, State, Verdict
from orchestrator.core.policy import Service
from orchestrator.core.rule import Reason, Rule
from orchestrator.core.traffic.fence import next_epoch, read_frozen
from orchestrator.core.traffic.plan import carrying, lever_of, mark_of, movable


def without_state(
    service: Service,
    signal: AlertOpened,
    routing: Routing,
    probes: Mapping[str, Probe],
    now: datetime,
) -> State | Reason:
    """The state to plan for, never to be stored; or why nothing may be moved."""
    believed = believable(probes)
    refusal = _refusal(service, signal, routing, believed, now)
    if refusal:
        return Reason(Rule.ON_STATE_LOSS, False, refusal, "act")
    regions = _heirs(service, signal.region, routing, believed)
    if not regions:
        value = "no other region answers its probe and can be given traffic"
        return Reason(Rule.ON_STATE_LOSS, False, value, "act")
    mark = Mark(next_epoch(mark_of(routing, service).epoch), 0)
    return replace(
        create(service, routing, now),
        epoch=mark.epoch,
        primary=regions[0],
        routing=shares(regions),
        shift=Shift(mark, Phase.COMMITTED),
    )


def _refusal(
    service: Service,
    signal: AlertOpened,
    routing: Routing,
    probes: Mapping[str, Probe],
    now: datetime,
) -> str:
    """Why nothing may be moved, by what can be seen. Empty if it may."""
    mark = mark_of(routing, service)
    if mark.rev == 0:
        return f"{routing.name} has no mark of a document (epoch {mark.epoch} rev 0)"
    frozen = read_frozen(routing.description, service.name)
    if now.timestamp() < frozen:
        return f"frozen until {datetime.fromtimestamp(frozen, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if signal.region not in carrying(routing, service):
        return f"{signal.region} carries no traffic"
    if now - signal.started_at > service.policy.max_event_age:
        return "the incident is too old"
    if is_blind(probes) or not _says(probes, signal.region, Verdict.FAILING):
        return f"our own probe does not see {signal.region} fail"
    return ""


def _heirs(
    service: Service, left: str, routing: Routing, probes: Mapping[str, Probe]
) -> tuple[str, ...]:
    """Who carries the traffic then: those that do already and answer, else the first that can."""
    others = (name for name in carrying(routing, service) if name != left)
    stay = tuple(name for name in others if _says(probes, name, Verdict.HEALTHY))
    return stay or _first_fit(service, left, routing, probes)


def _first_fit(
    service: Service, left: str, routing: Routing, probes: Mapping[str, Probe]
) -> tuple[str, ...]:
    lever = lever_of(service, None)
    fit = (
        name
        for name in service.names
        if name != left
        and _says(probes, name, Verdict.HEALTHY)
        and movable(routing, service, lever, name)
    )
    return tuple(name for name in [next(fit, None)] if name)


def _says(probes: Mapping[str, Probe], name: str, verdict: Verdict) -> bool:
    return name in probes and probes[name].verdict is verdict
