"""Whatever Google's front ends answer, only our own errors come out of the adapters."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from google.auth.credentials import AnonymousCredentials

from orchestrator.adapters.gcp.objects import GcsObjects
from orchestrator.adapters.gcp.traffic import BackendServices
from orchestrator.core.exceptions import Conflict, Unavailable

Answer = tuple[int, bytes]


class _Quiet(ThreadingHTTPServer):
    """A server to which a client that hangs up is nothing to write about."""

    def handle_error(self, request: object, client_address: object) -> None:
        del request, client_address


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A server that gives everybody the same answer; its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _say(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer[1])

        do_GET = do_POST = do_PATCH = _say  # noqa: N815  # the library's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's word
            del format, args

    with _Quiet(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


ODD = [
    b"",
    b"null",
    b"{}",
    b"[]",
    b"7",
    b"<html>Error</html>",
    b'{"backends": [null], "fingerprint": "f"}',
    b'{"backends": ["x"], "fingerprint": "f"}',
    b'{"status": "DONE", "error": "x"}',
    b'{"status": "DONE", "error": {"errors": ["x"]}}',
    b'{"error": 1}',
    b'{"error": {"errors": ["x"]}}',
    b'{"generation": "x"}',
    b"\xff\xfe",
]
STATUSES = [200, 204, 302, 400, 401, 403, 404, 409, 429, 500, 503]


@pytest.mark.parametrize("body", ODD)
@pytest.mark.parametrize("status", STATUSES)
def test_odd_answers_of_the_compute_api_are_unavailable(status: int, body: bytes) -> None:
    body = b"" if status == 204 else body
    with answering((status, body)) as url, requests.Session() as session:
        adapter = BackendServices("laptop", url, lambda: session, AnonymousCredentials)
        change = {"backends": [{"group": "g"}], "fingerprint": "f"}
        with pytest.raises(Unavailable):
            adapter.read("checkout")
        with pytest.raises(Unavailable):
            adapter.patch("checkout", change)


@pytest.mark.parametrize(
    ("operation", "page"),
    [
        ({"error": "x"}, False),
        ({"error": {"errors": ["x"]}}, False),
        ({"error": {"errors": [{"code": "INTERNAL_ERROR"}]}, "httpErrorStatusCode": 503}, False),
        ({"error": {"errors": [{"code": "CONDITION"}]}, "httpErrorStatusCode": 412}, False),
        ({"error": {"errors": [{"code": "INVALID"}]}, "httpErrorStatusCode": 400}, True),
    ],
)
def test_an_operations_own_error_is_raised_and_pages_if_it_will_last(
    operation: dict[str, object], page: bool
) -> None:
    answer = json.dumps({"status": "DONE", **operation}).encode()
    with answering((200, answer)) as url, requests.Session() as session:
        adapter = BackendServices("laptop", url, lambda: session, AnonymousCredentials)
        with pytest.raises(Unavailable) as raised:
            adapter.wait("operation-1")
        assert raised.value.page is page


@pytest.mark.parametrize("body", [{}, {"backends": []}, {"backends": [{"group": "g"}]}])
def test_a_change_without_backends_or_fingerprint_is_never_sent(body: dict[str, object]) -> None:
    """The API would take an empty list for the wish to have no backends."""

    def never() -> requests.Session:
        raise AssertionError("a request was made")

    adapter = BackendServices("laptop", "http://127.0.0.1:1", never, AnonymousCredentials)
    with pytest.raises(Unavailable, match="refused"):
        adapter.patch("checkout", body)


@pytest.mark.parametrize("body", ODD)
@pytest.mark.parametrize("status", [s for s in STATUSES if s != 302])
def test_odd_answers_of_cloud_storage_are_ours(status: int, body: bytes) -> None:
    body = b"" if status == 204 else body
    with answering((status, body)) as url:
        objects = GcsObjects("laptop", "bucket", "", AnonymousCredentials(), url)
        with pytest.raises(Unavailable):  # 404 too: the bucket is asked, and answers so as well
            objects.get("checkout.json")
        with pytest.raises((Unavailable, Conflict)):
            objects.put("checkout.json", b"{}", 1)
