"""Calls to regions that stand at given addresses, for tests with servers that misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3

from orchestrator.client._calls.call import Options, Settings
from orchestrator.client._calls.calls import Calls
from orchestrator.client._calls.routing import ServiceMode
from orchestrator.client._regions.regions import Regions, client_config
from orchestrator.client.document import DocumentView
from tests.support.regional import PATIENCE, HeldSource, by_name, document

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
ITEM: Any = {"TableName": "orders", "Key": {"pk": {"S": "a"}}}


class ByName:
    """Calls whose attempts are made by the method of their name of a region's client."""

    def __init__(self, view: DocumentView, regions: Regions, settings: Settings) -> None:
        self.view, self.regions = view, regions
        self.calls = Calls(view, regions, settings, lambda: NOW)

    def read(self, operation: str, given: Any, options: Options, **more: Any) -> tuple[Any, str]:
        """As `Calls.read`."""
        return self.calls.read(operation, given, options, ask=by_name(operation, given), **more)

    def write(self, operation: str, given: Any, options: Options, **more: Any) -> tuple[Any, str]:
        """As `Calls.write`."""
        return self.calls.write(operation, given, options, ask=by_name(operation, given), **more)


@contextmanager
def calls(attempt: float = 0.1, **urls: str) -> Iterator[ByName]:
    """Calls to regions at these addresses. A single wait of theirs would take 30 s."""
    endpoints = {name.replace("_", "-"): url for name, url in urls.items()}
    held = HeldSource(document(endpoints=endpoints, primary=next(iter(endpoints))))
    with DocumentView([held], allow_endpoint=lambda *_: True) as view:
        known = view.wait_first(PATIENCE)
        assert known is not None
        settings = Settings(None, ServiceMode.ACTIVE_PASSIVE, attempt=attempt)
        regions = Regions(boto3.Session, client_config(30.0, 30.0))
        regions.prepare(known)
        yield ByName(view, regions, settings)
