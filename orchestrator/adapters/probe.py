"""Our own look at health URLs, the second, independent signal, and at role URLs.

All regions are asked at once, each by tries of its own. They start evenly spread over the timeout
(the second of two at half of it), or `AGAIN` after all tries so far have failed: refused, reset, no
name. The whole round ends at the timeout, and what is still under way then is
cut off. Any HTTP answer is an answer and ends the region's tries: 2xx is healthy, 5xx failing,
anything else (wrong path, IAM, rate limit, a redirect, which is never followed) says nothing. No
answer is failing. Of its role a region is asked in the same way: 200 or 503, with the epoch of its
document in the JSON, is an answer; whatever else it says tells nothing.

The addresses of a host share the time (`orchestrator.addresses`). A host with more addresses than
there are attempts gets a try for each, and each try begins with those that were used least: so an
address that takes connections and answers nothing does not make the region fail either.

By the standard library's http.client, because a probe needs its socket: a timeout for each read
does not end a server that sends a byte now and then.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from orchestrator.adapters.health_answer import (
    STANDS_BY,
    announced,
    probe_of,
    read_json,
    role_of,
)
from orchestrator.addresses import Address, Resolve, by_turns, connect, resolve
from orchestrator.core.model import NOTHING, Json, NoAnswer, Probe, Role, Verdict
from orchestrator.core.outside.hosts import Place, place_of
from orchestrator.core.policy import Region

AGAIN = 0.2
"""Seconds after which a region is tried again that refused, reset or has no name."""

NODELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _TooLate(Exception):
    """A try that came to run when its round was over."""


class _NoRegion(Exception):
    """The host's name leads to the machine that asks, or to its metadata server."""


@dataclass(slots=True)
class _Asked:
    """One region's probe under way. The first answer stands; `changed` guards and tells of it.

    of_role: its JSON is wanted with a 503, too. told: the JSON of the answer; None while its body
    is on the way, and for good where it could not be read. whole: nothing more follows from the
    answer. tries: how many are to be made; ended: how many have. uses: connections by address.
    """

    url: str
    changed: threading.Condition
    tries: int
    of_role: bool = False
    answer: int | None = None
    told: Json | None = None
    whole: bool = False
    failure: Probe = field(default_factory=lambda: Probe(Verdict.SILENT, "not asked in time"))
    ended: int = 0
    over: bool = False
    uses: Counter[Address] = field(default_factory=Counter)
    sockets: list[socket.socket] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether nothing more is to be waited for."""
        return self.whole or self.ended >= self.tries

    def reaches_out(self) -> None:
        """From here on it is the region's fault if nothing comes back."""
        with self.changed:
            if self.failure.verdict is Verdict.SILENT:
                self.failure = Probe(Verdict.FAILING, NoAnswer.TIMEOUT)

    def finds(self, addresses: tuple[Address, ...]) -> tuple[Address, ...]:
        """Take the addresses of the host. Gives them in the order in which they are to be tried."""
        with self.changed:
            self.tries = max(self.tries, len(addresses))
            self.changed.notify_all()
            return tuple(sorted(addresses, key=lambda address: self.uses[address]))

    def holds(self, connection: socket.socket) -> None:
        """Keep a connection, so that the round's end ends it. Raises when it is over already."""
        with self.changed:
            if self.over:
                raise _TooLate
            self.sockets.append(connection)

    def answers(self, status: int) -> bool:
        """Take the status of an answer; whether it is the first, which stands."""
        with self.changed:
            if self.over or self.answer is not None:
                return False
            self.answer = status
            self.changed.notify_all()
            return True

    def tells(self, told: Json | None) -> None:
        """Take the JSON that came with the answer. What comes after the round does not count."""
        with self.changed:
            self.told, self.whole = (None if self.over else told), True
            self.changed.notify_all()

    def fails(self, probe: Probe | None) -> None:
        """Take what a try without an answer came to. What the round's end does is not heard.

        probe: None where the try says nothing new. One that is silent ends the region's tries.
        """
        with self.changed:
            self.ended += 1
            if probe is not None and not self.over:
                self.failure = probe
                self.whole = self.whole or probe.verdict is Verdict.SILENT
            self.changed.notify_all()

    def end(self) -> Probe:
        """The verdict. Whatever is still under way is cut off and no longer heard."""
        with self.changed:
            self.over = True
            status, told = self.answer, self.told
        for one in self.sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        return self.failure if status is None else probe_of(status, told)


