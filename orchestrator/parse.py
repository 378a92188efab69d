"""From bytes to signals: the Pub/Sub envelope, then Cloud Monitoring's notification.

Pure. Knows three envelopes (a Pub/Sub push, a CloudEvent in binary and in structured form) and
notifications of version 1.x. Every field of a notification is taken to be optional and possibly of
another type than documented. What can never be read is a `BadEvent`; what is not for us, or only a
test of the channel, is `Ignored`. An unknown region is refused, never added.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from orchestrator.core.errors import BadEvent
from orchestrator.core.model import (
    NOTHING,
    AlertClosed,
    AlertOpened,
    Command,
    Json,
    Signal,
    Tick,
    Wish,
)
from orchestrator.core.policy import Region, Service
from orchestrator.core.rules import LONGEST_FREEZE

MAX_BYTES = 1024 * 1024
"""Largest notification that is read. Pub/Sub allows 10 MB; a real one has a few KB."""

MAX_DEPTH = 64
"""Deepest nesting that is read. A real notification has five levels."""

_CHECK_ID = re.compile(r'\bcheck_id"?\s*=\s*"([^"]{1,256})"')
_MILLISECONDS = 100_000_000_000
"""Epoch numbers from here on are milliseconds: as seconds they would lie beyond the year 5000."""


@dataclass(frozen=True, slots=True)
class Message:
    """One Pub/Sub message, unwrapped. published: when it was first published."""

    data: bytes
    id: str
    published: datetime


@dataclass(frozen=True, slots=True)
class Addressed:
    """A signal and the service it is for."""

    service: str
    signal: Signal


@dataclass(frozen=True, slots=True)
class Ignored:
    """A well-formed message that asks nothing of us."""

    reason: str


# --- the envelope --------------------------------------------------------------------------------


def unwrap(body: object, now: datetime) -> Message:
    """The message inside a push envelope or CloudEvent, given as bytes, text or parsed JSON.

    Raises BadEvent. A message without a publish time counts as published now.
    """
    envelope = _load(body, "envelope", 2 * MAX_BYTES) if isinstance(body, bytes | str) else body
    outer = _object(envelope)
    if "specversion" in outer:
        outer = _structured(outer)
    message = outer.get("message")
    if not isinstance(message, dict):
        raise BadEvent("the body has no `message` object: it is not a Pub/Sub message")
    identity = message.get("messageId") or message.get("message_id") or ""
    published = message.get("publishTime") or message.get("publish_time")
    return Message(_data(message.get("data")), str(identity), _when(published) or now)


def _structured(outer: Json) -> Json:
    inner = outer.get("data")
    if isinstance(inner, dict):
        return inner
    if isinstance(inner, str):
        return _object(_load(inner, "data", 2 * MAX_BYTES))
    if isinstance(outer.get("data_base64"), str):
        return _object(_load(_data(outer["data_base64"]), "data_base64", 2 * MAX_BYTES))
    raise BadEvent("the CloudEvent carries no data")


def _data(text: object) -> bytes:
    if not isinstance(text, str) or not text:
        raise BadEvent("the message has no data")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadEvent(f"the message's data is not base64: {error}") from error
    if len(data) > MAX_BYTES:
        raise BadEvent(f"the message has {len(data)} bytes, more than {MAX_BYTES}")
    return data


def _load(text: bytes | str, what: str, limit: int) -> object:
    if len(text) > limit:
        raise BadEvent(f"the {what} has {len(text)} bytes, more than {limit}")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise BadEvent(f"the {what} is nested deeper than {MAX_DEPTH}") from error
    except ValueError as error:
        raise BadEvent(f"the {what} is not JSON: {error}") from error
    if _deeper(value, MAX_DEPTH):
        raise BadEvent(f"the {what} is nested deeper than {MAX_DEPTH}")
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _deeper(value: object, limit: int) -> bool:
    """Whether the value is nested deeper than the limit, without recursion."""
    level: list[object] = [value]
    for _ in range(limit + 1):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
        if not below:
            return False
        level = below
    return True


# --- the notification ----------------------------------------------------------------------------


def parse_alert(
    message: Message, services: Mapping[str, Service]
) -> tuple[Addressed, ...] | Ignored:
    """The signals that a notification means, one for each service that has the region.

    Raises BadEvent for what is no notification 1.x, names an unknown region or matches nothing:
    that last one is loud because it may be a failover that does not happen.
    """
    notification = _object(_load(message.data, "notification", MAX_BYTES))
    given = notification.get("version")
    version = "1" if given is None else str(given).strip().lower()
    if version == "test":
        return Ignored("a test of the notification channel")
    if version.split(".")[0] != "1":
        raise BadEvent(f"notification version {version!r} is not known; 1.x is")
    incident = notification.get("incident")
    if not isinstance(incident, dict):
        raise BadEvent("the notification has no `incident` object")
    opened = _opened(incident.get("state"))
    matched = _match(incident, services)
    if isinstance(matched, Ignored):
        return matched
    started = _when(incident.get("started_at"))
    key = _incident_id(incident, started, message)
    began = min(started or message.published, message.published)
    ended = _when(incident.get("ended_at")) or message.published
    return tuple(
        Addressed(service, AlertOpened(key, region, began))
        if opened
        else Addressed(service, AlertClosed(key, region, began, max(began, ended)))
        for service, region in matched
    )


def _opened(state: object) -> bool:
    match str(state).strip().lower():
        case "open":
            return True
        case "closed":
            return False
    raise BadEvent(f"incident.state is {state!r}; it must be open or closed")


def _incident_id(incident: Json, started: datetime | None, message: Message) -> str:
    """Its id; without one, what an open and its close have in common; else the message's own."""
    given = incident.get("incident_id")
    if isinstance(given, str | int) and not isinstance(given, bool) and str(given).strip():
        return _encodable(str(given).strip()[:256])
    host = _text(_object(_object(incident.get("resource")).get("labels")), "host")
    labels = sorted(_object(incident.get("policy_user_labels")).items())
    parts = [str(incident.get("policy_name")), str(incident.get("condition_name")), host]
    parts.append(str(labels))
    parts.append(started.isoformat() if started else f"{message.id} {message.published}")
    text = _encodable("\n".join(parts))
    return "derived-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def _encodable(text: str) -> str:
    """The text without lone surrogates, which JSON may carry and UTF-8 may not."""
    return text.encode("utf-8", "replace").decode()


