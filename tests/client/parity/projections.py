"""Projections: which parts of an item are answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.client.parity.case import Case, client

ITEM = {
    "pk": "a",
    "n": 1,
    "name": "n",
    "list": [10, {"x": 1, "y": 2}, [5, 6]],
    "map": {"a": {"b": {"c": 3}}, "d.e": 4},
}


def seen(name: str, expression: str, names: Mapping[str, str] | None = None) -> Case:
    """What is seen of the item."""
    given: dict[str, Any] = {"Key": {"pk": "a"}, "ProjectionExpression": expression}
    if names is not None:
        given["ExpressionAttributeNames"] = names
    return Case(f"projection: {name}", "get_item", given, [ITEM])


L, M = {"#l": "list"}, {"#m": "map"}

CASES = (
    seen("one", "n"),
    seen("two", "n, pk"),
    seen("what is missing", "missing"),
    seen("what is missing and what is not", "missing, n"),
    seen("a reserved word", "name"),
    seen("a reserved word by a name", "#n", {"#n": "name"}),
    seen("an element", "#l[0]", L),
    seen("an element of an element", "#l[2][1]", L),
    seen("two elements", "#l[0], #l[2][0]", L),
    seen("an element's attribute", "#l[1].x", L),
    seen("an element beyond the end", "#l[7]", L),
    seen("a path", "#m.a.b.c", M),
    seen("two paths", "#m.a.b, n", M),
    seen("a path that is missing", "#m.x.y", M),
    seen("a path through a number", "n.x"),
    seen("a name with a dot", "#m.#de", {"#m": "map", "#de": "d.e"}),
    seen("one twice", "n, n"),
    seen("a path and its parent", "#m, #m.a", M),
    seen("nothing", ""),
    seen("a comma at the end", "n,"),
    seen("a name that nobody gave", "#x"),
    seen("a name that nobody uses", "n", {"#x": "x"}),
    seen("names without need", "n", {}),
    seen("a name that is no name", "n", {"x": "n"}),
    Case(
        "projection: names without an expression",
        "get_item",
        {"Key": {"pk": "a"}, "ExpressionAttributeNames": {"#n": "n"}},
        [ITEM],
    ),
    Case(
        "projection: AttributesToGet",
        "get_item",
        {"Key": {"pk": "a"}, "AttributesToGet": ["n", "name", "missing"]},
        [ITEM],
    ),
    Case(
        "projection: both ways",
        "get_item",
        {"Key": {"pk": "a"}, "AttributesToGet": ["n"], "ProjectionExpression": "n"},
        [ITEM],
    ),
    Case("projection: of no item", "get_item", {"Key": {"pk": "z"}, "ProjectionExpression": "n"}),
    client(
        "projection: by the client",
        "get_item",
        {
            "Key": {"pk": {"S": "a"}},
            "ProjectionExpression": "#l[1].y, #n",
            "ExpressionAttributeNames": {"#l": "list", "#n": "name"},
        },
        items=[ITEM],
    ),
)
