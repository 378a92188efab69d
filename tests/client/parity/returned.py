"""What a call is asked to return: old values, capacity, metrics."""

from __future__ import annotations

from typing import Any

from tests.client.parity.case import Case

OLD = ({"pk": "a", "n": 1, "v": {"deep": [1, {2, 3}]}},)
SORTED = ({"pk": "a", "sk": 1, "owner": "o", "at": 1, "city": "c"},)
SET: dict[str, Any] = {
    "UpdateExpression": "SET n = :n",
    "ExpressionAttributeValues": {":n": 2},
}


def cost(call: str, what: str, **given: Any) -> Case:
    """A call that tells what it costs."""
    full = {"ReturnConsumedCapacity": what, **given}
    return Case(f"capacity: {what} of {call}", call, full, SORTED, "sorted")


CASES = (
    *(
        Case(
            f"returns of a put: {what}",
            "put_item",
            {"Item": {"pk": "a", "n": 2}, "ReturnValues": what},
            OLD,
        )
        for what in ("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "none")
    ),
    *(
        Case(
            f"returns of a delete: {what}",
            "delete_item",
            {"Key": {"pk": "a"}, "ReturnValues": what},
            OLD,
        )
        for what in ("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_NEW")
    ),
    Case(
        "returns of a put of something new",
        "put_item",
        {"Item": {"pk": "x"}, "ReturnValues": "ALL_OLD"},
        OLD,
    ),
    Case(
        "returns of a delete of nothing",
        "delete_item",
        {"Key": {"pk": "x"}, "ReturnValues": "ALL_OLD"},
        OLD,
    ),
    *(
        Case(
            f"returns of an update of nothing: {what}",
            "update_item",
            {"Key": {"pk": "x"}, **SET, "ReturnValues": what},
            OLD,
        )
        for what in ("ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW")
    ),
    *(
        one
        for what in ("TOTAL", "INDEXES", "NONE")
        for one in (
            cost("get_item", what, Key={"pk": "a", "sk": 1}),
            cost("put_item", what, Item={"pk": "a", "sk": 1, "owner": "p", "at": 2}),
            cost("update_item", what, Key={"pk": "a", "sk": 1}, **SET),
            cost("delete_item", what, Key={"pk": "a", "sk": 1}),
            cost(
                "query",
                what,
                KeyConditionExpression="pk = :p",
                ExpressionAttributeValues={":p": "a"},
            ),
            cost("scan", what),
        )
    ),
    cost("get_item", "ALL", Key={"pk": "a", "sk": 1}),
    Case(
        "capacity of a consistent read",
        "get_item",
        {"Key": {"pk": "a", "sk": 1}, "ReturnConsumedCapacity": "TOTAL", "ConsistentRead": True},
        SORTED,
        "sorted",
    ),
    Case(
        "capacity of no item", "get_item", {"Key": {"pk": "z"}, "ReturnConsumedCapacity": "TOTAL"}
    ),
    Case(
        "capacity of a large item",
        "get_item",
        {"Key": {"pk": "z"}, "ReturnConsumedCapacity": "TOTAL"},
        [{"pk": "z", "v": "x" * 20_000}],
    ),
    Case(
        "metrics of a put",
        "put_item",
        {"Item": {"pk": "a", "sk": 2}, "ReturnItemCollectionMetrics": "SIZE"},
        SORTED,
        "sorted",
    ),
    Case(
        "metrics of a put without a local index",
        "put_item",
        {"Item": {"pk": "a"}, "ReturnItemCollectionMetrics": "SIZE"},
    ),
)
