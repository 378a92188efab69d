"""One HTTP request from a blocking thread: for control calls, push delivery and tests.

Every status is an answer, nothing is retried and no redirect is followed: what happened is what the
caller sees. Servers and steady traffic use aiohttp; this must not grow into a client library.
"""

import http.client
import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from orchestrator.local.process.http_status import SUCCESS


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers (names in lower case) and body of an HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """True for a 2xx status."""
        return self.status in SUCCESS

    def json(self) -> Any:
        """The body read as JSON. Raises ValueError if it is not."""
        return json.loads(self.body)


def ask(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 5.0,
) -> HttpAnswer:
    """Send one request and read the whole answer; `timeout` (seconds) holds for each socket wait.

    Raises OSError (refused, reset, TimeoutError) or http.client.HTTPException (a broken answer).
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body, dict(headers or {}))
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return HttpAnswer(answer.status, found, answer.read())
    finally:
        connection.close()


def post_json(url: str, document: object, timeout: float = 5.0) -> HttpAnswer:
    """POST `document` as JSON and return the answer; raises as `ask` does."""
    body = json.dumps(document).encode()
    return ask(url, "POST", body, {"Content-Type": "application/json"}, timeout)


def answers(url: str, timeout: float = 1.0, *, statuses: Container[int] = SUCCESS) -> bool:
    """True if the server at `url` now gives an answer of `statuses`; if unreachable, False."""
    try:
        return ask(url, timeout=timeout).status in statuses
    except (OSError, http.client.HTTPException):
        return False
