"""The fields of `failover.yaml` in the words of the file: where, of what kind, within what bounds.

Read from the schema's models, so that the reference, the editors' schema and the problems at load
use the same words. Nothing here knows a file or its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator.config.kinds import NotYet, ValueKind
from orchestrator.config.schema import FileModel
from orchestrator.core.rules import duration

_PLAIN = {
    bool: ValueKind("true or false", "true or false"),
    int: ValueKind("whole number", "a whole number"),
    float: ValueKind("number", "a number"),
    str: ValueKind("text", "a text"),
}
_FEW = 4
"""The keys of a mapping that are named when one is missing."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field. path: as the reference writes it, `services.<service>.policy.cooldown`."""

    path: str
    info: FieldInfo

    @property
    def marks(self) -> tuple[Any, ...]:  # whatever annotations hold
        """What the schema says of its values, beyond their type."""
        return (*self.info.metadata, *_marks(self.info.annotation))

    @property
    def bare(self) -> Any:  # a type, or what `typing` makes of several
        """The type of its values, without what is said of it and without None."""
        return _bare(self.info.annotation)

    @property
    def model(self) -> type[BaseModel] | None:
        """The model of the mapping that it is, or that each of its names leads to."""
        inner = get_args(self.bare)[1] if self.is_mapping_of_names else self.bare
        is_model = isinstance(inner, type) and issubclass(inner, BaseModel)
        return inner if is_model else None

    @property
    def is_mapping_of_names(self) -> bool:
        """Whether people choose the keys in it, as with services and regions."""
        return get_origin(self.bare) is dict

    @property
    def names(self) -> ValueKind:
        """What the keys of a mapping of names are."""
        return next(one for one in _marks(get_args(self.bare)[0]) if isinstance(one, ValueKind))

    @property
    def allowed(self) -> tuple[Any, ...]:  # whatever the file may say
        """The only values that it may have, if they are few."""
        return get_args(self.bare) if get_origin(self.bare) is Literal else ()

    @property
    def not_yet(self) -> NotYet | None:
        """What it may not have yet."""
        return next((one for one in self.marks if isinstance(one, NotYet)), None)

    @property
    def kind(self) -> ValueKind:
        """What it is and what to write there, bounds and example included."""
        found = next((one for one in self.marks if isinstance(one, ValueKind)), None)
        if found is None:
            found = self._own_kind()
        bounds = _bounds(self.marks)
        write = found.write
        if bounds:
            write += f", {bounds}" if " such as " in write else f" {bounds}"
        if found is _PLAIN[str] and self.info.examples:
            write += f", such as {self.info.examples[0]}"
        return ValueKind(", ".join(filter(None, (found.name, bounds.removeprefix("of ")))), write)

    @property
    def item(self) -> ValueKind:
        """What each item of a list is, or what each name leads to."""
        if self.model:
            return ValueKind("mapping", f"a mapping with {_keys(self.model)}")
        lists = [one for one in map(_bare, _members(self.bare)) if get_origin(one) is list]
        return Field(self.path, FieldInfo.from_annotation(get_args(lists[0])[0])).kind

    def _own_kind(self) -> ValueKind:
        if self.allowed:
            words = _listed(self.allowed, "or")
            return ValueKind(words, words)
        if self.model:
            return ValueKind("mapping", f"a mapping with {_keys(self.model)}")
        return _PLAIN[self.bare]

    @property
    def default(self) -> str | None:
        """Its default as the file would write it, or None if it has no default to show."""
        value = self.info.get_default()
        if self.info.is_required() or value in (None, "") or isinstance(value, BaseModel):
            return None
        return said(value)


def every(model: type[BaseModel] = FileModel, path: str = "") -> Iterator[Field]:
    """All fields, each mapping before what is in it, in the order of the schema."""
    for name, info in model.model_fields.items():
        field = Field(f"{path}{name}", info)
        yield field
        if field.model:
            key = f".<{name.removesuffix('s')}>" if field.is_mapping_of_names else ""
            yield from every(field.model, f"{field.path}{key}.")


def said(value: object) -> str:
    """A value of the schema as the file would say it."""
    match value:
        case bool():
            return "true" if value else "false"
        case timedelta():
            return duration(value)
        case float():
            return f"{value:g}"
        case list():
            return f"[{', '.join(map(said, value))}]"
        case _:
            return str(value)


def _listed(values: Sequence[object], word: str) -> str:
    *others, last = map(said, values)
    return f"{', '.join(others)} {word} {last}" if others else last


def _keys(model: type[BaseModel]) -> str:
    needed = [name for name, info in model.model_fields.items() if info.is_required()]
    if needed:
        return _listed(needed, "and")
    names = list(model.model_fields)
    return "any of " + ", ".join(names[:_FEW] + ["..."] * (len(names) > _FEW))


def _bounds(marks: Sequence[object]) -> str:
    low, above, high = (
        next((getattr(one, name) for one in marks if hasattr(one, name)), None)
        for name in ("ge", "gt", "le")
    )
    match low, above, high:
        case None, None, None:
            return ""
        case _, None, None:
            return f"of at least {said(low)}"
        case None, _, _:
            return f"above {said(above)} and at most {said(high)}"
        case _:
            return f"from {said(low)} to {said(high)}"


def _marks(annotation: object) -> tuple[Any, ...]:  # whatever annotations hold
    """What `Annotated` says of a type, or of the one type beside None."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        return (*marks, *_marks(inner))
    beside = _beside_none(annotation)
    return _marks(beside) if beside else ()


def _bare(annotation: Any) -> Any:  # a type, or what `typing` makes of several
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    beside = _beside_none(annotation)
    return _bare(beside) if beside else annotation


def _members(annotation: Any) -> tuple[Any, ...]:  # a type, or what `typing` makes of several
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _beside_none(annotation: Any) -> Any:  # a type, or what `typing` makes of several
    """The one type beside None, None where there are more or no None."""
    members = _members(annotation)
    others = [one for one in members if one is not NoneType]
    return others[0] if len(others) == 1 < len(members) else None
