"""Our own look at health URLs: the second, independent signal.

All regions are asked at once. Each gets `attempts` tries that start evenly spread over the timeout,
so the second of two starts at half of it; the whole round ends at the timeout. Any HTTP answer is
an answer and ends the region's tries: 2xx is healthy, 5xx failing, anything else (wrong path, IAM,
rate limit, a redirect, which is never followed) says nothing. No answer is failing.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import urllib3
from urllib3 import exceptions as http

from orchestrator.core.model import Probe, Verdict
from orchestrator.core.policy import Region

WORKERS = 64
"""Tries that may be under way at once in one process."""


@dataclass(slots=True)
class _Asked:
    """One region's probe under way."""

    url: str
    answered: threading.Event = field(default_factory=threading.Event)
    answer: Probe | None = None
    failure: Probe = field(default_factory=lambda: Probe(Verdict.FAILING, "timeout"))


class HttpProber:
    """Implements `orchestrator.ports.Prober`.

    timeout: seconds for the whole round. token: gives an identity token for a URL's origin, or None
    to send none.
    """

    def __init__(
        self, timeout: float, attempts: int, token: Callable[[str], str] | None = None
    ) -> None:
        self._timeout = timeout
        self._attempts = attempts
        self._token = token
        self._executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="probe")

    def probe(self, regions: Iterable[Region]) -> Mapping[str, Probe]:
        """One answer for each region. Takes no longer than the timeout, and never raises."""
        regions = tuple(regions)
        asked = {r.name: _Asked(r.health_url) for r in regions if r.health_url}
        until = time.monotonic() + self._timeout
        with urllib3.PoolManager(retries=False) as pool:
            tries = [
                self._executor.submit(self._try, one, index, until, pool)
                for one in asked.values()
                for index in range(self._attempts)
            ]
            wait(tries, timeout=max(0.0, until - time.monotonic()))
        return {
            region.name: self._verdict(asked[region.name])
            if region.name in asked
            else Probe(Verdict.SILENT, "no health_url")
            for region in regions
        }

    @staticmethod
    def _verdict(one: _Asked) -> Probe:
        return one.answer or one.failure

    def _try(self, one: _Asked, index: int, until: float, pool: urllib3.PoolManager) -> None:
        if one.answered.wait(index * self._timeout / self._attempts):
            return
        left = until - time.monotonic()
        if left <= 0:
            return
        try:
            headers = {"User-Agent": "region-failover-orchestrator", "Connection": "close"}
            if self._token:
                headers["Authorization"] = f"Bearer {self._token(one.url)}"
            response = pool.request(
                "GET",
                one.url,
                headers=headers,
                timeout=urllib3.Timeout(total=left),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            response.close()
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this probe's answer
            one.failure = _failed(error)
            if one.failure.verdict is Verdict.SILENT:
                one.answer = one.failure
                one.answered.set()
            return
        one.answer = _answered(response.status)
        one.answered.set()


def _answered(status: int) -> Probe:
    match status // 100:
        case 2:
            return Probe(Verdict.HEALTHY, str(status))
        case 5:
            return Probe(Verdict.FAILING, str(status))
        case _:
            return Probe(Verdict.SILENT, f"{status} says nothing about health")


def _failed(error: Exception) -> Probe:
    """What kind of no answer this was. Trouble on our own side says nothing about the region."""
    match error:
        case http.NameResolutionError():
            return Probe(Verdict.FAILING, "name")
        case http.NewConnectionError():
            return Probe(Verdict.FAILING, _connection(error))
        case http.TimeoutError():
            return Probe(Verdict.FAILING, "timeout")
        case http.SSLError():
            return Probe(Verdict.SILENT, f"TLS: {error}")
        case http.ProtocolError() | OSError():
            return Probe(Verdict.FAILING, "reset")
        case _:
            return Probe(Verdict.SILENT, f"{type(error).__name__}: {error}")


def _connection(error: http.NewConnectionError) -> str:
    cause = error.__cause__ or error.__context__
    number = cause.errno if isinstance(cause, OSError) else None
    return "refused" if number == errno.ECONNREFUSED else "unreachable"
