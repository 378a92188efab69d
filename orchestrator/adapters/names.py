"""Names of objects that no store writes."""

from __future__ import annotations

from orchestrator.core.exceptions import Cloud, Kind, Unavailable
from orchestrator.core.outside.ids import is_object_name
from orchestrator.core.outside.shown import quoted


def must_name_an_object(name: str) -> None:
    """Raise Unavailable for a name that is made of more than the letters of names."""
    if not is_object_name(name):
        raise no_object_name(name)


def no_object_name(name: str) -> Unavailable:
    """What is raised for such a name; nothing was read or written."""
    return Unavailable(
        f"{quoted(name, 200)} names no object of ours: nothing was read or written there. A name"
        " has letters, digits, `.`, `_`, `:` and `-`, and no part of it begins with a dot",
        kind=Kind.REQUEST,
        cloud=Cloud.STORAGE,
    )
