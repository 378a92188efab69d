"""Our own look at health URLs: the second, independent signal.

All regions are asked at once. Each gets `attempts` tries that start evenly spread over the timeout,
so the second of two starts at half of it; the whole round ends at the timeout, and what is still
under way then is cut off. Any HTTP answer is an answer and ends the region's tries: 2xx is healthy,
5xx failing, anything else (wrong path, IAM, rate limit, a redirect, which is never followed) says
nothing. No answer is failing.

By the standard library's http.client, because a probe needs its socket: a timeout for each read
does not end a server that sends a byte now and then.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from orchestrator.core.model import Probe, Verdict
from orchestrator.core.policy import Region

WORKERS = 64
"""Tries that may be under way at once in one process."""


@dataclass(slots=True)
class _Asked:
    """One region's probe under way. The first answer stands."""

    url: str
    answered: threading.Event = field(default_factory=threading.Event)
    answer: Probe | None = None
    failure: Probe = field(default_factory=lambda: Probe(Verdict.FAILING, "timeout"))
    connections: list[http.client.HTTPConnection] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: bool = False

    def settle(self, probe: Probe) -> None:
        """Take this answer if it is the first, and in time."""
        with self.lock:
            if not self.over:
                self.answer = self.answer or probe
        self.answered.set()

    def fail(self, probe: Probe) -> None:
        """Keep how a try failed; what an end of the round does to a try is not its failure."""
        with self.lock:
            if not self.over:
                self.failure = probe

    def end(self) -> Probe:
        """The verdict; whatever is still under way is cut off and no longer heard."""
        with self.lock:
            self.over = True
        self.answered.set()
        for connection in list(self.connections):
            sock = connection.sock
            if sock is not None:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        return self.answer or self.failure


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
        self._tls = ssl.create_default_context()

    def probe(self, regions: Iterable[Region]) -> Mapping[str, Probe]:
        """One answer for each region. Takes no longer than the timeout, and never raises."""
        regions = tuple(regions)
        asked = {r.name: _Asked(r.health_url) for r in regions if r.health_url}
        until = time.monotonic() + self._timeout
        tries = {
            self._executor.submit(self._try, one, index, until): one
            for one in asked.values()
            for index in range(self._attempts)
        }
        _wait_for_answers(tries, until)
        silent = Probe(Verdict.SILENT, "no health_url")
        found = {name: one.end() for name, one in asked.items()}
        return {region.name: found.get(region.name, silent) for region in regions}

    def _try(self, one: _Asked, index: int, until: float) -> None:
        if one.answered.wait(index * self._timeout / self._attempts):
            return
        left = until - time.monotonic()
        if left <= 0:
            return
        try:
            one.settle(_answered(self._get(one, left)))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this probe's answer
            failure = _failed(error)
            if failure.verdict is Verdict.SILENT:
                one.settle(failure)
            else:
                one.fail(failure)

    def _get(self, one: _Asked, left: float) -> int:
        """The status of one GET on a connection of its own."""
        headers = {"User-Agent": "region-failover-orchestrator", "Connection": "close"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token(one.url)}"
        parts = urlsplit(one.url)
        host = parts.hostname
        if not host:
            raise ValueError(f"{one.url} names no host")
        connection = (
            http.client.HTTPSConnection(host, parts.port, timeout=left, context=self._tls)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=left)
        )
        one.connections.append(connection)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.connect()
            if one.over:
                raise TimeoutError
            connection.request("GET", target, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()


def _wait_for_answers(tries: Mapping[Future[None], _Asked], until: float) -> None:
    """Return when every region has answered or used up its tries, or at the end of the round."""
    pending = set(tries)
    while pending:
        left = until - time.monotonic()
        done, _ = wait(pending, timeout=max(0.0, left), return_when=FIRST_COMPLETED)
        if not done:
            return
        pending -= done
        pending = {one for one in pending if not tries[one].answered.is_set()}


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
        case socket.gaierror():
            return Probe(Verdict.FAILING, "name")
        case ssl.SSLCertVerificationError():
            return Probe(Verdict.SILENT, f"TLS: {error.verify_message}")
        case TimeoutError():
            return Probe(Verdict.FAILING, "timeout")
        case ConnectionRefusedError():
            return Probe(Verdict.FAILING, "refused")
        case ConnectionError() | http.client.HTTPException() | ssl.SSLError():
            return Probe(Verdict.FAILING, "reset")
        case OSError():
            return Probe(Verdict.FAILING, "unreachable")
        case _:
            return Probe(Verdict.SILENT, f"{type(error).__name__}: {error}")
