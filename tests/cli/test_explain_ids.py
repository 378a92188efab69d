"""`explain` finds an incident by the id it came with, also where the record has another form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.cli.verbs.explain import explain
from tests.support.desk import Desk
from tests.support.seat import Seat

EAST, WEST = "us-east-1", "us-west-2"


def alert(identity: object, region: str = EAST, state: str = "open") -> dict[str, Any]:
    """A notification as Monitoring sends it."""
    labels = {"service": "checkout", "region": region}
    told = {"incident_id": identity, "state": state, "policy_user_labels": labels}
    return {"version": "1.2", "incident": told}


def send(desk: Desk, told: dict[str, Any]) -> None:
    """The notification arrives at the function."""
    file = desk.folder / "alert.json"
    file.write_text(json.dumps(told))
    desk.alert(str(file))


def explained(desk: Desk, identity: str) -> str:
    """What `explain` says of that id."""
    found = desk.run("explain", "checkout", identity)
    assert found.exit_code == 0, found.output
    return found.stdout


HASHED = {
    "long": "projects/p/incidents/" + "x" * 80,
    "a blank": "0.abc def",
    "signs": 'a/b?c="d" & e@f',
    "our own words": "0.a open us-west-2 by alice: x",
    "other letters": "\u4e2d\u6587 incident",
    "a lone surrogate": "0.\ud800",
    "a region's sign": "0.abc@us-west-2",
}


@pytest.mark.parametrize("given", HASHED.values(), ids=HASHED)
def test_an_incident_is_found_by_the_form_that_monitoring_gave(desk: Desk, given: str) -> None:
    """From the alert's JSON to the words: as it stands in the alert, and as the record has it."""
    send(desk, alert(given))
    [kept] = desk.document["incidents"]
    assert kept.startswith("sha256:")
    for identity in (given, kept, f" {given}\n"):
        told = explained(desk, identity)
        assert f"Incident {kept} of us-east-1" in told
        assert f"Cloud Monitoring opened incident {kept}: us-east-1 fails." in told
        assert "It MOVED the traffic from us-east-1 to us-west-2" in told
        assert "No decision came of it" not in told


@pytest.mark.parametrize("given", ["0.plain", 1234567890123], ids=["text", "a number"])
def test_an_id_of_plain_letters_is_found_with_blanks_around_it(desk: Desk, given: object) -> None:
    send(desk, alert(f"  {given}\t" if isinstance(given, str) else given))
    assert list(desk.document["incidents"]) == [str(given)]
    assert "It MOVED" in explained(desk, str(given))
    assert "It MOVED" in explained(desk, f" {given} ")


def test_one_id_of_two_regions_tells_of_both(desk: Desk) -> None:
    send(desk, alert("0.shared"))
    send(desk, alert("0.shared", "eu-west-1"))
    assert set(desk.document["incidents"]) == {"0.shared", "0.shared@eu-west-1"}
    told = explained(desk, "0.shared")
    assert "Incident 0.shared of us-east-1" in told
    assert "Incident 0.shared@eu-west-1 of eu-west-1" in told
    second = explained(desk, "0.shared@eu-west-1")
    assert "opened incident 0.shared: eu-west-1 fails" in second
    assert "Incident 0.shared of us-east-1" not in second


@pytest.mark.parametrize("word", ["open", "us-east-1", "alert", "alice:", "kind"])
def test_a_word_of_the_record_is_no_id(desk: Desk, word: str) -> None:
    send(desk, alert("0.plain"))
    found = desk.run("explain", "checkout", word)
    assert found.exit_code == 1
    assert "nothing is recorded of" in found.stderr


# --- what older versions wrote -------------------------------------------------------------------


def rewritten(desk: Desk, **changed: object) -> None:
    """The document's newest decision as another version wrote it, and no journal."""
    document = desk.document
    document["history"][0].update(changed)
    (desk.state / "checkout.json").write_text(json.dumps(document))
    for file in (desk.state / "journal" / "checkout").iterdir():
        file.unlink()


def test_a_move_on_an_incident_with_a_blank_that_an_older_version_kept_is_found(desk: Desk) -> None:
    """Its id was kept as it came, in the incidents and within a sentence."""
    send(desk, alert("0.abc"))
    rewritten(desk, signal="alert 0.abc def open us-east-1")
    document = desk.document
    document["incidents"] = {"0.abc def": document["incidents"]["0.abc"]}
    (desk.state / "checkout.json").write_text(json.dumps(document))
    told = explained(desk, "0.abc def")
    assert "Incident 0.abc def of us-east-1" in told
    assert "Cloud Monitoring opened incident 0.abc def: us-east-1 fails." in told
    assert "MOVE the traffic from us-east-1 to us-west-2" in told


def test_a_command_that_an_older_version_recorded_is_told_alike(desk: Desk) -> None:
    done = ("--reason", "a drill", "--direct", "--apply")
    assert desk.run("failover", "checkout", "--to", WEST, "--now", *done).exit_code == 0
    came = desk.document["history"][0]["signal"]
    before = explained(desk, came["id"])
    sentence = f"command {came['id']} failover {WEST} by {came['actor']}: a drill"
    rewritten(desk, signal=sentence)
    assert [line for line in explained(desk, came["id"]).splitlines() if "Command" in line] == [
        line for line in before.splitlines() if "Command" in line
    ]


# --- a command's switch --------------------------------------------------------------------------


def without_commands(seat: Seat) -> None:
    """Have reasons name no command but in their words, as older versions wrote them."""
    for name in ("checkout.json", *seat.lab.objects.names("journal/")):
        data, generation = seat.lab.objects.get(name) or (b"", 0)
        whole = json.loads(data)
        for entry in whole.get("history", [whole]):
            for reason in entry["reasons"]:
                reason.pop("command", None)
        seat.lab.objects.put(name, json.dumps(whole).encode(), generation)


@pytest.mark.parametrize("older", [False, True], ids=["as data", "in an older version's words"])
def test_the_decision_that_ended_a_commands_switch_is_told_with_the_command(
    older: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    seat = Seat()
    seat.lab.command("failover", WEST, id="c-1")
    seat.lab.freeze()
    if older:
        without_commands(seat)
    assert explain.carry_out(seat, "checkout", "c-1")
    told = capsys.readouterr().out
    assert "this decision ends the switch" in told
    assert "freeze: by alice (as claimed): a drill." in told


def test_a_command_whose_id_begins_another_ones_is_not_taken_for_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`c-1` stands in `c-12`, and their decisions have nothing to do with one another."""
    seat = Seat()
    seat.lab.command("ack", id="c-1")
    seat.lab.command("failover", WEST, id="c-12")
    seat.lab.freeze()
    assert explain.carry_out(seat, "checkout", "c-1")
    assert "c-12" not in capsys.readouterr().out
