"""What is wrong with a configuration file, in the words of the file, and what would be right.

Turns the errors of the schema's library into problems, each at its path, told in the order in which
the file has them. Never raises, whatever the file holds.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.config.fields import Field, every, said
from orchestrator.config.schema import FileModel
from orchestrator.core.exceptions import Found, Problem
from orchestrator.core.outside.limits import PROBLEMS
from orchestrator.core.outside.secrets import masked
from orchestrator.core.outside.shown import short

_LONG = 100
"""Characters of a wrong value that are shown."""

MOST = PROBLEMS
"""Problems that are reported together."""

SORTED = 300
"""Problems among which these are the first ones of the file."""

LONGEST = 300
"""Characters of a path that are shown."""

LONGEST_TEXT = 2000
"""Characters of a problem's line that are shown."""

_ALIKE = 0.7
"""How alike a misspelt key must be to the one that it is taken for, of 1 (difflib's ratio)."""

_ONLY_ELSEWHERE = frozenset(
    {"url_map", "path_matcher", "backend_services", "zone", "record", "type", "targets", "ttl"}
)
"""Fields of the traffic kinds that do not exist yet: reported once, by their kind."""


def told(error: ValidationError, raw: object) -> list[Found]:
    """The library's errors in our words, the first `SORTED` of them. raw: what the file holds."""
    problems = [_told(one, raw) for one in error.errors(include_url=False)[:SORTED]]
    return [one for one in problems if one]


def in_order(raw: object, faults: Iterable[Found], more: int = 0) -> list[Problem]:
    """The problems in the order of the file. Missing fields come at the end of their mapping.

    At most `MOST` of them, and one that says how many more there are. more: how many there are
    beside these faults.
    """
    file = _Index()
    ordered = sorted(dict.fromkeys(faults), key=lambda one: file.position(raw, one[0]))
    more += len(ordered) - MOST
    problems = [
        Problem(short(file.path(raw, steps), LONGEST), _lines(text))
        for steps, text in ordered[:MOST]
    ]
    if more > 0:
        problems.append(Problem("(file)", f"{more} more problems. Fix these first"))
    return problems


def _lines(text: str) -> str:
    return "\n".join(short(line, LONGEST_TEXT) for line in text.split("\n"))


def shown(value: object) -> str:
    """A value as its writer would recognise it."""
    match value:
        case dict() | list():
            word = "mapping" if isinstance(value, dict) else "list"
            return f"a {word}" if value else f"an empty {word}"
        case "" | None:
            return "empty"
        case str() | bytes():
            text = repr(masked(value) if isinstance(value, str) else value)
            return text if len(text) <= _LONG else f"{text[:_LONG]}..."
        case date():
            return f"the date {value}"
        case int() if abs(value) >= 10**_LONG:
            return "a number too long to show"
        case _:
            return said(value)


def _it_is(steps: tuple[object, ...], given: object) -> str:
    """The value there, unless it may be a password, in any spelling."""
    if "redis" in steps and isinstance(given, str | bytes) and given:
        return ". It is not shown, because it may hold a password"
    return f". It is {shown(given)}"


def _told(error: ErrorDetails, raw: object) -> Found | None:
    """One error in our words, or None if another error says it better."""
    place = _Place(error["loc"])
    parent, given = _at(raw, place.steps[:-1]), error["input"]
    match error["type"]:
        case _ if place.is_other_branch(raw):
            return None
        case "missing" | "extra_forbidden" if _by_its_kind(place, parent):
            return None
        case "missing":
            text = f"missing. Write {place.write}"
        case "invalid_key":
            text = "a key must be a text: put it in quotes"
        case "extra_forbidden":
            text = _unknown(str(place.steps[-1]), place.model, _object(parent))
        case "literal_error" if sentence := _not_yet(place.field, given):
            text = sentence
        case "value_error":
            text = f"{error['ctx']['error']}{_it_is(place.steps, given)}"
        case _:
            text = f"write {place.write}{_it_is(place.steps, given)}"
            if place.is_key and not isinstance(given, str):
                text += ", as YAML reads it: put it in quotes"
    return place.steps, text


