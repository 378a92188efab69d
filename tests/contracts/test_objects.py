"""One contract for small objects with generations, over memory, a folder and a Cloud Storage."""

from __future__ import annotations

import json
import multiprocessing
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials

from orchestrator.adapters.folder.memory import MemoryObjects
from orchestrator.adapters.folder.objects import KEPT_VERSIONS, FileObjects
from orchestrator.adapters.gcp.objects import GcsObjects
from orchestrator.core.exceptions import Conflict, NoStore, Unavailable
from orchestrator.local.google.storage import FakeGcs
from orchestrator.local.process.loopback import free_port, url_of
from orchestrator.ports import Objects, Store

BUCKET = "laptop-failover"
THREADS = 6
TIMES = 10


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeGcs]:
    """A running Cloud Storage."""
    found = FakeGcs(BUCKET, tmp_path_factory.mktemp("gcs"))
    found.start()
    yield found
    found.stop()


def in_bucket(url: str, bucket: str = BUCKET, prefix: str = "") -> GcsObjects:
    """The adapter, pointed at an emulator."""
    return GcsObjects("laptop", bucket, prefix, AnonymousCredentials(), url)


@pytest.fixture(params=["memory", "folder", pytest.param("cloud storage", marks=pytest.mark.world)])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each implementation of the port, empty."""
    if request.param == "memory":
        return MemoryObjects()
    if request.param == "folder":
        return FileObjects(tmp_path / "state")
    found: FakeGcs = request.getfixturevalue("gcs")
    return in_bucket(found.url, prefix=f"/{uuid.uuid4().hex}/")


# --- the contract --------------------------------------------------------------------------------


def test_an_object_that_is_not_there_is_none(objects: Objects) -> None:
    assert objects.get("checkout.json") is None
    assert objects.get("journal/checkout/1.json") is None


def test_the_time_is_a_servers_and_known_after_its_first_answer(objects: Store) -> None:
    assert objects.server_time() is None
    objects.get("checkout.json")
    told = objects.server_time()
    assert told is None or told.utcoffset() == timedelta(0)
    assert (told is None) is not isinstance(objects, GcsObjects)


def test_generation_zero_creates_and_what_was_put_is_got(objects: Objects) -> None:
    made = objects.put("checkout.json", b"first", 0)
    assert made > 0
    assert objects.get("checkout.json") == (b"first", made)


def test_only_the_generation_that_is_there_is_replaced(objects: Objects) -> None:
    first = objects.put("checkout.json", b"first", 0)
    second = objects.put("checkout.json", b"second", first)
    assert second > first
    for stale in (first, second + 1, 1 if first != 1 else 10**15):
        with pytest.raises(Conflict):
            objects.put("checkout.json", b"late", stale)
    assert objects.get("checkout.json") == (b"second", second)


def test_an_object_that_is_there_is_not_created_again(objects: Objects) -> None:
    made = objects.put("journal/x.json", b"kept", 0)
    with pytest.raises(Conflict):
        objects.put("journal/x.json", b"other", 0)
    assert objects.get("journal/x.json") == (b"kept", made)


def test_an_object_that_is_not_there_is_not_replaced(objects: Objects) -> None:
    with pytest.raises(Conflict):
        objects.put("checkout.json", b"late", 7)
    assert objects.get("checkout.json") is None


def test_generations_grow_with_every_write_also_of_the_same_bytes(objects: Objects) -> None:
    seen = [0]
    for _ in range(5):
        seen.append(objects.put("checkout.json", b"same", seen[-1]))
    assert seen == sorted(set(seen))
    assert objects.get("checkout.json") == (b"same", seen[-1])


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00\xff\r\n", "schön 🜁".encode(), b"x" * 300_000],
    ids=["0", "raw", "utf8", "big"],
)
def test_bytes_survive(objects: Objects, data: bytes) -> None:
    made = objects.put("checkout.json", data, 0)
    assert objects.get("checkout.json") == (data, made)


def test_names_have_folders_and_stand_for_themselves(objects: Objects) -> None:
    names = (
        "journal/x/y.json",
        "journal/x/z.json",
        "journal/y.json",
        "journal/_poison/a:b.c_d-e.json",
    )
    made = {name: objects.put(name, name.encode(), 0) for name in names}
    for name in names:
        assert objects.get(name) == (name.encode(), made[name])


NO_NAMES = (
    "",
    "/etc/passwd",
    "../outside.json",
    "journal/checkout/../../../outside.json",
    "journal/checkout/..",
    "journal//x.json",
    "./x.json",
    ".generations/checkout.json",
    "journal/.lock",
    "journal/a b+c%2F.json",
    "journal/\x00.json",
    "journal/\x1b]0;x\x07.json",
    "journal/\ud800.json",
    "journal/\u202e.json",
    "journal/sch\u00f6n.json",
    "journal/x.json\n",
    "C:\\x.json",
    "a/" * 40 + "x.json",
    "x" * 300,
)


@pytest.mark.parametrize("name", NO_NAMES, ids=range(len(NO_NAMES)))
def test_no_store_writes_what_is_no_name_of_ours(objects: Objects, name: str) -> None:
    """A name may be made of what a document says; in a folder it could lie outside of it."""
    with pytest.raises(Unavailable, match="names no object of ours"):
        objects.put(name, b"{}", 0)
    assert objects.put("checkout.json", b"{}", 0)


@pytest.mark.parametrize("name", [n for n in NO_NAMES if ".." in n or n.startswith("/")])
def test_a_folder_reads_nothing_outside_of_itself(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.json").write_text("{}")
    folder = FileObjects(tmp_path / "state")
    for ask in (folder.get, folder.versions, lambda named: folder.version(named, 1)):
        with pytest.raises(Unavailable, match="names no object of ours"):
            ask(name)


@pytest.mark.parametrize("counter", ['{"generation": Infinity, "sha256": ""}', "[" * 100_000, "7"])
def test_a_counter_that_is_none_counts_as_a_change_by_hand(tmp_path: Path, counter: str) -> None:
    folder = FileObjects(tmp_path)
    folder.put("checkout.json", b"{}", 0)
    (tmp_path / ".generations" / "checkout.json").write_text(counter)
    got = folder.get("checkout.json")
    assert got == (b"{}", 1)
    (tmp_path / ".versions" / "checkout.json" / "\u00b2").write_text("no version")
    assert folder.versions("checkout.json")


def test_one_objects_writes_leave_the_others_alone(objects: Objects) -> None:
    one = objects.put("checkout.json", b"one", 0)
    other = objects.put("search.json", b"other", 0)
    objects.put("checkout.json", b"two", one)
    assert objects.get("search.json") == (b"other", other)


def increment(objects: Objects, times: int) -> None:
    """Add one to a counter so often, each by compare-and-set."""
    for _ in range(times):
        while True:
            data, generation = objects.get("counter.json") or (b"0", 0)
            try:
                objects.put("counter.json", str(int(data) + 1).encode(), generation)
            except Conflict:
                continue
            break


def test_no_increment_of_concurrent_threads_is_lost(objects: Objects) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(increment, objects, TIMES) for _ in range(THREADS)]:
            done.result()
    got = objects.get("counter.json")
    assert got is not None
    assert int(got[0]) == THREADS * TIMES


def test_of_concurrent_creations_exactly_one_wins(objects: Objects) -> None:
    start = threading.Barrier(THREADS)

    def create(number: int) -> bool:
        start.wait()
        try:
            objects.put("checkout.json", str(number).encode(), 0)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        won = list(pool.map(create, range(THREADS)))
    assert won.count(True) == 1
    got = objects.get("checkout.json")
    assert got is not None
    assert got[0] == str(won.index(True)).encode()


# --- in a folder ---------------------------------------------------------------------------------


def increment_in(folder: Path, times: int) -> None:
    """The same in a process of its own."""
    increment(FileObjects(folder), times)


def test_no_increment_of_concurrent_processes_is_lost(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=increment_in, args=(tmp_path, 25)) for _ in range(3)]
    for process in processes:
        process.start()
    increment_in(tmp_path, 25)
    for process in processes:
        process.join()
        assert process.exitcode == 0
    got = FileObjects(tmp_path).get("counter.json")
    assert got is not None
    assert int(got[0]) == 100


def test_an_object_is_a_plain_file_that_applications_read(tmp_path: Path) -> None:
    FileObjects(tmp_path).put("checkout.json", b"{}", 0)
    assert (tmp_path / "checkout.json").read_bytes() == b"{}"


def test_another_instance_sees_the_same_generation(tmp_path: Path) -> None:
    made = FileObjects(tmp_path).put("checkout.json", b"{}", 0)
    assert FileObjects(tmp_path).get("checkout.json") == (b"{}", made)


def test_a_hand_edit_counts_as_a_newer_generation(tmp_path: Path) -> None:
    """A handler that read before it does not overwrite it, and one that read it does."""
    objects = FileObjects(tmp_path)
    made = objects.put("checkout.json", b"ours", 0)
    (tmp_path / "checkout.json").write_bytes(b"edited")
    got = objects.get("checkout.json")
    assert got is not None
    assert got[0] == b"edited"
    assert got[1] > made
    with pytest.raises(Conflict):
        objects.put("checkout.json", b"late", made)
    assert objects.put("checkout.json", b"next", got[1]) > got[1]


def test_a_restored_older_file_counts_as_a_newer_generation(tmp_path: Path) -> None:
    objects = FileObjects(tmp_path)
    first = objects.put("checkout.json", b"first", 0)
    second = objects.put("checkout.json", b"second", first)
    (tmp_path / "checkout.json").write_bytes(b"first")
    got = objects.get("checkout.json")
    assert got is not None
    assert got[1] > second


def test_each_of_two_hand_edits_counts(tmp_path: Path) -> None:
    """What was read before the second edit is not what would be overwritten."""
    objects = FileObjects(tmp_path)
    objects.put("checkout.json", b"ours", 0)
    (tmp_path / "checkout.json").write_bytes(b"edited once")
    once = objects.get("checkout.json")
    assert once is not None
    (tmp_path / "checkout.json").write_bytes(b"edited twice")
    with pytest.raises(Conflict):
        objects.put("checkout.json", b"made from the first edit", once[1])
    assert (tmp_path / "checkout.json").read_bytes() == b"edited twice"


def test_an_object_that_was_removed_by_hand_is_created_above_its_old_generation(
    tmp_path: Path,
) -> None:
    objects = FileObjects(tmp_path)
    made = objects.put("checkout.json", b"ours", 0)
    (tmp_path / "checkout.json").unlink()
    assert objects.get("checkout.json") is None
    assert objects.put("checkout.json", b"anew", 0) > made


def test_a_file_from_elsewhere_is_read_and_replaced(tmp_path: Path) -> None:
    """One that was put there without a counter beside it."""
    (tmp_path / "checkout.json").write_bytes(b"given")
    objects = FileObjects(tmp_path)
    got = objects.get("checkout.json")
    assert got is not None
    assert got[0] == b"given"
    assert got[1] > 0
    assert objects.put("checkout.json", b"ours", got[1]) > got[1]


@pytest.mark.parametrize(
    "broken", [b"", b"alas", b"[]", b"{}", b'{"generation": "x", "sha256": 7}']
)
def test_a_broken_counter_leaves_a_readable_object(tmp_path: Path, broken: bytes) -> None:
    objects = FileObjects(tmp_path)
    objects.put("checkout.json", b"ours", 0)
    (tmp_path / ".generations" / "checkout.json").write_bytes(broken)
    got = objects.get("checkout.json")
    assert got is not None
    assert got[0] == b"ours"
    assert objects.put("checkout.json", b"next", got[1]) > got[1]


class Killed(BaseException):
    """The process ends here."""


class Crashing(FileObjects):
    """Ends before the n-th of its file replacements."""

    def __init__(self, folder: Path, after: int) -> None:
        super().__init__(folder)
        self._after = after

    def _replace(self, path: Path, data: bytes) -> None:
        if not self._after:
            raise Killed
        self._after -= 1
        super()._replace(path, data)


@pytest.mark.parametrize("after", [0, 1])
def test_a_crash_within_a_write_leaves_the_object_as_it_was(tmp_path: Path, after: int) -> None:
    """Its generation never goes back."""
    objects = FileObjects(tmp_path)
    made = objects.put("checkout.json", b"ours", 0)
    with pytest.raises(Killed):
        Crashing(tmp_path, after).put("checkout.json", b"never", made)
    got = objects.get("checkout.json")
    assert got is not None
    assert got[0] == b"ours"
    assert got[1] >= made
    made = objects.put("checkout.json", b"next", got[1])
    assert made > got[1]
    assert objects.get("checkout.json") == (b"next", made)


@pytest.mark.parametrize("after", [0, 1])
def test_a_crash_within_a_creation_leaves_no_object(tmp_path: Path, after: int) -> None:
    with pytest.raises(Killed):
        Crashing(tmp_path, after).put("checkout.json", b"never", 0)
    objects = FileObjects(tmp_path)
    assert objects.get("checkout.json") is None
    assert objects.put("checkout.json", b"next", 0) > 0


def test_a_write_leaves_no_other_files(tmp_path: Path) -> None:
    objects = FileObjects(tmp_path)
    generation = 0
    for _ in range(3):
        generation = objects.put("journal/x.json", b"{}", generation)
    with pytest.raises(Conflict):
        objects.put("journal/x.json", b"late", 0)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {".lock", ".generations/journal/x.json", "journal/x.json"}


def test_a_write_that_fails_leaves_no_temporary_file(tmp_path: Path) -> None:
    """A folder stands where the object should be."""
    (tmp_path / "checkout.json").mkdir()
    objects = FileObjects(tmp_path)
    with pytest.raises(Unavailable):
        objects.put("checkout.json", b"{}", 0)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".checkout")]


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    objects = FileObjects(tmp_path / "a" / "b")
    assert objects.get("checkout.json") is None
    assert objects.put("checkout.json", b"{}", 0) > 0


UNUSABLE: dict[str, Callable[[Path], Path]] = {
    "a file": lambda tmp: _file(tmp / "file"),
    "below a file": lambda tmp: _file(tmp / "file") / "state",
    "a folder that nobody may make": lambda _: Path("/proc/nothing/state"),
    "a folder that takes no files": lambda _: Path("/proc"),
}


def _file(path: Path) -> Path:
    path.touch()
    return path


@pytest.mark.parametrize("make", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_folder_that_cannot_be_used_is_unavailable_by_its_name(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    folder = make(tmp_path)
    for attempt in (
        lambda: FileObjects(folder).get("checkout.json"),
        lambda: FileObjects(folder).put("checkout.json", b"{}", 0),
    ):
        with pytest.raises(Unavailable, match=re.escape(str(folder))) as refused:
            attempt()
        assert refused.value.page


# --- in a bucket ---------------------------------------------------------------------------------


@pytest.mark.world
def test_the_prefix_is_the_folder_in_the_bucket(gcs: FakeGcs) -> None:
    for prefix in ("team/a", "/team/a/", "team/a/"):
        name = f"{uuid.uuid4().hex}.json"
        in_bucket(gcs.url, prefix=prefix).put(name, b"{}", 0)
        assert gcs.read(f"team/a/{name}") == b"{}"
    name = f"{uuid.uuid4().hex}.json"
    in_bucket(gcs.url, prefix="/").put(name, b"{}", 0)
    assert gcs.read(name) == b"{}"


@pytest.mark.world
def test_a_write_by_somebody_else_is_a_newer_generation(gcs: FakeGcs) -> None:
    objects = in_bucket(gcs.url)
    name = f"{uuid.uuid4().hex}.json"
    made = objects.put(name, b"ours", 0)
    gcs.write(name, b"theirs")
    got = objects.get(name)
    assert got is not None
    assert got[0] == b"theirs"
    assert got[1] > made
    with pytest.raises(Conflict):
        objects.put(name, b"late", made)


@pytest.mark.world
def test_a_missing_bucket_is_told_from_a_missing_object(gcs: FakeGcs) -> None:
    """A missing object may be a fresh start; a missing bucket is a wrong configuration."""
    assert in_bucket(gcs.url).get(f"{uuid.uuid4().hex}.json") is None
    missing = in_bucket(gcs.url, bucket="no-such-bucket")
    for ask in (
        lambda: missing.get("checkout.json"),
        lambda: missing.version("checkout.json", 7),
        lambda: missing.versions("checkout.json"),
        lambda: missing.names("journal/"),
        lambda: missing.put("checkout.json", b"{}", 0),
        missing.missing_permissions,
    ):
        with pytest.raises(NoStore) as caught:
            ask()
        assert caught.value.page
        assert "no-such-bucket" in str(caught.value)


@pytest.mark.world
def test_a_bucket_that_does_not_exist_cannot_be_written(gcs: FakeGcs) -> None:
    """A human is needed: no redelivery makes a bucket."""
    with pytest.raises(Unavailable) as refused:
        in_bucket(gcs.url, bucket="no-such-bucket").put("checkout.json", b"{}", 0)
    assert refused.value.page


def test_a_cloud_storage_that_does_not_answer_is_unavailable() -> None:
    objects = in_bucket(url_of(free_port()))
    with pytest.raises(Unavailable, match=r"gs://laptop-failover/checkout\.json"):
        objects.get("checkout.json")
    with pytest.raises(Unavailable):
        objects.put("checkout.json", b"{}", 0)


def test_the_counter_is_json_that_people_can_read(tmp_path: Path) -> None:
    made = FileObjects(tmp_path).put("checkout.json", b"{}", 0)
    counter = json.loads((tmp_path / ".generations" / "checkout.json").read_bytes())
    assert counter["generation"] == made


# --- what is kept beside the live objects --------------------------------------------------------


def test_names_are_those_that_begin_with_the_prefix_sorted(objects: Store) -> None:
    for name in ("journal/b/2.json", "journal/b/10.json", "journal/a/1.json", "b.json"):
        objects.put(name, b"{}", 0)
    assert objects.names("journal/b/") == ("journal/b/10.json", "journal/b/2.json")
    assert objects.names("journal/b/2") == ("journal/b/2.json",)
    assert "b.json" in objects.names("")
    assert objects.names("nothing/") == ()


def test_every_version_of_a_document_is_kept_newest_first(objects: Store) -> None:
    made = [0]
    for number in range(4):
        made.append(objects.put("checkout.json", f"v{number}".encode(), made[-1]))
    kept = objects.versions("checkout.json")
    assert [version.generation for version in kept] == made[:0:-1]
    assert [version.size for version in kept] == [2] * 4
    for number, generation in enumerate(made[1:]):
        assert objects.version("checkout.json", generation) == f"v{number}".encode()


def test_a_version_that_never_was_is_none(objects: Store) -> None:
    made = objects.put("checkout.json", b"first", 0)
    assert objects.version("checkout.json", made + 1) is None
    assert objects.version("other.json", made) is None
    assert objects.versions("other.json") == ()


def test_the_versions_of_one_document_are_not_those_of_another(objects: Store) -> None:
    objects.put("checkout.json", b"mine", 0)
    objects.put("checkout.json.bak", b"not mine", 0)
    assert [version.size for version in objects.versions("checkout.json")] == [4]


def test_a_folder_keeps_the_version_that_a_hand_wrote_over(tmp_path: Path) -> None:
    folder = FileObjects(tmp_path)
    made = folder.put("checkout.json", b"good", 0)
    (tmp_path / "checkout.json").write_bytes(b"rubbish")
    kept = folder.versions("checkout.json")
    assert [folder.version("checkout.json", v.generation) for v in kept] == [b"rubbish", b"good"]
    assert kept[-1].generation == made
    assert folder.get("checkout.json") == (b"rubbish", kept[0].generation)


def test_a_folder_keeps_no_more_than_its_last_versions(tmp_path: Path) -> None:
    folder = FileObjects(tmp_path)
    made = 0
    for number in range(KEPT_VERSIONS + 5):
        made = folder.put("checkout.json", str(number).encode(), made)
    assert len(folder.versions("checkout.json")) == KEPT_VERSIONS
    assert folder.names("") == ("checkout.json",)
