"""Servers for tests: one that answers HTTP as a function says, and sockets that misbehave."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from orchestrator.local.process.loopback import HOST, free_port, release, url_of


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. headers: names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """One answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Station:
    """An HTTP/1.1 server on loopback, each connection in a thread; `answer` may be replaced.

    tls: speak it, where given; `url` says http all the same.

    asked: every request there was. sent: bytes of the bodies that were answered.
    """

    def __init__(self, answer: Callable[[Asked], Said], tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.sent = 0
        self._server = _Server((HOST, free_port()), _handler(self))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = url_of(self._server.server_port)
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Take no more connections, and end those there are."""
        self._server.shutdown()
        self._server.server_close()
        release(self._server.server_port)
        for connection in tuple(self._server.connections):
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


class _Server(ThreadingHTTPServer):
    """Knows its connections, so that they end with it."""

    daemon_threads = True
    request_queue_size = 128  # the library's 5 resets connections of fifty threads

    def __init__(self, at: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(at, handler)


def _handler(station: Station) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            self.server.connections.add(self.connection)  # type: ignore[attr-defined]  # is _Server

        def finish(self) -> None:
            self.server.connections.discard(self.connection)  # type: ignore[attr-defined]  # as above
            with suppress(OSError):  # whoever asked may be gone
                super().finish()

        def handle(self) -> None:
            with suppress(OSError):  # as above
                super().handle()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, body)
            station.asked.append(asked)
            said = station.answer(asked)
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            if said.status != 304 and "Content-Length" not in said.headers:
                self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            if self.command != "HEAD":
                station.sent += len(said.body)  # before whoever asked can know it
                self.wfile.write(said.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815  # the library's names

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the library's
            """Say nothing."""

    return Handler


class BadSocket:
    """Takes connections and treats each as `behave` says, until it is closed. Port: `.port`.

    connections: how many it has taken. first: set with the first of them.
    """

    def __init__(self, behave: Callable[[socket.socket, threading.Event], None]) -> None:
        self._behave = behave
        self.connections, self.first = 0, threading.Event()
        self._over = threading.Event()
        self.port = free_port()
        self._listener = socket.create_server((HOST, self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Its URL for HTTP."""
        return url_of(self.port)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self.first.set()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self._behave(connection, self._over)

    def close(self) -> None:
        """End it and its connections."""
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        release(self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def hang(connection: socket.socket, over: threading.Event) -> None:
    """Take the request and never answer."""
    del connection
    over.wait()


def trickle(first: bytes, piece: bytes = b"x", every: float = 0.05) -> Callable[..., None]:
    """Answer `first`, then `piece` every so many seconds, for ever."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(first)
        while not over.wait(every):
            connection.sendall(piece)

    return behave
