"""A customer of the shop, who comes through the load balancer: logs in, orders, looks again."""

from __future__ import annotations

import json
import uuid

from orchestrator.local.process.ask import HttpAnswer, ask
from orchestrator.local.process.wait import wait_until

PATIENCE = 30.0
"""Seconds that the customer tries one thing, until it is done."""


class Customer:
    """A customer at `url`, the load balancer's. `orders` are the ids of what was acknowledged."""

    def __init__(self, url: str, user: str) -> None:
        self.user = user
        self.orders: list[str] = []
        self._url = url.rstrip("/")
        self._token = ""

    def log_in(self) -> None:
        """Log in, trying again until it succeeds. Raises TimeoutError."""
        answer = self._until_done("/login", {"user": self.user}, "the customer to be logged in")
        self._token = str(answer.json()["token"])

    def order(self, sku: str) -> None:
        """Make an order, trying again, with the same key, until it is made. Raises TimeoutError."""
        number = uuid.uuid4().hex
        content = {"sku": sku, "quantity": 1}
        self._until_done("/orders", content, "the order to be made", number)
        self.orders.append(number)

    def is_known(self) -> bool:
        """Whether whoever answers now knows the session."""
        answer = self._send("GET", "/me")
        return answer.ok and answer.json()["user"] == self.user

    def missing(self) -> tuple[str, ...]:
        """The orders that whoever answers now does not show."""
        return tuple(n for n in self.orders if not self._send("GET", f"/orders/{n}").ok)

    def _until_done(self, path: str, content: object, what: str, key: str = "") -> HttpAnswer:
        def done() -> HttpAnswer | None:
            answer = self._send("POST", path, content, key)
            return answer if answer.ok else None

        found = wait_until(done, PATIENCE, what)
        assert found is not None  # that is what was waited for
        return found

    def _send(self, method: str, path: str, content: object = None, key: str = "") -> HttpAnswer:
        body = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json", "Cookie": f"session={self._token}"}
        if key:
            headers["Idempotency-Key"] = key
        return ask(self._url + path, method, body, headers)
