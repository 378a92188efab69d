"""The rules: each a small pure function over values, each giving one `Reason`.

A rule says what it saw, what its limit is and whether it lets the move pass. It never acts, and it
is evaluated even when another has refused already, so that the record is whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from orchestrator.core.model import (
    Command,
    Doubt,
    Freeze,
    Given,
    Incident,
    Move,
    NoLag,
    Part,
    Probe,
    RegionState,
    Role,
    Signal,
    Status,
    Tick,
    Verdict,
    Wish,
)
from orchestrator.core.outside.actors import claimed
from orchestrator.core.policy import Confirm, OnLag, OnUnconfirmed, Policy
from orchestrator.core.rule import Cause, Reason, Rule

LONGEST_FREEZE = timedelta(days=7)
"""A freeze always ends. One that lasts longer was forgotten."""

AHEAD = timedelta(minutes=1)
"""How far a time may be ahead of now: clocks of servers differ by less."""


def elapsed(since: datetime, now: datetime) -> timedelta:
    """How long ago that was. Zero where it is ahead, because a clock went back."""
    return max(timedelta(0), now - since)


def _whole(value: timedelta) -> str:
    """A duration in whole seconds, for people."""
    return duration(timedelta(seconds=round(value.total_seconds())))


def duration(value: timedelta) -> str:
    """A duration for people: `500ms`, `90s`, `10m`, `2m 47s`, `24h`."""
    seconds = value.total_seconds()
    if 0 < seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if seconds < LONG and (seconds % 60 or not seconds):
        return f"{seconds:g}s"
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (left, "s"))
    return " ".join(f"{number}{unit}" for number, unit in parts if number)


def counted(number: int, noun: str) -> str:
    """A number of things: `1 page`, `2 pages`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


LONG = 100
"""Seconds from which on a duration is shown in minutes and hours."""


def confirm(policy: Policy, region: str, probe: Probe) -> Reason:
    """The failed region is failing by the second, independent signal too."""
    if policy.confirm is Confirm.NONE:
        return Reason(Rule.CONFIRM, True, "the file asks for no second signal", "none", region)
    limit = f"{policy.confirm}, if silent: {policy.on_unconfirmed}"
    who = "Monitoring" if policy.confirm is Confirm.MONITORING else "probe"
    match probe.verdict:
        case Verdict.FAILING:
            return Reason(Rule.CONFIRM, True, f"{who} fails too: {probe.detail}", limit, region)
        case Verdict.HEALTHY:
            value = f"{who} says healthy: {probe.detail}"
            return Reason(Rule.CONFIRM, False, value, limit, region, Cause.CONTRADICTED)
        case Verdict.SILENT:
            passed = policy.on_unconfirmed is OnUnconfirmed.PROCEED
            value = f"no second signal: {probe.detail}"
            return Reason(Rule.CONFIRM, passed, value, limit, region, Cause.UNANSWERED)


DOUBTS: Mapping[Doubt, str] = {
    Doubt.CONTRADICTED: "the alert's labels, host and check id are of different regions",
    Doubt.FOREIGN: "the alert is labelled for a service that is not configured here",
    Doubt.UNNAMED: "the alert's policy has no `service` label, and the file has several services",
}
"""Why an alert counts only while our own probe fails."""


def doubted(region: str, doubt: Doubt, probe: Probe) -> Reason:
    """Our own probe of the region does not confirm an alert in doubt."""
    silent = probe.verdict is Verdict.SILENT
    seen = "no second signal" if silent else "our own probe does not fail"
    value = f"{seen}: {probe.detail}. The alert is in doubt: {DOUBTS[doubt]}"
    cause = Cause.UNANSWERED if silent else Cause.DOUBTFUL
    return Reason(Rule.CONFIRM, False, value, "our own probe fails", region, cause)


def unheard(policy: Policy, *, asked: bool) -> str:
    """What it means that our probe says nothing about a region's health, and what to do.

    asked: it has a health URL.
    """
    if policy.confirm is not Confirm.PROBE:
        means = "Its recovery cannot be proven"
    elif policy.is_credulous:
        means = "No alert of it can be confirmed, but an alert moves traffic nevertheless"
    else:
        means = "No alert of it can be confirmed, so an alert moves nothing and pages"
    is_target = policy.is_credulous and not asked
    target = "Traffic moves to it last" if is_target else "Traffic does not move to it"
    return f"{means}. {target}. Give it a `health_url` that answers 2xx if healthy, else 5xx"


