"""From bytes to signals: the Pub/Sub envelope, then Cloud Monitoring's notification.

Pure. Knows three envelopes (a Pub/Sub push, a CloudEvent in binary and in structured form) and
notifications of version 1.x. Every field of a notification is taken to be optional and possibly of
another type than documented. What can never be read is a `BadEvent`; what is not for us, or only a
test of the channel, is `Ignored`. An unknown region is refused, never added.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.core.exceptions import BadEvent, Unknown
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
from orchestrator.core.outside.ids import plain_id
from orchestrator.core.outside.limits import DEEPEST, TEXT, TOLD
from orchestrator.core.outside.reading import read_json
from orchestrator.core.outside.shown import one_line, quoted, short
from orchestrator.core.policy import Service
from orchestrator.core.rules import LONGEST_FREEZE
from orchestrator.intake.matching import Foreign, Match, Note, match

MAX_BYTES = 1024 * 1024
"""Largest notification that is read. Pub/Sub allows 10 MB; a real one has a few KB."""

MAX_ENVELOPE = 16 * MAX_BYTES
"""Largest envelope that the subscription's name is looked for in: Pub/Sub's 10 MB in base64."""

MAX_DEPTH = DEEPEST
"""Deepest nesting that is read. A real notification has five levels."""

LONGEST_TIME = 64
"""Characters of a time; ISO 8601 takes 35 at most."""

LONGEST_WORD = 128
"""Characters of a name or word; the names of regions, services and rules have at most 63."""

YEARS = (1970, 2200)
"""Times outside of these years are none."""

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
    """A signal and the service it is for. note: what people should know of how it was taken."""

    service: str
    signal: Signal
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A well-formed message that asks nothing of us.

    stranger: it names a service that this configuration does not have, and a newer one may.
    """

    reason: str
    stranger: bool = False


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
        raise BadEvent(_no_message(outer))
    identity = message.get("messageId") or message.get("message_id") or ""
    published = message.get("publishTime") or message.get("publish_time")
    return Message(_data(message.get("data")), _identity(identity), _when(published) or now)


def _identity(value: object) -> str:
    """The message's id, which only tells one message from another."""
    return short(value, TEXT) if isinstance(value, str) else quoted(value)


def subscription_of(body: object) -> str:
    """The subscription that an envelope says it comes from; empty where it says none.

    For an envelope in any of the forms that `unwrap` takes, and also around a message that is too
    large to be read. Raises nothing.
    """
    try:
        outer = _object(_peeked(body))
        if "specversion" in outer:
            outer = _structured(outer)
    except (BadEvent, ValueError, RecursionError):
        return ""
    subscription = outer.get("subscription")
    return subscription if isinstance(subscription, str) else ""


def _peeked(body: object) -> object:
    if not isinstance(body, bytes | str):
        return body
    return read_json(body, MAX_ENVELOPE)


def _no_message(outer: Json) -> str:
    """Why there is no message, and which setting is wrong if that is known."""
    if "incident" in outer or "version" in outer:
        return (
            "the body is the notification itself, without the Pub/Sub envelope. Either the push"
            " subscription has payload unwrapping on (--push-no-wrapper). Set it again without"
            " that flag: `gcloud pubsub subscriptions modify-push-config SUBSCRIPTION"
            " --push-endpoint=URL"
            " --push-auth-service-account=EMAIL`. Or the alert policy has a webhook channel to this"
            " URL: give it a Pub/Sub channel to the alerts topic instead. Until then every alert"
            " that comes this way is dropped, and no failover follows from it"
        )
    if "kind" in outer:
        return (
            "the body is the control message itself, without the Pub/Sub envelope: the push"
            " subscription has payload unwrapping on (--push-no-wrapper). Set it again without that"
            " flag: `gcloud pubsub subscriptions modify-push-config SUBSCRIPTION"
            " --push-endpoint=URL"
            " --push-auth-service-account=EMAIL`. Until then no tick and no command is handled"
        )
    return "the body has no `message` object: it is not a Pub/Sub message"


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
    """The bytes: base64 in either alphabet, with its padding or without."""
    plain = text.strip().rstrip("=") if isinstance(text, str) else ""
    if not plain:
        raise BadEvent("the message has no data")
    plain = plain.replace("-", "+").replace("_", "/")
    try:
        data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadEvent(f"the message's data is not base64: {error}") from error
    if len(data) > MAX_BYTES:
        raise BadEvent(f"the message has {len(data)} bytes, more than {MAX_BYTES}")
    return data


def _load(text: bytes | str, what: str, limit: int) -> object:
    if len(text) > limit:
        raise BadEvent(f"the {what} has {len(text)} bytes, more than {limit}")
    try:
        return read_json(text, limit)
    except ValueError as error:
        raise BadEvent(f"the {what} is not JSON: {short(str(error), TOLD)}") from error


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
    version = "1" if given is None else _word(given)
    if version == "test":
        return Ignored("a test of the notification channel")
    if version.split(".")[0] != "1":
        raise BadEvent(f"notification version {quoted(given)} is not known; 1.x is")
    incident = notification.get("incident")
    if not isinstance(incident, dict):
        raise BadEvent("the notification has no `incident` object")
    opened = _opened(incident.get("state"))
    matched = match(incident, services)
    if isinstance(matched, Foreign):
        return Ignored(
            f"it is for service {quoted(matched.service)}, which is not ours", stranger=True
        )
    started = _when(incident.get("started_at"))
    key = _incident_id(incident, started, message)
    began = min(started or message.published, message.published)
    ended = _when(incident.get("ended_at")) or message.published

    def signal(one: Match) -> AlertOpened | AlertClosed:
        if opened:
            return AlertOpened(key, one.region, began, one.doubt)
        return AlertClosed(key, one.region, began, max(began, ended))

    return tuple(Addressed(one.service, signal(one), one.note) for one in matched)


