"""Queries: key conditions, filters, order, limits, pages and indexes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from boto3.dynamodb.conditions import Attr, Key

from tests.client.parity.case import Case, client

ROWS: tuple[dict[str, Any], ...] = (
    *(
        {
            "pk": "a",
            "sk": Decimal(i),
            "rank": 100 - i * i,
            "owner": "ann" if i % 3 else "bob",
            "at": i * 10,
            "kind": "even" if i % 2 == 0 else "odd",
            **({"city": f"c{i % 2}"} if i > 2 else {}),
        }
        for i in range(-2, 9)
    ),
    {"pk": "b", "sk": Decimal("0.5"), "owner": "ann", "at": 5},
)
WORDS = tuple(
    {"pk": "w", "sk": word, "n": i}
    for i, word in enumerate(("", "a", "ab", "abc", "b", "B", "é", "z", "🙂"))
    if word
)


def asked(name: str, condition: Any, *, walk: bool = False, **given: Any) -> Case:
    """A query of the sorted table."""
    full = {"KeyConditionExpression": condition, **given}
    return Case(f"query: {name}", "query", full, ROWS, "sorted", walk=walk)


def words(name: str, condition: Any, **given: Any) -> Case:
    """A query of the table that is sorted by strings."""
    full = {"KeyConditionExpression": condition, **given}
    return Case(f"query of words: {name}", "query", full, WORDS, "words")


A = Key("pk").eq("a")
LAST = {"pk": "a", "sk": Decimal(3)}

CASES = (
    asked("one partition", A),
    asked("a partition that is empty", Key("pk").eq("none")),
    asked("one item", A & Key("sk").eq(3)),
    asked("no such item", A & Key("sk").eq(33)),
    asked("less", A & Key("sk").lt(1)),
    asked("at most", A & Key("sk").lte(1)),
    asked("greater", A & Key("sk").gt(Decimal("6.5"))),
    asked("at least", A & Key("sk").gte(7)),
    asked("between", A & Key("sk").between(-1, 2)),
    asked("between turned round", A & Key("sk").between(2, -1)),
    asked("begins with, of numbers", A & Key("sk").begins_with("1")),
    asked("a key of another type", A & Key("sk").eq("3")),
    asked("no partition", Key("sk").eq(3)),
    asked("a range of partitions", Key("pk").gt("a")),
    asked("an attribute that is no key", A & Key("kind").eq("odd")),
    asked("one key twice", A & Key("pk").eq("b")),
    asked("two conditions on one key", A & Key("sk").gt(1) & Key("sk").lt(5)),
    asked("or", A | Key("pk").eq("b")),
    asked("not", A & ~Key("sk").eq(1)),
    asked("not equal", A & Attr("sk").ne(1)),
    asked("in", A & Attr("sk").is_in([1, 2])),
    asked("an empty condition", ""),
    asked("backwards", A, ScanIndexForward=False),
    asked("forwards", A, ScanIndexForward=True),
    asked("the last two", A, ScanIndexForward=False, Limit=2),
    asked("a limit", A, Limit=3),
    asked("a limit of all", A, Limit=11),
    asked("a limit of more", A, Limit=100),
    asked("a limit of 0", A, Limit=0),
    asked("a negative limit", A, Limit=-1),
    asked("a limit that is no number", A, Limit="2"),
    asked("pages", A, Limit=4, walk=True),
    asked("pages of one", A, Limit=1, walk=True),
    asked("pages backwards", A, Limit=4, ScanIndexForward=False, walk=True),
    asked(
        "pages that a filter empties",
        A,
        Limit=2,
        FilterExpression=Attr("kind").eq("none"),
        walk=True,
    ),
    asked("pages with a filter", A, Limit=3, FilterExpression=Attr("kind").eq("odd"), walk=True),
    asked("from a key on", A, ExclusiveStartKey=LAST),
    asked("from a key that is not there", A, ExclusiveStartKey={"pk": "a", "sk": Decimal("3.5")}),
    asked("from a key of another partition", A, ExclusiveStartKey={"pk": "b", "sk": Decimal(1)}),
    asked("from half a key", A, ExclusiveStartKey={"pk": "a"}),
    asked("from a key of another type", A, ExclusiveStartKey={"pk": "a", "sk": "3"}),
    asked("from a key outside of the condition", A & Key("sk").gt(5), ExclusiveStartKey=LAST),
    asked("from nothing", A, ExclusiveStartKey={}),
    asked("from None", A, ExclusiveStartKey=None),
    asked("a filter", A, FilterExpression=Attr("rank").gt(80) & Attr("city").not_exists()),
    asked("a filter on a key", A, FilterExpression=Attr("sk").gt(1)),
    asked(
        "a filter as text",
        A,
        FilterExpression="rank BETWEEN :x AND :y",
        ExpressionAttributeValues={":x": 50, ":y": 99},
    ),
    asked("a filter that is wrong", A, FilterExpression="rank ="),
    asked("consistent", A, ConsistentRead=True),
    asked("a projection", A, ProjectionExpression="sk, kind", Limit=2),
    asked(
        "a projection by names",
        A,
        ProjectionExpression="#o",
        ExpressionAttributeNames={"#o": "owner"},
    ),
    asked("a count", A, Select="COUNT"),
    asked("a count with a filter", A, Select="COUNT", FilterExpression=Attr("kind").eq("odd")),
    asked("all attributes", A, Select="ALL_ATTRIBUTES", Limit=1),
    asked("specific attributes without any", A, Select="SPECIFIC_ATTRIBUTES"),
    asked("specific attributes", A, Select="SPECIFIC_ATTRIBUTES", ProjectionExpression="sk"),
    asked("a count with a projection", A, Select="COUNT", ProjectionExpression="sk"),
    asked("a selection that is none", A, Select="SOME"),
    asked("as text", "pk = :p AND sk > :s", ExpressionAttributeValues={":p": "a", ":s": 6}),
    asked(
        "as text in brackets",
        "(pk = :p) and (sk between :s and :t)",
        ExpressionAttributeValues={":p": "a", ":s": 6, ":t": 7},
    ),
    asked(
        "as text by names",
        "#p = :p",
        ExpressionAttributeNames={"#p": "pk"},
        ExpressionAttributeValues={":p": "b"},
    ),
    asked("a value that nobody gave", "pk = :p"),
    asked("a value that nobody uses", "pk = :p", ExpressionAttributeValues={":p": "a", ":q": 1}),
    asked("sort key first", "sk = :s AND pk = :p", ExpressionAttributeValues={":p": "a", ":s": 3}),
    asked("a local index", A, IndexName="by_rank"),
    asked("a local index in part", A & Key("rank").gt(90), IndexName="by_rank"),
    asked("a local index, consistent", A, IndexName="by_rank", ConsistentRead=True, Limit=2),
    asked("pages of a local index", A, IndexName="by_rank", Limit=3, walk=True),
    asked("a global index", Key("owner").eq("ann"), IndexName="by_owner"),
    asked(
        "a global index in part",
        Key("owner").eq("ann") & Key("at").between(10, 50),
        IndexName="by_owner",
    ),
    asked(
        "a global index backwards",
        Key("owner").eq("bob"),
        IndexName="by_owner",
        ScanIndexForward=False,
    ),
    asked(
        "pages of a global index", Key("owner").eq("ann"), IndexName="by_owner", Limit=3, walk=True
    ),
    asked(
        "a global index, consistent",
        Key("owner").eq("ann"),
        IndexName="by_owner",
        ConsistentRead=True,
    ),
    asked("an index of keys only", Key("city").eq("c1"), IndexName="by_city"),
    asked(
        "all of an index of keys only",
        Key("city").eq("c1"),
        IndexName="by_city",
        Select="ALL_ATTRIBUTES",
    ),
    asked(
        "what an index holds",
        Key("city").eq("c0"),
        IndexName="by_city",
        Select="ALL_PROJECTED_ATTRIBUTES",
    ),
    asked("what an index holds, without one", A, Select="ALL_PROJECTED_ATTRIBUTES"),
    asked("an index that is none", A, IndexName="by_none"),
    asked("another key than the index's", A, IndexName="by_owner"),
    words("begins with", Key("pk").eq("w") & Key("sk").begins_with("ab")),
    words("begins with one character", Key("pk").eq("w") & Key("sk").begins_with("a")),
    words("begins with nothing", Key("pk").eq("w") & Key("sk").begins_with("")),
    words("the order of bytes", Key("pk").eq("w")),
    words("the order of bytes turned round", Key("pk").eq("w"), ScanIndexForward=False),
    words("between", Key("pk").eq("w") & Key("sk").between("ab", "z")),
    words("greater", Key("pk").eq("w") & Key("sk").gt("b")),
    Case("query: no condition", "query", {}, ROWS, "sorted"),
    Case(
        "query: both kinds of condition",
        "query",
        {"KeyConditionExpression": A, "KeyConditions": {}},
        ROWS,
        "sorted",
    ),
    Case(
        "query: a table without a sort key",
        "query",
        {"KeyConditionExpression": Key("pk").eq("x")},
        [{"pk": "x", "n": 1}, {"pk": "y"}],
    ),
    client(
        "query: by the client",
        "query",
        {
            "KeyConditionExpression": "pk = :p AND sk < :s",
            "ExpressionAttributeValues": {":p": {"S": "a"}, ":s": {"N": "1.0"}},
            "Limit": 2,
        },
        items=ROWS,
        table="sorted",
    ),
    client(
        "query: pages by the client",
        "query",
        {
            "KeyConditionExpression": "pk = :p",
            "ExpressionAttributeValues": {":p": {"S": "a"}},
            "Limit": 2,
        },
        items=ROWS,
        table="sorted",
        walk=True,
    ),
    client(
        "query: boto3's condition by the client",
        "query",
        {"KeyConditionExpression": A},
        table="sorted",
    ),
)
