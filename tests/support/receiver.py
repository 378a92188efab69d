"""A push endpoint for tests of what is pushed to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from orchestrator.local.process.loopback import HOST, url_of


class _Server(ThreadingHTTPServer):
    request_queue_size = 256  # with the library's 5, a burst of connections waits for seconds


class Receiver:
    """Records requests and answers what `answer` says for the n-th (from 1). A context manager.

    After the headers of its answer it calls `afterwards`, which may be slow.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, str], Any]] = []
        self.answer: Callable[[int], int] = lambda _: 200
        self.afterwards: Callable[[], object] = lambda: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                given = {name.lower(): value for name, value in self.headers.items()}
                receiver.seen.append((given, json.loads(body)))
                self.send_response(receiver.answer(len(receiver.seen)))
                self.end_headers()
                receiver.afterwards()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
                pass

        self.server = _Server((HOST, 0), Handler)
        self.url = url_of(self.server.server_port)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def bodies(self) -> list[Any]:
        """The JSON of the requests so far."""
        return [body for _, body in self.seen]

    @property
    def ids(self) -> list[str]:
        """The ids of the messages so far, in the order in which they came."""
        return [body["message"]["messageId"] for body in self.bodies]

    def close(self) -> None:
        """End the server."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
