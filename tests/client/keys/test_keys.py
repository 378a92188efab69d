"""The keys of a request: every one that it is about, whatever form its arguments have."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from orchestrator.client._keys.keys import Keyed, Keyless, keys_of, plain

A, B, N = {"pk": {"S": "a"}}, {"pk": {"S": "b"}}, {"pk": {"N": "7"}}
ROW = {"pk": {"S": "a"}, "sk": {"N": "1"}, "what": {"S": "a book"}}
KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}


def names(table: str) -> tuple[str, ...]:
    """One table with a sort key, and one without."""
    return {"orders": ("pk", "sk"), "plain": ("pk",)}[table]


def keys(operation: str, **given: Any) -> list[tuple[str, Any, int]]:
    return [(one.table, one.key, one.place) for one in keys_of(operation, given, names)]


@pytest.mark.parametrize("operation", ["get_item", "update_item", "delete_item"])
def test_the_key_of_an_item_is_as_it_was_given(operation: str) -> None:
    assert keys(operation, TableName="orders", Key=KEY) == [("orders", KEY, 0)]


def test_the_key_of_a_put_is_a_part_of_its_item() -> None:
    assert keys("put_item", TableName="orders", Item=ROW) == [("orders", KEY, 0)]


def test_an_item_without_its_key_is_told() -> None:
    with pytest.raises(Keyless, match="has no pk and no sk: its key"):
        keys("put_item", TableName="orders", Item={"what": {"S": "a book"}})


def test_every_request_of_a_batch_has_its_place() -> None:
    written = {
        "orders": [{"PutRequest": {"Item": ROW}}, {"DeleteRequest": {"Key": KEY}}],
        "plain": [{"DeleteRequest": {"Key": B}}],
    }
    found = [("orders", KEY, 0), ("orders", KEY, 1), ("plain", B, 0)]
    assert keys("batch_write_item", RequestItems=written) == found
    wanted = {"plain": {"Keys": [A, B], "ConsistentRead": True}}
    assert keys("batch_get_item", RequestItems=wanted) == [("plain", A, 0), ("plain", B, 1)]


def test_every_action_of_a_transaction_has_its_key_its_checks_too() -> None:
    actions = [
        {"Put": {"TableName": "orders", "Item": ROW}},
        {"Update": {"TableName": "plain", "Key": A}},
        {"Delete": {"TableName": "plain", "Key": B}},
        {"ConditionCheck": {"TableName": "plain", "Key": N}},
    ]
    found = [("orders", KEY, 0), ("plain", A, 0), ("plain", B, 0), ("plain", N, 0)]
    assert keys("transact_write_items", TransactItems=actions) == found
    reads = [{"Get": {"TableName": "plain", "Key": A}}]
    assert keys("transact_get_items", TransactItems=reads) == [("plain", A, 0)]


QUERIES = [
    {"KeyConditionExpression": "pk = :p"},
    {"KeyConditionExpression": "pk=:p AND sk = :s"},
    {"KeyConditionExpression": "sk = :s AND pk = :p"},
    {"KeyConditionExpression": "(#p = :p) AND (sk BETWEEN :s AND :s)"},
    {"KeyConditionExpression": ":p = #p and begins_with(sk, :s)"},
    {"KeyConditionExpression": "sk >= :s AND pk = :p"},
    {"KeyConditionExpression": "sk <= :s AND #p = :p"},
    {
        "KeyConditions": {
            "sk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "s"}]},
            "pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]},
        }
    },
]


@pytest.mark.parametrize("given", QUERIES, ids=[str(number) for number in range(len(QUERIES))])
def test_a_query_is_about_its_partition(given: Any) -> None:
    given = {
        "TableName": "orders",
        "ExpressionAttributeNames": {"#p": "pk"},
        "ExpressionAttributeValues": {":p": {"S": "a"}, ":s": {"S": "s"}},
        **given,
    }
    assert keys("query", **given) == [("orders", A, 0)]


@pytest.mark.parametrize(
    "expression", ["", "sk = :p", "pk < :p", "xpk = :p", "pk2 = :p", "#pk = :p", "pk = :missing"]
)
def test_a_query_that_does_not_say_its_partition_is_told(expression: str) -> None:
    given: Any = {"ExpressionAttributeNames": {"#pk": "other"}}
    with pytest.raises(Keyless, match="what pk is, the partition key of 'plain'"):
        keys(
            "query",
            TableName="plain",
            KeyConditionExpression=expression,
            ExpressionAttributeValues={":p": {"S": "a"}},
            **given,
        )


@pytest.mark.parametrize("operation", ["scan", "describe_table", "create_table", "list_tables"])
def test_what_is_of_no_item_has_no_key(operation: str) -> None:
    assert keys(operation, TableName="plain") == []


def test_a_key_has_pythons_values_whoever_gave_it() -> None:
    given = {"a": {"S": "x"}, "b": {"N": "7"}, "c": {"B": b"\x00"}}
    assert plain(given) == {"a": "x", "b": Decimal(7), "c": b"\x00"}
    assert plain({"a": "x", "b": 7, "c": {"N": "no number"}}) == {
        "a": "x",
        "b": 7,
        "c": "no number",
    }


def test_keys_are_values() -> None:
    assert Keyed("plain", A) == Keyed("plain", dict(A))
