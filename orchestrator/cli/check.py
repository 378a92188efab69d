"""`check`: would it work? The configuration first, then the world it names, fault by fault.

Everything is looked at, whatever else is wrong. Only `--apply` changes something: it makes the
state document when there is none, and with `--adopt` also where one was lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial

from orchestrator.cli.advice import advice_on
from orchestrator.cli.check_access import access
from orchestrator.cli.check_balancer import balancer
from orchestrator.cli.check_endpoints import endpoints
from orchestrator.cli.check_failover import could_take_over
from orchestrator.cli.check_lag import lag
from orchestrator.cli.check_mirrors import mirrors
from orchestrator.cli.check_roles import roles
from orchestrator.cli.finding import Finding, Level
from orchestrator.cli.session import Session, actor, side_by_side
from orchestrator.core.errors import FailoverError
from orchestrator.core.ground import Standing, orphaned, standing
from orchestrator.core.model import Observed, State, Tick, Verdict
from orchestrator.core.paging import rewritten
from orchestrator.core.policy import Confirm, Service
from orchestrator.core.rules import unheard
from orchestrator.core.second import NOT_ASKED
from orchestrator.core.secrets import masked
from orchestrator.evidence import hosts
from orchestrator.flow.adopt import adopt as adopt_routing
from orchestrator.flow.observe import observe
from orchestrator.flow.pipeline import handle
from orchestrator.wiring import World

Make = Callable[[Service, World], Finding]
"""Makes a state document, and says what came of it."""


def check(session: Session, name: str | None, *, apply: bool, adopt: bool = False) -> bool:
    """Look at everything; True when nothing fails. Raises BadConfig and what building raises.

    apply: make a document where there is none. adopt: also where the load balancer carries a mark.
    """
    make = _adopted if adopt else _made if apply else None
    world = session.world()
    asked: dict[str, Callable[[], list[Finding]]] = {"(all)": lambda: list(_topics(world))}
    for service in session.services(name, world.config):
        asked[service.name] = partial(_service, service, world, make)
        asked[f"{service.name}, permissions"] = partial(_permissions, service, world)
        asked[f"{service.name}, mirrors"] = partial(mirrors, service, world.context)
    asked["(all), access"] = partial(access, world)
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
            yield _unreached(role, what, there)
            continue
        level = Level.OK if there else Level.FAIL
        detail = f"is there, for {role}" if there else "does not exist"
        yield Finding("(all)", what, level, detail, "Create it, or take it out of the file")


def _unreached(role: str, what: str, error: FailoverError) -> Finding:
    """A topic that does not answer. Without the control topic no tick and no command comes.

    An answer that refuses to tell is no proof that the function may not use it.
    """
    refused = error.page
    level = Level.FAIL if role == "control" and not refused else Level.WARN
    text = (
        "Ticks and commands come by it; `--direct` does them from here" if level == "FAIL" else ""
    )
    return Finding("(all)", what, level, str(error), text, error)


def _service(service: Service, world: World, make: Make | None) -> list[Finding]:
    try:
        observed = observe(service, world.context)
    except FailoverError as error:
        advice = "No alert can be handled until the state can be read"
        return [Finding(service.name, "state", Level.FAIL, str(error), advice, error)]
    found = list(_document(service, observed, world, make))
    if observed.routing is None:
        lost = observed.unseen
        text = "Traffic cannot be moved until the Compute API answers"
        found.append(Finding(service.name, "load balancer", Level.FAIL, str(lost), text, lost))
    else:
        found += balancer(service, observed.routing, observed.stored.state, world)
        found += could_take_over(service, observed, world)
    return [
        *found,
        *_rewritten(service, observed.stored.state, world),
        *endpoints(service, observed.stored.state),
        *_health(service, observed),
        *_untold(service),
        *lag(service, observed),
        *roles(service, observed),
        *_checks(service, observed),
    ]


# --- state ---------------------------------------------------------------------------------------


def _document(
    service: Service, observed: Observed, world: World, make: Make | None
) -> Iterator[Finding]:
    what, state = "state document", observed.stored.state
    if state is None and make is not None:
        yield make(service, world)
        return
    orphan = orphaned(service, observed.routing) if observed.routing and state is None else None
    if orphan is not None:
        text = "Do not create it before you know where it went"
        yield Finding(service.name, what, Level.FAIL, str(orphan), text, orphan)
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


def _rewritten(service: Service, state: State | None, world: World) -> Iterator[Finding]:
    """What something else keeps changing on the load balancer."""
    for page in rewritten(state, service, world.context.now()) if state else ():
        do = f"Find the other writer: `{page.command}`"
        yield Finding(service.name, "another writer", Level.FAIL, page.text, do)


def _made(service: Service, world: World) -> Finding:
    try:
        state = handle(service, Tick(), world.context).decision.state
    except FailoverError as error:
        return Finding(service.name, "state document", Level.FAIL, str(error), error=error)
    detail = f"made now: epoch {state.epoch}, primary {state.primary}"
    return Finding(service.name, "state document", Level.OK, detail)


def _adopted(service: Service, world: World) -> Finding:
    """Make the document with the traffic as it is, whatever epoch the load balancer carries."""
    try:
        state = adopt_routing(service, actor(), world.context).decision.state
    except FailoverError as error:
        return Finding(service.name, "state document", Level.FAIL, str(error), error=error)
    detail = (
        f"adopted now: epoch {state.epoch}, primary {state.primary}, with the traffic as the load"
        " balancer has it. Incidents, freezes and history of before are lost"
    )
    return Finding(service.name, "state document", Level.OK, detail)


# --- health and permissions ----------------------------------------------------------------------


def _health(service: Service, observed: Observed) -> Iterator[Finding]:
    for region in service.regions:
        probe = observed.probes.get(region.name)
        if region.health_url is None:
            text = unheard(service.policy, asked=False)
            text = f"A close is taken as proof of its health. {text}"
            detail = f"{region.name}: no health_url"
            yield Finding(service.name, "health", Level.WARN, detail, text)
            continue
        said = probe.detail if probe else "nothing"
        detail = f"{region.name}: {masked(region.health_url)} says {said}"
        if probe and probe.verdict is Verdict.HEALTHY:
            yield Finding(service.name, "health", Level.OK, detail)
            continue
        if probe and probe.verdict is Verdict.SILENT:
            needed = service.policy.confirm is Confirm.PROBE and not service.policy.is_credulous
            level = Level.FAIL if needed else Level.WARN
            text = unheard(service.policy, asked=True)
            yield Finding(service.name, "health", level, detail, text)
            continue
        text = f"{region.name} cannot be moved to while its health URL does not answer with 2xx"
        yield Finding(service.name, "health", Level.WARN, detail, text)


def _untold(service: Service) -> Iterator[Finding]:
    """Regions that an alert without labels is not matched to: their host is another's too."""
    named = Counter(hosts(region.health_url)[:1] for region in service.regions)
    for region in service.regions:
        host = hosts(region.health_url)[:1]
        if host and named[host] > 1 and not region.check_id:
            detail = f"{region.name}: {host[0]} is the host of another region too"
            text = (
                "Only labels on alert policies tell it apart: give it its own host, or a check_id"
            )
            yield Finding(service.name, "alerts", Level.WARN, detail, text)


def _checks(service: Service, observed: Observed) -> Iterator[Finding]:
    """What Monitoring says of each region, where alerts are confirmed by it."""
    if service.policy.confirm is not Confirm.MONITORING:
        return
    for region in service.regions:
        said = observed.checks.get(region.name, NOT_ASKED)
        detail = f"{region.name}: Monitoring says {said.verdict} ({said.detail})"
        if said.verdict is not Verdict.SILENT:
            yield Finding(service.name, "uptime check", Level.OK, detail)
            continue
        text = (
            f"Alerts of it cannot be confirmed: then it is {service.policy.on_unconfirmed}. See its"
            " check_id, the check's period (60 s) and roles/monitoring.viewer"
        )
        yield Finding(service.name, "uptime check", Level.WARN, detail, text)


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
            detail = f"cannot be read: {error}"
            yield Finding(service.name, what, Level.WARN, detail, error=error)
            continue
        if missing is None:
            yield Finding(service.name, what, Level.OK, "not asked: there are none here")
        elif missing:
            text = "Grant them to whoever runs this; the function needs the same"
            yield Finding(service.name, what, Level.FAIL, f"missing: {', '.join(missing)}", text)
        else:
            yield Finding(service.name, what, Level.OK, "all there")
