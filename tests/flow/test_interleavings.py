"""One thing under way when another comes: each a history that once went wrong, or nearly."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core.document import codec
from orchestrator.core.document.ground import shares
from orchestrator.core.exceptions import Unavailable
from orchestrator.core.model import (
    DecisionOutcome,
    Mark,
    Phase,
    Probe,
    Ramp,
    Shift,
    Status,
    Step,
    Switch,
    Verdict,
    Wish,
)
from orchestrator.core.traffic.fence import read_mark
from orchestrator.flow.rescue.restore import carry_out, prepare
from tests.support.fakes import Lab, lab, service

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
AUTO = {"failback": "auto", "failback_after": "10m"}
SOME = {"mode": "active-active"}


def carrying(world: Lab) -> set[str]:
    """The regions that the load balancer gives traffic."""
    return {name for name, scaler in world.traffic.scalers().items() if scaler > 0}


def refused(report: Any) -> set[str]:
    """The rules that refused."""
    return {reason.rule for reason in report.decision.reasons if not reason.passed}


def recovered(**overrides: Any) -> Lab:
    """East was left, and ticks have proven it well again."""
    world = lab(**overrides)
    world.tick()
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.down()
    world.clock.rest(60)
    world.tick(3)
    assert world.state.regions[EAST].status is Status.UP
    return world


def climbing(**overrides: Any) -> Lab:
    """East has been given the first step of its traffic back."""
    world = recovered(mode="active-active", **overrides)
    world.command("failback")
    assert world.traffic.scalers()[EAST] == 0.1
    return world


def rewrite(world: Lab, **fields: Any) -> None:
    """Replace the document by hand."""
    got = world.objects.get("checkout.json")
    assert got is not None
    changed = replace(world.state, **fields)
    world.objects.put("checkout.json", codec.encode(changed), got[1])


def older(world: Lab, **fields: Any) -> None:
    """Put back a document of an epoch before the one on the load balancer."""
    state = world.state
    assert state.epoch > 1
    shift = Shift(Mark(state.epoch - 1, 0), Phase.VERIFIED)
    rewrite(world, epoch=state.epoch - 1, shift=shift, **fields)


# --- a document older than the routing -----------------------------------------------------------


@pytest.mark.parametrize("wish", [*Wish])
@pytest.mark.parametrize("stale", [False, True])
def test_no_command_leaves_an_old_document_half_adopted(wish: Wish, stale: bool) -> None:
    world = recovered()
    world.command("failover", EUROPE, now=True)
    older(world, primary=WEST, routing=shares([WEST]))
    region = {Wish.FAILOVER: WEST, Wish.EVACUATE: EUROPE}.get(wish, "")
    until = world.clock.at + timedelta(hours=1) if wish is Wish.FREEZE else None
    issued = world.clock.at - timedelta(hours=1 if stale else 0)
    world.down(WEST)
    world.command(wish, region, until=until, issued_at=issued)
    state = world.state
    assert state.shift is not None
    assert state.epoch == state.shift.mark.epoch == 3
    assert read_mark(world.traffic.resource["description"], "checkout") == state.mark
    assert carrying(world) == {state.primary} == set(state.routing)


def test_a_switch_of_an_old_document_is_not_gone_on_with() -> None:
    world = recovered()
    world.command("failover", EAST, now=True)
    now = world.clock.at
    until = now + timedelta(minutes=5)
    switch = Switch(WEST, EAST, Step.FENCING, now, until, "c-1")
    regions = dict(world.state.regions)
    regions[EAST] = replace(regions[EAST], fenced_until=until)
    older(world, switch=switch, regions=regions)
    world.tick()
    assert world.state.switch is None
    assert world.state.regions[EAST].fenced_until is None
    world.clock.rest(60)
    world.tick()
    assert carrying(world) == {EAST}


def test_a_ramp_of_an_old_document_takes_no_traffic_away() -> None:
    world = recovered(**SOME)
    world.command("failback")
    for _ in range(2):
        world.clock.rest(301)
        world.tick()
    assert world.traffic.scalers()[EAST] == 1.0
    older(world, ramp=Ramp(EAST, 0, world.clock.at), ceilings={EAST: 0.1})
    world.tick()
    assert world.traffic.scalers()[EAST] == 1.0
    assert world.state.ramp is None


# --- what a ramp leaves behind -------------------------------------------------------------------


@pytest.mark.parametrize("ended", ["freeze", "shorter"])
def test_a_region_whose_ramp_was_ended_can_be_given_all_of_its_traffic(ended: str) -> None:
    world = climbing()
    if ended == "freeze":
        world.freeze(hours=0.1)
        world.clock.rest(400)
    else:
        world.service = service(mode="active-active", serial=2, policy={"ramp": [1.0]})
    for _ in range(4):
        world.tick()
        world.clock.rest(301)
    if ended == "freeze":
        assert world.traffic.scalers()[EAST] == 0.1
        assert world.command("failback").decision.outcome is DecisionOutcome.RAMPED
        assert world.traffic.scalers()[EAST] == 0.5
        world.clock.rest(301)
        world.tick()
    assert world.traffic.scalers()[EAST] == 1.0
    assert world.state.ramp is None


def test_automatic_failback_goes_on_after_a_freeze_that_ended_the_ramp() -> None:
    world = recovered(mode="active-active", policy=AUTO)
    world.command("failback")
    world.freeze(hours=0.1)
    world.tick(40)
    assert world.traffic.scalers()[EAST] == 1.0
    assert world.state.ramp is None


@pytest.mark.parametrize("ended", ["incident", "evacuated"])
def test_what_a_region_had_before_is_not_forgotten_on_its_ramp(ended: str) -> None:
    world = climbing()
    if ended == "incident":
        world.down(EAST)
        world.handle(world.opened(EAST, "0.again"))
        world.down()
        world.clock.rest(60)
        world.tick(10)
    else:
        world.command("evacuate", EAST)
    assert carrying(world) == {WEST, EUROPE}
    world.command("failback")
    for _ in range(2):
        world.clock.rest(301)
        world.tick()
    assert world.traffic.scalers()[EAST] == 1.0


def test_evacuating_another_region_in_a_ramp_gives_the_climbing_one_all_it_can_carry() -> None:
    world = climbing()
    world.command("evacuate", WEST)
    assert carrying(world) == {EAST, EUROPE}
    assert world.traffic.scalers()[EAST] == 1.0


def test_a_region_left_on_a_step_is_given_all_it_can_carry_when_another_fails() -> None:
    world = climbing()
    world.freeze(hours=0.1)
    world.clock.rest(400)
    world.down(WEST)
    world.handle(world.opened(WEST))
    assert carrying(world) == {EAST, EUROPE}
    assert world.traffic.scalers()[EAST] == 1.0


def test_a_scaler_that_a_human_sets_after_the_ramp_is_kept() -> None:
    world = climbing()
    for _ in range(2):
        world.clock.rest(301)
        world.tick()
    assert world.traffic.scalers()[EAST] == 1.0
    world.traffic.resource["backends"][0]["capacityScaler"] = 0.7
    world.tick()
    assert world.traffic.scalers()[EAST] == 0.7
    world.service = service(mode="active-active", serial=2)
    assert world.tick().decision.outcome is DecisionOutcome.CONFIGURED
    assert world.traffic.scalers()[EAST] == 0.7


def test_a_human_gives_a_region_back_whatever_was_known_against_it() -> None:
    world = lab(mode="active-active")
    world.tick()
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.down()
    report = world.command("failback", override="target_healthy")
    assert report.decision.outcome is DecisionOutcome.RAMPED
    world.tick()
    assert world.traffic.scalers()[EAST] == 0.1


def test_one_witness_of_two_does_not_make_a_region_come_and_go() -> None:
    world = recovered(mode="active-active", policy={**AUTO, "min_incidents": 1})
    world.service = service(mode="active-active", serial=2, policy={**AUTO, "min_incidents": 2})
    world.clock.rest(900)
    world.prober.answers[EAST] = Probe(Verdict.SILENT, 403)
    world.handle(world.opened(EAST, "0.one"))
    world.prober.answers = {}
    for _ in range(3):
        world.tick()
    assert len(world.traffic.applied) <= 3
    assert world.state.ramp is None


def test_a_region_that_stays_away_does_not_keep_another_from_coming_back() -> None:
    world = lab(mode="active-active", policy={**AUTO, "ramp": [1.0]})
    world.tick()
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.clock.rest(130)
    world.down(EAST, WEST)
    world.handle(world.opened(WEST))
    assert carrying(world) == {EUROPE}
    world.down(EAST)
    world.tick(30)
    assert carrying(world) == {WEST, EUROPE}


def test_what_another_hand_gave_a_drained_region_is_not_taken_for_its_own() -> None:
    world = recovered()
    world.traffic.resource["backends"][0]["capacityScaler"] = 0.3
    world.traffic.resource["fingerprint"] = "drifted"
    world.command("failover", EUROPE, now=True)
    world.command("failover", EAST, now=True)
    assert world.traffic.scalers()[EAST] == 1.0


def test_the_brought_back_document_of_a_switch_has_none() -> None:
    world = recovered()
    world.command("failover", EAST)
    assert world.document["switch"]
    got = world.objects.get("checkout.json")
    assert got is not None
    world.objects.put("checkout.json", b"{", got[1])
    found = prepare(world.service, None, world.context(), world.objects)
    carry_out(world.service, found, "ops@laptop", world.context())
    assert world.state.switch is None
    assert world.state.regions[WEST].fenced_until is None
    assert carrying(world) == {WEST}


# --- the graceful switch -------------------------------------------------------------------------


def test_an_automatic_switch_that_was_given_up_does_not_fence_the_primary_again_at_once() -> None:
    world = recovered(policy=AUTO)
    fenced = 0
    for _ in range(120):
        world.lags(EAST, us_west_2=0 if world.document["switch"] is None else 3600)
        world.clock.rest(60)
        world.tick()
        fenced += bool(world.document["regions"][WEST]["fenced_until"])
    assert carrying(world) == {WEST}
    assert fenced <= 60


def test_an_automatic_switch_does_not_begin_while_the_replica_is_far_behind() -> None:
    world = recovered(policy=AUTO)
    world.lags(EAST, us_west_2=3600)
    world.tick(60)
    assert world.state.switch is None
    assert world.state.regions[WEST].fenced_until is None
    assert not [e for e in world.state.history if e["outcome"] == DecisionOutcome.SWITCHING]


def test_a_switch_ends_at_its_deadline_also_while_everything_is_held() -> None:
    world = lab()
    world.command("failover", WEST)
    world.down(EAST, WEST, EUROPE)
    world.handle(world.opened(EAST))
    world.tick(7)
    assert world.state.switch is None
    assert world.state.regions[EAST].fenced_until is None
    assert carrying(world) == {EAST}


def test_a_switch_that_a_human_asks_for_while_it_is_frozen_is_finished() -> None:
    world = lab()
    world.freeze()
    assert world.command("failover", WEST).decision.outcome is DecisionOutcome.SWITCHING
    world.clock.rest(60)
    world.tick()
    assert carrying(world) == {WEST}


def test_a_primary_without_a_health_url_is_left_gracefully() -> None:
    world = lab()
    regions = tuple(
        replace(r, health_url=None) if r.name == EAST else r for r in world.service.regions
    )
    world.service = replace(world.service, regions=regions)
    assert world.command("failover", WEST).decision.outcome is DecisionOutcome.SWITCHING
    world.clock.rest(60)
    world.tick()
    assert carrying(world) == {WEST}


@pytest.mark.parametrize("wish", ["failover", "failback", "evacuate"])
def test_a_primary_that_is_configured_no_more_can_be_left_by_hand(wish: str) -> None:
    world = recovered()
    others = service(serial=2, regions=(EAST, EUROPE))
    region = {"failover": EUROPE, "evacuate": EAST}.get(wish, "")
    world.service = others
    world.command(wish, region)
    world.tick()
    assert carrying(world) <= {EAST, EUROPE}
    assert carrying(world)


def test_a_switch_whose_target_is_configured_no_more_is_given_up() -> None:
    world = lab()
    world.command("failover", WEST)
    world.service = service(serial=2, regions=(EAST, EUROPE))
    world.clock.rest(60)
    world.tick()
    world.tick()
    assert world.state.switch is None
    assert world.state.regions[EAST].fenced_until is None
    assert carrying(world) == {EAST}


# --- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wish", ["freeze", "ack"])
def test_a_command_to_automation_itself_is_obeyed_while_the_routing_cannot_be_read(
    wish: str,
) -> None:
    world = lab()
    world.tick()

    def fail() -> None:
        raise Unavailable("503")

    world.traffic.before_read = [fail] * 50
    until = world.clock.at + timedelta(hours=1)
    with pytest.raises(Unavailable):
        world.command(wish, id="c-1", until=until)
    assert "c-1" in world.state.commands
    assert (world.state.freeze is not None) == (wish == "freeze")


def test_a_freeze_is_obeyed_while_the_routing_names_no_region() -> None:
    world = lab()
    world.tick()
    for backend in world.traffic.resource["backends"]:
        backend["group"] = "projects/p/zones/z/instanceGroups/foreign"
    world.freeze()
    assert world.state.freeze is not None


def test_an_acknowledgement_does_not_go_back() -> None:
    world = lab(policy={"max_auto_failovers": {"count": 1, "within": "24h"}})
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.clock.rest(300)
    earlier = world.clock.at - timedelta(seconds=600)
    world.command("ack")
    world.command("ack", issued_at=earlier)
    world.down(EAST, WEST)
    world.handle(world.opened(WEST))
    assert carrying(world) == {EUROPE}


def test_an_acknowledgement_of_a_clock_that_is_ahead_covers_nothing_that_comes() -> None:
    world = lab(policy={"max_auto_failovers": {"count": 1, "within": "24h"}})
    world.tick()
    world.command("ack", issued_at=world.clock.at + timedelta(minutes=14))
    world.down(EAST)
    world.clock.rest(10)
    world.handle(world.opened(EAST))
    world.clock.rest(300)
    world.down(EAST, WEST)
    assert "max_auto_failovers" in refused(world.handle(world.opened(WEST)))
    assert carrying(world) == {WEST}


def test_evacuating_passes_over_a_region_that_is_too_far_behind() -> None:
    world = lab()
    world.down(EAST)
    world.lags(WEST, us_east_1=1000)
    report = world.command("evacuate", EAST)
    assert report.decision.outcome is DecisionOutcome.MOVED
    assert carrying(world) == {EUROPE}


def test_evacuating_one_of_several_to_unproven_ones_takes_the_name_of_the_rule() -> None:
    world = lab(mode="active-active", policy={"recovery_probes": 3})
    world.tick()
    world.down(WEST, EUROPE)
    assert "target_healthy" in refused(world.command("evacuate", EAST))
    world.command("evacuate", EAST, override="target_healthy")
    assert carrying(world) == {WEST, EUROPE}


def test_no_override_moves_traffic_to_a_region_that_has_no_backend() -> None:
    world = lab()
    world.tick()
    world.traffic.resource["backends"].pop(1)
    report = world.command("failover", WEST, now=True, override="target_healthy")
    assert refused(report)
    assert world.state.primary == EAST
    assert world.state.epoch == 0


# --- freezes -------------------------------------------------------------------------------------


def test_while_frozen_a_failed_primary_pages_also_under_a_newer_configuration() -> None:
    world = lab()
    world.tick()
    world.service = service(serial=2)
    assert world.freeze().decision.outcome is DecisionOutcome.OBEYED
    world.down(EAST)
    report = world.handle(world.opened(EAST))
    assert report.decision.outcome is DecisionOutcome.HELD
    assert "frozen" in report.decision.page
    assert carrying(world) == {EAST}


def test_a_page_that_lasts_is_announced_once() -> None:
    world = lab()
    world.freeze(hours=2)
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.tick(10)
    pages = [event for event in world.events.events if event["type"] == "failover.page"]
    assert len(pages) == 1
