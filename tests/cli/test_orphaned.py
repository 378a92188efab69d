"""What the verbs say of a load balancer that carries an epoch beside an empty state folder."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.cli.verbs.check import check
from orchestrator.cli.verbs.explain import explain
from orchestrator.cli.verbs.plans import plan
from orchestrator.cli.verbs.status import status
from orchestrator.core.document import trigger
from orchestrator.core.model import Mark
from orchestrator.core.traffic.fence import write_mark
from tests.support.desk import Desk
from tests.support.seat import Seat

CAUSES = ("bucket or prefix", "backend_service", "state restore checkout --apply", "--adopt")


def seat(*, as_json: bool = True) -> Seat:
    """A person beside such a world."""
    made = Seat(as_json=as_json)
    made.lab.traffic.resource["description"] = write_mark("", "checkout", Mark(7, 99))
    return made


def answer(capsys: pytest.CaptureFixture[str]) -> Any:  # JSON
    """What was answered."""
    return json.loads(capsys.readouterr().out)


def found(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The finding about the state document."""
    (one,) = [f for f in answer(capsys)["findings"] if f["what"] == "state document"]
    assert isinstance(one, dict)
    return one


def test_explain_does_not_say_that_nothing_was_ever_handled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not explain.carry_out(seat(), "checkout", None)
    (sentence,) = answer(capsys)["sentences"]
    assert "carries epoch 7 of checkout" in sentence
    assert all(cause in sentence for cause in CAUSES)
    assert "ever handled" not in sentence


def test_explain_does_not_know_while_the_load_balancer_cannot_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    person = seat()
    person.lab.traffic.is_gone = True
    assert explain.carry_out(person, "checkout", None)
    (sentence,) = answer(capsys)["sentences"]
    assert "is not known" in sentence


def test_status_names_the_missing_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert not status.carry_out(seat(), "checkout", watch=False, every=1)
    (view,) = answer(capsys)["services"]
    assert view["error"]["kind"] == "Orphaned"
    assert view["load_balancer"]["epoch"] == 7
    assert not status.carry_out(seat(as_json=False), "checkout", watch=False, every=1)
    told = capsys.readouterr()
    assert "missing, and the load balancer carries its mark" in told.out
    assert "check --apply" not in told.out
    assert all(cause in told.err for cause in CAUSES)


def test_plan_says_that_a_tick_would_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert not plan.carry_out(seat(), "checkout")
    (view,) = answer(capsys)["services"]
    assert view["error"]["kind"] == "Orphaned"


@pytest.mark.parametrize("apply", [False, True])
def test_check_fails_and_creates_nothing_without_adopt(
    capsys: pytest.CaptureFixture[str], apply: bool
) -> None:
    person = seat()
    assert not check.carry_out(person, "checkout", apply=apply, adopt=False)
    one = found(capsys)
    assert one["level"] == "FAIL"
    assert all(cause in one["detail"] for cause in CAUSES)
    assert not person.lab.state_exists


def test_check_adopts_when_a_human_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    person = seat()
    check.carry_out(person, "checkout", apply=True, adopt=True)
    one = found(capsys)
    assert one["level"] == "ok"
    assert "adopted now: epoch 8, primary us-east-1" in one["detail"]
    assert person.lab.state.epoch == 8
    assert "failover epoch=8" in person.lab.traffic.resource["description"]
    (entry,) = person.lab.state.history
    came = trigger.read(entry["signal"])
    assert came.kind is trigger.TriggerOrigin.ADOPT
    assert came.actor


def test_adopt_where_nothing_was_lost_makes_the_first_document(
    capsys: pytest.CaptureFixture[str],
) -> None:
    person = Seat(as_json=True)
    check.carry_out(person, "checkout", apply=True, adopt=True)
    assert found(capsys)["level"] == "ok"
    assert person.lab.state.epoch == 0


def test_adopt_alone_is_a_usage_error(desk: Desk) -> None:
    said = desk.run("check", "--adopt")
    assert said.exit_code == 2
    assert "--apply" in said.output
