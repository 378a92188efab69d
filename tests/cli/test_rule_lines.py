"""A rule has one line, wherever it is told: who reads a page finds its text in the explanation."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from orchestrator.cli.verbs.explain import explain
from orchestrator.cli.verbs.history import history
from orchestrator.cli.verbs.plans import plan
from orchestrator.cli.words import gates, sentences
from orchestrator.core.rule import RULES, Cause, Reason, Rule, recorded_line
from orchestrator.flow.journal import record
from orchestrator.local.run import _reason
from tests.support.seat import Seat

NOW = datetime.fromisoformat("2026-11-23T05:00:00+00:00")
REASONS = [
    Reason(Rule.CONFIRM, False, "probe says healthy: 200", "probe, else hold", "us-east-1"),
    Reason(Rule.BRAKE, True, "1 of 3 regions newly down", "0.7 within 2m"),
    Reason(Rule.FREEZE, True, "frozen until 05:00"),
    Reason(Rule.SWITCH, False, "is ended by this decision", region="us-west-2", cause=Cause.ENDED),
]


@pytest.mark.parametrize(
    ("reason", "line"),
    list(
        zip(
            REASONS,
            [
                "refused confirm [us-east-1]: probe says healthy: 200 (limit probe, else hold)",
                "passed brake: 1 of 3 regions newly down (limit 0.7 within 2m)",
                "done freeze: frozen until 05:00",
                "ended switch [us-west-2]: is ended by this decision",
            ],
            strict=True,
        )
    ),
)
def test_a_reason_and_its_json_have_the_same_line(reason: Reason, line: str) -> None:
    assert str(reason) == line
    assert recorded_line(record.reason(reason)) == line
    assert gates.gate(record.reason(reason)) == line


def test_a_rule_of_a_newer_version_has_its_line_too() -> None:
    newer: dict[str, Any] = {"rule": "tide", "passed": False, "value": "low", "limit": None}
    assert gates.explained(newer) == ["refused tide: low"]


def test_what_a_rule_is_for_stands_on_a_line_of_its_own_below_its_refusal() -> None:
    refused, passed, *_ = map(record.reason, REASONS)
    line, meaning = gates.explained(refused)
    assert line == str(REASONS[0])
    assert meaning == f"  confirm means: {RULES[Rule.CONFIRM].meaning}"
    assert gates.explained(passed) == [str(REASONS[1])]


def test_make_run_has_the_same_line() -> None:
    for reason in REASONS:
        shown = re.sub(r"(?<!\\)\[/?[a-z]*\]", "", _reason(dict(record.reason(reason))))
        assert shown.replace("\\[", "[") == str(reason)


# --- from a page to its explanation ---------------------------------------------------------------


def held() -> Seat:
    """A world in which a freeze holds a move, and a human was paged for it."""
    seat = Seat()
    seat.lab.freeze(hours=1)
    seat.dies("us-east-1")
    return seat


def pages(seat: Seat) -> list[str]:
    """The texts of the lines that paged."""
    return [line["message"] for line in seat.lab.lines if line.get("page")]


def rule_line(page: str) -> str:
    """The rule's line in the text of a page."""
    found = re.search(r"refused freeze.*?\(limit [^)]*\)", page)
    assert found, page
    return found.group()


def test_the_rule_in_a_page_is_found_verbatim_in_its_explanation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seat = held()
    line = rule_line(pages(seat)[0])
    assert explain.carry_out(seat, "checkout", None)
    assert f"    {line}\n" in capsys.readouterr().out
    assert explain.carry_out(seat, "checkout", "0.dead")
    assert f"  {line}\n" in capsys.readouterr().out


def test_the_rule_in_a_page_is_found_in_the_log_and_in_the_plan(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seat = held()
    line = rule_line(pages(seat)[0])
    logged = [reason for entry in seat.lab.lines for reason in entry.get("reasons", ())]
    assert line in logged
    plan.carry_out(seat, "checkout")
    assert f"  {line}\n" in capsys.readouterr().out


def test_the_history_names_a_refusal_as_its_line_begins(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seat = held()
    begin = rule_line(pages(seat)[0]).partition(":")[0]
    assert history.carry_out(seat, "checkout", limit=5, journal=False)
    assert begin in capsys.readouterr().out


def test_every_reason_of_a_decision_is_told_by_its_line() -> None:
    entry: dict[str, Any] = {
        "id": "d1",
        "at": (NOW - timedelta(seconds=5)).isoformat(),
        "signal": "tick",
        "outcome": "held",
        "routing": {"us-east-1": 1.0},
        "reasons": [dict(record.reason(reason)) for reason in REASONS],
    }
    told = sentences.tell(entry, NOW)
    assert all(f"  {reason}" in told for reason in REASONS)
