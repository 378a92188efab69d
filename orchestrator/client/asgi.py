"""The health endpoint as an ASGI 3 application, alone or in front of another one. No framework.

    app = HealthApp(check, then=app)

It never blocks the event loop: what has to be measured is measured in threads of its own, not in
the loop's, which the application may have filled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from orchestrator.client._process.fork import in_child
from orchestrator.client.health import HealthCheck
from orchestrator.client.health._endpoint import PATHS, Endpoint, Reply

AsgiMessage = MutableMapping[str, Any]  # as ASGI has it: what a key holds depends on `type`
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]
App = Callable[[AsgiMessage, Receive, Send], Awaitable[None]]

_THREADS = 4


class HealthApp:
    """Answers the endpoint's paths; `then` answers all others, which without it are 404.

    The server's lifespan messages go to `then`, and are agreed to without it.
    """

    def __init__(
        self, check: HealthCheck, then: App | None = None, *, paths: Sequence[str] = PATHS
    ) -> None:
        self._endpoint = Endpoint(check, paths)
        self._then = then
        self._reset()
        in_child(self, HealthApp._reset)

    def _reset(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="health")

    async def __call__(self, scope: AsgiMessage, receive: Receive, send: Send) -> None:
        """One connection, as ASGI has it."""
        ours = scope["type"] == "http" and self._endpoint.serves(_path(scope))
        if self._then is not None and not ours:
            await self._then(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, send)
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            raise ValueError(f"this application does not know the protocol {scope['type']!r}")

    async def _answer(self, scope: AsgiMessage, send: Send) -> None:
        path, method = _path(scope), scope["method"]
        recent = self._endpoint.check.recent
        if recent or not self._endpoint.serves(path):
            reply = self._endpoint.reply(method, path, recent)
        else:
            loop = asyncio.get_running_loop()
            reply = await loop.run_in_executor(self._threads, self._endpoint.reply, method, path)
        await _send(send, reply)


def _path(scope: AsgiMessage) -> str:
    """The path below where the application is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


async def _send(send: Send, reply: Reply) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers]
    start = {"type": "http.response.start", "status": reply.status.value, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": reply.body})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
