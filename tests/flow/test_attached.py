"""Attached standbys through the pipeline: calls that are lost, and a Compute API that is gone."""

from __future__ import annotations

import itertools
import json

import pytest

from orchestrator.core.exceptions import Unavailable
from orchestrator.core.model import (
    Command,
    DecisionOutcome,
    Leave,
    Part,
    Probe,
    Role,
    Tick,
    Verdict,
    Wish,
)
from orchestrator.core.traffic.fence import read_mark
from orchestrator.flow.observe import observe
from orchestrator.flow.preview import preview
from orchestrator.flow.rescue.restore import carry_out, prepare
from tests.support.fakes import FAILING, REGIONS, Flaky, Lab, lab

EAST, WEST, EU = REGIONS
ALL = {EAST: 1.0, WEST: 1.0, EU: 1.0}


class Crash(BaseException):
    """The process is killed here."""


def world(**overrides: object) -> Lab:
    """A service with attached standbys, and its first document."""
    made = lab(standby="attached", **overrides)
    made.tick()
    return made


def serving(made: Lab) -> set[str]:
    """The regions with capacity that say that they lead."""
    roles = made.prober.roles(made.service.regions)
    getting = {name for name, scaler in made.traffic.scalers().items() if scaler > 0}
    return {name for name in getting if roles[name].part is Part.LEADS}


def test_roles_are_asked_with_attached_standbys_only() -> None:
    for made, asked in ((world(), set(REGIONS)), (lab(), set())):
        made.prober.said = {name: Role(Part.STANDS_BY, "503", 7) for name in REGIONS}
        observed = observe(made.service, made.context())
        assert set(observed.roles) == asked


def test_a_failover_is_one_commit_and_one_patch_of_the_mark() -> None:
    made = world()
    made.down(EAST)
    made.handle(made.opened(EAST))
    (patch,) = made.traffic.applied
    assert read_mark(patch["description"], "checkout") == made.state.mark
    assert made.traffic.scalers() == ALL
    assert serving(made) == {WEST}
    made.tick()
    assert len(made.traffic.applied) == 2
    assert made.traffic.scalers() == {**ALL, EAST: 0.0}


def test_without_the_compute_api_the_document_moves_the_users_and_is_not_decided_again() -> None:
    made = world()
    made.traffic.is_gone = True
    made.down(EAST)
    alert = made.opened(EAST)
    for _ in range(3):
        with pytest.raises(Unavailable):
            made.handle(alert)
        assert (made.state.primary, made.state.epoch, serving(made)) == (WEST, 1, {WEST})
    names = made.objects.names("journal/")
    assert len([name for name in names if "-failed-" not in name]) == 1
    made.traffic.is_gone = False
    made.handle(alert)
    assert read_mark(made.traffic.resource["description"], "checkout") == made.state.mark
    assert len(made.state.moves) == 1


def test_a_target_that_another_hand_drained_is_attached_and_taken_in_one_invocation() -> None:
    made = world(regions=(EAST, WEST))
    drain(made, WEST)
    made.tick()
    made.down(EAST)
    report = made.handle(made.opened(EAST))
    assert report.decision.outcome is DecisionOutcome.MOVED
    assert [str(plan).partition(": ")[2] for plan in report.plans] == [
        "scale us-west-2 us-west-2-a/checkout-us-west-2 to 1 (epoch 1)",
        "the mark only (epoch 2)",
    ]
    assert serving(made) == {WEST}


def test_a_drift_that_hid_the_target_is_repaired_and_the_target_taken_in_one_invocation() -> None:
    made = world(regions=(EAST, WEST))
    made.command("failover", WEST, now=True)
    drain(made, EAST)
    made.down(WEST)
    report = made.handle(made.opened(WEST))
    assert report.decision.outcome is DecisionOutcome.MOVED
    assert (made.state.primary, made.state.epoch) == (EAST, 2)


def test_a_command_that_attached_first_and_was_killed_is_carried_out_by_its_redelivery() -> None:
    made = world()
    made.command("evacuate", WEST)
    command = Command("returns", Wish.FAILOVER, "alice", "a drill", made.clock.at, WEST)
    flaky = Flaky(made.traffic, 2, "after", Crash)  # its patch is done, and its user is gone
    with pytest.raises(Crash):
        made.handle(command, traffic=flaky)
    assert made.traffic.scalers() == ALL
    assert made.document["switch"] is None
    made.handle(command)
    assert made.state.switch is not None
    assert made.state.switch.to == WEST