class HttpProber:
    """Implements `orchestrator.ports.Prober`.

    timeout: seconds for the whole round. token: gives an identity token for a URL's origin, or None
    to send none. resolve: finds the addresses of a host. allows_loopback: whether a region may be
    on this machine. A host whose name resolves to an address that is no region's says nothing, and
    nothing is sent there. Each try has a thread of its own, so that a region that hangs, even in
    the look-up of its name, takes nothing away from the others.
    """

    def __init__(
        self,
        timeout: float,
        attempts: int,
        token: Callable[[str], str] | None = None,
        resolve: Resolve = resolve,
        *,
        allows_loopback: bool = True,
    ) -> None:
        self._refused = {Place.LINK_LOCAL} | (set() if allows_loopback else {Place.LOOPBACK})
        self._timeout = timeout
        self._attempts = attempts
        self._token = token
        self._resolve = resolve
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
        return {name: role_of(*heard) for name, heard in found.items()}

    def _round(
        self, urls: Mapping[str, str], *, of_role: bool = False
    ) -> Mapping[str, tuple[Probe, Json | None]]:
        """Ask all at once; for each the verdict, and the JSON that came with an answer."""
        changed = threading.Condition()
        asked = {
            name: _Asked(url, changed, self._attempts, of_role=of_role)
            for name, url in urls.items()
        }
        began = time.monotonic()
        for one in asked.values():
            threading.Thread(target=self._attend, args=(one, began), daemon=True).start()
        _wait(changed, lambda: began + self._timeout, lambda: all(o.done for o in asked.values()))
        return {name: (one.end(), one.told) for name, one in asked.items()}

    def _attend(self, one: _Asked, began: float) -> None:
        """Start the region's tries, each when it is due, until there is an answer."""
        turn = 0
        while turn < one.tries:
            arguments = (one, began + self._timeout)
            threading.Thread(target=self._try, args=arguments, daemon=True).start()
            turn += 1
            self._rest(one, began, turn)
            if one.answer is not None or one.whole or one.over:
                return

    def _rest(self, one: _Asked, began: float, turn: int) -> None:
        """Wait until the try of this number, counted from 0, is due, or there is an answer."""

        def due() -> float:
            return began + self._timeout * self._share(turn, one.tries)

        def ends() -> bool:
            return one.answer is not None or one.whole or one.over

        _wait(one.changed, due, lambda: ends() or one.ended >= turn)
        again = time.monotonic() + AGAIN
        if turn < one.tries and not ends():
            _wait(one.changed, lambda: min(due(), again), ends)

    def _share(self, turn: int, tries: int) -> float:
        """When a try starts that nothing has brought forward, as a share of the timeout.

        Those for further addresses share the time that the last attempt has.
        """
        if turn < self._attempts:
            return turn / self._attempts
        last = self._attempts - 1
        return (last + (turn - last) / (tries - last)) / self._attempts

    def _try(self, one: _Asked, until: float) -> None:
        try:
            self._get(one, until)
        except _TooLate:  # our own slowness: the result of the try before it counts
            one.fails(None)
        except _NoRegion:
            one.fails(
                Probe(
                    Verdict.SILENT, "its host name resolves to an address that no region can have"
                )
            )
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this probe's answer
            one.fails(_failed(error))

    def _get(self, one: _Asked, until: float) -> None:
        """One GET on a connection of its own: its status, and then its JSON."""
        headers = {"User-Agent": "region-failover-orchestrator", "Connection": "close"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token(one.url)}"
        parts = urlsplit(one.url)
        request = _request(parts)
        if until <= time.monotonic():
            raise _TooLate
        one.reaches_out()
        try:
            self._connect(one, parts, request, until)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            request.request("GET", target, headers=headers)
            with request.getresponse() as answer:
                self._read(one, answer)
        finally:
            request.close()

    def _read(self, one: _Asked, answer: http.client.HTTPResponse) -> None:
        """Take an answer: its status at once, and then what its body tells."""
        if one.answers(answer.status):
            wanted = answer.status // 100 == 2 or (one.of_role and answer.status == STANDS_BY)  # noqa: PLR2004  # HTTP's success
            one.tells(read_json(answer) if wanted and announced(answer) else NOTHING)

    def _connect(
        self,
        one: _Asked,
        parts: SplitResult,
        request: http.client.HTTPConnection,
        until: float,
    ) -> None:
        """Give the request a connection to one of the host's addresses, with TLS for https."""
        there = self._resolve(request.host, request.port)
        if any(place_of(str(one.place[0])) in self._refused for one in there):
            raise _NoRegion
        found = one.finds(by_turns(there))
        plain, address = connect(found, until, (NODELAY,))
        request.sock = plain
        one.uses[address] += 1
        plain.settimeout(max(0.01, until - time.monotonic()))
        if parts.scheme != "https":
            one.holds(plain)
            return
        request.sock = tls = self._tls.wrap_socket(
            plain, server_hostname=request.host, do_handshake_on_connect=False
        )
        one.holds(tls)
        tls.do_handshake()


def _request(parts: SplitResult) -> http.client.HTTPConnection:
    """What speaks HTTP to the URL's host. Raises ValueError for a URL without a usable host."""
    if not parts.hostname:
        raise ValueError("no host")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, parts.port)


def _wait(
    changed: threading.Condition, until: Callable[[], float], done: Callable[[], bool]
) -> None:
    """Until it is done or the time has come, which may change meanwhile."""
    with changed:
        while not done() and (left := until() - time.monotonic()) > 0:
            changed.wait(left)


def _failed(error: Exception) -> Probe:
    """What kind of no answer this was. Trouble on our own side says nothing about the region."""
    match error:
        case socket.gaierror():
            return Probe(Verdict.FAILING, NoAnswer.NAME)
        case ssl.SSLCertVerificationError():
            return Probe(Verdict.SILENT, f"TLS: {error.verify_message}")
        case TimeoutError():
            return Probe(Verdict.FAILING, NoAnswer.TIMEOUT)
        case ConnectionRefusedError():
            return Probe(Verdict.FAILING, NoAnswer.REFUSED)
        case http.client.InvalidURL():
            return Probe(Verdict.SILENT, "the orchestrator's own error: InvalidURL")
        case ConnectionError() | http.client.HTTPException() | ssl.SSLError():
            return Probe(Verdict.FAILING, NoAnswer.RESET)
        case OSError():
            return Probe(Verdict.FAILING, NoAnswer.UNREACHABLE)
        case _:
            return Probe(Verdict.SILENT, f"the orchestrator's own error: {type(error).__name__}")
