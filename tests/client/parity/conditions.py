"""Conditions: every comparison and function, on every type, met and not met."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.conditions import Attr

from tests.client.parity.case import Case, client

THING = {
    "pk": "a",
    "n": Decimal(5),
    "s": "hello",
    "flag": True,
    "nothing": None,
    "b": b"\x01\x02",
    "ns": {1, 2},
    "ss": {"x", "y"},
    "bs": {b"x"},
    "list": [1, "two", {"three": 3}],
    "map": {"in": {"deep": 7}, "other": "o"},
    "empty": "",
    "none_list": [],
    "none_map": {},
}


def held(
    name: str,
    condition: Any,
    values: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
    **more: Any,
) -> Case:
    """A write that changes the thing if the condition holds."""
    given: dict[str, Any] = {
        "Key": {"pk": "a"},
        "UpdateExpression": "SET touched = :touched",
        "ConditionExpression": condition,
        "ExpressionAttributeValues": {":touched": "yes", **(values or {})},
        "ReturnValues": "UPDATED_NEW",
    }
    if names:
        given["ExpressionAttributeNames"] = names
    return Case(f"condition: {name}", "update_item", given, [THING], **more)


COMPARED = (
    held("equal numbers", "n = :v", {":v": 5}),
    held("numbers that are equal in value", "n = :v", {":v": Decimal("5.0")}),
    held("a number and a string", "n = :v", {":v": "5"}),
    held("equal strings", "s = :v", {":v": "hello"}),
    held("strings that differ in case", "s = :v", {":v": "Hello"}),
    held("equal bytes", "b = :v", {":v": b"\x01\x02"}),
    held("equal booleans", "flag = :v", {":v": True}),
    held("other booleans", "flag = :v", {":v": False}),
    held("null and null", "nothing = :v", {":v": None}),
    held("sets in another order", "ns = :v", {":v": {2, 1}}),
    held("sets that differ", "ss = :v", {":v": {"x"}}),
    held("equal lists", "#l = :v", {":v": [1, "two", {"three": 3}]}, {"#l": "list"}),
    held("lists in another order", "#l = :v", {":v": ["two", 1, {"three": 3}]}, {"#l": "list"}),
    held("equal maps", "#m = :v", {":v": {"other": "o", "in": {"deep": 7}}}, {"#m": "map"}),
    held("the empty string", "empty = :v", {":v": ""}),
    held("the empty list", "none_list = :v", {":v": []}),
    held("the empty map", "none_map = :v", {":v": {}}),
    held("not equal", "n <> :v", {":v": 6}),
    held("not equal, but it is", "n <> :v", {":v": 5}),
    held("not equal to what is missing", "missing <> :v", {":v": 5}),
    held("equal to what is missing", "missing = :v", {":v": 5}),
    held("less", "n < :v", {":v": 6}),
    held("less, but equal", "n < :v", {":v": 5}),
    held("at most", "n <= :v", {":v": 5}),
    held("greater", "n > :v", {":v": Decimal("4.999")}),
    held("at least", "n >= :v", {":v": 5}),
    held("less of strings", "s < :v", {":v": "help"}),
    held("less of bytes", "b < :v", {":v": b"\x01\x03"}),
    held("less of a number and a string", "n < :v", {":v": "6"}),
    held("less of a boolean", "flag < :v", {":v": True}),
    held("less of a set", "ns < :v", {":v": {9}}),
    held("between", "n BETWEEN :x AND :y", {":x": 5, ":y": 9}),
    held("between, below", "n BETWEEN :x AND :y", {":x": 6, ":y": 9}),
    held("between turned round", "n BETWEEN :x AND :y", {":x": 9, ":y": 1}),
    held("between of two types", "n BETWEEN :x AND :y", {":x": 1, ":y": "9"}),
    held("in", "n IN (:x, :y)", {":x": 4, ":y": 5}),
    held("not in", "n IN (:x, :y)", {":x": 4, ":y": 6}),
    held(
        "in many",
        f"n IN ({', '.join(f':x{i}' for i in range(100))})",
        {f":x{i}": i for i in range(100)},
    ),
    held(
        "in too many",
        f"n IN ({', '.join(f':x{i}' for i in range(101))})",
        {f":x{i}": i for i in range(101)},
    ),
    held("two attributes", "n > #l[0]", None, {"#l": "list"}),
)

FUNCTIONS = (
    held("it exists", "attribute_exists(n)"),
    held("it exists, but does not", "attribute_exists(missing)"),
    held("it does not exist", "attribute_not_exists(missing)"),
    held("it does not exist, but does", "attribute_not_exists(n)"),
    held("null exists", "attribute_exists(nothing)"),
    held("a nested one exists", "attribute_exists(#m.#i.deep)", None, {"#m": "map", "#i": "in"}),
    held("an element exists", "attribute_exists(#l[2].three)", None, {"#l": "list"}),
    held("no element exists there", "attribute_exists(#l[9])", None, {"#l": "list"}),
    *(
        held(f"its type is {kind}", f"attribute_type({path}, :v)", {":v": kind}, names)
        for path, kind, names in (
            ("n", "N", None),
            ("s", "S", None),
            ("b", "B", None),
            ("flag", "BOOL", None),
            ("nothing", "NULL", None),
            ("ns", "NS", None),
            ("ss", "SS", None),
            ("bs", "BS", None),
            ("#l", "L", {"#l": "list"}),
            ("#m", "M", {"#m": "map"}),
        )
    ),
    held("its type is another", "attribute_type(n, :v)", {":v": "S"}),
    held("a type that is none", "attribute_type(n, :v)", {":v": "X"}),
    held("it begins so", "begins_with(s, :v)", {":v": "hel"}),
    held("it begins otherwise", "begins_with(s, :v)", {":v": "lo"}),
    held("it begins with nothing", "begins_with(s, :v)", {":v": ""}),
    held("bytes begin so", "begins_with(b, :v)", {":v": b"\x01"}),
    held("a number begins", "begins_with(n, :v)", {":v": "5"}),
    held("it begins with a number", "begins_with(s, :v)", {":v": 5}),
    held("a string contains", "contains(s, :v)", {":v": "ell"}),
    held("a set contains", "contains(ss, :v)", {":v": "y"}),
    held("a set of numbers contains", "contains(ns, :v)", {":v": 2}),
    held("a set does not contain", "contains(ss, :v)", {":v": "z"}),
    held("a list contains", "contains(#l, :v)", {":v": "two"}, {"#l": "list"}),
    held("a list does not contain", "contains(#l, :v)", {":v": "2"}, {"#l": "list"}),
    held("the size of a string", "size(s) = :v", {":v": 5}),
    held("the size of a list", "size(#l) = :v", {":v": 3}, {"#l": "list"}),
    held("the size of a map", "size(#m) = :v", {":v": 2}, {"#m": "map"}),
    held("the size of a set", "size(ns) > :v", {":v": 1}),
    held("the size of bytes", "size(b) = :v", {":v": 2}),
    held("the size of the empty string", "size(empty) = :v", {":v": 0}),
    held("the size of what is missing", "size(missing) > :v", {":v": 0}),
    held("a function that is none", "exists(n)"),
    held("a function of too much", "attribute_exists(n, s)"),
)

COMBINED = (
    held("and", "n = :v AND s = :w", {":v": 5, ":w": "hello"}),
    held("and, one not", "n = :v AND s = :w", {":v": 5, ":w": "x"}),
    held("or", "n = :v OR s = :w", {":v": 6, ":w": "hello"}),
    held("not", "NOT n = :v", {":v": 6}),
    held("not of not", "NOT (NOT n = :v)", {":v": 5}),
    held("and binds before or", "n = :v OR n = :w AND s = :x", {":v": 5, ":w": 6, ":x": "no"}),
    held("brackets", "(n = :v OR n = :w) AND s = :x", {":v": 5, ":w": 6, ":x": "no"}),
    held("words in lower case", "n = :v and not s = :w", {":v": 5, ":w": "x"}),
    held("made by boto3", Attr("n").gte(5) & ~Attr("missing").exists() & Attr("ss").contains("x")),
    held("made by boto3 of a path", Attr("map.in.deep").eq(7) | Attr("list[0]").eq(9)),
    held("made by boto3 of a size", Attr("s").size().between(4, 6) & Attr("n").is_in([1, 5])),
    held("made by boto3, not met", Attr("s").begins_with("x") | Attr("s").attribute_type("N")),
)

WRONG = (
    held("an empty one", ""),
    held("one that does not end", "n = "),
    held("a bracket too much", "(n = :v))", {":v": 5}),
    held("needless brackets", "((n = :v))", {":v": 5}),
    held("a value that nobody gave", "n = :v"),
    held("a value that nobody uses", "n > :v", {":v": 1, ":unused": 2}),
    held("a name that nobody gave", "#n = :v", {":v": 5}),
    held("a name that nobody uses", "n = :v", {":v": 5}, {"#unused": "x"}),
    held("a reserved word", "list = :v", {":v": []}),
    held("a reserved word by a name", "#name = :v", {":v": "x"}, {"#name": "name"}),
    held("a literal", "n = 5"),
    held("an attribute compared with itself", "n = n"),
    held("two comparisons in a row", "n < :v < :w", {":v": 1, ":w": 2}),
)

FREE = (
    Case(
        "condition: a put of what is not there",
        "put_item",
        {"Item": {"pk": "new"}, "ConditionExpression": "attribute_not_exists(pk)"},
        [THING],
    ),
    Case(
        "condition: a put of what is there",
        "put_item",
        {"Item": {"pk": "a"}, "ConditionExpression": "attribute_not_exists(pk)"},
        [THING],
    ),
    Case(
        "condition: a delete that is allowed",
        "delete_item",
        {"Key": {"pk": "a"}, "ConditionExpression": Attr("n").eq(5)},
        [THING],
    ),
    Case(
        "condition: a delete that is not allowed",
        "delete_item",
        {"Key": {"pk": "a"}, "ConditionExpression": Attr("n").eq(6)},
        [THING],
    ),
    Case(
        "condition: an update of nothing that must be there",
        "update_item",
        {
            "Key": {"pk": "none"},
            "UpdateExpression": "SET n = :n",
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeValues": {":n": 1},
        },
        [THING],
    ),
    Case(
        "condition: what is there is told when it fails",
        "put_item",
        {
            "Item": {"pk": "a"},
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
        [THING],
    ),
    Case(
        "condition: an update tells what is there when it fails",
        "update_item",
        {
            "Key": {"pk": "a"},
            "UpdateExpression": "SET n = :n",
            "ConditionExpression": "n > :n",
            "ExpressionAttributeValues": {":n": 9},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
        [THING],
    ),
    Case(
        "condition: a delete tells what is there when it fails",
        "delete_item",
        {
            "Key": {"pk": "a"},
            "ConditionExpression": "n > :n",
            "ExpressionAttributeValues": {":n": 9},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
        [THING],
    ),
    Case(
        "condition: nothing is there to be told",
        "delete_item",
        {
            "Key": {"pk": "none"},
            "ConditionExpression": "attribute_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
        [THING],
    ),
    client(
        "condition: by the client",
        "delete_item",
        {
            "Key": {"pk": {"S": "a"}},
            "ConditionExpression": "n = :n",
            "ExpressionAttributeValues": {":n": {"N": "6"}},
        },
        items=[THING],
    ),
    client(
        "condition: a Python value by the client",
        "delete_item",
        {
            "Key": {"pk": {"S": "a"}},
            "ConditionExpression": "n = :n",
            "ExpressionAttributeValues": {":n": 6},
        },
        items=[THING],
    ),
    client(
        "condition: boto3's object by the client",
        "delete_item",
        {"Key": {"pk": {"S": "a"}}, "ConditionExpression": Attr("n").eq(6)},
        items=[THING],
    ),
)

CASES = (*COMPARED, *FUNCTIONS, *COMBINED, *WRONG, *FREE)
