"""Dead lettering: a message that was pushed in vain too often goes to a topic of its own.

The forwarded message is a new one, with the data and attributes of the old one and four attributes
that say where it comes from, as Pub/Sub adds them. It must not decide when a message is dead: the
courier counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

FEWEST, MOST = 5, 100
"""The limits of Google Cloud for the number of delivery attempts."""

_PREFIX = "CloudPubSubDeadLetterSource"


class Destination(Protocol):
    """A topic, as far as dead letters are concerned."""

    def publish(
        self,
        body: object,
        message_id: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> object:
        """Publish bytes with attributes."""


@dataclass(frozen=True, slots=True)
class DeadLetterPolicy:
    """After `max_delivery_attempts` (5 to 100) in vain, a message is forwarded to `topic`."""

    topic: Destination
    max_delivery_attempts: int = FEWEST

    def __post_init__(self) -> None:
        if not FEWEST <= self.max_delivery_attempts <= MOST:
            given = self.max_delivery_attempts
            raise ValueError(f"max_delivery_attempts is {FEWEST} to {MOST}, not {given}")


def source_attributes(subscription: str, published: datetime, attempts: int) -> dict[str, str]:
    """The attributes that Pub/Sub adds; `subscription` is a full name."""
    _, project, _, name = subscription.split("/")
    return {
        f"{_PREFIX}DeliveryCount": str(attempts),
        f"{_PREFIX}Subscription": name,
        f"{_PREFIX}SubscriptionProject": project,
        f"{_PREFIX}TopicPublishTime": published.isoformat(timespec="milliseconds"),
    }
