"""Whether two requests are the same one, so that the fault of one item is not taken for a region's.

PURE. What a request is about decides: the operation, the table, and the key where there is one. So
an item that cannot be updated is one request, whatever it is to be set to. A put tells no key apart
from other attributes: there the whole item counts, and so does all of a query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TRANSIENT = frozenset({"ClientRequestToken", "ReturnConsumedCapacity", "ReturnValues"})
"""Arguments that make no other request."""


def number_of(operation: str, kwargs: Mapping[str, Any]) -> int:
    """The same number for the same request, in this process."""
    if "Key" in kwargs:
        return hash((operation, _form(kwargs.get("TableName")), _form(kwargs["Key"])))
    about = {name: value for name, value in kwargs.items() if name not in TRANSIENT}
    return hash((operation, _form(about)))


def _form(value: Any) -> Any:
    """The value in a form that can be hashed. Condition objects of boto3 are what they say."""
    if isinstance(value, Mapping):
        return tuple((name, _form(value[name])) for name in sorted(value, key=str))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return tuple(_form(one) for one in value)
    if isinstance(value, set | frozenset):
        return tuple(sorted(repr(one) for one in value))
    if hasattr(value, "get_expression"):
        return _form(value.get_expression())
    if hasattr(value, "name"):
        return str(value.name)
    return repr(value)
