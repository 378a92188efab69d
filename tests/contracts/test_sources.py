"""One contract for the places that the document is read from, each over the real thing.

Cloud Storage is fake-gcs-server behind a front that answers 304 as Google's does; SSM is moto's
behind an HTTP server; Redis is a redis-server.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from orchestrator.client.document import Fetched, Source
from orchestrator.client.errors import SourceUnavailable
from orchestrator.client.sources import source
from orchestrator.client.sources._fetching import LARGEST, WHOLE
from orchestrator.client.sources.file import FileSource
from orchestrator.client.sources.gcs import GcsSource
from orchestrator.client.sources.http import HttpSource
from orchestrator.client.sources.redis import RedisSource
from orchestrator.client.sources.ssm import SsmSource
from orchestrator.core.outside.redis_url import read_redis_url
from orchestrator.local.google.storage import FakeGcs
from orchestrator.local.process.child import ROOT
from orchestrator.local.process.loopback import HOST, free_port
from orchestrator.local.process.wait import wait_until
from tests.support.places import (
    AWS,
    PASSWORD,
    RedisServer,
    aws_refusal,
    conditional,
    moto_station,
    redis_server,
)
from tests.support.station import Asked, BadSocket, Said, Station, hang, trickle

BUCKET = "laptop-failover"
REGION = "us-west-2"
SHORT = 0.4
"""Seconds for a look in tests of what hangs."""

CUT_OFF = f"no whole answer within {SHORT:g} s"
"""What our own bound says, and no library."""

PATIENT = 60.0
"""Seconds for a look in tests of what answers: none is decided by how busy the machine is."""


class Place(Protocol):
    """One kind of source, and what a test does to it behind its back."""

    def source(self, name: str = "a", seconds: float = PATIENT) -> Source:
        """The source of the document of this name."""

    def url(self, name: str = "a") -> str:
        """The same as a URL."""

    def write(self, body: bytes, name: str = "a") -> None:
        """Put a document there."""

    def remove(self, name: str = "a") -> None:
        """Take it away."""

    def refused(self) -> Source:
        """A source that is not permitted."""

    def at(self, port: int, seconds: float) -> Source:
        """A source whose server is at another port."""

    def sent(self) -> int:
        """Bytes that the server has answered so far."""


class InFile:
    """A file that is replaced by an atomic rename."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def source(self, name: str = "a", seconds: float = PATIENT) -> Source:
        return FileSource(self._folder / name, seconds=seconds)

    def url(self, name: str = "a") -> str:
        return f"file://{self._folder / name}"

    def write(self, body: bytes, name: str = "a") -> None:
        beside = self._folder / f"{name}.new"
        beside.write_bytes(body)
        beside.replace(self._folder / name)

    def remove(self, name: str = "a") -> None:
        (self._folder / name).unlink()

    def refused(self) -> Source:
        """Whoever runs the tests may read every file: a path that leads through one instead."""
        self.write(b"{}", "plain")
        return FileSource(self._folder / "plain" / "a")

    def at(self, port: int, seconds: float) -> Source:
        """What hangs is a pipe that nobody writes to; nothing is there for a dead one."""
        path = self._folder / "pipe"
        if _listens(port):
            os.mkfifo(path)
        return FileSource(path, seconds=seconds)

    def sent(self) -> int:
        raise NotImplementedError