@pytest.mark.long
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("port", ["objects", "traffic"])
@pytest.mark.parametrize("crashes", [True, False])
def test_interrupted_at_any_call_the_whole_story_has_one_end(
    port: str, when: str, crashes: bool
) -> None:
    """Failover, drain, recovery: users are somewhere at each moment, and each step is one epoch."""
    for at in itertools.count(1):
        made = world()
        flaky = Flaky(
            getattr(made, port), at, when, Crash if crashes else lambda: Unavailable("reset")
        )
        made.down(EAST)
        for signal in (made.opened(EAST), Tick(), Tick()):
            survive(made, signal, **{port: flaky})
            assert serving(made) in ({WEST}, set())
        assert serving(made) == {WEST}
        made.tick()
        assert made.traffic.scalers() == {**ALL, EAST: 0.0}
        made.prober.answers.clear()
        for _ in range(5):
            made.clock.rest(60)
            survive(made, Tick(), **{port: flaky})
            assert serving(made) == {WEST}
        made.tick(2)
        assert made.traffic.scalers() == ALL
        assert (made.state.epoch, len(made.state.moves)) == (3, 1)
        if not flaky.hit:
            return


def survive(made: Lab, signal: object, **ports: object) -> None:
    """One signal, redelivered once if it was interrupted."""
    try:
        made.handle(signal, **ports)  # type: ignore[arg-type]  # one of the signals above
    except (Crash, Unavailable):
        made.handle(signal)  # type: ignore[arg-type]  # one of the signals above


def test_a_late_patch_of_an_older_epoch_takes_no_capacity_from_a_newer_primary() -> None:
    """One handler drains the region; it stands still, and the region is the primary again."""
    made = world()
    made.down(EAST)
    made.handle(made.opened(EAST))

    def meanwhile() -> None:
        made.tick()  # drains it, and carries that out
        made.prober.answers.clear()
        made.clock.rest(60)
        made.tick(4)  # it is attached again
        made.command("failover", EAST, now=True)
        assert serving(made) == {EAST}

    made.traffic.before_patch.append(meanwhile)
    made.tick()
    assert serving(made) == {EAST}
    assert made.traffic.scalers()[EAST] == 1.0
    assert read_mark(made.traffic.resource["description"], "checkout") == made.state.mark


def test_two_orchestrators_in_each_others_gaps_drain_once() -> None:
    made = world()
    made.down(EAST)
    made.handle(made.opened(EAST))
    made.traffic.before_patch.append(lambda: void(made.tick()))
    made.tick()
    assert (made.state.epoch, len(made.traffic.applied)) == (2, 2)


def test_the_preview_tells_the_move_while_the_load_balancer_cannot_be_read() -> None:
    made = world()
    made.down(EAST)
    made.traffic.is_gone = True
    found = preview(made.service, made.opened(EAST), made.context())
    assert found.decision.outcome is DecisionOutcome.MOVED
    assert found.plan is None
    assert "503" in found.obstacle


def test_what_is_unfinished_stands_in_the_document() -> None:
    made = world()
    made.down(EAST)
    made.handle(made.opened(EAST))
    assert made.document["regions"][EAST]["leave"] == "failed"
    assert made.state.regions[EAST].leave is Leave.FAILED
    assert made.document["shift"]["at"] == "2026-11-23T05:00:00Z"
    json.dumps(made.document)


def test_a_restored_document_adopts_the_region_that_leads() -> None:
    made = world()
    got = made.objects.get("checkout.json")
    assert got is not None
    made.command("failover", WEST, now=True)
    newest = made.state
    made.prober.known = dict.fromkeys(REGIONS, newest)
    found = prepare(made.service, got[1], made.context(), made.objects)
    carry_out(made.service, found, "alice", made.context())
    assert (made.state.primary, made.state.epoch) == (WEST, 2)
    assert made.traffic.scalers() == ALL


def test_a_region_that_times_out_on_its_role_alone_is_no_target() -> None:
    made = world()
    made.prober.said[WEST] = Role(Part.SILENT, "timeout")
    made.prober.answers[EAST] = FAILING
    made.prober.answers[EU] = Probe(Verdict.HEALTHY, 200)
    made.handle(made.opened(EAST))
    assert made.state.primary == EU


def drain(made: Lab, region: str) -> None:
    """Another hand takes a region's capacity."""
    for backend in made.traffic.resource["backends"]:
        if backend["group"].endswith(region):
            backend["capacityScaler"] = 0.0
    made.traffic.resource["fingerprint"] += "!"


def void(_: object) -> None:
    """Forget a value."""


def test_a_human_who_overrides_the_role_of_a_region_goes_there_at_once() -> None:
    """It is what the advice about that rule says."""
    world = lab(standby="attached")
    world.tick()
    world.prober.said[WEST] = Role(Part.SILENT, "404")
    world.down(EAST)
    world.tick()
    assert world.command("failover", WEST, now=True).decision.outcome is DecisionOutcome.HELD
    report = world.command("failover", WEST, now=True, override="role")
    assert report.decision.outcome is DecisionOutcome.MOVED
    assert world.state.primary == WEST
