"""How large a document may be: one set of numbers for the writer and for every reader.

The writer stays below `WRITTEN`, and readers take four times as much, so that a document is never
refused for its size by an application that has the older of two limits. PURE: numbers only.
"""

from __future__ import annotations

from datetime import timedelta

WRITTEN = 256 * 1024
"""Bytes; the writer keeps every document below this."""

READ = 1024 * 1024
"""Bytes; the largest document that a reader takes."""

DEEPEST = 64
"""Nesting of JSON that is read. A document has five levels, and so has a notification."""

VALUES = 40_000
"""Values of one JSON text that is read. The fullest document that we write has 8,200."""

DIGITS = 400
"""Digits of a whole number that is read. The largest number with a fraction has 309."""

MOST_REGIONS = 40
"""Regions of one service. AWS has fewer."""

EPOCHS = 2**53
"""Epochs are below this: above it, JSON readers in other languages round whole numbers."""

AHEAD = timedelta(days=7)
"""How far a revision may lie ahead of the time. Cloud Storage's generations are microseconds since
1970, so a revision of next year would shut out every real document until then."""

COUNTERS = 10**14
"""Generations below this are the counters of a folder, which tell no time."""

HISTORY = 20
"""Decisions kept in the document. The journal keeps all."""

INCIDENTS = 500
"""Incidents kept in the document."""

INCIDENTS_READ = 5000
"""Incidents of a document that is read. Older versions, which bounded none, wrote 300 bytes for
each: with more than these the document was too long for every application."""

INCIDENT_BYTES = 160 * 1024
"""Bytes that all incidents may take in it: 500 of the usual kind take 150 KiB."""

ARRIVALS = 21
"""Times of new incidents kept in the document: one more than a flood takes."""

COMMANDS = 200
"""Ids of commands kept in the document, the newest ones."""

TEXT = 256
"""Characters of a text that a person gives: actor and reason of a command."""

TOLD = 1000
"""Characters that are kept of an error's or a reason's text, which may quote what came in."""

ID = 64
"""Characters of an incident's or command's id. A longer one is replaced by its hash."""


PROBLEMS = 100
"""Problems of one configuration file that are reported at once."""


def is_ahead(revision: int, *times: float) -> bool:
    """Whether no document can have this revision yet.

    times: what is known of the time, each in seconds since 1970. A counter tells no time.
    """
    return revision >= COUNTERS and revision > (max(times) + AHEAD.total_seconds()) * 1_000_000