class OverHttp:
    """A server that knows ETags."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self._bodies: dict[str, bytes] = {}
        station.answer = self._answer

    def _answer(self, asked: Asked) -> Said:
        body = self._bodies.get(asked.path)
        if body is None:
            return Said(404)
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        if asked.headers.get("if-none-match") == etag:
            return Said(304, headers={"ETag": etag})
        return Said(200, body, {"ETag": etag})

    def source(self, name: str = "a", seconds: float = PATIENT) -> Source:
        return HttpSource(self.url(name), seconds=seconds)

    def url(self, name: str = "a") -> str:
        return f"{self.station.url}/{name}"

    def write(self, body: bytes, name: str = "a") -> None:
        self._bodies[f"/{name}"] = body

    def remove(self, name: str = "a") -> None:
        del self._bodies[f"/{name}"]

    def refused(self) -> Source:
        self.station.answer = lambda _: Said(403)
        return self.source()

    def at(self, port: int, seconds: float) -> Source:
        return HttpSource(f"http://{HOST}:{port}/a", seconds=seconds)

    def sent(self) -> int:
        return self.station.sent


class InBucket:
    """Cloud Storage."""

    def __init__(self, gcs: FakeGcs, front: Station, patch: pytest.MonkeyPatch) -> None:
        self._gcs = gcs
        self._front = front
        self._patch = patch
        self._folder = uuid.uuid4().hex
        self._point(front.url)

    def _point(self, url: str) -> None:
        self._patch.setenv("STORAGE_EMULATOR_HOST", url)

    def source(self, name: str = "a", seconds: float = PATIENT) -> Source:
        return GcsSource(BUCKET, f"{self._folder}/{name}", seconds=seconds)

    def url(self, name: str = "a") -> str:
        return f"gs://{BUCKET}/{self._folder}/{name}"

    def write(self, body: bytes, name: str = "a") -> None:
        self._gcs.write(f"{self._folder}/{name}", body)

    def remove(self, name: str = "a") -> None:
        self._gcs.delete(f"{self._folder}/{name}")

    def refused(self) -> Source:
        self._front.answer = lambda _: Said(403, b'{"error": {"message": "no"}}')
        return self.source()

    def at(self, port: int, seconds: float) -> Source:
        self._point(f"http://{HOST}:{port}")
        return self.source(seconds=seconds)

    def sent(self) -> int:
        return self._front.sent


class InSsm:
    """AWS SSM Parameter Store."""

    def __init__(self, station: Station, patch: pytest.MonkeyPatch) -> None:
        from boto3.session import Session

        for name, value in AWS.items():
            patch.setenv(name, value)
        self._patch = patch
        self._station = station
        self._point(station.url)
        self._client = Session().client("ssm", region_name=REGION)
        self._folder = uuid.uuid4().hex

    def _point(self, url: str) -> None:
        self._patch.setenv("AWS_ENDPOINT_URL_SSM", url)

    def source(self, name: str = "a", seconds: float = PATIENT) -> Source:
        return SsmSource(f"/{self._folder}/{name}", REGION, seconds=seconds)

    def url(self, name: str = "a") -> str:
        return f"ssm://{REGION}/{self._folder}/{name}"

    def write(self, body: bytes, name: str = "a") -> None:
        path, value = f"/{self._folder}/{name}", body.decode()
        self._client.put_parameter(Name=path, Value=value, Type="String", Overwrite=True)

    def remove(self, name: str = "a") -> None:
        self._client.delete_parameter(Name=f"/{self._folder}/{name}")

    def refused(self) -> Source:
        self._station.answer = aws_refusal
        return self.source()

    def at(self, port: int, seconds: float) -> Source:
        self._point(f"http://{HOST}:{port}")
        return self.source(seconds=seconds)

    def sent(self) -> int:
        raise NotImplementedError


class InRedis:
    """A hash in Redis."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._client = server.client()
        self._folder = uuid.uuid4().hex
        self._revision = 0

    def close(self) -> None:
        self._client.close()

    def source(self, name: str = "a", seconds: float = PATIENT) -> Source:
        return self._source(self._server.port, f"{self._folder}:{name}", PASSWORD, seconds)

    @staticmethod
    def _source(port: int, key: str, password: str, seconds: float) -> Source:
        url = read_redis_url(f"redis://{HOST}:{port}/0")
        return RedisSource(url, key, password=password, seconds=seconds)

    def url(self, name: str = "a") -> str:
        secret = quote(PASSWORD, safe="")
        return f"redis://:{secret}@{HOST}:{self._server.port}/0?key={self._folder}:{name}"

    def write(self, body: bytes, name: str = "a") -> None:
        self._revision += 1
        fields = {"revision": self._revision, "document": body}
        self._client.hset(f"{self._folder}:{name}", mapping=fields)

    def remove(self, name: str = "a") -> None:
        self._client.delete(f"{self._folder}:{name}")

    def refused(self) -> Source:
        return self._source(self._server.port, "a", "wrong", PATIENT)

    def at(self, port: int, seconds: float) -> Source:
        return self._source(port, "a", PASSWORD, seconds)

    def sent(self) -> int:
        return int(self._client.info("stats")["total_net_output_bytes"])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeGcs]:
    """A running Cloud Storage."""
    found = FakeGcs(BUCKET, tmp_path_factory.mktemp("gcs"))
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A running Redis."""
    server = redis_server(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


def _in_file(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield InFile(request.getfixturevalue("tmp_path"))


def _over_http(_: pytest.FixtureRequest) -> Iterator[Place]:
    with Station(lambda _: Said(404)) as station:
        yield OverHttp(station)


def _in_bucket(request: pytest.FixtureRequest) -> Iterator[Place]:
    gcs: FakeGcs = request.getfixturevalue("gcs")
    with conditional(gcs) as front:
        yield InBucket(gcs, front, request.getfixturevalue("monkeypatch"))


def _in_ssm(request: pytest.FixtureRequest) -> Iterator[Place]:
    with moto_station() as station:
        yield InSsm(station, request.getfixturevalue("monkeypatch"))


def _in_redis(request: pytest.FixtureRequest) -> Iterator[Place]:
    place = InRedis(request.getfixturevalue("redis_process"))
    yield place
    place.close()


KINDS: dict[str, Callable[[pytest.FixtureRequest], Iterator[Place]]] = {
    "file": _in_file,
    "http": _over_http,
    "gcs": _in_bucket,
    "ssm": _in_ssm,
    "redis": _in_redis,
}
MARKS = {
    "gcs": (pytest.mark.world,),
    "redis": (pytest.mark.world,),
    "ssm": (pytest.mark.long,),  # moto's, and boto3's clients
}


def _each(*names: str) -> list[object]:
    return [pytest.param(name, marks=MARKS.get(name, ())) for name in names]


@pytest.fixture(params=_each(*KINDS))
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each kind of source, empty."""
    yield from KINDS[request.param](request)


