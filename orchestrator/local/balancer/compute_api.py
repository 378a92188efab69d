"""A small Compute Engine API for the laptop: backend services, their operations, endpoint groups.

    python -m orchestrator.local.balancer.compute_api --config FILE --port N [--envoy-dir DIR]

It listens on the loopback interface, needs no credentials, and keeps everything in memory. What it
answers is what the real API is known to answer, to Google's client library and to gcloud (`gcloud`
has its environment); where that is not known it is strict. The rules are in `backend_services`, the
lists in `listing`, the time in `operations`, what Envoy is told in `envoy`, and the faults under
`/_laptop/` in `faults`. It must not know anything of the orchestrator that calls it.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from aiohttp import web

from orchestrator.local.balancer import envoy
from orchestrator.local.balancer.backend_services import (
    BackendService,
    backends_of,
    group_path,
    patched,
    updated,
)
from orchestrator.local.balancer.compute_world import ComputeWorld, load_world
from orchestrator.local.balancer.groups import HEALTH_TIMEOUT, Group, health_of
from orchestrator.local.balancer.listing import Collection, aggregated_page, page
from orchestrator.local.balancer.operations import Effect, Operations, OperationType
from orchestrator.local.process.loopback import HOST
from orchestrator.local.rpc.faults import (
    Controls,
    Handler,
    error_response,
    operation_failure,
    seconds_in,
)
from orchestrator.local.rpc.wire import ApiError, JsonObject, not_found, parse_object

BASE = "/compute/v1/projects/{project}/"
SHUTDOWN_SECONDS = 0.5  # for answers under way when the process is asked to end
_LOG = logging.getLogger(__name__)

Publish = Callable[[Iterable[BackendService]], None]
Mutation = Callable[[BackendService, JsonObject, Mapping[str, Group]], BackendService]


class ComputeApi:
    """The API's handlers over one world.

    `publish` is given all backend services at the start and whenever a change is applied; a change
    for which it raises is not applied, and its operation ends with an error. `admin` is the URL of
    Envoy's admin interface: where the load balancer checks health, its own view is told.
    """

    def __init__(
        self,
        world: ComputeWorld,
        operations: Operations,
        publish: Publish,
        admin: str | None = None,
    ) -> None:
        self._checks = world.checks
        self._admin = admin
        self._project = world.project
        self._groups = world.groups
        self._services = {service.path: service for service in world.services}
        self._operations = operations
        self._publish = publish
        self._session: aiohttp.ClientSession | None = None

    def routes(self) -> list[web.RouteDef]:
        """The routes of the API."""
        service = BASE + "global/backendServices/{name}"
        return [
            web.get(BASE + "{scope:global|aggregated}/backendServices", self._list),
            web.get(service, self._get),
            web.patch(service, self._patch),
            web.put(service, self._update),
            web.post(service + "/getHealth", self._get_health),
            web.post(service + "/testIamPermissions", self._test_permissions),
            web.get(BASE + "{scope:global|aggregated}/operations", self._list_operations),
            web.get(BASE + "global/operations/{name}", self._get_operation),
            web.post(BASE + "global/operations/{name}/wait", self._wait_operation),
            web.get(
                BASE + "{place:global|(zones|regions)/[^/]+}/networkEndpointGroups/{name}",
                self._get_group,
            ),
            web.put("/_laptop/operation_seconds", self._set_operation_seconds),
        ]

    async def life(self, _: web.Application) -> AsyncIterator[None]:
        """What lives as long as the server: the health checks' session, and the operations."""
        connector = aiohttp.TCPConnector(force_close=True)  # each check proves a new connection
        async with aiohttp.ClientSession(connector=connector) as self._session:
            self._publish(self._services.values())
            yield
            await self._operations.stop()

    async def _list(self, request: web.Request) -> web.Response:
        items = [self._services[path].resource() for path in sorted(self._services)]
        return self._listed(request, "backendServices", items)

    async def _list_operations(self, request: web.Request) -> web.Response:
        items = [operation.resource() for operation in self._operations.all()]
        return self._listed(request, "operations", items)

    def _listed(
        self, request: web.Request, noun: Collection, items: list[JsonObject]
    ) -> web.Response:
        self._check_project(request)
        paged = aggregated_page if request.match_info["scope"] == "aggregated" else page
        return web.json_response(paged(self._project, noun, items, request.query))

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._service(request).resource())

    async def _patch(self, request: web.Request) -> web.Response:
        return await self._mutate(request, "patch", patched)

    async def _update(self, request: web.Request) -> web.Response:
        return await self._mutate(request, "update", updated)

    async def _mutate(
        self, request: web.Request, kind: OperationType, mutation: Mutation
    ) -> web.Response:
        body = parse_object(await request.read())
        request_id = request.query.get("requestId", "")
        operation = self._operations.begun_by(request_id)
        if operation is None:
            current = self._service(request)
            self._operations.check_idle(current.path)
            changed = mutation(current, body, self._groups)
            failure = operation_failure(request)
            change = Effect(kind, current.path, current.id, lambda: self._store(changed), failure)
            operation = self._operations.begin(change, request_id)
        return web.json_response(operation.resource())

    async def _get_health(self, request: web.Request) -> web.Response:
        service = self._service(request)
        wanted = group_path(parse_object(await request.read()), "resource.group")
        if wanted not in self._groups:
            raise not_found(wanted)
        if wanted not in [group_path(backend) for backend in backends_of(service.content)]:
            raise ApiError(400, "invalid", f"'{wanted}' is not a backend of '{service.path}'.")
        assert self._session is not None  # `life` precedes the first request
        seen = await self._balancer_view(service, self._session)
        return web.json_response(await health_of(self._groups[wanted], self._session, seen))

    async def _balancer_view(
        self, service: BackendService, session: aiohttp.ClientSession
    ) -> Mapping[str, bool]:
        """What the load balancer thinks of its hosts; empty where it checks none."""
        if self._admin is None or not self._checks.of(service.content, self._groups):
            return {}
        limit = aiohttp.ClientTimeout(total=HEALTH_TIMEOUT)
        try:
            async with session.get(f"{self._admin}/clusters?format=json", timeout=limit) as answer:
                return envoy.hosts_health(await answer.json(content_type=None), service.name)
        except (aiohttp.ClientError, TimeoutError):
            return {}  # the load balancer is not there: what it would see is asked for

    async def _test_permissions(self, request: web.Request) -> web.Response:
        self._service(request)
        wanted = parse_object(await request.read()).get("permissions")
        if not isinstance(wanted, list):
            raise ApiError(400, "required", "Required field 'resource.permissions' not specified")
        return web.json_response({"permissions": wanted})

    async def _get_operation(self, request: web.Request) -> web.Response:
        return web.json_response(self._operations.get(self._path(request)).resource())

    async def _wait_operation(self, request: web.Request) -> web.Response:
        path = self._path(request).removesuffix("/wait")
        return web.json_response((await self._operations.wait(path)).resource())

    async def _get_group(self, request: web.Request) -> web.Response:
        path = self._path(request)
        if path not in self._groups:
            raise not_found(path)
        return web.json_response(self._groups[path].resource())

    async def _set_operation_seconds(self, request: web.Request) -> web.Response:
        seconds = seconds_in(parse_object(await request.read()))
        self._operations.set_seconds(seconds)
        return web.json_response({"seconds": seconds})

    def _service(self, request: web.Request) -> BackendService:
        self._check_project(request)
        path = f"projects/{self._project}/global/backendServices/{request.match_info['name']}"
        if path not in self._services:
            raise not_found(path)
        return self._services[path]

    def _path(self, request: web.Request) -> str:
        self._check_project(request)
        return request.path.removeprefix("/compute/v1/")

    def _check_project(self, request: web.Request) -> None:
        if request.match_info["project"] != self._project:
            raise not_found(f"projects/{request.match_info['project']}")

    def _store(self, changed: BackendService) -> None:
        """Publish the change, then keep it: what could not be published is not applied."""
        services = self._services | {changed.path: changed}
        self._publish(services.values())
        self._services = services


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error in Google's form, the framework's own and the unexpected ones too."""
    try:
        return await handler(request)
    except ApiError as error:
        return error_response(error)
    except web.HTTPException as error:
        if error.status in (404, 405):
            return error_response(ApiError(404, "notFound", f"No {request.method} {request.path}"))
        return error_response(ApiError(error.status, "invalid", error.reason))
    except Exception as error:  # noqa: BLE001  # a caller must get an answer, and the log the trace
        _LOG.exception("%s %s", request.method, request.path)
        return error_response(ApiError(503, "backendError", f"Internal error: {error}"))


def application(
    world: ComputeWorld, clock: Callable[[], datetime], publish: Publish, admin: str | None = None
) -> web.Application:
    """The server as an aiohttp application. `clock` gives aware times; `admin`: see ComputeApi."""
    controls = Controls()
    operations = Operations(world.project, clock, world.operation_seconds)
    api = ComputeApi(world, operations, publish, admin)

    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await controls.watch(request, handler)

    app = web.Application(middlewares=[watch, answer_errors])
    app.add_routes([*controls.routes(), *api.routes()])
    app.cleanup_ctx.append(api.life)
    return app


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="A small Compute Engine API for the laptop")
    parser.add_argument("--config", type=Path, required=True, help="the world, a JSON file")
    parser.add_argument("--port", type=int, required=True, help="to listen on, loopback only")
    parser.add_argument("--envoy-dir", type=Path, help="folder of Envoy's configuration")
    parser.add_argument("--envoy-admin", help="the URL of Envoy's admin interface")
    options = parser.parse_args()
    try:
        world = load_world(options.config.read_text(), datetime.now(UTC))
    except (OSError, ValueError) as error:
        parser.error(f"{options.config}: {error}")
    publish = _publisher(options.envoy_dir, world)
    app = application(world, lambda: datetime.now(UTC), publish, options.envoy_admin)
    web.run_app(
        app,
        host=HOST,
        port=options.port,
        access_log=None,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )


def _publisher(folder: Path | None, world: ComputeWorld) -> Publish:
    if folder is None:
        return lambda _: None
    return lambda services: envoy.write_clusters(
        folder,
        {service.name: service.content for service in services},
        world.groups,
        world.checks,
    )


if __name__ == "__main__":
    main()
