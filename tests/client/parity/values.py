"""Values of every type: binary, sets, nulls, empty ones, nested ones, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary

from tests.client.parity.case import Case, client


def deep(levels: int) -> Any:
    """A list in a list in a list."""
    return [deep(levels - 1)] if levels else "bottom"


STORED: dict[str, Any] = {
    "a string": "text",
    "a long string": "ä" * 5000,
    "an emoji": "👩‍👩‍👧‍👦 \u0000",
    "the empty string": "",
    "bytes": b"\x00\x01\xff",
    "a bytearray": bytearray(b"abc"),
    "a Binary": Binary(b"abc"),
    "empty bytes": b"",
    "every byte": bytes(range(256)),
    "true": True,
    "false": False,
    "null": None,
    "a list": [1, "a", b"b", None, False, [], {}],
    "an empty list": [],
    "a map": {"a": {"b": [Decimal(1), {"c": None}]}},
    "an empty map": {},
    "a map with an empty name": {"": 1},
    "a set of strings": {"b", "a"},
    "a set of numbers": {3, 1, 2},
    "a set of bytes": {b"b", Binary(b"a")},
    "a frozen set": frozenset({"x"}),
    "a set with the empty string": {"", "a"},
    "32 levels": deep(31),
    "33 levels": deep(33),
    "a name in another alphabet": {"ключ": "значение"},
}
REFUSED: dict[str, Any] = {
    "an empty set": set(),
    "a set of two types": {"a", 1},
    "a set of tuples": {(1, 2)},
    "a tuple": (1, 2),
    "a date": datetime(2026, 1, 1, tzinfo=UTC),
    "an object": object,
    "a lone surrogate": "\ud800",
    "a map with a number as name": {1: "x"},
}


def low(name: str, value: Any) -> Case:
    """A value in DynamoDB's own form."""
    return client(f"low-level value: {name}", "put_item", {"Item": {"pk": {"S": "a"}, "v": value}})


CASES = (
    *(
        Case(f"writing {name}", "put_item", {"Item": {"pk": "a", "v": value}})
        for name, value in STORED.items()
    ),
    *(
        Case(f"reading {name}", "get_item", {"Key": {"pk": "a"}}, [{"pk": "a", "v": value}])
        for name, value in STORED.items()
        if name not in {"33 levels", "a map with an empty name", "a set with the empty string"}
    ),
    *(
        Case(f"refused: {name}", "put_item", {"Item": {"pk": "a", "v": value}})
        for name, value in REFUSED.items()
    ),
    low("every type", {"M": {"s": {"S": "x"}, "n": {"N": "1"}, "b": {"B": b"x"}, "l": {"L": []}}}),
    low("null", {"NULL": True}),
    low("null that is false", {"NULL": False}),
    low("a boolean", {"BOOL": False}),
    low("a boolean as text", {"BOOL": "false"}),
    low("an empty set", {"SS": []}),
    low("a string twice in a set", {"SS": ["x", "x"]}),
    low("bytes twice in a set", {"BS": [b"x", b"x"]}),
    low("no type", {}),
    low("two types", {"S": "x", "N": "1"}),
    low("a type that is none", {"X": "x"}),
    low("a string for bytes", {"B": "not base64"}),
    low("a list for a string", {"S": ["x"]}),
    low("a Python value", "x"),
    Case(
        "an item just small enough", "put_item", {"Item": {"pk": "a", "v": "x" * (400 * 1024 - 4)}}
    ),
    Case("an item that is too large", "put_item", {"Item": {"pk": "a", "v": "x" * (400 * 1024)}}),
    Case(
        "an update that makes it too large",
        "update_item",
        {
            "Key": {"pk": "a"},
            "UpdateExpression": "SET w = :w",
            "ExpressionAttributeValues": {":w": "x" * 10_000},
        },
        [{"pk": "a", "v": "x" * (395 * 1024)}],
    ),
    Case(
        "an item of 200 attributes",
        "put_item",
        {"Item": {"pk": "a", **{f"a{i}": i for i in range(200)}}},
    ),
)
