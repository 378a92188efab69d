"""Pub/Sub push delivery: at least once, again with the same message id until a 2xx answer.

A `Topic` has push subscriptions; each published message goes to all of them, to each on its own,
concurrently and in no order, as with Pub/Sub. The form is either what a push subscription posts, or
the CloudEvent (binary mode) that Eventarc makes of it. It must not interpret what it delivers.
"""

import base64
import http.client
import itertools
import json
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Self

from orchestrator.local.ask import ask
from orchestrator.local.http_status import SUCCESS

PROJECT = "laptop"


class Form(StrEnum):
    """How a message is put into an HTTP request."""

    PUSH = "push"
    CLOUD_EVENT = "cloud-event"


@dataclass(frozen=True, slots=True)
class Message:
    """One published message. Its id and time are the same in every delivery of it."""

    message_id: str
    data: bytes
    published: datetime
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery attempt: when (monotonic seconds), how long, and the status or the error."""

    started: float
    seconds: float
    status: int | None
    error: str | None = None

    @property
    def acknowledged(self) -> bool:
        """True for a 2xx answer."""
        return self.status is not None and self.status in SUCCESS


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
    given up after `max_attempts`, or `deadline` seconds after its start.
    """

    name: str
    url: str
    form: Form = Form.PUSH
    ack_deadline: float = 10.0
    min_backoff: float = 0.1
    max_backoff: float = 6.0
    max_attempts: int = 1000
    deadline: float = 60.0

    @property
    def path(self) -> str:
        """The subscription's full name."""
        return f"projects/{PROJECT}/subscriptions/{self.name}"

    def backoff(self, attempt: int) -> float:
        """Seconds to wait after attempt number `attempt` (from 1)."""
        return float(min(self.max_backoff, self.min_backoff * 2.0 ** min(attempt - 1, 30)))


class Topic:
    """A topic with its push subscriptions. A context manager; leaving it gives up what is pending.

    `workers`: how many deliveries can be under way at once.
    """

    def __init__(self, name: str, *subscriptions: Subscription, workers: int = 64) -> None:
        self.path = f"projects/{PROJECT}/topics/{name}"
        self.subscriptions = subscriptions
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=f"push-{name}")
        self._closing = threading.Event()
        self._ids = itertools.count(time.time_ns() // 1_000_000)

    def message(
        self,
        body: object,
        message_id: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> Message:
        """A message with `body` as it is if bytes, else as JSON, and a new id if none is given."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Message(
            message_id or str(next(self._ids)), data, datetime.now(UTC), attributes or {}
        )

    def publish(
        self,
        body: object,
        message_id: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> tuple[Future[Delivery], ...]:
        """Deliver `body` to every subscription; the futures are in the order of these."""
        message = self.message(body, message_id, attributes)
        return tuple(self.send(message, subscription) for subscription in self.subscriptions)

    def send(self, message: Message, subscription: Subscription) -> Future[Delivery]:
        """Deliver one message to one subscription, without waiting for it."""
        return self._pool.submit(self._deliver, message, subscription)

    def close(self) -> None:
        """Start no new attempt and wait for those under way."""
        self._closing.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _deliver(self, message: Message, subscription: Subscription) -> Delivery:
        end = time.monotonic() + subscription.deadline
        attempts: list[Attempt] = []
        while not self._closing.is_set():
            attempts.append(_attempt(message, subscription, self.path))
            pause = subscription.backoff(len(attempts))
            done = attempts[-1].acknowledged or len(attempts) >= subscription.max_attempts
            if done or time.monotonic() + pause >= end or self._closing.wait(pause):
                break
        return Delivery(message.message_id, tuple(attempts))


def envelope(message: Message, subscription: Subscription) -> dict[str, object]:
    """The JSON of a push request, with both spellings of id and time, as Pub/Sub sends it."""
    published = message.published.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    inner = {
        "data": base64.b64encode(message.data).decode(),
        "messageId": message.message_id,
        "message_id": message.message_id,
        "publishTime": published,
        "publish_time": published,
        "attributes": dict(message.attributes),
    }
    return {"message": inner, "subscription": subscription.path}


def headers(message: Message, subscription: Subscription, topic: str) -> dict[str, str]:
    """The request's headers; with `Form.CLOUD_EVENT` they carry the event's attributes."""
    plain = {"Content-Type": "application/json", "User-Agent": "APIs-Google"}
    if subscription.form is Form.PUSH:
        return plain
    return plain | {
        "ce-id": message.message_id,
        "ce-source": f"//pubsub.googleapis.com/{topic}",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-specversion": "1.0",
        "ce-time": message.published.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def _attempt(message: Message, subscription: Subscription, topic: str) -> Attempt:
    started = time.monotonic()
    status, error = None, None
    try:
        body = json.dumps(envelope(message, subscription)).encode()
        sent = headers(message, subscription, topic)
        status = ask(subscription.url, "POST", body, sent, subscription.ack_deadline).status
    except TimeoutError:
        error = "timeout"
    except (OSError, http.client.HTTPException) as problem:
        error = type(problem).__name__
    return Attempt(started, time.monotonic() - started, status, error)
