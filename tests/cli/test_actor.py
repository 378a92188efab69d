"""Who gave a command is told as claimed, and how to find the account that published it."""

from __future__ import annotations

import shlex

import pytest
import yaml

from tests.support.desk import Desk


@pytest.fixture
def frozen(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A freeze by somebody who says that she is the director, where commands have a topic."""
    monkeypatch.setenv("FAILOVER_ACTOR", "the director")
    content = yaml.safe_load(desk.config.read_text())
    content["topics"] = {"control": "failover-control"}
    desk.config.write_text(yaml.safe_dump(content, sort_keys=False))
    assert desk.routing.exists()
    order = ("freeze", "--for", "1h", "--reason", "an audit", "--direct", "--apply")
    assert desk.run(*order).exit_code == 0
    return desk


def identity(desk: Desk) -> str:
    """The command's id."""
    found: str = desk.document["history"][0]["signal"]["id"]
    return found


@pytest.mark.parametrize("verb", [("status",), ("explain",), ("history",)])
def test_a_person_reads_the_actor_as_claimed(frozen: Desk, verb: tuple[str, ...]) -> None:
    said = frozen.run(*verb).stdout
    assert "the director (as claimed)" in said
    assert said.count("the director") == said.count("the director (as claimed)")


def test_the_document_and_json_keep_the_actor_as_it_came(frozen: Desk) -> None:
    assert frozen.document["freeze"]["actor"] == "the director"
    came = frozen.document["history"][0]["signal"]
    assert (came["actor"], came["reason"]) == ("the director", "an audit")
    assert frozen.json("status")["services"][0]["freeze"]["actor"] == "the director"


def test_explain_prints_the_command_that_finds_who_published(frozen: Desk) -> None:
    lines = frozen.run("explain", "checkout", identity(frozen)).stdout.splitlines()
    (found,) = [line.strip().strip("`") for line in lines if "gcloud logging read" in line]
    words = shlex.split(found)
    assert words[:3] == ["gcloud", "logging", "read"]
    for part in (
        'logName:"cloudaudit.googleapis.com%2Fdata_access"',
        'protoPayload.methodName="google.pubsub.v1.Publisher.Publish"',
        'protoPayload.resourceName="projects/laptop/topics/failover-control"',
        "timestamp>=",
        "timestamp<=",
    ):
        assert part in words[3]
    assert "--project=laptop" in words
    assert any("--direct is not in it" in line for line in lines)


def test_a_decision_on_an_alert_has_no_publisher_to_look_for(frozen: Desk) -> None:
    frozen.alert("primary-down.json")
    decision = frozen.document["history"][0]["id"]
    assert "gcloud logging" not in frozen.run("explain", "checkout", decision).stdout
