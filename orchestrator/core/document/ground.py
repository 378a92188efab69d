"""The ground that a decision stands on: the document as it is, or one made for the occasion.

Four cases need more than the document as read. There is none: one is made, with the primary where
the routing points. The routing carries a higher mark: the document is old (restored, re-created),
and the routing's traffic is adopted above it. The configuration is newer: it takes an epoch. The
routing names no region that we know: then no epoch may follow, and a human is needed.

Nothing here asks who is healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from orchestrator.core.claims import is_pattern, matches
from orchestrator.core.exceptions import Orphaned, Unavailable
from orchestrator.core.model import (
    NO_MARK,
    DecisionOutcome,
    Observed,
    Part,
    RegionState,
    Role,
    Routing,
    State,
    Status,
)
from orchestrator.core.policy import Mode, Region, Service, Stamp, Standby
from orchestrator.core.rule import Reason, Rule
from orchestrator.core.traffic.plan import carrying, mark_of, named
from orchestrator.core.traffic.shares import besides, unclaimed


class Standing(StrEnum):
    """How the configuration of this instance stands to the one that the document was made with."""

    SAME = "same"
    NEWER = "newer"
    OLDER = "older"
    CLASH = "clash"


def standing(document: Stamp, mine: Stamp) -> Standing:
    """Compare by serial; the same serial with another digest is a clash."""
    if mine.serial != document.serial:
        return Standing.NEWER if mine.serial > document.serial else Standing.OLDER
    return Standing.SAME if mine.digest == document.digest else Standing.CLASH


@dataclass(frozen=True, slots=True)
class Ground:
    """The document to go on from.

    carrying: the regions that carry traffic now and may go on to. joining: those that a newer
    configuration adds, if they prove healthy. outcome: why it needs an epoch of its own. stuck: no
    epoch may come.
    """

    state: State
    carrying: tuple[str, ...]
    joining: tuple[str, ...] = ()
    outcome: DecisionOutcome | None = None
    reasons: tuple[Reason, ...] = ()
    stuck: bool = False


def stand(service: Service, before: State | None, observed: Observed, now: datetime) -> Ground:
    """The document to decide on. Raises Unavailable when one would have to be made blindly."""
    routing = observed.routing
    before = before or _first(service, routing, now)
    state = refit(before, service, now)
    if routing is None:
        return Ground(state, _known(service, state))
    state = _as_routed(service, state, routing)
    names_nobody = _names_nobody(service, state, routing)
    if names_nobody:
        return _stuck(service, state, names_nobody)
    if mark_of(routing, service) > state.mark:
        return _adopting(service, state, routing, observed.roles)
    if standing(state.stamp, service.stamp) is Standing.NEWER:
        return _configured(service, before, state)
    return Ground(state, _known(service, state))


def _names_nobody(service: Service, state: State, routing: Routing) -> str:
    """Why nothing can be made of what the routing says; empty where it names a region of ours."""
    seen = mark_of(routing, service)
    others = besides(unclaimed(routing, service, state), alone=True)
    if seen > state.mark and not carrying(routing, service):
        return f"{routing.name} gives no configured region traffic{others}"
    ours = seen == state.mark != NO_MARK
    if not named(routing, service) and not ours:
        return f"{routing.name} names no configured region{others}"
    return ""


def _as_routed(service: Service, state: State, routing: Routing) -> State:
    """The document where the routing carries its very epoch."""
    seen, pointed = mark_of(routing, service), carrying(routing, service)
    if seen != state.mark:
        return state
    if seen == NO_MARK and pointed:
        # No decision was ever made: the traffic is where it was deployed.
        state = pointed_at(service, state, pointed)
    return replace(state, ceilings=_below_all(state.ceilings))


def _adopting(
    service: Service, state: State, routing: Routing, roles: Mapping[str, Role]
) -> Ground:
    """The document is older than the routing: it was restored, or made again. The routing's traffic
    was decided later, so it is followed."""
    seen, pointed = mark_of(routing, service), carrying(routing, service)
    value = f"the resource carries epoch {seen.epoch}, the document {state.mark.epoch}"
    follows = adopted(service, state, routing, pointed, roles)
    reasons = (Reason(Rule.ADOPT, True, value),)
    return Ground(follows, _known(service, follows), (), DecisionOutcome.ADOPTED, reasons)


def _configured(service: Service, before: State, state: State) -> Ground:
    """The configuration is newer than the document: it takes an epoch."""
    value = f"serial {state.stamp.serial} to {service.stamp.serial}"
    reasons = (Reason(Rule.CONFIGURATION, True, value),)
    current, joining = _known(service, state), _joining(service, before, state)
    return Ground(state, current, joining, DecisionOutcome.CONFIGURED, reasons)


def _first(service: Service, routing: Routing | None, now: datetime) -> State:
    """The first document, made after the routing was read. Raises Unavailable and Orphaned."""
    if routing is None:
        raise Unavailable(
            f"{service.name}: there is no state document yet and the routing cannot be read; a"
            " document is made only when the routing can be read, so nothing was written"
        )
    if (orphan := orphaned(service, routing)) is not None:
        raise orphan
    return create(service, routing, now)


def orphaned(service: Service, routing: Routing) -> Orphaned | None:
    """The error of a service without a document whose routing carries a mark: it has had one.

    A document that is made then would begin again at epoch 0 and forget every incident, freeze and
    limit. None where there is no mark: that is a fresh start.
    """
    seen = mark_of(routing, service)
    if seen == NO_MARK:
        return None
    name = service.name
    return Orphaned(
        f"{name}: {routing.name} carries epoch {seen.epoch} of {name} (rev {seen.rev}), and there"
        f" is no state document {name}.json. The traffic stays where it is, no failover of {name}"
        " happens, and nothing was created. Likely causes: `state` names another bucket or prefix"
        f" than the deployment that wrote epoch {seen.epoch}; the document was deleted; the service"
        f" {name} or its backend_service {service.backend_service} has the name of another"
        " deployment's. Correct the file and deploy it. If the document was deleted: `failoverctl"
        f" state restore {name} --apply`. If it is gone for good: `failoverctl check {name} --apply"
        " --adopt` makes one with the traffic as it is"
    )


def create(service: Service, routing: Routing, now: datetime) -> State:
    """The first document: epoch 0, the primary where the routing points, else the first region."""
    regions = carrying(routing, service) or service.names
    if service.mode is Mode.ACTIVE_PASSIVE:
        regions = regions[:1]
    entries = {region.name: _fresh(region, now) for region in service.regions}
    return State(service.name, 0, 0, service.stamp, regions[0], entries, shares(regions))


def shares(regions: Iterable[str]) -> Mapping[str, float]:
    """Equal shares of the traffic, to four places."""
    names = tuple(regions)
    return {name: round(1 / len(names), 4) for name in names}


def settle(state: State, service: Service, routing: Routing | None) -> State:
    """The document as an epoch makes it: exactly the configured regions, as they are configured.

    The groups of regions that are no longer configured are retired: they get no traffic. A pattern
    is retired as the groups that it matches on the resource, or as itself while that is not read.
    """
    entries = {
        region.name: _as_configured(state.regions[region.name], region)
        for region in service.regions
    }
    gone = [group for entry in state.regions.values() for group in entry.backends]
    known = (real for claim in (*state.retired, *gone) for real in _attached(claim, routing))
    retired = {group for group in known if service.owner(group) is None}
    return replace(state, regions=entries, retired=tuple(sorted(retired)))


def _attached(claim: str, routing: Routing | None) -> tuple[str, ...]:
    if routing is None or not is_pattern(claim):
        return (claim,)
    return tuple(b.group for b in routing.backends if matches(claim, b.group))


def _fresh(region: Region, now: datetime) -> RegionState:
    return _as_configured(RegionState(region.endpoint, Status.UP, now), region)


def _as_configured(entry: RegionState, region: Region) -> RegionState:
    """The entry with what the configuration alone says of the region."""
    return replace(
        entry,
        endpoint=region.endpoint,
        aws_region=region.aws_region,
        backends=region.backends,
    )


def refit(state: State, service: Service, now: datetime) -> State:
    """The document with an entry for each configured region. Only an epoch takes one away.

    What the configuration alone says of a region is put back where the document was made with this
    very configuration. Another instance's file may say something else, and that needs an epoch.
    """
    missing = {
        region.name: _fresh(region, now)
        for region in service.regions
        if region.name not in state.regions
    }
    entries = {**state.regions, **missing}
    if standing(state.stamp, service.stamp) is Standing.SAME:
        for region in service.regions:
            entries[region.name] = _as_configured(entries[region.name], region)
    return replace(state, regions=entries)


def _known(service: Service, state: State) -> tuple[str, ...]:
    """The configured regions that carry traffic by the document: one, in active-passive mode."""
    carry = state.routing
    if service.mode is Mode.ACTIVE_PASSIVE:
        carry = {state.primary: 1.0}
    return tuple(name for name in service.names if name in carry)


def _stuck(service: Service, state: State, value: str) -> Ground:
    return Ground(
        state,
        _known(service, state),
        reasons=(Reason(Rule.ROUTING, False, value, "a region that we know"),),
        stuck=True,
    )


def pointed_at(service: Service, state: State, pointed: tuple[str, ...]) -> State:
    """The document with the traffic as the resource has it: one region, in active-passive mode."""
    regions = pointed
    if service.mode is Mode.ACTIVE_PASSIVE:
        regions = (state.primary,) if state.primary in pointed else pointed[:1]
    primary = state.primary if state.primary in regions else regions[0]
    return replace(state, routing=shares(regions), primary=primary)


def adopted(
    service: Service,
    state: State,
    routing: Routing,
    pointed: tuple[str, ...],
    roles: Mapping[str, Role],
) -> State:
    """An old document with the resource's traffic; what was under way in it has ended.

    A region's ceiling holds only where the resource has it so. roles: with attached standbys the
    resource does not tell who has the traffic, and the region that leads by the newest document
    does.
    """
    leading = [name for name in pointed if name in roles and roles[name].part is Part.LEADS]
    newest = sorted(leading, key=lambda name: roles[name].epoch)[-1:]
    state = pointed_at(service, undisturbed(state), (*newest,) or pointed)
    if service.standby is Standby.ATTACHED:
        entries = state.regions.items()
        seen = {n: replace(e, attach=n in pointed, attached=False) for n, e in entries}
        state = replace(state, regions=seen)
    has = {service.owner(backend.group): backend.scaler for backend in routing.backends}
    ceilings = {n: share for n, share in state.ceilings.items() if has.get(n, 0.0) <= share < 1}
    return replace(state, ceilings=ceilings)


def undisturbed(state: State) -> State:
    """The state without a switch or ramp under way; the old primary takes writes again."""
    if state.switch is None and state.ramp is None:
        return state
    regions = {
        name: replace(entry, fenced_until=None) if entry.fenced_until else entry
        for name, entry in state.regions.items()
    }
    return replace(state, switch=None, ramp=None, regions=regions)


def _below_all(ceilings: Mapping[str, float]) -> Mapping[str, float]:
    """The ceilings that still say something once their epoch is carried out.

    A region that was given all of its capacity keeps what a human sets from then on.
    """
    return {name: share for name, share in ceilings.items() if share < 1}


def _joining(service: Service, before: State, state: State) -> tuple[str, ...]:
    """The regions that a newer configuration has carry traffic and that do not yet."""
    if service.mode is Mode.ACTIVE_PASSIVE:
        return ()
    changed = before.stamp.mode is Mode.ACTIVE_PASSIVE
    return tuple(
        name
        for name in service.names
        if name not in state.routing and (changed or name not in before.regions)
    )
