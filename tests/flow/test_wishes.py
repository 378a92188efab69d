"""What humans command and automation wishes: freezes, switches, ramps, failback."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core.document.orders import KEPT as COMMANDS_KEPT
from orchestrator.core.exceptions import Unavailable
from orchestrator.core.health.counting import LONGEST_PROOF, proof_needed
from orchestrator.core.model import DecisionOutcome, Phase, Status, Step, Tick
from orchestrator.core.traffic.fence import read_mark
from tests.support.fakes import FAILING, HEALTHY, Lab, lab

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"


def carrying(world: Lab) -> set[str]:
    """The regions that the load balancer gives traffic."""
    return {name for name, scaler in world.traffic.scalers().items() if scaler > 0}


def refused(report: Any) -> set[str]:
    """The rules that refused."""
    return {reason.rule for reason in report.decision.reasons if not reason.passed}


def failed_over(**overrides: Any) -> Lab:
    """East has failed over to west."""
    world = lab(**overrides)
    world.tick()
    world.down(EAST)
    world.handle(world.opened(EAST))
    assert carrying(world) == {WEST} or overrides.get("mode") == "active-active"
    return world


def recovered(**overrides: Any) -> Lab:
    """The same, and ticks have proven east well again."""
    world = failed_over(**overrides)
    world.down()
    world.clock.rest(60)
    world.tick(3)
    assert world.state.regions[EAST].status is Status.UP
    return world


# --- freeze --------------------------------------------------------------------------------------


def test_a_freeze_stops_automation_pages_and_says_who_and_why() -> None:
    world = lab()
    assert world.freeze().decision.outcome is DecisionOutcome.OBEYED
    world.down(EAST)
    report = world.handle(world.opened(EAST))
    assert report.decision.outcome is DecisionOutcome.HELD
    assert refused(report) == {"freeze"}
    assert "alice" in report.decision.page
    assert carrying(world) == {EAST}
    assert world.state.regions[EAST].status is Status.DOWN


def test_a_freeze_ends_by_itself_and_the_next_tick_acts() -> None:
    world = lab()
    world.freeze(hours=1)
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.clock.rest(3500)
    world.tick()
    assert carrying(world) == {EAST}
    world.clock.rest(200)
    world.tick()
    assert world.state.freeze is None
    assert carrying(world) == {WEST}


def test_unfreezing_lets_the_held_move_go_at_once() -> None:
    world = lab()
    world.freeze()
    world.down(EAST)
    world.handle(world.opened(EAST))
    report = world.command("unfreeze")
    assert report.decision.outcome is DecisionOutcome.MOVED
    assert carrying(world) == {WEST}


def test_while_frozen_drift_is_left_alone_and_named() -> None:
    world = failed_over()
    world.freeze()
    world.traffic.resource["backends"][2]["capacityScaler"] = 1.0
    world.traffic.resource["fingerprint"] = "drifted"
    world.tick()
    assert carrying(world) == {WEST, EUROPE}
    assert any(
        "drift is not repaired, because automation is frozen by alice" in line["message"]
        for line in world.lines
    )
    world.command("unfreeze")
    assert carrying(world) == {WEST}


def test_a_freeze_between_commit_and_patch_does_not_stop_the_epoch_that_is_committed() -> None:
    world = lab()
    world.down(EAST)
    world.traffic.before_patch.append(lambda: void(world.freeze()))
    world.handle(world.opened(EAST))
    assert world.state.freeze is not None
    assert carrying(world) == {WEST}
    assert read_mark(world.traffic.resource["description"], "checkout") == world.state.mark


def void(_: object) -> None:
    """Forget a value."""


def test_a_human_moves_while_it_is_frozen() -> None:
    world = lab()
    world.freeze()
    world.down(EAST)
    assert world.command("failover", WEST).decision.outcome is DecisionOutcome.MOVED
    assert carrying(world) == {WEST}


# --- commands ------------------------------------------------------------------------------------


def test_a_command_is_carried_out_once_however_often_it_comes() -> None:
    world = lab()
    world.down(EAST)
    issued = world.clock.at
    world.command("failover", WEST, id="c-1", issued_at=issued)
    world.down(EAST, WEST)
    world.handle(world.opened(WEST))
    assert carrying(world) == {EUROPE}
    report = world.command("failover", WEST, id="c-1", issued_at=issued)
    assert report.decision.outcome is DecisionOutcome.UNCHANGED
    assert refused(report) == {"command"}
    assert not report.decision.changed
    assert carrying(world) == {EUROPE}


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_command_of_long_ago_or_of_another_clock_is_refused(minutes: float) -> None:
    world = lab()
    issued = world.clock.at + timedelta(minutes=minutes)
    report = world.command("failover", WEST, issued_at=issued)
    assert refused(report) == {"command"}
    assert carrying(world) == {EAST}
    assert world.state.history[0]["outcome"] == "held"


def test_the_ids_of_commands_are_kept_for_a_day_and_the_newest_for_longer() -> None:
    world = lab()
    world.command("ack", id="old")
    world.clock.rest(25 * 3600)
    for number in range(COMMANDS_KEPT):
        world.command("ack", id=f"new-{number}")
        world.clock.rest(1)
    assert "old" in world.state.commands
    world.command("ack", id="last")
    assert "old" not in world.state.commands
    assert len(world.document["commands"]) == COMMANDS_KEPT + 1


def test_a_manual_move_passes_the_cooldown_and_does_not_start_it() -> None:
    world = recovered()
    report = world.command("failover", EAST, now=True)
    assert report.decision.outcome is DecisionOutcome.MOVED
    assert [move.left for move in world.state.moves] == [(EAST,)]
    world.down(EAST)
    world.handle(world.opened(EAST, "0.again"))
    assert carrying(world) == {WEST}


def test_a_target_that_is_not_healthy_is_refused_and_an_override_names_its_rule() -> None:
    world = lab()
    world.down(EAST, WEST)
    report = world.command("failover", WEST, now=True)
    assert refused(report) == {"target_healthy"}
    assert carrying(world) == {EAST}
    report = world.command("failover", WEST, now=True, override="cooldown")
    assert refused(report) == {"target_healthy"}
    report = world.command("failover", WEST, now=True, override="target_healthy")
    assert carrying(world) == {WEST}
    assert any("overridden by alice" in reason.value for reason in report.decision.reasons)


def test_a_humans_choice_sets_aside_what_was_known_against_the_region() -> None:
    world = lab()
    world.down(WEST)
    world.handle(world.opened(WEST, "0.old"))
    world.command("failover", WEST, now=True, override="target_healthy")
    assert carrying(world) == {WEST}
    world.handle(world.opened(WEST, "0.old"))
    world.tick()
    assert carrying(world) == {WEST}
    world.clock.rest(60)
    world.handle(world.opened(WEST, "0.new"))
    assert carrying(world) == {EUROPE}  # east is where the human took the traffic from


def test_a_region_that_this_instance_does_not_know_is_refused() -> None:
    report = lab().command("failover", "mars-north-1")
    assert refused(report) == {"command"}


def test_an_acknowledged_hold_resumes() -> None:
    world = lab(policy={"max_auto_failovers": {"count": 1, "within": "24h"}})
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.down(EAST, WEST)
    world.clock.rest(300)
    assert refused(world.handle(world.opened(WEST))) >= {"max_auto_failovers"}
    assert carrying(world) == {WEST}
    report = world.command("ack")
    assert report.decision.outcome is DecisionOutcome.MOVED
    assert carrying(world) == {EUROPE}


def test_evacuating_the_primary_goes_to_the_next_region_that_is_well() -> None:
    world = lab()
    world.down(WEST)
    world.handle(world.opened(WEST))
    assert world.command("evacuate", EAST, now=True).decision.outcome is DecisionOutcome.MOVED
    assert carrying(world) == {EUROPE}
    report = world.command("evacuate", WEST)
    assert report.decision.outcome is DecisionOutcome.OBEYED
    assert carrying(world) == {EUROPE}


def test_a_manual_command_racing_an_automatic_move_is_decided_on_what_it_left() -> None:
    world = lab()
    world.down(EAST)
    put = world.objects.put
    raced: list[bool] = []

    def slow(name: str, data: bytes, generation: int) -> int:
        if name == "checkout.json" and not raced:
            raced.append(True)
            world.command("failover", EUROPE)
        return put(name, data, generation)

    world.objects.put = slow  # type: ignore[method-assign]  # somebody is faster, once
    world.handle(world.opened(EAST))
    assert carrying(world) == {EUROPE}
    assert world.state.primary == EUROPE
    assert world.state.epoch == 1


# --- the graceful switch -------------------------------------------------------------------------


def test_a_switch_fences_the_old_primary_waits_and_moves_in_one_epoch() -> None:
    world = lab()
    report = world.command("failover", WEST)
    assert report.decision.outcome is DecisionOutcome.SWITCHING
    assert carrying(world) == {EAST}
    assert world.state.epoch == 0
    fence = world.state.regions[EAST].fenced_until
    assert fence == world.clock.at + timedelta(minutes=5)
    assert world.document["regions"][EAST]["fenced_until"]
    world.clock.rest(44)
    world.tick()
    assert carrying(world) == {EAST}
    world.clock.rest(2)
    world.tick()
    assert carrying(world) == {WEST}
    assert world.state.epoch == 1
    assert world.state.switch is None
    assert world.state.regions[EAST].fenced_until is None
    assert world.state.moves == ()


def test_a_switch_waits_for_the_replica_and_is_given_up_at_its_deadline() -> None:
    world = lab()
    world.lags(WEST, us_east_1=90)
    world.command("failover", WEST)
    world.clock.rest(60)
    world.tick()
    assert world.document["switch"]["step"] == Step.DRAINING
    world.clock.rest(240)
    world.tick()
    assert carrying(world) == {EAST}
    assert world.state.switch is None
    assert world.state.regions[EAST].fenced_until is None
    assert world.state.history[0]["outcome"] == DecisionOutcome.ABANDONED


def test_a_switch_moves_when_the_replica_has_caught_up() -> None:
    world = lab()
    world.lags(WEST, us_east_1=90)
    world.command("failover", WEST)
    world.clock.rest(60)
    world.tick()
    world.lags(WEST, us_east_1=0.4)
    world.clock.rest(60)
    world.tick()
    assert carrying(world) == {WEST}


def test_a_switch_is_given_up_when_its_target_falls_ill() -> None:
    world = lab()
    world.command("failover", WEST)
    world.down(WEST)
    world.clock.rest(60)
    world.tick()
    assert carrying(world) == {EAST}
    assert world.state.switch is None
    assert world.state.history[0]["outcome"] == DecisionOutcome.ABANDONED


def test_a_freeze_ends_a_switch_and_opens_its_fence() -> None:
    world = lab()
    world.command("failover", WEST)
    world.freeze()
    assert world.state.switch is None
    assert world.state.regions[EAST].fenced_until is None
    world.clock.rest(60)
    world.tick()
    assert carrying(world) == {EAST}


def test_the_old_primary_dying_in_a_switch_is_a_necessary_move_that_ends_it() -> None:
    world = lab()
    world.command("failover", EUROPE)
    world.down(EAST)
    world.handle(world.opened(EAST))
    assert carrying(world) == {WEST}
    assert world.state.switch is None
    assert world.state.regions[EAST].fenced_until is None


def test_a_dead_primary_is_left_without_waiting() -> None:
    world = lab()
    world.down(EAST)
    report = world.command("failover", WEST)
    assert report.decision.outcome is DecisionOutcome.MOVED
    assert carrying(world) == {WEST}


def test_two_orchestrators_ticking_end_a_switch_in_one_epoch() -> None:
    world = lab()
    world.command("failover", WEST)
    world.clock.rest(60)
    world.traffic.before_patch.append(lambda: void(world.handle(Tick())))
    world.tick()
    assert carrying(world) == {WEST}
    assert world.state.epoch == 1


# --- failback ------------------------------------------------------------------------------------


def test_nothing_goes_back_by_itself_unless_it_is_asked_to() -> None:
    world = recovered()
    world.tick(120)
    assert carrying(world) == {WEST}


def test_a_human_brings_the_traffic_back_gracefully() -> None:
    world = recovered()
    assert world.command("failback").decision.outcome is DecisionOutcome.SWITCHING
    world.clock.rest(60)
    world.tick()
    assert carrying(world) == {EAST}
    assert world.state.primary == EAST


def test_automatic_failback_comes_after_proven_health_and_by_a_switch() -> None:
    world = recovered(policy={"failback": "auto", "failback_after": "30m"})
    world.tick(28)
    assert world.document["switch"] is None
    assert carrying(world) == {WEST}
    world.clock.rest(180)
    world.tick()
    assert world.state.switch is not None
    world.clock.rest(60)
    world.tick()
    assert carrying(world) == {EAST}
    assert world.state.moves[0].left == (EAST,)


def test_no_automatic_failback_within_the_cooldown_of_a_move() -> None:
    world = recovered(
        policy={"failback": "auto", "failback_after": "1m", "cooldown": "2h"},
    )
    world.tick(60)
    assert carrying(world) == {WEST}
    assert world.document["switch"] is None
    world.clock.rest(3600)
    world.tick()
    assert world.state.switch is not None


def test_no_automatic_failback_while_frozen() -> None:
    world = recovered(policy={"failback": "auto", "failback_after": "1m", "cooldown": "1m"})
    world.freeze(hours=2)
    world.tick(30)
    assert carrying(world) == {WEST}
    assert world.state.switch is None


def test_automatic_failback_does_not_undo_what_a_human_chose() -> None:
    world = lab(policy={"failback": "auto", "failback_after": "1m", "cooldown": "1m"})
    world.tick()
    world.command("failover", WEST, now=True)
    world.tick(60)
    assert carrying(world) == {WEST}
    assert world.document["evacuated"] == [EAST]
    world.command("failback", now=True)
    assert carrying(world) == {EAST}
    assert world.document["evacuated"] == []


def test_an_evacuated_region_is_the_last_that_automation_goes_to() -> None:
    world = lab()
    world.command("evacuate", EAST, now=True)
    world.down(WEST)
    world.handle(world.opened(WEST))
    assert carrying(world) == {EUROPE}
    world.down(WEST, EUROPE)
    world.clock.rest(300)
    world.handle(world.opened(EUROPE))
    assert carrying(world) == {EAST}
    assert world.state.evacuated == ()


def test_while_frozen_an_apply_that_wipes_the_mark_too_is_left_alone() -> None:
    world = failed_over()
    world.freeze()
    for backend in world.traffic.resource["backends"]:
        backend["capacityScaler"] = 1.0 if EAST in backend["group"] else 0.0
    world.traffic.resource.update(description="as Terraform has it", fingerprint="old plan")
    world.tick()
    assert carrying(world) == {EAST}
    world.command("unfreeze")
    assert carrying(world) == {WEST}


def test_an_unfreeze_that_was_given_before_the_freeze_and_comes_late_does_not_lift_it() -> None:
    world = lab()
    given = world.clock.at
    world.clock.rest(60)
    world.freeze()
    world.command("unfreeze", issued_at=given)
    assert world.state.freeze is not None


def test_a_resource_with_our_mark_and_no_region_at_all_is_repaired() -> None:
    world = failed_over(lever="membership")
    world.traffic.resource.update(backends=[], fingerprint="emptied")
    world.tick()
    assert carrying(world) == {WEST}


# --- active-active -------------------------------------------------------------------------------


def test_a_region_is_given_back_step_by_step() -> None:
    world = failed_over(mode="active-active")
    assert carrying(world) == {WEST, EUROPE}
    world.down()
    world.clock.rest(60)
    world.tick(3)
    report = world.command("failback")
    assert report.decision.outcome is DecisionOutcome.RAMPED
    assert world.traffic.scalers()[EAST] == 0.1
    epochs = [world.state.epoch]
    for expected in (0.5, 1.0):
        world.clock.rest(240)
        world.tick()
        assert world.traffic.scalers()[EAST] != expected
        world.clock.rest(60)
        world.tick()
        assert world.traffic.scalers()[EAST] == expected
        epochs.append(world.state.epoch)
    assert epochs == [2, 3, 4]
    assert world.state.ramp is None
    world.tick(10)
    assert world.state.epoch == 4


def test_a_new_incident_on_the_ramp_takes_all_of_it_away_again() -> None:
    world = failed_over(mode="active-active")
    world.down()
    world.clock.rest(60)
    world.tick(3)
    world.command("failback")
    world.down(EAST)
    world.clock.rest(60)
    world.handle(world.opened(EAST, "0.again"))
    assert carrying(world) == {WEST, EUROPE}
    assert world.state.ramp is None


def test_a_ramp_ends_for_an_incident_even_when_automation_may_move_no_more() -> None:
    world = failed_over(
        mode="active-active", policy={"max_auto_failovers": {"count": 1, "within": "24h"}}
    )
    world.down()
    world.clock.rest(60)
    world.tick(3)
    world.command("failback")
    world.down(EAST)
    world.clock.rest(60)
    report = world.handle(world.opened(EAST, "0.again"))
    assert report.decision.outcome is DecisionOutcome.ABANDONED
    assert carrying(world) == {WEST, EUROPE}


def test_another_region_failing_during_a_ramp_gives_the_climbing_one_all_it_can_carry() -> None:
    world = failed_over(mode="active-active")
    world.down()
    world.clock.rest(60)
    world.tick(3)
    world.command("failback")
    world.down(WEST)
    world.clock.rest(30)
    world.handle(world.opened(WEST))
    assert carrying(world) == {EAST, EUROPE}
    assert world.traffic.scalers()[EAST] == 1.0
    assert world.state.ramp is None


def test_serverless_groups_come_back_in_one_step() -> None:
    world = failed_over(mode="active-active", lever="membership")
    world.down()
    world.clock.rest(60)
    world.tick(3)
    world.command("failback")
    groups = {b["group"].rsplit("checkout-", 1)[-1] for b in world.traffic.resource["backends"]}
    assert groups == {EAST, WEST, EUROPE}
    assert world.state.ramp is None


def test_automatic_failback_climbs_the_ramp() -> None:
    world = failed_over(
        mode="active-active",
        policy={"failback": "auto", "failback_after": "10m", "ramp_step": "5m"},
    )
    world.down()
    world.clock.rest(60)
    world.tick(40)
    assert world.traffic.scalers()[EAST] == 1.0
    assert world.state.ramp is None


def test_evacuating_one_of_several_drains_it_unless_too_few_stay() -> None:
    world = lab(mode="active-active", policy={"min_healthy_regions": 2})
    assert world.command("evacuate", EAST).decision.outcome is DecisionOutcome.MOVED
    assert carrying(world) == {WEST, EUROPE}
    assert refused(world.command("evacuate", WEST)) == {"min_healthy_regions"}
    world.command("evacuate", WEST, override="min_healthy_regions")
    assert carrying(world) == {EUROPE}
    assert "last_region" in refused(world.command("evacuate", EUROPE))


def test_failover_is_refused_where_every_region_carries_traffic() -> None:
    report = lab(mode="active-active").command("failover", WEST)
    assert refused(report) == {"command"}


# --- rules ---------------------------------------------------------------------------------------


def test_the_proof_doubles_with_each_relapse_within_a_day() -> None:
    world = lab(policy={"max_auto_failovers": {"count": 100, "within": "24h"}})
    ticks = []
    for number in range(4):
        world.down(EAST)
        world.clock.rest(60)
        world.handle(world.opened(EAST, f"0.{number}"))
        world.handle(world.closed(EAST, f"0.{number}"))
        world.down()
        count = 0
        while world.state.regions[EAST].status is not Status.UP:
            world.clock.rest(60)
            world.tick()
            count += 1
        ticks.append(count)
    assert ticks == [3, 6, 12, 24]
    world.clock.rest(25 * 3600)
    world.down(EAST)
    world.handle(world.opened(EAST, "0.later"))
    world.down()
    world.clock.rest(60)
    world.tick(3)
    assert world.state.regions[EAST].status is Status.UP


def test_a_proof_takes_no_longer_than_an_hour() -> None:
    world = lab()
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.down()
    state = world.state
    assert state.regions[EAST].recoveries == 0
    often = replace(state.regions[EAST], recoveries=30, proven_at=world.clock.at)
    assert proof_needed(often, world.service.policy, world.clock.at) == LONGEST_PROOF


def test_a_move_that_leaves_too_few_healthy_regions_is_held() -> None:
    world = lab(policy={"min_healthy_regions": 3})
    world.down(EAST)
    report = world.handle(world.opened(EAST))
    assert refused(report) == {"min_healthy_regions"}
    assert carrying(world) == {EAST}


def test_a_candidate_that_is_too_far_behind_is_passed_over() -> None:
    world = lab()
    world.down(EAST)
    world.lags(WEST, us_east_1=100)
    world.lags(EUROPE, us_east_1=2)
    report = world.handle(world.opened(EAST, ago=10))
    assert carrying(world) == {EUROPE}
    values = [str(r.value) for r in report.decision.reasons if r.rule == "replication_lag"]
    assert "at most 100.0 s behind us-east-1" in values[0]
    assert "at most 2.0 s behind us-east-1, the RPO estimate" in values[1]


def test_lag_does_not_hold_where_the_policy_says_proceed() -> None:
    world = lab(policy={"on_lag": "proceed"})
    world.down(EAST)
    world.lags(WEST, us_east_1=1000)
    world.handle(world.opened(EAST))
    assert carrying(world) == {WEST}


# --- the state is lost ---------------------------------------------------------------------------


class Lost:
    """A state folder that cannot be reached."""

    def get(self, name: str) -> None:
        """Nothing."""
        raise Unavailable(f"{name}: 503")

    put = get


def lose(world: Lab, region: str = EAST) -> None:
    """An alert comes while the state is lost."""
    with pytest.raises(Unavailable):
        world.handle(world.opened(region, "0.lost"), objects=Lost())


def test_with_the_state_lost_it_holds_by_default() -> None:
    world = failed_over()
    world.down(WEST)
    lose(world, WEST)
    assert carrying(world) == {WEST}
    assert "on_state_loss is hold" in world.pages[-1]


def test_with_the_state_lost_it_acts_once_where_the_policy_says_so_and_the_state_follows() -> None:
    world = failed_over(policy={"on_state_loss": "act"})
    world.down(EAST, WEST)
    lose(world, WEST)
    assert carrying(world) == {EUROPE}
    mark = read_mark(world.traffic.resource["description"], "checkout")
    assert (mark.epoch, mark.rev) == (2, 0)
    assert world.pages
    world.down(EAST, EUROPE)
    lose(world, EUROPE)
    assert carrying(world) == {EUROPE}
    world.down()
    world.tick()
    assert world.state.primary == EUROPE
    assert world.state.epoch == 3


def test_with_the_state_lost_nothing_moves_that_our_probe_does_not_see_fail() -> None:
    world = failed_over(policy={"on_state_loss": "act"})
    world.down()
    lose(world, WEST)
    assert carrying(world) == {WEST}
    world.prober.answers = dict.fromkeys((EAST, WEST, EUROPE), FAILING)
    lose(world, WEST)
    assert carrying(world) == {WEST}


def test_with_the_state_lost_a_resource_without_a_documents_mark_is_left_alone() -> None:
    world = lab(policy={"on_state_loss": "act"})
    world.down(EAST)
    lose(world)
    assert carrying(world) == {EAST}
    assert world.prober.answers.get(WEST, HEALTHY) == HEALTHY
    assert not world.state_exists


def test_a_corrupt_document_is_not_a_lost_one() -> None:
    world = failed_over(policy={"on_state_loss": "act"})
    got = world.objects.get("checkout.json")
    assert got is not None
    world.objects.put("checkout.json", b"{", got[1])
    world.down(EAST, WEST)
    with pytest.raises(Unavailable):
        world.handle(world.opened(WEST))
    assert carrying(world) == {WEST}


def test_every_move_ends_verified() -> None:
    world = lab()
    world.command("failover", WEST)
    world.clock.rest(60)
    world.tick()
    assert world.state.shift is not None
    assert world.state.shift.phase is Phase.VERIFIED


def test_a_copy_of_a_command_is_not_recorded_whatever_else_has_changed() -> None:
    world = lab(regions=(EAST, WEST))
    issued = world.clock.at
    world.command("failover", WEST, id="c-1", issued_at=issued, now=True)
    world.service = lab(serial=1).service
    before = len(world.state.history)
    report = world.command("failover", WEST, id="c-1", issued_at=issued, now=True)
    assert report.decision.outcome is DecisionOutcome.UNCHANGED
    assert len(world.state.history) == before
