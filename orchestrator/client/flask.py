"""The health endpoint as a Flask blueprint.

    app.register_blueprint(blueprint(check))

Without Flask there are `wsgi` and `asgi`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint, Response, request

from orchestrator.client.health import HealthCheck
from orchestrator.client.health._endpoint import METHODS, PATHS, Endpoint

_REFUSED = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def blueprint(check: HealthCheck, paths: Sequence[str] = PATHS) -> Blueprint:
    """Routes for each path, and for each with `/primary` behind it.

    What the application does before every request (`before_request`) is done before these too: let
    it pass them without a login, and without a look at the database.
    """
    endpoint = Endpoint(check, paths)
    made = Blueprint("region_health", __name__)

    def view(path: str) -> Callable[[], Response]:
        def answer() -> Response:
            asked = "GET" if request.method == "HEAD" else request.method  # Flask cuts the body
            reply = endpoint.reply(asked, path)
            return Response(reply.body, reply.status.value, list(reply.headers))

        return answer

    for path in endpoint.served:
        made.add_url_rule(
            path,
            endpoint=path.replace("/", "-").strip("-"),
            view_func=view(path),
            methods=[*METHODS, *_REFUSED],  # so that no rule for any path answers them
            provide_automatic_options=False,
        )
    return made
