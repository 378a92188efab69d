"""botocore's connections, with the addresses of a host sharing the time (`connections`), and with
an end: an attempt is over when its time is (`attempt`), whatever the region goes on sending.

A timeout of a socket bounds the wait for the next bytes, and a region that sends a byte now and
then never lets it pass. So before each read the socket gets what is left of the attempt, if that is
less. Connecting, the TLS handshake and sending are bounded in the same way. Not bounded: the
look-up of a name, which the system does (`getaddrinfo`), and connections through a proxy, which
botocore makes with classes of its own.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from orchestrator.addresses import Resolve, resolve
from orchestrator.client._regions import attempt
from orchestrator.client._regions.connections import Sharing

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

OVER = 0.001
"""Seconds for what begins when the attempt is over. A timeout of 0 would mean not to wait."""


def _bounded(timeout: float | None) -> float | None:
    """The timeout, or what is left of the attempt if that is less."""
    left = attempt.left()
    if left is None:
        return timeout
    return max(OVER, left) if timeout is None else max(OVER, min(timeout, left))


class _Raw(io.RawIOBase):
    """What comes from a socket, until the attempt is over."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._each = sock.gettimeout()
        self._inner = sock.makefile("rb", buffering=0)  # as long as it is open the socket is

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Raises TimeoutError when nothing comes in time, or the time is over."""
        left = attempt.left()
        if left is not None and (self._each is None or left < self._each):
            if left <= 0:
                raise TimeoutError("the attempt's time is over")
            self._socket.settimeout(max(OVER, left))
        return self._socket.recv_into(buffer)

    def close(self) -> None:
        """The socket stays its connection's."""
        self._inner.close()
        super().close()


class _Source:
    """Stands for the socket where http.client asks it for a file."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        """Its bytes, until the attempt is over."""
        return io.BufferedReader(_Raw(self._socket))


class _Response(HTTPResponse):
    """http.client's, which reads until the attempt is over."""

    def __init__(self, sock: Any, *arguments: Any, **settings: Any) -> None:
        super().__init__(_Source(sock), *arguments, **settings)  # type: ignore[arg-type]  # as far as it is used

    def begin(self) -> None:
        """As http.client's, which takes 102 and 103 for the answer and keeps the connection.

        The real answer comes after them, and the next request would take it for its own.
        """
        super().begin()
        if self.status < HTTPStatus.OK:
            self.will_close = True


class _Ending(Sharing):
    """Connects, sends and reads until the attempt is over."""

    response_class = _Response

    def _new_conn(self) -> socket.socket:
        before = self.timeout
        if isinstance(before, int | float):
            self.timeout = _bounded(before)
        try:
            return super()._new_conn()
        finally:
            self.timeout = before

    def request(self, *arguments: Any, **settings: Any) -> None:
        """As botocore's."""
        if self.sock is not None and isinstance(self.timeout, int | float):
            wanted = _bounded(self.timeout)
            if self.sock.gettimeout() != wanted:  # left of an earlier attempt
                self.sock.settimeout(wanted)
        super().request(*arguments, **settings)

    def send(self, data: Any) -> Any:
        """As botocore's, after a last look."""
        attempt.look()
        return super().send(data)


class _AwsConnection(_Ending, AWSHTTPConnection):  # type: ignore[misc]  # botocore overrides so, too
    """botocore's, for http."""


class _AwsTlsConnection(_Ending, AWSHTTPSConnection):  # type: ignore[misc]  # as above
    """botocore's, for https."""


def pools(resolve: Resolve = resolve) -> Mapping[str, Any]:
    """botocore's pools by scheme, with these connections. resolve: finds a host's addresses."""
    find = staticmethod(resolve)
    plain = type("SharingAwsConnection", (_AwsConnection,), {"resolve": find})
    tls = type("SharingAwsTlsConnection", (_AwsTlsConnection,), {"resolve": find})
    return {
        "http": type("SharingPool", (AWSHTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SharingTlsPool", (AWSHTTPSConnectionPool,), {"ConnectionCls": tls}),
    }
