"""The phrases of a timeline: what can be said of a world, and what each phrase holds.

A phrase is recognised by its form, in which the words in capitals stand for values. What may follow
a message, after a comma, is a tail. Nothing here carries anything out.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

FORMS: Mapping[str, str] = {
    "REGION fails": "its health URL and its users' requests get 503",
    "REGION does not answer": "requests to it time out, ours and its users'",
    "REGION recovers": "it answers all requests with 2xx again",
    "ORCHESTRATOR cannot reach REGION": "our own probes of it time out. Its users are served",
    "ORCHESTRATOR reaches REGION again": "our own probes reach it again",
    "the clock of ORCHESTRATOR is DURATION ahead": "it decides with a later time",
    "the clock of ORCHESTRATOR is right again": "it decides with the right time",
    "users cannot reach REGION": "it answers our probes, and its users get no answer",
    "users reach REGION again": "its users are served",
    "REGION is DURATION behind OTHER": "its health URL reports this replication lag",
    "REGION does not know its lag behind OTHER": "its health URL names OTHER without a number",
    "REGION reads no document": "its application uses the last document that it read",
    "REGION reads the document again": "its application uses the newest document",
    "alert NAME opens for REGION": "Cloud Monitoring opens the incident NAME and publishes it",
    "alert NAME closes for REGION": "Cloud Monitoring closes it and publishes that",
    "ACTOR commands failover to REGION": "`failoverctl failover --to REGION --apply`",
    "ACTOR commands failback": "`failoverctl failback --apply`",
    "ACTOR commands evacuate REGION": "`failoverctl evacuate REGION --apply`",
    "ACTOR commands freeze for DURATION": "`failoverctl freeze --for DURATION --apply`",
    "ACTOR commands unfreeze": "`failoverctl unfreeze --apply`",
    "ACTOR commands ack": "`failoverctl ack --apply`",
    "tick": "one more tick, beside the regular ones",
    "somebody gives REGIONS the traffic": "somebody changes the load balancer's backends",
    "a controller attaches NAME in ZONE": "as GKE does: a group that no region claims gets traffic",
    "a controller detaches NAME in ZONE": "it takes that group away again",
    "terraform apply": "the load balancer is written back as it was deployed, with the old mark",
    "somebody edits the document's primary to REGION": "by hand, and nothing else in the document",
    "ACTOR restores the document": "`failoverctl state restore --apply`",
    "the state bucket is gone until TIME": "reads and writes of Cloud Storage fail",
    "the Compute API is gone until TIME": "reads and writes of the load balancer fail",
    "Pub/Sub is gone until TIME": "messages come when it is back. Ticks are not sent",
    "Monitoring is gone until TIME": 'its uptime checks say nothing (`confirm = "monitoring"`)',
    "the orchestrator is killed": "only after `before the next ...`. The message comes again",
}
"""Every phrase, and what it means."""

TAILS: Mapping[str, str] = {
    "lost": "the message never comes",
    "NUMBER times": "it comes NUMBER times",
    "DURATION late": "it comes later by DURATION",
    "again DURATION late": "a copy of it comes later by DURATION",
    "begun DURATION ago": "the incident began that long ago (alerts)",
    "now": "without waiting for clients and replicas (commands)",
    "overriding RULE": "although this one rule refuses (commands)",
}
"""What may follow an alert or a command, after a comma."""

_ALERTS = ("alert NAME opens for REGION", "alert NAME closes for REGION")
_COMMANDS = (
    "ACTOR commands failover to REGION",
    "ACTOR commands failback",
    "ACTOR commands evacuate REGION",
    "ACTOR commands freeze for DURATION",
    "ACTOR commands unfreeze",
    "ACTOR commands ack",
)
_BEFORE: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(TAILS, (*_ALERTS, *_COMMANDS)),
    "begun DURATION ago": _ALERTS,
    "now": _COMMANDS,
    "overriding RULE": _COMMANDS,
}
"""The messages that each tail may follow."""

MOMENTS = ("commit", "patch")
"""`before the next commit, PHRASE`: in the middle of whatever writes the document, or the load
balancer, next."""

_LENGTH = r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+"
_REGION = r"[a-z0-9][a-z0-9-]*"
_VALUES = {
    "ORCHESTRATOR": r"(?:the orchestrator|orchestrator (?P<number>[12]))",
    "REGIONS": rf"(?P<regions>{_REGION}(?: and {_REGION})*)",
    "REGION": rf"(?P<region>every region|{_REGION})",
    "OTHER": rf"(?P<other>{_REGION})",
    "DURATION": rf"(?P<length>{_LENGTH})",
    "TIME": rf"(?P<time>{_LENGTH})",
    "NAME": r"(?P<name>[\w.-]+)",
    "ZONE": r"(?P<zone>[a-z0-9-]+)",
    "ACTOR": r"(?P<actor>[\w.@-]+)",
    "NUMBER": r"(?P<copies>[1-9])",
    "RULE": r"(?P<rule>[a-z_]+)",
}
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happens. text: as the file says it. form: of which it is one.

    values: what the form's capitals stand for. tails: each with its value, or "". before: `commit`
    or `patch` when it happens in the middle of somebody's work.
    """

    text: str
    form: str
    values: Mapping[str, str]
    tails: Mapping[str, str] = field(default_factory=dict)
    before: str = ""

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that it names."""
        several = self.values.get("regions", "").split(" and ")
        named = (self.values.get("region", ""), self.values.get("other", ""), *several)
        return tuple(name for name in named if name not in {"", "every region", "nobody"})

    def tail(self, name: str) -> timedelta:
        """The duration of that tail, or none without it."""
        return length(self.tails[name]) if name in self.tails else timedelta(0)


def length(text: str) -> timedelta:
    """A duration as a scenario writes it: `90s`, `1m30s`, `26h`. Raises ValueError."""
    if not re.fullmatch(_LENGTH, text):
        raise ValueError("write a duration such as 90s, 1m30s or 26h")
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def read(text: str) -> Act:
    """What a phrase says. Raises ValueError with what can be said."""
    rest, before = text, ""
    for moment in MOMENTS:
        if text.startswith(f"before the next {moment}, "):
            rest, before = text.removeprefix(f"before the next {moment}, "), moment
    head, *tails = rest.split(", ")
    form, values = _match(head, FORMS)
    if not form:
        shape = re.sub(r"\b[a-z]+-[a-z]+-\d\b", "REGION", head)
        near = difflib.get_close_matches(shape, FORMS, 1, 0.3)
        raise ValueError(f"{head!r} is no phrase{f'. Did you mean `{near[0]}`?' if near else ''}")
    if form == "the orchestrator is killed" and not before:
        raise ValueError("say when: `before the next patch, the orchestrator is killed`")
    return Act(text, form, values, _tails(form, tails), before)


def _tails(form: str, tails: list[str]) -> dict[str, str]:
    meanings = {}
    for text in tails:
        tail, values = _match(text, TAILS)
        if form not in _BEFORE.get(tail, ()):
            raise ValueError(f"{text!r} cannot follow `{form}`")
        meanings[tail] = next(iter(values.values()), "")
    return meanings


def _match(text: str, forms: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    for form in forms:
        match = _pattern(form).fullmatch(text)
        if match:
            return form, {key: value for key, value in match.groupdict().items() if value}
    return "", {}


def _pattern(form: str) -> re.Pattern[str]:
    words = "|".join(_VALUES)
    parts = re.split(rf"\b({words})\b", form)
    return re.compile("".join(_VALUES.get(part, re.escape(part)) for part in parts))
