"""What was before expressions: `Expected`, `AttributeUpdates`, `KeyConditions`, filters."""

from __future__ import annotations

from typing import Any

from tests.client.parity.case import Case, client

ROWS: tuple[dict[str, Any], ...] = tuple(
    {"pk": "a", "sk": i, "n": i, "s": f"s{i}"} for i in range(6)
)
ONE: tuple[dict[str, Any], ...] = ({"pk": "a", "n": 1, "ss": {"x"}},)
KEY = {"pk": {"AttributeValueList": ["a"], "ComparisonOperator": "EQ"}}


def old(name: str, call: str, table: str, rows: Any, **given: Any) -> Case:
    """A case of the old kind."""
    return Case(f"before expressions: {name}", call, given, rows, table)


def changed(name: str, **updates: Any) -> Case:
    """An update of the old kind."""
    return old(
        name,
        "update_item",
        "plain",
        ONE,
        Key={"pk": "a"},
        AttributeUpdates=updates,
        ReturnValues="ALL_NEW",
    )


CASES = (
    changed("put", n={"Value": 5, "Action": "PUT"}),
    changed("put is the default", n={"Value": 5}),
    changed("add", n={"Value": 5, "Action": "ADD"}),
    changed("add to a set", ss={"Value": {"y"}, "Action": "ADD"}),
    changed("delete", n={"Action": "DELETE"}),
    changed("delete from a set", ss={"Value": {"x", "y"}, "Action": "DELETE"}),
    changed("an action that is none", n={"Value": 5, "Action": "MUL"}),
    old("expected", "put_item", "plain", ONE, Item={"pk": "a"}, Expected={"n": {"Value": 1}}),
    old("not expected", "put_item", "plain", ONE, Item={"pk": "a"}, Expected={"n": {"Value": 2}}),
    old(
        "expected not to exist",
        "put_item",
        "plain",
        ONE,
        Item={"pk": "a"},
        Expected={"pk": {"Exists": False}},
    ),
    old(
        "one of two expected",
        "delete_item",
        "plain",
        ONE,
        Key={"pk": "a"},
        Expected={"n": {"Value": 1}, "s": {"Value": "x"}},
        ConditionalOperator="OR",
    ),
    old(
        "expected and a condition",
        "delete_item",
        "plain",
        ONE,
        Key={"pk": "a"},
        Expected={"n": {"Value": 1}},
        ConditionExpression="attribute_exists(pk)",
    ),
    old("a query", "query", "sorted", ROWS, KeyConditions=KEY),
    old(
        "a query of a range",
        "query",
        "sorted",
        ROWS,
        KeyConditions={
            **KEY,
            "sk": {"AttributeValueList": [2, 4], "ComparisonOperator": "BETWEEN"},
        },
    ),
    old(
        "a query with a filter",
        "query",
        "sorted",
        ROWS,
        KeyConditions=KEY,
        QueryFilter={"s": {"AttributeValueList": ["s3"], "ComparisonOperator": "NE"}},
    ),
    old(
        "a scan with a filter",
        "scan",
        "sorted",
        ROWS,
        ScanFilter={"n": {"AttributeValueList": [2], "ComparisonOperator": "GT"}},
    ),
    old(
        "an operator that is none",
        "query",
        "sorted",
        ROWS,
        KeyConditions={"pk": {"AttributeValueList": ["a"], "ComparisonOperator": "IS"}},
    ),
    client(
        "before expressions: by the client",
        "update_item",
        {
            "Key": {"pk": {"S": "a"}},
            "AttributeUpdates": {"n": {"Value": {"N": "2"}, "Action": "ADD"}},
        },
        items=ONE,
    ),
)
