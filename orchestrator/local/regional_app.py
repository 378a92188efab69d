"""A small regional application: what users reach, and what probes ask for health.

It runs as a process of its own, so that a drill can kill or freeze it:

    python -m orchestrator.local.regional_app --region us-east-1 --port 8101

`GET /` (any path but those below) serves a user and says which region did; `GET /healthz` and
`GET /health` are the health endpoints; `POST /_laptop/behave` changes how it answers from now on;
`GET /_laptop/requests` counts the user requests served. It must not know anything of failover.
"""

import argparse
import asyncio
import json
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from orchestrator.local.http_status import FINAL, REDIRECTION, SUCCESS
from orchestrator.local.loopback import HOST


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the application answers: the two statuses, and the seconds before every answer."""

    health_status: int = 200
    serve_status: int = 200
    delay: float = 0.0

    def changed(self, wish: dict[str, Any]) -> "Behaviour":
        """This behaviour with the fields of `wish` replaced. Raises ValueError on a bad wish."""
        unknown = set(wish) - {field.name for field in fields(self)}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        result = replace(self, **wish)
        if not all(s in FINAL for s in (result.health_status, result.serve_status)):
            raise ValueError("a status must be 200 to 599")
        if result.delay < 0:
            raise ValueError("delay must not be negative")
        return result


class RegionalApp:
    """The application of one region: its handlers, its behaviour and its count of users served."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.behaviour = Behaviour()
        self.served = 0

    def application(self) -> web.Application:
        """The aiohttp application with all routes."""
        app = web.Application()
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/health", self._health)
        app.router.add_post("/_laptop/behave", self._behave)
        app.router.add_get("/_laptop/requests", self._requests)
        app.router.add_get("/{path:.*}", self._serve)
        return app

    async def _serve(self, _request: web.Request) -> web.Response:
        await asyncio.sleep(self.behaviour.delay)
        self.served += 1
        at = datetime.now(UTC).isoformat()
        return web.json_response(
            {"region": self.region, "at": at}, status=self.behaviour.serve_status
        )

    async def _health(self, _request: web.Request) -> web.Response:
        await asyncio.sleep(self.behaviour.delay)
        status = self.behaviour.health_status
        word = "ok" if status in SUCCESS else "failing"
        headers = {"Location": "/elsewhere"} if status in REDIRECTION else None
        return web.json_response(
            {"status": word, "region": self.region}, status=status, headers=headers
        )

    async def _behave(self, request: web.Request) -> web.Response:
        try:
            self.behaviour = self.behaviour.changed(await request.json())
        except (ValueError, TypeError) as error:
            raise web.HTTPBadRequest(text=json.dumps({"error": str(error)})) from error
        return web.json_response({})

    async def _requests(self, _request: web.Request) -> web.Response:
        return web.json_response({"served": self.served})


def main() -> None:
    """Serve one region on the loopback interface until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.local.regional_app")
    parser.add_argument("--region", required=True, help="the name that answers carry")
    parser.add_argument("--port", required=True, type=int, help="the port on 127.0.0.1")
    options = parser.parse_args()
    web.run_app(
        RegionalApp(options.region).application(),
        host=HOST,
        port=options.port,
        access_log=None,
        print=None,
        shutdown_timeout=0.5,
    )


if __name__ == "__main__":
    main()
