"""The tables that the cases are about. Nobody changes their schemas."""

from __future__ import annotations

from typing import Any


def _keys(**types: str) -> dict[str, Any]:
    kinds = zip(types, ("HASH", "RANGE"), strict=False)
    return {"KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in kinds]}


def _attributes(**types: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]


def _table(**types: str) -> dict[str, Any]:
    return {**_keys(**types), "AttributeDefinitions": _attributes(**types)}


def _index(name: str, projection: str, **types: str) -> dict[str, Any]:
    return {"IndexName": name, **_keys(**types), "Projection": {"ProjectionType": projection}}


TABLES: dict[str, dict[str, Any]] = {
    "plain": _table(pk="S"),
    "second": _table(pk="S"),
    "words": _table(pk="S", sk="S"),
    "numbers": _table(pk="N"),
    "bytes": _table(pk="B", sk="B"),
    "sorted": {
        **_table(pk="S", sk="N"),
        "AttributeDefinitions": _attributes(pk="S", sk="N", rank="N", owner="S", at="N", city="S"),
        "LocalSecondaryIndexes": [_index("by_rank", "ALL", pk="S", rank="N")],
        "GlobalSecondaryIndexes": [
            _index("by_owner", "ALL", owner="S", at="N"),
            _index("by_city", "KEYS_ONLY", city="S"),
        ],
    },
}


def create(client: Any) -> None:
    """Make all of them, and wait until they serve."""
    for name, schema in TABLES.items():
        client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **schema)
    for name in TABLES:
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})


def key_of(table: str, item: dict[str, Any]) -> dict[str, Any]:
    """The item's key."""
    return {one["AttributeName"]: item[one["AttributeName"]] for one in TABLES[table]["KeySchema"]}
