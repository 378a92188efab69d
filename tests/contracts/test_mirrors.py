"""One contract for the places of the document's mirrors: memory, moto's SSM, a real Redis."""

from __future__ import annotations

import json
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator import aws_identity
from orchestrator.adapters.aws.mirror import SsmMirror
from orchestrator.adapters.redis.mirror import RedisMirror
from orchestrator.client.document import read_document
from orchestrator.client.sources.redis import RedisSource
from orchestrator.client.sources.ssm import SsmSource
from orchestrator.core.exceptions import Unavailable
from orchestrator.core.outside.redis_url import read_redis_url
from orchestrator.local.process.child import ROOT
from orchestrator.local.process.loopback import HOST, free_port
from orchestrator.ports import Mirror
from tests.support.fakes import FakeMirror
from tests.support.places import (
    AWS,
    PASSWORD,
    RedisServer,
    aws_refusal,
    moto_answer,
    moto_station,
    redis_server,
)
from tests.support.station import Asked, BadSocket, Said, Station, hang

REGION = "us-west-2"
THREADS = 8


def document(revision: int) -> bytes:
    """A small document of this revision."""
    made = {
        "schema": 1,
        "service": "checkout",
        "revision": revision,
        "epoch": 1,
        "primary": "us-east-1",
        "regions": {"us-east-1": {"endpoint": "dynamodb.us-east-1.amazonaws.com", "healthy": True}},
    }
    return json.dumps(made).encode()


@dataclass
class Place:
    """A mirror, another instance of it, what it holds, and ways to put anything there."""

    make: Callable[[], Mirror]
    held: Callable[[], bytes | None]
    spoil: Callable[[bytes], object]
    at: Callable[[int], Mirror]

    def __post_init__(self) -> None:
        self.mirror = self.make()

    @property
    def revision(self) -> int | None:
        """Of what it holds."""
        return self.mirror.revision("checkout")


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A running Redis."""
    server = redis_server(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def ssm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    """moto's AWS behind HTTP, to which every boto3 client here goes."""
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    with moto_station() as station:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", station.url)
        yield station


def in_ssm(folder: str) -> SsmMirror:
    """The adapter with credentials of the environment; patient, for eight write at once."""
    return SsmMirror(f"/{folder}/{{service}}", REGION, aws_identity.session, seconds=50, read=20)


def in_redis(port: int, folder: str, password: str = PASSWORD) -> RedisMirror:
    """The adapter."""
    url = read_redis_url(f"redis://{HOST}:{port}/0")
    return RedisMirror(url, f"{folder}:{{service}}", password, "MY_PASSWORD")


def _memory(_: pytest.FixtureRequest) -> Place:
    mirror = FakeMirror()

    def dead(_: int) -> Mirror:
        other = FakeMirror()
        other.error = Unavailable("no answer")
        return other

    def spoil(data: bytes) -> None:
        mirror.held["checkout"] = (-1, data)

    return Place(lambda: mirror, lambda: mirror.held.get("checkout", (0, None))[1], spoil, dead)


def _ssm(request: pytest.FixtureRequest) -> Place:
    request.getfixturevalue("ssm")
    patch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    folder = uuid.uuid4().hex
    client = aws_identity.session().client("ssm", region_name=REGION)
    name = f"/{folder}/checkout"

    def held() -> bytes | None:
        try:
            return client.get_parameter(Name=name)["Parameter"]["Value"].encode()
        except client.exceptions.ParameterNotFound:
            return None

    def spoil(data: bytes) -> object:
        return client.put_parameter(Name=name, Value=data.decode(), Type="String", Overwrite=True)

    def at(port: int) -> Mirror:
        patch.setenv("AWS_ENDPOINT_URL_SSM", f"http://{HOST}:{port}")
        return SsmMirror(name, REGION, aws_identity.session)  # as impatient as it is

    return Place(lambda: in_ssm(folder), held, spoil, at)


def _redis(request: pytest.FixtureRequest) -> Place:
    server: RedisServer = request.getfixturevalue("redis_process")
    folder = uuid.uuid4().hex
    client = server.client()
    request.addfinalizer(client.close)
    key = f"{folder}:checkout"
    return Place(
        lambda: in_redis(server.port, folder),
        lambda: client.hget(key, "document"),
        lambda data: client.hset(key, mapping={"revision": "newest", "document": data}),
        lambda port: in_redis(port, folder),
    )


KINDS = {"memory": _memory, "ssm": _ssm, "redis": _redis}


