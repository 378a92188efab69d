"""Where the client sends requests: to DynamoDB, whatever host the document names."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.client._calls.routing import ServiceMode, routes
from orchestrator.client._regions.regions import Regions
from orchestrator.client.allowed import hosts, loopback
from orchestrator.client.document import DocumentView, RegionEntry, read_document
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.errors import NoHealthyRegion, Outcome
from orchestrator.client.sources.file import FileSource
from orchestrator.core.outside.reading import Corrupt
from orchestrator.local.process.loopback import HOST
from tests.support.health_parts import session
from tests.support.regional import EAST, WEST, HeldSource, document, write_whole
from tests.support.station import Said, Station

WELL = Said(200, b'{"Item": {"pk": {"S": "a"}}}')


class Recorder:
    """A server that keeps every byte that it is sent, and counts connections."""

    def __init__(self) -> None:
        self._listening = socket.create_server((HOST, 0))
        self._listening.settimeout(0.05)
        self.port = self._listening.getsockname()[1]
        self.connections, self.received = 0, b""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listening.accept()
            except TimeoutError:
                continue
            self.connections += 1
            with connection:
                connection.settimeout(2)
                self.received += connection.recv(65536)

    def close(self) -> None:
        """Look once more, then no more."""
        self._stopping.set()
        self._thread.join()
        self._listening.close()


@contextmanager
def recording() -> Iterator[Recorder]:
    """A server of somebody else's."""
    made = Recorder()
    try:
        yield made
    finally:
        made.close()


@contextmanager
def client(source: Path, west: Station, **settings: Any) -> Iterator[MultiRegionDynamoDB]:
    """A client at home in the east, that warms every region all the time."""
    allow = hosts(west.url)
    with MultiRegionDynamoDB(
        FileSource(source),
        home=EAST,
        session=session,
        warm_every=0.05,
        refresh_interval=0.05,
        deadline=2.0,
        allow_endpoint=allow,
        **settings,
    ) as db:
        assert db.ready(10)
        yield db


def edited(revision: int, east: str, west: str, **more: Any) -> bytes:
    """A document in which somebody wrote the endpoint of the east by hand."""
    content = json.loads(document(revision, endpoints={EAST: east, WEST: west}))
    content["regions"][EAST] |= more
    return json.dumps(content).encode()


