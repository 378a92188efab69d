"""The health of this region's application, its heartbeat, and the items they need."""

from __future__ import annotations

from orchestrator.client.health._check import (
    Answer,
    CheckState,
    Health,
    HealthCheck,
    HealthStatus,
    Limits,
)
from orchestrator.client.health._heartbeat import Heartbeat
from orchestrator.client.health._own_items import ItemsThrottled, OwnItems, RegionItems, items_of

__all__ = [
    "Answer",
    "CheckState",
    "Health",
    "HealthCheck",
    "HealthStatus",
    "Heartbeat",
    "ItemsThrottled",
    "Limits",
    "OwnItems",
    "RegionItems",
    "items_of",
]
