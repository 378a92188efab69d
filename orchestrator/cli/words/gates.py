"""The rules of a decision for people: each rule's line, and what the rule is for.

Pure: from the reasons of history and journal, as JSON, to text.
"""

from __future__ import annotations

from orchestrator.core.model import Json
from orchestrator.core.rule import RULES, Cause, Rule, recorded_line, verdict


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
    refused = not reason.get("passed") and not ends_something(reason)
    return [
        gate(reason),
        *([f"  {reason.get('rule')} means: {about}"] if about and refused else []),
    ]


def gate(reason: Json) -> str:
    """One rule's line: whether it let the decision pass, what it saw, what its limit is."""
    return recorded_line(reason)


def stood_out(reason: Json) -> str:
    """How a rule's line begins: its verdict and its name."""
    rule, cause = str(reason.get("rule")), str(reason.get("cause") or "")
    return f"{verdict(rule, passed=bool(reason.get('passed')), cause=cause)} {rule}"


def ends_something(reason: Json) -> bool:
    """Whether this says that a switch or ramp ended, and not that a rule stood in the way."""
    return not reason.get("passed") and reason.get("cause") == Cause.ENDED


def is_overridden(reason: Json) -> bool:
    """Whether a human's override let this pass."""
    return "; overridden by " in str(reason.get("value"))


def meaning(rule: str) -> str:
    """What a rule is for, in half a sentence. Empty for one that this version does not know."""
    known = RULES.get(Rule(rule)) if rule in set(Rule) else None
    return known.meaning if known else ""
