"""Transactions: all or nothing, why not, and tokens. dynalite has none."""

from __future__ import annotations

from typing import Any

from tests.client.parity.case import Case, client

ROWS = ({"pk": "a", "n": 1}, {"pk": "b", "n": 2}, {"pk": "c", "n": 3})
SECOND = {"second": [{"pk": "x", "s": "other"}]}


def key(name: str) -> dict[str, Any]:
    """A key in DynamoDB's form."""
    return {"pk": {"S": name}}


def put(name: str, table: str = "plain", **more: Any) -> dict[str, Any]:
    """A put."""
    return {"Put": {"TableName": table, "Item": {**key(name), "n": {"N": "9"}}, **more}}


def delete(name: str, table: str = "plain", **more: Any) -> dict[str, Any]:
    """A delete."""
    return {"Delete": {"TableName": table, "Key": key(name), **more}}


def update(name: str, expression: str = "SET n = n + :v", **more: Any) -> dict[str, Any]:
    """An update."""
    values = {"ExpressionAttributeValues": {":v": {"N": "10"}}} if ":v" in expression else {}
    return {
        "Update": {
            "TableName": "plain",
            "Key": key(name),
            "UpdateExpression": expression,
            **values,
            **more,
        }
    }


def check(name: str, condition: str = "attribute_exists(pk)", **more: Any) -> dict[str, Any]:
    """A check of a condition."""
    return {
        "ConditionCheck": {
            "TableName": "plain",
            "Key": key(name),
            "ConditionExpression": condition,
            **more,
        }
    }


NEW = {"ConditionExpression": "attribute_not_exists(pk)"}
TOLD = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


def written(name: str, *items: Any, times: int = 1, **more: Any) -> Case:
    """A transaction of writes."""
    given = {"TransactItems": list(items), **more}
    return client(
        f"transaction: {name}",
        "transact_write_items",
        given,
        items=ROWS,
        others=SECOND,
        times=times,
        dynalite=False,
    )


def read(name: str, *items: Any, **more: Any) -> Case:
    """A transaction of reads."""
    given = {"TransactItems": list(items), **more}
    return client(
        f"transaction of reads: {name}",
        "transact_get_items",
        given,
        items=ROWS,
        others=SECOND,
        dynalite=False,
    )


def get(name: str, table: str = "plain", **more: Any) -> dict[str, Any]:
    """A read."""
    return {"Get": {"TableName": table, "Key": key(name), **more}}


CASES = (
    written("a put", put("new")),
    written("a put of what is new", put("new", **NEW)),
    written("a put of what is there", put("a", **NEW)),
    written("a delete", delete("a")),
    written("a delete that is not allowed", delete("a", ConditionExpression="n > n")),
    written("an update", update("a")),
    written("an update of nothing", update("new", "SET s = :v")),
    written("an update that cannot be", update("new")),
    written("a check that holds", check("a"), put("new")),
    written("a check that fails", check("none"), put("new")),
    written("all four", put("new"), delete("a"), update("b"), check("c")),
    written("two tables", put("new"), delete("x", "second")),
    written("the second fails", put("new"), put("b", **NEW), update("c")),
    written("all fail", put("a", **NEW), put("b", **NEW), check("none")),
    written("what is there is told", put("new"), put("b", **NEW, **TOLD)),
    written("a check tells what is there", check("a", "attribute_not_exists(pk)", **TOLD)),
    written("an update tells what is there", update("a", ConditionExpression="n > :v", **TOLD)),
    written("a delete tells what is there", delete("a", **NEW, **TOLD)),
    written("nothing is there to be told", check("none", **TOLD)),
    written("one item twice", put("a"), delete("a")),
    written("one item checked and written", check("a"), update("a")),
    written("the same key in two tables", put("x"), put("x", "second")),
    written("100", *(put(f"t{i}") for i in range(100))),
    written("101", *(put(f"t{i}") for i in range(101))),
    written("none"),
    written("an empty one", {}),
    written("a put and a delete in one", {**put("new"), **delete("a")}),
    written("a table that is none", put("new", "none")),
    written("without a key", {"Put": {"TableName": "plain", "Item": {"n": {"N": "1"}}}}),
    written("a key of another type", {"Delete": {"TableName": "plain", "Key": {"pk": {"N": "1"}}}}),
    written("a wrong expression", update("a", "SET n =")),
    written("a wrong expression after a right put", put("new"), update("a", "SET n = :w")),
    written("a token", put("new"), ClientRequestToken="token-one"),
    written("a token twice", update("a"), ClientRequestToken="token-two", times=2),
    written("a token that is too long", put("new"), ClientRequestToken="t" * 37),
    written("an empty token", put("new"), ClientRequestToken=""),
    written("no token twice", update("a"), times=2),
    written("consumed capacity", put("new"), ReturnConsumedCapacity="TOTAL"),
    written("metrics", put("new"), ReturnItemCollectionMetrics="SIZE"),
    written(
        "an item that is too large",
        {"Put": {"TableName": "plain", "Item": {**key("new"), "v": {"S": "x" * 410_000}}}},
    ),
    read("one", get("a")),
    read("what is missing", get("none"), get("b")),
    read("two tables", get("a"), get("x", "second")),
    read("one twice", get("a"), get("a")),
    read("a projection", get("a", ProjectionExpression="n")),
    read("none"),
    read("100", *(get(f"k{i}") for i in range(100))),
    read("101", *(get(f"k{i}") for i in range(101))),
    read("a table that is none", get("a", "none")),
    read("a wrong key", {"Get": {"TableName": "plain", "Key": {"id": {"S": "a"}}}}),
    read("consumed capacity", get("a"), ReturnConsumedCapacity="TOTAL"),
    client(
        "transaction: the resource's client takes Python's types",
        "transact_write_items",
        {"TransactItems": [{"Put": {"TableName": "plain", "Item": {"pk": "new"}}}]},
        dynalite=False,
    ),
)
