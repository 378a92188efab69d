"""Keys: their types, what is missing from them or too much, and what they may hold."""

from __future__ import annotations

from decimal import Decimal

from boto3.dynamodb.types import Binary

from tests.client.parity.case import Case, client

HERE = ({"pk": "a", "n": 1}, {"pk": "b", "n": 2})
WORDS = ({"pk": "a", "sk": "x", "n": 1}, {"pk": "a", "sk": "y", "n": 2})

CASES = (
    Case("an item by its key", "get_item", {"Key": {"pk": "a"}}, HERE),
    Case("no such item", "get_item", {"Key": {"pk": "c"}}, HERE),
    Case("a consistent read", "get_item", {"Key": {"pk": "b"}, "ConsistentRead": True}, HERE),
    Case("both parts of a key", "get_item", {"Key": {"pk": "a", "sk": "y"}}, WORDS, "words"),
    Case("the other sort key", "get_item", {"Key": {"pk": "a", "sk": "z"}}, WORDS, "words"),
    Case("a sort key is missing", "get_item", {"Key": {"pk": "a"}}, WORDS, "words"),
    Case("a partition key is missing", "get_item", {"Key": {"sk": "x"}}, WORDS, "words"),
    Case("a key has an attribute too much", "get_item", {"Key": {"pk": "a", "n": 1}}, HERE),
    Case("a key of another name", "get_item", {"Key": {"id": "a"}}, HERE),
    Case("an empty key", "get_item", {"Key": {}}, HERE),
    Case("no key", "get_item", {}, HERE),
    Case("a key of another type", "get_item", {"Key": {"pk": 1}}, HERE),
    Case("a key that is null", "get_item", {"Key": {"pk": None}}, HERE),
    Case("a key that is a list", "get_item", {"Key": {"pk": ["a"]}}, HERE),
    Case("a key that is a set", "get_item", {"Key": {"pk": {"a"}}}, HERE),
    Case("a key of the empty string", "get_item", {"Key": {"pk": ""}}, HERE),
    Case("writing a key of the empty string", "put_item", {"Item": {"pk": "", "n": 1}}),
    Case("writing an empty sort key", "put_item", {"Item": {"pk": "a", "sk": ""}}, table="words"),
    Case("writing without a key", "put_item", {"Item": {"n": 1}}),
    Case("writing without a sort key", "put_item", {"Item": {"pk": "a"}}, table="words"),
    Case("writing a key of another type", "put_item", {"Item": {"pk": Decimal(1)}}),
    Case("writing nothing but the key", "put_item", {"Item": {"pk": "alone"}}),
    Case("keys in other alphabets", "put_item", {"Item": {"pk": "clé/鍵/🔑", "n": 1}}),
    Case(
        "reading a key in another alphabet", "get_item", {"Key": {"pk": "鍵🔑"}}, [{"pk": "鍵🔑"}]
    ),
    Case("a key with control characters", "put_item", {"Item": {"pk": 'a\n\t"\\\u0000b'}}),
    Case("the longest partition key", "put_item", {"Item": {"pk": "k" * 2048}}),
    Case("a partition key that is too long", "put_item", {"Item": {"pk": "k" * 2049}}),
    Case(
        "the longest sort key", "put_item", {"Item": {"pk": "a", "sk": "k" * 1024}}, table="words"
    ),
    Case(
        "a sort key that is too long",
        "put_item",
        {"Item": {"pk": "a", "sk": "k" * 1025}},
        table="words",
    ),
    Case("a number as key", "get_item", {"Key": {"pk": 7}}, [{"pk": 7, "s": "seven"}], "numbers"),
    Case(
        "a number as key, written otherwise",
        "get_item",
        {"Key": {"pk": Decimal("7.00")}},
        [{"pk": 7, "s": "seven"}],
        "numbers",
    ),
    Case(
        "a negative number as key", "put_item", {"Item": {"pk": Decimal("-0.5")}}, table="numbers"
    ),
    Case("zero as key", "put_item", {"Item": {"pk": 0}}, [{"pk": 0, "old": True}], "numbers"),
    Case("a string for a number's key", "get_item", {"Key": {"pk": "7"}}, table="numbers"),
    Case(
        "bytes as keys",
        "get_item",
        {"Key": {"pk": b"\x00\xff", "sk": Binary(b"s")}},
        [{"pk": b"\x00\xff", "sk": b"s", "n": 1}],
        "bytes",
    ),
    Case("empty bytes as key", "put_item", {"Item": {"pk": b"", "sk": b"s"}}, table="bytes"),
    Case(
        "a string for a key of bytes", "put_item", {"Item": {"pk": "a", "sk": b"s"}}, table="bytes"
    ),
    Case("deleting by key", "delete_item", {"Key": {"pk": "a"}}, HERE),
    Case("deleting what is not there", "delete_item", {"Key": {"pk": "zz"}}, HERE),
    Case("deleting with half a key", "delete_item", {"Key": {"pk": "a"}}, WORDS, "words"),
    Case("deleting with a key of another type", "delete_item", {"Key": {"pk": 5}}, HERE),
    Case("updating with half a key", "update_item", {"Key": {"pk": "a"}}, WORDS, "words"),
    Case(
        "an index key of another type",
        "put_item",
        {"Item": {"pk": "a", "sk": 1, "owner": 5}},
        table="sorted",
    ),
    Case(
        "an empty index key", "put_item", {"Item": {"pk": "a", "sk": 1, "city": ""}}, table="sorted"
    ),
    Case("an item without index keys", "put_item", {"Item": {"pk": "a", "sk": 1}}, table="sorted"),
    client("a key in low-level types", "get_item", {"Key": {"pk": {"S": "a"}}}, items=HERE),
    client("a low-level key of a wrong type", "get_item", {"Key": {"pk": {"N": "1"}}}, items=HERE),
    client("a key that names no type", "get_item", {"Key": {"pk": {}}}, items=HERE),
    client("a key in Python's types", "get_item", {"Key": {"pk": "a"}}, items=HERE),
    client("a key of two types", "get_item", {"Key": {"pk": {"S": "a", "N": "1"}}}, items=HERE),
)
