"""The whole of failoverctl goes by the `Date` of what Google Cloud answers, errors too."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.cli.session import Session
from orchestrator.core.exceptions import Unavailable
from tests.support.fakes import configuration

AT = datetime(2020, 2, 20, 20, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Handler(BaseHTTPRequestHandler):
    """A bucket without objects and a Compute API that is down, years ago."""

    def do_GET(self) -> None:
        """The bucket is there, and nothing in it."""
        found = self.path.split("?")[0].endswith("/b/laptop-failover")
        self.send_response(503 if "compute" in self.path else 200 if found else 404)
        body = b"{}" if found else b""
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The time of this server."""
        del timestamp
        return "Thu, 20 Feb 2020 20:20:00 GMT"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """A server that stands for Cloud Storage and the Compute API."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def session(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session whose clouds are that server."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    monkeypatch.setenv("COMPUTE_EMULATOR_HOST", url)
    file = tmp_path / "failover.yaml"
    file.write_text(json.dumps(configuration()))
    return Session(str(file), as_json=False)


def test_the_time_is_that_of_the_state_store_as_soon_as_it_has_answered(session: Session) -> None:
    world = session.world()
    assert world.context.now() > AT + HOUR
    assert world.context.objects.get("checkout.json") is None
    assert AT <= world.context.now() < AT + HOUR
    assert world.machine() > AT + HOUR


def test_an_error_of_the_compute_api_tells_the_time_too(session: Session) -> None:
    world = session.world()
    with pytest.raises(Unavailable):
        world.context.traffic.read("checkout")
    assert AT <= world.context.now() < AT + HOUR
