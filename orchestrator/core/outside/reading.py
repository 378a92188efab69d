"""Small readers of JSON values: each takes what came in and gives what it must be, or raises.

TypeError and ValueError say what is wrong with the value; the caller knows the field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from orchestrator.core.model import NOTHING, Json
from orchestrator.core.outside.limits import DEEPEST, DIGITS, TOLD, VALUES
from orchestrator.core.outside.shown import quoted, short

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class Corrupt(ValueError):
    """The document cannot be read; the text says where.

    The text may quote the document: it is short, and hides nothing.
    """

    def __init__(self, text: str) -> None:
        super().__init__(short(text, TOLD))


class NewerSchema(Corrupt):
    """The document was written by a newer version."""


class UnknownWord(NewerSchema):
    """A field has a word that this version does not know: a newer version's, or a slip by hand."""


class Contradiction(Corrupt):
    """The document can be read, and two of its fields cannot both be true."""


def stamped(at: datetime | None) -> str | None:
    """The time as the document writes it, or None."""
    return None if at is None else stamp_time(at)


def stamp_time(at: datetime) -> str:
    """A time as the document writes it: UTC, ISO 8601, `Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_time(value: object) -> datetime:
    """The inverse of `stamp_time`. Raises ValueError on anything but an aware time."""
    if not isinstance(value, str):
        raise ValueError(f"{quoted(value)} is no time")
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{quoted(value)} is no time") from error
    if at.tzinfo is None:
        raise ValueError(f"{quoted(value)} has no time zone")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{quoted(value)} lies beyond the calendar") from error


def mapping(value: object) -> Json:
    """The value if it is an object, else nothing."""
    return value if isinstance(value, dict) else NOTHING


def strict(value: object) -> Json:
    """The value, which must be an object."""
    if not isinstance(value, dict):
        raise TypeError(f"{quoted(value)} is not an object")
    return value


def sequence(value: object) -> list[object]:
    """The value, which must be an array."""
    if not isinstance(value, list):
        raise TypeError(f"{quoted(value)} is not an array")
    return value


def text(value: object) -> str:
    """The value, which must be a string."""
    if not isinstance(value, str):
        raise TypeError(f"{quoted(value)} is not a string")
    return value


def texts(value: object) -> tuple[str, ...]:
    """The value, which must be an array of strings."""
    items = sequence(value)
    return tuple([text(item) for item in items]) if items else ()


def member(value: object, kind: type[E]) -> E:
    """The value as a member of this enumeration. Raises UnknownWord for any other text."""
    given = text(value)
    try:
        return kind(given)
    except ValueError as error:
        known = ", ".join(kind)
        raise UnknownWord(f"{quoted(given)} is not known to this version ({known})") from error


def count(value: object) -> int:
    """The value, which must be a whole number of at least 0."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{quoted(value)} is not a whole number of at least 0")
    return value


def number(value: object) -> float:
    """The value, which must be a finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{quoted(value)} is not a number")
    if not math.isfinite(value):
        raise ValueError(f"{quoted(value)} is not finite")
    return float(value)


def read_json(data: bytes | str, longest: int) -> object:
    """The JSON value that this is, bounded before it is read. Raises ValueError, saying why not.

    longest: bytes, or characters of a text. Refused as well: more values than any of ours has,
    nesting deeper than that, NaN, infinities, and numbers so large that they would become one. What
    is read can be written again, and is read the same then.
    """
    if len(data) > longest:
        raise ValueError(f"it has {len(data)} bytes, more than {longest}")
    opened, commas = _opened(data)
    if opened + commas > VALUES:
        raise ValueError(f"it has more than {VALUES} values")
    try:
        value = json.loads(data, parse_constant=no_constant, parse_float=finite, parse_int=whole)
    except RecursionError as error:
        raise ValueError(f"it is nested deeper than {DEEPEST}") from error
    if opened > DEEPEST and is_deeper(value, DEEPEST):
        raise ValueError(f"it is nested deeper than {DEEPEST}")
    return value


def _opened(data: bytes | str) -> tuple[int, int]:
    """How many brackets there are, and how many commas: no fewer than it has values."""
    if isinstance(data, bytes):
        return data.count(b"[") + data.count(b"{"), data.count(b",")
    return data.count("[") + data.count("{"), data.count(",")


def is_deeper(value: object, limit: int) -> bool:
    """Whether the value is nested deeper than the limit, without recursion."""
    level = [value]
    for _ in range(limit + 1):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below += [one for one in item.values() if isinstance(one, dict | list)]
            elif isinstance(item, list):
                below += [one for one in item if isinstance(one, dict | list)]
        if not below:
            return False
        level = below
    return True


def no_constant(name: str) -> object:
    """Refuse what JSON does not know: NaN and the infinities."""
    raise ValueError(f"{name} is not JSON")


def whole(digits: str) -> int:
    """The number, unless it has more digits than any number that can be calculated with."""
    if len(digits) > DIGITS:
        raise ValueError(f"{digits[:40]}... has {len(digits)} digits")
    return int(digits)


def finite(digits: str) -> float:
    """The number, unless it is so large that it would be read as an infinity."""
    found = float(digits)
    if math.isinf(found):
        raise ValueError(f"{digits[:40]} is larger than any number")
    return found


def maybe(value: object, convert: Callable[[object], T]) -> T | None:
    """The value converted, or None for none."""
    return None if value is None else convert(value)
