"""The load balancer's part of `check`: could every region be given the traffic?"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cli.check.finding import Finding, Level
from orchestrator.cli.check.takeover import next_tick
from orchestrator.core.claims import short_name
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Routing, State
from orchestrator.core.policy import Lever, Mode, Service
from orchestrator.core.traffic import leftover
from orchestrator.core.traffic.fence import bare, json_object
from orchestrator.core.traffic.plan import (
    is_retired,
    lever_from_kinds,
    lever_of,
    movable,
    regional_groups,
)
from orchestrator.core.traffic.shares import told, traffic, unclaimed
from orchestrator.wiring import Deployment


def balancer(
    service: Service, routing: Routing, state: State | None, world: Deployment
) -> Iterator[Finding]:
    """Everything about the backend service and its groups, fault by fault."""
    getting = traffic(routing, service, state)
    level = Level.OK if getting and getting.regions else Level.FAIL
    advice = "Give a region traffic: its users get errors, or what the file does not name"
    yield Finding(service.name, "load balancer", level, told(getting, ()), advice)
    yield from _description(service, routing)
    lever = lever_of(service, state.lever if state else None)
    learnt, seen = _kinds(service, world)
    yield from seen
    if learnt and learnt is not lever:
        text = f"State `lever: {learnt}`, or leave it out"
        detail = f"{lever} is used, but the groups can only be moved by {learnt}"
        yield Finding(service.name, "lever", Level.FAIL, detail, text)
    else:
        yield Finding(service.name, "lever", Level.OK, lever)
    yield from _groups(service, routing, lever)
    yield from _numbered(service, routing)
    yield from _unclaimed(service, routing, state)
    yield from next_tick(service, world)
    if lever is Lever.CAPACITY:
        yield from _balancer_health(service, routing, world)


def _kinds(service: Service, world: Deployment) -> tuple[Lever | None, list[Finding]]:
    """The lever that the types of the regional groups allow, and what asking for them showed."""
    regional = regional_groups(service)
    if not regional:
        return None, []
    try:
        kinds = world.context.traffic.kinds(regional)
    except FailoverError as error:
        text = "Correct `backend` in the file, or grant compute.regionNetworkEndpointGroups.get"
        return None, [Finding(service.name, "endpoint groups", Level.FAIL, str(error), text)]
    told = ", ".join(sorted(set(kinds.values()))) or "types not known here"
    detail = f"{len(regional)} regional, {told}"
    return lever_from_kinds(kinds.values()), [
        Finding(service.name, "endpoint groups", Level.OK, detail)
    ]


def _groups(service: Service, routing: Routing, lever: Lever) -> Iterator[Finding]:
    for name in service.names:
        if movable(routing, service, lever, name):
            continue
        detail = f"{name}: none of its groups is attached to {routing.name}"
        text = f"Attach it with capacityScaler 0: as it is, {name} can never take over"
        yield Finding(service.name, "backends", Level.FAIL, detail, text)
    if len(service.names) == 1:
        text = "With one region there is nowhere to go"
        yield Finding(service.name, "regions", Level.WARN, "only one", text)


def _numbered(service: Service, routing: Routing) -> Iterator[Finding]:
    """The file's groups except for the project, which one names by id and one by number."""
    ours = {_in_project(group)[1]: group for one in service.regions for group in one.backends}
    for backend in routing.backends:
        theirs, rest = _in_project(backend.group)
        group = ours.get(rest, backend.group)
        if theirs.isdecimal() != _in_project(group)[0].isdecimal():
            detail = f"{backend.group} on {routing.name} is {group} in the file"
            text = (
                "A project's id and its number name different groups here, so no region claims it"
                f" and its traffic cannot be moved: write {backend.group} in the file"
            )
            yield Finding(service.name, "project number", Level.FAIL, detail, text)


def _in_project(group: str) -> tuple[str, str]:
    """A group's project, and the rest of its path."""
    project, _, rest = group.removeprefix("projects/").partition("/")
    return project, rest


def _unclaimed(service: Service, routing: Routing, state: State | None) -> Iterator[Finding]:
    carry = {one.group: one for one in unclaimed(routing, service, state)}
    alone = service.mode is Mode.ACTIVE_PASSIVE
    for backend in routing.backends:
        if service.owner(backend.group) or (state and is_retired(state, backend.group)):
            continue
        found = carry.get(backend.group)
        does = f"gets traffic in {found.place}" if found else "gets no traffic now"
        detail = f"{backend.group} belongs to no region of the file and {does}"
        detail += f" (scaler {backend.scaler:g})"
        level = Level.FAIL if found and alone else Level.WARN
        text = leftover.advice(routing, (found,)) if found else _LEFT_ALONE
        yield Finding(service.name, "unclaimed backend", level, detail, text)


_LEFT_ALONE = "Name it as a `backend` of its region: as it is, the orchestrator never changes it"


def _description(service: Service, routing: Routing) -> Iterator[Finding]:
    """A description that a controller may own: it and the mark must not undo each other."""
    owned = json_object(bare(routing.description, service.name))
    if owned is None:
        return
    gke = any("kubernetes" in key or "gke" in key for key in owned)
    owner = "GKE keeps such JSON there" if gke else "a controller may own it"
    detail = f"the description of {routing.name} is JSON ({', '.join(owned) or 'empty'}): {owner}"
    text = (
        "The mark is kept inside it as a member. If the mark disappears again and again, that"
        " controller rewrites the description: have it leave this backend service alone"
    )
    yield Finding(service.name, "description", Level.WARN, detail, text)


def _balancer_health(service: Service, routing: Routing, world: Deployment) -> Iterator[Finding]:
    attached = [b.group for b in routing.backends if service.owner(b.group)]
    try:
        healthy = world.context.traffic.healthy(routing.name, attached)
    except FailoverError as error:
        text = "The load balancer's own view of health cannot be read. Nothing depends on it"
        yield Finding(service.name, "backend health", Level.WARN, str(error), text, error)
        return
    for group in attached:
        count = healthy.get(group)
        region, short = service.owner(group), short_name(group)
        if count:
            detail = f"{region}: {count} healthy in {short}"
            yield Finding(service.name, "backend health", Level.OK, detail)
        elif count == 0:
            text = f"Users sent to {region} get errors: look at its health check and firewall rule"
            detail = f"{region}: the load balancer finds nothing healthy in {short}"
            yield Finding(service.name, "backend health", Level.WARN, detail, text)
