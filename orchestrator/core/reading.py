"""Small readers of JSON values: each takes what came in and gives what it must be, or raises.

TypeError and ValueError say what is wrong with the value; the caller knows the field.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from orchestrator.core.model import NOTHING, Json

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class Corrupt(ValueError):
    """The document cannot be read; the text says where."""


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
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return at.astimezone(UTC)


def mapping(value: object) -> Json:
    """The value if it is an object, else nothing."""
    return value if isinstance(value, dict) else NOTHING


def strict(value: object) -> Json:
    """The value, which must be an object."""
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is not an object")
    return value


def sequence(value: object) -> list[object]:
    """The value, which must be an array."""
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not an array")
    return value


def text(value: object) -> str:
    """The value, which must be a string."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def texts(value: object) -> tuple[str, ...]:
    """The value, which must be an array of strings."""
    return tuple(text(item) for item in sequence(value))


def member(value: object, kind: type[E]) -> E:
    """The value as a member of this enumeration. Raises UnknownWord for a text that is none."""
    given = text(value)
    try:
        return kind(given)
    except ValueError as error:
        known = ", ".join(kind)
        raise UnknownWord(f"{given!r} is not known to this version ({known})") from error


def count(value: object) -> int:
    """The value, which must be a whole number of at least 0."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is not a whole number of at least 0")
    return value


def number(value: object) -> float:
    """The value, which must be a finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a number")
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not finite")
    return float(value)


def no_constant(name: str) -> object:
    """Refuse what JSON does not know: NaN and the infinities."""
    raise ValueError(f"{name} is not JSON")


def maybe(value: object, convert: Callable[[object], T]) -> T | None:
    """The value converted, or None for none."""
    return None if value is None else convert(value)
