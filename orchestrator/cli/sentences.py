"""Decisions in sentences, for a person who is tired: what came in, what was done, and why.

Pure: from the entries of history and journal, as JSON, to text. Every rule's value is in it,
whether it passed or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from orchestrator.core.model import Incident, IncidentState, Json, Status
from orchestrator.core.reading import read_time

MEANINGS: Mapping[str, str] = {
    "confirm": "a second signal (our own probe or Monitoring) must not contradict the alert",
    "max_event_age": "an old alert updates health, and moves nothing by itself",
    "brake": "when so much fails at once, the observer is the likelier fault",
    "max_auto_failovers": "after so many automatic moves a human must look",
    "target_healthy": "the region to go to must be up and answer its probe now",
    "cooldown": "a region that automation has left is no target again for a while",
    "last_region": "traffic is never taken from the last region that could serve it",
    "routing": "the load balancer must name a region that the configuration knows",
    "adopt": "the load balancer carried a newer decision than the document, which is followed",
    "configuration": "the configuration has a higher serial",
    "restore": "an older version of the document was brought back",
    "freeze": "a human has stopped automation for a while",
    "command": "a command is carried out once, and soon after it was given",
    "min_healthy_regions": "enough healthy regions must be left to carry the load",
    "replication_lag": "the replica there must not be too far behind, or writes are lost",
    "switch": "a graceful switch waits until no write can be lost, or is given up",
    "ramp": "a region gets its traffic back step by step, and loses it again at a new incident",
    "failback_after": "a region must have been well for a while before it gets its traffic back",
    "evacuated": "where a human took the traffic away, only a human brings it back",
    "undisputed": "nothing may stand against a region that gets its traffic back",
    "on_state_loss": "without the state only what can be seen may be acted on",
}
"""What each rule is for, in half a sentence."""

REMEDIES: Mapping[str, str] = {
    "confirm": "If users really fail there, see why its health URL answers well (or does not answer"
    " us at all): the alert and the second signal disagree",
    "max_event_age": "Nothing: if the region still fails, the next ticks see it themselves and act",
    "brake": "Look at the regions with your own eyes. If they really are down, there is nowhere to"
    " go; if not, look at what watches them",
    "max_auto_failovers": "Find out why it moved so often. Then `failoverctl ack SERVICE --apply"
    " --reason TEXT`; it moves again by itself when the oldest of those moves is out of the window",
    "target_healthy": "Bring that region up, or see why its health URL does not answer with 2xx",
    "cooldown": "Nothing: the time passes; another region can be the target all the while",
    "last_region": "Bring any region up. It moves as soon as one proves healthy",
    "freeze": "If it must move now: `failoverctl failover SERVICE --to REGION --apply"
    " --reason TEXT`, which a freeze does not stop; or `failoverctl unfreeze`",
    "command": "Give the command again, with the name of a region that exists",
    "min_healthy_regions": "Bring another region up, or `--override min_healthy_regions` if those"
    " left can carry the load",
    "replication_lag": "Wait until it has caught up, or `--override replication_lag` and lose what"
    " was not replicated",
    "routing": "Give a configured region traffic again by hand, or mend `backend` in the file",
    "switch": "Nothing has moved. Give the command again when what stood in its way is mended (an"
    " automatic failback comes again by itself); `--now` waits for nothing, and what was not"
    " replicated is missing there",
    "ramp": "Find out why the region failed again. When it has proven well, `failoverctl failback`",
}
"""What a human can do about a refusal."""

_RECOVERING = (
    "{region} answers well and is not yet proven: wait for the probes that are still to be counted,"
    " one a minute, or `--override target_healthy --now`"
)
_NEEDS_NOW = "Add `--now` to go there at once, or leave `--override` out"

_OUTCOMES: Mapping[str, str] = {
    "held": "It HELD: the traffic stayed with {now}.",
    "health": "It noted who is healthy; the traffic stayed with {now}.",
    "unchanged": "It changed nothing; the traffic stays with {now}.",
    "adopted": "It took over what the load balancer says: {now} (epoch {epoch}).",
    "obeyed": "It did as it was told; the traffic is with {now}.",
    "switching": "It began a graceful switch; until it ends the traffic stays with {now}.",
    "ramped": "It gave a region the next step of its traffic: {now} carries traffic (epoch"
    " {epoch}).",
    "abandoned": "It GAVE UP what was under way; the traffic is with {now}.",
    "configured": "It took up a newer configuration: {now} carries traffic (epoch {epoch}).",
}

_DONE = frozenset({"freeze", "unfreeze", "ack"})
"""Reasons that say what was done, when they pass."""

_ENDS = {"switch": "the switch to ", "ramp": "ended by "}
"""How the reason begins with which a switch or a ramp ended."""

_PHASES: Mapping[str, str] = {
    "verified": "The load balancer was patched and read back: it is as decided.",
    "unverified": "The load balancer was patched, but what was read back was NOT as decided; the"
    " next tick looks again.",
    "applied": "The load balancer was patched; it was not read back.",
    "committed": "The intent was recorded, but the load balancer was not patched by that call; a"
    " redelivery or the next tick finishes it.",
}


_STATES: Mapping[IncidentState, str] = {
    IncidentState.OPEN: "open",
    IncidentState.STALE: "never closed by Monitoring",
    IncidentState.CLOSED: "closed by Monitoring",
}


def ago(at: datetime, now: datetime) -> str:
    """A time and how long ago that was."""
    passed = round((now - at).total_seconds())
    when = at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{when} ({long(passed)} ago)" if passed >= 0 else f"{when} (to come)"


def long(seconds: int) -> str:
    """A time that has passed, in its two largest units: `45s`, `3m 20s`, `2h 5m`, `9d 4h`."""
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {seconds % 60}s" if minutes else f"{seconds}s"


def short(stamp: object) -> str:
    """A document's time for a table: to the second, in UTC."""
    return str(stamp)[:19].replace("T", " ") if stamp else "-"


