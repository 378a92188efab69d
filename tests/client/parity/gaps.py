"""Cases that moto answers with HTTP 500: a region that failed, and no answer to compare.

boto3 tries such a call ten times, and what is routed says that the outcome is unknown. On dynalite
they are asked.
"""

from __future__ import annotations

MOTO_FAILS = frozenset(
    {
        "a key that is a list",
        "a key that is a set",
        "a key that names no type",
        "batch of writes: an empty request",
        "before expressions: an action that is none",
        "condition: a bracket too much",
        "condition: a function of too much",
        "condition: a name that nobody gave",
        "condition: a value that nobody gave",
        "condition: between of two types",
        "condition: less of a number and a string",
        "condition: one that does not end",
        "condition: two comparisons in a row",
        "low-level value: no type",
        "projection: a comma at the end",
        "projection: a path through a number",
        "query: begins with, of numbers",
        "query: from a key of another type",
        "query: from half a key",
        "query: from nothing",
        "query: not",
        "query: or",
        "refused: a lone surrogate",
        "scan: from a key of another name",
        "sum: beyond the largest",
        "sum: of the smallest",
        "sum: of very different sizes",
        "transaction: an empty one",
        "update: nothing but a key",
        "update: nothing but a new key",
        "writing a map with an empty name",  # it is stored, and no scan can be read from then on
    }
)
