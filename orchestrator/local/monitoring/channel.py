"""The notification channel between an alert policy and whoever takes its notifications.

Publishes one notification after the other, off the loop of the checks, and loses, doubles or delays
one on demand. It must not look into a notification.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one notification on its way: `copies` of it are published after `delay`."""

    copies: int = 1
    delay: float = 0.0


class Channel:
    """The notification channel: publishes one after the other, off the loop of the checks."""

    def __init__(self, publish: Callable[[dict[str, object]], object]) -> None:
        self._publish = publish
        self._fates: deque[Fate] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._publications: list[Future[object]] = []

    def expect(self, fate: Fate) -> None:
        self._fates.append(fate)

    def start(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="notifications")

    def stop(self) -> None:
        """Publish nothing more; raises what `publish` raised first."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        publications, self._publications = self._publications, []
        for publication in publications:
            if not publication.cancelled():
                publication.result()

    def notify(self, notification: dict[str, object]) -> None:
        """Let its fate befall a notification; called on a running loop, and never waits."""
        fate = self._fates.popleft() if self._fates else Fate()
        for _ in range(fate.copies):
            if fate.delay:
                asyncio.get_running_loop().call_later(fate.delay, self._send, notification)
            else:
                self._send(notification)

    def _send(self, notification: dict[str, object]) -> None:
        assert self._pool is not None  # it lives longer than the loop that this runs on
        self._publications.append(self._pool.submit(self._publish, notification))
