"""Configurations that change under a running service, and other people's hands in odd places."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.core.exceptions import Orphaned, Unavailable
from orchestrator.core.model import DecisionOutcome, NoAnswer, Probe, Status, Tick, Verdict
from tests.support.fakes import REGIONS, FakeTraffic, Flaky, Lab, group, lab, service

EAST, WEST, EUROPE = REGIONS
TIMEOUT = Probe(Verdict.FAILING, NoAnswer.TIMEOUT)


def moved_to_west(**overrides: Any) -> Lab:  # any JSON
    """A world in which the first failure has been dealt with."""
    made = lab(**overrides)
    made.down(EAST)
    assert made.handle(made.opened(EAST)).decision.outcome is DecisionOutcome.MOVED
    return made


def test_a_primary_that_is_configured_no_more_is_left_for_a_proven_region() -> None:
    """Its groups are retired: they get no traffic, and no longer count as somebody else's."""
    made = moved_to_west()
    made.handle(Tick(), service=service(serial=2, regions=(EAST, EUROPE)))
    assert made.state.primary == EUROPE
    assert set(made.state.regions) == {EAST, EUROPE}
    assert made.traffic.scalers() == {EAST: 0.0, WEST: 0.0, EUROPE: 1.0}
    assert made.state.retired == (group(WEST),)


def test_the_same_with_membership() -> None:
    made = moved_to_west(lever="membership")
    new = service(serial=2, lever="membership", regions=(EAST, EUROPE))
    made.handle(Tick(), service=new)
    [only] = made.traffic.resource["backends"]
    assert only["group"].endswith(EUROPE)


def test_a_primary_that_is_configured_no_more_stays_while_nobody_is_proven() -> None:
    """The document stays readable, it pages, and the next tick that sees a healthy region moves."""
    made = moved_to_west()
    new = service(serial=2, regions=(EAST, EUROPE))
    made.down(EAST, EUROPE)
    made.handle(Tick(), service=new)
    assert made.state.primary == WEST
    assert made.pages
    made.down(EAST)
    made.handle(Tick(), service=new)
    assert made.state.primary == EUROPE


def test_a_region_taken_out_of_active_active_gets_no_traffic_any_more() -> None:
    made = lab(mode="active-active")
    made.tick()
    made.handle(Tick(), service=service(serial=2, mode="active-active", regions=(EAST, EUROPE)))
    assert made.traffic.scalers() == {EAST: 1.0, WEST: 0.0, EUROPE: 1.0}


def test_a_region_added_to_active_active_joins_only_if_it_is_proven() -> None:
    made = lab(mode="active-active", regions=(EAST, WEST))
    made.traffic.resource["backends"].append({"group": group(EUROPE), "capacityScaler": 0.0})
    made.down(EUROPE)
    made.handle(Tick(), service=service(serial=2, mode="active-active"))
    assert made.traffic.scalers() == {EAST: 1.0, WEST: 1.0, EUROPE: 0.0}
    made.down()
    made.handle(Tick(), service=service(serial=3, mode="active-active", regions=(EAST, WEST)))
    made.handle(Tick(), service=service(serial=4, mode="active-active"))
    assert made.traffic.scalers() == dict.fromkeys(REGIONS, 1.0)


def test_a_raised_serial_at_epoch_0_leaves_the_traffic_where_people_have_put_it() -> None:
    """The document was made with east; then a human moved to west before anything was decided."""
    made = lab()
    made.tick()
    for backend in made.traffic.resource["backends"]:
        backend["capacityScaler"] = 1.0 if WEST in backend["group"] else 0.0
    made.traffic.resource["fingerprint"] = "by hand"
    made.down(EAST)
    made.handle(Tick(), service=service(serial=2))
    assert made.traffic.scalers() == {EAST: 0.0, WEST: 1.0, EUROPE: 0.0}
    assert made.state.primary == WEST


def test_traffic_is_never_sent_to_a_group_at_zero_after_the_lever_was_changed() -> None:
    """From capacity to membership: what was drained is attached with what it had before."""
    made = moved_to_west()
    new = service(serial=2, lever="membership")
    instance_groups = {name: replace(service().region(name)) for name in REGIONS}
    new = replace(new, regions=tuple(instance_groups.values()))
    made.handle(Tick(), service=new)
    made.clock.rest(3600)
    made.down(WEST, EAST)
    made.handle(made.opened(WEST), service=new)
    assert made.traffic.resource["backends"]
    for backend in made.traffic.resource["backends"]:
        assert backend.get("capacityScaler", 1.0) > 0


def test_two_instances_with_one_serial_and_other_regions_do_not_write_in_turn() -> None:
    made = moved_to_west()
    fewer = service(regions=(EAST, WEST))
    for _ in range(2):
        made.tick()
        made.handle(Tick(), service=fewer)
    got = made.objects.get("checkout.json")
    made.tick()
    made.handle(Tick(), service=fewer)
    assert made.objects.get("checkout.json") == got


