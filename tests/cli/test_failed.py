"""An outage, and the commands that were given in it, as the person at the shell is told."""

from __future__ import annotations

import json

import pytest

from orchestrator.cli.commanding.order import Manner
from orchestrator.cli.verbs.explain import explain
from orchestrator.cli.verbs.history import history
from orchestrator.core.exceptions import FailoverError
from tests.support.seat import Seat

WEST, EUROPE = "us-west-2", "eu-west-1"
Told = pytest.CaptureFixture[str]


def words(text: str) -> str:
    """The text without its line breaks."""
    return " ".join(text.split())


class Outage(Seat):
    """A seat during an outage of the Compute API: the function answers 5xx."""

    def __init__(self, as_json: bool = False) -> None:
        super().__init__(as_json=as_json)
        self.lab.tick()
        self.lab.traffic.is_gone = True
        self.wire.listens = False
        self.wire.afterwards = [self.answer_5xx]

    def answer_5xx(self) -> None:
        """The function takes the last command, and fails."""
        with pytest.raises(FailoverError):
            self.deliver()


def test_whoever_waits_is_told_first_what_is_unavailable_and_then_what_was_tried(
    capsys: Told,
) -> None:
    seat = Outage()
    assert not seat.command("failover", region=WEST, now=True)
    told = words(capsys.readouterr().err)
    first, waits, tried, end = (
        told.index("from here, the load balancer (Compute API) is unavailable: 503"),
        told.index("Published as command told-0. Waiting at most 90 s"),
        told.index("an orchestrator took the command and failed: the load balancer"),
        told.index("nobody has carried out command told-0 within 90 s. It was tried and failed"),
    )
    assert first < waits < tried < end
    assert "it is obeyed if that ends before 05:15:00 UTC" in told
    assert "poison" not in told
    assert "`failoverctl explain checkout told-0` tells what came of it" in told


def test_an_outage_that_only_this_person_sees_is_told_and_the_command_is_obeyed(
    capsys: Told,
) -> None:
    seat = Seat()
    seat.lab.tick()
    seat.lab.traffic.is_gone = True

    def over() -> None:
        seat.lab.traffic.is_gone = False
        seat.deliver()

    seat.wire.listens = False
    seat.meanwhile = [over]
    assert seat.command("failover", region=WEST, now=True)
    assert "No traffic can move without it" in capsys.readouterr().err
    assert seat.lab.state.primary == WEST


def test_a_freeze_needs_no_load_balancer_and_says_so(capsys: Told) -> None:
    seat = Outage()
    assert seat.command("unfreeze")
    assert "A command unfreeze is recorded nevertheless" in words(capsys.readouterr().err)


def test_explain_and_history_find_a_command_that_failed(capsys: Told) -> None:
    seat = Outage()
    seat.command("failover", Manner(True, False, False), region=WEST, now=True)
    capsys.readouterr()
    assert explain.carry_out(seat, "checkout", "told-0")
    told = words(capsys.readouterr().out)
    assert "Command told-0, failover: us-west-2 by" in told
    assert "It FAILED: the load balancer (Compute API) is unavailable: 503" in told
    assert "Nothing was decided on the command. Pub/Sub delivers it again" in told
    assert "before 2026-11-23 05:15:00 UTC" in told
    assert history.carry_out(seat, "checkout", limit=20, journal=False)
    assert "failed" in capsys.readouterr().out
    assert explain.carry_out(seat, "checkout", None)
    assert "It FAILED: the load balancer" in words(capsys.readouterr().out)


def test_when_it_is_over_the_decision_stands_beside_the_failure(capsys: Told) -> None:
    seat = Outage(as_json=True)
    seat.command("failover", Manner(True, False, False), region=WEST, now=True)
    seat.lab.traffic.is_gone = False
    seat.deliver()
    capsys.readouterr()
    assert history.carry_out(seat, "checkout", limit=2, journal=False)
    entries = json.loads(capsys.readouterr().out)["history"]
    assert [entry["outcome"] for entry in entries] == ["moved", "failed"]
    assert explain.carry_out(seat, "checkout", None)
    answer = json.loads(capsys.readouterr().out)
    assert answer["decision"]["outcome"] == "moved"
    assert "It FAILED" not in str(answer["sentences"])
