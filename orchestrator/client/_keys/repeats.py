"""Which writes may be sent again although an earlier attempt may have been executed. PURE.

A repeat is safe if the first attempt, once executed, makes the repeat's own condition false. Then
the repeat does nothing, whatever other clients wrote in between, unless they gave the attribute of
the condition its old value back. That last case (A-B-A) cannot be seen from a request. It is named
in `docs/consistency.md`.

So this is a white list. A write is on it if all of this holds:

    put      it has a condition, and the condition is false for the item that is put
    update   its expression is one SET, and each right-hand side is a placeholder. It has a
             condition, and the condition is false for the values that are set
    delete   never: an item that another client creates again often looks like the deleted one

"False" must be certain from the request alone. For each attribute the request says one of three
things: its new value, that it exists no longer, or nothing. A put says something of every attribute
of the item. An update says something of the paths that it sets, and of the key, which exists after
it. From that a condition is false if

    attribute_not_exists(a)    a exists afterwards
    attribute_exists(a)        a does not exist afterwards
    a = :v                     a's new value is another one, or a does not exist afterwards
    a <> :v                    a's new value is :v
    a < :v, a > :v             a's new value is :v, or the numbers say so (also <=, >=)
    x AND y                    one of them is false
    x OR y                     both are false

A condition with anything else in it (NOT, BETWEEN, IN, other functions, list indexes, a placeholder
that nothing is given for, whatever cannot be parsed) is not on the list. Values are compared as
written in the request, as Python values or in DynamoDB's own form, to the same result. One
number in two notations decides nothing, and neither does what is no scalar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum, auto
from functools import lru_cache
from typing import Any

DEEPEST = 32
"""Levels of parentheses that are read; what is deeper is not on the white list."""

_TOKEN = re.compile(
    r"\s*(?:(?P<value>:\w+)|(?P<name>#\w+|[A-Za-z_]\w*)|(?P<sign><>|<=|>=|[=<>(),.])|(?P<end>\Z))",
    re.ASCII,
)
_FLIPPED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_EXISTENCE = ("attribute_exists", "attribute_not_exists")

Path = tuple[str, ...]


class _Unread(ValueError):
    """The expression is not of the part of the language that is read here."""


@dataclass(frozen=True, slots=True)
class _Value:
    """A placeholder by its name, or a value that stands in a condition object itself."""

    name: str = ""
    literal: Any = None


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A comparison of a path with a value, or the question whether the path exists."""

    operator: str
    path: Path
    value: _Value | None = None


@dataclass(frozen=True, slots=True)
class _Node:
    """AND or OR of two conditions."""

    operator: str
    parts: tuple[_Condition, ...]


_Condition = _Leaf | _Node


class _Said(Enum):
    """What is said of an attribute whose new value is not said.

    UNKNOWN: nothing. GONE: it does not exist afterwards. SOME: it exists, with whatever value.
    """

    UNKNOWN = auto()
    GONE = auto()
    SOME = auto()


def repeatable(kind: str, kwargs: Mapping[str, Any]) -> bool:
    """Whether one write may be sent again after an unknown outcome.

    kind: `Put`, `Delete`, `Update` or `ConditionCheck`, which changes nothing.
    """
    if kind == "ConditionCheck":
        return True
    condition = kwargs.get("ConditionExpression")
    if not condition or kind not in ("Put", "Update"):
        return False
    try:
        after = _after_put(kwargs) if kind == "Put" else _after_update(kwargs)
        return _is_false(_condition(condition), after)
    except _Unread:
        return False


def all_repeatable(kwargs: Mapping[str, Any]) -> bool:
    """Whether a transaction may be: it writes something, and every write of it may be."""
    writes = [one for item in kwargs.get("TransactItems", ()) for one in item.items()]
    return any(kind != "ConditionCheck" for kind, _ in writes) and all(
        repeatable(kind, one) for kind, one in writes
    )


# --- what is there after the write


@dataclass(frozen=True, slots=True)
class _After:
    """What the request says of attributes after it was executed.

    said: by path. whole: of every other top-level attribute it says that it is gone.
    """

    said: Mapping[Path, Any]
    whole: bool
    names: Mapping[str, str]
    values: Mapping[str, Any]

    def at(self, path: Path) -> Any:
        """The new value, or what else is said."""
        real = _real(path, self.names)
        other = _Said.GONE if self.whole and len(real) == 1 else _Said.UNKNOWN
        return self.said.get(real, other)

    def value(self, value: _Value) -> Any:
        """What the placeholder stands for."""
        if not value.name:
            return value.literal
        return _at(self.values, value.name)


def _after_put(kwargs: Mapping[str, Any]) -> _After:
    item = kwargs.get("Item") or {}
    return _After({(name,): value for name, value in item.items()}, True, *_given(kwargs))


