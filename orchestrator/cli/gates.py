"""Rules for people: what each is for, and what a reason says of it.

Pure: from the reasons of history and journal, as JSON, to text.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.core.model import Cause, Json

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
    "endpoint": "where applications find the table is what the configuration says",
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

_DONE = frozenset({"freeze", "unfreeze", "ack"})
"""Reasons that say what was done, when they pass."""


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
    return not reason.get("passed") and reason.get("cause") == Cause.ENDED
