"""Two regional servers for the tests of libraries, which are read only where all libraries are."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.sources.file import FileSource
from orchestrator.local.dynamodb.database import Database
from tests.libraries.places import OWN, Places
from tests.support.regional import EAST, document, two_servers, write_whole

LIBRARIES = (
    "aws_dynamodb_parallel_scan",
    "aws_lambda_powertools",
    "bloop",
    "dyntastic",
    "dynamodb_encryption_sdk",
    "flask_session",
    "gevent",
    "gunicorn",
    "python_dynamodb_lock",
)

# They have an environment of their own (`make test-libraries`): tests/tools/test_libraries.py runs
# it.
collect_ignore_glob = [] if all(map(find_spec, LIBRARIES)) else ["test_*.py"]


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Database]]:
    """The east and the west, without replication: so it shows which of them was asked."""
    with two_servers(tmp_path_factory.mktemp("dynamodb")) as found:
        yield found


@pytest.fixture
def places(
    servers: dict[str, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Places]:
    """Both regions and a client. The primary is the east, until `fail_over`."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "laptop")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")  # nobody is there: a stray call fails
    source = tmp_path / "checkout.json"
    urls = {name: one.url for name, one in servers.items()}
    write_whole(source, document(endpoints=urls))
    made = MultiRegionDynamoDB(
        FileSource(source), home=EAST, health_table=OWN, allow_endpoint=loopback
    )
    with made as db:
        assert db.ready(30)
        found = Places(db, servers, source)
        yield found
        found.clear()
