"""`failover.yaml`: its schema, the kinds of its values, its problems in words, its reference."""

from __future__ import annotations

from orchestrator.config.loader import Config, load

__all__ = ["Config", "load"]
