"""A document that contradicts itself, as somebody at a shell sees it."""

from __future__ import annotations

import json

import pytest

from tests.support.desk import Desk

TOLD = "the primary is eu-west-1, and us-west-2 carries traffic"


@pytest.mark.parametrize("verb", ["check", "status", "explain", "plan", "tick"])
def test_no_verb_takes_it_for_good_and_each_says_what_to_do(desk: Desk, verb: str) -> None:
    desk.alert("primary-down.json")
    document = desk.document
    assert document["epoch"] == 1
    (desk.state / "checkout.json").write_text(json.dumps({**document, "primary": "eu-west-1"}))
    before = desk.routing.read_text()
    found = desk.run(verb)
    assert found.exit_code == 1, found.output
    flat = " ".join((found.stdout + found.stderr).split())
    assert TOLD in flat
    assert "failoverctl state restore checkout" in flat
    assert desk.routing.read_text() == before
