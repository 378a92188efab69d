"""What `check` finds: one thing that was looked at, how it stands, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.core.exceptions import FailoverError


class Level(StrEnum):
    """How a finding stands. Only FAIL makes the verb fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. do: what to do about it. error: what it is a finding of."""

    service: str
    what: str
    level: Level
    detail: str
    do: str = ""
    error: FailoverError | None = None
