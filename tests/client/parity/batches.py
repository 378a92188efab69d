"""Batches: of reads and of writes, over tables, with duplicates and at the limits."""

from __future__ import annotations

from typing import Any

from tests.client.parity.case import Case, client, resource

ROWS = tuple({"pk": f"k{i:03}", "n": i} for i in range(30))
SECOND = {"second": [{"pk": "x", "s": "other"}]}


def keys(count: int) -> list[dict[str, Any]]:
    """So many keys."""
    return [{"pk": f"k{i:03}"} for i in range(count)]


def put(key: str, **more: Any) -> dict[str, Any]:
    """A put of a batch."""
    return {"PutRequest": {"Item": {"pk": key, **more}}}


def delete(key: str) -> dict[str, Any]:
    """A delete of a batch."""
    return {"DeleteRequest": {"Key": {"pk": key}}}


def read(name: str, request: Any, items: Any = ROWS, **more: Any) -> Case:
    """A batch of reads."""
    given = {"RequestItems": request}
    return resource(f"batch of reads: {name}", "batch_get_item", given, items=items, **more)


def written(name: str, request: Any, items: Any = ROWS[:3], **more: Any) -> Case:
    """A batch of writes."""
    given = {"RequestItems": request}
    return resource(f"batch of writes: {name}", "batch_write_item", given, items=items, **more)


READS = (
    read("one", {"plain": {"Keys": keys(1)}}),
    read("several", {"plain": {"Keys": keys(5)}}),
    read("100", {"plain": {"Keys": keys(100)}}),
    read("101", {"plain": {"Keys": keys(101)}}),
    read("none", {"plain": {"Keys": []}}),
    read("no table", {}),
    read("what is missing", {"plain": {"Keys": [{"pk": "none"}, {"pk": "k001"}]}}),
    read("one key twice", {"plain": {"Keys": [{"pk": "k001"}, {"pk": "k001"}]}}),
    read(
        "two tables", {"plain": {"Keys": keys(2)}, "second": {"Keys": [{"pk": "x"}]}}, others=SECOND
    ),
    read("a table that is none", {"none": {"Keys": keys(1)}}),
    read("a wrong key", {"plain": {"Keys": [{"id": "k001"}]}}),
    read("a key of another type", {"plain": {"Keys": [{"pk": 1}]}}),
    read("consistent", {"plain": {"Keys": keys(2), "ConsistentRead": True}}),
    read("a projection", {"plain": {"Keys": keys(2), "ProjectionExpression": "n"}}),
    read(
        "a projection by names",
        {
            "plain": {
                "Keys": keys(2),
                "ProjectionExpression": "#n",
                "ExpressionAttributeNames": {"#n": "n"},
            }
        },
    ),
    read("AttributesToGet", {"plain": {"Keys": keys(2), "AttributesToGet": ["pk"]}}),
    read("what is no list", {"plain": {"Keys": "k001"}}),
    read("no keys at all", {"plain": {}}),
    read(
        "keys that are left over, by size",
        {
            "plain": {
                "Keys": [{"pk": f"big{i:02}"} for i in range(45)],
                "ProjectionExpression": "pk",
            }
        },
        [{"pk": f"big{i:02}", "v": "x" * 390_000} for i in range(45)],
        heavy=True,
        dynalite=False,  # which keys are left over is its dice's choice
    ),
    resource(
        "batch of reads: consumed capacity",
        "batch_get_item",
        {"RequestItems": {"plain": {"Keys": keys(3)}}, "ReturnConsumedCapacity": "TOTAL"},
        items=ROWS,
    ),
    resource("batch of reads: nothing given", "batch_get_item", {}),
    client(
        "batch of reads: by the client",
        "batch_get_item",
        {"RequestItems": {"plain": {"Keys": [{"pk": {"S": "k001"}}, {"pk": {"S": "k002"}}]}}},
        items=ROWS,
    ),
    client(
        "batch of reads: Python's types by the client",
        "batch_get_item",
        {"RequestItems": {"plain": {"Keys": keys(2)}}},
        items=ROWS,
    ),
)

WRITES = (
    written("a put", {"plain": [put("new", n=1)]}),
    written("a put over another", {"plain": [put("k000", fresh=True)]}),
    written("a delete", {"plain": [delete("k000")]}),
    written("a delete of nothing", {"plain": [delete("none")]}),
    written("puts and deletes", {"plain": [put("new"), delete("k001"), put("newer", s="x")]}),
    written("25", {"plain": [put(f"w{i}") for i in range(25)]}),
    written("26", {"plain": [put(f"w{i}") for i in range(26)]}),
    written("none", {"plain": []}),
    written("no table", {}),
    written("one key twice", {"plain": [put("same", n=1), put("same", n=2)]}),
    written("a put and a delete of one key", {"plain": [put("same"), delete("same")]}),
    written(
        "two tables", {"plain": [put("new")], "second": [put("y"), delete("x")]}, others=SECOND
    ),
    written("a table that is none", {"none": [put("new")]}),
    written("a table that is none beside one", {"plain": [put("new")], "none": [put("new")]}),
    written("without a key", {"plain": [{"PutRequest": {"Item": {"n": 1}}}]}),
    written(
        "a wrong key among right ones", {"plain": [put("new"), {"PutRequest": {"Item": {"pk": 5}}}]}
    ),
    written("a put and a delete in one", {"plain": [{**put("new"), **delete("k001")}]}),
    written("an empty request", {"plain": [{}]}),
    written("a float", {"plain": [put("new", n=1.5)]}),
    written("an item that is too large", {"plain": [put("new", v="x" * 410_000)]}),
    written("every type", {"plain": [put("new", a=None, b=b"b", c={"s"}, d=[1], e={"f": True})]}),
    resource(
        "batch of writes: consumed capacity",
        "batch_write_item",
        {"RequestItems": {"plain": [put("new")]}, "ReturnConsumedCapacity": "INDEXES"},
    ),
    resource(
        "batch of writes: metrics",
        "batch_write_item",
        {"RequestItems": {"plain": [put("new")]}, "ReturnItemCollectionMetrics": "SIZE"},
    ),
    client(
        "batch of writes: by the client",
        "batch_write_item",
        {
            "RequestItems": {
                "plain": [{"PutRequest": {"Item": {"pk": {"S": "new"}, "n": {"N": "1"}}}}]
            }
        },
    ),
    client(
        "batch of writes: Python's types by the client",
        "batch_write_item",
        {"RequestItems": {"plain": [put("new")]}},
    ),
)

CASES = (*READS, *WRITES)
