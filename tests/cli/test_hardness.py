"""`failoverctl` when things are bad: one JSON value whatever happens, no traceback."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from orchestrator.cli import table
from orchestrator.cli.app import cli
from orchestrator.cli.session import Session, side_by_side
from orchestrator.cli.verb import Verbs, verb
from orchestrator.cli.words.times import long
from orchestrator.core.exceptions import FailoverError, Unavailable
from tests.support.desk import ALERTS, Desk


def broken(desk: Desk) -> Path:
    """The document, cut short."""
    path = desk.state / "checkout.json"
    path.write_text('{"schema": 1, ')
    return path


def journal_of(desk: Desk) -> list[Path]:
    """The journal's files of the one service."""
    return sorted((desk.state / "journal" / "checkout").glob("*.json"))


# --- one JSON value ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (("exlain",), "UsageError"),
        (("explain", "chekout"), "UsageError"),
        (("status", "--every", "0"), "BadParameter"),
        (("parse", "nothing.json"), "BadParameter"),
        (("replay",), "MissingParameter"),
        (("status", "--nonsense"), "NoSuchOption"),
    ],
)
def test_a_wrong_command_is_told_in_json_too(
    desk: Desk, command: tuple[str, ...], kind: str
) -> None:
    assert desk.json(*command, status=2)["error"]["kind"] == kind


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("explain",),
        ("history",),
        ("plan",),
        ("tick",),
        ("tick", "--apply"),
        ("tick", "--apply", "--direct"),
        ("check",),
        ("state", "show"),
    ],
)
def test_a_corrupt_document_is_one_json_value_of_every_verb(
    desk: Desk, command: tuple[str, ...]
) -> None:
    desk.alert("primary-down.json")
    broken(desk)
    found = desk.json(*command, status=1)
    assert "orrupt" in json.dumps(found) or command == ("tick", "--apply")


def test_a_document_or_version_that_is_not_there_is_an_error_in_json(desk: Desk) -> None:
    assert desk.json("state", "show", status=1)["error"]["kind"] == "NoDocument"
    found = desk.json("state", "show", "--generation", "77", status=1)
    assert "no generation 77" in found["error"]["message"]
    assert desk.json("state", "show", "--versions")["versions"] == []
    assert "no version is kept" in desk.run("state", "show", "--versions").stdout


def test_rubbish_is_shown_as_it_is_and_stays_one_json_value(desk: Desk) -> None:
    desk.alert("primary-down.json")
    path = broken(desk)
    assert desk.json("state", "show", status=1)["error"]["bytes"] == path.read_text()


@pytest.mark.parametrize("source", ["gs://", "gs://bucket", "gs:///object"])
def test_a_url_that_names_no_object_is_a_usage_error(source: str) -> None:
    found = CliRunner().invoke(cli, ["status", "--config", source])
    assert found.exit_code == 2
    assert "gs://BUCKET/OBJECT" in found.stderr


# --- how a verb ends -----------------------------------------------------------------------------


def ending(error: BaseException, *arguments: str) -> Any:
    """A verb that raises this."""
    group = Verbs("failoverctl")

    @verb
    def fall(session: Session) -> bool:
        """Fall."""
        del session
        raise error

    assert fall.name == "fall"
    group.add_command(fall)
    return CliRunner().invoke(group, ["fall", *arguments])


def test_a_fault_of_the_program_is_an_answer_and_no_traceback() -> None:
    found = ending(ValueError("odd"), "--json")
    assert found.exit_code == 1
    told = json.loads(found.stdout)["error"]
    assert told["kind"] == "Unexpected"
    assert re.search(r"ValueError: odd \(test_hardness.py:\d+\)", told["message"])
    assert "Traceback" not in ending(ValueError("odd")).output


def test_the_traceback_is_there_for_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILOVERCTL_TRACEBACK", "1")
    assert isinstance(ending(ValueError("odd")).exception, ValueError)


