"""Filters of time series, as far as they are served here.

    metric.type = "..." AND metric.labels.check_id = "..." AND resource.labels.host = "..."

Comparisons for equality, joined by AND or by a space, `metric.type` among them. Whatever else the
real language has is refused rather than misread.
"""

import re
from dataclasses import dataclass

from orchestrator.local.monitoring.time_series import Key
from orchestrator.local.pubsub.pubsub import Code, Refused

_COMPARISON = re.compile(
    r"""\s*(?:AND\s+)?
    (?P<field>metric\.type|resource\.type|(?:metric|resource)\.labels?\.[A-Za-z_][A-Za-z0-9_]*)
    \s*=\s*
    (?: "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<bare>[A-Za-z0-9_./-]+) )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Fields and the values that they must have."""

    wanted: tuple[tuple[str, str], ...]

    def takes(self, key: Key) -> bool:
        """Whether the series is one of those."""
        return all(_value(key, field) == value for field, value in self.wanted)


def parse(text: str) -> Filter:
    """The filter of this text. Raises Refused."""
    wanted: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        found = _COMPARISON.match(text, at)
        if found is None or (not wanted and found[0].lstrip().startswith("AND")):
            raise Refused(Code.INVALID_ARGUMENT, f"Cannot parse (or not served here): {text[at:]}")
        value = re.sub(r"\\(.)", r"\1", found["quoted"] or found["bare"] or "")
        wanted.append((found["field"].replace(".label.", ".labels."), value))
        at = found.end()
    if [field for field, _ in wanted].count("metric.type") != 1:
        text = "Field filter had an invalid value: must specify a single metric type."
        raise Refused(Code.INVALID_ARGUMENT, text)
    return Filter(tuple(wanted))


def _value(key: Key, field: str) -> str | None:
    """The value of this field; None where it has none."""
    match field.split("."):
        case ["metric", "type"]:
            return key.metric
        case ["resource", "type"]:
            return key.resource
        case ["metric", _, name]:
            return dict(key.labels).get(name)
        case [_, _, name]:
            return dict(key.resource_labels).get(name)
    return None