def _carriers(entry: Json, key: str) -> str:
    found = entry.get(key)
    names = list(found) if isinstance(found, dict) else []
    return ", ".join(names) or "nobody"


def headline(entry: Json) -> str:
    """What a decision came to, in one sentence."""
    now, before = _carriers(entry, "routing"), _carriers(entry, "routing_before")
    if entry.get("outcome") == "moved":
        return (
            f"It MOVED the traffic from {before} to {now} (epoch"
            f" {entry.get('epoch_before') or 0} to {entry.get('epoch')})."
        )
    pattern = _OUTCOMES.get(str(entry.get("outcome")), "Outcome {outcome}: {now}.")
    return pattern.format(now=now, epoch=entry.get("epoch"), outcome=entry.get("outcome"))


def whereabouts(entry: Json) -> str:
    """Where a decision sent the traffic, or left it."""
    now, before = _carriers(entry, "routing"), _carriers(entry, "routing_before")
    return f"the traffic {'stays with' if now == before else 'is now with'} {now}"


def cause(entry: Json) -> str:
    """What a decision was about, in the middle of a sentence."""
    match str(entry.get("signal", "")).split():
        case ["command", identity, verb, *rest]:
            return f"command {identity} ({verb} {' '.join(rest)})"
        case words:
            return f"the decision on `{' '.join(words)}`"


def came_in(entry: Json) -> str:
    """What a decision was about."""
    words = str(entry.get("signal", "")).split()
    match words:
        case ["alert", identity, "open", region]:
            return f"Cloud Monitoring opened incident {identity}: {region} fails."
        case ["alert", identity, "closed", region]:
            return f"Cloud Monitoring closed incident {identity} of {region}."
        case ["command", identity, verb, *rest]:
            told = " ".join(rest)
            return f"Command {identity}, {verb}: {told}."
        case ["tick"]:
            return "A tick looked at the world itself; no alert was involved."
    return f"What came in: {' '.join(words)}."


def reasons(entry: Json) -> list[Json]:
    """The reasons of a decision, whatever else stands in their place."""
    found = entry.get("reasons")
    return [r for r in found if isinstance(r, dict)] if isinstance(found, list) else []


def gates(entry: Json) -> list[str]:
    """Every rule of a decision with its value and limit, in the order they were asked."""
    return [gate(reason) for reason in reasons(entry)]


def gate(reason: Json) -> str:
    """One rule: whether it let the decision pass, what it saw, what its limit is."""
    verdict = _verdict(reason)
    rule, region = str(reason.get("rule")), reason.get("region")
    where = f" for {region}" if region else ""
    limit = f" (limit: {reason['limit']})" if reason.get("limit") else ""
    meaning = MEANINGS.get(rule)
    why = f": {meaning}" if meaning and verdict == "REFUSED" else ""
    return f"{verdict} {rule}{where}: {reason.get('value')}{limit}{why}"


def _verdict(reason: Json) -> str:
    rule, passed = reason.get("rule"), reason.get("passed")
    if passed:
        return "done   " if rule in _DONE else "passed "
    return "ENDED  " if ends_something(reason) else "REFUSED"


def ends_something(reason: Json) -> bool:
    """Whether this says that a switch or ramp ended, and not that a rule stood in the way."""
    text = str(reason.get("value"))
    return not reason.get("passed") and text.startswith(_ENDS.get(str(reason.get("rule")), "\0"))


