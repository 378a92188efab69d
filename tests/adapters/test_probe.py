"""Our own look at health URLs, against real sockets that answer, refuse, hang and talk nonsense."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from itertools import count

import pytest

from orchestrator.adapters.probe import HttpProber
from orchestrator.addresses import Address, resolve
from orchestrator.core.health.incidents import believable, is_blind
from orchestrator.core.model import NoAnswer, Part, Probe, Role, Verdict
from orchestrator.core.policy import Region
from orchestrator.local.process.loopback import HOST, free_port, url_of
from orchestrator.local.process.wait import wait_until
from tests.support.health_server import (
    CONTINUE,
    ENDLESS_HEADERS,
    SLOW_HEAD,
    SLOW_HEADERS,
    Behaviour,
    Server,
    answer,
    drip,
    end,
    hang,
    reset,
    say,
    serve,
)

TIMEOUT = 2.0
"""Seconds of a round that is to run out, or in which a second attempt starts."""

PATIENT = 30.0
"""Seconds of a round that an answer ends: it comes in time on a busy machine, too."""

__all__ = ["serve"]  # a fixture


def region(name: str, url: str | None) -> Region:
    """A region with this health URL."""
    return Region(name, "dynamodb.example.com", url, None, ())


def look(*urls: str | None, timeout: float = PATIENT, attempts: int = 2) -> list[Probe]:
    """One round."""
    regions = [region(f"r{number}", url) for number, url in enumerate(urls)]
    found = HttpProber(timeout, attempts).probe(regions)
    assert list(found) == [one.name for one in regions]
    return list(found.values())


def after_the_second(behave: Behaviour) -> Behaviour:
    """The same, once another connection has come."""

    def wait(connection: socket.socket, server: Server) -> None:
        wait_until(lambda: server.connections > 1, PATIENT, "a second attempt")
        behave(connection, server)

    return wait


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.HEALTHY),
        (204, Verdict.HEALTHY),
        (299, Verdict.HEALTHY),
        (301, Verdict.SILENT),
        (302, Verdict.SILENT),
        (401, Verdict.SILENT),
        (403, Verdict.SILENT),
        (404, Verdict.SILENT),
        (429, Verdict.SILENT),
        (500, Verdict.FAILING),
        (503, Verdict.FAILING),
    ],
)
def test_a_status_is_healthy_failing_or_says_nothing(
    serve: Callable[..., Server], status: int, verdict: Verdict
) -> None:
    """And an answer, whatever it says, is not asked twice."""
    server = serve(answer(status))
    (found,) = look(server.url)
    assert found.verdict is verdict
    assert str(status) in found.detail
    assert len(server.requests) == 1


def test_a_redirect_is_never_followed(serve: Callable[..., Server]) -> None:
    """The other end may be healthy; that says nothing of this region."""
    other = serve(answer(200))
    server = serve(answer(301, f"Location: {other.url}\r\n"))
    (found,) = look(server.url)
    assert found.verdict is Verdict.SILENT
    assert not other.requests
    assert len(server.requests) == 1


def test_a_region_without_a_health_url_is_silent() -> None:
    assert look(None) == [Probe(Verdict.SILENT, "no health_url")]


def test_no_regions_are_no_answers() -> None:
    assert look() == []


def test_a_quick_answer_ends_the_round(serve: Callable[..., Server]) -> None:
    """Nothing more is waited for: not the second attempt, and not the end, which never comes."""
    server = serve(answer(200))
    look(server.url, timeout=3600)
    assert server.connections == 1


def test_an_answer_within_the_timeout_counts_however_slow(serve: Callable[..., Server]) -> None:
    """It comes when the second attempt has started, which says nothing."""
    server = serve(after_the_second(answer(200)), hang)
    assert look(server.url, timeout=2 * TIMEOUT) == [Probe(Verdict.HEALTHY, 200)]


def test_an_answer_before_half_the_timeout_is_the_only_request(
    serve: Callable[..., Server],
) -> None:
    server = serve(answer(503, late=0.3))
    assert look(server.url) == [Probe(Verdict.FAILING, 503)]
    assert len(server.requests) == 1


def test_the_first_answer_to_arrive_stands(serve: Callable[..., Server]) -> None:
    """Two attempts under way are one question: a later answer takes nothing back."""
    server = serve(after_the_second(answer(503, late=0.5)), answer(200))
    assert look(server.url, timeout=2 * TIMEOUT) == [Probe(Verdict.HEALTHY, 200)]


def test_a_body_that_never_ends_is_not_waited_for(serve: Callable[..., Server]) -> None:
    """The status has said it all."""
    endless = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", 0.05, b"x")
    assert look(serve(endless).url) == [Probe(Verdict.HEALTHY, 200)]


def test_the_request_says_who_asks_and_carries_the_token(serve: Callable[..., Server]) -> None:
    server = serve(answer(200))
    prober = HttpProber(PATIENT, 2, lambda url: f"token-for-{url}")
    assert prober.probe([region("r", server.url)])["r"].verdict is Verdict.HEALTHY
    (head,) = server.requests
    assert head.startswith(b"GET /healthz HTTP/1.1\r\n")
    assert b"region-failover-orchestrator" in head
    assert f"Authorization: Bearer token-for-{server.url}".encode() in head


def test_a_token_that_cannot_be_had_says_nothing_of_the_region(
    serve: Callable[..., Server],
) -> None:
    def no_token(url: str) -> str:
        raise RuntimeError(f"no token for {url}")

    server = serve(answer(200))
    found = HttpProber(PATIENT, 2, no_token).probe([region("r", server.url)])
    assert found["r"].verdict is Verdict.SILENT
    assert not server.requests


# --- no answers ----------------------------------------------------------------------------------


def test_a_refused_connection_is_failing() -> None:
    assert look(f"{url_of(free_port())}/healthz", timeout=TIMEOUT) == [
        Probe(Verdict.FAILING, NoAnswer.REFUSED)
    ]


@pytest.mark.parametrize(
    ("behave", "detail"),
    [
        (hang, "timeout"),
        (reset, NoAnswer.RESET),
        (end, NoAnswer.RESET),
        (say(b"\x16\x03\x01 nonsense\r\n\r\n"), NoAnswer.RESET),
        (say(b"SSH-2.0-OpenSSH_9.6\r\n"), NoAnswer.RESET),
        (say(b"HTTP/1.1 abc\r\n\r\n"), NoAnswer.RESET),
        (say(b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 100_000 + b"\r\n\r\n"), NoAnswer.RESET),
        (say(b"x" * 1_000_000), NoAnswer.RESET),
        (SLOW_HEAD, "timeout"),
        (SLOW_HEADERS, "timeout"),
        (CONTINUE, "timeout"),
    ],
    ids=["hang", "reset", "end", "TLS", "SSH", "no number", "long header", "noise",
         "slow status", "slow header", "continue"],
)  # fmt: skip
def test_no_answer_is_failing_after_a_second_attempt(
    serve: Callable[..., Server], behave: Behaviour, detail: str
) -> None:
    server = serve(behave)
    assert look(server.url, timeout=TIMEOUT) == [Probe(Verdict.FAILING, detail)]
    wait_until(lambda: server.connections == 2, PATIENT, "the second attempt to be taken")


def test_headers_without_end_are_failing(serve: Callable[..., Server]) -> None:
    (found,) = look(serve(ENDLESS_HEADERS).url, timeout=TIMEOUT)
    assert found.verdict is Verdict.FAILING


def test_a_connection_that_nobody_accepts_is_failing() -> None:
    """The queue is full: the region's machine is there, its process is stuck."""
    with socket.create_server((HOST, 0), backlog=0) as stuck:
        port = stuck.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex((HOST, port))
        (found,) = look(f"{url_of(port)}/healthz", timeout=TIMEOUT)
        for one in waiting:
            one.close()
    assert found == Probe(Verdict.FAILING, NoAnswer.TIMEOUT)


