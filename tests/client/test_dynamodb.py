"""`MultiRegionDynamoDB` on real DynamoDB servers (moto's), in two regions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

from orchestrator.client._calls.routed import PageKey, must_fit
from orchestrator.client.allowed import loopback
from orchestrator.client.document import DocumentView
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.errors import NoHealthyRegion, UnfitBotocore, WriteUnknown
from orchestrator.client.sources.file import FileSource
from orchestrator.local.dynamodb.database import Database
from orchestrator.local.process.child import ROOT
from orchestrator.local.process.wait import wait_until
from tests.support.regional import EAST, WEST, document, two_servers, write_whole
from tests.support.station import BadSocket, Said, Station, hang

pytestmark = pytest.mark.world
LOCAL: Any = {"health_table": "checkout", "allow_endpoint": loopback}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Database]]:
    """The east and the west, without replication: so it shows which of them was asked."""
    with two_servers(tmp_path_factory.mktemp("dynamodb")) as found:
        yield found


@pytest.fixture
def source(servers: dict[str, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The document in a file: the primary is the east."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "laptop")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "laptop")
    path = tmp_path / "checkout.json"
    urls = {name: one.url for name, one in servers.items()}
    write_whole(path, document(endpoints=urls))
    return path


@pytest.fixture
def db(source: Path) -> Iterator[MultiRegionDynamoDB]:
    """A client whose home is the east."""
    with MultiRegionDynamoDB(FileSource(source), home=EAST, **LOCAL) as made:
        assert made.ready(10)
        yield made


def test_items_have_python_types_as_with_boto3(db: MultiRegionDynamoDB) -> None:
    item: Any = {
        "pk": "types",
        "n": Decimal("1.5"),
        "tags": {"a", "b"},
        "deep": {"list": [1, None, True]},
    }
    table = db.Table("checkout")
    table.put_item(Item=item)
    assert table.get_item(Key={"pk": "types"}, ConsistentRead=True)["Item"] == item
    answer = table.update_item(
        Key={"pk": "types"},
        UpdateExpression="SET n = n + :one",
        ConditionExpression=Attr("n").eq(Decimal("1.5")),
        ExpressionAttributeValues={":one": 1},
        ReturnValues="UPDATED_NEW",
    )
    assert answer["Attributes"] == {"n": Decimal("2.5")}
    table.delete_item(Key={"pk": "types"})
    assert "Item" not in table.get_item(Key={"pk": "types"})


def test_a_condition_that_fails_is_botocores_own_error(db: MultiRegionDynamoDB) -> None:
    table = db.Table("checkout")
    table.put_item(Item={"pk": "once"})
    with pytest.raises(ClientError) as caught:
        table.put_item(Item={"pk": "once"}, ConditionExpression=Attr("pk").not_exists())
    assert caught.value.response["Error"]["Code"] == "ConditionalCheckFailedException"


def test_queries_and_batches(db: MultiRegionDynamoDB) -> None:
    with db.Table("checkout").batch_writer(overwrite_by_pkeys=["pk"]) as batch:
        for number in range(60):
            batch.put_item(Item={"pk": f"batch#{number}", "n": number})
        batch.put_item(Item={"pk": "batch#0", "n": 100})
    [item] = db.Table("checkout").query(KeyConditionExpression=Key("pk").eq("batch#0"))["Items"]
    assert item["n"] == 100
    keys = [{"pk": f"batch#{number}"} for number in (1, 59)]
    found = db.batch_get_item(RequestItems={"checkout": {"Keys": keys}})["Responses"]["checkout"]
    assert {one["n"] for one in found} == {1, 59}


def test_all_pages_are_walked(db: MultiRegionDynamoDB) -> None:
    with db.Table("checkout").batch_writer() as batch:
        for number in range(25):
            batch.put_item(Item={"pk": f"page#{number}"})
    first = db.Table("checkout").scan(Limit=10)
    assert isinstance(first["LastEvaluatedKey"], PageKey)
    assert first["LastEvaluatedKey"].region == EAST
    second = db.Table("checkout").scan(Limit=10, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert not {i["pk"] for i in first["Items"]} & {i["pk"] for i in second["Items"]}
    paginator = db.meta.client.get_paginator("scan")
    pages = list(paginator.paginate(TableName="checkout", PaginationConfig={"PageSize": 10}))
    found = [item["pk"] for page in pages for item in page["Items"]]
    assert len(found) == len(set(found))
    assert {f"page#{number}" for number in range(25)} <= set(found)


def test_transactions_go_through_the_client(db: MultiRegionDynamoDB) -> None:
    put: Any = {
        "TableName": "checkout",
        "Item": {"pk": "t"},
        "ConditionExpression": "attribute_not_exists(pk)",
    }
    db.meta.client.transact_write_items(TransactItems=[{"Put": put}])
    get: Any = {"Get": {"TableName": "checkout", "Key": {"pk": "t"}}}
    found = db.meta.client.transact_get_items(TransactItems=[get])
    assert found["Responses"] == [{"Item": {"pk": "t"}}]
    with pytest.raises(db.meta.client.exceptions.TransactionCanceledException):
        db.meta.client.transact_write_items(TransactItems=[{"Put": put}])


def test_what_is_handed_out_is_boto3s_own(db: MultiRegionDynamoDB) -> None:
    """Types, exceptions, waiters, and what a table tells of itself."""
    table = db.Table("checkout")
    assert isinstance(table, type(db.in_region(EAST).Table("checkout")).__mro__[1])
    assert [key["AttributeName"] for key in table.key_schema] == ["pk"]
    db.client.get_waiter("table_exists").wait(TableName="checkout")
    table.put_item(Item={"pk": "own"})
    with pytest.raises(table.meta.client.exceptions.ConditionalCheckFailedException) as caught:
        table.put_item(Item={"pk": "own"}, ConditionExpression=Attr("pk").not_exists())
    assert "max retries" not in str(caught.value)
    assert db.client.get_item(TableName="checkout", Key={"pk": {"S": "own"}})["Item"] == {
        "pk": {"S": "own"}
    }


def test_a_client_that_the_application_made_is_routed_from_then_on(
    db: MultiRegionDynamoDB, servers: dict[str, Database], source: Path
) -> None:
    """Whatever it was made for: here a region and keys that nobody knows."""
    elsewhere = boto3.Session("x", "x", region_name="eu-north-1")
    resource, client = elsewhere.resource("dynamodb"), elsewhere.client("dynamodb")
    db.route(resource)
    for _ in range(2):  # twice is as good as once
        db.route(client)
    resource.Table("checkout").put_item(Item={"pk": "mine"})
    assert "Item" in client.get_item(TableName="checkout", Key={"pk": {"S": "mine"}})
    urls = {name: one.url for name, one in servers.items()}
    write_whole(source, document(2, WEST, endpoints=urls))
    assert db.view.refresh(5)
    resource.Table("checkout").put_item(Item={"pk": "mine too"})
    assert "Item" in db.in_region(WEST).Table("checkout").get_item(Key={"pk": "mine too"})


def test_a_botocore_that_cannot_send_what_is_serialized_is_refused_at_once(
    db: MultiRegionDynamoDB,
) -> None:
    """`_make_request` is its own affair: it may go, or ask for something else."""

    def after(self: object, operation_model: object, request: object) -> None: ...

    client: Any = boto3.Session("x", "x", region_name="eu-north-1").client("dynamodb")
    known = client.meta.events._emitter._unique_id_handlers
    kind = type(client)
    for own in ({"_make_request": None}, {"_make_request": after}):
        client.__class__ = type("OfAnotherVersion", (kind,), own)
        with pytest.raises(UnfitBotocore, match=r"Nothing was routed .* pip install 'boto3>="):
            db.route(client)
        assert "failover-before-call" not in known
    client.__class__ = kind
    with pytest.raises(
        UnfitBotocore, match=r"1\.34\.131 is older than 1\.40, .* Nothing was routed"
    ):
        must_fit(client, "1.34.131")  # it has no event before an answer is parsed
    db.route(client)
    assert "failover-before-call" in known


def test_handlers_of_a_call_run_on_what_is_handed_out_those_of_a_request_in_the_region(
    source: Path,
) -> None:
    """Headers that a library adds to a request (`request-created`) come with the session."""
    around = ["provide-client-params", "before-parameter-build", "before-call", "after-call"]
    sending = ["before-sign", "request-created", "before-send", "before-parse"]
    handed: list[str] = []
    region: list[str] = []
    session = boto3.Session()
    for event in sending:
        session.events.register(f"{event}.dynamodb", _note(region, event))
    settings: Any = LOCAL | {"session": lambda: session}
    with MultiRegionDynamoDB(FileSource(source), home=EAST, **settings) as db:
        assert db.ready(10)
        for event in (*around, *sending):
            db.client.meta.events.register(f"{event}.dynamodb", _note(handed, event))
        db.client.get_item(TableName="checkout", Key={"pk": {"S": "any"}})
    assert handed == around
    assert set(region) == set(sending)


def _note(seen: list[str], event: str) -> Callable[..., None]:
    def handler(**_: object) -> None:
        seen.append(event)

    return handler


def test_calls_may_have_other_options(db: MultiRegionDynamoDB) -> None:
    """Each with its resource and client."""
    chosen = db.options(deadline=5, idempotent=True)
    chosen.Table("checkout").put_item(Item={"pk": "option"})
    assert "Item" in chosen.client.get_item(TableName="checkout", Key={"pk": {"S": "option"}})
    assert chosen.resource is chosen.resource


def test_a_new_primary_takes_the_writes(
    db: MultiRegionDynamoDB, servers: dict[str, Database], source: Path
) -> None:
    urls = {name: one.url for name, one in servers.items()}
    write_whole(source, document(2, WEST, endpoints=urls))
    assert db.view.refresh(5)
    db.Table("checkout").put_item(Item={"pk": "moved"})
    assert "Item" in db.in_region(WEST).Table("checkout").get_item(Key={"pk": "moved"})
    assert "Item" not in db.in_region(EAST).Table("checkout").get_item(Key={"pk": "moved"})


def test_a_region_that_nobody_asks_stays_warm(source: Path) -> None:
    """Connections to the standby are open before the first request goes there."""
    settings: Any = LOCAL | {"warm_every": 0.2}
    with MultiRegionDynamoDB(FileSource(source), home=EAST, **settings) as db:
        assert db.ready(10)
        standby = next(one for one in db._regions.all() if one.name == WEST)
        before = standby.used
        wait_until(lambda: standby.used > before, 30, "the standby to be asked")
        assert standby.breakers.state == "closed"


@pytest.mark.long
def test_a_broken_region_is_found_well_again_without_a_users_request(
    db: MultiRegionDynamoDB, servers: dict[str, Database]
) -> None:
    """The breaker is closed by probes beside the requests; users never see the trial."""
    table = db.Table("checkout")
    table.put_item(Item={"pk": "here"})
    servers[EAST].hang()
    try:
        for _ in range(5):
            assert "Item" not in table.get_item(Key={"pk": "here"})  # the west has no copy
        assert db.stats()["regions"][EAST]["breaker"] != "closed"
        asked = db.stats()["regions"][EAST]["attempts"]
        table.get_item(Key={"pk": "here"})
        assert db.stats()["regions"][EAST]["attempts"] == asked, "what hangs is not asked any more"
    finally:
        servers[EAST].resume()
    wait_until(lambda: db.stats()["regions"][EAST]["breaker"] == "closed", 30, "probes to close it")
    assert "Item" in table.get_item(Key={"pk": "here"})


def test_figures_for_metrics(db: MultiRegionDynamoDB) -> None:
    db.Table("checkout").get_item(Key={"pk": "x"})
    stats = db.stats()
    assert stats["document"]["primary"] == EAST
    assert stats["document"]["revision"] == 1
    assert stats["document"]["age_seconds"] < 10
    assert stats["regions"][EAST]["attempts"] >= 1
    assert stats["outcomes"] == {}


def test_without_a_document_the_first_call_says_so(tmp_path: Path) -> None:
    with MultiRegionDynamoDB(FileSource(tmp_path / "none.json"), deadline=0.2) as db:
        assert not db.ready(0.1)
        with pytest.raises(NoHealthyRegion, match="Check its sources"):
            db.Table("checkout").get_item(Key={"pk": "x"})
        with pytest.raises(NoHealthyRegion, match="no document could be read yet"):
            db.in_region(EAST)


def test_a_shared_view_is_left_running(source: Path) -> None:
    with DocumentView([FileSource(source)], allow_endpoint=loopback) as view:
        with MultiRegionDynamoDB(view, home=EAST) as db:
            assert db.ready(10)
        assert view.refresh(5)


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_it_goes_on_in_a_forked_child(db: MultiRegionDynamoDB) -> None:
    """A server that loads the application and then forks its workers."""
    db.Table("checkout").put_item(Item={"pk": "fork"})
    child = os.fork()
    if not child:
        try:
            found = "Item" in db.Table("checkout").get_item(Key={"pk": "fork"})
            os._exit(0 if found and db.view.refresh(5) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert "Item" in db.Table("checkout").get_item(Key={"pk": "fork"})


ODD = {
    "a page of a proxy": Said(200, b"<html>sign in</html>"),
    "nothing": Said(200, b""),
    "no object": Said(200, b"[]"),
    "cut off": Said(200, b'{"Items": [{"pk": {"S": "a"}'),
    "another length": Said(200, b"{}", {"x-amz-crc32": "1"}),
    "a page instead of an error": Said(404, b"<html>not found</html>"),
    "a page of an error": Said(502, b"<html>bad gateway</html>"),
}


@pytest.mark.parametrize("said", ODD.values(), ids=ODD)
def test_an_answer_that_is_not_whole_or_not_dynamodbs_is_none(
    said: Said, servers: dict[str, Database], source: Path
) -> None:
    """botocore would take it for "no such item", and for a write that was acknowledged."""
    with Station(lambda _: said) as odd:
        write_whole(source, document(endpoints={EAST: odd.url, WEST: servers[WEST].url}))
        with MultiRegionDynamoDB(FileSource(source), home=EAST, **LOCAL) as db:
            assert db.ready(10)
            db.in_region(WEST).Table("checkout").put_item(Item={"pk": "whole"})
            assert "Item" in db.Table("checkout").get_item(Key={"pk": "whole"})
            with pytest.raises(WriteUnknown):
                db.Table("checkout").put_item(Item={"pk": "odd"})


def test_a_process_ends_while_a_region_hangs(source: Path, servers: dict[str, Database]) -> None:
    """Nothing that waits for a region keeps the interpreter from ending."""
    code = """
import sys
from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.sources.file import FileSource
db = MultiRegionDynamoDB(FileSource(sys.argv[1]), home="us-east-1", read_timeout=600,
                         health_table="checkout", warm_every=0.1, allow_endpoint=loopback)
assert db.ready(30)
sys.stdin.read()  # until the standby is asked
db.close()
"""
    with BadSocket(hang) as silent:
        write_whole(source, document(endpoints={EAST: servers[EAST].url, WEST: silent.url}))
        run = [sys.executable, "-c", code, str(source)]
        with subprocess.Popen(run, cwd=ROOT, stdin=subprocess.PIPE) as process:
            assert silent.first.wait(30), "the standby was not asked"
            process.communicate(timeout=30)
        assert process.returncode == 0
