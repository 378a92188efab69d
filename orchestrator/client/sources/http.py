"""The document at an HTTP or HTTPS URL, by urllib3, over one connection that is kept open.

With an ETag the server answers 304 without a body while nothing has changed; without one the mark
is a hash of the body, which is then sent each time. Redirects are not followed: the URL that is
configured is the one that is trusted. No proxy is used, and none of the environment's.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import SplitResult

from orchestrator.client.document import Fetched
from orchestrator.client.errors import Silence, SourceUnavailable
from orchestrator.client.sources._fetching import (
    LARGEST,
    WHOLE,
    Looking,
    PerProcess,
    cause,
    told,
    too_large,
)
from orchestrator.core.outside.secrets import split

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection
    from urllib3.response import HTTPResponse

_HASH = "sha256:"
_OK, _UNCHANGED, _REDIRECTS = 200, 304, range(300, 400)


class HttpSource:
    """Implements `orchestrator.client.document.Source`.

    headers: sent with every request, such as `Authorization`; a function is asked each time, for
    tokens that expire. cafile: certificates to trust in place of the system's. seconds: for a whole
    look. Raises ValueError for an invalid URL.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        cafile: str | None = None,
        seconds: float = WHOLE,
    ) -> None:
        parts = split(url)
        host, port = _place(parts)
        if "@" in url:
            raise ValueError(
                "a name and password in the URL are not sent; give headers={'Authorization': ...}."
                " Write any other @ as %40. The URL is not repeated, because it may hold a password"
            )
        if parts.scheme not in {"http", "https"} or not host or "%" in host:
            raise ValueError("write a URL such as https://host/checkout.json")
        self._name = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self._query = parts.query
        self._secrets = _words(parts.query)
        self._host, self._port = host, port
        self._is_tls = parts.scheme == "https"
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = headers
        self._cafile = cafile
        self._connection = PerProcess(self._made, _end)
        self._looking = Looking[Fetched | None](seconds)

    @property
    def name(self) -> str:
        """For messages: the URL without its query, which may hold a token."""
        return self._name

    def fetch(self, known: str | None) -> Fetched | None:
        """The body, or None while its ETag, or else its hash, is `known`."""
        import urllib3.connection  # noqa: F401  # not on the look's time

        return self._looking.look(lambda: self._ask(known), self._connection.drop)

    def _ask(self, known: str | None) -> Fetched | None:
        connection = self._connection()
        try:
            return self._answered(self._sent(connection, known), known)
        except SourceUnavailable:
            connection.close()
            raise
        except Exception as error:  # noqa: BLE001  # all of it is shown, except secrets
            connection.close()
            raise SourceUnavailable(told(error, self._secrets)) from cause(error, self._secrets)

    def _sent(self, connection: HTTPConnection, known: str | None) -> HTTPResponse:
        """The answer's head. A connection that the server has closed is made again, once."""
        if connection.sock is not None and not connection.is_connected:
            connection.close()
        is_kept = connection.sock is not None
        try:
            return self._request(connection, known)
        except (ConnectionError, http.client.BadStatusLine):
            if not is_kept:
                raise
        connection.close()
        return self._request(connection, known)

    def _request(self, connection: HTTPConnection, known: str | None) -> HTTPResponse:
        given = self._headers() if callable(self._headers) else self._headers
        self._secrets = _words(self._query, *map(str, (given or {}).values()))
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **(given or {})}
        if known and not known.startswith(_HASH):
            headers["If-None-Match"] = known
        connection.timeout = self._looking.connect
        if connection.sock is None:
            connection.connect()
        if self._connection.held is not connection:
            raise SourceUnavailable("this read was given up while it connected")
        connection.timeout = self._looking.read
        connection.request(
            "GET", self._target, headers=headers, preload_content=False, decode_content=False
        )
        return connection.getresponse()

    def _answered(self, response: HTTPResponse, known: str | None) -> Fetched | None:
        if response.status == _UNCHANGED and known:
            response.read()
            return None
        if response.status != _OK:
            raise _refusal(response)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise SourceUnavailable(
                f"it came encoded as {response.headers['Content-Encoding']!r}, which was not asked"
                " for: have the server send it as it is",
                Silence.REFUSED,
            )
        body = b""
        while len(body) <= LARGEST and (piece := response.read(LARGEST + 1)):
            body += (
                piece  # read to its end: only there the library tells that some of it is missing
            )
        if len(body) > LARGEST:
            raise too_large()
        mark = response.headers.get("ETag") or _HASH + hashlib.sha256(body).hexdigest()
        return None if mark == known else Fetched(body, mark, _told_at(response))

    def _made(self) -> HTTPConnection:
        from orchestrator.client._regions.connections import (  # urllib3 is imported with the first
            SharingConnection,
            SharingTlsConnection,
        )

        if not self._is_tls:
            return SharingConnection(self._host, self._port)
        trust = ssl.create_default_context(cafile=self._cafile)
        return SharingTlsConnection(self._host, self._port, ssl_context=trust)


def _words(*texts: str) -> tuple[str, ...]:
    """What no message repeats of a query and of headers: each value, and each part of it."""
    return (*texts, *(word for text in texts for word in re.split("[&= ]", text)))


def _place(parts: SplitResult) -> tuple[str, int | None]:
    """Host and port; no host if the port is invalid."""
    try:
        return parts.hostname or "", parts.port
    except ValueError:  # it would be shown with ours, and repeats a part of the URL
        return "", None


def _end(connection: HTTPConnection) -> None:
    """Close it, and wake the thread that waits for it, so that the thread ends."""
    if (sock := connection.sock) is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
    connection.close()


def _told_at(response: HTTPResponse) -> float:
    """The time by the server's clock, 0 where it does not tell."""
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _refusal(response: HTTPResponse) -> SourceUnavailable:
    """What a status other than 200 means and what to do."""
    status = response.status
    if status in {401, 403}:
        text = f"not permitted (HTTP {status}): check the headers that this source is given"
        return SourceUnavailable(text, Silence.DENIED)
    if status in {404, 410}:
        text = f"there is no document (HTTP {status}): nothing has written it, or the URL is wrong"
        return SourceUnavailable(text, Silence.MISSING)
    if status in _REDIRECTS:
        text = f"a redirect (HTTP {status}), which is not followed: configure the URL it leads to"
        return SourceUnavailable(text, Silence.REFUSED)
    text = f"HTTP {status}: the server has no document now. The next read asks again"
    return SourceUnavailable(text, Silence.FAILING)
