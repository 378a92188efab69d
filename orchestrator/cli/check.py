"""`check`: would it work? The configuration first, then the world it names, fault by fault.

Everything is looked at, whatever else is wrong. Only `--apply` changes something: it makes the
state document when there is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import partial

from orchestrator.cli.advice import advice_on
from orchestrator.cli.session import Session, side_by_side
from orchestrator.core.errors import FailoverError
from orchestrator.core.ground import Standing, standing
from orchestrator.core.model import Observed, Routing, State, Tick, Verdict
from orchestrator.core.plan import carrying, lever_from_kinds, lever_of, movable, regional_groups
from orchestrator.core.policy import Lever, Service
from orchestrator.flow.observe import observe
from orchestrator.flow.pipeline import handle
from orchestrator.flow.preview import preview
from orchestrator.wiring import World


class Level(StrEnum):
    """How a finding stands. Only FAIL makes the verb fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. do: what to do about it. error: what it is a finding of."""

    service: str
    what: str
    level: Level
    detail: str
    do: str = ""
    error: FailoverError | None = None


def check(session: Session, name: str | None, *, apply: bool) -> bool:
    """Look at everything; True when nothing fails. Raises BadConfig and what building raises."""
    world = session.world()
    asked: dict[str, Callable[[], list[Finding]]] = {"(all)": lambda: list(_topics(world))}
    for service in session.services(name, world.config):
        asked[service.name] = partial(_service, service, world, apply=apply)
        asked[f"{service.name}, permissions"] = partial(_permissions, service, world)
    found = []
    for findings in side_by_side(asked).values():
        if isinstance(findings, FailoverError):
            raise findings
        found += [_advised(finding, session) for finding in findings]
    _show(session, found)
    return not any(finding.level is Level.FAIL for finding in found)


def _advised(finding: Finding, session: Session) -> Finding:
    """The finding with what to do about it: nothing where it is fine, else about its error too."""
    if finding.level is Level.OK or finding.error is None:
        return replace(finding, do="" if finding.level is Level.OK else finding.do)
    advice = advice_on(finding.error, session.environ).rstrip(".")
    return replace(finding, do=". ".join(filter(None, (finding.do, advice))), error=None)


def _show(session: Session, found: list[Finding]) -> None:
    counts = Counter(finding.level for finding in found)
    if session.as_json:
        fine = not counts[Level.FAIL]
        session.answer({"ok": fine, "config": session.source, "findings": list(map(_view, found))})
        return
    session.say(f"{session.source} can be read; every setting is known.")
    rows = [(f.service, f.level, f.what, f.detail) for f in found]
    session.table("", ("service", "", "what", "found"), rows)
    for finding in found:
        if finding.do:
            session.say(f"{finding.level} {finding.service} {finding.what}: {finding.do}.")
    session.say(
        f"{counts[Level.FAIL]} fail, {counts[Level.WARN]} to look at, {counts[Level.OK]} ok"
    )


def _view(finding: Finding) -> dict[str, object]:
    return {name: value for name, value in asdict(finding).items() if name != "error"}


def _topics(world: World) -> Iterator[Finding]:
    """Whether the topics that we publish to are there."""
    named = {"events": world.context.events, "control": world.control}
    there_are = side_by_side({role: topic.exists for role, topic in named.items() if topic})
    for role in named:
        what = f"topic {getattr(world.config.topics, role)}"
        there = there_are.get(role)
        if there is None:
            yield Finding("(all)", f"topic for {role}", Level.OK, "none configured")
            continue
        if isinstance(there, FailoverError):
            error = there
            yield Finding("(all)", what, Level.WARN, str(error), error=error)
            continue
        level = Level.OK if there else Level.FAIL
        detail = f"is there, for {role}" if there else "does not exist"
        yield Finding("(all)", what, level, detail, "Create it, or take it out of the file")


def _service(service: Service, world: World, *, apply: bool) -> list[Finding]:
    try:
        observed, lost = observe(service, world.context)
    except FailoverError as error:
        advice = "No alert can be handled until the state can be read"
        return [Finding(service.name, "state", Level.FAIL, str(error), advice, error)]
    found = list(_document(service, observed.stored.state, world, apply=apply))
    if observed.routing is None:
        text = "Traffic cannot be moved until the Compute API answers"
        found.append(Finding(service.name, "load balancer", Level.FAIL, str(lost), text, lost))
    else:
        found += _balancer(service, observed.routing, observed.stored.state, world)
    return [*found, *_health(service, observed)]


# --- state ---------------------------------------------------------------------------------------


def _document(
    service: Service, state: State | None, world: World, *, apply: bool
) -> Iterator[Finding]:
    what = "state document"
    if state is None and apply:
        yield _made(service, world)
        return
    if state is None:
        text = "The first signal makes it, or `check --apply` now"
        yield Finding(service.name, what, Level.WARN, "none yet", text)
        return
    detail = f"epoch {state.epoch}, revision {state.revision}, primary {state.primary}"
    yield Finding(service.name, what, Level.OK, detail)
    ours = standing(state.stamp, service.stamp)
    serials = f"serial {state.stamp.serial} there, {service.stamp.serial} here"
    match ours:
        case Standing.CLASH:
            text = "Raise `serial` with every change of the file, and deploy it everywhere"
            detail = f"another file with the same {serials}"
            yield Finding(service.name, "configuration", Level.FAIL, detail, text)
        case Standing.OLDER:
            text = "Use the newest file: this one decides nothing"
            yield Finding(service.name, "configuration", Level.FAIL, serials, text)
        case Standing.NEWER:
            text = "The next signal takes it up"
            yield Finding(service.name, "configuration", Level.WARN, serials, text)
        case Standing.SAME:
            yield Finding(service.name, "configuration", Level.OK, "the document's own")


def _made(service: Service, world: World) -> Finding:
    try:
        state = handle(service, Tick(), world.context).decision.state
    except FailoverError as error:
        return Finding(service.name, "state document", Level.FAIL, str(error), error=error)
    detail = f"made now: epoch {state.epoch}, primary {state.primary}"
    return Finding(service.name, "state document", Level.OK, detail)


# --- the load balancer ---------------------------------------------------------------------------


def _balancer(
    service: Service, routing: Routing, state: State | None, world: World
) -> Iterator[Finding]:
    names = ", ".join(carrying(routing, service)) or "no configured region"
    level = Level.OK if carrying(routing, service) else Level.FAIL
    advice = "Give a region traffic: until then nothing may be moved"
    yield Finding(service.name, "load balancer", level, f"{names} carries traffic", advice)
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
    yield from _unclaimed(service, routing, state)
    yield from _drift(service, world)
    if lever is Lever.CAPACITY:
        yield from _balancer_health(service, routing, world)


def _kinds(service: Service, world: World) -> tuple[Lever | None, list[Finding]]:
    """The lever that the types of the regional groups allow, and what asking for them showed."""
    regional = regional_groups(service)
    if not regional:
        return None, []
    try:
        kinds = world.context.traffic.kinds(regional)
    except FailoverError as error:
        text = "Mend `backend` in the file, or grant compute.regionNetworkEndpointGroups.get"
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


def _unclaimed(service: Service, routing: Routing, state: State | None) -> Iterator[Finding]:
    retired = state.retired if state else ()
    for backend in routing.backends:
        if service.owner(backend.group) is None and backend.group not in retired:
            detail = f"{backend.group} belongs to no region of the file (scaler {backend.scaler:g})"
            text = "Name it as a `backend` of its region, or know that it is left as it is"
            yield Finding(service.name, "unclaimed backend", Level.WARN, detail, text)


def _drift(service: Service, world: World) -> Iterator[Finding]:
    try:
        found = preview(service, Tick(), world.context)
    except FailoverError as error:
        yield Finding(service.name, "next tick", Level.FAIL, str(error), error=error)
        return
    if found.plan is None:
        yield Finding(service.name, "next tick", Level.FAIL, found.obstacle)
    elif found.plan.empty:
        yield Finding(service.name, "next tick", Level.OK, f"{found.decision.outcome}; no change")
    else:
        text = "The next tick writes this; `plan` and `explain` say why"
        yield Finding(service.name, "next tick", Level.WARN, str(found.plan), text)


def _balancer_health(service: Service, routing: Routing, world: World) -> Iterator[Finding]:
    attached = [b.group for b in routing.backends if service.owner(b.group)]
    try:
        healthy = world.context.traffic.healthy(routing.name, attached)
    except FailoverError as error:
        text = "The load balancer's own view of health is not to be had; nothing depends on it"
        yield Finding(service.name, "backend health", Level.WARN, str(error), text, error)
        return
    for group in attached:
        count = healthy.get(group)
        region, short = service.owner(group), group.rsplit("/", 1)[-1]
        if count:
            detail = f"{region}: {count} healthy in {short}"
            yield Finding(service.name, "backend health", Level.OK, detail)
        elif count == 0:
            text = "Users sent there get errors: look at its health check and firewall rule"
            detail = f"{region}: the load balancer finds nothing healthy in {short}"
            yield Finding(service.name, "backend health", Level.WARN, detail, text)


# --- health and permissions ----------------------------------------------------------------------


def _health(service: Service, observed: Observed) -> Iterator[Finding]:
    for region in service.regions:
        probe = observed.probes.get(region.name)
        if region.health_url is None:
            text = "Without it a close is taken as proof of health, and no alert is confirmed"
            detail = f"{region.name}: no health_url"
            yield Finding(service.name, "health", Level.WARN, detail, text)
            continue
        said = probe.detail if probe else "nothing"
        detail = f"{region.name}: {region.health_url} says {said}"
        if probe and probe.verdict is Verdict.HEALTHY:
            yield Finding(service.name, "health", Level.OK, detail)
            continue
        text = f"{region.name} cannot be moved to while its health URL does not answer with 2xx"
        yield Finding(service.name, "health", Level.WARN, detail, text)


def _permissions(service: Service, world: World) -> list[Finding]:
    return list(_allowed(service, world))


def _allowed(service: Service, world: World) -> Iterator[Finding]:
    """What these credentials may do, as far as the APIs say."""
    on_traffic = partial(world.context.traffic.missing_permissions, service.backend_service)
    asked: dict[str, Callable[[], tuple[str, ...] | None]] = {
        "permissions on the state": world.archive.missing_permissions,
        "permissions on the traffic": on_traffic,
    }
    for what, missing in side_by_side(asked).items():
        if isinstance(missing, FailoverError):
            error = missing
            detail = f"not to be had: {error}"
            yield Finding(service.name, what, Level.WARN, detail, error=error)
            continue
        if missing is None:
            yield Finding(service.name, what, Level.OK, "not asked: there are none here")
        elif missing:
            text = "Grant them to whoever runs this; the function needs the same"
            yield Finding(service.name, what, Level.FAIL, f"missing: {', '.join(missing)}", text)
        else:
            yield Finding(service.name, what, Level.OK, "all there")