def got(found: Fetched | None) -> Fetched:
    """What was fetched, which must not be None."""
    assert found is not None
    return found


# --- the contract --------------------------------------------------------------------------------


def test_the_first_look_gives_body_and_mark_and_the_next_nothing(place: Place) -> None:
    place.write(b'{"revision": 1}')
    source = place.source()
    first = got(source.fetch(None))
    assert first.body == b'{"revision": 1}'
    assert first.mark
    assert source.fetch(first.mark) is None
    assert source.fetch(first.mark) is None


def test_a_change_gives_the_new_document_and_a_new_mark(place: Place) -> None:
    place.write(b'{"revision": 1}')
    source = place.source()
    first = got(source.fetch(None))
    place.write(b'{"revision": 2}')
    second = got(source.fetch(first.mark))
    assert second.body == b'{"revision": 2}'
    assert second.mark != first.mark
    assert source.fetch(second.mark) is None


def test_without_a_known_mark_the_document_comes_again(place: Place) -> None:
    """As after a document that could not be read: the view forgets its mark then."""
    place.write(b"{}")
    source = place.source()
    assert got(source.fetch(None)) == got(source.fetch(None))


def test_another_source_of_the_same_document_has_the_same_marks(place: Place) -> None:
    place.write(b"{}")
    first = got(place.source().fetch(None))
    assert place.source().fetch(first.mark) is None


