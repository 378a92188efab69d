"""What is logged once when it begins, when its kind changes, and when it ends. Thread-safe enough.

Told by kind and not by its text: a text has numbers of requests, ports and times in it, and would
be a new one at every try. Of two threads that learn of a change at once both may say it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

_CHAIN = 5
"""Causes of an error that are looked at, each the next one's."""

Kind = object
"""Compared with the one before, and nothing else."""

WELL: Kind = None
"""Nothing is wrong."""


class Once:
    """The newest kind of each thing."""

    def __init__(self) -> None:
        self._kinds: dict[Hashable, Kind] = {}

    def is_new(self, thing: Hashable, kind: Kind, *, usual: bool = False) -> bool:
        """Whether this is to be said now. usual: not of a thing of which nothing is known yet."""
        before = self._kinds.get(thing, kind if usual else self)
        self._kinds[thing] = kind
        return before != kind


def kind_of(error: BaseException) -> Kind:
    """What kind of trouble an error is: the classes and codes of it and of what it came from."""
    return tuple((type(one), *_codes(one)) for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__


def _codes(error: BaseException) -> Iterator[object]:
    """A kind of ours, the system's number of an error, and the code of an answer of AWS's."""
    yield getattr(error, "kind", None)
    yield getattr(error, "errno", None)
    answer = getattr(error, "response", None)
    if isinstance(answer, Mapping) and isinstance(told := answer.get("Error"), Mapping):
        yield told.get("Code")
