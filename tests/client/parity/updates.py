"""Update expressions: SET, REMOVE, ADD and DELETE, on attributes and on paths."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.client.parity.case import Case, client

ITEM = {
    "pk": "a",
    "n": Decimal(5),
    "s": "old",
    "ss": {"x", "y"},
    "ns": {1, 2},
    "deep": {"one": {"two": 2}, "list": [10, 20, 30]},
    "items": [1, 2, 3],
    "nothing": None,
}


def changed(
    name: str,
    expression: str,
    values: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
    *,
    returned: str = "ALL_NEW",
    key: str = "a",
) -> Case:
    """An update, and what it answers."""
    given: dict[str, Any] = {
        "Key": {"pk": key},
        "UpdateExpression": expression,
        "ReturnValues": returned,
    }
    if values:
        given["ExpressionAttributeValues"] = values
    if names:
        given["ExpressionAttributeNames"] = names
    return Case(f"update: {name}", "update_item", given, [ITEM])


I = {"#i": "items"}  # noqa: E741  # a reserved word of DynamoDB's

CASES = (
    changed("set a new attribute", "SET fresh = :v", {":v": "x"}),
    changed("set over another type", "SET n = :v", {":v": [1, {"a": None}]}),
    changed("set several", "SET n = :v, s = :w, u = :v", {":v": 1, ":w": "w"}),
    changed("set from another attribute", "SET copied = n"),
    changed("set from itself", "SET n = n"),
    changed("two change places", "SET n = s, s = n"),
    changed("set from what is missing", "SET copied = missing"),
    changed("add a number", "SET n = n + :v", {":v": Decimal("0.5")}),
    changed("take a number away", "SET n = n - :v", {":v": 7}),
    changed("a difference turned round", "SET n = :v - n", {":v": 7}),
    changed("a sum of two attributes", "SET total = n + deep.one.two"),
    changed("add to a string", "SET s = s + :v", {":v": 1}),
    changed("add to what is missing", "SET missing = missing + :v", {":v": 1}),
    changed("three terms", "SET n = n + :v + :v", {":v": 1}),
    changed("times", "SET n = n * :v", {":v": 2}),
    changed("if it is not there, and it is not", "SET c = if_not_exists(c, :v)", {":v": 1}),
    changed("if it is not there, but it is", "SET n = if_not_exists(n, :v)", {":v": 1}),
    changed("a counter from nothing", "SET c = if_not_exists(c, :z) + :v", {":z": 0, ":v": 1}),
    changed("append to a list", "SET #i = list_append(#i, :v)", {":v": [4]}, I),
    changed("put before a list", "SET #i = list_append(:v, #i)", {":v": [0, "x"]}, I),
    changed("append to what is no list", "SET n = list_append(n, :v)", {":v": [4]}),
    changed("append what is no list", "SET #i = list_append(#i, :v)", {":v": 4}, I),
    changed("append to what is missing", "SET no = list_append(no, :v)", {":v": [4]}),
    changed(
        "append to a list that may be missing",
        "SET no = list_append(if_not_exists(no, :e), :v)",
        {":v": [4], ":e": []},
    ),
    changed("set an element", "SET #i[1] = :v", {":v": "two"}, I),
    changed("set an element beyond the end", "SET #i[9] = :v", {":v": "ten"}, I),
    changed("set two elements beyond the end", "SET #i[9] = :v, #i[7] = :w", {":v": 9, ":w": 7}, I),
    changed("set in a map", "SET deep.one.two = :v", {":v": 3}),
    changed("set a new one in a map", "SET deep.one.three = :v", {":v": 3}),
    changed("set in a list in a map", "SET deep.#l[0] = :v", {":v": 3}, {"#l": "list"}),
    changed("set in a map that is missing", "SET none.one = :v", {":v": 3}),
    changed("set in what is no map", "SET n.one = :v", {":v": 3}),
    changed("set an element of what is no list", "SET s[0] = :v", {":v": 3}),
    changed("a name with a dot", "SET #d = :v", {":v": 3}, {"#d": "deep.one"}),
    changed("a name with odd characters", "SET #d = :v", {":v": 3}, {"#d": "a b/ü-#1"}),
    changed("remove one", "REMOVE s"),
    changed("remove several", "REMOVE s, n, ss"),
    changed("remove what is missing", "REMOVE missing"),
    changed("remove an element", "REMOVE #i[0]", None, I),
    changed("remove two elements", "REMOVE #i[0], #i[2]", None, I),
    changed("remove an element beyond the end", "REMOVE #i[9]", None, I),
    changed("remove from a map", "REMOVE deep.one.two"),
    changed("remove from a map that is missing", "REMOVE none.one"),
    changed("ADD to a number", "ADD n :v", {":v": Decimal("-1.5")}),
    changed("ADD to what is missing", "ADD c :v", {":v": 3}),
    changed("ADD to a set of strings", "ADD ss :v", {":v": {"z", "x"}}),
    changed("ADD to a set of numbers", "ADD ns :v", {":v": {3}}),
    changed("ADD a set to what is missing", "ADD fresh :v", {":v": {b"b"}}),
    changed("ADD a set of another type", "ADD ss :v", {":v": {1}}),
    changed("ADD to a string", "ADD s :v", {":v": 1}),
    changed("ADD a string", "ADD n :v", {":v": "1"}),
    changed("ADD to a path", "ADD deep.one.two :v", {":v": 1}),
    changed("DELETE from a set", "DELETE ss :v", {":v": {"x", "none"}}),
    changed("DELETE the last of a set", "DELETE ns :v", {":v": {1, 2}}),
    changed("DELETE from what is missing", "DELETE fresh :v", {":v": {"x"}}),
    changed("DELETE of another type", "DELETE ss :v", {":v": {1}}),
    changed("DELETE a number", "DELETE n :v", {":v": 5}),
    changed(
        "all four clauses",
        "SET s = :s REMOVE nothing ADD n :v DELETE ss :d",
        {":s": "new", ":v": 1, ":d": {"x"}},
    ),
    changed("a clause twice", "SET s = :s SET n = :s", {":s": "new"}),
    changed("one attribute twice", "SET s = :s, s = :t", {":s": "new", ":t": "newer"}),
    changed("a path and its parent", "SET deep.one.two = :v REMOVE deep.one", {":v": 1}),
    changed("the key", "SET pk = :v", {":v": "b"}),
    changed("remove the key", "REMOVE pk"),
    changed("an empty expression", ""),
    changed("an expression without a clause", "n = :v", {":v": 1}),
    changed("an expression that does not end", "SET n ="),
    changed("a reserved word", "SET name = :v", {":v": 1}),
    changed("a reserved word by a name", "SET #n = :v", {":v": 1}, {"#n": "name"}),
    changed("words in lower case", "set n = :v remove s", {":v": 1}),
    changed("a value that nobody gave", "SET n = :w", {":v": 1}),
    changed("a set that is empty", "SET n = :v", {":v": set()}),
    changed("an item that is not there", "SET n = :v", {":v": 1}, key="new"),
    changed("removing from an item that is not there", "REMOVE n", key="new"),
    *(
        changed(f"returns {what}", "SET n = n + :v, fresh = :v", {":v": 1}, returned=what)
        for what in ("NONE", "ALL_OLD", "UPDATED_OLD", "UPDATED_NEW", "ALL_NEW", "SOME")
    ),
    changed(
        "the updated ones of paths", "SET deep.one.two = :v", {":v": 9}, returned="UPDATED_NEW"
    ),
    changed("the old ones of paths", "SET deep.one.two = :v", {":v": 9}, returned="UPDATED_OLD"),
    Case("update: nothing but a key", "update_item", {"Key": {"pk": "a"}}, [ITEM]),
    Case("update: nothing but a new key", "update_item", {"Key": {"pk": "new"}}, [ITEM]),
    Case(
        "update: twice",
        "update_item",
        {
            "Key": {"pk": "a"},
            "UpdateExpression": "ADD n :v",
            "ExpressionAttributeValues": {":v": 1},
            "ReturnValues": "UPDATED_NEW",
        },
        [ITEM],
        times=2,
    ),
    client(
        "update: by the client",
        "update_item",
        {
            "Key": {"pk": {"S": "a"}},
            "UpdateExpression": "SET n = n + :v, #x = :x",
            "ExpressionAttributeNames": {"#x": "x"},
            "ExpressionAttributeValues": {":v": {"N": "1.50"}, ":x": {"M": {"l": {"L": []}}}},
            "ReturnValues": "ALL_NEW",
        },
        items=[ITEM],
    ),
)
