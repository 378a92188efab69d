"""Configurations of two serials side by side: a committed epoch is finished by whoever can."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core.exceptions import Outdated
from orchestrator.core.model import Tick
from tests.support.fakes import REGIONS, Flaky, Lab, lab, service

EAST, WEST, EU = REGIONS
MOVED = {EAST: 0.0, WEST: 1.0, EU: 0.0}
NOT_YET = {EAST: 1.0, WEST: 0.0, EU: 0.0}
NEW_POLICY: dict[str, Any] = {"policy": {"cooldown": "1m"}}
NEW_REGIONS: dict[str, Any] = {"regions": (EAST, WEST)}


def killed_before_the_patch(**overrides: Any) -> Lab:  # as `lab` takes them
    """A world in which an epoch was committed and its function was killed."""
    made = lab(serial=2, **overrides)
    made.down(EAST)
    with pytest.raises(KeyboardInterrupt):
        made.handle(made.opened(EAST), traffic=Flaky(made.traffic, 2, "before", KeyboardInterrupt))
    assert made.state.epoch == 1
    assert made.traffic.scalers() == NOT_YET
    return made


def freeze_without_the_compute_api(made: Lab) -> None:
    """Somebody freezes automation before anybody could carry out the epoch."""
    made.traffic.is_gone = True
    with pytest.raises(Exception, match="503"):
        made.freeze()
    made.traffic.is_gone = False
    assert made.state.freeze


def test_a_newer_instance_finishes_the_epoch_inside_a_freeze() -> None:
    made = killed_before_the_patch()
    freeze_without_the_compute_api(made)
    made.service = service(serial=3, **NEW_POLICY)
    made.tick()
    assert made.traffic.scalers() == MOVED
    assert made.state.epoch == 1
    assert made.state.stamp.serial == 2


def test_a_newer_instance_that_would_shift_otherwise_says_what_ends_the_wait() -> None:
    made = killed_before_the_patch()
    freeze_without_the_compute_api(made)
    made.service = service(serial=3, **NEW_REGIONS)
    with pytest.raises(Outdated, match="`failoverctl unfreeze checkout --apply") as told:
        made.tick()
    assert "deploy" not in str(told.value)
    assert made.traffic.scalers() == NOT_YET
    made.command("unfreeze")
    assert made.traffic.scalers()[WEST] == 1.0


def test_an_older_instance_finishes_the_epoch_and_decides_nothing() -> None:
    made = killed_before_the_patch()
    before = made.state
    older = service(serial=1, **NEW_POLICY)
    with pytest.raises(Outdated, match="It decides nothing"):
        made.handle(made.opened(EU), service=older)
    assert made.traffic.scalers() == MOVED
    assert EU not in {incident.region for incident in made.state.incidents.values()}
    assert made.state.mark == before.mark
    kept = made.objects.names("journal/checkout/")
    assert any("00000001" in name for name in kept)


def test_an_older_instance_that_would_shift_otherwise_leaves_it() -> None:
    made = killed_before_the_patch()
    with pytest.raises(Outdated):
        made.handle(Tick(), service=service(serial=1, **NEW_REGIONS))
    assert made.traffic.scalers() == NOT_YET


def test_an_older_instance_repairs_no_drift() -> None:
    made = lab(serial=2)
    made.down(EAST)
    made.handle(made.opened(EAST))
    made.traffic.resource["backends"][0]["capacityScaler"] = 1.0
    with pytest.raises(Outdated):
        made.handle(Tick(), service=service(serial=1, **NEW_POLICY))
    assert made.traffic.scalers()[EAST] == 1.0


def test_the_routing_digest_is_of_regions_groups_lever_and_resources() -> None:
    ours = service().stamp
    assert ours.shifts_like(service(serial=9, mode="active-active", **NEW_POLICY).stamp)
    for other in (NEW_REGIONS, {"lever": "capacity"}, {"standby": "attached"}):
        assert not ours.shifts_like(service(**other).stamp)


def test_a_document_that_does_not_tell_its_routing_digest_is_finished_by_its_own_serial() -> None:
    """It is unknown how an older version's epoch is carried out by another file."""
    made = killed_before_the_patch()
    document = made.document
    for name in ("routing_digest", "routing_of"):
        del document["config"][name]
    made.replace_document(document)
    with pytest.raises(Outdated):
        made.handle(Tick(), service=service(serial=1, **NEW_POLICY))
    assert made.traffic.scalers() == NOT_YET
    made.tick()
    assert made.traffic.scalers() == MOVED


def test_a_clash_that_outlasts_a_roll_out_pages_once() -> None:
    """Who can write the bucket wants drift and endpoints left alone, by another digest there."""
    made = lab(serial=2)
    made.tick()
    document = made.document
    made.replace_document({**document, "config": {**document["config"], "digest": "f" * 900}})
    made.tick(times=4)  # ticks are 60 s apart
    assert not any(line.get("page") for line in made.lines)
    made.tick(times=10)
    (page,) = [line for line in made.lines if line.get("page")]
    assert page["rule"] == "clash"
    assert "repairs no drift" in page["message"]
    assert "f" * 41 not in page["message"]
