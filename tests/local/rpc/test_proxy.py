"""The fault proxy does what its hook says, and nothing else."""

import gzip
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from orchestrator.local.process.ask import ask
from orchestrator.local.process.loopback import HOST, free_port, url_of
from orchestrator.local.process.wait import wait_until
from orchestrator.local.rpc.proxy import (
    Delay,
    FaultProxy,
    Hold,
    OwnAnswer,
    Request,
    ResetAfter,
    ResetBefore,
    Review,
    RunBeside,
    Treatment,
)


class Target:
    """A server that records each request and answers 201 with the body it was sent."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.before: Callable[[], object] | None = None
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                given = {name.lower(): value for name, value in self.headers.items()}
                target.seen.append((self.command, self.path, given, body))
                if target.before:
                    target.before()
                self.send_response(201)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Target", "yes")
                if "content-encoding" in given:
                    self.send_header("Content-Encoding", given["content-encoding"])
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PATCH = do_DELETE = do_POST  # noqa: N815 - the library's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
                pass

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.server.daemon_threads = True
        self.url = url_of(self.server.server_port)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        """End the server."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def target() -> Iterator[Target]:
    """A server to stand behind a proxy."""
    found = Target()
    yield found
    found.close()


@pytest.fixture
def proxy(target: Target) -> Iterator[FaultProxy]:
    """A proxy before the target, without a hook."""
    with FaultProxy(target.url) as found:
        yield found


def test_requests_pass_untouched(proxy: FaultProxy, target: Target) -> None:
    """Method, raw path and query, headers and a compressed body arrive as they were sent."""
    body = gzip.compress(b'{"a": 1}')
    sent = {"Content-Encoding": "gzip", "X-Thing": "1", "Accept-Encoding": "gzip"}
    path = "/storage/v1/b/x/o/a%2Fb%20c.json?ifGenerationMatch=0&q=%3D+&empty="
    answer = ask(proxy.url + path, "PATCH", body, sent)
    assert (answer.status, answer.body) == (201, body)
    assert answer.headers["x-target"] == "yes"
    assert answer.headers["content-encoding"] == "gzip"
    ((method, got_path, got, got_body),) = target.seen
    assert (method, got_path, got_body) == ("PATCH", path, body)
    assert {name: got[name.lower()] for name in sent} == sent
    assert not {"user-agent", "accept", "content-type"} & set(got)


def test_the_log_has_every_exchange(proxy: FaultProxy) -> None:
    """Each exchange is logged with its request, status and times."""
    ask(f"{proxy.url}/a?b=c", "POST", b"body")
    (exchange,) = proxy.log
    assert (exchange.method, exchange.path_qs, exchange.body) == ("POST", "/a?b=c", b"body")
    assert (exchange.status, exchange.delivered, exchange.verdict) == (201, True, None)
    assert exchange.ended is not None
    assert exchange.started <= exchange.ended


def test_the_hook_sees_the_request(proxy: FaultProxy) -> None:
    """The hook is asked with method, path, headers and body, and None forwards."""
    seen: list[Request] = []
    proxy.hook = seen.append
    assert ask(f"{proxy.url}/x", "POST", b'{"n": 1}', {"X-Thing": "1"}).status == 201
    (request,) = seen
    assert (request.method, request.path_qs, request.json()) == ("POST", "/x", {"n": 1})
    assert request.headers["x-thing"] == "1"


def test_delay(proxy: FaultProxy, target: Target) -> None:
    """A delayed request is forwarded after the delay."""
    proxy.hook = lambda _: Delay(0.1)
    started = time.monotonic()
    assert ask(proxy.url).status == 201
    assert time.monotonic() - started >= 0.1
    assert len(target.seen) == 1


def test_latency(proxy: FaultProxy) -> None:
    """Latency is added to every request."""
    proxy.latency = 0.05
    started = time.monotonic()
    ask(proxy.url)
    ask(proxy.url)
    assert time.monotonic() - started >= 0.1


def test_answer(proxy: FaultProxy, target: Target) -> None:
    """An answer in the server's place is all the client sees, and the server sees nothing."""
    proxy.hook = lambda _: OwnAnswer(429, b'{"error": {"code": 429}}')
    answer = ask(proxy.url)
    assert (answer.status, answer.json()) == (429, {"error": {"code": 429}})
    assert target.seen == []
    assert proxy.log[0].status == 429


def test_reset_before(proxy: FaultProxy, target: Target) -> None:
    """A connection cut before forwarding is a reset to the client and nothing to the server."""
    proxy.hook = lambda _: ResetBefore()
    with pytest.raises(ConnectionResetError):
        ask(proxy.url, "POST", b"x")
    assert target.seen == []
    assert (proxy.log[0].status, proxy.log[0].delivered) == (None, False)


