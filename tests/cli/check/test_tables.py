"""What `check` says of the endpoints in the document, read only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.check.finding import Level
from orchestrator.cli.check.tables import endpoints
from tests.support.desk import Desk
from tests.support.fakes import lab, service

EAST = "us-east-1"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A person at a shell, beside a document."""
    made = Desk(tmp_path)
    made.write()
    assert made.routing.exists()
    assert made.run("check", "--apply").exit_code in {0, 1}
    return made


def edit(desk: Desk, **fields: Any) -> None:
    """Somebody edits the east in the document."""
    document = desk.document
    document["regions"][EAST] |= fields
    (desk.state / "checkout.json").write_text(json.dumps(document))


def findings(desk: Desk) -> tuple[bool, list[dict[str, Any]]]:
    """Whether `check` fails, and what it says of endpoints."""
    found = desk.run("check", "--json")
    told = json.loads(found.stdout)["findings"]
    return found.exit_code == 1, [one for one in told if one["what"] == "endpoints"]


def test_check_fails_on_an_endpoint_that_is_not_the_files(desk: Desk) -> None:
    failed, [found] = findings(desk)
    assert (found["level"], failed) == ("ok", False)
    edit(desk, endpoint="http://127.0.0.1:8000")
    failed, [found] = findings(desk)
    assert (found["level"], failed) == ("FAIL", True)
    assert "us-east-1: the document has 'http://127.0.0.1:8000'" in found["detail"]
    assert "not 'dynamodb.us-east-1.amazonaws.com'" in found["detail"]
    assert "failoverctl state show checkout --versions" in found["do"]


def test_check_fails_on_another_aws_region(desk: Desk) -> None:
    edit(desk, aws_region="us-west-2")
    failed, [found] = findings(desk)
    assert failed
    assert "in 'us-west-2'" in found["detail"]


def test_what_a_newer_file_changes_on_purpose_does_not_fail() -> None:
    """The check runs before the deployment."""
    made = lab()
    made.tick()
    state = made.state
    document = made.document
    document["regions"][EAST]["endpoint"] = "dynamodb-fips.us-east-1.amazonaws.com"
    made.replace_document(document)
    [found] = endpoints(service(serial=2), made.state)
    assert found.level is Level.WARN
    assert "with a new epoch" in found.do
    [found] = endpoints(service(policy={"cooldown": "11m"}), made.state)
    assert found.level is Level.FAIL
    [found] = endpoints(made.service, state)
    assert found.level is Level.OK
    assert list(endpoints(made.service, None)) == []
