"""One push of a Pub/Sub message: what is sent to a subscriber, and what its answer means.

The form is either what a push subscription posts, or the CloudEvent (binary mode) that Eventarc
makes of it. When and how often something is pushed is the courier's part. This module must not
interpret what it pushes.
"""

import asyncio
import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import aiohttp

from orchestrator.local.pubsub.dead_letters import DeadLetterPolicy

PROJECT = "laptop"
ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})
"""The statuses that acknowledge a pushed message, and no others, by Pub/Sub's documentation."""


class Form(StrEnum):
    """How a message is put into an HTTP request."""

    PUSH = "push"
    CLOUD_EVENT = "cloud-event"


@dataclass(frozen=True, slots=True)
class PushedMessage:
    """One published message. Its id and time are the same in every delivery of it."""

    message_id: str
    data: bytes
    published: datetime
    attributes: Mapping[str, str] = field(default_factory=dict)
    ordering_key: str = ""

    def json(self) -> Any:
        """The data read as JSON. Raises ValueError if it is not."""
        return json.loads(self.data)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery attempt: when (monotonic seconds), how long, and the status or the error."""

    started: float
    seconds: float
    status: int | None
    error: str | None = None

    @property
    def acknowledged(self) -> bool:
        """True for an answer that acknowledges."""
        return self.status in ACKNOWLEDGED


@dataclass(frozen=True, slots=True)
class Delivery:
    """All attempts to deliver one message to one subscription, the last of them the verdict."""

    message_id: str
    attempts: tuple[Attempt, ...]

    @property
    def acknowledged(self) -> bool:
        """True if the last attempt was acknowledged; False if delivery was given up."""
        return bool(self.attempts) and self.attempts[-1].acknowledged


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where and how persistently a topic's messages are pushed.

    `ack_deadline`: seconds an attempt may take. Between attempts `min_backoff` seconds, doubled
    each time up to `max_backoff` (on Google Cloud 10 s and 600 s; here a hundredth). Delivery is
    given up after `max_attempts`, or `deadline` seconds after its start, or the message goes to the
    topic of `dead_letters` after the attempts that it allows.
    """

    name: str
    url: str
    form: Form = Form.PUSH
    ack_deadline: float = 10.0
    min_backoff: float = 0.1
    max_backoff: float = 6.0
    max_attempts: int = 1000
    deadline: float = 60.0
    dead_letters: DeadLetterPolicy | None = None

    @property
    def path(self) -> str:
        """The subscription's full name."""
        return f"projects/{PROJECT}/subscriptions/{self.name}"

    def backoff(self, attempt: int) -> float:
        """Seconds to wait after attempt number `attempt` (from 1)."""
        return float(min(self.max_backoff, self.min_backoff * 2.0 ** min(attempt - 1, 30)))


def envelope(
    message: PushedMessage, subscription: Subscription, attempt: int = 1
) -> dict[str, object]:
    """The JSON of a push request, with both spellings of id and time, as Pub/Sub sends it.

    The number of the attempt is told where dead letters are counted, and only there.
    """
    published = _time(message.published)
    inner: dict[str, object] = {
        "data": base64.b64encode(message.data).decode(),
        "messageId": message.message_id,
        "message_id": message.message_id,
        "publishTime": published,
        "publish_time": published,
        "attributes": dict(message.attributes),
    }
    if message.ordering_key:
        inner["orderingKey"] = message.ordering_key
    counted = {"deliveryAttempt": attempt} if subscription.dead_letters else {}
    return {"message": inner, "subscription": subscription.path, **counted}


def headers(message: PushedMessage, subscription: Subscription, topic: str) -> dict[str, str]:
    """The request's headers; with `Form.CLOUD_EVENT` they carry the event's attributes."""
    plain = {"Content-Type": "application/json", "User-Agent": "APIs-Google"}
    if subscription.form is Form.PUSH:
        return plain
    return plain | {
        "ce-id": message.message_id,
        "ce-source": f"//pubsub.googleapis.com/{topic}",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-specversion": "1.0",
        "ce-time": _time(message.published),
    }


async def push(
    session: aiohttp.ClientSession,
    message: PushedMessage,
    subscription: Subscription,
    topic: str,
    number: int,
) -> Attempt:
    """Attempt number `number` (from 1) to push a message of `topic`, which is a full name."""
    started = time.monotonic()
    status, error = None, None
    body = json.dumps(envelope(message, subscription, number)).encode()
    sent = headers(message, subscription, topic)
    try:
        async with (
            asyncio.timeout(subscription.ack_deadline),  # for the whole of it, not for each wait
            session.post(
                subscription.url, data=body, headers=sent, allow_redirects=False
            ) as answer,
        ):
            await answer.read()
            status = answer.status
    except TimeoutError:
        error = "timeout"
    except aiohttp.ClientConnectorError as problem:
        error = type(problem.os_error).__name__
    except (OSError, aiohttp.ClientError) as problem:
        error = type(problem).__name__
    return Attempt(started, time.monotonic() - started, status, error)


def utc_now() -> datetime:
    """The time of publication of a message that is published now."""
    return datetime.now(UTC)


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