@pytest.fixture(
    params=[
        "memory",
        pytest.param("ssm", marks=pytest.mark.long),  # moto's, and boto3's clients
        pytest.param("redis", marks=pytest.mark.world),
    ]
)
def place(request: pytest.FixtureRequest) -> Place:
    """Each kind of mirror, empty."""
    return KINDS[request.param](request)


# --- the contract --------------------------------------------------------------------------------


def test_an_empty_mirror_has_no_revision(place: Place) -> None:
    assert place.revision is None
    assert place.held() is None


def test_what_is_published_lies_there_with_its_revision(place: Place) -> None:
    assert place.mirror.publish("checkout", 7, document(7))
    assert place.revision == 7
    assert place.held() == document(7)


def test_the_first_document_of_all_has_revision_zero(place: Place) -> None:
    assert place.mirror.publish("checkout", 0, document(0)) == 0
    assert place.revision == 0
    assert place.mirror.publish("checkout", 0, document(0)) == 0
    assert place.mirror.publish("checkout", 1, document(1))
    assert place.held() == document(1)


def test_publishing_again_changes_nothing(place: Place) -> None:
    for _ in range(2):
        assert place.mirror.publish("checkout", 7, document(7)) == 7
        assert place.held() == document(7)


def test_another_document_of_the_same_revision_is_written_over(place: Place) -> None:
    """A revision has one document; the other one is somebody else's."""
    forged = document(7).replace(b"dynamodb.example", b"dynamodb.evil.example")
    place.mirror.publish("checkout", 7, forged)
    assert place.mirror.publish("checkout", 7, document(7)) == 7
    assert place.held() == document(7)


def test_a_revision_that_is_ahead_is_told_and_replaced_only_if_it_is_still_there(
    place: Place,
) -> None:
    ahead = 2**62
    place.mirror.publish("checkout", ahead, document(ahead))
    assert place.mirror.publish("checkout", 7, document(7)) == ahead
    assert not place.mirror.replace("checkout", ahead + 1, 7, document(7))
    assert place.revision == ahead
    assert place.mirror.replace("checkout", ahead, 7, document(7))
    assert place.revision == 7
    assert read_document(place.held() or b"").revision == 7
    assert not place.mirror.replace("checkout", ahead, 6, document(6))
    assert place.mirror.publish("checkout", 8, document(8)) == 8
    assert place.mirror.publish("checkout", 7, document(7)) == 8


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_what_was_replaced_does_not_come_back_when_eight_publish_at_once(
    place: Place, seed: int
) -> None:
    """Also where the history of the place still has it."""
    ahead = 2**62
    place.mirror.publish("checkout", ahead, document(ahead))
    place.mirror.replace("checkout", ahead, 90, document(90))
    race(place, list(range(95, 105)), seed)
    assert place.revision == 104


def test_a_lower_revision_never_takes_the_place_of_a_higher_one(place: Place) -> None:
    """Revisions are generations of Cloud Storage: compared as numbers, in all their digits."""
    for higher, lower in ((10, 9), (1795458404343948, 1795458404343947), (2**62 + 1, 2**62)):
        place.mirror.publish("checkout", higher, document(higher))
        assert place.mirror.publish("checkout", lower, document(lower)) == higher
        assert place.held() == document(higher)
        assert place.revision == higher


def test_another_instance_sees_what_the_first_one_published(place: Place) -> None:
    place.mirror.publish("checkout", 7, document(7))
    other = place.make()
    assert other.revision("checkout") == 7
    assert other.publish("checkout", 6, document(6)) == 7
    assert other.publish("checkout", 8, document(8))
    assert place.revision == 8


def test_services_do_not_disturb_each_other(place: Place) -> None:
    place.mirror.publish("checkout", 7, document(7))
    assert place.mirror.publish("search", 3, document(3))
    assert place.revision == 7
    assert place.mirror.revision("search") == 3


@pytest.mark.parametrize("spoilt", [b"garbage", b"{}", b'{"revision": "x"}'])
def test_what_is_no_document_is_written_over(place: Place, spoilt: bytes) -> None:
    place.mirror.publish("checkout", 7, document(7))
    place.spoil(spoilt)
    assert place.revision in {None, -1}
    assert place.mirror.publish("checkout", 7, document(7))
    assert place.held() == document(7)


def race(place: Place, revisions: list[int], seed: int) -> None:
    """Publish all of these by eight threads at once, each in an order of its own."""
    dice = random.Random(seed)
    shuffled = [dice.sample(revisions, len(revisions)) for _ in range(THREADS)]
    start = threading.Barrier(THREADS)

    def publish(mine: list[int]) -> None:
        mirror = place.make()
        mirror.revision("checkout")  # connected
        start.wait()
        for revision in mine:
            mirror.publish("checkout", revision, document(revision))

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(publish, mine) for mine in shuffled]:
            done.result()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_when_eight_publish_at_once_the_highest_revision_is_what_stays(
    place: Place, seed: int
) -> None:
    race(place, list(range(95, 105)), seed)
    assert place.held() == document(104)