def test_a_name_that_does_not_resolve_is_failing() -> None:
    """By its own detail where the resolver answers in time, else by timeout."""
    (found,) = look("http://nowhere.invalid/healthz", timeout=2)
    assert found.verdict is Verdict.FAILING
    assert found.detail in {"host name not found", "timeout"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999999/healthz", "http:///healthz"])
def test_a_url_of_no_use_says_nothing_of_the_region(url: str) -> None:
    (found,) = look(url)
    assert found.verdict is Verdict.SILENT


def test_a_server_without_tls_says_nothing_under_https(serve: Callable[..., Server]) -> None:
    server = serve(say(b"HTTP/1.1 200 OK\r\n\r\n"))
    (found,) = look(server.url.replace("http:", "https:"), timeout=TIMEOUT)
    assert found.verdict is not Verdict.HEALTHY


# --- the second attempt --------------------------------------------------------------------------


@pytest.mark.parametrize("first", [reset, end, hang, say(b"nonsense\r\n\r\n")])
def test_a_second_attempt_saves_a_first_that_failed(
    serve: Callable[..., Server], first: Behaviour
) -> None:
    server = serve(first, answer(200))
    assert look(server.url, timeout=2 * TIMEOUT) == [Probe(Verdict.HEALTHY, 200)]
    assert server.connections == 2


def test_a_second_attempt_finds_a_process_that_has_come_up_meanwhile(
    serve: Callable[..., Server],
) -> None:
    """Refused at first; it listens before the second attempt looks up its name."""
    port, looks = free_port(), count()

    def comes_up(host: str, port: int) -> tuple[Address, ...]:
        if next(looks):
            serve(answer(200), port=port)
        return tuple(resolve(host, port))

    prober = HttpProber(PATIENT, 2, resolve=comes_up)
    found = prober.probe([region("r", f"{url_of(port)}/healthz")])
    assert found == {"r": Probe(Verdict.HEALTHY, 200)}


def test_with_one_attempt_there_is_no_second(serve: Callable[..., Server]) -> None:
    server = serve(reset, answer(200))
    assert look(server.url, attempts=1) == [Probe(Verdict.FAILING, NoAnswer.RESET)]
    assert server.connections == 1


# --- the round -----------------------------------------------------------------------------------


def test_regions_are_asked_at_once_and_each_has_its_own_answer(
    serve: Callable[..., Server],
) -> None:
    """One that hangs takes the whole round: asked one after the other, none would have its turn."""
    servers: Mapping[str, Server] = {
        "fine": serve(answer(200)),
        "slow": serve(answer(200, late=0.3)),
        "failing": serve(answer(503)),
        "hanging": serve(hang),
        "dripping": serve(SLOW_HEADERS),
        "cut": serve(reset),
    }
    found = look(*(server.url for server in servers.values()), None, timeout=TIMEOUT)
    assert [probe.detail for probe in found] == [
        "200",
        "200",
        "503",
        "timeout",
        "timeout",
        "connection reset",
        "no health_url",
    ]


def test_regions_that_all_hang_are_told_as_blindness(serve: Callable[..., Server]) -> None:
    found = look(*(serve(hang).url for _ in range(3)), timeout=TIMEOUT)
    assert is_blind(believable({str(number): probe for number, probe in enumerate(found)}))


@pytest.mark.long
def test_a_region_that_drips_for_long_does_not_use_up_the_probes(
    serve: Callable[..., Server],
) -> None:
    """Ticks ask it every minute for hours; the other regions must still be seen."""
    stuck, fine = serve(SLOW_HEADERS), serve(answer(200))
    prober = HttpProber(0.06, 2)
    for _ in range(36):
        assert prober.probe([region("stuck", stuck.url)])["stuck"].verdict is not Verdict.HEALTHY
    prober._timeout = PATIENT
    assert prober.probe([region("fine", fine.url)])["fine"] == Probe(Verdict.HEALTHY, 200)


def test_rounds_at_the_same_time_do_not_disturb_each_other(serve: Callable[..., Server]) -> None:
    """One instance may take several alerts at once."""
    fine, failing = serve(answer(200)), serve(answer(503))
    prober = HttpProber(PATIENT, 2)
    wrong: list[object] = []

    def ask() -> None:
        found = prober.probe([region("a", fine.url), region("b", failing.url)])
        if [probe.detail for probe in found.values()] != ["200", "503"]:
            wrong.append(found)

    asking = [threading.Thread(target=ask) for _ in range(10)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert not wrong


# --- roles ---------------------------------------------------------------------------------------

JSON = "Content-Type: application/json\r\n"


def roles(*urls: str | None, timeout: float = PATIENT) -> list[Role]:
    """One round of roles."""
    regions = [region(f"r{number}", url) for number, url in enumerate(urls)]
    found = HttpProber(timeout, 2).roles(regions)
    return list(found.values())


@pytest.mark.parametrize(
    ("status", "body", "role"),
    [
        (200, b'{"epoch": 7, "revision": 9}', Role(Part.LEADS, "200", 7)),
        (503, b'{"epoch": 0}', Role(Part.STANDS_BY, "503", 0)),
        (200, b'{"epoch": 7, "status": "lingering"}', Role(Part.LINGERS, "200", 7)),
        (200, b'{"epoch": null}', Role(Part.SILENT, "200 without a document's epoch")),
        (200, b"ok", Role(Part.SILENT, "200 without a document's epoch")),
        (503, b"[7]", Role(Part.SILENT, "503 without a document's epoch")),
        (503, b'{"epoch": true}', Role(Part.SILENT, "503 without a document's epoch")),
        (503, b'{"epoch": -1}', Role(Part.SILENT, "503 without a document's epoch")),
        (503, b'{"epoch": "7"}', Role(Part.SILENT, "503 without a document's epoch")),
        (404, b'{"epoch": 7}', Role(Part.SILENT, "404")),
        (500, b'{"epoch": 7}', Role(Part.SILENT, "500")),
        (204, b'{"epoch": 7}', Role(Part.SILENT, "204")),
        (301, b'{"epoch": 7}', Role(Part.SILENT, "301")),
    ],
)
def test_a_region_says_what_it_is_by_its_status_and_its_documents_epoch(
    serve: Callable[..., Server], status: int, body: bytes, role: Role
) -> None:
    server = serve(answer(status, JSON, body))
    assert roles(server.url) == [role]
    (asked,) = server.requests
    assert asked.startswith(b"GET /healthz/primary HTTP/1.1\r\n")


def test_an_epoch_counts_only_in_what_calls_itself_json(serve: Callable[..., Server]) -> None:
    server = serve(answer(200, "", b'{"epoch": 7}'))
    assert roles(server.url)[0].part is Part.SILENT


def test_a_region_that_does_not_answer_says_nothing_and_is_asked_twice(
    serve: Callable[..., Server],
) -> None:
    hung, cut = serve(hang), serve(reset)
    found = roles(hung.url, cut.url, timeout=TIMEOUT)
    assert found == [Role(Part.SILENT, "timeout"), Role(Part.SILENT, "connection reset")]
    assert cut.connections == 2


def test_a_region_without_a_health_url_is_not_asked() -> None:
    assert roles(None) == []


def test_a_health_answer_that_fails_is_not_read_for_a_body(serve: Callable[..., Server]) -> None:
    """The status is the answer: a body that never comes is not waited for."""
    head = b"HTTP/1.1 503 X\r\nContent-Length: 9\r\n" + JSON.encode() + b"\r\n"
    slow = drip(head, 3600, b"")
    assert look(serve(slow).url, timeout=3600) == [Probe(Verdict.FAILING, 503)]
