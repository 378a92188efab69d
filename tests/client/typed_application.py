"""An application as type checkers see it: `tests/client/test_typed.py` has them check it.

Each line that they have to object to says which objection is meant. A type checker that has none
there tells that the comment is not needed.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import boto3

from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.sources.file import FileSource


def right(db: MultiRegionDynamoDB) -> Decimal:
    """What an application does."""
    orders = db.Table("orders")
    orders.put_item(
        Item={"pk": "a", "n": Decimal(1)}, ConditionExpression="attribute_not_exists(pk)"
    )
    answer = orders.get_item(Key={"pk": "a"}, ConsistentRead=True)
    db.client.put_item(TableName="orders", Item={"pk": {"S": "a"}})
    db.client.get_waiter("table_exists").wait(TableName="orders")
    for page in db.client.get_paginator("scan").paginate(TableName="orders"):
        page["Items"]
    db.resource.batch_get_item(RequestItems={"orders": {"Keys": [{"pk": "a"}]}})
    db.options(deadline=1.5, idempotent=True).Table("orders").delete_item(Key={"pk": "a"})
    db.options(deadline=1.5).client.describe_table(TableName="orders")
    db.in_region("us-east-1").Table("orders").scan()
    db.route(boto3.resource("dynamodb"))
    db.route(boto3.client("dynamodb"))
    with orders.batch_writer() as batch:
        batch.put_item(Item={"pk": "b"})
    found = answer["Item"]["n"]
    assert isinstance(found, Decimal)
    return found


def mistaken(db: MultiRegionDynamoDB) -> None:
    """What it had better not do."""
    db.Table(5)  # type: ignore[arg-type]
    db.Table("orders").get_item(Kye={"pk": "a"})  # type: ignore[call-arg]
    db.Table("orders").fetch_item(Key={"pk": "a"})  # type: ignore[attr-defined]
    db.Table("orders").put_item(Item="a")  # type: ignore[arg-type]
    db.client.put_item(TableName="orders")  # type: ignore[call-arg]
    db.client.get_waiter("table_is_there")  # type: ignore[call-overload]
    db.resource.Tabel("orders")  # type: ignore[attr-defined]
    db.options(deadline="soon")  # type: ignore[arg-type]
    db.options(deadline=1).Table("orders").scan(Limit="2")  # type: ignore[arg-type]
    db.in_region("us-east-1").Table("orders").get_item()  # type: ignore[call-arg]
    db.route("dynamodb")  # type: ignore[arg-type]
    MultiRegionDynamoDB(FileSource(Path("document.json")), mode=1)  # type: ignore[arg-type]
