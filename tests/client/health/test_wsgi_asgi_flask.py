"""The health endpoint as WSGI, ASGI and Flask have it, by real servers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from orchestrator.adapters.probe import HttpProber
from orchestrator.client import asgi as asgi_form
from orchestrator.client import wsgi as wsgi_form
from orchestrator.client.flask import blueprint
from orchestrator.client.health import HealthCheck, Limits, RegionItems
from orchestrator.client.health._endpoint import PATHS, Endpoint
from orchestrator.core.model import Verdict
from orchestrator.core.policy import Region
from orchestrator.local.dynamodb.database import Database
from orchestrator.local.process.ask import ask
from orchestrator.local.process.wait import wait_until
from tests.support.health_parts import FakeItems, asgi, at_once, heard, session, viewing, wsgi
from tests.support.regional import EAST, WEST, document

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

Serve = Callable[[HealthCheck, Sequence[str]], AbstractContextManager[str]]


def hello_wsgi(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """An application that answers every path and method."""
    del environ
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


async def hello_asgi(scope: Any, receive: Any, send: Any) -> None:
    """The same, which takes part in the lifespan."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def as_wsgi(check: HealthCheck, paths: Sequence[str]) -> AbstractContextManager[str]:
    return wsgi(wsgi_form.HealthApp(check, paths=paths))


def before_wsgi(check: HealthCheck, paths: Sequence[str]) -> AbstractContextManager[str]:
    return wsgi(wsgi_form.HealthApp(check, then=hello_wsgi, paths=paths))


def as_asgi(check: HealthCheck, paths: Sequence[str]) -> AbstractContextManager[str]:
    return asgi(asgi_form.HealthApp(check, paths=paths))


def before_asgi(check: HealthCheck, paths: Sequence[str]) -> AbstractContextManager[str]:
    return asgi(asgi_form.HealthApp(check, then=hello_asgi, paths=paths))


def as_flask(check: HealthCheck, paths: Sequence[str]) -> AbstractContextManager[str]:
    app = Flask("health")
    app.register_blueprint(blueprint(check, paths))
    return wsgi(app)


def in_flask(check: HealthCheck, paths: Sequence[str]) -> AbstractContextManager[str]:
    app = Flask("shop")
    app.register_blueprint(blueprint(check, paths))
    app.add_url_rule("/<path:path>", view_func=lambda path: f"hello{path[:0]}")
    return wsgi(app)


ALONE = (as_wsgi, as_asgi, as_flask)
IN_FRONT = (before_wsgi, before_asgi, in_flask)


@dataclass
class Served:
    """A health endpoint over a real server."""

    items: FakeItems
    check: HealthCheck
    url: str


Start = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Start]:
    """Serve the east's endpoint in some form; `limits` and `paths` as they are wanted."""
    with ExitStack() as stack:

        def start(
            form: Serve, *, limits: Limits | None = None, paths: Sequence[str] = PATHS
        ) -> Served:
            view, _ = stack.enter_context(viewing(document(7, EAST, epoch=3)))
            items = FakeItems(heard(WEST, 2))
            check = HealthCheck(EAST, items, view, limits=limits)
            return Served(items, check, stack.enter_context(form(check, paths)))

        yield start


@pytest.mark.parametrize("form", ALONE + IN_FRONT)
def test_the_paths_answer_by_default(serve: Start, form: Serve) -> None:
    served = serve(form)
    for path in ("/healthz", "/health", "/healthz/primary", "/health/primary"):
        answer = ask(served.url + path)
        assert answer.status == 200, path
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        told = answer.json()
        assert (told["status"], told["revision"], told["epoch"]) == ("ok", 7, 3)
        assert 1 < told["replication_lag_seconds"][WEST] < 10


@pytest.mark.parametrize("form", ALONE + IN_FRONT)
def test_an_unhealthy_region_answers_503(serve: Start, form: Serve) -> None:
    served = serve(form)
    served.items.trouble = OSError("secret.internal.example")
    for path in ("/healthz", "/healthz/primary"):
        answer = ask(served.url + path)
        assert answer.status == 503
        assert answer.json()["status"] == "failing"
        assert b"secret" not in answer.body


