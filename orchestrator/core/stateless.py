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

from orchestrator.core.fence import next_epoch, read_frozen
from orchestrator.core.ground import create, shares
from orchestrator.core.incidents import believable, is_blind
from orchestrator.core.model import AlertOpened, Pair, Phase, Probe, Routing, Shift, State, Verdict
from orchestrator.core.plan import carrying, lever_of, movable, seen_pair
from orchestrator.core.policy import Service
from orchestrator.core.rule import Reason, Rule


def without_state(
    service: Service,
    signal: AlertOpened,
    routing: Routing,
    probes: Mapping[str, Probe],
    now: datetime,
) -> State | Reason:
    """The state to plan for, never to be stored; or why nothing may be moved."""
    believed = believable(probes)
    seen, pointed = seen_pair(routing, service), carrying(routing, service)
    if seen.rev == 0:
        return _no(f"{routing.name} carries no document's mark (epoch {seen.epoch} rev 0)")
    frozen = read_frozen(routing.description, service.name)
    if now.timestamp() < frozen:
        return _no(f"frozen until {datetime.fromtimestamp(frozen, UTC):%Y-%m-%d %H:%M:%S} UTC")
    if signal.region not in pointed:
        return _no(f"{signal.region} carries no traffic")
    if now - signal.started_at > service.policy.max_event_age:
        return _no("the incident began too long ago")
    if is_blind(believed) or not _says(believed, signal.region, Verdict.FAILING):
        return _no(f"our own probe does not see {signal.region} fail")
    stay = [n for n in pointed if n != signal.region and _says(believed, n, Verdict.HEALTHY)]
    regions = tuple(stay) or _first_fit(service, signal.region, routing, believed)
    if not regions:
        return _no("no other region answers its probe and can be given traffic")
    pair = Pair(next_epoch(seen.epoch), 0)
    state = create(service, routing, now)
    shift = Shift(pair, Phase.COMMITTED)
    made = replace(state, epoch=pair.epoch, routing=shares(regions), shift=shift)
    return replace(made, primary=regions[0])


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


def _no(value: str) -> Reason:
    return Reason(Rule.ON_STATE_LOSS, False, value, "act")
