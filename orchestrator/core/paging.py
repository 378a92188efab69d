"""Pages: which conditions a human is paged for, when, and how often. PURE.

A page belongs to a condition: service, rule, resource and regions. A condition pages once when it
begins, again when it comes back after it was over, and as a reminder 15 m, 1 h and 4 h after it
began, then daily. A condition that changes (another rule, other regions) is another condition. It
is over when nobody has seen it for `AWAY`: a condition that flickers within that time is one.

What is remembered stands in the document's `pages`, so that several instances page once together:
the one that writes the entry pages. Where the document cannot be read or written, each instance
remembers for itself. A crash after the write and before the page costs the time to the reminder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.core.exceptions import Cloud, FailoverError, Kind, Outdated, UnsafePlan
from orchestrator.core.model import Incident, IncidentState, Page, Paged, Repair, Routing, State
from orchestrator.core.outside.limits import EPOCHS
from orchestrator.core.policy import Service
from orchestrator.core.rule import Rule
from orchestrator.core.traffic.fence import is_implausible

REMINDERS = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4))
"""When a condition is paged for again, counted from its beginning."""

DAILY = timedelta(days=1)
"""How often after that."""

AWAY = timedelta(minutes=10)
"""A condition that nobody has seen for so long is over, and pages when it comes back."""

FRESH = timedelta(minutes=5)
"""How old `seen` may become before it is written again: below AWAY, and no write a minute."""

AHEAD = timedelta(minutes=1)
"""What stands further ahead of our clock was written by a wrong clock, and does not count."""

MOST = 50
"""Conditions that are remembered, those seen last."""

ROLLOUT = timedelta(minutes=5)
"""How long only ticks may find an instance outdated before it pages: a roll-out takes minutes."""

DRIFT_ROUNDS, DRIFT_WITHIN = 3, timedelta(minutes=15)
"""So many repairs of one resource within that time are another writer, and page."""

MARK_ROUNDS, MARK_WITHIN = 5, timedelta(days=1)
"""So many writes of the mark alone for one epoch within that time: then it is left as it is."""

MOST_REPAIRS = 20
"""Repairs that are remembered, the newest."""

UNPROVEN, UNCLOSED = timedelta(minutes=30), timedelta(minutes=10)
"""When an alert that the second signal contradicts pages: so long after it began and, where ticks
have proven the region healthy, so long after that proof."""


@dataclass(frozen=True, slots=True)
class Due:
    """A page that is due now, with its condition's key and what is remembered of it from now on."""

    key: str
    page: Page
    entry: Paged


def key(page: Page) -> str:
    """The name of a page's condition within its service."""
    return " ".join((page.rule, *([page.resource] if page.resource else []), *sorted(page.regions)))


def note(
    entries: Mapping[str, Paged], holding: Collection[Page], now: datetime, decision: str = ""
) -> tuple[Mapping[str, Paged], tuple[Due, ...]]:
    """Note that these conditions hold now: what is remembered from then on, and the pages due.

    entries: what is remembered so far. decision: id of the recorded decision that they come from,
    if any; a condition keeps the first.
    """
    after = {name: entry for name, entry in entries.items() if not _is_over(entry, now)}
    due: dict[str, Due] = {}
    for page in holding:
        name = key(page)
        entry = _of_decision(after.get(name) or Paged(now, now), decision)
        if name not in due and _is_due(entry, page, now):
            entry = replace(entry, seen=now, last=now, count=entry.count + 1)
            due[name] = Due(name, page, entry)
        after[name] = entry
    after |= _refreshed({key(page): after[key(page)] for page in holding}, now)
    return _newest(after), tuple(due.values())


def _of_decision(entry: Paged, decision: str) -> Paged:
    return replace(entry, decision=decision) if decision and not entry.decision else entry


def _newest(entries: Mapping[str, Paged]) -> Mapping[str, Paged]:
    """As many conditions as are remembered, those seen last, in their order."""
    newest = sorted(entries, key=lambda name: entries[name].seen, reverse=True)[:MOST]
    return {name: entry for name, entry in entries.items() if name in newest}


def _refreshed(holding: Mapping[str, Paged], now: datetime) -> Mapping[str, Paged]:
    """What is remembered of conditions that hold. All count as seen again when one of them must,
    so that several cost only as many writes as one."""
    if all(now - entry.seen < FRESH for entry in holding.values()):
        return holding
    return {name: replace(entry, seen=now) for name, entry in holding.items()}


def _is_over(entry: Paged, now: datetime) -> bool:
    ahead = max(entry.since, entry.seen, entry.last or entry.seen) > now + AHEAD
    return ahead or now - entry.seen > AWAY


