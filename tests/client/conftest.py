"""Servers that tests of the client share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.local.dynamodb.database import Database
from tests.support.regional import EAST


@pytest.fixture
def dynamo(tmp_path: Path) -> Iterator[Database]:
    """A running DynamoDB with the table `checkout`, in a process of its own."""
    database = Database(EAST, tmp_path)
    database.start()
    yield database
    database.stop()