def _opened(state: object) -> bool:
    """Whether the incident is open. Acknowledged it still is: somebody has seen it."""
    match _word(state):
        case "open" | "acknowledged":
            return True
        case "closed":
            return False
    raise BadEvent(f"incident.state is {quoted(state)}; it must be open, acknowledged or closed")


def _incident_id(incident: Json, started: datetime | None, message: Message) -> str:
    """Its id; without one, what an open and its close have in common; else the message's own."""
    given = incident.get("incident_id")
    if isinstance(given, str | int) and not isinstance(given, bool) and str(given).strip():
        return plain_id(str(given).strip())
    host = _text(_object(_object(incident.get("resource")).get("labels")), "host")
    labels = sorted(_object(incident.get("policy_user_labels")).items())
    parts = [str(incident.get("policy_name")), str(incident.get("condition_name")), host]
    parts.append(str(labels))
    parts.append(started.isoformat() if started else f"{message.id} {message.published}")
    text = "\n".join(parts).encode("utf-8", "replace")  # JSON may carry lone surrogates
    return "derived-" + hashlib.sha256(text).hexdigest()[:16]


def _when(value: object) -> datetime | None:
    """A time from epoch seconds or milliseconds, as number or text, or ISO 8601; else None."""
    if isinstance(value, bool) or value in (None, "", 0, "0"):
        return None
    if not isinstance(value, str | int | float) or len(text := str(value)) > LONGEST_TIME:
        return None
    try:
        number = float(text)
    except ValueError:
        return _iso(text)
    try:
        seconds = number / 1000 if number >= _MILLISECONDS else number
        return _believed(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return None


def _believed(at: datetime) -> datetime | None:
    """The time, unless it lies where no clock is: sums with it would leave the calendar."""
    return at if YEARS[0] <= at.year < YEARS[1] else None


def _iso(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return _believed(at.astimezone(UTC)) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None


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
    raise BadEvent(f"control message of kind {quoted(kind)} is not known; tick and command are")


def _commands(
    control: Json, services: Mapping[str, Service], published: datetime
) -> tuple[Addressed, ...]:
    named = _service_named(control, services)
    command = _command(control, published)
    addressees = [name for name in named or services if _has_region(services[name], command)]
    if not addressees:
        raise Unknown(f"command for region {quoted(command.region)}, which no service has")
    if not named and command.wish in {Wish.FAILOVER, Wish.FAILBACK}:
        raise BadEvent(f"a {command.wish} is for one service: name it")
    return tuple(Addressed(name, command) for name in addressees)


def _service_named(control: Json, services: Mapping[str, Service]) -> tuple[str, ...]:
    """The service that a command is for; none where it names none."""
    named = control.get("service")
    if named is None:
        return ()
    if not isinstance(named, str) or named not in services:
        raise Unknown(f"command for service {quoted(named)}; configured: {', '.join(services)}")
    return (named,)


def _has_region(service: Service, command: Command) -> bool:
    """Whether the command concerns the service: it has the region, or none is named."""
    return not command.region or command.region in service.names


def _command(control: Json, published: datetime) -> Command:
    try:
        wish = Wish(_name(control.get("verb")))
    except ValueError as error:
        verbs = ", ".join(Wish)
        raise BadEvent(
            f"command verb {quoted(control.get('verb'))} is not known: {verbs}"
        ) from error
    issued = _when(control.get("issued_at"))
    _said(control, "id")  # it must be there
    identity, actor = plain_id(str(control["id"]).strip()), _said(control, "actor")
    if issued is None:
        raise BadEvent("the command has no `issued_at` that is a time, so it may be of any age")
    until = _when(control.get("until"))
    if wish is Wish.FREEZE and (until is None or not issued < until <= issued + LONGEST_FREEZE):
        raise BadEvent(f"a freeze needs an `until` within {LONGEST_FREEZE.days} days of its issue")
    region = _name(control.get("to") or control.get("region"))
    if wish in {Wish.FAILOVER, Wish.EVACUATE} and not region:
        raise BadEvent(f"a {wish} needs a region: `to` or `region`")
    return Command(
        id=identity,
        wish=wish,
        actor=actor,
        reason=_said(control, "reason"),
        issued_at=issued,
        region=region,
        until=until,
        now=control.get("now") is True,
        override=_name(control.get("override")),
        published=published,
    )


def _said(control: Json, name: str) -> str:
    """A text that must be there: a command without actor, reason or id is nobody's."""
    value = control.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadEvent(f"the command has no `{name}`")
    return one_line(value, TEXT)


# --- small readers -------------------------------------------------------------------------------


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else NOTHING


def _text(labels: Json, name: str) -> str:
    value = labels.get(name)
    return value.strip().lower() if isinstance(value, str) else ""


def _word(value: object) -> str:
    """A word in lower case; of anything that is no text or number, nothing that is known."""
    text = value if isinstance(value, str) else quoted(value)
    return text[:LONGEST_WORD].strip().lower()


def _name(value: object) -> str:
    """A name of ours that was given, or what it is instead; empty for none."""
    if isinstance(value, str):
        return one_line(value, LONGEST_WORD)
    return quoted(value) if value else ""
