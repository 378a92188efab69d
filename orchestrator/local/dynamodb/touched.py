"""Which items of the table a successful request to DynamoDB has written, read from its body.

PURE. Only the table `checkout` is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, TypeAlias

from orchestrator.local.rpc.wire import JsonObject

TABLE, KEY = "checkout", "pk"
"""The table and its partition key, as in terraform/examples/dynamodb-global-table."""


class _Read(Enum):
    READ = "read"


READ: Literal[_Read.READ] = _Read.READ
"""In the place of an item: the request does not say what it is now; it has to be read."""

Touched: TypeAlias = tuple[str, JsonObject | Literal[_Read.READ] | None]
"""A key, and its item after the request; None: it was deleted."""


def touched(operation: str, body: bytes) -> list[Touched]:
    """What a request has written. The body is one that DynamoDB has accepted."""
    match operation:
        case "PutItem" | "UpdateItem" | "DeleteItem":
            return list(_one(operation, json.loads(body)))
        case "BatchWriteItem":
            return list(_batch(json.loads(body)))
        case "TransactWriteItems":
            return list(_transaction(json.loads(body)))
        case _:
            return []


def _one(operation: str, request: Any) -> Iterator[Touched]:
    if request["TableName"] != TABLE:
        return
    match operation:
        case "PutItem":
            yield request["Item"][KEY]["S"], request["Item"]
        case "UpdateItem":
            yield request["Key"][KEY]["S"], READ
        case _:
            yield request["Key"][KEY]["S"], None


def _batch(request: Any) -> Iterator[Touched]:
    for write in request["RequestItems"].get(TABLE, ()):
        if put := write.get("PutRequest"):
            yield put["Item"][KEY]["S"], put["Item"]
        else:
            yield write["DeleteRequest"]["Key"][KEY]["S"], None


def _transaction(request: Any) -> Iterator[Touched]:
    names = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}
    for action in request["TransactItems"]:
        for name, part in action.items():
            if name in names:  # else it is a condition
                yield from _one(names[name], part)
