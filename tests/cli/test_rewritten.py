"""What something else keeps rewriting is named by `check`, and what pages by `explain`."""

from __future__ import annotations

import json

import pytest

from tests.support.desk import Desk


@pytest.fixture
def moved(desk: Desk) -> Desk:
    """A person beside a world whose traffic was moved and verified."""
    desk.alert("primary-down.json")
    tick(desk)
    return desk


def tick(desk: Desk) -> None:
    """A tick, done here."""
    assert desk.run("tick", "--apply", "--direct").exit_code == 0


def undo(desk: Desk, *, only_mark: bool) -> None:
    """Something else takes the mark away or gives every region the traffic; then a tick comes."""
    resource = json.loads(desk.routing.read_text())
    if only_mark:
        resource["description"] = '{"kubernetes.io/service-name": "shop/web"}'
    else:
        for backend in resource["backends"]:
            backend["capacityScaler"] = 1.0
    desk.routing.write_text(json.dumps(resource))
    tick(desk)


@pytest.mark.parametrize(("only_mark", "rounds", "rule"), [(False, 3, "drift"), (True, 6, "mark")])
def test_check_names_the_resource_and_the_command_that_finds_the_other_writer(
    moved: Desk, only_mark: bool, rounds: int, rule: str
) -> None:
    assert "another writer" not in moved.run("check").output
    for _ in range(rounds):
        undo(moved, only_mark=only_mark)
    told = moved.run("check")
    assert told.exit_code == 1
    assert "another writer" in told.output
    assert "gcloud logging read" in told.output
    assert f"A human was paged: {rule} checkout" in moved.run("explain").output
    assert list(moved.document["pages"]) == [f"{rule} checkout"]


def test_a_mark_that_is_left_alone_is_not_told_as_the_next_write(moved: Desk) -> None:
    for _ in range(6):
        undo(moved, only_mark=True)
    for verb in ("plan", "explain", "check"):
        told = moved.run(verb).output
        assert "is left alone" in " ".join(told.split())
        assert "It would write" not in told
        assert "writes this" not in told
    assert moved.json("plan")["services"][0]["mark_left_alone"]
    assert "A human was paged: mark checkout" in moved.run("status").output
    assert "A human was paged at" in moved.run("plan").output
    assert "would be paged" not in moved.run("plan").output


def test_history_without_a_document_is_read_from_the_journal(moved: Desk) -> None:
    (moved.state / "checkout.json").unlink()
    found = moved.run("history")
    assert "moved" in found.stdout
    assert "so this is the journal" in found.stderr
