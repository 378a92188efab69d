"""The courier of a topic: pushes each message to its subscriber until it is acknowledged.

At least once: again and again with the same message id, after a pause that grows; given up at the
subscription's limits, or forwarded as a dead letter. Every delivery goes its own way; at most
`AT_ONCE` pushes to one subscription are under way, so a subscriber that hangs holds up no other. It
must not choose what goes to whom, or in which order: that is the topic's part.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from orchestrator.local.process.loop_thread import LoopThread
from orchestrator.local.pubsub.dead_letters import source_attributes
from orchestrator.local.pubsub.push import Attempt, Delivery, PushedMessage, Subscription, push

AT_ONCE = 64


@dataclass(slots=True, eq=False)
class Parcel:
    """One message on its way to one subscription: it sets out `delay` seconds late."""

    message: PushedMessage
    subscription: Subscription
    delay: float = 0.0
    attempts: list[Attempt] = field(default_factory=list)
    outcome: Future[Delivery] = field(default_factory=Future)

    def settle(self) -> None:
        """Tell whoever waits what has become of it. Idempotent."""
        if not self.outcome.done():
            self.outcome.set_result(Delivery(self.message.message_id, tuple(self.attempts)))


class Courier:
    """Delivers parcels of the topic with the full name `topic`, in a thread of its own."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._thread = LoopThread("courier")
        self._session = self._thread.run(self._open())
        self._room: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        self._tasks: set[asyncio.Task[None]] = set()

    def carry(self, parcels: Iterable[Parcel]) -> None:
        """Deliver them, each on its own, without waiting."""
        for parcel in parcels:
            self._begin(self._deliver(parcel))

    def carry_in_turn(self, groups: Sequence[Sequence[Parcel]]) -> None:
        """Deliver a group only when all of the one before are acknowledged or given up."""
        self._begin(self._one_by_one(groups))

    def close(self) -> None:
        """Give up all deliveries, those under way too; the caller settles the parcels left over."""
        self._thread.run(self._end())
        self._thread.stop()

    async def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        def start() -> None:
            task = self._thread.loop.create_task(work)
            self._tasks.add(task)  # a loop alone does not keep its tasks alive
            task.add_done_callback(self._tasks.discard)

        self._thread.loop.call_soon_threadsafe(start)

    async def _end(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()

    async def _one_by_one(self, groups: Sequence[Sequence[Parcel]]) -> None:
        for group in groups:
            await asyncio.gather(*(self._deliver(parcel) for parcel in group))

    async def _deliver(self, parcel: Parcel) -> None:
        await asyncio.sleep(parcel.delay)
        end = time.monotonic() + parcel.subscription.deadline
        while not await self._attempt(parcel):
            pause = parcel.subscription.backoff(len(parcel.attempts))
            if _is_dead(parcel):
                _forward(parcel)
                break
            spent = len(parcel.attempts) >= parcel.subscription.max_attempts
            if spent or time.monotonic() + pause >= end:
                break
            await asyncio.sleep(pause)
        parcel.settle()

    async def _attempt(self, parcel: Parcel) -> bool:
        number = len(parcel.attempts) + 1
        async with self._room[parcel.subscription.name]:
            attempt = await push(
                self._session, parcel.message, parcel.subscription, self._topic, number
            )
        parcel.attempts.append(attempt)
        return attempt.acknowledged


def _is_dead(parcel: Parcel) -> bool:
    policy = parcel.subscription.dead_letters
    return policy is not None and len(parcel.attempts) >= policy.max_delivery_attempts


def _forward(parcel: Parcel) -> None:
    policy, message = parcel.subscription.dead_letters, parcel.message
    assert policy is not None  # it is dead by this policy
    attempts = len(parcel.attempts)
    source = source_attributes(parcel.subscription.path, message.published, attempts)
    policy.topic.publish(message.data, attributes={**message.attributes, **source})
