"""The failover path on real parts: Envoy, Cloud Storage, the Compute API, functions-framework."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from orchestrator.local.pubsub.push import Form
from orchestrator.local.rpc.proxy import Exchange
from orchestrator.local.users.traffic_record import outages
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import alert, close, fail, is_commit, is_patch, settled

pytestmark = [pytest.mark.world, pytest.mark.timeout(120)]


@pytest.fixture
def world() -> Iterator[LaptopWorld]:
    with LaptopWorld(traffic_rate=0) as made:
        yield made


def rounds(exchanges: Sequence[Exchange]) -> int:
    """The longest chain of requests that each began after the one before had ended."""
    longest: dict[int, int] = {}
    for index, one in enumerate(exchanges):
        before = [
            longest[other]
            for other in range(index)
            if (exchanges[other].ended or float("inf")) <= one.started
        ]
        longest[index] = 1 + max(before, default=0)
    return max(longest.values())


@pytest.mark.long
def test_the_patch_is_sent_in_the_third_sequential_network_round() -> None:
    """Observe, commit, shift: with 0.3 s on every request the chain up to the patch is three."""
    with LaptopWorld(traffic_rate=0, proxies=True) as world:
        for proxy in (*world.gcs_proxies, *world.compute_proxies):
            proxy.latency = 0.3
        fail(world, "us-east-1")
        delivery = world.push(alert(world, "us-east-1"))
        settled(world, "us-west-2", 1, delivery)
        log = sorted(
            (*world.gcs_proxies[0].log, *world.compute_proxies[0].log), key=lambda e: e.started
        )
        patch = next(index for index, one in enumerate(log) if is_patch(one))
        assert rounds(log[: patch + 1]) == 3
        assert sum(is_commit(one) for one in log[:patch]) == 1


def test_users_are_served_again_after_the_first_and_the_second_failure() -> None:
    """Two regions die one after the other; each time traffic moves on, and the fence agrees."""
    with LaptopWorld() as world:
        world.regions["us-east-1"].kill()
        settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))
        world.regions["us-west-2"].kill()
        settled(world, "eu-west-1", 2, world.push(alert(world, "us-west-2")))
        world.traffic.wait_for(
            lambda samples: len(samples) > 40 and all(s.ok for s in samples[-40:]), 30, "recovery"
        )
        assert all(outage.recovery for outage in outages(world.traffic.samples))


@pytest.mark.long
def test_nothing_moves_when_the_second_signal_says_that_the_region_is_fine(
    world: LaptopWorld,
) -> None:
    """The alert is taken, the reason recorded once, and the routing left alone."""
    for _ in range(3):
        delivery = world.push(alert(world, "us-east-1", "0.lie"))
        assert [attempt.status for attempt in delivery.attempts] == [200]
    assert world.patches() == []
    document = world.document()
    assert document["epoch"] == 0
    assert document["regions"]["us-east-1"]["healthy"] is True
    assert [entry["outcome"] for entry in document["history"]] == ["held"]
    assert document["history"][0]["reasons"][0]["rule"] == "confirm"
    assert "200" in document["history"][0]["reasons"][0]["value"]


@pytest.mark.long
def test_an_alert_for_a_standby_changes_health_and_nothing_else(world: LaptopWorld) -> None:
    fail(world, "us-west-2")
    assert world.push(alert(world, "us-west-2")).acknowledged
    document = world.document()
    assert document["regions"]["us-west-2"]["healthy"] is False
    assert (document["epoch"], document["primary"]) == (0, "us-east-1")
    assert world.patches() == []


@pytest.mark.long
def test_a_hung_region_is_left_too(world: LaptopWorld) -> None:
    """A region that accepts and never answers is failing when the probe's timeout is over."""
    world.regions["us-east-1"].hang()
    settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))


@pytest.mark.long
def test_membership_is_moved_and_restored_with_serverless_groups() -> None:
    """The region's group is detached and the other attached in one patch, without any scaler."""
    with LaptopWorld(lever="membership", traffic_rate=0) as world:
        fail(world, "us-east-1")
        settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))
        [patch] = world.patches()
        assert len(patch["body"]["backends"]) == 1
        assert not any("capacityScaler" in b for b in patch["body"]["backends"])
        assert world.document()["restore"]


@pytest.mark.long
def test_active_active_leaves_the_failed_region_only() -> None:
    with LaptopWorld(mode="active-active", traffic_rate=0) as world:
        fail(world, "us-west-2")
        assert world.push(alert(world, "us-west-2")).acknowledged
        assert world.routed_regions == ("us-east-1", "eu-west-1")
        assert world.document()["routing"] == {"us-east-1": 0.5, "eu-west-1": 0.5}


@pytest.mark.long
@pytest.mark.parametrize("form", list(Form))
def test_both_forms_of_delivery_are_understood(form: Form) -> None:
    """A plain push and a CloudEvent, with the state in a folder."""
    with LaptopWorld(traffic_rate=0, form=form, state="file") as world:
        fail(world, "us-east-1")
        settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))
        assert world.push(close(world, "us-east-1")).acknowledged
        assert world.document()["regions"]["us-east-1"]["status"] == "recovering"
