"""How a region can fail, as data: what is done with a request, and what a write's outcome is then.

Most modes are tried twice with a write: in place of its execution, and after it. Who asks cannot
tell these apart, so the outcome is the same, and it must be true of both.
"""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from orchestrator.local.process.loopback import HOST, free_port, url_of
from tests.client.faults.proxy import BLANK, Act, Answer, Exchange, error, well
from tests.support.health_server import silent
from tests.support.station import BadSocket, hang

DONE, NOT_SENT, UNKNOWN = "acknowledged", "not-sent", "unknown"


class Pace(Enum):
    """What a client gets in seconds: deadline and attempt of a read, then the same of a write.

    INSTANT: for what ends by itself: the time is for a busy machine. SILENT: each wait costs an
    attempt. ENDLESS: what goes on and on takes a read's share of the deadline, and a write's whole
    one. AGAIN: a write is tried again until its deadline.
    """

    INSTANT = (30.0, 10.0, 30.0, 10.0)
    SILENT = (30.0, 0.1, 30.0, 0.1)
    ENDLESS = (3.0, 1.0, 0.3, 0.1)
    AGAIN = (30.0, 10.0, 0.9, 0.9)


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to fail.

    write: what an ADD comes to: acknowledged, not-sent, unknown, or the code of DynamoDB that the
    caller is given. own: a read is given that code, too, because it is the request's own fault.
    early: the request is not read before. executed: whether it makes sense after the execution.
    at: an address without a proxy behind it. long: there are so many like it that only one is fast.
    """

    name: str
    act: Act
    write: str = UNKNOWN
    own: bool = False
    pace: Pace = Pace.INSTANT
    early: bool = False
    executed: bool = True
    at: Callable[[], AbstractContextManager[str]] | None = None
    long: bool = False

    def __str__(self) -> str:
        return self.name


# --- what is done


def sends(make: Callable[[Answer], bytes], then: Act = Exchange.close) -> Act:
    """Send what is made of the answer, and then this."""

    def act(exchange: Exchange) -> None:
        exchange.send(make(exchange.answer))
        then(exchange)

    return act


def stays(_: Exchange) -> None:
    """The connection is kept for the next request."""


def says(answer: Answer, head: bytes | None = None) -> Act:
    """Answer this instead, as it should be."""
    return sends(lambda _: (head or answer.head()) + answer.body, stays)


def in_part(answer: Answer) -> bytes:
    """All but the last bytes of the body."""
    return answer.whole()[:-1]


def headers_in_part(answer: Answer) -> bytes:
    """All but the end of the headers."""
    return answer.head()[:-10]


def request_in_part(then: Act) -> Act:
    """Read some bytes of the request, and then this."""

    def act(exchange: Exchange) -> None:
        exchange.connection.recv(20)
        then(exchange)

    return act


def html(status: int) -> Act:
    """A page of some other server's."""
    page = b"<html><body>It works!</body></html>"
    head = f"HTTP/1.1 {status} X\r\nContent-Type: text/html\r\nContent-Length: {len(page)}"
    return says(Answer(status, page), head.encode() + BLANK)


def redirect(status: int) -> Act:
    """To an address where nothing is."""
    head = f"HTTP/1.1 {status} X\r\nLocation: http://{HOST}:9/\r\nContent-Length: 0"
    return says(Answer(status, b""), head.encode() + BLANK)


def headers(*more: str) -> Act:
    """The answer with further headers."""
    return sends(lambda answer: answer.head(*more) + answer.body, stays)


def interim(head: bytes, then: Act = well) -> Act:
    """An answer before the answer, and then this."""
    return sends(lambda _: head + BLANK, then)


def drips(first: Callable[[Answer], bytes], piece: bytes = b"x") -> Act:
    """Send this, and then pieces for ever."""
    return sends(first, lambda exchange: exchange.drip(piece))


def body(data: bytes) -> Act:
    """This body, with the right length and checksum."""
    return says(Answer(200, data))


