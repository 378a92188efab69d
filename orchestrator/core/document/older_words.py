"""Sentences in documents and journals of older versions, read back as data. PURE.

Older versions wrote as words what is a field today, and a journal keeps its entries for years. So
their words are read here, best effort, and nowhere else. What does not fit is shown unchanged.
"""

from __future__ import annotations

import re

from orchestrator.core.model import Wish

_VERBS = "|".join(Wish)
_LONGEST = 2048
"""Characters; no version wrote a longer sentence, and a search takes time."""

_SIGNALS = (
    re.compile(r"(?P<kind>alert) (?P<incident>.+) (?P<state>open|closed) (?P<region>\S+)"),
    re.compile(r"(?P<kind>tick)"),
    re.compile(
        rf"(?P<kind>command) (?P<id>.+?) (?P<verb>{_VERBS})(?: (?P<region>\S+))?"
        r" by (?P<actor>.*?): (?P<reason>.*)"
    ),
    re.compile(r"state (?P<kind>restore) of generation (?P<generation>\d+) by (?P<actor>.+)"),
    re.compile(r"check --(?P<kind>adopt) by (?P<actor>.+)"),
)
_ASKED_FOR = re.compile(r"asked for by command ([^\s,;]+)")
_OVERRIDDEN = "; overridden by "


def signal(text: str) -> dict[str, str]:
    """The fields of what came in, such as `alert 0.abc open us-east-1`.

    Only `text` if it is not one of the known sentences.
    """
    forms = _SIGNALS if len(text) <= _LONGEST else ()
    found = next((known for form in forms if (known := form.fullmatch(text))), None)
    return {k: v for k, v in found.groupdict().items() if v} if found else {"text": text}


def command_of(value: str) -> str:
    """The command whose switch a reason names, empty for none."""
    found = _ASKED_FOR.search(value)
    return found[1] if found else ""


def was_overridden(value: str) -> bool:
    """Whether a reason says that a human took the refusal back."""
    return _OVERRIDDEN in value
