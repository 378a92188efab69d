"""Rules for people: what each is for, and what a reason says of it.

Pure: from the reasons of history and journal, as JSON, to text.
"""

from __future__ import annotations

from enum import StrEnum

from orchestrator.cli.line import Line
from orchestrator.core import older_words
from orchestrator.core.model import Json
from orchestrator.core.rule import RULES, Cause, Rule

_DONE = frozenset({Rule.FREEZE, Rule.UNFREEZE, Rule.ACK})
"""Reasons that say what was done, when they pass."""


class _Verdict(StrEnum):
    """How a line begins, in one width."""

    PASSED = "passed "
    DONE = "done   "
    ENDED = "ENDED  "
    REFUSED = "REFUSED"


_LOOKS = {
    _Verdict.PASSED: "dim",
    _Verdict.DONE: "",
    _Verdict.ENDED: "yellow",
    _Verdict.REFUSED: "yellow",
}


def reasons(entry: Json) -> list[Json]:
    """The reasons of a decision, whatever else stands in their place."""
    found = entry.get("reasons")
    return [r for r in found if isinstance(r, dict)] if isinstance(found, list) else []


def gates(entry: Json) -> list[str]:
    """Every rule of a decision with its value and limit, in the order they were asked."""
    return [gate(reason) for reason in reasons(entry)]


def gate(reason: Json) -> str:
    """One rule: whether it let the decision pass, what it saw, what its limit is."""
    verdict = _verdict(reason)
    rule, region = str(reason.get("rule")), reason.get("region")
    where = f" for {region}" if region else ""
    limit = f" (limit: {reason['limit']})" if reason.get("limit") else ""
    about = meaning(rule)
    why = f": {about}" if about and verdict is _Verdict.REFUSED else ""
    return Line(f"{verdict} {rule}{where}: {reason.get('value')}{limit}{why}", _LOOKS[verdict])


def _verdict(reason: Json) -> _Verdict:
    rule, passed = reason.get("rule"), reason.get("passed")
    if passed:
        return _Verdict.DONE if rule in _DONE else _Verdict.PASSED
    return _Verdict.ENDED if ends_something(reason) else _Verdict.REFUSED


def ends_something(reason: Json) -> bool:
    """Whether this says that a switch or ramp ended, and not that a rule stood in the way."""
    return not reason.get("passed") and reason.get("cause") == Cause.ENDED


def command_of(reason: Json) -> str:
    """The id of the command whose switch this speaks of, empty for none."""
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