def _is_due(entry: Paged, page: Page, now: datetime) -> bool:
    if entry.last is None:
        return now - entry.since >= page.grace
    if page.once or entry.quiet:
        return False
    reminded = any(entry.last < entry.since + after <= now for after in REMINDERS)
    return reminded or now - entry.last >= DAILY


def reminder(entry: Paged, page: Page) -> datetime | None:
    """When a condition that was paged for is paged for again if it still holds; None for never."""
    if entry.last is None or page.once or entry.quiet:
        return None
    later = (entry.since + after for after in REMINDERS)
    return min([at for at in later if at > entry.last] or [entry.last + DAILY])


def standing(entries: Mapping[str, Paged], now: datetime) -> Mapping[str, Paged]:
    """Those of the conditions that hold, as far as is known, and that a human was paged for."""
    return {n: one for n, one in entries.items() if one.last and not _is_over(one, now)}


def acknowledged(entries: Mapping[str, Paged]) -> Mapping[str, Paged]:
    """The same when a human has seen it: no reminder while these conditions last."""
    return {name: replace(entry, quiet=True) for name, entry in entries.items()}


def merged(document: Mapping[str, Paged], instance: Mapping[str, Paged]) -> Mapping[str, Paged]:
    """What the document and this instance remember, of each condition what was paged for last."""
    newer = {
        name: entry
        for name, entry in instance.items()
        if name not in document or _paged_at(entry) > _paged_at(document[name])
    }
    return {**document, **newer}


def _paged_at(entry: Paged) -> datetime:
    return entry.last or entry.since


# --- the pages themselves ------------------------------------------------------------------------


def command(service: str, page: Page, decision: str = "") -> str:
    """The command to paste: the page's own, else the one that explains."""
    return page.command or f"failoverctl explain {service} {decision}".rstrip()


def page_of(error: FailoverError, service: str = "", *, ticking: bool = False) -> Page:
    """The page about an error. ticking: only a tick met it.

    service: that it concerns; none: none is known.
    """
    rule = error.rule or _condition(error)
    grace = ROLLOUT if ticking and isinstance(error, Outdated) else timedelta(0)
    paste = _command_for(error, service)
    shows = error.kind is Kind.CORRUPT and bool(service)
    return Page(rule, str(error), tuple(error.regions), paste, grace=grace, shows=shows)


def _condition(error: FailoverError) -> str:
    where = "" if error.cloud is Cloud.NONE else f"{error.cloud}-"
    match error.kind:
        case Kind.UNKNOWN:
            return f"{where}{type(error).__name__.lower()}"
        case Kind.SERVER_ERROR:  # one outage gives both, and is one condition
            return f"{where}{Kind.UNREACHABLE}"
        case kind:
            return f"{where}{kind}"


def _command_for(error: FailoverError, service: str) -> str:
    if isinstance(error, UnsafePlan):
        return f"failoverctl plan {service}".rstrip()
    if error.kind is Kind.CORRUPT and service:
        return f"failoverctl state restore {service}"
    return f"failoverctl check {service}".rstrip()


def keep_repairs(
    repairs: Iterable[Repair], fresh: Iterable[Repair], now: datetime
) -> tuple[Repair, ...]:
    """The repairs that some rule may still ask for, newest last."""
    past = [one for one in (*repairs, *fresh) if timedelta(0) <= now - one.at + AHEAD]
    return tuple(one for one in past if now - one.at <= MARK_WITHIN)[-MOST_REPAIRS:]


def drifting(state: State, service: Service, now: datetime) -> tuple[Page, ...]:
    """A page for each resource whose traffic something else keeps changing."""
    recent = [r for r in state.repairs if not r.mark and now - r.at <= DRIFT_WITHIN]
    resources = dict.fromkeys(repair.resource for repair in recent)
    return tuple(
        _drift(resource, sum(one.resource == resource for one in recent), service)
        for resource in resources
        if sum(one.resource == resource for one in recent) >= DRIFT_ROUNDS
    )


def rewritten(state: State, service: Service, now: datetime) -> tuple[Page, ...]:
    """The pages about resources that something else keeps changing: their traffic or their mark."""
    marks = dict.fromkeys(repair.resource for repair in state.repairs if repair.mark)
    left = [resource for resource in marks if leaves_mark(state, resource, now)]
    unwritten = (unmarked(resource, state.epoch, service) for resource in left)
    return (*drifting(state, service, now), *unwritten)