@pytest.mark.parametrize("form", ALONE + IN_FRONT)
def test_head_has_the_headers_of_get_and_no_body(serve: Start, form: Serve) -> None:
    served = serve(form, limits=Limits(cache=30))
    got, head = ask(served.url + "/healthz"), ask(served.url + "/healthz", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-type"] == "application/json"
    assert head.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("form", ALONE + IN_FRONT)
def test_no_other_method_is_allowed(serve: Start, form: Serve, method: str) -> None:
    answer = ask(serve(form).url + "/healthz", method)
    assert answer.status == 405
    assert {one.strip() for one in answer.headers["allow"].split(",")} == {"GET", "HEAD"}


@pytest.mark.parametrize("form", ALONE)
def test_other_paths_are_not_found(serve: Start, form: Serve) -> None:
    served = serve(form)
    for path in ("/", "/healthz/", "/healthz/other", "/orders"):
        assert ask(served.url + path).status == 404, path
    assert served.items.reads == []


@pytest.mark.parametrize("form", IN_FRONT)
def test_other_paths_are_the_applications(serve: Start, form: Serve) -> None:
    served = serve(form)
    assert ask(served.url + "/orders").body == b"hello"
    assert ask(served.url + "/healthz/other").body == b"hello"
    assert served.items.reads == []


@pytest.mark.parametrize("form", ALONE + IN_FRONT)
def test_the_paths_can_be_others(serve: Start, form: Serve) -> None:
    served = serve(form, paths=("/_ah/live",))
    assert ask(served.url + "/_ah/live").status == 200
    assert ask(served.url + "/_ah/live/primary").status == 200
    other = ask(served.url + "/healthz")
    assert other.status == 404 or other.body == b"hello"


@pytest.mark.parametrize("paths", [("healthz",), ("/healthz/",), ("/",), "/healthz"])
def test_a_path_that_cannot_work_is_refused(paths: Sequence[str]) -> None:
    with pytest.raises(ValueError, match="begins with a slash and ends without one"):
        Endpoint(HealthCheck(EAST, FakeItems()), paths)


@pytest.mark.parametrize("form", ALONE + IN_FRONT)
def test_fifty_requests_at_once_read_once(serve: Start, form: Serve) -> None:
    served = serve(form, limits=Limits(timeout=30, cache=30))
    served.items.going_on.clear()
    threading.Timer(0.2, served.items.going_on.set).start()
    answers = at_once(lambda: ask(served.url + "/healthz", timeout=20).status, 50)
    assert answers == [200] * 50
    assert len(served.items.reads) == 1


@pytest.mark.parametrize("form", IN_FRONT)
def test_a_read_that_hangs_does_not_keep_users_waiting(serve: Start, form: Serve) -> None:
    served = serve(form, limits=Limits(timeout=30, cache=30))
    served.items.going_on.clear()
    checkers = [
        threading.Thread(target=ask, args=(f"{served.url}/healthz",), kwargs={"timeout": 20})
        for _ in range(6)
    ]
    for checker in checkers:
        checker.start()
    assert [ask(served.url + "/orders").body for _ in range(10)] == [b"hello"] * 10
    assert all(checker.is_alive() for checker in checkers)
    served.items.going_on.set()
    for checker in checkers:
        checker.join(timeout=10)
    assert len(served.items.reads) == 1


@pytest.mark.parametrize("form", ALONE)
def test_the_orchestrators_probe_understands_it(serve: Start, form: Serve) -> None:
    served = serve(form)
    region = Region(EAST, "dynamodb", f"{served.url}/healthz", None, ())
    probe = HttpProber(timeout=30, attempts=1).probe([region])[EAST]
    assert probe.verdict is Verdict.HEALTHY
    behind = probe.behind(WEST)
    assert isinstance(behind, float)
    assert 1 < behind < 10


@pytest.mark.parametrize("root", ["/shop", "/shop/healthz"])
def test_below_the_path_where_it_is_mounted_it_is_found(root: str) -> None:
    form = asgi_form.HealthApp(HealthCheck(EAST, FakeItems()))
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("a GET has nothing to be received")

    scope = {"type": "http", "method": "GET", "path": f"{root}/healthz", "root_path": root}
    asyncio.run(form(scope, receive, send))
    assert sent[0]["status"] == 200


@pytest.mark.world
@pytest.mark.long
@pytest.mark.parametrize("form", ALONE)
def test_over_a_dynamodb_that_hangs_it_answers_503_in_time(dynamo: Database, form: Serve) -> None:
    items = RegionItems("checkout", EAST, endpoint_url=dynamo.url, session=session())
    check = HealthCheck(EAST, items, limits=Limits(timeout=1.0, cache=0.0))
    with form(check, PATHS) as url:
        wait_until(lambda: ask(url + "/healthz").status == 200, 30, "the region to be healthy")
        dynamo.hang()
        answer = ask(url + "/healthz", timeout=30.0)
        assert answer.status == 503
        assert answer.json()["checks"] == {"dynamodb": "timeout"}
        dynamo.resume()
