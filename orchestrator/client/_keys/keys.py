"""The keys that a request is about. PURE: from its arguments in DynamoDB's own form.

An item that is put does not say which of its attributes are the key, and a query does not say which
of its conditions is the partition key's. So the names of a table's key are asked for: the partition
key first, then the sort key if there is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

Names = Callable[[str], Sequence[str]]
"""The names of a table's key."""

Arguments = Mapping[str, Any]

_EQUAL = re.compile(
    r"(?P<name>#\w+|\b[A-Za-z_]\w*)\s*=\s*(?P<given>:\w+)"
    r"|(?P<given_first>:\w+)\s*=\s*(?P<name_last>#\w+|[A-Za-z_]\w*)",
    re.ASCII,
)


class Keyless(ValueError):
    """The request does not say a key where there must be one."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """One key of a request. place: where it stands, in a batch: its number within its table."""

    table: str
    key: Arguments
    place: int = 0


def keys_of(operation: str, given: Arguments, names: Names) -> Iterator[Keyed]:
    """Every key that the request is about; none of a scan and of what is not of items.

    Raises Keyless, and whatever `names` raises.
    """
    match operation:
        case "put_item":
            yield _put(given, names)
        case "get_item" | "update_item" | "delete_item":
            yield Keyed(_table(given), given.get("Key") or {})
        case "query":
            yield _queried(given, names)
        case "batch_get_item":
            yield from _wanted(given)
        case "batch_write_item":
            yield from _all_written(given, names)
        case "transact_get_items" | "transact_write_items":
            yield from _together(given, names)


def plain(key: Arguments) -> dict[str, Any]:
    """The key with Python's values, as boto3's Table has them."""
    return {name: _value(value) for name, value in key.items()}


def _value(value: Any) -> Any:
    match value:
        case {"N": str(number)}:
            try:
                return Decimal(number)
            except InvalidOperation:
                return number
        case {"S": inner} | {"B": inner}:
            return inner
    return value


def _table(given: Arguments) -> str:
    return str(given.get("TableName", ""))


def _tables(given: Arguments) -> Iterator[tuple[str, Any]]:
    yield from (given.get("RequestItems") or {}).items()


def _put(given: Arguments, names: Names, place: int = 0) -> Keyed:
    table, item = _table(given), given.get("Item") or {}
    wanted = names(table)
    if missing := [name for name in wanted if name not in item]:
        raise Keyless(f"an item for table {table!a} has no {' and no '.join(missing)}: its key")
    return Keyed(table, {name: item[name] for name in wanted}, place)


def _wanted(given: Arguments) -> Iterator[Keyed]:
    for table, wanted in _tables(given):
        for place, key in enumerate(wanted.get("Keys") or ()):
            yield Keyed(table, key, place)


def _all_written(given: Arguments, names: Names) -> Iterator[Keyed]:
    for table, requests in _tables(given):
        for place, one in enumerate(requests):
            yield _written(table, one, place, names)


def _together(given: Arguments, names: Names) -> Iterator[Keyed]:
    for action in given.get("TransactItems") or ():
        for kind, one in action.items():
            yield _put(one, names) if kind == "Put" else Keyed(_table(one), one["Key"])


def _written(table: str, request: Arguments, place: int, names: Names) -> Keyed:
    if put := request.get("PutRequest"):
        return _put({"TableName": table, **put}, names, place)
    return Keyed(table, (request.get("DeleteRequest") or {}).get("Key") or {}, place)


def _queried(given: Arguments, names: Names) -> Keyed:
    table = _table(given)
    name = names(table)[0]
    value = _condition(given, name) or _expression(given, name)
    if value is None:
        raise Keyless(
            f"no condition of the query says what {name} is, the partition key of {table!a}"
        )
    return Keyed(table, {name: value})


def _condition(given: Arguments, name: str) -> Any:
    """From the older form, `KeyConditions`."""
    condition = (given.get("KeyConditions") or {}).get(name) or {}
    values = condition.get("AttributeValueList") or ()
    return values[0] if condition.get("ComparisonOperator") == "EQ" and values else None


def _expression(given: Arguments, name: str) -> Any:
    names = given.get("ExpressionAttributeNames") or {}
    values = given.get("ExpressionAttributeValues") or {}
    for found in _EQUAL.finditer(str(given.get("KeyConditionExpression") or "")):
        attribute = found["name"] or found["name_last"]
        if names.get(attribute, attribute) == name:
            return values.get(found["given"] or found["given_first"])
    return None
