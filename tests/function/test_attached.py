"""Attached standbys end to end: the document moves the users when the Compute API cannot be used.

Everything is real but Google Cloud and AWS: shops with the client's health endpoint over a DynamoDB
each, Envoy's health checks on `/healthz/primary`, the function, Cloud Storage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from orchestrator.local.process.ask import ask
from orchestrator.local.process.wait import wait_until
from orchestrator.local.users.traffic_record import Sample
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import alert, fault, patient

pytestmark = [
    pytest.mark.long,
    pytest.mark.world,
    pytest.mark.timeout(150),
]  # a dozen processes start, beside others

EAST, WEST = "us-east-1", "us-west-2"


@pytest.fixture
def world() -> Iterator[LaptopWorld]:
    """Shops in three regions, all of them attached; us-east-1 serves alone."""
    with LaptopWorld(data=True, standby="attached", traffic_rate=50, controls=1) as made:
        patient(made)
        served_by(made, EAST)
        yield made


def served_by(world: LaptopWorld, region: str) -> None:
    """Wait until the newest users were all served, by this region."""

    def settled(samples: Sequence[Sample]) -> bool:
        last = samples[-40:]
        return len(last) == 40 and all(s.ok and s.region == region for s in last)

    world.traffic.wait_for(settled, 60, f"users to be served by {region}")


def scalers(world: LaptopWorld) -> list[float]:
    """The capacity of each backend as the Compute API has it."""
    return [backend["capacityScaler"] for backend in world.backend_service()["backends"]]


def role(world: LaptopWorld, region: str) -> tuple[int, Any]:
    """What a region answers on the load balancer's path: the status, and its JSON."""
    answer = ask(f"{world.regions[region].url}healthz/primary")
    return answer.status, answer.json()


def order(world: LaptopWorld, region: str, number: str) -> int:
    """Make an order in a region's shop; the status of its answer."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": number}
    body = json.dumps({"sku": "tea", "quantity": 1}).encode()
    return ask(f"{world.regions[region].url}orders", "POST", body, headers).status


def test_users_are_moved_by_health_checks_alone_while_the_compute_api_answers_503(
    world: LaptopWorld,
) -> None:
    """The primary dies and Google's APIs answer 503 to everything, as on 2025-06-12."""
    assert order(world, EAST, "before") == 201
    fault(world, "status", "", path_contains="", times=100_000, status=503)
    world.regions[EAST].kill()
    world.traffic.wait_for(lambda samples: not samples[-1].ok, 30, "users to notice")
    delivery = world.send(alert(world, EAST))
    served_by(world, WEST)
    assert world.patches() == [], "nothing could be patched, and nothing was"
    document = world.document()
    assert document["primary"] == WEST
    status, told = role(world, WEST)
    assert (status, told["epoch"]) == (200, document["epoch"])
    assert order(world, WEST, "after") == 201
    delivery.cancel()


@pytest.mark.long
def test_the_failed_primary_is_drained_when_the_compute_api_is_back(world: LaptopWorld) -> None:
    """First the document, then the users, then the patch: nobody is left with nobody."""
    fault(world, "status", "", path_contains="", times=100_000, status=503)
    world.regions[EAST].kill()
    world.send(alert(world, EAST))
    served_by(world, WEST)
    ask(f"{world.load_balancer.api_url}/_laptop/faults", "DELETE")

    def drained() -> bool:
        world.tick()
        return scalers(world) == [0.0, 1.0, 1.0]

    wait_until(drained, 60, "the failed primary to be drained")
    failed = sum(not sample.ok for sample in world.traffic.samples)
    served_by(world, WEST)
    assert sum(not sample.ok for sample in world.traffic.samples) == failed