def _after_update(kwargs: Mapping[str, Any]) -> _After:
    names, values = _given(kwargs)
    key: dict[Path, Any] = {(name,): _Said.SOME for name in kwargs.get("Key") or {}}
    sets = _sets(str(kwargs.get("UpdateExpression") or ""))
    said = {_real(path, names): _at(values, value) for path, value in sets}
    return _After(key | said, False, names, values)


def _given(kwargs: Mapping[str, Any]) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    return (
        kwargs.get("ExpressionAttributeNames") or {},
        kwargs.get("ExpressionAttributeValues") or {},
    )


def _real(path: Path, names: Mapping[str, str]) -> Path:
    return tuple(_at(names, part) if part.startswith("#") else part for part in path)


def _at(given: Mapping[str, Any], placeholder: str) -> Any:
    if placeholder not in given:
        raise _Unread(f"nothing is given for {placeholder}")
    return given[placeholder]


# --- whether the condition is false then


def _is_false(condition: _Condition, after: _After) -> bool:
    match condition:
        case _Node("AND", parts):
            return any(_is_false(part, after) for part in parts)
        case _Node(_, parts):
            return all(_is_false(part, after) for part in parts)
        case _Leaf("attribute_not_exists", path):
            new = after.at(path)
            return new is not _Said.UNKNOWN and new is not _Said.GONE
        case _Leaf("attribute_exists", path):
            return after.at(path) is _Said.GONE
        case _Leaf(operator, path, value):
            return value is not None and _fails(after.at(path), operator, after.value(value))


def _fails(new: Any, operator: str, wanted: Any) -> bool:
    """Whether `new operator wanted` is false for certain."""
    if isinstance(new, _Said):
        return new is _Said.GONE and operator != "<>"
    ours, theirs = _scalar(new), _scalar(wanted)
    if ours is None or theirs is None or isinstance(new, Mapping) != isinstance(wanted, Mapping):
        return new is wanted and operator in ("<>", "<", ">")
    if ours == theirs and str(new) != str(wanted):
        return False  # one number in two notations; or two of Python's maps, which differ
    if operator in ("=", "<>"):
        return (ours != theirs) == (operator == "=")
    return _order_fails(ours, operator, theirs)


def _order_fails(ours: tuple[str, Any], operator: str, theirs: tuple[str, Any]) -> bool:
    if ours == theirs:
        return operator in ("<", ">")
    if ours[0] != "N" or theirs[0] != "N":
        return False
    return bool(ours[1] > theirs[1]) if operator in ("<", "<=") else bool(ours[1] < theirs[1])


def _scalar(value: Any) -> tuple[str, Any] | None:
    """The value with its type, in one form for Python's and DynamoDB's; None if it is no scalar."""
    match value:
        case bool():
            return ("BOOL", value)
        case int() | Decimal():
            return _number(value)
        case str():
            return ("S", value)
        case bytes() | bytearray():
            return ("B", bytes(value))
    if isinstance(value, Mapping) and len(value) == 1:
        ((tag, inner),) = value.items()
        return _tagged(tag, inner)
    return None


def _tagged(tag: object, inner: object) -> tuple[str, Any] | None:
    """The value in DynamoDB's own form; a map of Python's with one text may look the same."""
    match tag, inner:
        case "N", str():
            return _number(inner)
        case ("S", str()) | ("B", bytes()) | ("BOOL", bool()):
            return (str(tag), inner)
    return None


def _number(value: int | str | Decimal) -> tuple[str, Any] | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return ("N", number) if number.is_finite() else None


# --- the language


@lru_cache(maxsize=512)
def _sets(expression: str) -> tuple[tuple[Path, str], ...]:
    """The paths that `SET a = :a, b = :b` sets, each with its placeholder. Raises _Unread."""
    tokens = _Tokens(expression)
    tokens.word("SET")
    found = [_set(tokens)]
    while tokens.take(","):
        found.append(_set(tokens))
    tokens.end()
    return tuple(found)


def _set(tokens: _Tokens) -> tuple[Path, str]:
    path = _path(tokens)
    if not tokens.take("="):
        raise _Unread("no = after a path")
    return path, tokens.placeholder()


def _condition(condition: Any) -> _Condition:
    """The condition, from an expression or one of boto3's condition objects. Raises _Unread."""
    return _parsed(condition) if isinstance(condition, str) else _built(condition, DEEPEST)


@lru_cache(maxsize=512)
def _parsed(expression: str) -> _Condition:
    tokens = _Tokens(expression)
    found = _either(tokens, DEEPEST)
    tokens.end()
    return found


def _either(tokens: _Tokens, depth: int) -> _Condition:
    parts = [_both(tokens, depth)]
    while tokens.keyword("OR"):
        parts.append(_both(tokens, depth))
    return _Node("OR", tuple(parts)) if len(parts) > 1 else parts[0]


