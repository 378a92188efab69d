"""Scans: all, by pages, by segments, with filters and of indexes."""

from __future__ import annotations

from typing import Any

from boto3.dynamodb.conditions import Attr

from tests.client.parity.case import Case, client

ROWS = tuple({"pk": f"k{i:02}", "n": i, "tag": {f"t{i % 4}"}} for i in range(23))
SORTED = tuple(
    {"pk": f"p{i % 3}", "sk": i, **({"city": "c"} if i % 2 else {"rank": i})} for i in range(9)
)


def walked(name: str, *, walk: bool = False, **given: Any) -> Case:
    """A scan."""
    return Case(f"scan: {name}", "scan", given, ROWS, walk=walk)


def of_index(name: str, index: str, *, walk: bool = False, **given: Any) -> Case:
    """A scan of an index."""
    return Case(f"scan: {name}", "scan", {"IndexName": index, **given}, SORTED, "sorted", walk=walk)


CASES = (
    walked("all"),
    Case("scan: nothing", "scan", {}),
    walked("pages", Limit=5, walk=True),
    walked("pages of one", Limit=1, walk=True),
    walked("a page of all", Limit=23, walk=True),
    walked("consistent pages", Limit=10, ConsistentRead=True, walk=True),
    walked("a filter", FilterExpression=Attr("n").between(3, 7)),
    walked("pages with a filter", FilterExpression=Attr("n").gt(20), Limit=4, walk=True),
    walked("a filter on a set", FilterExpression=Attr("tag").contains("t1")),
    walked("a filter that keeps nothing", FilterExpression=Attr("none").exists()),
    walked(
        "a filter as text",
        FilterExpression="n IN (:x, :y)",
        ExpressionAttributeValues={":x": 1, ":y": 2},
    ),
    walked("a filter that is wrong", FilterExpression="n >"),
    walked(
        "a filter with a reserved word",
        FilterExpression="size = :x",
        ExpressionAttributeValues={":x": 1},
    ),
    walked("a projection", ProjectionExpression="n", Limit=3),
    walked("a count", Select="COUNT"),
    walked("counts by pages", Select="COUNT", Limit=9, walk=True),
    walked("segment 0", Segment=0, TotalSegments=3),
    walked("segment 1", Segment=1, TotalSegments=3),
    walked("segment 2", Segment=2, TotalSegments=3),
    walked("pages of a segment", Segment=1, TotalSegments=2, Limit=3, walk=True),
    walked("one segment of one", Segment=0, TotalSegments=1),
    walked("a segment beyond the last", Segment=3, TotalSegments=3),
    walked("a segment without a number of them", Segment=0),
    walked("a number of segments without one", TotalSegments=2),
    walked("a million and one segments", Segment=0, TotalSegments=1_000_001),
    walked("a negative segment", Segment=-1, TotalSegments=2),
    walked("a limit of 0", Limit=0),
    walked("from a key of another name", ExclusiveStartKey={"id": "x"}),
    walked("from a key that is not there", ExclusiveStartKey={"pk": "k05x"}),
    walked("consumed capacity", Limit=2, ReturnConsumedCapacity="TOTAL"),
    walked("a word that is no argument", Forward=True),
    of_index("a local index", "by_rank"),
    of_index("a global index", "by_city"),
    of_index("pages of a global index", "by_city", Limit=3, walk=True),
    of_index("a global index, consistent", "by_city", ConsistentRead=True),
    of_index("an index that is none", "by_none"),
    Case(
        "scan: pages that end by their size",
        "scan",
        {"ProjectionExpression": "pk"},
        [{"pk": f"big{i}", "v": "x" * 380_000} for i in range(4)],
        walk=True,
    ),
    client("scan: pages by the client", "scan", {"Limit": 6}, items=ROWS, walk=True),
    client(
        "scan: a filter by the client",
        "scan",
        {"FilterExpression": "n < :x", "ExpressionAttributeValues": {":x": {"N": "2"}}},
        items=ROWS,
    ),
)
