"""Where the document is read from: one small Protocol, held by one contract suite.

A source is asked by one background thread at a time, never by a request. It has its own timeouts,
starts nothing when it is made, and imports its library when it is first asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Fetched:
    """The document as it lay there.

    mark: a generation, ETag or version, as the source names it. at: the source's own time, in
    seconds since 1970, where it tells that: a clock that is slow refuses no document then.
    """

    body: bytes
    mark: str
    at: float = 0.0


class Source(Protocol):
    """One place where the document lies."""

    @property
    def name(self) -> str:
        """For messages: what and where, without secrets, as `gs://bucket/checkout.json`."""

    def fetch(self, known: str | None) -> Fetched | None:
        """The document, or None when it still carries the mark `known`.

        Where the place can tell so, an unchanged document costs no body. Takes a few seconds at
        most. Raises SourceUnavailable when there is no answer, no permission or no document.
        """
