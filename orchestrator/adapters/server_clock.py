"""The time by a server's own `Date` header, going on with the monotonic clock between answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

STEP = timedelta(seconds=1)
"""`Date` has whole seconds, so a later answer may seem to be up to a second earlier."""


class ServerClock:
    """Remembers the `Date` of the last answer. monotonic: in seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._heard: tuple[datetime, float] | None = None

    def hear(self, date: str | None) -> None:
        """Take note of an answer's `Date`; one that cannot be read says nothing."""
        try:
            told = parsedate_to_datetime(date or "").astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            return
        known = self.now()
        if known is None or not timedelta(0) <= known - told <= STEP:
            self._heard = told, self._monotonic()

    def now(self) -> datetime | None:
        """The server's time now, to about a second; None before the first answer."""
        if self._heard is None:
            return None
        told, at = self._heard
        return told + timedelta(seconds=self._monotonic() - at)
