"""A write's answer is lost, another client writes, and then the repeat comes: what is destroyed?

A proxy stands before a real DynamoDB server (moto's). It has the write executed, lets the other
client write, and closes the connection instead of answering.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.errors import WriteUnknown
from orchestrator.client.sources.file import FileSource
from orchestrator.local.dynamodb.database import Database
from tests.support.forwarding import forward
from tests.support.regional import EAST, document, write_whole
from tests.support.station import Asked, Said, Station

pytestmark = [pytest.mark.world, pytest.mark.long]
KEY = {"pk": "a"}
WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"}


@dataclass
class Scene:
    """A routed table behind a proxy, and another client's table that is not."""

    table: Any
    other: Any
    server: Database
    between: Callable[[], object] | None = None
    writes: int = 0
    tokens: list[str] = field(default_factory=list)

    def answer(self, asked: Asked) -> Said:
        """The server's answer; lost once where something is to happen in between."""
        said = forward(self.server.url, asked)
        if asked.headers["x-amz-target"].partition(".")[2] not in WRITES:
            return said  # a question of the keeper's
        self.writes += 1
        if token := json.loads(asked.body).get("ClientRequestToken"):
            self.tokens.append(token)
        if (between := self.between) is not None:
            self.between = None
            between()
            raise ConnectionAbortedError("the answer is lost")
        return said

    def item(self) -> Mapping[str, Any]:
        """What is there now, without the key."""
        found = dict(self.other.get_item(Key=KEY).get("Item", {}))
        found.pop("pk", None)
        return found


@pytest.fixture
def scene(dynamo: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """One region, behind the proxy."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "laptop")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "laptop")
    made = Scene(None, None, dynamo)
    with Station(made.answer) as proxy:
        source = tmp_path / "checkout.json"
        write_whole(source, document(endpoints={EAST: proxy.url}))
        with MultiRegionDynamoDB(FileSource(source), home=EAST, allow_endpoint=loopback) as db:
            assert db.ready(10)
            made.table = db.Table("checkout")
            made.other = _other(dynamo.url)
            yield made


def _other(url: str) -> Any:
    return boto3.resource("dynamodb", region_name=EAST, endpoint_url=url).Table("checkout")


def nothing() -> None:
    """No other client writes in between."""


def unknown(scene: Scene, write: Callable[[], object], between: Callable[[], object]) -> int:
    """Have the write's answer lost, and something happen then; how often the write was sent."""
    scene.between, scene.writes = between, 0
    with pytest.raises(WriteUnknown):
        write()
    return scene.writes


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("SET prev = cur, cur = :new", {"a": 1, "b": 2, "prev": "old", "cur": "new"}),
        ("SET a = b, b = a", {"a": 2, "b": 1, "cur": "old"}),
    ],
)
def test_an_update_that_reads_what_was_there_is_done_once(
    scene: Scene, expression: str, expected: dict[str, object]
) -> None:
    scene.other.put_item(Item={**KEY, "cur": "old", "a": 1, "b": 2})
    values = {"ExpressionAttributeValues": {":new": "new"}} if ":new" in expression else {}
    update: Any = {
        "Key": KEY,
        "UpdateExpression": expression,
        "ConditionExpression": "attribute_exists(pk)",
        **values,
    }
    assert unknown(scene, lambda: scene.table.update_item(**update), nothing) == 1
    assert scene.item() == expected


@pytest.mark.parametrize("condition", ["attribute_exists(pk)", "version = :one"])
def test_a_conditional_put_or_delete_does_not_destroy_another_clients_write(
    scene: Scene, condition: str
) -> None:
    values = {"ExpressionAttributeValues": {":one": 1}} if ":one" in condition else {}
    own: Any = {"ConditionExpression": condition, **values}

    def others() -> None:
        scene.other.put_item(Item={**KEY, "version": 1, "by": "other"})

    scene.other.put_item(Item={**KEY, "version": 1})
    put = {**KEY, "version": 1, "by": "us"}
    assert unknown(scene, lambda: scene.table.put_item(Item=put, **own), others) == 1
    assert scene.item()["by"] == "other"
    assert unknown(scene, lambda: scene.table.delete_item(Key=KEY, **own), others) == 1
    assert scene.item()["by"] == "other"


def test_a_repeat_of_a_put_of_what_is_not_there_leaves_the_other_clients_change(
    scene: Scene,
) -> None:
    def others() -> None:
        scene.other.update_item(
            Key=KEY, UpdateExpression="SET paid = :yes", ExpressionAttributeValues={":yes": True}
        )

    put: Any = {"Item": {**KEY, "total": 5}, "ConditionExpression": "attribute_not_exists(pk)"}
    assert unknown(scene, lambda: scene.table.put_item(**put), others) == 2
    assert scene.item() == {"total": 5, "paid": True}


def test_a_repeat_of_an_update_of_a_version_leaves_the_other_clients_change(scene: Scene) -> None:
    def change(table: Any, old: int, total: str) -> None:
        table.update_item(
            Key=KEY,
            UpdateExpression="SET version = :new, amount = :t",
            ConditionExpression="version = :old",
            ExpressionAttributeValues={":old": old, ":new": old + 1, ":t": total},
        )

    scene.other.put_item(Item={**KEY, "version": 1})
    ours, theirs = lambda: change(scene.table, 1, "ours"), lambda: change(scene.other, 2, "theirs")
    assert unknown(scene, ours, theirs) == 2
    assert scene.item() == {"version": 3, "amount": "theirs"}


def test_a_value_that_another_client_gives_back_is_not_seen(scene: Scene) -> None:
    """A-B-A: the item is put, deleted by the other client, and put again by the repeat."""
    scene.between = lambda: scene.other.delete_item(Key=KEY)
    scene.table.put_item(Item={**KEY, "n": 1}, ConditionExpression="attribute_not_exists(pk)")
    assert scene.item() == {"n": 1}
    assert scene.writes == 2


def test_an_add_with_a_condition_counts_once(scene: Scene) -> None:
    scene.other.put_item(Item={**KEY, "n": 1})
    update: Any = {
        "Key": KEY,
        "UpdateExpression": "ADD n :one",
        "ConditionExpression": "n = :one",
        "ExpressionAttributeValues": {":one": 1},
    }
    assert unknown(scene, lambda: scene.table.update_item(**update), nothing) == 1
    assert scene.item() == {"n": 2}


def test_a_transaction_is_repeated_with_the_token_that_botocore_has_made(scene: Scene) -> None:
    """The region that has executed it knows it by the token, whatever the update adds."""
    scene.between = lambda: None
    update = {
        "TableName": "checkout",
        "Key": KEY,
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": 1},
    }
    scene.table.meta.client.transact_write_items(TransactItems=[{"Update": update}])
    first, second = scene.tokens
    assert first == second


def test_an_epoch_in_the_item_stops_a_late_writer(scene: Scene) -> None:
    """As soon as the newer write is there, which another client has made."""

    def put(table: Any, mine: int) -> None:
        table.put_item(
            Item={**KEY, "epoch": mine},
            ConditionExpression="attribute_not_exists(epoch) OR epoch <= :mine",
            ExpressionAttributeValues={":mine": mine},
        )

    put(scene.table, 1)
    put(scene.other, 2)
    with pytest.raises(scene.table.meta.client.exceptions.ConditionalCheckFailedException):
        put(scene.table, 1)
    assert scene.item() == {"epoch": 2}
