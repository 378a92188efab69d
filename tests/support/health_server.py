"""A health endpoint on a real socket that answers, refuses, hangs and talks nonsense."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from orchestrator.local.process.loopback import HOST, url_of

Behaviour = Callable[[socket.socket, "Server"], None]


class Server:
    """A socket that treats its first connections in the given ways, and the rest as the last."""

    def __init__(self, *behaviours: Behaviour, host: str = HOST, port: int = 0) -> None:
        self._behaviours = behaviours
        self._listener = socket.create_server((host, port), backlog=64)
        self.over = threading.Event()
        self.requests: list[bytes] = []
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Its port."""
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """Its health URL."""
        return f"{url_of(self.port)}/healthz"

    def close(self) -> None:
        """End it, with every connection."""
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            behave = self._behaviours[min(self.connections, len(self._behaviours) - 1)]
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection, behave), daemon=True).start()

    def _serve(self, connection: socket.socket, behave: Behaviour) -> None:
        with connection, suppress(OSError):
            behave(connection, self)


def request(connection: socket.socket, server: Server) -> None:
    """Read one request's head and keep it."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(4096)
        if not more:
            return
        head += more
    server.requests.append(head)


def answer(status: int, headers: str = "", body: bytes = b"ok", late: float = 0) -> Behaviour:
    """Answer with this status, so many seconds late."""

    def behave(connection: socket.socket, server: Server) -> None:
        request(connection, server)
        server.over.wait(late)
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        connection.sendall(head.encode() + body)

    return behave


def say(text: bytes) -> Behaviour:
    """Answer with these bytes and end."""

    def behave(connection: socket.socket, server: Server) -> None:
        request(connection, server)
        connection.sendall(text)

    return behave


def hang(connection: socket.socket, server: Server) -> None:
    """Take the request and say nothing."""
    request(connection, server)
    server.over.wait(20)


def reset(connection: socket.socket, server: Server) -> None:
    """Take the request and cut the connection."""
    request(connection, server)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def end(connection: socket.socket, server: Server) -> None:
    """Take the request and end the connection politely, without an answer."""
    request(connection, server)


def drip(start: bytes, every: float, then: bytes) -> Behaviour:
    """Begin an answer that never ends."""

    def behave(connection: socket.socket, server: Server) -> None:
        request(connection, server)
        connection.sendall(start)
        while not server.over.wait(every):
            connection.sendall(then)

    return behave


ENDLESS_HEADERS = drip(b"HTTP/1.1 200 OK\r\n", 0.01, b"x-more: and more\r\n")
SLOW_HEAD = drip(b"HTTP/1.1 2", 0.05, b"0")
SLOW_HEADERS = drip(b"HTTP/1.1 200 OK\r\n", 0.01, b"x")
CONTINUE = drip(b"HTTP/1.1 100 Continue\r\n\r\n", 0.02, b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Makes servers that end with the test."""
    made: list[Server] = []

    def make(*behaviours: Behaviour, host: str = HOST, port: int = 0) -> Server:
        made.append(Server(*behaviours, host=host, port=port))
        return made[-1]

    yield make
    for server in made:
        server.close()


@contextmanager
def silent(host: str, port: int) -> Iterator[None]:
    """An address whose queue of connections is full: whoever comes hears nothing."""
    with ExitStack() as stack:
        stack.enter_context(socket.create_server((host, port), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        yield
