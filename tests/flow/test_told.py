"""What decisions tell of commands: what they did, what they ended, what was set aside."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core.document.orders import effect
from orchestrator.core.model import Command, DecisionOutcome, Paged, Status, Wish
from orchestrator.core.moves.necessary import nowhere
from orchestrator.core.rule import Reason, Rule
from tests.support.fakes import Lab, lab

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"


def carrying(world: Lab) -> set[str]:
    """The regions that the load balancer gives traffic."""
    return {name for name, scaler in world.traffic.scalers().items() if scaler > 0}


def refused(report: Any) -> set[str]:
    """The rules that refused."""
    return {reason.rule for reason in report.decision.reasons if not reason.passed}


def failed_over() -> Lab:
    """East has failed over to west."""
    world = lab()
    world.tick()
    world.down(EAST)
    world.handle(world.opened(EAST))
    return world


# --- what ends a switch says so ------------------------------------------------------------------


def told(report: Any, rule: str) -> list[str]:
    """The values of the reasons of that rule."""
    return [reason.value for reason in report.decision.reasons if reason.rule == rule]


ENDING = {
    "a freeze": lambda world: world.freeze(),
    "another target": lambda world: world.command("failover", EUROPE, now=True),
    "the present primary": lambda world: world.command("failover", EAST),
}


@pytest.mark.parametrize("what", ENDING)
def test_a_command_that_ends_a_switch_says_so_with_the_command_that_asked_for_it(what: str) -> None:
    world = lab()
    world.command("failover", WEST, id="c-switch")
    report = ENDING[what](world)
    assert world.state.switch is None
    (value,) = told(report, "switch")
    assert value == ("this decision ends the switch to us-west-2, asked for by command c-switch")
    assert "c-switch" in str(world.state.history[0]["reasons"])


def test_a_second_switch_says_that_it_ends_the_first_and_what_it_promises_itself() -> None:
    world = lab()
    world.command("failover", WEST, id="c-first")
    begun, ended = told(world.command("failover", EUROPE, id="c-second"), "switch")
    assert begun == (
        "us-east-1 takes no writes. The traffic moves to eu-west-1 soon after 05:00:45 UTC. If it"
        " cannot move before 05:04:55 UTC, us-east-1 takes writes again"
    )
    assert "c-first" in ended


def test_a_necessary_move_and_an_adoption_say_that_they_end_a_switch() -> None:
    world = lab()
    world.command("failover", EUROPE, id="c-1")
    world.down(EAST)
    (value,) = told(world.handle(world.opened(EAST)), "switch")
    assert "c-1" in value
    world = lab()
    world.command("failover", EUROPE, id="c-2")
    world.traffic.resource["description"] = "failover epoch=9 service=checkout rev=5"
    world.traffic.resource["fingerprint"] = "newer"
    (value,) = told(world.tick(), "switch")
    assert "c-2" in value
    assert world.state.switch is None


def test_a_switch_that_ends_by_itself_says_it_once_and_whose_it_was() -> None:
    world = lab()
    world.command("failover", WEST, id="c-1")
    world.clock.rest(60)
    (value,) = told(world.tick(), "switch")
    assert "asked for by command c-1" in value
    world = lab()
    world.lags(WEST, us_east_1=90)
    world.command("failover", WEST, id="c-2")
    world.clock.rest(300)
    report = world.tick()
    (value,) = told(report, "switch")
    assert "asked for by command c-2, is given up" in value
    assert "replication_lag" in refused(report)  # what it waited for is in the record


# --- what a command did --------------------------------------------------------------------------


def test_freeze_and_unfreeze_say_what_they_did() -> None:
    world = lab()
    assert told(world.command("unfreeze"), "unfreeze") == ["automation was not frozen"]
    assert told(world.freeze(hours=2), "freeze") == ["frozen until 2026-11-23 07:00:00 UTC"]
    (value,) = told(world.freeze(hours=1), "freeze")
    assert value == (
        "frozen until 2026-11-23 06:00:00 UTC, in place of the freeze of alice (as claimed) until"
        " 2026-11-23 07:00:00 UTC"
    )
    early = world.clock.at - timedelta(minutes=1)
    (value,) = told(world.command("unfreeze", issued_at=early), "command")
    assert "which is in force" in value
    (value,) = told(world.command("unfreeze"), "unfreeze")
    assert value == "the freeze of alice (as claimed) until 2026-11-23 06:00:00 UTC has ended"


def test_ack_says_how_many_moves_it_acknowledged() -> None:
    world = failed_over()
    assert told(world.command("ack"), "ack") == ["1 automatic move acknowledged"]
    world.clock.rest(1)
    assert told(world.command("ack"), "ack") == ["nothing to acknowledge"]


def test_ack_names_the_pages_whose_reminders_stop() -> None:
    world = failed_over()
    now = world.clock.at
    pages = {
        "drift checkout": Paged(now, now, now, 1),
        "brake": Paged(now, now, now, 1, quiet=True),
    }
    command = Command("x", Wish.ACK, "alice", "seen", now)
    state = replace(world.state, pages=pages, moves=())
    assert [r.value for r in effect(state, command, now)] == [
        "reminders of 1 page stop: drift checkout"
    ]


def test_nowhere_says_what_refuses_the_regions_that_are_up() -> None:
    def refused(rule: str, region: str) -> Reason:
        return Reason(Rule(rule), False, "", region=region)

    lag = [refused("replication_lag", "b"), refused("replication_lag", "c")]
    assert nowhere(lag) == "b and c are up, and their replication lag refuses them"
    assert nowhere(lag[:1]) == "b is up, and its replication lag refuses it"
    down = refused("target_healthy", "c")
    assert nowhere([down]) == "no other region is up and answers its probe"
    assert nowhere([]) == "no other region is up and answers its probe"
    resting = refused("cooldown", "c")
    assert nowhere([resting, down]) == "no other region is up and answers its probe"
    assert nowhere([resting]) == "c is in its cooldown and has not proven healthy since"


@pytest.mark.parametrize("hours", [0, -1, 400 * 24])
def test_a_freeze_that_does_not_end_soon_enough_is_refused_wherever_it_comes_from(
    hours: float,
) -> None:
    world = lab()
    report = world.freeze(hours=hours)
    assert report.decision.outcome is DecisionOutcome.HELD
    assert refused(report) == {"command"}
    assert world.state.freeze is None
    assert refused(world.command("freeze", until=None)) == {"command"}


# --- overrides and what is set aside -------------------------------------------------------------


def test_an_override_of_what_a_switch_asks_again_needs_now_and_begins_no_switch() -> None:
    world = lab()
    world.down(EUROPE)
    world.handle(world.opened(EUROPE))
    report = world.command("failover", EUROPE, override="target_healthy")
    assert report.decision.outcome is DecisionOutcome.HELD
    assert "--override needs --now" in told(report, "target_healthy")[0]
    assert world.state.switch is None
    assert world.state.regions[EAST].fenced_until is None
    assert world.state.regions[EUROPE].status is Status.DOWN
    world.down()
    world.lags(WEST, us_east_1=900)
    report = world.command("failover", WEST, override="replication_lag")
    assert refused(report) == {"replication_lag"}
    assert world.state.switch is None
    world.command("failover", WEST, override="replication_lag", now=True)
    assert carrying(world) == {WEST}


def test_incidents_are_set_aside_when_the_traffic_moves_and_not_before() -> None:
    world = lab(policy={"min_incidents": 2})
    world.handle(world.opened(WEST, "0.one"))
    world.down(WEST)
    world.tick()
    world.down()
    world.command("failover", WEST, id="c-1")
    assert world.state.switch is not None
    assert not world.state.incidents["0.one"].settled
    world.clock.rest(60)
    world.tick()
    assert carrying(world) == {WEST}
    assert world.state.incidents["0.one"].set_aside == "command c-1"


def test_a_switch_that_is_given_up_leaves_health_as_it_was() -> None:
    world = lab(policy={"min_incidents": 2})
    world.down(WEST)
    world.handle(world.opened(WEST, "0.one"))
    world.down()
    world.command("failover", WEST)
    world.down(WEST)
    world.handle(world.opened(WEST, "0.two"))
    world.clock.rest(60)
    world.tick()
    assert world.state.switch is None
    assert world.state.regions[WEST].status is Status.DOWN


def test_who_chose_a_region_that_was_down_stands_beside_its_incidents() -> None:
    world = lab()
    world.down(WEST)
    world.handle(world.opened(WEST, "0.old"))
    world.command("failover", WEST, now=True, override="target_healthy")
    assert world.state.incidents["0.old"].set_aside == "alice"
    world.handle(world.opened(WEST, "0.old"))
    assert world.state.incidents["0.old"].set_aside == "alice"


def test_a_recovering_target_says_how_many_probes_are_counted() -> None:
    world = failed_over()
    world.down()
    world.clock.rest(60)
    world.tick()
    (value,) = told(world.command("failover", EAST), "target_healthy")
    assert value == "status down, probe: 200 (1 of 3 healthy probes counted)"
    world.handle(world.closed(EAST))
    (value,) = told(world.command("failover", EAST), "target_healthy")
    assert value == "status recovering, probe: 200 (1 of 3 healthy probes counted)"
