"""Pull subscriptions: whoever asks gets a topic's messages, again and again until acknowledged.

What is handed out is leased for the acknowledgement deadline and then handed out anew. A pull
answers at once, with nothing where there is nothing. It must not push: a topic's push subscriptions
are not known here.
"""

import itertools
import re
import threading
import time
from dataclasses import dataclass

from orchestrator.local.pubsub.pubsub import Code, Pubsub, Refused
from orchestrator.local.pubsub.push import PushedMessage
from orchestrator.local.pubsub.push_topic import PushTopic

SHORTEST, LONGEST = 10, 600
"""Seconds of an acknowledgement deadline."""

_NAME = re.compile(r"projects/[^/]+/subscriptions/((?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254})")


@dataclass(slots=True)
class _Lease:
    message: PushedMessage
    until: float  # monotonic seconds


class PullSubscription:
    """Hands out what is published to `topic` from now on."""

    def __init__(self, path: str, topic: PushTopic, ack_deadline: int) -> None:
        self.path, self.topic, self.ack_deadline = path, topic, ack_deadline
        self._lock = threading.Lock()
        self._next = len(topic.messages)
        self._leases: dict[str, _Lease] = {}
        self._ids = itertools.count(1)

    def pull(self, most: int) -> list[tuple[str, PushedMessage]]:
        """Up to `most` messages, those whose lease has run out first, each with its lease's id."""
        if most < 1:
            raise Refused(Code.INVALID_ARGUMENT, "max_messages must be greater than 0")
        with self._lock:
            now = time.monotonic()
            late = [ack_id for ack_id, lease in self._leases.items() if lease.until <= now][:most]
            again = [self._leases.pop(ack_id).message for ack_id in late]
            new = self.topic.messages[self._next : self._next + most - len(again)]
            self._next += len(new)
            return [(self._lease(message, now), message) for message in (*again, *new)]

    def acknowledge(self, ack_id: str) -> None:
        """Hand its message out no more; a lease that has been given up is ignored."""
        with self._lock:
            self._leases.pop(ack_id, None)

    def extend(self, ack_id: str, seconds: int) -> None:
        """Let a lease end in so many seconds from now; with 0 its message is free at once."""
        with self._lock:
            if ack_id in self._leases:
                self._leases[ack_id].until = time.monotonic() + seconds

    def _lease(self, message: PushedMessage, now: float) -> str:
        ack_id = f"{message.message_id}-{next(self._ids)}"
        self._leases[ack_id] = _Lease(message, now + self.ack_deadline)
        return ack_id


class PullSubscriptions:
    """The pull subscriptions to the topics of `pubsub`, by their full names."""

    def __init__(self, pubsub: Pubsub) -> None:
        self._pubsub = pubsub
        self._lock = threading.Lock()
        self._found: dict[str, PullSubscription] = {}

    def create(self, path: str, topic: str, ack_deadline: int) -> PullSubscription:
        """A new subscription; a deadline of 0 is the default of 10 seconds."""
        name = _parsed(path)
        if ack_deadline and not SHORTEST <= ack_deadline <= LONGEST:
            sentence = f"An acknowledgement deadline is {SHORTEST} to {LONGEST} seconds."
            raise Refused(Code.INVALID_ARGUMENT, sentence)
        made = PullSubscription(path, self._pubsub.get(topic), ack_deadline or SHORTEST)
        with self._lock:
            if path in self._found:
                raise Refused(Code.ALREADY_EXISTS, f"Resource already exists (resource={name}).")
            return self._found.setdefault(path, made)

    def get(self, path: str) -> PullSubscription:
        """The subscription of this full name."""
        name = _parsed(path)
        with self._lock:
            if path not in self._found:
                raise Refused(Code.NOT_FOUND, f"Resource not found (resource={name}).")
            return self._found[path]

    def delete(self, path: str) -> None:
        """Forget a subscription with all that it has not handed out."""
        self.get(path)
        with self._lock:
            self._found.pop(path, None)


def _parsed(path: str) -> str:
    found = _NAME.fullmatch(path)
    if found is None:
        raise Refused(Code.INVALID_ARGUMENT, f"Invalid [subscriptions] name: (name={path})")
    return found[1]
