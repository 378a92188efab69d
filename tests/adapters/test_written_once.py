"""A create that is refused because of what is there already, and one that is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.auth.credentials import AnonymousCredentials

from orchestrator.adapters.gcp.objects import GcsObjects
from orchestrator.core.exceptions import Conflict, Unavailable

ENTRY = "journal/checkout/00000007-x.json"


@contextmanager
def storage(look: int) -> Iterator[GcsObjects]:
    """A Cloud Storage that lets nothing be written. look: how it answers a look at the object."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(look, {"name": ENTRY, "generation": "1"})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            denied = "Permission 'storage.objects.delete' denied"
            reasons = [{"reason": "forbidden"}]
            self._say(403, {"error": {"code": 403, "message": denied, "errors": reasons}})

        def _say(self, status: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's word
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield GcsObjects("p", "state", "", AnonymousCredentials(), url)
        finally:
            server.shutdown()
            thread.join()


def test_an_entry_that_is_there_is_a_conflict_for_who_may_not_overwrite_it() -> None:
    """As it is for everybody else: two regions record the same poison, and nobody is paged."""
    with storage(200) as objects, pytest.raises(Conflict, match="is there already"):
        objects.put(ENTRY, b"{}", 0)


@pytest.mark.parametrize("look", [404, 403, 500])
def test_a_create_that_is_refused_of_what_is_not_there_pages(look: int) -> None:
    with storage(look) as objects, pytest.raises(Unavailable, match="denied") as caught:
        objects.put(ENTRY, b"{}", 0)
    assert caught.value.page


def test_an_overwrite_that_is_refused_is_no_conflict() -> None:
    """Nobody was faster: the permission is missing."""
    with storage(200) as objects, pytest.raises(Unavailable, match="denied"):
        objects.put("checkout.json", b"{}", 1)
