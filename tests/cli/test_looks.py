"""What `status`, `explain`, `check` and `plan` show of a world that is not well."""

from __future__ import annotations

import json
from functools import partial

import pytest

from orchestrator.cli.commanding.order import Manner
from orchestrator.cli.verbs.check import check
from orchestrator.cli.verbs.explain import explain
from orchestrator.cli.verbs.plans import plan
from orchestrator.cli.verbs.status import status
from orchestrator.core.exceptions import Unavailable
from tests.support.seat import Seat

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
DIRECT = Manner(True, True, True)

Told = pytest.CaptureFixture[str]


def look(seat: Seat) -> bool:
    """One status."""
    return status.carry_out(seat, None, watch=False, every=1)


# --- status --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["corrupt", "gone"])
def test_without_a_document_status_shows_load_balancer_and_probes_all_the_same(
    fault: str, capsys: Told
) -> None:
    seat = Seat()
    seat.lab.tick()
    seat.lab.down(WEST)
    if fault == "gone":
        seat.lose_sight()
    else:
        got = seat.lab.objects.get("checkout.json")
        assert got is not None
        seat.lab.objects.put("checkout.json", b"{", got[1])
    assert not look(seat)
    captured = capsys.readouterr()
    assert "document:      cannot be read" in captured.out
    assert "load balancer: checkout gives us-east-1 traffic and carries no mark" in captured.out
    assert "failing (503)" in captured.out
    assert ("corrupt" if fault == "corrupt" else "ConnectionError") in captured.err


def test_without_document_and_load_balancer_the_probes_are_shown(capsys: Told) -> None:
    seat = Seat(as_json=True)
    seat.lose_sight()

    def fail() -> None:
        seat.lab.traffic.before_read.append(fail)
        raise Unavailable("Compute API: 503")

    seat.lab.traffic.before_read.append(fail)
    assert not look(seat)
    (view,) = json.loads(capsys.readouterr().out)["services"]
    assert view["document"] is None
    assert view["load_balancer"] is None
    assert view["error"]["kind"] == "StateLost"
    assert [region["probe"]["detail"] for region in view["regions"]] == ["200"] * 3


def test_watching_in_a_pipe_tells_each_look_from_the_next(capsys: Told) -> None:
    seat = Seat()

    def enough() -> None:
        raise KeyboardInterrupt

    seat.meanwhile = [lambda: None, enough]
    assert status.carry_out(seat, None, watch=True, every=30)
    told = capsys.readouterr().out
    assert "as of 2026-11-23 05:00:00 UTC\n\n" in told
    assert "as of 2026-11-23 05:00:30 UTC\n\n" in told


def test_a_region_that_a_human_chose_is_not_called_proven(capsys: Told) -> None:
    seat = Seat()
    seat.lab.tick()
    seat.dies(WEST)
    assert seat.command("failover", DIRECT, region=WEST, now=True, override="target_healthy")
    capsys.readouterr()
    look(seat)
    assert "up (chosen)" in capsys.readouterr().out
    explain.carry_out(seat, None, None)
    told = capsys.readouterr().out
    assert "chose it, and it has not proven healthy since" in told
    assert "sent the traffic there in spite of it. Only a newer incident counts" in told
    assert "has proven healthy since" not in told
    assert "The alerts of us-west-2 were overridden, although its probe fails." in told
    seat.lab.down()
    seat.lab.clock.rest(60)
    seat.lab.down(WEST)
    seat.lab.handle(seat.lab.opened(WEST, "0.newer"))
    seat.lab.handle(seat.lab.closed(WEST, "0.newer"))
    seat.lab.down()
    seat.lab.tick(8)
    look(seat)
    assert "(chosen)" not in capsys.readouterr().out


def test_a_forced_switch_that_is_refused_leaves_the_dead_region_down(capsys: Told) -> None:
    seat = Seat()
    seat.lab.tick()
    seat.dies(EUROPE)
    assert not seat.command("failover", region=EUROPE, override="target_healthy")
    assert seat.lab.state.regions[EUROPE].status == "down"
    explain.carry_out(seat, "checkout", "0.dead")
    assert "still open" in capsys.readouterr().out


# --- what is under way ---------------------------------------------------------------------------


