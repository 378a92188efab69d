"""Names that were misspelt, and those that can be given."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def listed(names: Iterable[str]) -> str:
    """The names that can be given, for a message."""
    return "There are: " + ", ".join(names) + "."


def meant(name: str, known: Iterable[str]) -> str:
    """`. Did you mean ...?` with the names that can be given, or these names alone."""
    names = list(known)
    near = nearest(name, names)
    return f". Did you mean {near!r}? {listed(names)}" if near else f". {listed(names)}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The name that was probably meant. Empty where none is near."""
    return next(iter(difflib.get_close_matches(name, list(known), 1, 0.6)), "")
