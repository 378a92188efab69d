"""Who gets traffic, by what was read of the load balancer: regions, and backends that none claims.

A statement about traffic is about all of it. A backend that no region claims is left as it is, but
one that carries traffic is named with its place wherever the traffic is spoken of. Sentences are
made here, from what was read, and never from what the document wants: where the load balancer was
not read they say so, and then what the document wants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.core.claims import place, short_name
from orchestrator.core.model import Json, Part, Role, Routing, State
from orchestrator.core.policy import Lever, Service, Standby
from orchestrator.core.traffic.plan import carrying, is_retired, lever_of


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """A backend that gets traffic and that no region of the file claims.

    group: from `projects/` on. place: its zone or region. scaler: its capacityScaler, 0 to 1.
    retired: it belonged to a region that is no longer configured, so the next shift drains it.
    """

    group: str
    place: str
    scaler: float
    retired: bool = False

    def __str__(self) -> str:
        of = " of a region that is no longer configured" if self.retired else ""
        return f"{short_name(self.group)} (scaler {self.scaler:g}){of}"


@dataclass(frozen=True, slots=True)
class TrafficShares:
    """What was read of the load balancer: the configured regions that get traffic, and the rest.

    attached: standbys have capacity too, so a region that is named here may have no users.
    """

    regions: tuple[str, ...]
    unclaimed: tuple[Unclaimed, ...] = ()
    attached: bool = False

    @property
    def left(self) -> tuple[Unclaimed, ...]:
        """The backends that no shift of ours changes."""
        return tuple(one for one in self.unclaimed if not one.retired)


def traffic(routing: Routing | None, service: Service, state: State | None) -> TrafficShares | None:
    """Who gets traffic as the load balancer stands; None where it was not read."""
    if routing is None:
        return None
    attached = service.standby is Standby.ATTACHED
    return TrafficShares(carrying(routing, service), unclaimed(routing, service, state), attached)


def unclaimed(
    routing: Routing, service: Service, state: State | None = None
) -> tuple[Unclaimed, ...]:
    """The backends that get traffic and that no region claims, in the order of the resource.

    With the membership lever an attached group gets traffic whatever its scaler says.
    """
    member = lever_of(service, state.lever if state else None) is Lever.MEMBERSHIP
    return tuple(
        Unclaimed(
            backend.group,
            place(backend.group),
            backend.scaler,
            state is not None and is_retired(state, backend.group),
        )
        for backend in routing.backends
        if service.owner(backend.group) is None and (member or backend.scaler > 0)
    )


def shares(
    routing: Routing | None, service: Service, state: State | None, roles: Mapping[str, Role]
) -> tuple[Mapping[str, float] | None, Mapping[str, float]]:
    """The nominal share of the traffic of each region, and of each unclaimed group, as read.

    By scalers: a region counts with the highest of its groups, an unclaimed group with its own.
    Where users really go depends on where they are too. With attached standbys the regions that
    answer as the primary share the traffic. None where it was not read, or none of them answers.
    """
    if routing is None:
        return None, {}
    weights = _weights(routing, service)
    if service.standby is Standby.ATTACHED:
        weights = _serving(weights, roles)
        if not any(weights.values()):
            return None, {}
    others = {one.group: one.scaler for one in unclaimed(routing, service, state)}
    total = sum(weights.values()) + sum(others.values())
    return _parts(weights, total), _parts(others, total)


def _weights(routing: Routing, service: Service) -> Mapping[str, float]:
    """The highest scaler of each configured region's groups; 0 where it has none."""
    weights = dict.fromkeys(service.names, 0.0)
    for backend in routing.backends:
        owner = service.owner(backend.group)
        if owner is not None:
            weights[owner] = max(weights[owner], backend.scaler)
    return weights


def _serving(weights: Mapping[str, float], roles: Mapping[str, Role]) -> Mapping[str, float]:
    """The weights of the regions that answer as the primary, 0 for the others."""
    answering = {name for name, role in roles.items() if role.part in {Part.LEADS, Part.LINGERS}}
    return {name: weight if name in answering else 0.0 for name, weight in weights.items()}


def _parts(weights: Mapping[str, float], total: float) -> Mapping[str, float]:
    """Each weight as a part of the total, which may be 0."""
    return {name: round(weight / (total or 1.0), 4) for name, weight in weights.items()}


# --- in sentences and as data --------------------------------------------------------------------


def names(regions: Iterable[str]) -> str:
    """Regions in a sentence; nobody where there is none."""
    return ", ".join(regions) or "nobody"


def told(traffic: TrafficShares | None, routing: Iterable[str]) -> str:
    """Who gets traffic, in a clause. routing: by the document, for where it was not read."""
    if traffic is None:
        return (
            "where the traffic goes is unknown, because the load balancer could not be read"
            f" (the document wants {names(routing)})"
        )
    what = "has capacity" if traffic.attached else "carries traffic"
    who = ", ".join(traffic.regions) or "no configured region"
    return f"{who} {what}{besides(traffic.unclaimed, alone=not traffic.regions)}"


def besides(others: Iterable[Unclaimed], *, alone: bool = False) -> str:
    """The backends that get traffic besides, to be put behind a clause; empty where none does.

    alone: no configured region gets any.
    """
    listed = ", ".join(map(str, others))
    does = "but" if alone else "and so does"
    verb = " gets traffic" if alone else ""
    return f", {does} {listed}{verb}, which no region claims" if listed else ""


def view(traffic: TrafficShares | None) -> Json | None:
    """What was read, as history, journal, events and `--json` have it; None where it was not."""
    if traffic is None:
        return None
    return {
        "regions": list(traffic.regions),
        "unclaimed": unclaimed_view(traffic),
        "attached": traffic.attached,
    }


def unclaimed_view(traffic: TrafficShares) -> list[Json]:
    """The backends that no region claims, as data."""
    return [
        {"group": u.group, "place": u.place, "scaler": u.scaler, "retired": u.retired}
        for u in traffic.unclaimed
    ]


def read_view(value: object) -> TrafficShares | None:
    """`view` reversed; None for anything else."""
    if not isinstance(value, dict):
        return None
    regions, others = value.get("regions"), value.get("unclaimed")
    if not isinstance(regions, list) or not isinstance(others, list):
        return None
    read = (_read_one(one) for one in others)
    whole = tuple(one for one in read if one is not None)
    return TrafficShares(tuple(map(str, regions)), whole, value.get("attached") is True)


def _read_one(value: object) -> Unclaimed | None:
    if not isinstance(value, dict):
        return None
    scaler = value.get("scaler")
    if not isinstance(scaler, int | float):
        return None
    group = str(value.get("group"))
    return Unclaimed(group, str(value.get("place")), float(scaler), value.get("retired") is True)
