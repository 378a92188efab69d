"""The region-health document: its newest version, as this process knows it."""

from __future__ import annotations

from orchestrator.client.document._entries import Document, RegionEntry, read_document
from orchestrator.client.document._source import Fetched, Source
from orchestrator.client.document._view import DocumentView

__all__ = ["Document", "DocumentView", "Fetched", "RegionEntry", "Source", "read_document"]
