"""A handle on one region: start it, break it in the ways regions break, mend it.

A region is its application, and in a world with data its own DynamoDB too. What is done to the
region is done to both; `application` and `database` fail alone as well. It must not touch the load
balancer or the orchestrator: a region fails on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.local.dynamodb.database import Database
from orchestrator.local.process.ask import ask, post_json
from orchestrator.local.process.server import Server


@dataclass(frozen=True, slots=True)
class ShopSettings:
    """What the shop of every region is told: the document's URL, the mode, its environment."""

    document: str
    mode: str
    env: Mapping[str, str]


class LocalRegion:
    """One region, on ports that stay the same over restarts.

    `name` is the region's name, `folder` takes its logs. `shop`: its application is the shop, over
    a DynamoDB of its own; None: it is one that answers 200 and has no data.
    """

    def __init__(self, name: str, folder: Path, shop: ShopSettings | None = None) -> None:
        self.name = name
        self.database = Database(name, folder) if shop else None
        module = "orchestrator.local.region.regional_app"
        arguments = ["--region", name]
        if shop and self.database:
            module = "orchestrator.local.region.shop"
            arguments += ["--document", shop.document, "--mode", shop.mode]
            arguments += ["--endpoint", self.database.url]
        self.application = Server(
            f"region {name}",
            module,
            arguments,
            folder=folder,
            ready="/_laptop/requests",
            env=shop.env if shop else None,
        )

    @property
    def port(self) -> int:
        """The application's."""
        return self.application.port

    @property
    def address(self) -> str:
        """Where a load balancer reaches it: host and port."""
        return self.application.address

    @property
    def url(self) -> str:
        """Where a user reaches this region directly."""
        return self.application.url + "/"

    @property
    def health_url(self) -> str:
        """What uptime checks and the orchestrator's probe ask."""
        return self.application.url + "/healthz"

    def start(self) -> None:
        """Start it (again), behaving well, and wait until it answers."""
        down = [server for server in self._servers if not server.running]
        for server in down or self._servers:
            server.launch()
        for server in down:
            server.wait_ready()

    def kill(self) -> None:
        """End it without warning: connections to it are refused from now on."""
        for server in self._servers:
            server.kill()

    def hang(self) -> None:
        """Freeze it: connections are accepted and nothing is ever answered."""
        for server in self._servers:
            server.hang()

    def resume(self) -> None:
        """Let a frozen one run on."""
        for server in self._servers:
            server.resume()

    def behave(
        self,
        *,
        health_status: int | None = None,
        serve_status: int | None = None,
        primary_status: int | None = None,
        delay: float | None = None,
    ) -> None:
        """Change how it answers health probes and users, and how late (seconds); None: as it is.

        Raises ValueError if the application refuses the wish.
        """
        wish = {
            "health_status": health_status,
            "serve_status": serve_status,
            "primary_status": primary_status,
            "delay": delay,
        }
        given = {name: value for name, value in wish.items() if value is not None}
        answer = post_json(self._control("behave"), given)
        if not answer.ok:
            raise ValueError(answer.body.decode())

    @property
    def served(self) -> int:
        """How many user requests it has served since it was started."""
        return int(ask(self._control("requests")).json()["served"])

    def stop(self) -> None:
        """End it for good, frozen or not."""
        for server in self._servers:
            server.stop()

    @property
    def _servers(self) -> tuple[Server, ...]:
        """The database first: it is slower to start, and first to go."""
        return (self.database, self.application) if self.database else (self.application,)

    def _control(self, what: str) -> str:
        return f"{self.application.url}/_laptop/{what}"
