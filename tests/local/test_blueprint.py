"""The documents that a world begins with."""

from typing import get_args

import pytest

from orchestrator.local.blueprint import Blueprint, LeverName, ModeName, Site
from orchestrator.local.rpc.wire import JsonObject

SITES = (
    Site("us-east-1", "127.0.0.1:8101", "http://127.0.0.1:8101/healthz"),
    Site("us-west-2", "127.0.0.1:8102", "http://127.0.0.1:8102/healthz"),
)
GROUP = "projects/laptop/zones/us-east4-a/instanceGroups/checkout-us-east-1"
NEG = "projects/laptop/regions/us-west1/networkEndpointGroups/checkout-us-west-2"
API = "https://www.googleapis.com/compute/v1/"


def blueprint(lever: LeverName = "capacity", mode: ModeName = "active-passive") -> Blueprint:
    """The blueprint of two regions."""
    return Blueprint(lever, mode, SITES, "gs://laptop-failover")


def service(document: JsonObject) -> JsonObject:
    """The one backend service of a Compute configuration."""
    services = document["backend_services"]
    assert isinstance(services, list)
    assert isinstance(services[0], dict)
    return services[0]


def test_failover_yaml() -> None:
    """The configuration names the regions in order, with endpoint, health URL and group."""
    content = blueprint().failover({})
    assert content == {
        "version": 1,
        "serial": 1,
        "project": "laptop",
        "state": "gs://laptop-failover",
        "topics": {
            "alerts": "dynamodb-failover-alerts",
            "control": "failover-control",
            "events": "failover-events",
        },
        "services": {
            "checkout": {
                "mode": "active-passive",
                "regions": {
                    "us-east-1": {
                        "endpoint": "dynamodb.us-east-1.amazonaws.com",
                        "health_url": "http://127.0.0.1:8101/healthz",
                        "check_id": "checkout-us-east-1-x1",
                        "backend": API + GROUP,
                    },
                    "us-west-2": {
                        "endpoint": "dynamodb.us-west-2.amazonaws.com",
                        "health_url": "http://127.0.0.1:8102/healthz",
                        "check_id": "checkout-us-west-2-x1",
                        "backend": API
                        + "projects/laptop/zones/us-west1-a/instanceGroups/checkout-us-west-2",
                    },
                },
                "traffic": {"kind": "backend-service", "backend_service": "checkout"},
            }
        },
    }


def test_overrides_are_merged_deeply() -> None:
    """An override changes what it names, at any depth, and leaves the rest."""
    content = blueprint().failover({"serial": 2, "services": {"checkout": {"policy": {"a": 1}}}})
    services = content["services"]
    assert isinstance(services, dict)
    checkout = services["checkout"]
    assert isinstance(checkout, dict)
    assert (content["serial"], checkout["policy"]) == (2, {"a": 1})
    assert checkout["mode"] == "active-passive"


def test_standbys_have_no_capacity() -> None:
    """In capacity mode all groups are attached, and the standbys' scalers are 0."""
    document = blueprint().compute(0.3)
    found = service(document)
    assert found["backends"] == [
        {
            "group": API + blueprint().group(region),
            "balancingMode": "RATE",
            "maxRatePerInstance": 100,
            "capacityScaler": scaler,
        }
        for region, scaler in (("us-east-1", 1.0), ("us-west-2", 0.0))
    ]
    groups = document["groups"]
    assert isinstance(groups, dict)
    assert groups[GROUP] == {
        "type": "INSTANCE_GROUP",
        "address": "127.0.0.1:8101",
        "health_path": "/healthz",
    }


def test_standbys_are_not_attached() -> None:
    """In membership mode only the first region's serverless group is attached, and bare."""
    document = blueprint("membership").compute(0.3)
    found = service(document)
    assert found["backends"] == [{"group": API + blueprint("membership").group("us-east-1")}]
    assert "healthChecks" not in found
    groups = document["groups"]
    assert isinstance(groups, dict)
    assert groups[NEG] == {"type": "SERVERLESS", "address": "127.0.0.1:8102"}


@pytest.mark.parametrize("lever", get_args(LeverName))
@pytest.mark.parametrize("mode", get_args(ModeName))
def test_who_is_routed(lever: LeverName, mode: ModeName) -> None:
    """In active-passive mode the first region gets the traffic, in active-active all do."""
    drawn = blueprint(lever, mode)
    expected = ("us-east-1", "us-west-2") if mode == "active-active" else ("us-east-1",)
    assert drawn.routed(service(drawn.compute(0.3))) == expected
