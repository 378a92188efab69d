"""On a real terminal, nothing that a document says moves the cursor, hides or reorders text."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.outside.shown import HIDDEN
from tests.support.desk import Desk

ATTACK = (
    "\x1b]0;owned\x07\x1b[2J\x1b[1A\x9b31m\x00\x7f\r\n\x08\u2028\u202egnp\u2066\u200b\U000e0041"
)
"""Sets a title, clears the screen, goes up a line, breaks lines, turns text round, hides some."""

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ROOT = Path(__file__).parents[2]


def on_a_terminal(desk: Desk, *arguments: str) -> str:
    """What one command writes to its terminal, stdout and stderr together."""
    ours, its = pty.openpty()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "200"}
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", *arguments, "--config", str(desk.config)],
        stdin=its,
        stdout=its,
        stderr=its,
        cwd=desk.folder,
        env=environ,
    )
    os.close(its)
    told = b""
    try:
        while part := os.read(ours, 65536):
            told += part
    except OSError:  # Linux says so when the other end is closed
        pass
    finally:
        os.close(ours)
    process.wait()
    return told.decode()


def infected(value: Any, *, but: frozenset[str]) -> Any:  # any JSON
    """The value with the attack behind each text that is for people."""
    match value:
        case str():
            return value + ATTACK
        case dict():
            return {
                key: one if key in but else infected(one, but=but) for key, one in value.items()
            }
        case list():
            return [infected(one, but=but) for one in value]
        case _:
            return value


READ = frozenset({"at", "since", "until", "epoch", "outcome", "id", "phase"})
"""Fields of a decision that must be what they are, so that it is found and shown."""


@pytest.fixture
def attacked(desk: Desk) -> Desk:
    """A state folder whose document and journal somebody has written to."""
    desk.alert("primary-down.json")
    document = desk.document
    decision = {"id": "d1", "outcome": "held", "epoch": 0, "at": "2026-11-23T05:00:00Z"}
    made = {**decision, "signal": "alert", "primary": "us-east-1", "page": "a human is needed"}
    made |= {"reasons": [{"rule": "confirm", "passed": False, "value": "v", "region": "us-east-1"}]}
    found = [*document["history"], made]
    document["history"] = [infected(one, but=READ) for one in found]
    until = {"until": "2099-01-01T00:00:00Z", "since": "2026-01-01T00:00:00Z"}
    document["freeze"] = {**until, "actor": f"eve{ATTACK}", "reason": f"because{ATTACK}"}
    document["writer"] = f"w{ATTACK}"
    (desk.state / "checkout.json").write_text(json.dumps(document))
    for path in (desk.state / "journal").rglob("*.json"):
        entry = infected(json.loads(path.read_bytes()), but=READ)
        path.write_text(json.dumps(entry, ensure_ascii=False), "utf-8")
    entry = infected({**made, "command": "c1", "error": {"text": "t", "kind": "k"}}, but=READ)
    failed = desk.state / "journal" / "checkout" / "00000000-20261123T050000Z-failed-1.json"
    failed.parent.mkdir(parents=True, exist_ok=True)
    failed.write_text(json.dumps({**entry, "outcome": "failed"}))
    return desk


VERBS = (
    ("status", "checkout"),
    ("explain", "checkout"),
    ("explain", "checkout", "d1"),
    ("history", "checkout"),
    ("history", "checkout", "--journal"),
    ("plan", "checkout"),
    ("check", "checkout"),
    ("tick", "checkout", "--direct"),
    ("freeze", "checkout", "--for", "1h", "--reason", "x"),
    ("state", "show", "checkout"),
    ("status", "checkout", "--json"),
    ("history", "checkout", "--json"),
    ("explain", "checkout", "d1", "--json"),
)


@pytest.mark.long
@pytest.mark.parametrize("arguments", VERBS, ids=" ".join)
def test_a_terminal_gets_no_escape_but_our_own_colours(
    attacked: Desk, arguments: tuple[str, ...]
) -> None:
    told = on_a_terminal(attacked, *arguments)
    assert told.strip()
    assert "fault of failoverctl" not in told
    plain = COLOUR.sub("", told).replace("\r\n", "")
    assert not HIDDEN.search(plain), ascii(plain[max(0, _place(plain) - 80) :][:160])
    if "--json" not in arguments and arguments[0] in {"explain", "history"}:
        assert "\\x1b]0;owned\\x07" in told  # it is shown, and not left out


def _place(text: str) -> int:
    found = HIDDEN.search(text)
    return found.start() if found else 0


@pytest.mark.parametrize("verb", ["status", "explain", "history"])
def test_the_answer_in_json_is_json_and_holds_what_was_there(attacked: Desk, verb: str) -> None:
    found = attacked.run(verb, "checkout", "--json")
    json.loads(found.stdout)
    assert not HIDDEN.search(found.stdout.replace("\n", ""))


@pytest.mark.parametrize("verb", ["status", "explain", "history"])
def test_without_a_terminal_nothing_hidden_is_written_either(attacked: Desk, verb: str) -> None:
    found = attacked.run(verb, "checkout")
    assert not HIDDEN.search(found.output.replace("\n", ""))


def test_an_error_of_a_library_is_shown_in_one_line(desk: Desk) -> None:
    desk.config.write_text(f'"a{chr(92)}x1b]0;x{chr(92)}x07": 1\nversion: 1\n')
    found = desk.run("status")
    assert found.exit_code == 1
    assert not HIDDEN.search(found.output.replace("\n", ""))


@pytest.mark.parametrize("verb", ["status", "explain", "history", "state show"])
def test_a_decision_with_fields_of_other_types_is_told_and_not_a_fault(
    desk: Desk, verb: str
) -> None:
    """As somebody with access to the bucket may write them, in the document and the journal."""
    desk.alert("primary-down.json")
    document = desk.document
    odd_values: tuple[Any, ...] = (7, {}, [[]], None)  # any JSON
    odd = [dict.fromkeys(document["history"][0], value) for value in odd_values]
    document["history"] = [*document["history"], *odd, {}]
    (desk.state / "checkout.json").write_text(json.dumps(document))
    for number, entry in enumerate([*odd, {}, [], "[" * 100_000]):
        text = entry if isinstance(entry, str) else json.dumps(entry)
        name = f"00000001-20261123T050000Z-failed-{number}.json"
        (desk.state / "journal" / "checkout" / name).write_text(text)
    for more in ([], ["--json"]):
        found = desk.run(*verb.split(), "checkout", *more)
        assert "fault of failoverctl" not in found.output