def remedies(entry: Json) -> list[str]:
    """What a human can do about the refusals of a held decision, each rule once."""
    if entry.get("outcome") not in {"held", "abandoned"}:
        return []
    refused = [reason for reason in reasons(entry) if not reason.get("passed")]
    told = dict.fromkeys(f"{reason.get('rule')}: {_remedy(reason)}." for reason in refused)
    return [line for line in told if not line.endswith(": .")]


def _remedy(reason: Json) -> str:
    rule, value = str(reason.get("rule")), str(reason.get("value"))
    if rule == "target_healthy" and value.endswith(" probes counted"):
        return _RECOVERING.format(region=reason.get("region"))
    if "--override needs --now" in value:
        return _NEEDS_NOW
    return REMEDIES.get(rule, "")


def became_of(entry: Json) -> list[str]:
    """How far the shift came, when the journal knows."""
    phase, plans = entry.get("phase"), entry.get("shifted")
    told = [_PHASES[str(phase)]] if str(phase) in _PHASES else []
    return told + ([f"Written: {plan}" for plan in plans] if isinstance(plans, list) else [])


def tell(entry: Json, now: datetime) -> list[str]:
    """A whole decision, a sentence a line."""
    try:
        when = ago(read_time(entry.get("at")), now)
    except (ValueError, OverflowError):
        when = str(entry.get("at"))
    page = entry.get("page")
    return [
        f"Decision {entry.get('id')} of {when}.",
        came_in(entry),
        headline(entry),
        *(f"  {line}" for line in gates(entry)),
        *became_of(entry),
        *([f"A human was paged: {page}."] if page else []),
        *(f"To do, {line}" for line in remedies(entry)),
    ]


def under_way(view: Json, now: datetime) -> list[str]:
    """What stands in the way of automation, or is not finished, from a document or a view of it."""
    told = []
    freeze, switch, ramp = view.get("freeze"), view.get("switch"), view.get("ramp")
    if isinstance(freeze, dict) and not _is_past(freeze.get("until"), now):
        told.append(
            f"FROZEN until {short(freeze.get('until'))} UTC by {freeze.get('actor')}:"
            f" {freeze.get('reason')}"
        )
    if isinstance(switch, dict):
        told.append(
            f"SWITCHING to {switch.get('to')} ({switch.get('step')}): {switch.get('left')} takes no"
            f" writes until {short(switch.get('until'))} UTC at most"
        )
    if isinstance(ramp, dict):
        step = ramp.get("step")
        number = step + 1 if isinstance(step, int) else step
        told.append(f"RAMP: {ramp.get('region')} is at step {number}")
    return told


def _is_past(stamp: object, now: datetime) -> bool:
    try:
        return read_time(stamp) <= now
    except (ValueError, OverflowError):
        return False


def incident_sentence(incident: Incident, now: datetime) -> str:
    """Where one incident stands, and what it means for its region."""
    began = ago(incident.started_at, now)
    origin = f"Incident {incident.id} of {incident.region}, begun {began}"
    if not incident.opened:
        return (
            f"{origin}: only its close has come, never its open. It changes no region; if the open"
            " comes late it is known to be over."
        )
    if incident.id.startswith("tick-"):
        origin += ", opened by ticks that saw the region fail without any alert"
    if incident.set_aside:
        return (
            f"{origin}: set aside, for {incident.set_aside} sent the traffic there in spite of it;"
            " only a newer incident counts against the region."
        )
    if incident.contradicted:
        return (
            f"{origin}: {_STATES[incident.state]}, but the second signal found the region healthy"
            " when it came, so it does not count."
        )
    match incident.state:
        case IncidentState.OPEN:
            return f"{origin}: still open."
        case IncidentState.STALE:
            return f"{origin}: Monitoring never closed it, but the region has proven healthy since."
        case IncidentState.CLOSED:
            proof = (
                "and the region has proven healthy since"
                if incident.settled
                else ("but a close is no proof of health: ticks must see the region answer well")
            )
            return f"{origin}: closed by Monitoring, {proof}."


def region_sentence(
    name: str, status: Status, probe: str, incidents: Sequence[Incident], chosen: str | None
) -> str:
    """Where one region stands and why. chosen: by whom, if that is all that it is up for."""
    count = len(incidents)
    about = f"{count} incident{'' if count == 1 else 's'} known"
    meaning = {
        Status.UP: f"up: {chosen} chose it, and it has not proven well since"
        if chosen
        else "up: it may carry traffic",
        Status.DOWN: "DOWN: an incident is open that nothing contradicts",
        Status.RECOVERING: "recovering: was down, and has not proven healthy yet",
    }[status]
    return f"{name} is {meaning}. Its probe says now: {probe}; {about}."


def indented(lines: Iterable[str]) -> list[str]:
    """The lines, two columns further right."""
    return [f"  {line}" for line in lines]
