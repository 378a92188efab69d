"""A Pub/Sub topic with its push subscriptions: keeps what is published and hands it to the courier.

Each message goes to every subscription, to each on its own, concurrently and in no order, as with
Pub/Sub. What Pub/Sub does now and then, it does here on demand and only then: `befall` delays a
message, delivers it twice or doubles it as its publisher; `hold` and `release` give an order. It
must not know what is in a message, nor how it is delivered.
"""

import itertools
import json
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from orchestrator.local.pubsub.courier import Courier, Parcel
from orchestrator.local.pubsub.push import PROJECT, Delivery, PushedMessage, Subscription, utc_now

_IDS = itertools.count(time.time_ns() // 1_000_000)  # of all topics: a dead letter's is new too


@dataclass(frozen=True, slots=True)
class Mishap:
    """What befalls one message.

    Its publisher publishes it `copies` times (from 1), and each copy has an id of its own; every
    copy is delivered `deliveries` times, with one id, to each subscription, and sets out `delay`
    seconds late.
    """

    copies: int = 1
    deliveries: int = 1
    delay: float = 0.0


class PushTopic:
    """A topic with its push subscriptions. A context manager; leaving it gives up what pends."""

    def __init__(self, name: str, *subscriptions: Subscription, project: str = PROJECT) -> None:
        self.path = f"projects/{project}/topics/{name}"
        self.subscriptions = subscriptions
        self._lock = threading.RLock()  # for all below
        self._messages: list[PushedMessage] = []
        self._mishaps: deque[Mishap] = deque()
        self._held: list[list[Parcel]] | None = None
        self._parcels: list[Parcel] = []
        self._courier: Courier | None = None
        self._closed = False

    @property
    def messages(self) -> tuple[PushedMessage, ...]:
        """All that was published, in the order of publication."""
        with self._lock:
            return tuple(self._messages)

    def message(
        self,
        body: object,
        message_id: str | None = None,
        attributes: Mapping[str, str] | None = None,
        ordering_key: str = "",
    ) -> PushedMessage:
        """A message with `body` as it is if bytes, else as JSON, and a new id if none is given."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = message_id or str(next(_IDS))
        return PushedMessage(given, data, utc_now(), attributes or {}, ordering_key)

    def publish(
        self,
        body: object,
        message_id: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> tuple[Future[Delivery], ...]:
        """Publish `body`; there is a future for every delivery, in the order of subscriptions."""
        return self.accept(self.message(body, message_id, attributes))

    def accept(self, message: PushedMessage) -> tuple[Future[Delivery], ...]:
        """Publish a message that was made by `message`, with the mishap that is due."""
        with self._lock:
            mishap = self._mishaps.popleft() if self._mishaps else Mishap()
            copies = [message, *(self._copy(message) for _ in range(mishap.copies - 1))]
            self._messages += copies
            groups = [self._parcels_of(copy, mishap) for copy in copies]
            return tuple(future for group in groups for future in self._send(group))

    def send(self, message: PushedMessage, subscription: Subscription) -> Future[Delivery]:
        """Deliver one message to one subscription, without waiting and without publishing it."""
        with self._lock:
            (future,) = self._send([Parcel(message, subscription)])
            return future

    def befall(self, *mishaps: Mishap) -> None:
        """Let these befall the next messages to be published, one each."""
        with self._lock:
            self._mishaps.extend(mishaps)

    def hold(self) -> None:
        """Keep back what comes from now on; it is published, and not delivered."""
        with self._lock:
            self._held = self._held or []

    def release(self, order: Sequence[int] | None = None) -> None:
        """Deliver what was kept back, one message after the other.

        `order` names them by the order in which they came (from 0), and each once: (1, 0) swaps
        two. The next one sets out when the one before is acknowledged or given up everywhere.
        """
        with self._lock:
            held = self._held or []
            given = range(len(held)) if order is None else order
            if sorted(given) != list(range(len(held))):
                raise ValueError(f"{given} does not name each of {len(held)} messages once")
            self._held = None
            if held:
                self._carrier().carry_in_turn([held[index] for index in given])

    def close(self) -> None:
        """Give up all deliveries; their futures tell what was attempted. Idempotent."""
        with self._lock:
            self._closed, self._held = True, None
            courier, self._courier = self._courier, None
        if courier is not None:
            courier.close()  # not under the lock: a dead letter on its way may need it
        for parcel in self._parcels:
            parcel.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _copy(self, message: PushedMessage) -> PushedMessage:
        return replace(message, message_id=str(next(_IDS)))

    def _parcels_of(self, message: PushedMessage, mishap: Mishap) -> list[Parcel]:
        return [
            Parcel(message, subscription, mishap.delay)
            for _ in range(mishap.deliveries)
            for subscription in self.subscriptions
        ]

    def _send(self, parcels: Iterable[Parcel]) -> tuple[Future[Delivery], ...]:
        group = list(parcels)
        if self._closed:
            raise RuntimeError(f"{self.path} is closed")
        self._parcels += group
        if self._held is not None:
            self._held.append(group)
        elif group:
            self._carrier().carry(group)
        return tuple(parcel.outcome for parcel in group)

    def _carrier(self) -> Courier:
        self._courier = self._courier or Courier(self.path)  # a topic nobody listens to needs none
        return self._courier