def test_a_dead_place_is_unavailable_by_its_name(place: Place) -> None:
    mirror = place.at(free_port())
    with pytest.raises(Unavailable):
        mirror.publish("checkout", 1, document(1))
    with pytest.raises(Unavailable):
        mirror.revision("checkout")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["ssm", pytest.param("redis", marks=pytest.mark.world)])
def test_a_place_that_hangs_is_unavailable_within_the_bound(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """By a timeout, and without asking again: that would take it as long once more."""
    with BadSocket(hang) as server:
        mirror = KINDS[kind](request).at(server.port)
        with pytest.raises(Unavailable, match=r"(?i)tim(ed out|eout)"):
            mirror.publish("checkout", 1, document(1))
        assert server.connections == 1


# --- Redis ---------------------------------------------------------------------------------------


@pytest.mark.world
def test_redis_never_shows_a_lower_revision_to_a_reader(redis_process: RedisServer) -> None:
    """One atomic step: not even for a moment."""
    folder = uuid.uuid4().hex
    mirror = in_redis(redis_process.port, folder)
    over = threading.Event()
    seen: list[int] = []

    def watch() -> None:
        with redis_process.client() as client:
            while not over.is_set():
                seen.append(int(client.hget(f"{folder}:checkout", "revision") or 0))

    place = Place(lambda: in_redis(redis_process.port, folder), lambda: None, print, in_redis)  # type: ignore[arg-type]  # only `make` is used
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        race(place, list(range(1, 60)), 1)
        over.set()
        watching.result()
    assert seen == sorted(seen)
    assert mirror.revision("checkout") == 59


@pytest.mark.world
def test_a_wrong_password_names_its_variable_and_not_itself(redis_process: RedisServer) -> None:
    mirror = in_redis(redis_process.port, "x", "geheim")
    with pytest.raises(Unavailable, match="MY_PASSWORD") as refused:
        mirror.publish("checkout", 1, document(1))
    assert "geheim" not in str(refused.value)
    assert "geheim" not in mirror.name


MIRROR_RIGHTS = "+hmget +hset +evalsha +script|load"
"""As docs/deploy.md names them."""

SOURCE_RIGHTS = "+hget +hmget"


@pytest.mark.world
def test_a_user_of_redis_with_just_the_rights_that_are_named_can_publish_and_read(
    redis_process: RedisServer,
) -> None:
    assert MIRROR_RIGHTS in (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    folder = uuid.uuid4().hex
    with redis_process.client() as client:
        for user, rights in (("writer", MIRROR_RIGHTS), ("reader", SOURCE_RIGHTS)):
            words = ["on", f">{user}-pass", "resetkeys", f"~{folder}:*", "-@all", *rights.split()]
            client.execute_command("ACL", "SETUSER", user, "reset", *words)
        client.script_flush()
    url = read_redis_url(f"redis://writer@{HOST}:{redis_process.port}/0")
    mirror = RedisMirror(url, f"{folder}:{{service}}", "writer-pass")
    assert mirror.publish("checkout", 7, document(7))
    assert mirror.revision("checkout") == 7
    url = read_redis_url(f"redis://reader@{HOST}:{redis_process.port}/0")
    source = RedisSource(url, f"{folder}:checkout", password="reader-pass")
    found = source.fetch(None)
    assert found is not None
    assert source.fetch(found.mark) is None
    with pytest.raises(Unavailable, match="EVALSHA"):
        RedisMirror(url, f"{folder}:{{service}}", "reader-pass").publish("checkout", 8, b"{}")


@pytest.mark.world
def test_the_redis_source_reads_what_the_redis_mirror_wrote(redis_process: RedisServer) -> None:
    folder = uuid.uuid4().hex
    in_redis(redis_process.port, folder).publish("checkout", 7, document(7))
    url = read_redis_url(f"redis://{HOST}:{redis_process.port}/0")
    found = RedisSource(url, f"{folder}:checkout", password=PASSWORD).fetch(None)
    assert found is not None
    assert read_document(found.body).revision == 7


@pytest.mark.world
def test_a_redis_that_was_restarted_is_written_again(tmp_path: Path) -> None:
    """It kept nothing, and its connections are gone; the script too."""
    server = redis_server(tmp_path)
    try:
        mirror = in_redis(server.port, "x")
        mirror.publish("checkout", 7, document(7))
        server.child.kill()
        with pytest.raises(Unavailable):
            mirror.publish("checkout", 8, document(8))
        server.start()
        assert mirror.publish("checkout", 8, document(8))
        assert mirror.revision("checkout") == 8
    finally:
        server.stop()


# --- SSM -----------------------------------------------------------------------------------------


def test_the_ssm_source_reads_what_the_ssm_mirror_wrote(ssm: Station) -> None:
    del ssm
    folder = uuid.uuid4().hex
    in_ssm(folder).publish("checkout", 7, document(7))
    found = SsmSource(f"/{folder}/checkout", REGION).fetch(None)
    assert found is not None
    assert read_document(found.body).revision == 7


def test_an_unchanged_document_makes_no_new_version(ssm: Station) -> None:
    mirror = in_ssm(uuid.uuid4().hex)
    for revision in (7, 7, 6, 8, 8):
        mirror.publish("checkout", revision, document(revision))
    puts = [asked for asked in ssm.asked if asked.headers["x-amz-target"].endswith("PutParameter")]
    assert len(puts) == 2


class Between:
    """moto's SSM, where somebody else writes just before our put is taken."""

    def __init__(self, name: str, others: list[int]) -> None:
        self._name = name
        self._others = others  # those that have not come yet
        self._busy = False
        self._client = aws_identity.session().client("ssm", region_name=REGION)

    def __call__(self, asked: Asked) -> Said:
        target = asked.headers.get("x-amz-target", "")
        if target.endswith("PutParameter") and self._others and not self._busy:
            self._busy = True
            value = document(self._others.pop(0)).decode()
            self._client.put_parameter(Name=self._name, Value=value, Type="String", Overwrite=True)
            self._busy = False
        return moto_answer(asked)


@pytest.mark.parametrize(
    "others",
    [
        *([9], [6], [9, 6], [6, 9]),
        *(pytest.param(w, marks=pytest.mark.long) for w in ([6, 5, 4], [9, 10, 11], [6, 12, 5])),
    ],
    ids=lambda others: "-".join(map(str, others)),
)
@pytest.mark.parametrize("there", [0, 5], ids=["empty", "there"])
def test_whoever_wrote_in_between_the_highest_revision_is_put_back(
    ssm: Station, others: list[int], there: int
) -> None:
    folder = uuid.uuid4().hex
    mirror = in_ssm(folder)
    if there:
        mirror.publish("checkout", there, document(there))
    left = list(others)
    ssm.answer = Between(f"/{folder}/checkout", left)
    mirror.publish("checkout", 7, document(7))
    came = others[: len(others) - len(left)]  # the rest found no put of ours to come before
    assert came
    assert mirror.revision("checkout") == max(7, *came)


def test_a_writer_that_ends_between_leaves_it_lower_until_the_next_one(ssm: Station) -> None:
    """The one moment in which SSM may stand lower; readers ignore it, and a tick repairs it."""
    folder = uuid.uuid4().hex
    mirror = in_ssm(folder)
    mirror.publish("checkout", 5, document(5))
    between = Between(f"/{folder}/checkout", [9])

    def answer(asked: Asked) -> Said:
        if asked.headers["x-amz-target"].endswith("GetParameterHistory"):
            return Said(500)
        return between(asked)

    ssm.answer = answer
    with pytest.raises(Unavailable):
        mirror.publish("checkout", 7, document(7))
    assert mirror.revision("checkout") == 7
    ssm.answer = moto_answer
    assert mirror.publish("checkout", 9, document(9))
    assert mirror.revision("checkout") == 9


def test_without_permission_it_says_which_the_role_needs(ssm: Station) -> None:
    ssm.answer = aws_refusal
    with pytest.raises(Unavailable, match="ssm:PutParameter"):
        in_ssm("x").publish("checkout", 1, document(1))


def test_a_throttled_put_is_not_tried_again_by_the_library(ssm: Station) -> None:
    def answer(asked: Asked) -> Said:
        if asked.headers["x-amz-target"].endswith("PutParameter"):
            body = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
            return Said(400, body, {"Content-Type": "application/x-amz-json-1.1"})
        return moto_answer(asked)

    ssm.answer = answer
    with pytest.raises(Unavailable, match="Throttling"):
        in_ssm(uuid.uuid4().hex).publish("checkout", 1, document(1))
    targets = [asked.headers["x-amz-target"].rpartition(".")[2] for asked in ssm.asked]
    assert targets == ["GetParameter", "PutParameter"]
