"""The ground that a decision stands on: the document as it is, or one made for the occasion.

Four cases need more than the document as read. There is none: one is made, with the primary where
the routing points. The routing carries a higher pair: the document is old (restored, re-created),
and the routing's traffic is adopted above it. The configuration is newer: it takes an epoch. The
routing names no region that we know: then no epoch may come of this, and a human is needed.

Nothing here asks who is healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from orchestrator.core.errors import Unavailable
from orchestrator.core.model import (
    NO_PAIR,
    Observed,
    Outcome,
    Reason,
    RegionState,
    Routing,
    State,
    Status,
)
from orchestrator.core.plan import (
    carrying,
    lever_of,
    seen_pair,
)
from orchestrator.core.policy import Mode, Service, Stamp


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

    outcome: why it needs an epoch of its own. stuck: no epoch may come.
    """

    state: State
    carrying: tuple[str, ...]
    outcome: Outcome | None = None
    reasons: tuple[Reason, ...] = ()
    stuck: bool = False


def stand(service: Service, before: State | None, observed: Observed, now: datetime) -> Ground:
    """The document to decide on. Raises Unavailable when one would have to be made blindly."""
    routing = observed.routing
    if before is None:
        if routing is None:
            raise Unavailable(
                f"{service.name}: there is no state document yet and the routing cannot be read; a"
                " document is made only with the routing in sight, so nothing was written"
            )
        before = create(service, routing, now)
    state = _refit(before, service, now)
    current = tuple(name for name in state.routing if name in service.names)
    if routing is None:
        return Ground(state, current)
    seen = seen_pair(routing, service)
    pointed = carrying(routing, service, lever_of(service, state.lever))
    if not pointed:
        value = f"{routing.name} gives no traffic to any configured region"
        return Ground(state, current, None, (Reason("routing", False, value, "known"),), True)
    if seen == state.pair == NO_PAIR:
        regions = _kept(service, state, pointed)
        state = replace(state, routing=shares(regions), primary=regions[0])
        current = regions
    if seen > state.pair:
        value = f"the resource carries epoch {seen.epoch}, the document {state.pair.epoch}"
        adopted = replace(state, epoch=seen.epoch)
        regions = _kept(service, adopted, pointed)
        adopted = replace(adopted, routing=shares(regions), primary=regions[0])
        return Ground(adopted, regions, Outcome.ADOPTED, (Reason("adopt", True, value),))
    if standing(before.stamp, service.stamp) is Standing.NEWER:
        value = f"serial {before.stamp.serial} to {service.stamp.serial}"
        regions = _configured(service, before, state)
        reasons = (Reason("configuration", True, value),)
        return Ground(state, regions, Outcome.CONFIGURED, reasons)
    return Ground(state, current)


def create(service: Service, routing: Routing, now: datetime) -> State:
    """The first document: epoch 0, the primary where the routing points, else the first region."""
    pointed = carrying(routing, service, lever_of(service, None))
    regions = pointed or service.names
    if service.mode is Mode.ACTIVE_PASSIVE:
        regions = regions[:1]
    entries = {
        region.name: RegionState(region.endpoint, Status.UP, now) for region in service.regions
    }
    return State(service.name, 0, 0, service.stamp, regions[0], entries, shares(regions))


def shares(regions: Iterable[str]) -> Mapping[str, float]:
    """Equal shares of the traffic, to four places."""
    names = tuple(regions)
    return {name: round(1 / len(names), 4) for name in names}


def _refit(state: State, service: Service, now: datetime) -> State:
    """The document with the regions that are configured: new ones up, removed ones gone.

    While two configurations clash neither removes what the other has.
    """
    entries = {
        region.name: replace(
            state.regions.get(region.name, RegionState(region.endpoint, Status.UP, now)),
            endpoint=region.endpoint,
        )
        for region in service.regions
    }
    if standing(state.stamp, service.stamp) is Standing.CLASH:
        entries = {**entries, **state.regions}
    return replace(state, regions=entries)


def _kept(service: Service, state: State, pointed: tuple[str, ...]) -> tuple[str, ...]:
    """Which of the regions that the routing points to are adopted: one, in active-passive mode."""
    if service.mode is Mode.ACTIVE_ACTIVE:
        return pointed
    return (state.primary,) if state.primary in pointed else pointed[:1]


def _configured(service: Service, before: State, state: State) -> tuple[str, ...]:
    """Which regions carry traffic under a newer configuration; empty: one must be found."""
    if service.mode is Mode.ACTIVE_PASSIVE:
        return (before.primary,) if before.primary in service.names else ()
    if before.stamp.mode is Mode.ACTIVE_PASSIVE:
        return tuple(name for name in service.names if state.regions[name].healthy)
    return tuple(
        name for name in service.names if name in before.routing or name not in before.regions
    )
