"""A small regional application: what users reach, and what probes ask for health.

It runs as a process of its own, so that a drill can kill or freeze it:

    python -m orchestrator.local.region.regional_app --region us-east-1 --port 8101

`GET /` (any path but those below) serves a user and says which region did; `GET /healthz` and
`GET /health` are the health endpoints, `GET /healthz/primary` is the one for the load balancer;
`POST /_laptop/behave` changes how it answers from now on; `GET /_laptop/requests` counts the user
requests served. It must not know anything of failover: who is primary, it has to be told.
"""

import argparse
import asyncio
import json
from datetime import UTC, datetime

from aiohttp import web

from orchestrator.local.process.http_status import REDIRECTION, SUCCESS
from orchestrator.local.process.loopback import HOST
from orchestrator.local.region.behaviour import Behaviour


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
        app.router.add_get("/healthz/primary", self._primary)
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
        return await self._checked(self.behaviour.health_status)

    async def _primary(self, _request: web.Request) -> web.Response:
        healthy = self.behaviour.health_status in SUCCESS
        status = self.behaviour.primary_status if healthy else self.behaviour.health_status
        return await self._checked(status)

    async def _checked(self, status: int) -> web.Response:
        await asyncio.sleep(self.behaviour.delay)
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
    parser = argparse.ArgumentParser(prog="python -m orchestrator.local.region.regional_app")
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
