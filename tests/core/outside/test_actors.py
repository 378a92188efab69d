"""An actor is a claim: how it is told."""

from __future__ import annotations

from orchestrator.core.outside.actors import claimed


def test_a_name_that_says_that_it_was_checked_is_claimed_too() -> None:
    assert claimed("alice (verified)") == "alice (verified) (as claimed)"