def unchecked(data: bytes) -> Act:
    """This body, with the right length and without a checksum."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}".encode() + BLANK
    return says(Answer(200, data), head)


def chunked(data: bytes, then: Act = Exchange.close) -> Act:
    """These bytes where chunks should be."""
    return sends(lambda _: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked" + BLANK + data, then)


def checksum(text: str) -> Act:
    """This checksum."""
    return sends(lambda answer: answer.head(checksum=text) + answer.body, stays)


def length(text: str | int, then: Act = Exchange.close) -> Act:
    """This length, and then this."""
    return sends(lambda answer: answer.head(length=text) + answer.body, then)


def old(exchange: Exchange) -> None:
    """HTTP/1.0, which ends with the connection."""
    exchange.send(exchange.answer.whole().replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    exchange.close()


def closing(exchange: Exchange) -> None:
    """The last one on this connection, as the server says."""
    exchange.send(exchange.answer.head("Connection: close") + exchange.answer.body)
    exchange.close()


def zipped(exchange: Exchange) -> None:
    """Compressed, which nobody has asked for."""
    data = gzip.compress(exchange.answer.body)
    exchange.send(Answer(200, data).head("Content-Encoding: gzip") + data)


def upon_the_next(exchange: Exchange) -> None:
    """A kept connection ends when the next request comes."""
    exchange.close()


def idle(exchange: Exchange) -> None:
    """A kept connection ends while nobody uses it."""
    well(exchange)
    exchange.close()


def late_interim(exchange: Exchange) -> None:
    """103, and the answer itself when the next request comes, or the connection ends."""
    exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>" + BLANK)
    exchange.connection.recv(1, socket.MSG_PEEK)
    well(exchange)


# --- where there is nobody who would do it


@contextmanager
def nobody() -> Iterator[str]:
    """Nothing listens here."""
    yield url_of(free_port())


@contextmanager
def full() -> Iterator[str]:
    """Nobody takes the connection."""
    port = free_port()
    with silent(HOST, port):
        yield url_of(port)


@contextmanager
def tls(behave: Callable[..., None]) -> Iterator[str]:
    """It should speak TLS, and does this."""
    with BadSocket(behave) as server:
        yield server.url.replace("http:", "https:")


def plain_text(connection: socket.socket, _: object) -> None:
    """No TLS at all."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request" + BLANK)


def hangs_up(connection: socket.socket, _: object) -> None:
    """End the connection within the handshake."""
    connection.recv(65536)


@contextmanager
def unnamed() -> Iterator[str]:
    """A name that no name server has."""
    yield f"http://dynamodb.nowhere.invalid:{free_port()}"


OK = b"HTTP/1.1 200 OK\r\n"
STALL = Exchange.stall
NEVER: Act = well

CONNECTIONS = (
    Mode("refused", NEVER, NOT_SENT, pace=Pace.AGAIN, at=nobody),
    Mode("no such name", NEVER, NOT_SENT, pace=Pace.AGAIN, at=unnamed),
    Mode("nobody takes the connection", NEVER, NOT_SENT, pace=Pace.SILENT, at=full),
    Mode("tls that hangs", NEVER, pace=Pace.SILENT, at=lambda: tls(hang)),
    Mode("tls that hangs up", NEVER, at=lambda: tls(hangs_up)),
    Mode("no tls", NEVER, at=lambda: tls(plain_text)),
    Mode("reset before the request", Exchange.reset, early=True),
    Mode("closed before the request", Exchange.close, early=True),
    Mode("reset in the request", request_in_part(Exchange.reset), early=True),
    Mode("closed in the request", request_in_part(Exchange.close), early=True),
    Mode("stalls in the request", request_in_part(STALL), pace=Pace.SILENT, early=True),
    Mode("reset after the request", Exchange.reset),
    Mode("closed after the request", Exchange.close),
    Mode("reset in the first line", sends(lambda _: b"HTTP/1.1 2", Exchange.reset)),
    Mode("closed in the first line", sends(lambda _: b"HTTP/1.1 2")),
    Mode("reset in the headers", sends(headers_in_part, Exchange.reset)),
    Mode("closed in the headers", sends(headers_in_part)),
    Mode("reset in the body", sends(in_part, Exchange.reset)),
    Mode("closed in the body", sends(in_part)),
    Mode("closed before the body", sends(Answer.head)),
    Mode("closed upon the next request", upon_the_next),
    Mode("closed while idle", idle, DONE),
)  # fmt: skip

