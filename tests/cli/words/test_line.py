"""How a line looks is decided where it is made, and never found out from its words."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from orchestrator.cli.words import sentences
from orchestrator.cli.words.gates import gate
from orchestrator.cli.words.line import Line, style_of
from orchestrator.core.model import Json

NOW = datetime(2026, 11, 23, 5, tzinfo=UTC)
MOVE: Json = {
    "outcome": "moved",
    "epoch": 1,
    "epoch_before": 0,
    "routing": {"us-west-2": 1.0},
    "routing_before": {"us-east-1": 1.0},
}


def test_it_is_plain_text_wherever_no_screen_is() -> None:
    line = Line("It HELD", "bold yellow")
    assert json.dumps([line]) == '["It HELD"]'
    assert f"{line}." == "It HELD."


@pytest.mark.parametrize(
    ("reason", "style"),
    [
        ({"rule": "brake", "passed": True}, "dim"),
        ({"rule": "brake", "passed": False}, "yellow"),
        ({"rule": "freeze", "passed": True}, ""),
        ({"rule": "switch", "passed": False, "cause": "ended"}, "yellow"),
    ],
)
def test_a_rule_looks_as_its_verdict(reason: Json, style: str) -> None:
    assert style_of(gate(reason)) == style
    assert style_of(sentences.indented([gate(reason)])[0]) == style


@pytest.mark.parametrize(
    ("entry", "style"),
    [
        (MOVE, "bold green"),
        ({**MOVE, "outcome": "held"}, "bold yellow"),
        ({**MOVE, "outcome": "abandoned"}, "bold yellow"),
        ({**MOVE, "outcome": "unchanged"}, ""),
    ],
)
def test_a_decision_looks_as_its_outcome(entry: Json, style: str) -> None:
    assert style_of(sentences.headline(entry)) == style


def test_a_reason_with_our_capitals_in_it_looks_like_any_other() -> None:
    """A human may write `it HELD, and REFUSED nothing` as the reason of a command."""
    signal = {"kind": "command", "id": "c", "verb": "ack", "actor": "a", "reason": "it HELD"}
    came = sentences.tell({**MOVE, "signal": signal}, NOW)[1]
    assert "it HELD" in came
    assert style_of(came) == ""
