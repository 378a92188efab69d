"""The function under exactly the permissions that Terraform gives it: enough, and none too many."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from orchestrator.flow.outgoing.announce import DECISION, DRIFT
from orchestrator.local.blueprint import PROJECT, SERVICE, Blueprint, LeverName, Site
from orchestrator.local.process.ask import ask
from orchestrator.local.rpc.wire import Json, JsonObject
from orchestrator.local.world import LaptopWorld
from tests.support.terraform_runner import Plan
from tests.support.worlds import alert, fail, heal, put_service, settled

pytestmark = [
    pytest.mark.long,
    pytest.mark.terraform,
    pytest.mark.timeout(300),
    pytest.mark.world,
]

_FIRST = (
    "a first point makes its metric: Google's roles for writers say so, no Monitoring here does"
)
EXCEPTIONS = {
    "monitoring.metricDescriptors.create": _FIRST,
    "monitoring.metricDescriptors.get": _FIRST,
}
"""Permissions that no scenario here uses and that are given all the same, each with its reason."""

USES = ("instance groups", "zonal groups", "serverless groups", "Monitoring")
NAMED_ONLY = {
    "compute.regionNetworkEndpointGroups.get": "the lever is seen from what is attached",
    "monitoring.timeSeries.create": "gauges come after everything else",
    "monitoring.timeSeries.list": "an alert that nobody can confirm is believed: `proceed`",
    "pubsub.topics.publish": "a failover is announced when it is done",
}
"""Without these a failover works all the same, and only the log tells, with the reason why."""


class _Zonal(Blueprint):
    """The capacity lever over zonal network endpoint groups."""

    def group(self, region: str) -> str:
        return f"projects/{PROJECT}/zones/{region}-a/networkEndpointGroups/{SERVICE}-{region}"

    def _endpoint(self, site: Site) -> JsonObject:
        return {"type": "GCE_VM_IP_PORT", "address": site.address, "health_path": "/healthz"}


class _ZonalWorld(LaptopWorld):
    def _draw(self, state: str) -> Blueprint:
        drawn = super()._draw(state)
        return _Zonal(drawn.lever, drawn.mode, drawn.sites, drawn.state)


ASKED: dict[str, Json] = {
    "gauges": True,
    "services": {SERVICE: {"policy": {"confirm": "monitoring"}}},
}
"""Everything that is asked of Monitoring."""


def _world(kind: str, permissions: frozenset[str]) -> LaptopWorld:
    made = _ZonalWorld if kind == "zonal groups" else LaptopWorld
    lever: LeverName = "membership" if kind == "serverless groups" else "capacity"
    monitored = kind == "Monitoring"
    return made(
        lever=lever,
        controls=1,
        traffic_rate=0,
        operation_seconds=0.1,
        pace=1 if monitored else None,  # as slow as in the world: no alert of its own comes
        overrides=ASKED if monitored else None,
        permissions=permissions,
    )


def _troubles(world: LaptopWorld) -> list[str]:
    """What the functions have logged of permissions so far."""
    lines = [*world.functions[0].log_lines(), *world.controls[0].log_lines()]
    told = (text for line in lines if line.get("severity") for text in _texts(line))
    return [text for text in told if "denied" in text]


def _texts(line: dict[str, Any]) -> list[str]:
    """The message of a line, and the reasons of the decision that it tells of."""
    return [str(line.get("message")), *map(str, line.get("reasons") or ())]


def _life(world: LaptopWorld) -> None:
    """All that the function does: fail over, repair, prove recovery, fail over again."""
    fail(world, "us-east-1")
    settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))
    put_service(world, description="somebody else's")
    settled(world, "us-west-2", 1, world.tick())
    heal(world)
    for _ in range(3):
        assert world.tick().acknowledged
    fail(world, "us-west-2")
    settled(world, "eu-west-1", 2, world.push(alert(world, "us-west-2")))
    moved = f"{DECISION}.moved"
    assert [event.attributes["ce-type"] for event in world.events()] == [moved, DRIFT, moved]


@pytest.fixture(scope="module")
def used(plan: Plan) -> dict[str, set[str]]:
    """What each kind of groups used, and Monitoring. Fails where something was missing."""
    found = {}
    for kind in USES:
        with _world(kind, plan.granted()) as world:
            if kind == "Monitoring":
                assert world.tick().acknowledged  # asks what the checks found, and writes gauges
            else:
                _life(world)
            assert _troubles(world) == []
            assert world.role
            found[kind] = world.role.used
    return found


def test_what_terraform_gives_is_enough_and_none_of_it_idle(
    used: dict[str, set[str]], plan: Plan
) -> None:
    """Every scenario ends as it must, and every permission was used or has its reason above."""
    assert set(used) == set(USES)
    unused = plan.granted() - set().union(*used.values())
    assert unused == set(EXCEPTIONS), "given for nothing, or an exception that is none any more"


MISSING = {
    "compute.backendServices.get": USES[0],
    "compute.backendServices.update": USES[0],
    "compute.globalOperations.get": USES[0],
    "compute.healthChecks.useReadOnly": USES[0],
    "compute.instanceGroups.use": USES[0],
    "compute.networkEndpointGroups.use": USES[1],
    "compute.regionNetworkEndpointGroups.get": USES[2],
    "compute.regionNetworkEndpointGroups.use": USES[2],
    "monitoring.timeSeries.create": USES[3],
    "monitoring.timeSeries.list": USES[3],
    "pubsub.topics.publish": USES[0],
    "storage.objects.create": USES[0],
    "storage.objects.delete": USES[0],
    "storage.objects.get": USES[0],
    "storage.objects.list": USES[0],
}
"""Every permission, and the world whose failover shows that it is missing."""


def test_every_permission_is_taken_away_once(plan: Plan) -> None:
    assert set(MISSING) == plan.granted() - set(EXCEPTIONS)


FROM_THE_START = {
    "compute.regionNetworkEndpointGroups.get": "types of groups are asked once",
    "monitoring.timeSeries.create": "only ticks write gauges",
    "storage.objects.list": "that there is no document is asked before there is one",
}
"""What must be missing before the first tick, and why; the others are taken away after it."""


@pytest.mark.parametrize("permission", MISSING)
def test_a_missing_permission_is_named(permission: str, plan: Plan) -> None:
    """By the log of the alert's own handling, but for what only ticks ask."""
    fewer = plan.granted() - {permission}
    with _world(MISSING[permission], plan.granted()) as world:
        assert world.role
        if permission in FROM_THE_START:
            world.role.permissions = fewer
        _hand(world.controls[0].url, {"kind": "tick"})
        world.role.permissions = fewer
        fail(world, "us-east-1")
        status = _hand(world.functions[0].url, alert(world, "us-east-1"))
        assert status == (200 if permission in NAMED_ONLY else 500), _troubles(world)
        assert any(f"'{permission}'" in line for line in _troubles(world))


def test_a_balancer_that_may_not_be_read_is_named_before_there_is_a_document(plan: Plan) -> None:
    permission = "compute.backendServices.get"
    with _world(USES[0], plan.granted() - {permission}) as world:
        assert _hand(world.controls[0].url, {"kind": "tick"}) == 500
        assert any(f"'{permission}'" in line for line in _troubles(world))


def _hand(url: str, body: object) -> int:
    """Push one message once, without redelivery; the status of the answer."""
    data = base64.b64encode(json.dumps(body).encode()).decode()
    push = json.dumps({"message": {"data": data, "messageId": "1"}}).encode()
    return ask(url, "POST", push, {"Content-Type": "application/json"}, 60).status