STALLS = (
    Mode("stalls before the answer", STALL, pace=Pace.SILENT),
    Mode("stalls in the first line", sends(lambda _: b"HTTP/1.1 2", STALL), pace=Pace.SILENT),
    Mode("stalls in the headers", sends(headers_in_part, STALL), pace=Pace.SILENT),
    Mode("stalls before the body", sends(Answer.head, STALL), pace=Pace.SILENT),
    Mode("stalls in the body", sends(in_part, STALL), pace=Pace.SILENT),
    Mode("stalls in a chunk", chunked(b"5\r\n{", STALL), pace=Pace.SILENT),
    Mode("stalls after 100", interim(b"HTTP/1.1 100 Continue", STALL), pace=Pace.SILENT),
    Mode("drips its first line", drips(lambda _: b"HTTP/1.1 200 O", b"K"), pace=Pace.ENDLESS),
    Mode("drips one header", drips(lambda _: OK + b"X-Long: "), pace=Pace.ENDLESS),
    Mode("drips headers", drips(lambda _: OK, b"X-One: 1\r\n"), pace=Pace.ENDLESS),
    Mode("drips its body", drips(lambda a: a.head(length=99999) + b"{"), pace=Pace.ENDLESS),
    Mode("drips chunks", chunked(b"", lambda e: e.drip(b"1\r\nx\r\n")), pace=Pace.ENDLESS),
    Mode("drips without an end", drips(lambda _: OK + b"\r\n{"), pace=Pace.ENDLESS),
    Mode("drips 100", drips(lambda _: b"", b"HTTP/1.1 100 Continue" + BLANK), pace=Pace.ENDLESS),
)  # fmt: skip