def test_reset_after(proxy: FaultProxy, target: Target) -> None:
    """A connection cut after forwarding is a reset to the client while the server did its work."""
    proxy.hook = lambda _: ResetAfter()
    with pytest.raises(ConnectionResetError):
        ask(proxy.url, "POST", b"x")
    assert len(target.seen) == 1
    assert (proxy.log[0].status, proxy.log[0].delivered) == (201, False)


def test_call(proxy: FaultProxy, target: Target) -> None:
    """What is to be called runs before the server sees the request, and after it has answered."""
    seen: list[tuple[str, int]] = []
    proxy.hook = lambda _: RunBeside(
        before=lambda: seen.append(("before", len(target.seen))),
        after=lambda: seen.append(("after", len(target.seen))),
    )
    assert ask(proxy.url).status == 201
    assert seen == [("before", 0), ("after", 1)]


def test_a_blocking_call_blocks_no_other_request(proxy: FaultProxy) -> None:
    """While one request waits for its call, others pass."""
    release = threading.Event()
    proxy.hook = lambda request: (
        RunBeside(before=lambda: release.wait(5)) if request.path_qs == "/slow" else None
    )
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, f"{proxy.url}/slow")
        wait_until(lambda: proxy.log, 30, "the slow request")
        assert ask(f"{proxy.url}/fast").status == 201
        assert not slow.done()
        release.set()
        assert slow.result(5).status == 201


def test_hold(proxy: FaultProxy, target: Target) -> None:
    """A held request is forwarded when its event is set."""
    event = threading.Event()
    proxy.hook = lambda _: Hold(event)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(ask, proxy.url)
        wait_until(lambda: proxy.log, 30, "the request")
        assert target.seen == []
        event.set()
        assert held.result(5).status == 201


@pytest.mark.parametrize("verdict", ["hold", "call"])
def test_a_dead_senders_request_is_delivered(
    proxy: FaultProxy, target: Target, verdict: str
) -> None:
    """A request whose client has died while it was held is forwarded all the same."""
    event = threading.Event()
    held = Hold(event) if verdict == "hold" else RunBeside(before=lambda: event.wait(5))
    proxy.hook = lambda _: held
    with socket.create_connection((HOST, proxy.port)) as client:
        client.sendall(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
        wait_until(lambda: proxy.log, 30, "the request")
    wait_until(lambda: not connections_of(proxy), 30, "the proxy to see the client go")
    event.set()
    wait_until(lambda: target.seen, 30, "the request to arrive")
    assert target.seen[0][3] == b"body"
    wait_until(lambda: proxy.log[0].ended, 30, "the exchange to end")
    assert (proxy.log[0].status, proxy.log[0].delivered) == (201, False)


def connections_of(proxy: FaultProxy) -> int:
    """How many clients the proxy is connected with."""
    server = proxy._runner.server
    assert server is not None
    return sum(connection.transport is not None for connection in server.connections)


def test_an_unreachable_server_is_a_cut_connection() -> None:
    """Where the server cannot be reached the client's connection is cut, and the log says why."""
    with FaultProxy(url_of(free_port())) as proxy:
        with pytest.raises(ConnectionResetError):
            ask(proxy.url)
        assert "Connect" in str(proxy.log[0].error)


def test_a_broken_hook_is_seen(proxy: FaultProxy) -> None:
    """A hook that fails cuts the connection, and the log holds its error."""

    def broken(_: Request) -> Treatment:
        raise LookupError("my mistake")

    proxy.hook = broken
    with pytest.raises(ConnectionResetError):
        ask(proxy.url)
    assert "my mistake" in str(proxy.log[0].error)


def test_it_keeps_up(proxy: FaultProxy, target: Target) -> None:
    """Eight clients that keep their connections are served at once, and two hundred requests pass.

    A request is answered when those of all eight clients have reached the target: a proxy that
    served one after the other would never get there.
    """
    together = threading.Barrier(8)
    target.before = lambda: together.wait(30)

    def client(_: int) -> None:
        connection = http.client.HTTPConnection(HOST, proxy.port, timeout=30)
        for _number in range(25):
            connection.request("POST", "/", b"x" * 100)
            assert connection.getresponse().read() == b"x" * 100
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(client, range(8)))
    assert len(target.seen) == 200


def test_review(proxy: FaultProxy) -> None:
    """The server has done its work; what it said is replaced where the review wants that."""
    seen: list[int] = []

    def review(status: int) -> OwnAnswer | None:
        seen.append(status)
        return OwnAnswer(403, b"{}") if len(seen) == 1 else None

    proxy.hook = lambda _: Review(review)
    replaced, passed = ask(f"{proxy.url}/a"), ask(f"{proxy.url}/b")
    assert (replaced.status, replaced.body) == (403, b"{}")
    assert seen == [passed.status, passed.status]
    assert proxy.log[0].status == passed.status