def test_a_mark_of_another_source_costs_a_look_and_is_no_error(place: Place) -> None:
    place.write(b"{}")
    mark = "17" if isinstance(place, InBucket) else "of another kind"
    assert got(place.source().fetch(mark)).body == b"{}"


@pytest.mark.parametrize(
    "body", ['{"primary": "schön 🜁"}'.encode(), b"garbage", b"{"], ids=["utf8", "garbage", "half"]
)
def test_bytes_come_through_as_they_are(place: Place, body: bytes) -> None:
    place.write(body)
    assert got(place.source().fetch(None)).body == body


@pytest.mark.parametrize("kind", _each("file", "http", "gcs", "redis"))
def test_bytes_that_are_no_text_come_through_too(kind: str, request: pytest.FixtureRequest) -> None:
    for place in KINDS[kind](request):
        place.write(b"\x00\xff\xfe{\r\n")
        assert got(place.source().fetch(None)).body == b"\x00\xff\xfe{\r\n"


def test_a_document_that_is_not_there_is_unavailable_until_it_is(place: Place) -> None:
    source = place.source()
    with pytest.raises(SourceUnavailable, match="there is no"):
        source.fetch(None)
    place.write(b"{}")
    first = got(source.fetch(None))
    place.remove()
    with pytest.raises(SourceUnavailable, match="there is no"):
        source.fetch(first.mark)
    place.write(b"[]")
    assert got(source.fetch(first.mark)).body == b"[]"


def test_what_is_not_permitted_is_unavailable_and_says_what_to_give(place: Place) -> None:
    place.write(b"{}")
    with pytest.raises(SourceUnavailable, match=r"not permitted|permissions"):
        place.refused().fetch(None)


def test_a_dead_server_is_unavailable_at_once(place: Place) -> None:
    """By what the system says of it, and not by the bound of a look."""
    with pytest.raises(SourceUnavailable) as refused:
        place.at(free_port(), PATIENT).fetch(None)
    assert "no whole answer" not in str(refused.value)


def test_the_same_fault_is_told_in_the_same_words(place: Place) -> None:
    """The view logs a fault once, and again when it differs: no words that differ by chance."""
    source = place.at(free_port(), PATIENT)
    said = set()
    for _ in range(3):
        with pytest.raises(SourceUnavailable) as refused:
            source.fetch(None)
        said.add(str(refused.value))
    assert len(said) == 1


@pytest.mark.timeout(45)  # less than the libraries' own timeouts
def test_a_hung_server_is_unavailable_within_the_bound(place: Place) -> None:
    """By our own bound. A library's has other words, and without one the look never ends."""
    with BadSocket(hang) as server, pytest.raises(SourceUnavailable, match=CUT_OFF):
        place.at(server.port, SHORT).fetch(None)


@pytest.mark.long
def test_by_default_a_hung_server_is_asked_once_for_three_seconds_at_most(place: Place) -> None:
    """A library's timeout may end a look earlier. What it must not do is to ask again."""
    assert WHOLE == 3
    with BadSocket(hang) as server:
        with pytest.raises(SourceUnavailable):
            place.at(server.port, WHOLE).fetch(None)
        assert server.connections <= 2  # a file's is none, and ours to see whether it listens


def test_a_source_that_hung_answers_again_when_its_server_does(place: Place) -> None:
    """The dead connections of before do not count."""
    place.write(b"{}")
    source = place.source()
    hung: Source = source
    with BadSocket(hang) as server:
        hung = place.at(server.port, SHORT)
        with pytest.raises(SourceUnavailable):
            hung.fetch(None)
    with pytest.raises(SourceUnavailable):
        hung.fetch(None)
    if isinstance(place, InBucket):
        place._point(place._front.url)
    if isinstance(place, InSsm):
        place._point(place._station.url)
    assert got(wait_until(lambda: _tried(source), 30, "the source to answer")).body == b"{}"