def looked_at(region: str, probe: Probe) -> Reason:
    """The second signal contradicted the alert when it was opened, and now fails for the first
    time."""
    value = (
        f"it was healthy when the alert opened, and fails now for the first time: {probe.detail}"
    )
    limit = "two failures in a row, 45s apart"
    return Reason(Rule.CONFIRM, False, value, limit, region, Cause.CONTRADICTED)


def max_event_age(  # a rule's whole world
    policy: Policy,
    signal: Signal,
    region: str,
    incidents: Iterable[Incident],
    now: datetime,
    *,
    failing: bool,
) -> Reason:
    """What we act on is recent: an incident of the failed region, or what a tick sees itself.

    incidents: the live ones of this region. failing: it fails by the second signal.
    """
    limit = duration(policy.max_event_age)
    if isinstance(signal, Tick | Command) and failing:
        return Reason(
            Rule.MAX_EVENT_AGE, True, "the orchestrator's own check sees it fail", limit, region
        )
    began = max((incident.started_at for incident in incidents), default=now)
    side = "ago" if began <= now else "in the future by our clock"
    value = f"incident began {_whole(abs(now - began))} {side}"
    recent = elapsed(began, now) <= policy.max_event_age
    return Reason(Rule.MAX_EVENT_AGE, recent, value, limit, region)


def brake(
    policy: Policy, regions: Mapping[str, RegionState], now: datetime, *, blind: bool
) -> Reason:
    """Not so many regions have failed at once that the observer is the likelier fault."""
    since = now - policy.brake.within
    newly = [
        name
        for name, entry in regions.items()
        if entry.status is Status.DOWN and entry.since >= since
    ]
    share = len(newly) / len(regions) if regions else 0.0
    limit = f"{policy.brake.share:g} within {duration(policy.brake.within)}"
    if blind:
        value = "every probe fails in the same way: the orchestrator itself may be cut off"
        return Reason(Rule.BRAKE, False, value, limit)
    value = f"{len(newly)} of {len(regions)} regions newly down"
    return Reason(Rule.BRAKE, share <= policy.brake.share, value, limit)


def max_auto_failovers(
    policy: Policy, moves: Iterable[Move], acknowledged_at: datetime | None, now: datetime
) -> Reason:
    """Automation has not moved too often since a human last acknowledged."""
    since = now - policy.max_auto_failovers.within
    if acknowledged_at is not None:
        since = max(since, acknowledged_at)
    count = sum(1 for move in moves if move.at > since)
    limit = f"{policy.max_auto_failovers.count} within {duration(policy.max_auto_failovers.within)}"
    passed = count < policy.max_auto_failovers.count
    return Reason(Rule.MAX_AUTO_FAILOVERS, passed, counted(count, "automatic move"), limit)


def cooldown(policy: Policy, region: str, moves: Iterable[Move], now: datetime) -> Reason:
    """The target is not a region that automation has left within the cooldown."""
    limit = duration(policy.cooldown)
    left = [move.at for move in moves if region in move.left]
    if not left:
        value = f"no automatic move away in the last {limit}"
        return Reason(Rule.COOLDOWN, True, value, limit, region)
    ago = elapsed(max(left), now)
    value = f"automation moved away {_whole(ago)} ago"
    return Reason(Rule.COOLDOWN, ago >= policy.cooldown, value, limit, region)


def proven_since_left(entry: RegionState, region: str, moves: Iterable[Move]) -> bool:
    """Whether probes have proven the region healthy after automation last left it.

    A close that is trusted and a human's choice are no such proof: they set no `proven_at`.
    """
    left = max((move.at for move in moves if region in move.left), default=None)
    return left is not None and entry.proven_at is not None and entry.proven_at > left


