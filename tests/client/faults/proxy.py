"""A proxy before a region's DynamoDB that does with each request what its mode says.

It speaks HTTP by bytes on sockets, so that a mode can break it anywhere. The database behind it
counts what was executed: that is what an outcome is held against.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from orchestrator.local.process.loopback import HOST, free_port, release, url_of
from tests.client.faults.double import Double, Refused

BLANK = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of DynamoDB's, not yet broken."""

    status: int
    body: bytes

    def head(
        self, *more: str, checksum: str | None = None, length: int | str | None = None
    ) -> bytes:
        """Its first line and headers with the blank line. more: further headers."""
        lines = [
            f"HTTP/1.1 {self.status} Said",
            "Content-Type: application/x-amz-json-1.0",
            f"Content-Length: {len(self.body) if length is None else length}",
            f"x-amz-crc32: {zlib.crc32(self.body) if checksum is None else checksum}",
            *more,
        ]
        return "\r\n".join(lines).encode() + BLANK

    def whole(self) -> bytes:
        """All of it, as it should be."""
        return self.head() + self.body


def error(status: int, code: str, *reasons: str) -> Answer:
    """DynamoDB's answer with this code. reasons: why it throttled; spelled in two ways, as its API
    reference does.
    """
    told: dict[str, object] = {
        "__type": f"com.amazonaws.dynamodb.v20120810#{code}",
        "message": "as a test says",
    }
    if reasons:
        name = "throttlingReasons" if code == "ThrottlingException" else "ThrottlingReasons"
        told[name] = [{"reason": one, "resource": "arn:orders"} for one in reasons]
    return Answer(status, json.dumps(told).encode())


class Exchange:
    """One request on a connection, and what can be done with it.

    number: which of this connection's it is, from 1. answer: DynamoDB's, once it was read.
    """

    def __init__(self, connection: socket.socket, over: threading.Event, number: int) -> None:
        self.connection = connection
        self.over = over
        self.number = number
        self.operation = ""
        self.body = b""
        self.answer = Answer(200, b"{}")

    def send(self, data: bytes) -> None:
        """These bytes."""
        self.connection.sendall(data)

    def reset(self) -> None:
        """End the connection at once, with a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """End the connection."""
        with suppress(OSError):
            self.connection.close()

    def stall(self) -> None:
        """Send nothing more, and keep the connection."""
        self.over.wait()

    def drip(self, piece: bytes, every: float = 0.02) -> None:
        """Send a piece every so many seconds, for ever."""
        while not self.over.wait(every):
            self.send(piece)

    def read(self) -> bool:
        """Read the request; False if the connection ended instead."""
        data = b""
        while BLANK not in data:
            data += (piece := self.connection.recv(65536))
            if not piece:
                return False
        head, _, body = data.partition(BLANK)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.decode().split("\r\n")[1:])
        }
        while len(body) < int(headers["content-length"]):
            body += self.connection.recv(65536)
        self.operation, self.body = headers["x-amz-target"].partition(".")[2], body
        return True


Act = Callable[[Exchange], None]


def well(exchange: Exchange) -> None:
    """Answer as it should be."""
    exchange.send(exchange.answer.whole())


class Proxy:
    """act: what is done with each request. early: before it is read. executes: after the database
    has executed it, else instead. left: to how many requests, before all is well again; None: to
    all. Each may be changed at any time.
    """

    def __init__(self) -> None:
        self.double = Double()
        self.act: Act = well
        self.early, self.executes = False, True
        self.left: int | None = None
        self._over = threading.Event()
        self._connections: set[socket.socket] = set()
        self.port = free_port()
        self._listener = socket.create_server((HOST, self.port), backlog=64)
        self.url = url_of(self.port)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        number = 0
        with connection, suppress(OSError):
            while not self._over.is_set() and connection.recv(1, socket.MSG_PEEK):
                number += 1
                if not self._one(Exchange(connection, self._over, number)):
                    break
        self._connections.discard(connection)

    def _one(self, exchange: Exchange) -> bool:
        """Treat one request; False if the connection is over."""
        act, early = self._next()
        if not early:
            if not exchange.read():
                return False
            if self.executes or act is well:
                exchange.answer = self._executed(exchange)
        act(exchange)
        return exchange.connection.fileno() >= 0

    def _next(self) -> tuple[Act, bool]:
        if self.left == 0:
            return well, False
        if self.left is not None:
            self.left -= 1
        return self.act, self.early

    def _executed(self, exchange: Exchange) -> Answer:
        try:
            said = self.double.execute(exchange.operation, exchange.body)
        except Refused as refused:
            return error(400, str(refused))
        return Answer(200, json.dumps(said).encode())

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return bool(self._connections)

    def close(self) -> None:
        """End it and its connections."""
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        release(self.port)
        for connection in tuple(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