def _tried(source: Source) -> Fetched | None:
    try:
        return source.fetch(None)
    except SourceUnavailable:
        return None


def test_two_sources_do_not_disturb_each_other(place: Place) -> None:
    place.write(b'"a"', "a")
    place.write(b'"b"', "b")
    sources = {name: place.source(name) for name in ("a", "b")}

    def ask(name: str) -> set[bytes]:
        return {got(sources[name].fetch(None)).body for _ in range(20)}

    with ThreadPoolExecutor(2) as pool:
        assert tuple(pool.map(ask, ("a", "b"))) == ({b'"a"'}, {b'"b"'})


def test_a_source_is_usable_from_another_thread_than_made_it(place: Place) -> None:
    place.write(b"{}")
    source = place.source()
    assert got(source.fetch(None)).body == b"{}"
    with ThreadPoolExecutor(1) as pool:
        assert got(pool.submit(source.fetch, None).result()).body == b"{}"


FORK = """
import os, sys
from orchestrator.client.sources import source

one = source(sys.argv[1], seconds=60)
def rounds():
    seen = {one.fetch(None).body for _ in range(30)}
    return seen == {sys.argv[2].encode()}

assert rounds()
child = os.fork()
right = rounds()
if child == 0:
    os._exit(0 if right else 1)
sys.exit(0 if right and os.waitpid(child, 0)[1] == 0 else 1)
"""


def test_parent_and_child_of_a_fork_have_connections_of_their_own(place: Place) -> None:
    """Both ask at once; a shared connection would mix their answers."""
    body = '{"revision": 1}'
    place.write(body.encode())
    command = [sys.executable, "-W", "ignore", "-c", FORK, place.url(), body]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, timeout=50, check=False, text=True
    )
    assert ended.returncode == 0, ended.stderr


def test_a_url_names_the_same_source(place: Place) -> None:
    place.write(b"{}")
    found = source(place.url(), seconds=PATIENT)
    assert type(found) is type(place.source())
    assert got(found.fetch(None)).body == b"{}"
    assert found.name == place.source().name


@pytest.mark.parametrize("kind", _each("http", "gcs", "redis"))
def test_an_unchanged_document_costs_no_body(kind: str, request: pytest.FixtureRequest) -> None:
    for place in KINDS[kind](request):
        body = b"x" * 200_000
        place.write(body)
        source = place.source()
        mark = got(source.fetch(None)).mark
        before = place.sent()
        for _ in range(5):
            assert source.fetch(mark) is None
        # Redis counts its own answers to `INFO`, too.
        assert place.sent() - before < 10_000


# --- a file --------------------------------------------------------------------------------------


def test_a_file_of_the_same_length_and_time_is_another_one(tmp_path: Path) -> None:
    place = InFile(tmp_path)
    place.write(b'{"revision": 1}')
    source = place.source()
    first = got(source.fetch(None))
    stat = (tmp_path / "a").stat()
    place.write(b'{"revision": 2}')
    os.utime(tmp_path / "a", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert got(source.fetch(first.mark)).body == b'{"revision": 2}'


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    place = InFile(tmp_path)
    bodies = [bytes([letter]) * 50_000 for letter in b"ab"]
    place.write(bodies[0])
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            for body in bodies:
                place.write(body)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        source = place.source()
        seen = {got(source.fetch(None)).body for _ in range(200)}
        over.set()
        writing.result()
    assert seen <= set(bodies)


def test_a_file_that_is_far_too_large_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b" " * (LARGEST + 1))
    with pytest.raises(SourceUnavailable, match="no region document"):
        FileSource(tmp_path / "a").fetch(None)


