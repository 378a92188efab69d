"""Automation that can stay on: the same promises as the scenarios, on real parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.local.blueprint import SERVICE
from orchestrator.local.process.ask import ask
from orchestrator.local.process.wait import wait_until
from orchestrator.local.rpc.proxy import OwnAnswer
from orchestrator.local.rpc.wire import Json
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import alert, close, fail, heal, now, settled

pytestmark = [pytest.mark.long, pytest.mark.world, pytest.mark.timeout(180)]

POLICY: dict[str, Json] = {
    "recovery_probes": 1,
    "cooldown": "1s",
    "on_state_loss": "act",
    "graceful": {"max_staleness": "1s", "request_timeout": "1s", "deadline": "95s"},
}
EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"


def overrides(**policy: Json) -> dict[str, Json]:
    """This policy over the quick one."""
    return {"services": {SERVICE: {"policy": {**POLICY, **policy}}}}


def command(world: LaptopWorld, verb: str, **more: Any) -> None:
    """A human's command, taken by one of the functions."""
    told = {
        "kind": "command",
        "id": f"{verb}-{now().timestamp()}",
        "issued_at": now().isoformat(),
        "verb": verb,
        "service": SERVICE,
        "actor": "alice@laptop",
        "reason": "a test",
        **more,
    }
    message = world.control.message(told)
    assert world.control.send(message, world.control.subscriptions[0]).result().acknowledged


def outcomes(world: LaptopWorld) -> list[str]:
    """What was decided, newest first."""
    return [entry["outcome"] for entry in world.document()["history"]]


@pytest.fixture
def world() -> Iterator[LaptopWorld]:
    """Two functions take every alert, two every tick and command; proxies stand before them."""
    with LaptopWorld(
        functions=2, controls=2, traffic_rate=0, proxies=True, overrides=overrides()
    ) as made:
        assert made.tick().acknowledged
        yield made


def test_while_frozen_nothing_moves_and_the_end_of_the_freeze_lets_it_go(
    world: LaptopWorld,
) -> None:
    command(world, "freeze", until=_in_an_hour())
    fail(world, EAST)
    assert world.push(alert(world, EAST)).acknowledged
    assert world.routed_regions == (EAST,)
    assert outcomes(world)[0] == "held"
    assert world.document()["history"][0]["page"]
    command(world, "unfreeze")
    settled(world, WEST, 1)


def _in_an_hour() -> str:
    return (now() + timedelta(hours=1)).isoformat()


def test_a_second_failure_during_the_cooldown_is_moved_on_from(world: LaptopWorld) -> None:
    fail(world, EAST)
    assert world.push(alert(world, EAST)).acknowledged
    settled(world, WEST, 1)
    fail(world, EAST, WEST)
    assert world.push(alert(world, WEST)).acknowledged
    settled(world, EUROPE, 2)


def test_two_orchestrators_taking_every_message_and_both_ticking_are_one(
    world: LaptopWorld,
) -> None:
    fail(world, EAST)
    deliveries = [
        *world.publish(alert(world, EAST)),
        *world.publish(alert(world, EAST)),
        *(
            world.control.send(world.control.message({"kind": "tick"}), subscription)
            for subscription in world.control.subscriptions * 2
        ),
    ]
    assert all(delivery.result().acknowledged for delivery in deliveries)
    settled(world, WEST, 1)
    assert outcomes(world).count("moved") == 1
    assert len(world.patches()) == 1


def test_with_the_state_bucket_gone_it_acts_once_and_the_state_follows(world: LaptopWorld) -> None:
    fail(world, EAST)
    assert world.push(alert(world, EAST)).acknowledged
    settled(world, WEST, 1)
    gone = OwnAnswer(503, b'{"error": {"code": 503, "message": "gone"}}')
    world.gcs_proxies[0].hook = lambda _: gone
    fail(world, EAST, WEST)
    sent = world.send(alert(world, WEST, "0.gone"))
    wait_until(lambda: world.routed_regions == (EUROPE,), 60, "the move without the state")
    assert "rev=0" in world.backend_service()["description"]
    assert world.document()["epoch"] == 1
    world.gcs_proxies[0].hook = None
    assert sent.result().acknowledged
    document = world.document()
    assert document["primary"] == EUROPE
    assert document["epoch"] == 3
    assert document["incidents"]["0.gone"]["state"] == "open"


def test_with_the_compute_api_gone_health_is_kept_and_the_redelivery_moves(
    world: LaptopWorld,
) -> None:
    gone = OwnAnswer(503, b'{"error": {"code": 503, "message": "gone"}}')
    world.compute_proxies[0].hook = lambda _: gone
    fail(world, EAST)
    sent = world.send(alert(world, EAST))
    wait_until(
        lambda: world.document()["regions"][EAST]["status"] == "down", 60, "health to be kept"
    )
    assert world.routed_regions == (EAST,)
    world.compute_proxies[0].hook = None
    assert sent.result().acknowledged
    settled(world, WEST, 1)


def test_automatic_failback_is_one_graceful_switch_after_proven_health() -> None:
    policy = overrides(failback="auto", failback_after="1s")
    with LaptopWorld(controls=1, traffic_rate=20, overrides=policy) as world:
        world.tick()
        fail(world, EAST)
        assert world.push(alert(world, EAST)).acknowledged
        heal(world)
        assert world.push(close(world, EAST)).acknowledged
        wait_until(lambda: _ticked(world) == EAST, 60, "the traffic to be back")
        settled(world, EAST, 2)
        assert outcomes(world)[:2] == ["moved", "switching"]
        assert world.document()["switch"] is None


def _ticked(world: LaptopWorld) -> str:
    assert world.tick().acknowledged
    primary: str = world.document()["primary"]
    return primary


def test_a_terraform_apply_of_yesterday_is_repaired_by_the_next_tick(world: LaptopWorld) -> None:
    before = world.backend_service()
    fail(world, EAST)
    assert world.push(alert(world, EAST)).acknowledged
    settled(world, WEST, 1)
    old = {key: before[key] for key in ("backends", "description")}
    url = f"{world.load_balancer.api_url}/compute/v1/projects/laptop/global/backendServices"
    body = {**old, "fingerprint": world.backend_service()["fingerprint"]}
    headers = {"Content-Type": "application/json"}
    assert ask(f"{url}/{SERVICE}", "PATCH", json.dumps(body).encode(), headers).ok
    wait_until(lambda: world.routed_regions == (EAST,), 30, "the old traffic to be back")
    assert world.tick().acknowledged
    settled(world, WEST, 1)
    lines = [line for control in world.controls for line in control.log_lines()]
    assert any("drift repaired" in str(line.get("message")) for line in lines)


def test_a_journal_that_refuses_writes_fails_no_failover_and_is_named(world: LaptopWorld) -> None:
    denied = OwnAnswer(403, b'{"error": {"code": 403, "message": "no create on the journal"}}')
    world.gcs_proxies[0].hook = lambda request: (
        denied if request.method == "POST" and b'"journal/' in request.body[:400] else None
    )
    fail(world, EAST)
    assert world.push(alert(world, EAST)).acknowledged
    settled(world, WEST, 1)
    assert not world.gcs or not world.gcs.names("journal/checkout/")
    lines = [str(line.get("message")) for line in world.functions[0].log_lines()]
    assert any("journal not written" in line and "no create" in line for line in lines)