def target_healthy(
    policy: Policy,
    region: str,
    entry: RegionState,
    probe: Probe,
    *,
    asked: bool,
    movable: bool,
    proof: int | None = None,
) -> Reason:
    """The target is up and answers its probe now.

    asked: it has a health URL. One that has none passes only where the file says that alerts move
    traffic by themselves. movable: the load balancer has a backend of it that the lever can move.
    proof: healthy probes that prove a region that was down, if that is known.
    """
    if not movable:
        text = "none of its backends is attached, and capacity cannot attach one"
        return Reason(Rule.TARGET_HEALTHY, False, text, "attached", region, Cause.NO_BACKEND)
    if entry.status is not Status.UP:
        text, cause = f"status {entry.status}", Cause.NONE
        if probe.verdict is Verdict.HEALTHY and proof is not None:
            text += f", probe: {probe.detail} ({entry.proofs} of {proof} healthy probes counted)"
            cause = Cause.UNPROVEN
        return Reason(Rule.TARGET_HEALTHY, False, text, "up", region, cause)
    trusted = not asked and policy.is_credulous
    passed = trusted or probe.verdict is Verdict.HEALTHY
    return Reason(Rule.TARGET_HEALTHY, passed, f"up, probe: {probe.detail}", "up and 2xx", region)


def attached(region: str, entry: RegionState) -> Reason:
    """The target has capacity, as last seen on the load balancer; nothing has taken it since."""
    value = "has capacity" if entry.attached else "had no capacity when last read: attach it first"
    return Reason(Rule.ATTACHED, entry.attached, value, "attached", region)


def role(region: str, heard: Role) -> Reason:
    """The region says whether it is the primary, so that the load balancer can use it."""
    value = f"its role URL says {heard.detail}"
    return Reason(
        Rule.ROLE, heard.part is not Part.SILENT, value, "200 or 503 with an epoch", region
    )


def stands_by(region: str, heard: Role, epoch: int) -> Reason:
    """The region says that it is not the primary, by this epoch's document or a later one."""
    passed = heard.part is Part.STANDS_BY and heard.epoch >= epoch
    return Reason(Rule.ROLE, passed, _says(heard), f"503 by epoch {epoch} or later", region)


def leads(region: str, heard: Role, epoch: int) -> Reason:
    """The region says that it is the primary, by this epoch's document or a later one."""
    passed = heard.part is Part.LEADS and heard.epoch >= epoch
    return Reason(Rule.ROLE, passed, _says(heard), f"200 by epoch {epoch} or later", region)


def knows(region: str, heard: Role, epoch: int) -> Reason:
    """The region's application has read this epoch's document, so it will read the next one."""
    passed = heard.part is not Part.SILENT and heard.epoch >= epoch
    return Reason(Rule.ROLE, passed, _says(heard), f"by epoch {epoch} or later", region)


def _says(heard: Role) -> str:
    by = "" if heard.part is Part.SILENT else f" by epoch {heard.epoch}"
    return f"its role URL says {heard.detail}{by}"


def min_healthy_regions(
    policy: Policy, regions: Mapping[str, RegionState], left: Iterable[str]
) -> Reason:
    """Enough regions stay healthy to take the traffic of those that are left."""
    gone = set(left)
    up = [name for name, entry in regions.items() if entry.healthy and name not in gone]
    value = f"{counted(len(up), 'healthy region')} would remain"
    passed = len(up) >= policy.min_healthy_regions
    return Reason(Rule.MIN_HEALTHY_REGIONS, passed, value, str(policy.min_healthy_regions))


def replication_lag(policy: Policy, region: str, left: str, probe: Probe) -> Reason:
    """The target's replica is not too far behind the region that is left.

    Nothing is taken off the lag for the time that the region has failed: it may have served users
    and replicated nothing. So what the target reports is the most that a move loses. An unknown lag
    counts as too high. One that is not reported passes, unless the file asks for it.
    """
    limit = f"{duration(policy.max_replication_lag)}, else {policy.on_lag}"
    behind = probe.behind(left)
    proceeds = policy.on_lag is OnLag.PROCEED
    if behind is NoLag.NOT_TOLD and not policy.lag_required:
        value = f"{region} reports no replication lag from {left}"
        return Reason(Rule.REPLICATION_LAG, True, value, limit, region)
    if isinstance(behind, NoLag):
        value = f"the replication lag from {left} is unknown: {_why_unknown(region, left, probe)}"
        return Reason(Rule.REPLICATION_LAG, proceeds, value, limit, region, Cause.UNKNOWN_LAG)
    value = f"at most {behind:.1f} s behind {left}, the RPO estimate"
    passed = proceeds or behind <= policy.max_replication_lag.total_seconds()
    return Reason(Rule.REPLICATION_LAG, passed, value, limit, region)


