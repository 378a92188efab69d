"""Our own look at health URLs, the second, independent signal, and at role URLs.

All regions are asked at once. Each gets `attempts` tries that start evenly spread over the timeout,
so the second of two starts at half of it; the whole round ends at the timeout, and what is still
under way then is cut off. Any HTTP answer is an answer and ends the region's tries: 2xx is healthy,
5xx failing, anything else (wrong path, IAM, rate limit, a redirect, which is never followed) says
nothing. No answer is failing. Of its role a region is asked in the same way: 200 or 503, with the
epoch of its document in the JSON, is an answer; whatever else it says tells nothing.

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

from orchestrator.core.model import NOTHING, Json, Part, Probe, Role, Verdict
from orchestrator.core.policy import Region

BODY_BYTES = 4096
"""How much of an answer's body is read, once; a health endpoint's JSON has a few hundred."""

BODY_WAIT = 0.3
"""Seconds that an answer's body is waited for; without it there is health, and no lag or role."""

LEADS, STANDS_BY = 200, 503
"""What a region answers that is the primary, and one that is not."""

LINGERING = "lingering"
"""The `status` in the JSON of a region that was the primary a moment ago, and still answers so."""


class _TooLate(Exception):
    """A try that came to run when its round was over."""


@dataclass(slots=True)
class _Asked:
    """One region's probe under way. The first answer stands; `changed` guards and tells of it.

    told: the JSON of that answer. of_role: its JSON is wanted with a 503, too.
    """

    url: str
    changed: threading.Condition
    answer: Probe | None = None
    told: Json = field(default_factory=dict)
    of_role: bool = False
    failure: Probe = field(default_factory=lambda: Probe(Verdict.SILENT, "not asked in time"))
    ended: int = 0
    over: bool = False
    connections: list[http.client.HTTPConnection] = field(default_factory=list)

    def reaches_out(self) -> None:
        """From here on it is the region's fault if nothing comes back."""
        with self.changed:
            if self.failure.verdict is Verdict.SILENT:
                self.failure = Probe(Verdict.FAILING, "timeout")

    def hear(self, probe: Probe, told: Json = NOTHING, *, final: bool) -> None:
        """Take what a try came to. What the end of the round does to a try is not heard.

        final: it is an answer and ends the region's tries; the first one stands.
        """
        with self.changed:
            self.ended += 1
            if not self.over and final and self.answer is None:
                self.answer, self.told = probe, told
            elif not self.over and final:
                pass  # the first one stands
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
        urls = {region.name: region.health_url for region in regions}
        silent = Probe(Verdict.SILENT, "no health_url")
        found = self._round({name: url for name, url in urls.items() if url})
        return {name: found[name][0] if name in found else silent for name in urls}

    def roles(self, regions: Iterable[Region]) -> Mapping[str, Role]:
        """What each region says that it is. Takes no longer than the timeout, and never raises."""
        urls = {region.name: region.role_url for region in regions}
        found = self._round({name: url for name, url in urls.items() if url}, of_role=True)
        return {name: _role(*heard) for name, heard in found.items()}

    def _round(
        self, urls: Mapping[str, str], *, of_role: bool = False
    ) -> Mapping[str, tuple[Probe, Json]]:
        """Ask all at once; for each the verdict, and the JSON that came with an answer."""
        changed = threading.Condition()
        asked = {name: _Asked(url, changed, of_role=of_role) for name, url in urls.items()}
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
        return {name: (one.end(), one.told) for name, one in asked.items()}

    def _try(self, one: _Asked, until: float) -> None:
        try:
            status, told = self._get(one, until)
            one.hear(_answered(status, _lag(status, told)), told, final=True)
        except _TooLate:  # our own slowness: what the try before it came to stands
            one.hear(one.failure, final=False)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this probe's answer
            failure = _failed(error)
            one.hear(failure, final=failure.verdict is Verdict.SILENT)

    def _get(self, one: _Asked, until: float) -> tuple[int, Json]:
        """What one GET on a connection of its own says: its status and its JSON."""
        headers = {"User-Agent": "region-failover-orchestrator", "Connection": "close"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token(one.url)}"
        parts = urlsplit(one.url)
        host, left = parts.hostname, until - time.monotonic()
        if not host:
            raise ValueError("no host")
        if left <= 0:
            raise _TooLate
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
            wanted = answer.status // 100 == 2 or (one.of_role and answer.status == STANDS_BY)  # noqa: PLR2004  # HTTP's success
            return answer.status, _told(answer, connection.sock, until) if wanted else NOTHING
        finally:
            connection.close()


def _wait(changed: threading.Condition, until: float, done: Callable[[], bool]) -> None:
    with changed:
        changed.wait_for(done, timeout=max(0.0, until - time.monotonic()))


def _told(answer: http.client.HTTPResponse, sock: socket.socket | None, until: float) -> Json:
    """The JSON object of an answer, if any.

    Only what has arrived is read, and nothing that is wrong with it changes the verdict: the status
    is the answer.
    """
    if "json" not in answer.headers.get("Content-Type", ""):
        return NOTHING
    try:
        if sock is not None:
            sock.settimeout(max(0.01, min(BODY_WAIT, (until - time.monotonic()) / 2)))
        told = json.loads(answer.read1(BODY_BYTES))
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return NOTHING
    return told if isinstance(told, dict) else NOTHING


def _lag(status: int, told: Json) -> Mapping[str, float]:
    """The replication lag that a healthy answer tells: seconds by region."""
    lags = told.get("replication_lag_seconds")
    if status == STANDS_BY or not isinstance(lags, dict):
        return {}
    return {
        str(name): float(seconds)
        for name, seconds in lags.items()
        if isinstance(seconds, int | float) and 0 <= seconds < math.inf
    }


def _role(probe: Probe, told: Json) -> Role:
    """What an answer says of the region's role."""
    parts = {str(LEADS): Part.LEADS, str(STANDS_BY): Part.STANDS_BY}
    part, epoch = parts.get(probe.detail), told.get("epoch")
    if part is None:
        return Role(Part.SILENT, probe.detail.removesuffix(" says nothing about health"))
    if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 0:
        return Role(Part.SILENT, f"{probe.detail} without a document's epoch")
    lingers = part is Part.LEADS and told.get("status") == LINGERING
    return Role(Part.LINGERS if lingers else part, probe.detail, epoch)


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
