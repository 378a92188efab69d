"""The rules of a decision for people: each rule's line, and what the rule is for.

Pure: from the reasons of history and journal, as JSON, to text.
"""

from __future__ import annotations

from orchestrator.cli.words.line import Line
from orchestrator.core.document import older_words
from orchestrator.core.model import Json
from orchestrator.core.rule import (
    RULES,
    Cause,
    Rule,
    Ruling,
    recorded_line,
    recorded_ruling,
)

_LOOKS = {Ruling.PASSED: "dim", Ruling.DONE: "", Ruling.ENDED: "yellow", Ruling.REFUSED: "yellow"}


def reasons(entry: Json) -> list[Json]:
    """The reasons of a decision, whatever else stands in their place."""
    found = entry.get("reasons")
    return [r for r in found if isinstance(r, dict)] if isinstance(found, list) else []


def gates(entry: Json) -> list[str]:
    """Every rule of a decision, in the order they were asked.

    A rule that refused is followed by what it is for, on a line of its own.
    """
    return [line for reason in reasons(entry) for line in explained(reason)]


def explained(reason: Json) -> list[str]:
    """One rule's line and, where it refused, what the rule is for."""
    about = meaning(str(reason.get("rule")))
    if not about or recorded_ruling(reason) is not Ruling.REFUSED:
        return [gate(reason)]
    return [gate(reason), f"  {reason.get('rule')} means: {about}"]


def gate(reason: Json) -> str:
    """One rule's line: whether it let the decision pass, what it saw, what its limit is."""
    return Line(recorded_line(reason), _LOOKS[recorded_ruling(reason)])


def stood_out(reason: Json) -> str:
    """How a rule's line begins: what it said, and its name."""
    return f"{recorded_ruling(reason)} {reason.get('rule')}"


def ends_something(reason: Json) -> bool:
    """Whether this says that a switch or ramp ended, and not that a rule blocked it."""
    return recorded_ruling(reason) is Ruling.ENDED


def command_of(reason: Json) -> str:
    """The id of the command whose switch this names, empty for none."""
    if reason.get("rule") != Rule.SWITCH:
        return ""
    return str(reason.get("command") or older_words.command_of(str(reason.get("value"))))


def is_overridden(reason: Json) -> bool:
    """Whether a human took this refusal back."""
    known = reason.get("cause") == Cause.OVERRIDDEN
    return known or older_words.was_overridden(str(reason.get("value")))


def meaning(rule: str) -> str:
    """What a rule is for, in half a sentence. Empty for one that this version does not know."""
    known = RULES.get(Rule(rule)) if rule in set(Rule) else None
    return known.meaning if known else ""
