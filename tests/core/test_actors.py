"""An actor is a claim: how it is told."""

from __future__ import annotations

import pytest

from orchestrator.core.actors import claimed, words


@pytest.mark.parametrize(
    ("signal", "told"),
    [
        (
            "command c-1 failover us-west-2 by alice: a drill",
            "command c-1 failover us-west-2 by alice (as claimed): a drill",
        ),
        ("command c-1 ack by a: seen by b: ok", "command c-1 ack by a (as claimed): seen by b: ok"),
        (
            "state restore of generation 7 by alice",
            "state restore of generation 7 by alice (as claimed)",
        ),
        ("check --adopt by alice", "check --adopt by alice (as claimed)"),
        ("alert 0.a open by us-east-1", "alert 0.a open by us-east-1"),
        ("tick", "tick"),
        ("command c-1", "command c-1"),
        ("", ""),
    ],
)
def test_what_came_in_is_told_with_its_actor_as_claimed(signal: str, told: str) -> None:
    assert words(signal) == told


def test_a_name_that_says_that_it_was_checked_is_claimed_too() -> None:
    assert claimed("alice (verified)") == "alice (verified) (as claimed)"
