"""The fake Cloud Storage, with Google's own client, directly and through a proxy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.api_core.exceptions import PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from orchestrator.local.google.storage import FakeGcs
from orchestrator.local.rpc.proxy import FaultProxy, Request, ResetAfter

pytestmark = pytest.mark.world


@pytest.fixture(scope="module")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeGcs]:
    """A running Cloud Storage."""
    found = FakeGcs("laptop-failover", tmp_path_factory.mktemp("gcs"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def proxy(gcs: FakeGcs) -> Iterator[FaultProxy]:
    """A proxy before it."""
    with FaultProxy(gcs.url) as found:
        yield found


@pytest.fixture
def bucket(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[storage.Bucket]:
    """The bucket as Google's client sees it through the proxy."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
    client = storage.Client(project="laptop", credentials=AnonymousCredentials())
    yield client.bucket("laptop-failover")
    client.close()


def test_objects_are_written_and_read(bucket: storage.Bucket, gcs: FakeGcs) -> None:
    """What Google's client writes through the proxy is read back, by it and by us."""
    bucket.blob("a/checkout.json").upload_from_string('{"n": 1}', "application/json")
    assert bucket.blob("a/checkout.json").download_as_bytes() == b'{"n": 1}'
    assert gcs.read_json("a/checkout.json") == {"n": 1}
    assert gcs.read_json("a/nothing.json") is None
    assert gcs.names("a/") == ("a/checkout.json",)
    gcs.write("a/b c.json", b"{}")
    assert bucket.blob("a/b c.json").download_as_bytes() == b"{}"


def test_a_generation_conflict_is_412(bucket: storage.Bucket, proxy: FaultProxy) -> None:
    """Of two writers with the same generation the second is refused with 412."""
    blob = bucket.blob("conflict.json")
    blob.upload_from_string("first", if_generation_match=0)
    generation = blob.generation
    blob.upload_from_string("second", if_generation_match=generation)
    with pytest.raises(PreconditionFailed):
        bucket.blob("conflict.json").upload_from_string("x", if_generation_match=generation)
    with pytest.raises(PreconditionFailed):
        bucket.blob("conflict.json").upload_from_string("x", if_generation_match=0)
    writes = [exchange.status for exchange in proxy.log if exchange.method == "POST"]
    assert writes == [200, 200, 412, 412]


def test_a_lost_answer_shows_as_a_conflict(bucket: storage.Bucket, proxy: FaultProxy) -> None:
    """When the answer to a write is lost, the client's own retry meets what it has written."""
    cuts = iter([ResetAfter()])
    proxy.hook = lambda request: next(cuts, None) if is_write(request) else None
    with pytest.raises(PreconditionFailed):
        bucket.blob("lost.json").upload_from_string("mine", if_generation_match=0)
    assert bucket.blob("lost.json").download_as_bytes() == b"mine"
    assert [e.status for e in proxy.log if e.method == "POST"] == [200, 412]


def test_links_lead_through_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a public URL the links in answers lead there, so that downloads pass the proxy."""
    gcs = FakeGcs("laptop-failover", tmp_path)
    with FaultProxy(gcs.url) as proxy:
        gcs.public_url = proxy.url
        gcs.start()
        gcs.write("linked.json", b"{}")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        client = storage.Client(project="laptop", credentials=AnonymousCredentials())
        blob = client.bucket("laptop-failover").get_blob("linked.json")
        assert blob is not None
        assert blob.download_as_bytes() == b"{}"
        assert any(e.path_qs.startswith("/download/") for e in proxy.log)
        client.close()
        gcs.stop()


def is_write(request: Request) -> bool:
    """Whether a request writes an object."""
    return request.method == "POST" and request.path_qs.startswith("/upload/")