def _both(tokens: _Tokens, depth: int) -> _Condition:
    parts = [_one(tokens, depth)]
    while tokens.keyword("AND"):
        parts.append(_one(tokens, depth))
    return _Node("AND", tuple(parts)) if len(parts) > 1 else parts[0]


def _one(tokens: _Tokens, depth: int) -> _Condition:
    if depth == 0:
        raise _Unread("too deep")
    if tokens.take("("):
        found = _either(tokens, depth - 1)
        tokens.close()
        return found
    if tokens.at_value():
        return _compared_from_the_right(tokens)
    path = _path(tokens)
    return _called(tokens, path) if tokens.take("(") else _compared(tokens, path)


def _called(tokens: _Tokens, function: Path) -> _Condition:
    """After `function(`."""
    if len(function) != 1 or function[0] not in _EXISTENCE:
        raise _Unread(f"{'.'.join(function)} is a function that is not read")
    path = _path(tokens)
    tokens.close()
    return _Leaf(function[0], path)


def _compared(tokens: _Tokens, path: Path) -> _Condition:
    operator = tokens.comparison()
    return _Leaf(operator, path, _Value(tokens.placeholder()))


def _compared_from_the_right(tokens: _Tokens) -> _Condition:
    value = _Value(tokens.placeholder())
    operator = tokens.comparison()
    return _Leaf(_FLIPPED[operator], _path(tokens), value)


def _path(tokens: _Tokens) -> Path:
    parts = [tokens.name()]
    while tokens.take("."):
        parts.append(tokens.name())
    return tuple(parts)


class _Tokens:
    """The tokens of an expression, one after the other. Raises _Unread for anything else."""

    def __init__(self, expression: str) -> None:
        self._all = tuple(_tokens(expression))
        self._next = 0

    def take(self, sign: str) -> bool:
        """Go past this sign if it comes now."""
        return self._past("sign", sign)

    def keyword(self, word: str) -> bool:
        """Go past this word if it comes now, in capitals or not."""
        kind, text = self._all[self._next]
        return self._past(kind, text) if kind == "name" and text.upper() == word else False

    def word(self, word: str) -> None:
        """Go past this word."""
        if not self.keyword(word):
            raise _Unread(f"no {word}")

    def close(self) -> None:
        """Go past a closing parenthesis."""
        if not self.take(")"):
            raise _Unread("no closing parenthesis")

    def at_value(self) -> bool:
        """Whether a placeholder for a value comes now."""
        return self._all[self._next][0] == "value"

    def placeholder(self) -> str:
        """The placeholder for a value that comes now."""
        return self._of("value")

    def name(self) -> str:
        """The name that comes now."""
        return self._of("name")

    def comparison(self) -> str:
        """The comparison that comes now."""
        sign = self._of("sign")
        if sign not in _FLIPPED:
            raise _Unread(f"{sign} is no comparison")
        return sign

    def end(self) -> None:
        """Nothing comes now."""
        self._of("end")

    def _of(self, wanted: str) -> str:
        kind, text = self._all[self._next]
        if kind != wanted:
            raise _Unread(f"{text!r} is no {wanted}")
        self._next += kind != "end"
        return text

    def _past(self, kind: str, text: str) -> bool:
        here = self._all[self._next] == (kind, text)
        self._next += here
        return here


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    at = 0
    while True:
        found = _TOKEN.match(expression, at)
        if found is None:
            raise _Unread(f"not read from character {at}")
        kind = str(found.lastgroup)
        yield kind, found[kind]
        if kind == "end":
            return
        at = found.end()


# --- boto3's condition objects, known by their methods so that boto3 is not imported for them


def _built(condition: Any, depth: int) -> _Condition:
    if depth == 0 or not hasattr(condition, "get_expression"):
        raise _Unread("no condition, or too deep")
    found = condition.get_expression()
    operator, parts = found["operator"], found["values"]
    if operator in ("AND", "OR"):
        return _Node(operator, tuple(_built(part, depth - 1) for part in parts))
    if operator in _EXISTENCE:
        return _Leaf(operator, _named(parts))
    if operator in _FLIPPED and not hasattr(parts[1], "get_expression"):
        return _Leaf(operator, _named(parts), _Value(literal=parts[1]))
    raise _Unread(f"{operator} is not read")


def _named(parts: Sequence[Any]) -> Path:
    """The path of an attribute object. boto3 takes dots in it for steps, as in an expression."""
    name = getattr(parts[0], "name", None)
    if hasattr(parts[0], "get_expression"):
        raise _Unread("the size of an attribute, or another condition")
    if not isinstance(name, str) or "[" in name or "#" in name:
        raise _Unread("no plain attribute")
    return tuple(name.split("."))