@pytest.mark.parametrize("other", [{"regions": (EAST, WEST)}, {"mode": "active-passive"}])
def test_a_region_that_only_the_other_file_lets_have_traffic_is_left_with_a_reason(
    other: dict[str, Any],
) -> None:
    """Two files of one serial: what moves traffic says so, though no region has failed."""
    made = lab(mode="active-active")
    made.down(EAST)
    made.handle(made.opened(EAST))
    before = made.state
    made.down()
    report = made.handle(Tick(), service=service(**{"mode": "active-active", **other}))
    assert made.state.routing != before.routing
    assert {reason.rule for reason in report.decision.reasons} >= {"configuration"}


def test_an_epoch_that_only_the_other_digest_is_left_to_carry_out_is_carried_out() -> None:
    """A committed and died; only B is left, with the same serial and another digest."""
    made = lab()
    made.down(EAST)
    signal = made.opened(EAST)
    with pytest.raises(KeyboardInterrupt):
        made.handle(signal, traffic=Flaky(made.traffic, 2, "before", KeyboardInterrupt))
    assert made.traffic.scalers()[EAST] == 1.0
    made.handle(signal, service=service(policy={"cooldown": "1m"}))
    assert made.traffic.scalers() == {EAST: 0.0, WEST: 1.0, EUROPE: 0.0}


def test_the_older_file_does_not_stand_in_for_a_document_that_is_lost() -> None:
    """It knows neither epoch nor incidents: a human says what is to be done."""
    made = moved_to_west()
    flat = {name: {"endpoint": "x", "healthy": name != EUROPE} for name in REGIONS}
    made.objects = type(made.objects)()
    made.objects.put("dynamodb_regions.json", json.dumps(flat).encode(), 0)
    with pytest.raises(Orphaned):
        made.tick()
    assert not made.state_exists
    assert made.traffic.scalers() == {EAST: 0.0, WEST: 1.0, EUROPE: 0.0}


@pytest.mark.parametrize("confirm", ["none", "probe"])
def test_an_old_alert_moves_nothing_by_way_of_a_tick_that_sees_nothing(confirm: str) -> None:
    made = lab(policy={"confirm": confirm})
    made.down(EAST)
    made.handle(made.opened(EAST, ago=72_000))
    made.prober.answers = {EAST: Probe(Verdict.SILENT, 404)}
    made.tick(times=3)
    assert made.traffic.applied == []
    made.down(EAST)
    made.tick()
    assert made.traffic.scalers() == {EAST: 0.0, WEST: 1.0, EUROPE: 0.0}


def test_a_region_without_a_health_url_is_up_again_when_its_incident_closes() -> None:
    """Nothing else could ever prove it."""
    made = lab()
    regions = made.service.regions
    bare = replace(regions[1], health_url=None)
    made.service = replace(made.service, regions=(regions[0], bare, regions[2]))
    made.handle(made.opened(WEST))
    assert made.state.regions[WEST].status is Status.DOWN
    made.handle(made.closed(WEST))
    assert made.state.regions[WEST].status is Status.UP


def test_one_incident_id_in_two_regions_is_two_incidents() -> None:
    made = lab()
    made.down(WEST, EUROPE)
    made.handle(made.opened(WEST, "0.shared"))
    made.handle(made.opened(EUROPE, "0.shared"))
    assert not made.state.regions[WEST].healthy
    assert not made.state.regions[EUROPE].healthy
    made.handle(made.closed(EUROPE, "0.shared"))
    assert made.state.regions[WEST].status is Status.DOWN
    assert made.state.regions[EUROPE].status is Status.RECOVERING


def test_a_region_that_has_long_been_down_does_not_blind_us_to_the_next() -> None:
    made = lab()
    made.prober.answers = {WEST: TIMEOUT}
    made.handle(made.opened(WEST))
    made.clock.rest(7200)
    made.prober.answers = {
        WEST: TIMEOUT,
        EAST: TIMEOUT,
        EUROPE: Probe(Verdict.HEALTHY, 200),
    }
    made.handle(made.opened(EAST))
    assert made.traffic.scalers() == {EAST: 0.0, WEST: 0.0, EUROPE: 1.0}


def test_a_document_deleted_between_commit_and_check_does_not_lose_the_alert() -> None:
    made = lab()
    made.down(EAST)

    class Deleting(FakeTraffic):
        deleted = False

        def patch(self, name: str, body: Any) -> str:  # any JSON
            if not self.deleted:
                self.deleted = True
                made.objects._objects.clear()
                raise Unavailable("503")
            return made.traffic.patch(name, body)

        def read(self, name: str) -> Any:  # a Routing
            return made.traffic.read(name)

    made.handle(made.opened(EAST), traffic=Deleting([]))
    assert made.state.regions[EAST].status is Status.DOWN
    assert made.traffic.scalers() == {EAST: 0.0, WEST: 1.0, EUROPE: 0.0}
