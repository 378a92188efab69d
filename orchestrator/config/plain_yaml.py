"""YAML that every reader of the file reads alike; whatever they read differently is refused.

Two programs read `failover.yaml`: the function by PyYAML (YAML 1.1) and Terraform by `yamldecode`
(a mixture of 1.1 and 1.2). `010` is 8 for one and 10 for the other, `1e3` a text and a number, `y`
a text and true. A value that the two read differently is a failover that was planned for another
configuration than the one at work. So of unquoted scalars only those are read that mean the same in
both; aliases, merges, tags and directives are refused too. Everything is reported with its path and
what to write. Nothing here knows the file's fields.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from orchestrator.core.exceptions import BadConfig, Found, Problem
from orchestrator.core.outside.limits import PROBLEMS
from orchestrator.core.outside.secrets import masked
from orchestrator.core.outside.shown import short, shown

LONGEST = 256 * 1024
"""Bytes of a file that is read. A service takes about 2 KB."""

DEEPEST = 32
"""Nesting of a file that is read; ours has eight levels."""

_UNREADABLE = (
    yaml.YAMLError,
    RecursionError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
)
"""What PyYAML raises for text that is not YAML, or holds an invalid date, number or tag."""

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where it was built
_RESOLVER: Any = yaml.resolver.Resolver()  # its stubs are untyped here
_TEXT = "tag:yaml.org,2002:str"

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
"""Numbers that mean the same to every reader."""

_WORDS = frozenset(
    ["true", "True", "TRUE", "false", "False", "FALSE", "null", "Null", "NULL", "~"]
) | {""}
"""Words, and nothing at all, that mean the same to every reader."""

_PERHAPS_A_NUMBER = re.compile(
    r"[-+]?([0-9_]+(\.[0-9_]*)?|\.[0-9_]+)([eEpP][-+]?[0-9_]+)?|[-+]?0[xXoObB][0-9a-fA-F_]+"
)
_PERHAPS_A_TIME = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?", re.DOTALL)
_TRUTHS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false"})
_PERHAPS_A_WORD = _TRUTHS | {"null", "~", ".inf", "+.inf", "-.inf", ".nan", "=", "<<"}

_MERGE = "<<"
_PLACEHOLDER = "${"
_TOO_DEEP = f"nested deeper than {DEEPEST} levels"
_WIDEST = 200
"""Characters of a line of the library's error that are shown."""

_SHOWN = 60
"""Characters of a scalar that are shown."""


class _TooDeep(yaml.YAMLError):
    """The text is nested deeper than any file of ours."""


class _UniqueKeys(_SafeLoader):  # type: ignore[misc]  # chosen at run time
    """YAML in which a key that stands twice is an error: one of the two would be lost silently."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Any, Any]:  # the library's signature
        if isinstance(node, yaml.MappingNode):
            plain = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            twice = [key for key, count in Counter(plain).items() if count > 1]
            if twice:
                line = node.start_mark.line + 1
                text = f"{masked(twice[0])!r} stands twice, in the mapping at line {line}"
                raise yaml.MarkedYAMLError(problem=text)
        return dict(super().construct_mapping(node, deep=deep))


def read(text: str, source: str) -> tuple[object, list[Found]]:
    """What the text holds, and what in it other readers would read differently.

    Raises BadConfig for what cannot be read at all. source: where the text is from.
    """
    size = len(text.encode("utf-8", "replace"))
    if size > LONGEST:
        fault = f"{size} bytes. Write at most {LONGEST}: split the services over several files"
        raise BadConfig(source, [Problem("(file)", fault)])
    faults: list[Found] = []
    try:
        faults += _ambiguous(text)  # what is found before an error is reported beside it
        raw = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506  # a safe loader, made stricter
    except _UNREADABLE as error:
        before = [_problem(*one) for one in faults[:PROBLEMS]]
        # The error quotes the file, which may hold a password, and it would be shown with this one.
        raise BadConfig(source, [*before, Problem("(file)", _why(error))]) from None
    return raw, faults


def _problem(steps: tuple[object, ...], fault: str) -> Problem:
    return Problem(short(masked(".".join(map(str, steps))), _WIDEST) or "(file)", fault)


def _why(error: Exception) -> str:
    """What is wrong and where, without the line itself."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"not YAML: {_TOO_DEEP if isinstance(error, _TooDeep) else type(error).__name__}"
    mark = error.problem_mark or error.context_mark
    where = f", at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    about = ", ".join(filter(None, (error.context, error.problem)))
    return f"not YAML: {short(masked(about), _WIDEST)}{where}"


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is being read. key: of the value that comes next in a mapping."""

    steps: tuple[object, ...]
    is_mapping: bool
    key: tuple[object] | None = None
    count: int = 0

    def place(self, event: yaml.NodeEvent) -> tuple[tuple[object, ...], bool]:
        """Where this node stands, and whether it is a key."""
        if not self.is_mapping:
            self.count += 1
            return (*self.steps, self.count - 1), False
        if self.key is None:
            self.key = (_as_key(event),)
            return (*self.steps, *self.key), True
        steps, self.key = (*self.steps, *self.key), None
        return steps, False


def _as_key(event: yaml.NodeEvent) -> object:
    """A key as the file's data have it: an unquoted `no` is False there."""
    if not isinstance(event, yaml.ScalarEvent):
        return "?"
    value = str(event.value)
    is_text = _RESOLVER.resolve(yaml.ScalarNode, value, (True, False)) == _TEXT
    if is_text or not event.implicit[0] or value in {_MERGE, "="}:
        return value
    try:
        return yaml.safe_load(event.value)
    except _UNREADABLE:
        return str(event.value)