def test_ctrl_c_is_no_success_of_a_verb_that_had_something_to_do() -> None:
    found = ending(KeyboardInterrupt(), "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["error"]["kind"] == "Interrupted"


# --- one service must not hide another ------------------------------------------------------------


@pytest.fixture
def two(desk: Desk) -> Desk:
    """A desk with a second service, whose document is corrupt."""
    desk.second()
    desk.state.mkdir()
    (desk.state / "orders.json").write_text("rubbish")
    return desk


@pytest.mark.parametrize(
    "command", [("status",), ("plan",), ("tick",), ("tick", "--apply", "--direct")]
)
def test_a_service_that_fails_hides_no_other(two: Desk, command: tuple[str, ...]) -> None:
    checkout, orders = two.json(*command, status=1)["services"]
    assert "error" not in checkout
    assert orders["service"] == "orders"
    assert orders["error"]["kind"] == "Unavailable"
    assert "history orders --journal" in orders["error"]["advice"]
    found = two.run(*command)
    assert "checkout" in found.stdout
    assert "orders.json is corrupt" in found.stderr


def test_check_tells_of_every_service_and_what_to_do(two: Desk) -> None:
    findings = two.json("check", status=1)["findings"]
    assert {"checkout", "orders"} <= {one["service"] for one in findings}
    (fault,) = [one for one in findings if one["level"] == "FAIL"]
    assert fault["service"] == "orders"
    assert "history orders --journal" in fault["do"]
    assert all(not one["do"] for one in findings if one["level"] == "ok")


def test_an_id_may_stand_alone_and_is_looked_for_in_every_service(two: Desk) -> None:
    two.alert("primary-down.json")
    (entry,) = two.json("history", "checkout")["history"]
    assert two.json("explain", entry["id"])["service"] == "checkout"
    assert two.json("explain", "0.nwg9th6llz4w")["decision"]["id"] == entry["id"]


# --- explain --------------------------------------------------------------------------------------


def test_explain_of_an_id_reads_the_journal_when_the_document_cannot_be_read(desk: Desk) -> None:
    desk.alert("primary-down.json")
    (entry,) = desk.json("history")["history"]
    broken(desk)
    for identity in (entry["id"], "0.nwg9th6llz4w"):
        text = desk.run("explain", identity).stdout
        assert "this is from the journal" in text
        assert "It MOVED the traffic" in text
    assert desk.json("explain", "0.other", status=1)["error"]["kind"] == "Unavailable"


def test_explain_says_in_json_too_what_a_tick_would_do(desk: Desk) -> None:
    assert desk.json("explain")["next"] is None
    desk.alert("primary-down.json")
    coming = desk.json("explain")["next"]
    assert coming["outcome"] == "unchanged"
    assert coming["plan"]["empty"]
    assert "No rule was checked" in desk.run("explain").stdout


def test_an_unknown_id_suggests_the_near_one_and_lists_no_crowd(desk: Desk) -> None:
    desk.alert("primary-down.json")
    assert "Did you mean '0.nwg9th6llz4w'?" in desk.run("explain", "0.nwg9th6llz4").stderr
    assert "nwg9" not in desk.run("explain", "something-else").stderr


def test_one_spoilt_journal_entry_hides_no_other(desk: Desk) -> None:
    desk.alert("primary-down.json")
    (good,) = journal_of(desk)
    good.with_name("99999999-20261123T000000Z-bad.json").write_text("rubbish")
    found = desk.run("history", "--journal", "--json")
    assert found.exit_code == 0
    assert len(json.loads(found.stdout)["history"]) == 1
    assert "left out" in found.stderr


@pytest.mark.parametrize("kept", [True, False], ids=["journal", "no journal"])
@pytest.mark.parametrize(
    ("field", "odd"),
    [
        ("id", []),
        ("id", {}),
        ("epoch", None),
        ("epoch", ["1"]),
        ("outcome", {}),
        ("reasons", [{"rule": ["x"], "passed": False, "region": "us-east-1"}]),
        ("reasons", [{"rule": "switch", "passed": False, "command": ["c"]}]),
        ("signal", {"kind": ["alert"], "incident": 7}),
        ("signal", {"kind": "of a newer version", "more": {}}),
    ],
)
def test_an_odd_entry_of_the_history_is_told_as_it_stands(
    desk: Desk, field: str, odd: object, kept: bool
) -> None:
    desk.alert("primary-down.json")
    document = desk.document
    entry = {**document["history"][0], "outcome": "held", field: odd}
    (desk.state / "checkout.json").write_text(json.dumps({**document, "history": [entry]}))
    for file in journal_of(desk):
        file.write_text(json.dumps(entry)) if kept else file.unlink()
    asked = (("explain",), ("explain", "0.nwg9th6llz4w"), ("history",), ("history", "--journal"))
    for command in asked:
        assert "fault of failoverctl" not in desk.run(*command).output


def test_replay_says_nothing_of_having_shifted_anything(desk: Desk) -> None:
    assert not desk.run("replay", str(ALERTS / "primary-down.json")).stderr


# --- what does not answer ------------------------------------------------------------------------


def test_what_does_not_answer_costs_its_time_once() -> None:
    """All are asked at once: each waits until all six are under way, which one by one never is."""
    together = Barrier(6)

    def silent() -> str:
        together.wait(30)
        raise Unavailable("no answer")

    found = side_by_side(dict.fromkeys("abcdef", silent))
    assert all(isinstance(one, FailoverError) for one in found.values())


# --- on the screen -------------------------------------------------------------------------------

ROWS = [("us-east-1", "down", "0.ngaueculyuxa"), ("us-west-2", "up", "-")]


def drawn(width: int, *, terminal: bool) -> list[str]:
    """A table on a screen so wide."""
    console = Console(
        file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, _environ={}
    )
    return table.lines(console, ("region", "status", "open incidents"), ROWS)


def test_a_table_breaks_no_word_and_ends_no_line_in_blanks() -> None:
    wide = drawn(120, terminal=True)
    assert len(wide) == 4
    assert wide[2].split() == list(ROWS[0])
    assert all(line == line.rstrip() for line in wide)


def test_a_table_that_does_not_fit_becomes_blocks() -> None:
    narrow = drawn(25, terminal=True)
    assert [line.strip() for line in narrow[:3]] == [
        "us-east-1",
        "status          down",
        "open incidents  0.ngaueculyuxa",
    ]


def test_a_pipe_is_as_wide_as_it_must_be() -> None:
    assert drawn(25, terminal=False)[2].split() == list(ROWS[0])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (200, "3m 20s"), (7500, "2h 5m"), (793_000, "9d 4h")],
)
def test_a_long_time_is_told_in_its_two_largest_units(seconds: int, text: str) -> None:
    assert long(seconds) == text
