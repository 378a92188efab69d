"""Rules for people: what each is for, what a reason says of it, and what to do about a refusal.

Pure: from the reasons of history and journal, as JSON, to text.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.core.model import Json

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
    "attached": "a region can take over by the document alone only if it has capacity",
    "role": "a region must say itself, by the newest document, whether it is the primary",
    "standbys": "regions that stand by are kept out by the load balancer's health check",
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
    "command": "Give it again with what it says put right",
    "min_healthy_regions": "Bring another region up, or `--override min_healthy_regions` if those"
    " left can carry the load",
    "replication_lag": "Wait until it has caught up, or `--override replication_lag` and lose what"
    " was not replicated",
    "attached": "Nothing: the next signals attach it, when it is well and says that it stands by;"
    " `failoverctl check` tells what it says",
    "role": "See why its role URL (`/primary` below `health_url`) does not answer 200 or 503 with"
    " the document's epoch in its JSON; `--override role` goes there all the same",
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

_DONE = frozenset({"freeze", "unfreeze", "ack"})
"""Reasons that say what was done, when they pass."""

_ENDS = {"switch": "the switch to ", "ramp": "ended by "}
"""How the reason begins with which a switch or a ramp ended."""


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