def _ambiguous(text: str) -> Iterator[Found]:
    """Everything that another reader may read differently, in the order of the file.

    Raises what the library does, and _TooDeep.
    """
    frames: list[_Frame] = []
    for event in yaml.parse(text, Loader=_SafeLoader):
        match event:
            case yaml.DocumentStartEvent() if event.version or event.tags:
                yield (), "a %YAML or %TAG directive. Write the file without it"
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                frames.pop()
            case yaml.NodeEvent():
                yield from _node(event, frames)


def _node(event: yaml.NodeEvent, frames: list[_Frame]) -> Iterator[Found]:
    """The same of one node. frames: what it stands in; it is added where others stand in it."""
    steps, is_key = frames[-1].place(event) if frames else ((), False)
    if fault := _fault(event, is_key=is_key):
        yield steps, fault
    if isinstance(event, yaml.CollectionStartEvent):
        if len(frames) == DEEPEST:
            raise _TooDeep
        frames.append(_Frame(steps, isinstance(event, yaml.MappingStartEvent)))


def _fault(event: Any, *, is_key: bool) -> str:  # a node's event; its stubs lack fields
    """What is ambiguous about one node, and what to write; empty where nothing is."""
    if isinstance(event, yaml.AliasEvent):
        return f"the alias *{event.anchor}. Write out what it stands for"
    if event.tag is not None:
        return f"the tag {event.tag}. Write the value without it, a text in quotes"
    if not isinstance(event, yaml.ScalarEvent):
        return ""
    value = event.value
    if is_key and value == _MERGE:
        return "a merge, which Terraform does differently. Write its keys out"
    if _PLACEHOLDER in value:
        return f"nothing is substituted in this file. Write the value itself. It is {_shown(value)}"
    if not unicodedata.is_normalized("NFC", value):
        return f"write its letters as single characters (Unicode NFC). It is {_shown(value)}"
    return _differs(value) if event.implicit[0] else ""


def _differs(value: str) -> str:
    """What an unquoted scalar may be to different readers; empty where they agree."""
    if value in _WORDS or _NUMBER.fullmatch(value):
        return ""
    is_text = _RESOLVER.resolve(yaml.ScalarNode, value, (True, False)) == _TEXT
    if is_text and not (
        _PERHAPS_A_NUMBER.fullmatch(value)
        or _PERHAPS_A_TIME.fullmatch(value)
        or value.lower() in _PERHAPS_A_WORD
    ):
        return ""
    quoted = _shown(value)
    if value.lower() in _TRUTHS:
        meant = f"true or false, or {quoted} in quotes if it is a text"
    else:
        meant = f"{quoted} in quotes if it is a text, a number only as in 10, -3 or 0.5"
    return f"write {meant}; the function and Terraform do not read {value[:_SHOWN]} alike"


def _shown(value: str) -> str:
    return json.dumps(shown(masked(value)[:_SHOWN]), ensure_ascii=False)
