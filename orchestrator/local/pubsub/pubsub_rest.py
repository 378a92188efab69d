"""The REST face of the small Pub/Sub, for `curl` and for clients that speak no gRPC.

A request's JSON becomes the method's protobuf message, and back, by protobuf's own rules: an
unknown field or a wrong type is refused. It must not know a rule of Pub/Sub.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from google.protobuf import json_format

from orchestrator.local.process.loop_thread import LoopThread
from orchestrator.local.process.loopback import HOST
from orchestrator.local.pubsub.publisher_methods import Method
from orchestrator.local.pubsub.pubsub import Code, Refused
from orchestrator.local.rpc.faults import Handler

STATUSES = {
    Code.INVALID_ARGUMENT: 400,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
}
_LARGEST_BODY = 32 * 2**20  # base64 adds a third to the largest message, and JSON a little
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_TOPIC = "/v1/{name:projects/[^/]+/topics/[^/:]+}"
_SUBSCRIPTION = "/v1/{name:projects/[^/]+/subscriptions/[^/:]+}"
_QUERY = {"pageSize", "pageToken"}


class RestFace:
    """Serves `methods` on `port` of the loopback interface, from the constructor until `close`."""

    def __init__(self, methods: Mapping[str, Method], port: int) -> None:
        self._thread = LoopThread("pubsub-rest")
        try:
            self._runner = self._thread.run(_open(methods, port))
        except BaseException:
            self._thread.stop()
            raise

    def close(self) -> None:
        """Stop listening and drop what is under way."""
        self._thread.run(self._runner.cleanup())
        self._thread.stop()


async def _open(methods: Mapping[str, Method], port: int) -> web.AppRunner:
    app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[_answer_errors])
    app.add_routes(_routes(methods))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    return runner


def _routes(methods: Mapping[str, Method]) -> list[web.RouteDef]:
    def handler(name: str, field: str) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            return await _answer(request, methods[name], field)

        return handle

    return [
        web.put(_TOPIC, handler("CreateTopic", "name")),
        web.get(_TOPIC, handler("GetTopic", "topic")),
        web.delete(_TOPIC, handler("DeleteTopic", "topic")),
        web.post(_TOPIC + ":publish", handler("Publish", "topic")),
        web.get("/v1/{name:projects/[^/]+}/topics", handler("ListTopics", "project")),
        web.put(_SUBSCRIPTION, handler("CreateSubscription", "name")),
        web.get(_SUBSCRIPTION, handler("GetSubscription", "subscription")),
        web.delete(_SUBSCRIPTION, handler("DeleteSubscription", "subscription")),
        web.post(_SUBSCRIPTION + ":pull", handler("Pull", "subscription")),
        web.post(_SUBSCRIPTION + ":acknowledge", handler("Acknowledge", "subscription")),
        web.post(
            _SUBSCRIPTION + ":modifyAckDeadline", handler("ModifyAckDeadline", "subscription")
        ),
    ]


async def _answer(request: web.Request, method: Method, field: str) -> web.Response:
    """The method's answer; `field` of its request is what the path names."""
    given = _object(await request.read()) if request.can_read_body else {}
    query = {name: value for name, value in request.query.items() if name in _QUERY}
    whole = {**given, **query, field: request.match_info["name"]}
    try:
        message = json_format.ParseDict(whole, method.request())
    except (json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(Code.INVALID_ARGUMENT, f"Invalid JSON payload: {error}") from error
    return web.json_response(text=json_format.MessageToJson(method.answer(message)))


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refused(Code.INVALID_ARGUMENT, f"Invalid JSON payload: {error}") from error
    if not isinstance(found, dict):
        raise Refused(Code.INVALID_ARGUMENT, "Invalid JSON payload: it is no object")
    _check_base64(found.get("messages"))
    return found


def _check_base64(messages: object) -> None:
    """Refuse data that is not base64: protobuf's reader skips the letters that it does not know."""
    for message in messages if isinstance(messages, list) else []:
        data = message.get("data") if isinstance(message, dict) else None
        if isinstance(data, str) and not _BASE64.fullmatch(data):
            raise Refused(Code.INVALID_ARGUMENT, "Invalid JSON payload: `data` is not base64")


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refusal:
        return _error(STATUSES[refusal.code], refusal.code, refusal.message)
    except web.HTTPException as error:
        if error.status in (404, 405):
            return _error(404, Code.NOT_FOUND, f"No {request.method} {request.path}")
        return _error(error.status, Code.INVALID_ARGUMENT, error.reason)


def _error(status: int, code: Code, message: str) -> web.Response:
    body = {"error": {"code": status, "message": message, "status": code.value}}
    return web.json_response(body, status=status)
