"""A home for each key on real DynamoDB servers (moto's) in two regions, through boto3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.conditions import Key

from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.errors import HomeError
from orchestrator.client.sources.file import FileSource
from orchestrator.local.dynamodb.database import Database
from tests.support.regional import EAST, WEST, document, two_servers, write_whole

pytestmark = pytest.mark.world


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Database]]:
    """The east and the west, without replication: so it shows which of them was asked."""
    with two_servers(tmp_path_factory.mktemp("dynamodb")) as found:
        yield found


def tenants(table: str, key: Mapping[str, Any]) -> str:
    """Tenants of the west have their items there."""
    assert table == "checkout"
    return WEST if key["pk"].startswith("west") else EAST


@pytest.fixture
def source(servers: dict[str, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The document in a file: the primary is the east."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "laptop")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "laptop")
    path = tmp_path / "checkout.json"
    write_whole(path, document(endpoints={name: one.url for name, one in servers.items()}))
    return path


@pytest.fixture
def db(source: Path) -> Iterator[MultiRegionDynamoDB]:
    """The process is in the east. The names of the table's key are DescribeTable's."""
    own: Any = {"mode": "active-active", "allow_endpoint": loopback, "deadline": 30.0}
    with MultiRegionDynamoDB(FileSource(source), home=tenants, process_home=EAST, **own) as made:
        assert made.ready(10)
        yield made


def stands(db: MultiRegionDynamoDB, region: str, name: str) -> bool:
    return "Item" in db.in_region(region).Table("checkout").get_item(Key={"pk": name})


def test_a_put_a_consistent_read_and_a_query_go_to_the_home_of_the_key(
    db: MultiRegionDynamoDB,
) -> None:
    table: Any = db.Table("checkout")
    table.put_item(Item={"pk": "west#1", "n": 1})
    assert stands(db, WEST, "west#1")
    assert not stands(db, EAST, "west#1")
    assert table.get_item(Key={"pk": "west#1"}, ConsistentRead=True)["Item"]["n"] == 1
    assert "Item" not in table.get_item(Key={"pk": "west#1"}), "the east has no replica of it here"
    asked: Any = {"KeyConditionExpression": Key("pk").eq("west#1"), "ConsistentRead": True}
    assert table.query(**asked)["Count"] == 1


def test_the_low_level_client_and_the_table_ask_with_the_same_key(db: MultiRegionDynamoDB) -> None:
    db.client.put_item(TableName="checkout", Item={"pk": {"S": "west#2"}})
    assert stands(db, WEST, "west#2")


def test_a_batch_writer_writes_each_item_at_home(db: MultiRegionDynamoDB) -> None:
    names = [f"{side}#w{number}" for number in range(3) for side in ("east", "west")]
    with db.Table("checkout").batch_writer() as batch:
        for name in names:
            batch.put_item(Item={"pk": name, "bytes": b"\x00\xff", "n": 1})
    for name in names:
        home, other = (WEST, EAST) if name.startswith("west") else (EAST, WEST)
        assert stands(db, home, name)
        assert not stands(db, other, name)


def test_a_consistent_batch_of_reads_is_answered_as_one(db: MultiRegionDynamoDB) -> None:
    for name in ("east#b", "west#b"):
        db.Table("checkout").put_item(Item={"pk": name, "bytes": b"\x00\xff"})
    wanted: Any = {
        "checkout": {"Keys": [{"pk": "east#b"}, {"pk": "west#b"}], "ConsistentRead": True}
    }
    found = db.batch_get_item(RequestItems=wanted, ReturnConsumedCapacity="TOTAL")
    assert {one["pk"] for one in found["Responses"]["checkout"]} == {"east#b", "west#b"}
    assert {bytes(one["bytes"].value) for one in found["Responses"]["checkout"]} == {b"\x00\xff"}
    assert found["UnprocessedKeys"] == {}
    assert len(found["ConsumedCapacity"]) == 2, "one for each region"


def test_a_transaction_of_two_homes_is_refused_and_changes_nothing(
    db: MultiRegionDynamoDB,
) -> None:
    actions: Any = [
        {"Put": {"TableName": "checkout", "Item": {"pk": {"S": name}}}}
        for name in ("east#t", "west#t")
    ]
    with pytest.raises(HomeError, match="Nothing was sent"):
        db.client.transact_write_items(TransactItems=actions)
    assert not stands(db, EAST, "east#t")
    assert not stands(db, WEST, "west#t")
    db.client.transact_write_items(TransactItems=actions[1:])
    assert stands(db, WEST, "west#t")


def test_when_the_home_is_down_its_keys_are_written_elsewhere_and_the_later_write_will_win(
    db: MultiRegionDynamoDB, source: Path, servers: dict[str, Database]
) -> None:
    """What a move of the home means: each region has its own version until they are replicated."""
    table: Any = db.Table("checkout")
    table.put_item(Item={"pk": "west#moved", "n": 1})
    urls = {name: one.url for name, one in servers.items()}
    write_whole(source, document(2, endpoints=urls, down=[WEST]))
    assert db.view.refresh(10)
    add: Any = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": 1}}
    table.update_item(Key={"pk": "west#moved"}, **add)
    versions = {
        name: db.in_region(name).Table("checkout").get_item(Key={"pk": "west#moved"})["Item"]["n"]
        for name in (EAST, WEST)
    }
    assert versions == {EAST: 1, WEST: 1}, (
        "the update did not see the value that was not replicated"
    )
