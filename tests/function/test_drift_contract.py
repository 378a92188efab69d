"""The drift contract (decision 0011): a plan that was made before a failover, applied after it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.local.blueprint import LeverName
from orchestrator.local.process.ask import HttpAnswer, ask
from orchestrator.local.process.wait import wait_until
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import SERVICE, alert, fail, settled

pytestmark = [pytest.mark.long, pytest.mark.world, pytest.mark.timeout(120)]

LEVERS: list[LeverName] = ["capacity", "membership"]


def apply_plan(world: LaptopWorld, planned: dict[str, Any], fingerprint: str) -> HttpAnswer:
    """Send the whole resource as it was planned, and one field that the plan was about."""
    body = {**planned, "fingerprint": fingerprint, "timeoutSec": 45}
    headers = {"Content-Type": "application/json"}
    url = f"{world.load_balancer.api_url}/{SERVICE}"
    return ask(url, "PUT", json.dumps(body).encode(), headers)


@pytest.mark.parametrize("lever", LEVERS)
def test_a_plan_of_before_the_failover_is_undone_by_the_next_tick(lever: LeverName) -> None:
    """It writes the old backends and the old description, and users meet the dead region again.

    What the plan was about stays: that is Terraform's to say.
    """
    with LaptopWorld(lever=lever, controls=1, traffic_rate=0, operation_seconds=0.1) as world:
        planned = world.backend_service()
        fail(world, "us-east-1")
        settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))

        assert apply_plan(world, planned, world.backend_service()["fingerprint"]).ok
        wait_until(lambda: world.routed_regions == ("us-east-1",), 30, "the old plan's traffic")
        assert world.backend_service()["description"] == planned["description"]
        assert world.document()["primary"] == "us-west-2"

        settled(world, "us-west-2", 1, world.tick())
        after = world.backend_service()
        assert after["timeoutSec"] == 45
        assert after["description"].endswith(planned["description"])
        [told] = [line for line in world.controls[0].log_lines() if line.get("drift")]
        assert told["severity"] == "WARNING"


def test_a_plan_that_carries_the_old_fingerprint_is_refused() -> None:
    """By the API; nothing here relies on it, for not every client sends one that it has planned."""
    with LaptopWorld(traffic_rate=0, operation_seconds=0.1) as world:
        planned = world.backend_service()
        fail(world, "us-east-1")
        settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))
        assert apply_plan(world, planned, planned["fingerprint"]).status == 412
        settled(world, "us-west-2", 1)


def test_a_plan_applied_twice_is_undone_twice_and_takes_no_epoch() -> None:
    """A tick writes what the document says, again and again; the epoch is the failover's."""
    with LaptopWorld(controls=1, traffic_rate=0, operation_seconds=0.1) as world:
        planned = world.backend_service()
        fail(world, "us-east-1")
        settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))
        for _ in range(2):
            assert apply_plan(world, planned, world.backend_service()["fingerprint"]).ok
            wait_until(lambda: world.routed_regions == ("us-east-1",), 30, "the old traffic")
            settled(world, "us-west-2", 1, world.tick())
