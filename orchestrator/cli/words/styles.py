"""How a line of an explanation looks: by how it begins, as the sentences here begin."""

from __future__ import annotations

_STYLES = {
    "refused ": "yellow",
    "ended ": "yellow",
    "passed ": "dim",
    "FROZEN ": "yellow",
    "SWITCHING ": "yellow",
    "RAMP: ": "yellow",
    "It MOVED ": "bold green",
    "It GAVE UP ": "bold yellow",
    "It GAVE ": "bold green",
    "It HELD": "bold yellow",
    "It decided to ": "bold yellow",
    "A human was paged": "bold",
    "A human would be paged": "bold",
    "This holds": "bold",
    "To do, ": "bold",
}


def style_of_line(line: str) -> str:
    """The style of a line. Empty for one that is told plainly."""
    begun = line.strip()
    return next((style for begin, style in _STYLES.items() if begun.startswith(begin)), "")
