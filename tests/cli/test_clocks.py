"""A laptop whose clock is off: what is done from there goes by the servers' time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.cli.commanding.order import Manner
from orchestrator.cli.verbs.tick import tick
from orchestrator.core.model import Freeze
from tests.support.fakes import START
from tests.support.seat import Seat

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
APPLY, DIRECT, UNSEEN = (
    Manner(True, False, True),
    Manner(True, True, True),
    Manner(True, False, False),
)
SLOW, FAST = timedelta(seconds=-45), timedelta(days=1)

Told = pytest.CaptureFixture[str]


@pytest.mark.parametrize("off", [SLOW, FAST])
def test_a_direct_failover_keeps_the_whole_fence_whatever_the_laptops_clock(
    off: timedelta, capsys: Told
) -> None:
    seat = Seat(off=off)
    assert seat.command("failover", Manner(True, True, False), region=WEST)
    switch = seat.lab.state.switch
    assert switch is not None
    assert switch.since == START
    assert seat.lab.state.regions[EAST].fenced_until == START + timedelta(minutes=5)
    side = "45s behind" if off is SLOW else "24h ahead of"
    assert f"The clock of this machine is {side}" in capsys.readouterr().err


def test_a_direct_switch_is_followed_to_its_end_by_the_servers_time() -> None:
    seat = Seat(off=SLOW)
    assert seat.command("failover", DIRECT, region=WEST)
    assert seat.lab.state.primary == WEST
    assert seat.lab.clock.at - START >= timedelta(seconds=45)


def test_a_fast_direct_tick_ends_no_freeze() -> None:
    seat = Seat(off=FAST)
    seat.lab.freeze(hours=1)
    assert tick.carry_out(seat, "checkout", apply=True, direct=True)
    assert isinstance(seat.lab.state.freeze, Freeze)


@pytest.mark.parametrize("off", [SLOW, FAST])
def test_a_published_command_has_the_servers_time_and_is_obeyed(off: timedelta) -> None:
    seat = Seat(off=off)
    assert seat.command("failover", APPLY, region=WEST, now=True)
    (message,) = seat.wire.events
    assert message["issued_at"].startswith("2026-11-23T05:00:00")
    assert seat.lab.state.primary == WEST


def test_without_the_state_the_time_is_the_compute_apis() -> None:
    seat = Seat(off=FAST)
    seat.lose_sight()
    seat.lab.traffic.says = START
    seat.command("failover", UNSEEN, region=WEST, now=True)
    (message,) = seat.wire.events
    assert message["issued_at"] == "2026-11-23T05:00:00Z"


def test_a_clock_that_is_right_is_not_spoken_of(capsys: Told) -> None:
    seat = Seat(off=timedelta(seconds=1))
    seat.command("ack", DIRECT)
    assert "clock" not in capsys.readouterr().err


def test_a_command_is_given_after_each_that_was_seen_to_be_obeyed() -> None:
    """The server's time has whole seconds, so the next command may seem to be a little older."""
    seat = Seat()
    assert seat.command("failover", DIRECT, region=WEST, now=True)
    seat.rests.append(0)  # so that the next command has an id of its own
    seat.lab.clock.at -= timedelta(seconds=0.9)
    assert seat.command("failover", DIRECT, region=EUROPE, now=True)
    assert seat.lab.state.primary == EUROPE


@pytest.mark.parametrize(
    ("wish", "order", "line"),
    [
        ("failover", {"region": WEST, "now": True}, f"failover checkout --to {WEST} --now"),
        ("freeze", {"until": timedelta(hours=2)}, "freeze checkout --for 7200s"),
        ("evacuate", {"region": EAST}, f"evacuate {EAST} --service checkout"),
        ("failback", {"override": "target_healthy"}, "failback checkout --override target_healthy"),
    ],
)
def test_a_command_that_came_too_late_is_told_with_the_line_that_repeats_it(
    wish: str, order: dict[str, object], line: str, capsys: Told
) -> None:
    seat = Seat()
    seat.lab.tick()
    later = START + timedelta(minutes=1)

    def somebody_is_faster() -> None:
        seat.lab.clock.at = later
        seat.lab.command("failover", EUROPE, now=True)
        seat.lab.command("unfreeze")
        seat.lab.clock.at = START

    seat.wire.listens = False
    seat.wire.afterwards = [somebody_is_faster, seat.deliver]
    seat.meanwhile = [seat.deliver]
    assert not seat.command(wish, **order)  # type: ignore[arg-type]  # fields of the order
    told = capsys.readouterr().out
    assert f"To give it again: failoverctl {line} --apply --reason 'a drill'" in told
