"""How a region's application answers, as a drill tells it to. PURE."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from orchestrator.local.process.http_status import FINAL


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the application answers: the three statuses, and the seconds before every answer.

    primary_status: of `/healthz/primary`, as long as the region is healthy.
    """

    health_status: int = 200
    serve_status: int = 200
    primary_status: int = 200
    delay: float = 0.0

    def changed(self, wish: dict[str, Any]) -> Behaviour:
        """This behaviour with the fields of `wish` replaced. Raises ValueError on a bad wish."""
        unknown = set(wish) - {field.name for field in fields(self)}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        result = replace(self, **wish)
        statuses = (result.health_status, result.serve_status, result.primary_status)
        if not all(status in FINAL for status in statuses):
            raise ValueError("a status must be 200 to 599")
        if result.delay < 0:
            raise ValueError("delay must not be negative")
        return result