class _Place:
    """Where an error is, found by walking the schema along the path that the library gives.

    That path is the file's, except its last steps, which may name a branch of a union or a key.
    """

    def __init__(self, loc: tuple[int | str, ...]) -> None:
        self.steps: tuple[object, ...] = ()
        self.field: Field | None = None
        self.model: type[BaseModel] | None = FileModel  # that the last step is a key of
        self.branch = ""
        self.is_name = False  # whether the last step is one that people chose
        self.is_key = False  # whether it is that name itself that is wrong
        self._inside: type[BaseModel] | None = FileModel  # that the next step is a key of
        self._walk(loc)

    def _walk(self, loc: tuple[int | str, ...]) -> None:
        for step in loc:
            if step == "[key]" and self.is_name:
                self.is_key = True
                return
            if self.field and not self.field.model and isinstance(step, str):
                self.branch = step
            else:
                self._enter(step)

    def _enter(self, step: int | str) -> None:
        """Go on to a key of a mapping, a name that people chose, or an item of a list."""
        self.steps += (step,)
        if self.field and self.field.is_mapping_of_names and not self.is_name:
            self.is_name, self._inside = True, self.field.model
        elif self._inside:
            self._enter_field(str(step), self._inside)

    def _enter_field(self, name: str, model: type[BaseModel]) -> None:
        self.is_name, self.model = False, model
        info = model.model_fields.get(name)
        self.field = Field(name, info) if info else None
        is_plain = self.field and not self.field.is_mapping_of_names
        self._inside = self.field.model if self.field and is_plain else None

    @property
    def write(self) -> str:
        """What would be right here."""
        if self.field is None:
            return "a mapping, as failover.yaml shows it"
        if self.is_key:
            return self.field.names.write
        is_item = self.is_name or isinstance(self.steps[-1], int)
        return (self.field.item if is_item else self.field.kind).write

    def is_other_branch(self, raw: object) -> bool:
        """Whether it is about a list and none was given, or about one value and a list was."""
        field = self.steps[:-1] if self.steps and isinstance(self.steps[-1], int) else self.steps
        is_list = isinstance(_at(raw, field), list)
        return bool(self.branch) and is_list is not self.branch.startswith("list[")


def _by_its_kind(place: _Place, parent: object) -> bool:
    """Whether it only follows from a kind of traffic that does not exist yet."""
    kind = place.model.model_fields.get("kind") if place.model else None
    if kind is None or not _not_yet(Field("kind", kind), _object(parent).get("kind")):
        return False
    return place.steps[-1] in {"backend_service", *_ONLY_ELSEWHERE}


def _not_yet(field: Field | None, given: object) -> str:
    """The sentence about a value that is not in this version yet, or nothing."""
    refused = field.not_yet if field else None
    if not refused:
        return ""
    is_greater = isinstance(given, int) and given > 1
    is_refused = given in refused.values if refused.values else is_greater
    return refused.instead.format(given=given) if is_refused else ""


def _unknown(key: str, model: type[BaseModel] | None, parent: Mapping[object, object]) -> str:
    """What a key that is not known here was probably meant to be."""
    names = list(model.model_fields) if model else []
    free = [name for name in names if name not in parent]
    near = difflib.get_close_matches(key, free, 1, _ALIKE)
    near = near or difflib.get_close_matches(key, names, 1, _ALIKE)
    if near:
        return f"not known here. Did you mean `{near[0]}`?"
    elsewhere = [field.path for field in every() if field.path.rpartition(".")[2] == key]
    if elsewhere:
        return f"not known here. It belongs at {' or '.join(elsewhere)}"
    return f"not known here. Known are {', '.join(names)}"


class _Index:
    """Where each key of the file stands in its mapping, looked up once for each mapping."""

    def __init__(self) -> None:
        self._known: dict[int, dict[object, tuple[int, object]]] = {}

    def path(self, raw: object, steps: Iterable[object]) -> str:
        """The path as the file writes it. The library gives a key such as `no` as 0."""
        words: list[str] = []
        for step in steps:
            key = None if isinstance(raw, list) else self._keys(raw).get(step)
            words.append(masked(str(said(key[1]) if key else step)))
            raw = _at(raw, (step,))
        return ".".join(words) or "(file)"

    def position(self, raw: object, steps: Iterable[object]) -> tuple[int, ...]:
        """Where a path is in the file, as the number of each of its steps."""
        position: list[int] = []
        for step in steps:
            keys = self._keys(raw)
            position.append(keys[step][0] if step in keys else len(keys))
            raw = _at(raw, (step,))
        return tuple(position)

    def _keys(self, raw: object) -> dict[object, tuple[int, object]]:
        if id(raw) not in self._known:
            keys = range(len(raw)) if isinstance(raw, list) else list(_object(raw))
            self._known[id(raw)] = {key: (number, key) for number, key in enumerate(keys)}
        return self._known[id(raw)]


def _at(raw: Any, steps: Iterable[object]) -> object:  # any YAML
    """What the file has there, None for nothing."""
    for step in steps:
        if isinstance(raw, list) and isinstance(step, int) and step < len(raw):
            raw = raw[step]
        else:
            raw = _object(raw).get(step)
    return raw


def _object(value: object) -> Mapping[object, object]:
    return value if isinstance(value, dict) else {}