def _when(value: object) -> datetime | None:
    """A time from epoch seconds or milliseconds, as number or text, or ISO 8601; else None."""
    if isinstance(value, bool) or value in (None, "", 0, "0"):
        return None
    try:
        number = float(str(value))
    except ValueError:
        return _iso(str(value))
    try:
        return datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS else number, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _iso(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None


# --- which region --------------------------------------------------------------------------------


def _match(
    incident: Json, services: Mapping[str, Service]
) -> tuple[tuple[str, str], ...] | Ignored:
    """The (service, region) pairs meant: by the policy's labels, the host, then the check id."""
    labels = _object(incident.get("policy_user_labels"))
    named, region = _text(labels, "service"), _text(labels, "region")
    if named and named not in services:
        return Ignored(f"it is for service {named!r}, which is not ours")
    among = {named: services[named]} if named else services
    if region:
        return _by_region(region, among)
    host = _text(_object(_object(incident.get("resource")).get("labels")), "host")
    check = _check_id(incident)
    matched = tuple(_by_host(host, among)) or tuple(_by_check(check, among))
    if not matched:
        raise BadEvent(
            "the alert matches no region: no label `region` on its policy, host"
            f" {host or 'absent'!r} is no health_url's, check id {check or 'absent'!r} is no"
            " check_id. If it is for us, a failover may not happen: label the alert policy with"
            " `region` and `service`"
        )
    return matched


def _by_region(region: str, among: Mapping[str, Service]) -> tuple[tuple[str, str], ...]:
    matched = tuple((name, region) for name, service in among.items() if region in service.names)
    if not matched:
        known = sorted({name for service in among.values() for name in service.names})
        near = difflib.get_close_matches(region, known, 1)
        meant = f"; did you mean {near[0]!r}? It" if near else "; it"
        raise BadEvent(
            f"region {region!r} is not configured for {', '.join(among)}{meant} is refused,"
            f" never added. Configured: {', '.join(known)}"
        )
    return matched


def _by_host(host: str, among: Mapping[str, Service]) -> Iterable[tuple[str, str]]:
    """Regions whose health URL has this host; a host that several share names none of them."""
    for name, service in among.items():
        found = [region.name for region in service.regions if host and host in _hosts(region)]
        if len(found) == 1:
            yield name, found[0]


def _hosts(region: Region) -> tuple[str, ...]:
    if not region.health_url:
        return ()
    parts = urlsplit(region.health_url.lower())
    return (parts.netloc, parts.hostname or "")


def _by_check(check: str, among: Mapping[str, Service]) -> Iterable[tuple[str, str]]:
    for name, service in among.items():
        for region in service.regions:
            if check and region.check_id and region.check_id.rsplit("/", 1)[-1].lower() == check:
                yield name, region.name


def _check_id(incident: Json) -> str:
    """The check id among the metric's labels, else in the condition's filter or query."""
    label = _text(_object(_object(incident.get("metric")).get("labels")), "check_id")
    if label:
        return label
    condition = _object(incident.get("condition"))
    for part in condition.values():
        for text in _object(part).values():
            found = _CHECK_ID.search(text) if isinstance(text, str) else None
            if found:
                return found[1].lower()
    return ""


# --- the control topic ---------------------------------------------------------------------------


def parse_control(message: Message, services: Mapping[str, Service]) -> tuple[Addressed, ...]:
    """The signals that a control message means. Raises BadEvent.

    A tick, and a command without a `service`, is for every service.
    """
    control = _object(_load(message.data, "control message", MAX_BYTES))
    kind = control.get("kind")
    if kind == "tick":
        return tuple(Addressed(name, Tick()) for name in services)
    if kind == "command":
        return _commands(control, services, message.published)
    raise BadEvent(f"control message of kind {kind!r} is not known; tick and command are")


def _commands(
    control: Json, services: Mapping[str, Service], published: datetime
) -> tuple[Addressed, ...]:
    named = control.get("service")
    if named is not None and (not isinstance(named, str) or named not in services):
        raise BadEvent(f"command for service {named!r}; configured: {', '.join(services)}")
    command = _command(control, published)
    among = [named] if isinstance(named, str) else list(services)
    if command.region:
        among = [name for name in among if command.region in services[name].names]
    if not among:
        raise BadEvent(f"command for region {command.region!r}, which no service has")
    if named is None and command.wish in {Wish.FAILOVER, Wish.FAILBACK}:
        raise BadEvent(f"a {command.wish} is for one service: name it")
    return tuple(Addressed(name, command) for name in among)


def _command(control: Json, published: datetime) -> Command:
    try:
        wish = Wish(str(control.get("verb")))
    except ValueError as error:
        known = ", ".join(Wish)
        raise BadEvent(f"command verb {control.get('verb')!r} is not known: {known}") from error
    issued = _when(control.get("issued_at"))
    identity, actor = _said(control, "id"), _said(control, "actor")
    if issued is None:
        raise BadEvent("the command has no `issued_at` that is a time, so it may be of any age")
    until = _when(control.get("until"))
    if wish is Wish.FREEZE and (until is None or not issued < until <= issued + LONGEST_FREEZE):
        raise BadEvent(f"a freeze needs an `until` within {LONGEST_FREEZE.days} days of its issue")
    region = control.get("to") or control.get("region") or ""
    if wish in {Wish.FAILOVER, Wish.EVACUATE} and not region:
        raise BadEvent(f"a {wish} needs a region: `to` or `region`")
    return Command(
        id=identity,
        wish=wish,
        actor=actor,
        reason=_said(control, "reason"),
        issued_at=issued,
        region=str(region),
        until=until,
        now=control.get("now") is True,
        override=str(control.get("override") or ""),
        published=published,
    )


def _said(control: Json, name: str) -> str:
    """A text that must be there: a command without actor, reason or id is nobody's."""
    value = control.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadEvent(f"the command has no `{name}`")
    return _encodable(" ".join(value.split())[:256])


# --- small readers -------------------------------------------------------------------------------


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else NOTHING


def _text(labels: Json, name: str) -> str:
    value = labels.get(name)
    return value.strip().lower() if isinstance(value, str) else ""
