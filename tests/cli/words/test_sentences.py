"""What people read of a decision is what became of its own epoch."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.cli.words.sentences import became_of, headline

PLAN = "checkout by capacity: scale us-west-2 to 1 (epoch 2)"


@pytest.mark.parametrize(
    ("entry", "lines"),
    [
        (
            {"phase": "verified", "shifted": [PLAN]},
            [
                "This call patched the load balancer and read it back: it was as decided.",
                f"Written: {PLAN}",
            ],
        ),
        (
            {"phase": "verified", "shifted": []},
            [
                "The load balancer was read afterwards: it was as decided.",
            ],
        ),
        (
            {"phase": None, "shifted": [], "superseded_by": 2},
            ["This call did not patch the load balancer for it: epoch 2 superseded it."],
        ),
        (
            {"phase": "applied", "shifted": [PLAN], "superseded_by": 3},
            [
                "This call patched the load balancer. It did not read the result back.",
                f"Written: {PLAN}",
                "Epoch 3 has superseded this decision since.",
            ],
        ),
        ({"phase": None, "shifted": []}, []),
        ({}, []),
    ],
)
def test_what_became_of_a_decision_never_claims_another_s_patch(
    entry: dict[str, Any], lines: list[str]
) -> None:
    assert became_of(entry) == lines


def test_an_entry_of_patches_alone_names_the_decision_that_they_carry_out() -> None:
    entry = {"outcome": "shifted", "epoch": 2, "of": "d-1", "routing": {"us-west-2": 1.0}}
    assert headline(entry) == "It decided nothing and carried out epoch 2, decided as d-1."
    assert headline({**entry, "of": None}) == "It decided nothing and carried out epoch 2."
