"""AWS credentials that are refreshed beside the requests that use them."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError

from orchestrator.aws_identity.fetch import METHOD, Fetch

_LOG = logging.getLogger(__name__)

DUE = timedelta(minutes=15)
"""How much life is left when credentials are fetched again. A role's own live for an hour."""

PAUSE = timedelta(seconds=15)
"""How long after a failure the next try comes at the earliest."""

_FIRST_PAUSE = 1.0
"""Seconds for which a first failure answers everybody who asks."""


class OffPath(Credentials):
    """Credentials that never make their user wait, once there are any.

    `refresh_if_due` is called by a background thread, every few seconds. Should nobody have called
    it before the first use, that use fetches. Credentials that could not be refreshed in time are
    handed out all the same: AWS is the one to say that they have expired.
    """

    def __init__(self, fetch: Fetch) -> None:  # the base's fields are properties here
        self.method = METHOD
        self._fetch = fetch
        self._held: _Held | None = None
        self._mutex = (os.getpid(), threading.Lock())
        self._retry_at: datetime | None = None
        self._failed: tuple[float, CredentialRetrievalError] | None = None
        self._trouble = ""

    # --- what boto3 asks

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """What is held, at once. Raises CredentialRetrievalError if there never was any."""
        return (self._held or self._first()).frozen

    # As botocore's own refreshable credentials do: fields of the base that are read only here.

    @property
    def access_key(self) -> str:  # type: ignore[override]  # see above
        """Of what is held."""
        return self.get_frozen_credentials().access_key or ""

    @property
    def secret_key(self) -> str:  # type: ignore[override]  # see above
        """Of what is held."""
        return self.get_frozen_credentials().secret_key or ""

    @property
    def token(self) -> str | None:  # type: ignore[override]  # see above
        """Of what is held."""
        return self.get_frozen_credentials().token

    @property
    def account_id(self) -> str | None:
        """Of what is held."""
        return self.get_frozen_credentials().account_id

    # --- what keeps them

    @property
    def expires(self) -> datetime | None:
        """When what is held expires, None while there is nothing."""
        return self._held.expires if self._held else None

    def refresh_if_due(self, now: datetime) -> None:
        """Fetch again if less than 15 minutes of life are left. Logs what fails, raises nothing.

        now: aware. Returns at once when another thread is at it, or a try has just failed.
        """
        lock = self._lock()
        if not self._is_due(now) or not lock.acquire(blocking=False):
            return
        try:
            if self._is_due(now):
                self._refresh(now)
        finally:
            lock.release()

    def _is_due(self, now: datetime) -> bool:
        if self._held is not None and self._held.expires - now > DUE:
            return False
        return self._retry_at is None or now >= self._retry_at

    def _refresh(self, now: datetime) -> None:
        try:
            self._held = _Held.of(self._fetch())
        except Exception as error:  # noqa: BLE001  # the background thread must outlive every fault
            self._retry_at = now + PAUSE
            self._tell(f"{type(error).__name__}: {error}", now)
            return
        self._retry_at = None
        if self._trouble:
            _LOG.info("AWS credentials were refreshed again")
        self._trouble = ""

    def _tell(self, what: str, now: datetime) -> None:
        """Say it once when refreshing begins to fail, differs in how, or has become grave."""
        left = self._held.expires - now if self._held else timedelta(0)
        is_grave = left <= timedelta(0)
        if self._trouble == f"{is_grave} {what}":
            return
        self._trouble = f"{is_grave} {what}"
        if is_grave:
            _LOG.error("there are no valid AWS credentials: %s", what)
        else:
            minutes = left / timedelta(minutes=1)
            _LOG.warning("AWS credentials, %.0f min left, not refreshed yet: %s", minutes, what)

    def _first(self) -> _Held:
        """Fetch, once for all who wait; a failure answers those who come a moment later, too."""
        with self._lock():
            if self._held is not None:
                return self._held
            if self._failed and time.monotonic() - self._failed[0] < _FIRST_PAUSE:
                raise self._failed[1]
            try:
                self._held = _Held.of(self._fetch())
            except CredentialRetrievalError as error:
                self._failed = (time.monotonic(), error)
                raise
            return self._held

    def _lock(self) -> threading.Lock:
        """The lock of this process: after a fork another thread's may never be released."""
        pid, lock = self._mutex
        if pid != os.getpid():
            lock = threading.Lock()
            self._mutex = (os.getpid(), lock)
        return lock


@dataclass(frozen=True, slots=True)
class _Held:
    """Credentials and when they expire, replaced as one."""

    frozen: ReadOnlyCredentials
    expires: datetime

    @classmethod
    def of(cls, found: Mapping[str, str]) -> _Held:
        frozen = ReadOnlyCredentials(
            found["access_key"], found["secret_key"], found["token"], found.get("account_id")
        )
        return cls(frozen, datetime.fromisoformat(found["expiry_time"]))
