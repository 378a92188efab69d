"""The health endpoint as a WSGI application, alone or in front of another one. No framework.

    application = HealthApp(check, then=application)

While a measurement lasts, a second at most, every request for the endpoint holds a server's thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from orchestrator.client.health import HealthCheck
from orchestrator.client.health._endpoint import PATHS, Endpoint

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class HealthApp:
    """Answers the endpoint's paths; `then` answers all others, which without it are 404."""

    def __init__(
        self,
        check: HealthCheck,
        then: WSGIApplication | None = None,
        *,
        paths: Sequence[str] = PATHS,
    ) -> None:
        self._endpoint = Endpoint(check, paths)
        self._then = then

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request, as WSGI has it."""
        path = environ.get("PATH_INFO", "")
        if self._then is not None and not self._endpoint.serves(path):
            return self._then(environ, start_response)
        reply = self._endpoint.reply(environ["REQUEST_METHOD"], path)
        start_response(f"{reply.status.value} {reply.status.phrase}", list(reply.headers))
        return [reply.body]