def test_no_more_than_four_looks_hang_at_once(tmp_path: Path) -> None:
    """Nothing can cut off a look at a file: a thread stays behind with each, up to a bound."""
    os.mkfifo(tmp_path / "pipe")
    source = FileSource(tmp_path / "pipe", seconds=0.2)
    before = threading.active_count()
    for _ in range(4):
        with pytest.raises(SourceUnavailable, match="no whole answer"):
            source.fetch(None)
    for _ in range(20):
        with pytest.raises(SourceUnavailable, match="4 earlier reads still hang"):
            source.fetch(None)
    assert threading.active_count() <= before + 4
    (tmp_path / "pipe").rename(tmp_path / "gone")
    (tmp_path / "pipe").write_bytes(b"{}")
    (tmp_path / "gone").open("wb").close()  # those that hang go on, and end
    found = wait_until(lambda: _tried(source), 30, "the source to look again")
    assert got(found).body == b"{}"


# --- over HTTP -----------------------------------------------------------------------------------


def test_without_an_etag_the_body_itself_tells_a_change() -> None:
    bodies = [b'"one"']
    with Station(lambda _: Said(200, bodies[0])) as station:
        source = HttpSource(station.url, seconds=PATIENT)
        first = got(source.fetch(None))
        assert source.fetch(first.mark) is None
        assert "if-none-match" not in station.asked[-1].headers
        bodies[0] = b'"two"'
        assert got(source.fetch(first.mark)).body == b'"two"'


def test_a_server_that_begins_to_send_etags_is_followed() -> None:
    headers: dict[str, str] = {}
    with Station(lambda _: Said(200, b"{}", headers)) as station:
        source = HttpSource(station.url, seconds=PATIENT)
        first = got(source.fetch(None))
        headers["ETag"] = 'W/"7"'
        second = got(source.fetch(first.mark))
        assert second.mark == 'W/"7"'
        assert source.fetch(second.mark) is None  # the server ignores the condition
        assert station.asked[-1].headers["if-none-match"] == 'W/"7"'


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Station(lambda _: Said(200, b"{}")) as other:
        elsewhere = {"Location": other.url}
        station = Station(lambda _: Said(status, b"", elsewhere))
        with station, pytest.raises(SourceUnavailable, match="not followed"):
            HttpSource(station.url, seconds=PATIENT).fetch(None)
        assert other.asked == []


def test_an_unasked_304_is_no_document() -> None:
    with Station(lambda _: Said(304)) as station, pytest.raises(SourceUnavailable, match="304"):
        HttpSource(station.url, seconds=PATIENT).fetch(None)


@pytest.mark.parametrize(
    ("status", "said"), [(204, "204"), (500, "500"), (503, "503"), (404, "no document")]
)
def test_only_200_is_a_document(status: int, said: str) -> None:
    with Station(lambda _: Said(status, b"" if status == 204 else b"{}")) as station:
        source = HttpSource(station.url, seconds=PATIENT)
        with pytest.raises(SourceUnavailable, match=said):
            source.fetch(None)
        station.answer = lambda _: Said(200, b"{}")
        assert got(source.fetch(None)).body == b"{}"


def test_headers_are_sent_and_asked_for_each_time() -> None:
    tokens = iter(["one", "two"])
    with Station(lambda _: Said(200, b"{}")) as station:
        fixed = HttpSource(station.url, seconds=PATIENT, headers={"Authorization": "Bearer x"})
        fixed.fetch(None)
        changing = HttpSource(
            station.url, seconds=PATIENT, headers=lambda: {"Authorization": next(tokens)}
        )
        changing.fetch(None)
        changing.fetch(None)
    sent = [asked.headers["authorization"] for asked in station.asked]
    assert sent == ["Bearer x", "one", "two"]


def test_a_body_that_is_too_large_is_not_taken() -> None:
    with Station(lambda _: Said(200, b" " * (LARGEST + 1))) as station:
        source = HttpSource(station.url, seconds=PATIENT)
        with pytest.raises(SourceUnavailable, match="no region document"):
            source.fetch(None)
        station.answer = lambda _: Said(200, b"{}")
        assert got(source.fetch(None)).body == b"{}"


