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
import json
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from orchestrator.core.model import Probe, Verdict
from orchestrator.core.policy import Region

BODY_BYTES = 4096
"""How much of an answer's body is read, once; a health endpoint's JSON has a few hundred."""

BODY_WAIT = 0.3
"""Seconds that a healthy answer's body is waited for; without it there is health, and no lag."""


@dataclass(slots=True)
class _Asked:
    """One region's probe under way. The first answer stands; `changed` guards and tells of it."""

    url: str
    changed: threading.Condition
    answer: Probe | None = None
    failure: Probe = field(default_factory=lambda: Probe(Verdict.SILENT, "not asked in time"))
    ended: int = 0
    over: bool = False
    connections: list[http.client.HTTPConnection] = field(default_factory=list)

    def reaches_out(self) -> None:
        """From here on it is the region's fault if nothing comes back."""
        with self.changed:
            if self.failure.verdict is Verdict.SILENT:
                self.failure = Probe(Verdict.FAILING, "timeout")

    def hear(self, probe: Probe, *, final: bool) -> None:
        """Take what a try came to. What the end of the round does to a try is not heard.

        final: it is an answer and ends the region's tries; the first one stands.
        """
        with self.changed:
            self.ended += 1
            if not self.over and final:
                self.answer = self.answer or probe
            elif not self.over:
                self.failure = probe
            self.changed.notify_all()

    def end(self) -> Probe:
        """The verdict. Whatever is still under way is cut off and no longer heard."""
        with self.changed:
            self.over = True
        for connection in list(self.connections):
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
        return self.answer or self.failure


class HttpProber:
    """Implements `orchestrator.ports.Prober`.

    timeout: seconds for the whole round. token: gives an identity token for a URL's origin, or None
    to send none. Each try has a thread of its own, so that a region that hangs, even in the look-up
    of its name, takes nothing away from the others.
    """

    def __init__(
        self, timeout: float, attempts: int, token: Callable[[str], str] | None = None
    ) -> None:
        self._timeout = timeout
        self._attempts = attempts
        self._token = token
        self._tls = ssl.create_default_context()

    def probe(self, regions: Iterable[Region]) -> Mapping[str, Probe]:
        """One answer for each region. Takes no longer than the timeout, and never raises."""
        regions = tuple(regions)
        changed = threading.Condition()
        asked = {r.name: _Asked(r.health_url, changed) for r in regions if r.health_url}
        began = time.monotonic()
        for attempt in range(self._attempts):
            start = began + self._timeout * attempt / self._attempts
            _wait(changed, start, lambda: all(one.answer for one in asked.values()))
            for one in asked.values():
                if one.answer is None:
                    arguments = (one, began + self._timeout)
                    threading.Thread(target=self._try, args=arguments, daemon=True).start()
        _wait(
            changed,
            began + self._timeout,
            lambda: all(one.answer or one.ended == self._attempts for one in asked.values()),
        )
        silent = Probe(Verdict.SILENT, "no health_url")
        found = {name: one.end() for name, one in asked.items()}
        return {region.name: found.get(region.name, silent) for region in regions}

    def _try(self, one: _Asked, until: float) -> None:
        try:
            one.hear(self._get(one, until), final=True)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this probe's answer
            failure = _failed(error)
            one.hear(failure, final=failure.verdict is Verdict.SILENT)

    def _get(self, one: _Asked, until: float) -> Probe:
        """What one GET on a connection of its own says."""
        headers = {"User-Agent": "region-failover-orchestrator", "Connection": "close"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token(one.url)}"
        parts = urlsplit(one.url)
        host, left = parts.hostname, until - time.monotonic()
        if not host or left <= 0:
            raise ValueError("no host" if not host else "no time left")
        connection = (
            http.client.HTTPSConnection(host, parts.port, timeout=left, context=self._tls)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=left)
        )
        one.connections.append(connection)
        try:
            one.reaches_out()
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.connect()
            if one.over:
                raise TimeoutError
            connection.request("GET", target, headers=headers)
            answer = connection.getresponse()
            return _answered(answer.status, _lag(answer, connection.sock, until))
        finally:
            connection.close()


def _wait(changed: threading.Condition, until: float, done: Callable[[], bool]) -> None:
    with changed:
        changed.wait_for(done, timeout=max(0.0, until - time.monotonic()))


def _lag(
    answer: http.client.HTTPResponse, sock: socket.socket | None, until: float
) -> Mapping[str, float]:
    """The replication lag that a healthy answer tells: seconds by region.

    Only what has arrived is read, and nothing that is wrong with it changes the verdict: the status
    is the answer.
    """
    if answer.status // 100 != 2 or "json" not in answer.headers.get("Content-Type", ""):  # noqa: PLR2004  # HTTP's success
        return {}
    try:
        if sock is not None:
            sock.settimeout(max(0.01, min(BODY_WAIT, (until - time.monotonic()) / 2)))
        told = json.loads(answer.read1(BODY_BYTES))["replication_lag_seconds"]
        return {
            str(name): float(seconds)
            for name, seconds in told.items()
            if isinstance(seconds, int | float) and 0 <= seconds < math.inf
        }
    except (OSError, http.client.HTTPException, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _answered(status: int, lag: Mapping[str, float]) -> Probe:
    match status // 100:
        case 2:
            return Probe(Verdict.HEALTHY, str(status), lag)
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
        case http.client.InvalidURL():
            return Probe(Verdict.SILENT, "our own trouble: InvalidURL")
        case ConnectionError() | http.client.HTTPException() | ssl.SSLError():
            return Probe(Verdict.FAILING, "reset")
        case OSError():
            return Probe(Verdict.FAILING, "unreachable")
        case _:
            return Probe(Verdict.SILENT, f"our own trouble: {type(error).__name__}")