def _why_unknown(region: str, left: str, probe: Probe) -> str:
    if probe.verdict is not Verdict.HEALTHY:
        return f"{region} gave no healthy answer ({probe.detail})"
    if probe.lag_unreadable:
        return f"{region}'s health URL announces JSON, and it could not be read"
    if left in probe.lag:
        return f"{region} does not know it. Check the heartbeat of {left}"
    return f"{region} does not report it, and max_replication_lag is configured"


def freeze(frozen: Freeze | None, now: datetime) -> Reason | None:
    """Nobody has frozen automation; None when there is nothing to say."""
    if frozen is None or frozen.until <= now:
        return None
    until = f"{frozen.until:%Y-%m-%d %H:%M:%S} UTC"
    value = f"frozen by {claimed(frozen.actor)} until {until}: {frozen.reason}"
    return Reason(Rule.FREEZE, False, value, "not frozen")


def optional(
    policy: Policy, moves: Iterable[Move], given_up_at: datetime | None, now: datetime
) -> Reason:
    """Automation has not moved within the cooldown. Within it, it makes no optional move.

    given_up_at: when a switch or ramp was last given up. A ramp's traffic was taken back then.
    """
    limit = duration(policy.cooldown)
    given_up = [given_up_at] if given_up_at else []
    last = max((*(move.at for move in moves), *given_up), default=None)
    if last is None:
        return Reason(Rule.COOLDOWN, True, "no recent automatic move", limit)
    ago = elapsed(last, now)
    value = f"the last automatic move was {_whole(ago)} ago"
    return Reason(Rule.COOLDOWN, ago >= policy.cooldown, value, limit)


def undisputed(region: str, incidents: Collection[Incident]) -> Reason:
    """No incident of the region is open, not even one that is too little to make it down."""
    value = f"{counted(len(incidents), 'incident')} open"
    return Reason(Rule.FAILBACK_AFTER, not incidents, value, "0", region)


def failback_after(
    policy: Policy, region: str, entry: RegionState, given_up_at: datetime | None, now: datetime
) -> Reason:
    """The region has been healthy for long enough to be given its traffic back.

    given_up_at: when a switch or ramp was last given up. It is not tried again any sooner.
    """
    limit = duration(policy.failback_after)
    if entry.status is not Status.UP:
        return Reason(Rule.FAILBACK_AFTER, False, f"status {entry.status}", limit, region)
    since = max(entry.since, given_up_at or entry.since)
    up = elapsed(since, now)
    given_up = f"the last switch or ramp was given up {_whole(up)} ago"
    value = f"up for {_whole(up)}" if since == entry.since else given_up
    return Reason(Rule.FAILBACK_AFTER, up >= policy.failback_after, value, limit, region)


def evacuated(region: str, regions: Iterable[str]) -> tuple[Reason, ...]:
    """No human has taken the traffic away from this region; nothing when there is none to say."""
    if region not in regions:
        return ()
    value = "a human took its traffic away, and only a human gives it back"
    return (Reason(Rule.EVACUATED, False, value, "", region),)


def command(
    policy: Policy,
    wish: Command,
    handled: Mapping[str, datetime],
    newest: Given | None,
    now: datetime,
) -> Reason:
    """The command is new, recent, and not older than one of its family that was obeyed.

    handled: when each known command was, by id. newest: the obeyed one of the same family. A freeze
    has an end, and not a distant one.
    """
    limit = f"once, within {duration(policy.max_event_age)}, in the order they were given"
    if wish.wish is Wish.FREEZE and not _ends(wish):
        value = f"a freeze must end after it begins, within {LONGEST_FREEZE.days} days of its issue"
        return Reason(Rule.COMMAND, False, value, f"{LONGEST_FREEZE.days}d")
    if wish.id in handled:
        at = handled[wish.id].isoformat(timespec="seconds")
        return Reason(Rule.COMMAND, False, f"{wish.id} was handled at {at}", limit)
    side = "ago" if wish.issued_at <= now else "in the future by our clock"
    age = f"{_whole(abs(now - wish.issued_at))} {side}"
    value = f"{wish.wish} by {claimed(wish.actor)}, issued {age}"
    if newest is not None and wish.given < newest:
        value += f", before command {newest.id}, which is in force"
        return Reason(Rule.COMMAND, False, value, limit)
    recent = -AHEAD <= now - wish.issued_at <= policy.max_event_age
    return Reason(Rule.COMMAND, recent, value, limit)


def _ends(wish: Command) -> bool:
    until = wish.until
    return until is not None and wish.issued_at < until <= wish.issued_at + LONGEST_FREEZE