@pytest.mark.parametrize("spelled", ["http://{}:{}", "https://{}:{}", "{}:{}"])
def test_nothing_reaches_a_host_that_somebody_wrote_into_the_document(
    spelled: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Reads are served by the other region; a write is refused, for the primary alone takes it."""
    source = tmp_path / "checkout.json"
    with recording() as foreign, Station(lambda _: WELL) as west:
        endpoint = spelled.format(HOST, foreign.port)
        write_whole(source, edited(1, endpoint, west.url))
        with client(source, west) as db, caplog.at_level(logging.ERROR):
            table = db.Table("checkout")
            for _ in range(5):
                assert table.get_item(Key={"pk": "a"})["Item"] == {"pk": "a"}
            with pytest.raises(NoHealthyRegion, match="no name that AWS gives DynamoDB") as lost:
                table.put_item(Item={"pk": "secret"})
            assert lost.value.outcome is Outcome.NOT_SENT
            with pytest.raises(NoHealthyRegion, match="allow_endpoint"):
                db.in_region(EAST)
            with pytest.raises(NoHealthyRegion, match=str(foreign.port)):
                table.get_item(Key={"pk": "a"}, ConsistentRead=True)
            assert list(db.stats()["regions"]) == [WEST]
    assert (foreign.connections, foreign.received) == (0, b"")
    told = [line for line in caplog.messages if str(foreign.port) in line]
    assert len([line for line in told if "Nothing is sent there" in line]) == 1


def test_a_document_that_is_edited_later_takes_its_region_away_and_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, and the region is back as soon as the document is."""
    source = tmp_path / "checkout.json"
    with recording() as foreign, Station(lambda _: WELL) as east, Station(lambda _: WELL) as west:
        write_whole(source, edited(1, east.url, west.url))
        settings: Any = {"session": session, "warm_every": 0.05, "refresh_interval": 0.05}
        allow = hosts(east.url, west.url)
        with MultiRegionDynamoDB(
            FileSource(source), home=EAST, allow_endpoint=allow, mode="active-active", **settings
        ) as db:
            table = db.Table("checkout")
            assert table.get_item(Key={"pk": "a"})
            write_whole(source, edited(2, f"http://{HOST}:{foreign.port}", west.url))
            assert db.view.refresh(5)
            write_whole(source, edited(3, f"http://{HOST}:{foreign.port}", west.url))
            assert db.view.refresh(5)
            table.put_item(Item={"pk": "a"})
            assert table.get_item(Key={"pk": "a"})
            write_whole(source, edited(4, east.url, west.url))
            assert db.view.refresh(5)
            assert set(db.view.latest.regions) == {EAST, WEST}  # type: ignore[union-attr]  # ready
    assert (foreign.connections, foreign.received) == (0, b"")
    [told] = [line for line in caplog.messages if "is left out" in line]
    assert str(foreign.port) in told
    assert "it is the primary" in told


# --- the document alone


def read(endpoint: object, aws_region: object = None, **changes: Any) -> Any:
    """What is read of a document in which the west is at this endpoint."""
    content = json.loads(document(5))
    content["regions"][WEST] |= {"endpoint": endpoint, "aws_region": aws_region, **changes}
    return read_document(json.dumps(content).encode())


@pytest.mark.parametrize(
    "endpoint",
    [
        "dynamodb.us-east-1.amazonaws.com",
        "dynamodb.us-west-2.amazonaws.com.evil.example",
        "http://dynamodb.us-west-2.amazonaws.com",
        "https://dynamodb.us-west-2.amazonaws.com@evil.example",
        "http://127.0.0.1:8000",
        "http://169.254.169.254",
        "dyn amo",
        "ftp://a",
        "",
        None,
        7,
        {"host": "dynamodb.us-west-2.amazonaws.com"},
    ],
)
def test_a_region_at_another_host_is_left_out_and_never_the_document(endpoint: object) -> None:
    seen = read(endpoint)
    assert WEST not in seen.regions
    assert EAST in seen.regions
    assert seen.refused[WEST]
    assert set(seen.names) == set(seen.regions) | {WEST}


def test_the_documents_aws_region_tells_which_name_is_right() -> None:
    assert read("dynamodb.eu-west-3.amazonaws.com", "eu-west-3").regions[WEST].aws_region == (
        "eu-west-3"
    )
    assert WEST in read("dynamodb.us-west-2.amazonaws.com", "eu-west-3").refused


@pytest.mark.parametrize("stated", ["us-east-1.evil.example/", "mars", 7, ["us-west-2"], ""])
def test_an_aws_region_that_is_none_leaves_its_region_out(stated: object) -> None:
    assert WEST in read("dynamodb.us-west-2.amazonaws.com", stated).refused


def test_a_document_that_has_no_region_to_go_to_is_refused_as_a_whole() -> None:
    """So another source is asked, and what was known before goes on."""
    endpoints = dict.fromkeys((EAST, WEST), "evil.example")
    with pytest.raises(Corrupt, match=r"regions: none may be used .*evil\.example"):
        read_document(document(5, endpoints=endpoints))


def test_an_allow_endpoint_that_fails_allows_nothing() -> None:
    def broken(region: str, endpoint: str) -> bool:
        raise KeyError(region + endpoint)

    content = document(5, endpoints={EAST: f"dynamodb.{EAST}.amazonaws.com", WEST: "db.example"})
    assert "allow_endpoint failed" in read_document(content, broken).refused[WEST]
    seen = read_document(content, lambda region, _: f"yes, {region}")  # type: ignore[arg-type,return-value]  # as a careless application writes it
    assert WEST in seen.refused


def test_what_others_wrote_cannot_forge_a_line_of_the_log() -> None:
    why = read("evil\n\u202eERROR\x1b[31m").refused[WEST]
    assert why.isascii()
    assert why.isprintable()


@pytest.mark.parametrize("mode", ServiceMode)
def test_no_other_region_takes_the_writes_of_a_primary_that_is_left_out(mode: ServiceMode) -> None:
    """In active-active mode every healthy region takes writes of its own."""
    seen = read("evil.example")
    content = json.loads(document(5, WEST))
    content["regions"][WEST]["endpoint"] = "evil.example"
    seen = read_document(json.dumps(content).encode())
    found = routes(seen, WEST, mode)
    assert WEST not in (*found.reads, *found.writes)
    assert bool(found.writes) == (mode is ServiceMode.ACTIVE_ACTIVE)


# --- what the application allows


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        ("http://localstack:4566", True),
        ("https://localstack:4566", False),
        ("https://db.example.com", True),
        ("db.example.com:443", True),
        ("http://db.example.com", False),
        ("db.example.com:8443", False),
        ("db.example.com.evil.example", False),
        ("https://db.example.com@evil.example", False),
        ("", False),
    ],
)
def test_hosts_are_allowed_exactly_with_their_scheme_and_port(endpoint: str, allowed: bool) -> None:
    """Whoever writes the document cannot turn https into clear text."""
    assert hosts("http://localstack:4566", "db.example.com")(EAST, endpoint) is allowed


def test_a_host_that_is_none_is_refused_when_the_application_starts() -> None:
    with pytest.raises(ValueError, match="without user name and path"):
        hosts("https://db.example.com/path")


def test_loopback_is_this_machine_alone() -> None:
    here = ("http://127.0.0.1:8000", "http://localhost:1", "https://[::1]:4566", "127.8.8.8")
    assert all(loopback(EAST, one) for one in here)
    there = ("http://127.0.0.1.evil.example", "http://10.0.0.1", "http://127.0.0.1@evil.example")
    assert not any(loopback(EAST, one) for one in there)


def test_a_view_that_is_given_has_its_own_allow_endpoint() -> None:
    with (
        DocumentView([HeldSource(document())]) as view,
        pytest.raises(ValueError, match="DocumentView"),
    ):
        MultiRegionDynamoDB(view, allow_endpoint=loopback)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("dynamodb.us-east-1.api.aws", "https://dynamodb.us-east-1.api.aws:443/"),
        ("https://dynamodb.us-east-1.api.aws", "https://dynamodb.us-east-1.api.aws:443/"),
        ("123456789012.ddb.us-east-1.api.aws", "https://123456789012.ddb.us-east-1.api.aws/"),
        ("dynamodb-fips.us-east-1.amazonaws.com", "https://dynamodb-fips.us-east-1.amazonaws.com/"),
    ],
)
def test_boto3_sends_to_the_very_host_that_the_document_names(endpoint: str, url: str) -> None:
    """Also to DynamoDB's own name for IPv6, which it refuses where no port stands beside it."""
    sent: list[tuple[str, str]] = []

    def stop(request: Any, **_: object) -> None:
        sent.append((request.url, str(request.headers["Authorization"])))
        raise InterruptedError

    entry = RegionEntry("use1", endpoint, healthy=True, stated=EAST)
    made = Regions(session).get(entry).client
    made.meta.events.register("before-send.dynamodb.*", stop)
    with pytest.raises(InterruptedError):
        made.list_tables()
    assert sent[0][0] == url
    assert "/us-east-1/dynamodb/" in sent[0][1]