def _drift(resource: str, rounds: int, service: Service) -> Page:
    text = (
        f"drift: something else keeps changing the traffic of {resource}. It was put back {rounds}"
        f" times within {int(DRIFT_WITHIN.total_seconds() // 60)}m, and between a change and its"
        " repair users reach a region that was left. Every tick repairs it again. Find out in"
        " its audit log what writes to it, and stop that"
    )
    return Page(Rule.DRIFT, text, command=audit_log(resource, service), resource=resource)


def leaves_mark(state: State, resource: str, now: datetime) -> bool:
    """Whether the mark of this resource was written so often that it is no longer written alone.

    Counted for the present epoch, so a new epoch is always written. Traffic that differs is written
    in any case, and the mark with it.
    """
    tries = [
        repair
        for repair in state.repairs
        if repair.mark
        and (repair.resource, repair.epoch) == (resource, state.epoch)
        and now - repair.at <= MARK_WITHIN
    ]
    return len(tries) >= MARK_ROUNDS


def unmarked(resource: str, epoch: int, service: Service) -> Page:
    """The page about a mark that something else keeps removing."""
    text = (
        f"mark: something else keeps rewriting the description of {resource}, where the mark of"
        f" epoch {epoch} belongs. The traffic is right. The mark is not written again until the"
        " traffic must be. Meanwhile each write first reads the state once more, and a state that"
        " is lost or restored cannot be compared with the load balancer. Find out in its"
        " audit log what writes to it, and make that leave `description` unchanged"
    )
    return Page(Rule.MARK, text, command=audit_log(resource, service), resource=resource)


def implausible(routing: Routing | None, service: Service) -> tuple[Page, ...]:
    """The page about a mark with an epoch that nobody can have made; it counts as no mark."""
    if routing is None or not is_implausible(routing.description, service.name):
        return ()
    text = (
        f"mark: the description of {routing.name} carries an epoch of {service.name} that no"
        f" decision can have made ({EPOCHS} or more). It is not adopted: it counts as no mark, and"
        " the next write replaces it. Find out in the audit log who wrote it, and who is allowed to"
    )
    return (Page(Rule.MARK, text, command=audit_log(routing.name, service), resource=routing.name),)


def audit_log(resource: str, service: Service) -> str:
    """The command that lists who changed a routing resource lately."""
    return (
        'gcloud logging read \'logName:"cloudaudit.googleapis.com%2Factivity" AND'
        f' protoPayload.resourceName:"/{resource}"\' --project={service.project} --freshness=1h'
        " --format='table(timestamp,protoPayload.authenticationInfo.principalEmail,"
        "protoPayload.methodName)'"
    )


def publish_log(topic: str, project: str, since: datetime, until: datetime) -> str:
    """The command that lists which accounts published to a topic between two times.

    Pub/Sub writes this log only where data access logs are switched on, and without the messages.
    """
    return (
        'gcloud logging read \'logName:"cloudaudit.googleapis.com%2Fdata_access" AND'
        ' protoPayload.methodName="google.pubsub.v1.Publisher.Publish" AND'
        f' protoPayload.resourceName="projects/{project}/topics/{topic}" AND'
        f' timestamp>="{since:%Y-%m-%dT%H:%M:%SZ}" AND timestamp<="{until:%Y-%m-%dT%H:%M:%SZ}"\''
        f" --project={project} --format='table(timestamp,"
        "protoPayload.authenticationInfo.principalEmail,protoPayload.requestMetadata.callerIp)'"
    )


def contradicted(state: State, now: datetime) -> tuple[Page, ...]:
    """A page for each region whose alert stays open although the second signal contradicts it."""
    disputed: dict[str, Incident] = {}
    for _, incident in sorted(state.incidents.items()):
        if _is_disputed(incident, now):
            disputed.setdefault(incident.region, incident)
    return tuple(
        Page(
            Rule.CONTRADICTED,
            f"contradicted: incident {one.id} says since {one.started_at:%Y-%m-%d %H:%M} UTC that"
            f" {region} fails, but the second signal finds it healthy. The traffic does not move"
            " because of it. One of the two is wrong. Check what the alert watches, and what the"
            " region's health URL answers to users",
            (region,),
            once=True,
        )
        for region, one in disputed.items()
        if region in state.regions
    )


def _is_disputed(incident: Incident, now: datetime) -> bool:
    if not (incident.opened and incident.contradicted) or incident.set_aside:
        return False
    match incident.state:
        case IncidentState.OPEN:
            return now - incident.started_at >= UNPROVEN
        case IncidentState.STALE:
            return now - (incident.ended_at or now) >= UNCLOSED
        case IncidentState.CLOSED:
            return False