def test_half_a_body_is_no_document() -> None:
    def half(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")

    with BadSocket(half) as server, pytest.raises(SourceUnavailable):
        HttpSource(server.url).fetch(None)


def test_an_encoding_that_was_not_asked_for_is_named() -> None:
    station = Station(lambda _: Said(200, b"\x1f\x8b", {"Content-Encoding": "gzip"}))
    with station, pytest.raises(SourceUnavailable, match="gzip"):
        HttpSource(station.url, seconds=PATIENT).fetch(None)


def test_one_connection_is_kept_and_made_anew_when_the_server_closed_it() -> None:
    with Station(lambda _: Said(200, b"{}")) as station:
        source = HttpSource(station.url, seconds=PATIENT)
        for _ in range(5):
            source.fetch(None)
        (one,) = station._server.connections
        wait_until(lambda: one in station._server.connections, 30, "the connection")
        one.shutdown(2)
        assert got(source.fetch(None)).body == b"{}"


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nX: ", HEAD], ids=["1", "2", "3"])
def test_a_server_that_trickles_is_cut_off_and_leaves_no_thread(first: bytes) -> None:
    """In the status, in a header, in the body: each byte would begin a read's timeout anew."""
    before = _looks()
    with BadSocket(trickle(first)) as server:
        source = HttpSource(server.url, seconds=SHORT)
        with pytest.raises(SourceUnavailable, match=CUT_OFF):
            source.fetch(None)
        wait_until(lambda: _looks() <= before, 30, "the look's thread to end")


@pytest.mark.world
def test_a_redis_that_trickles_is_cut_off_and_leaves_no_thread() -> None:
    before = _looks()
    with BadSocket(trickle(b"+OK\r\n$100000\r\n")) as server:
        source = RedisSource(read_redis_url(f"redis://{HOST}:{server.port}"), "k", seconds=SHORT)
        with pytest.raises(SourceUnavailable, match=CUT_OFF):
            source.fetch(None)
        wait_until(lambda: _looks() <= before, 30, "the look's thread to end")


def _looks() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "region-document-look"}


def test_a_server_is_believed_by_its_certificate_alone(tmp_path: Path) -> None:
    """Over TLS, with a certificate that is trusted by name, or by nobody."""
    certificate = tmp_path / "server.pem"
    certificate.write_bytes(self_signed(HOST))
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(certificate)
    with Station(lambda _: Said(200, b"{}"), trust) as station:
        url = station.url.replace("http:", "https:")
        assert got(HttpSource(url, cafile=str(certificate)).fetch(None)).body == b"{}"
        with pytest.raises(SourceUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            HttpSource(url).fetch(None)
        other = HttpSource(url.replace(HOST, "localhost"), cafile=str(certificate))
        with pytest.raises(SourceUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            other.fetch(None)


def test_a_handshake_that_trickles_keeps_nobody_waiting() -> None:
    record = b"\x16\x03\x03\x40\x00"  # a TLS record of 16 KB begins
    with BadSocket(trickle(record)) as server:
        source = HttpSource(server.url.replace("http:", "https:"), seconds=SHORT)
        with pytest.raises(SourceUnavailable, match=CUT_OFF):
            source.fetch(None)


def self_signed(host: str) -> bytes:
    """A key and its certificate for this address, valid for an hour."""
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "document")])
    alternatives = [x509.IPAddress(ipaddress.ip_address(host))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, pkcs8, plain) + made.public_bytes(pem)


# --- SSM, Redis ----------------------------------------------------------------------------------


