"""What a health answer tells of replication lag: read to its end, and never guessed."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from orchestrator.adapters.health_answer import is_json, seconds_of
from orchestrator.adapters.probe import HttpProber
from orchestrator.core.model import NoLag, Probe, Verdict
from orchestrator.core.policy import Region
from tests.support.health_server import Behaviour, Server, answer, drip, request, say, serve

__all__ = ["serve"]  # a fixture

EAST = "us-east-1"
TELLS = b'{"replication_lag_seconds": {"us-east-1": 4000}}'
JSON = "Content-Type: application/json\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n" + JSON.encode()


def look(server: Server, timeout: float = 2.0) -> Probe:
    """One probe of this server. It is healthy whatever its body says."""
    region = Region("r", "dynamodb.example.com", server.url, None, ())
    found = HttpProber(timeout, 2).probe([region])["r"]
    assert found == Probe(Verdict.HEALTHY, 200)
    assert len(server.requests) == 1
    return found


def in_pieces(*pieces: bytes) -> Behaviour:
    """An answer whose pieces arrive apart: each is sent when the one before it was taken."""

    def behave(connection: socket.socket, server: Server) -> None:
        request(connection, server)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            server.over.wait(0.05)

    return behave


def chunked(*chunks: bytes) -> tuple[bytes, ...]:
    """The pieces of a chunked answer."""
    framed = (b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *framed, b"0\r\n\r\n")


LONG = b'{"pad": "' + b"x" * 60_000 + b'", ' + TELLS[1:]


@pytest.mark.parametrize(
    "behave",
    [
        answer(200, JSON, TELLS),
        in_pieces(*chunked(TELLS[:9], TELLS[9:30], TELLS[30:])),
        in_pieces(HEAD + b"Content-Length: %d\r\n\r\n" % len(TELLS) + TELLS[:20], TELLS[20:]),
        in_pieces(HEAD + b"\r\n" + TELLS[:20], TELLS[20:]),
        answer(200, JSON, LONG),
        in_pieces(*chunked(LONG)),
        answer(200, "content-type: Application/JSON; charset=utf-8\r\n", TELLS),
        answer(200, "Content-Type: application/health+json\r\n", TELLS),
        answer(200, "Content-Type: Application/Health+JSON\r\n", TELLS),
    ],
    ids=["plain", "chunked", "segments", "until it ends", "long", "long and chunked",
         "capitals", "health+json", "health+json in capitals"],
)  # fmt: skip
def test_a_lag_is_told_however_its_answer_comes(
    serve: Callable[..., Server], behave: Behaviour
) -> None:
    assert look(serve(behave)).behind(EAST) == 4000.0


@pytest.mark.parametrize(
    "behave",
    [
        answer(200, JSON, b'{"status": "ok"}'),
        answer(200, JSON, b'{"replication_lag_seconds": {}}'),
        answer(200, JSON, b'{"replication_lag_seconds": {"eu-west-1": 3}}'),
        answer(200, JSON, b'["ok"]'),
        answer(200, JSON, b""),
        answer(200, "Content-Type: text/plain\r\n", TELLS),
        answer(200, "", TELLS),
    ],
    ids=["no lag", "no region", "another region", "no object", "empty", "text", "no type"],
)
def test_a_readable_answer_without_the_lag_does_not_tell_it(
    serve: Callable[..., Server], behave: Behaviour
) -> None:
    assert look(serve(behave)).behind(EAST) is NoLag.NOT_TOLD


def lagging(value: str) -> Behaviour:
    """An answer with this lag, as JSON has it."""
    return answer(200, JSON, b'{"replication_lag_seconds": {"us-east-1": %s}}' % value.encode())


@pytest.mark.parametrize(
    "value",
    ["null", "NaN", "Infinity", "1e999", "-1", "true", '"12"', "[]", "1" + "0" * 400,
     "1" + "0" * 5000],
    ids=["null", "NaN", "infinite", "overflow", "negative", "boolean", "text", "list",
         "400 digits", "5000 digits"],
)  # fmt: skip
def test_a_value_that_is_no_lag_is_unknown_and_the_region_is_healthy_all_the_same(
    serve: Callable[..., Server], value: str
) -> None:
    assert look(serve(lagging(value))).behind(EAST) is NoLag.UNKNOWN


ANNOUNCED = HEAD + b"Content-Length: 400\r\n\r\n"


@pytest.mark.parametrize(
    "behave",
    [
        say(ANNOUNCED + TELLS),
        say(ANNOUNCED),
        say(b"".join(chunked(TELLS))[:-5]),
        say(HEAD + b"Content-Length: 2\r\n\r\nOK"),
        say(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"),
        say(HEAD + b'\r\n{"replication_lag_seconds": {"us-east-1": 4'),
        answer(200, JSON, b'{"replication_lag_seconds": null}'),
        answer(200, JSON, b'{"replication_lag_seconds": 4000}'),
        answer(200, JSON, b" " * 65_537 + TELLS),
        answer(200, JSON, b"[" * 60_000),
        drip(ANNOUNCED, 0.05, b" "),
    ],
    ids=["cut", "nothing", "cut chunks", "no JSON", "compressed", "half", "null", "a number",
         "too long", "too deep", "too late"],
)  # fmt: skip
def test_what_was_announced_and_cannot_be_read_is_unknown(
    serve: Callable[..., Server], behave: Behaviour
) -> None:
    assert look(serve(behave), timeout=1.0).behind(EAST) is NoLag.UNKNOWN


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("application/json", True),
        ("APPLICATION/JSON;charset=UTF-8", True),
        ("application/vnd.health+Json", True),
        ("text/json", True),
        ("application/jsonp", False),
        ("text/plain; x=application/json", False),
        ("", False),
    ],
)
def test_json_is_announced_by_its_type_in_any_case(header: str, said: bool) -> None:
    assert is_json(header) is said


def test_a_number_of_seconds_is_at_least_zero_and_finite() -> None:
    assert seconds_of(0) == 0.0
    assert seconds_of(1.5) == 1.5
    assert seconds_of(10**400) is None
    assert seconds_of(False) is None
