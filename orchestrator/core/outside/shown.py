"""Text from outside, made visible: nothing in it moves a cursor, turns a line round or hides.

A reason, an id or an error's text may come from anybody who can publish a message or write an
object. A terminal obeys some characters (`ESC ] 0 ;` sets its title, `ESC [ 2 J` clears what stood
there), a log viewer breaks lines at others, and bidirectional controls show a text in another order
than it has. So such text is cleaned where it comes in, and once more where it is shown. Each hidden
character becomes its escape, as in `\\x1b` and `\\u202e`. A text that is clean is left as it is, so
cleaning twice is cleaning once. PURE.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite

QUOTED = 60
"""Characters of a value that an error quotes."""

HIDDEN = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"  # soft hyphen, joiners, fillers, ALM
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, marks, separators, bidi, invisible
    "\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"  # fillers, byte order mark, annotations
    "\ud800-\udfff"  # lone surrogates, which no UTF-8 can carry
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # format controls, tags
    "]"
)
"""Characters that are not seen, or change how others are seen."""

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def shown(text: str) -> str:
    """The text in one line, each hidden character as its escape."""
    return text.translate(_ESCAPES) if HIDDEN.search(text) else text


def short(text: str, longest: int) -> str:
    """The same in at most so many characters."""
    return shown(text[:longest])[:longest]


def one_line(text: str, longest: int) -> str:
    """A text that a person gave, its words with one blank between them, in at most so many."""
    return short(" ".join(text[: 2 * longest].split()), longest)


def quoted(value: object, longest: int = QUOTED) -> str:
    """A value of any type and size as an error quotes it: a text in quotes, a list by its kind."""
    match value:
        case str():
            return shown(repr(value[:longest]))
        case bool() | None | float():
            return repr(value)
        case int() if value.bit_length() > longest:
            return f"a number of {value.bit_length()} bits"
        case int():
            return repr(value)
        case list() | tuple():
            return f"a list of {len(value)}"
        case Mapping():
            return f"an object of {len(value)} fields"
        case _:
            return f"a {type(value).__name__}"


def visible(value: object) -> object:
    """A value of any depth whose texts are shown, as JSON can carry it everywhere.

    A number that JSON does not know, or whose digits cannot be written, becomes a text. Whatever
    JSON has no type for is shown by its own text.
    """
    match value:
        case str():
            return shown(value)
        case bool() | None:
            return value
        case int() | float():
            return _number(value)
        case Mapping():
            return {shown(str(name)): visible(one) for name, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [visible(one) for one in value]
        case _:
            return shown(str(value))


def _number(value: float) -> float | str:
    """The number; a text of it where JSON, or a reader that has only floats, has none like it."""
    if isinstance(value, int):
        return value if value.bit_length() < 1024 else quoted(value)  # noqa: PLR2004  # a float's
    return value if isfinite(value) else repr(value)


def _escape(code: int) -> str:
    if chr(code) in _SHORT:
        return _SHORT[chr(code)]
    if code < 0x100:  # noqa: PLR2004  # two digits
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004  # four digits


class _Escapes(dict[int, str]):
    """The escape of each hidden character, made when it is first met; others stay."""

    def __missing__(self, code: int) -> str:
        self[code] = _escape(code) if HIDDEN.match(chr(code)) else chr(code)
        return self[code]


_ESCAPES = _Escapes()