def test_a_parameter_that_was_deleted_and_made_anew_is_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its versions begin again at 1."""
    with moto_station() as station:
        place = InSsm(station, monkeypatch)
        place.write(b'"one"')
        source = place.source()
        first = got(source.fetch(None))
        place.remove()
        place.write(b'"two"')
        assert got(source.fetch(first.mark)).body == b'"two"'


def test_without_aws_credentials_ssm_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with moto_station() as station:
        place = InSsm(station, monkeypatch)
        for name in AWS:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with pytest.raises(SourceUnavailable, match=r"[Cc]redentials"):
            place.source().fetch(None)


@pytest.mark.world
def test_a_user_of_redis_without_the_right_is_told_what_it_needs(
    redis_process: RedisServer,
) -> None:
    with redis_process.client() as client:
        client.execute_command("ACL", "SETUSER", "nobody", "on", ">pass", "~*", "+ping")
    url = read_redis_url(f"redis://nobody:pass@{HOST}:{redis_process.port}")
    with pytest.raises(SourceUnavailable, match="HGET"):
        RedisSource(url, "k").fetch(None)


@pytest.mark.world
def test_a_key_of_another_type_is_unavailable(redis_process: RedisServer) -> None:
    with redis_process.client() as client:
        client.set("text", "x")
    url = read_redis_url(f"redis://{HOST}:{redis_process.port}")
    with pytest.raises(SourceUnavailable, match="WRONGTYPE"):
        RedisSource(url, "text", password=PASSWORD).fetch(None)


@pytest.mark.world
def test_a_stopped_redis_takes_no_longer_than_the_bound(tmp_path: Path) -> None:
    server = redis_server(tmp_path)
    try:
        place = InRedis(server)
        place.write(b"{}")
        source = place.source(seconds=SHORT)
        assert got(wait_until(lambda: _tried(source), 30, "an answer")).body == b"{}"
        server.child.signal(signal.SIGSTOP)
        with pytest.raises(SourceUnavailable, match=CUT_OFF):
            source.fetch(None)
        server.child.signal(signal.SIGCONT)
        assert got(wait_until(lambda: _tried(source), 30, "an answer")).body == b"{}"
        server.child.kill()
        with pytest.raises(SourceUnavailable):
            source.fetch(None)
        server.start()
        place.write(b"[]")
        assert got(wait_until(lambda: _tried(source), 30, "an answer")).body == b"[]"
        place.close()
    finally:
        server.stop()


# --- names and URLs ------------------------------------------------------------------------------


def test_no_name_of_a_source_holds_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_REDIS", "geheim")
    for url in (
        "https://host.example:8443/a.json?token=geheim",
        "rediss://user:geheim@host:6380/3?key=failover:checkout",
        "redis://host?key=failover:checkout&password_env=MY_REDIS",
    ):
        found = source(url)
        assert "geheim" not in found.name
        assert "host" in found.name


@pytest.mark.parametrize(
    "url",
    [
        *("", "checkout.json", "s3://bucket/a.json", "gs://bucket", "gs://bucket/", "gs:///a"),
        *("file://a/b", "file:///", "http://", "https:///a", "ssm://us-east-1", "ssm:///x"),
        *("redis://host/0", "redis:///0?key=a", "redis://host/x?key=a", "redis://host:x/0?key=a"),
        "redis://host/0?key=a&other=1",
        "redis://host/0?key=a&password_env=NO_SUCH_VARIABLE",
        "https://user:geheim@host/a.json",
        "redis://:geheim@host:port/0?key=a",
    ],
)
def test_a_url_that_names_no_source_says_what_would_be_right(url: str) -> None:
    with pytest.raises(ValueError, match=r"write|use|is not|give") as refused:
        source(url)
    assert "geheim" not in str(refused.value)


def test_making_a_source_asks_nothing_and_imports_no_library() -> None:
    code = """
import sys
from orchestrator.client.sources import source
for url in ("gs://b/a.json", "file:///a", "https://h/a", "ssm://r/a", "redis://h/0?key=a"):
    print(source(url).name)
heavy = {"boto3", "botocore", "redis", "google.auth", "urllib3", "requests", "flask"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        *("gs://b/a.json", "file:///a", "https://h/a", "ssm://r/a", "redis://h:6379/0?key=a")
    ]