def test_a_running_switch_stands_at_the_head_of_explain_and_plan(capsys: Told) -> None:
    seat = Seat()
    seat.lab.command("failover", WEST)
    for verb in (partial(explain.carry_out, seat, None, None), partial(plan.carry_out, seat, None)):
        verb()
        head = capsys.readouterr().out.partition("The last decision")[0]
        assert "SWITCHING to us-west-2 (fencing): us-east-1 takes no writes until" in head


def test_a_freeze_that_has_had_its_time_is_shown_no_more(capsys: Told) -> None:
    seat = Seat()
    seat.lab.freeze(hours=1)
    look(seat)
    assert "FROZEN until 2026-11-23 06:00:00 UTC by alice" in capsys.readouterr().out
    seat.lab.clock.rest(3601)
    look(seat)
    assert "FROZEN" not in capsys.readouterr().out


def test_explain_of_a_command_tells_the_end_of_its_switch_too(capsys: Told) -> None:
    seat = Seat()
    seat.lab.command("failover", WEST, id="c-mine")
    seat.lab.freeze()
    assert explain.carry_out(seat, "checkout", "c-mine")
    told = capsys.readouterr().out
    assert "It began a graceful switch" in told
    assert "ended switch [us-west-2]" in told


# --- check ---------------------------------------------------------------------------------------


def findings(seat: Seat, capsys: Told) -> tuple[bool, dict[str, tuple[str, str]]]:
    """Whether it would work, and by what was looked at the level and what was found."""
    fine = check.carry_out(seat, None, apply=False, adopt=False)
    found = json.loads(capsys.readouterr().out)["findings"]
    return fine, {one["what"]: (one["level"], f"{one['detail']}; {one['do']}") for one in found}


def test_check_fails_when_nobody_could_take_over(capsys: Told) -> None:
    seat = Seat(as_json=True)
    seat.lab.tick()
    fine, found = findings(seat, capsys)
    assert fine
    assert found["failover"][0] == "ok"
    seat.lab.down(WEST, EUROPE)
    fine, found = findings(seat, capsys)
    assert not fine
    assert found["failover"][0] == "FAIL"
    assert "nobody could take over if us-east-1 fails" in found["failover"][1]
    assert found["next tick"][0] == "ok"


def test_check_fails_when_a_lag_that_nobody_tells_would_hold_every_failover(capsys: Told) -> None:
    """The file states a limit and no health endpoint tells a lag: the decision would be to hold."""
    seat = Seat(as_json=True, policy={"max_replication_lag": "60s"})
    seat.lab.tick()
    fine, found = findings(seat, capsys)
    assert not fine
    assert found["failover"][0] == "FAIL"
    assert "replication_lag" in found["failover"][1]
    for region in (WEST, EUROPE):
        seat.lab.lags(region, us_east_1=1)
    fine, found = findings(seat, capsys)
    assert fine
    assert found["failover"][0] == "ok"


def test_check_fails_with_every_region_dead(capsys: Told) -> None:
    seat = Seat(as_json=True, policy={"brake": {"share": 1.0, "within": "2m"}})
    seat.lab.tick()
    seat.lab.down(EAST, WEST, EUROPE)
    for region in (EAST, WEST, EUROPE):
        seat.lab.handle(seat.lab.opened(region))
    fine, found = findings(seat, capsys)
    assert not fine
    assert found["next tick"][0] == "FAIL"
    assert "last_region" in found["next tick"][1]
    assert "It moves as soon as one proves healthy" in found["next tick"][1]


def test_check_warns_of_a_held_tick_and_of_what_holds_automation(capsys: Told) -> None:
    seat = Seat(as_json=True)
    seat.lab.freeze()
    fine, found = findings(seat, capsys)
    assert fine
    assert found["automation"][0] == "warn"
    assert "frozen by alice" in found["automation"][1]
    seat.dies(EAST)
    fine, found = findings(seat, capsys)
    assert fine
    assert found["next tick"][0] == "warn"
    assert "held: refused freeze" in found["next tick"][1]


def test_check_fails_without_the_control_topic_and_not_without_events(capsys: Told) -> None:
    seat = Seat(as_json=True)
    seat.lab.tick()
    seat.wire.error = Unavailable("topics/failover-control: ServiceUnavailable: 503")
    fine, found = findings(seat, capsys)
    assert not fine
    assert found["topic None"][0] == "FAIL"
    assert "--direct" in found["topic None"][1]
    seat.wire.error = Unavailable("403 PermissionDenied", page=True)
    assert findings(seat, capsys)[0]