ANSWERS = (
    Mode("html 200", html(200)),
    Mode("html 403", html(403)),
    Mode("html 404", html(404)),
    Mode("html 500", html(500)),
    Mode("html 502", html(502)),
    Mode("html 503", html(503)),
    Mode("redirect 301", redirect(301)),
    Mode("redirect 302", redirect(302)),
    Mode("redirect 307", redirect(307)),
    Mode("redirect 308", redirect(308)),
    Mode("204 and nothing", says(Answer(204, b""))),
    Mode("304 and nothing", says(Answer(304, b""))),
    Mode("101", interim(b"HTTP/1.1 101 Switching Protocols", Exchange.close)),
    Mode("100, then the answer", interim(b"HTTP/1.1 100 Continue"), DONE),
    Mode("102, then the answer", interim(b"HTTP/1.1 102 Processing")),
    Mode("103, then the answer", interim(b"HTTP/1.1 103 Early Hints\r\nLink: </x>")),
    Mode("103, then the answer later", late_interim),
    Mode("an answer of HTTP/1.0", old, DONE),
    Mode("an answer that closes the connection", closing, DONE),
    Mode("no HTTP", sends(lambda _: b"SSH-2.0-OpenSSH_9.6\r\n")),
    Mode("tls bytes", sends(lambda _: b"\x15\x03\x01\x00\x02\x02\x46")),
    Mode("a status of letters", sends(lambda _: b"HTTP/1.1 abc OK" + BLANK)),
    Mode("an empty body", body(b"")),
    Mode("an empty body without a checksum", unchecked(b"")),
    Mode("truncated JSON", unchecked(b'{"Item":{"pk":{"S":"a"')),
    Mode("truncated JSON with its checksum", body(b'{"Item":{"pk":{"S":"a"')),
    Mode("JSON that lacks a value", unchecked(b'{"Item":}')),
    Mode("a list", unchecked(b"[]")),
    Mode("null", unchecked(b"null")),
    Mode("no UTF-8", unchecked(b'{"Item":{"pk":{"S":"\xff"}}}')),
    Mode("no UTF-8, with its checksum", body(b'{"Item":{"pk":{"S":"\xff"}}}')),
    Mode("deep JSON", body(b'{"Item":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
    Mode("a number for a map", body(b'{"ConsumedCapacity":5}')),
    Mode("a wrong checksum", checksum("1")),
    Mode("an unreadable checksum", checksum("abc")),
    Mode("an empty checksum", checksum("")),
    Mode("a negative checksum", checksum("-1")),
    Mode("too great a length", length(99999)),
    Mode("too great a length on a kept connection", length(99999, STALL), pace=Pace.SILENT),
    Mode("too small a length", length(1, stays)),
    Mode("an unreadable length", length("abc")),
    Mode("a negative length", length(-5)),
    Mode("gzip", zipped),
    Mode("gzip that is none", headers("Content-Encoding: gzip"), DONE),
    Mode("chunks without sizes", chunked(b"what\r\n{}\r\n")),
    Mode("chunks that end", chunked(b"5\r\n{")),
    Mode("a header of 100,000 bytes", headers(f"X-Long: {'x' * 100_000}")),
    Mode("500 headers", headers(*(f"X-{number}: 1" for number in range(500)))),
)  # fmt: skip


def tried(*modes: Mode) -> list[Any]:
    """The modes as parameters of a test."""
    return [pytest.param(one, id=one.name, marks=marks(one)) for one in modes]


def marks(mode: Mode) -> tuple[pytest.MarkDecorator, ...]:
    """Of a test that tries this mode."""
    return (pytest.mark.long,) if mode.long or mode.pace is Pace.ENDLESS else ()


def code(status: int, name: str, *reasons: str, own: bool = False) -> Mode:
    """DynamoDB says this, and has written nothing; a 5xx alone does not say that."""
    again = name in AGAIN
    return Mode(
        " ".join((str(status), name, *reasons)),
        says(error(status, name, *reasons)),
        UNKNOWN if status >= 500 else name,  # HTTP's server errors
        own=own,
        pace=Pace.AGAIN if again else Pace.INSTANT,
        executed=status >= 500,  # as above
        long=bool(reasons),
    )


AGAIN = frozenset({
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "LimitExceededException",
    "ReplicatedWriteConflictException",
    "TransactionInProgressException",
})  # fmt: skip
"""After these a write is tried again until its deadline."""

REASONS = (
    "TableReadKeyRangeThroughputExceeded",
    "TableWriteKeyRangeThroughputExceeded",
    "IndexWriteKeyRangeThroughputExceeded",
    "TableReadProvisionedThroughputExceeded",
    "TableWriteProvisionedThroughputExceeded",
    "IndexWriteProvisionedThroughputExceeded",
    "TableReadMaxOnDemandThroughputExceeded",
    "TableWriteMaxOnDemandThroughputExceeded",
    "TableReadAccountLimitExceeded",
    "TableWriteAccountLimitExceeded",
    "IndexWriteAccountLimitExceeded",
)

CODES = (
    code(400, "ProvisionedThroughputExceededException"),
    *(code(400, "ProvisionedThroughputExceededException", reason) for reason in REASONS),
    code(400, "ThrottlingException"),
    *(code(400, "ThrottlingException", reason) for reason in REASONS),
    code(400, "RequestLimitExceeded"),
    code(400, "LimitExceededException"),
    code(400, "ReplicatedWriteConflictException"),
    code(400, "TransactionInProgressException"),
    code(500, "InternalServerError"),
    code(503, "InternalServerError"),
    code(503, "ServiceUnavailable"),
    code(504, "GatewayTimeout"),
    code(400, "UnrecognizedClientException"),
    code(400, "AccessDeniedException"),
    code(400, "ExpiredTokenException"),
    code(400, "IncompleteSignatureException"),
    code(400, "InvalidSignatureException"),
    code(400, "MissingAuthenticationTokenException"),
    code(400, "ResourceNotFoundException"),
    code(400, "TableNotFoundException"),
    code(400, "ResourceInUseException"),
    code(400, "UnknownOperationException"),
    code(413, "RequestEntityTooLarge"),
    code(400, "NobodyHasHeardOfIt"),
    code(400, "ValidationException", own=True),
    code(400, "SerializationException", own=True),
    code(400, "ConditionalCheckFailedException", own=True),
    code(400, "ItemCollectionSizeLimitExceededException", own=True),
    code(400, "TransactionConflictException", own=True),
    code(400, "TransactionCanceledException", own=True),
    code(400, "IdempotentParameterMismatchException", own=True),
    code(400, "DuplicateItemException", own=True),
)  # fmt: skip

MODES = (*CONNECTIONS, *STALLS, *ANSWERS, *CODES)
