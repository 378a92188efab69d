"""The documents that a world is built from: `failover.yaml` and the Compute API's first content.

PURE: addresses are arguments, nothing is read or started. Both documents come from one blueprint,
so that they cannot disagree at the beginning; what they become later is the orchestrator's doing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.local.balancer.backend_services import merge_patch
from orchestrator.local.monitoring.notification import UptimeCheck
from orchestrator.local.rpc.wire import API_ROOT, Json, JsonObject

PROJECT = "laptop"
SERVICE = "checkout"
TOPICS = {
    "alerts": "dynamodb-failover-alerts",
    "control": "failover-control",
    "events": "failover-events",
}
"""The names of the topics that the orchestrator takes from and publishes to, by their part."""

LeverName = Literal["capacity", "membership"]
ModeName = Literal["active-passive", "active-active"]
StandbyName = Literal["drained", "attached"]

PRIMARY_PATH = "/healthz/primary"
"""What a region answers 200 to only while it carries the traffic."""

_HEALTH_CHECK = f"projects/{PROJECT}/global/healthChecks/{SERVICE}"
_CLOUD_REGIONS = {"us-east-1": "us-east4", "us-west-2": "us-west1", "eu-west-1": "europe-west1"}


@dataclass(frozen=True, slots=True)
class Site:
    """One region of the service: its name, its host and port, and its health endpoint.

    endpoint: of its DynamoDB, a host or a URL; "" for what AWS calls it.
    """

    region: str
    address: str
    health_url: str
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The service `checkout`: how its traffic is moved, and its sites, the preferred one first.

    `state` is the URL of the folder of the state documents. With `standby` attached every region
    has its full capacity at all times, and the load balancer's health check keeps the standbys out.
    """

    lever: LeverName
    mode: ModeName
    sites: tuple[Site, ...]
    state: str
    standby: StandbyName = "drained"

    def failover(self, overrides: Mapping[str, Json]) -> JsonObject:
        """The content of `failover.yaml`; `overrides` is merged into it (None removes a key)."""
        regions: JsonObject = {site.region: self._region(site) for site in self.sites}
        traffic: JsonObject = {"kind": "backend-service", "backend_service": SERVICE}
        if self.standby == "attached":
            traffic["standby"] = "attached"
        content: JsonObject = {
            "version": 1,
            "serial": 1,
            "project": PROJECT,
            "state": self.state,
            "topics": dict(TOPICS),
            "services": {SERVICE: {"mode": self.mode, "regions": regions, "traffic": traffic}},
        }
        merged = merge_patch(content, dict(overrides))
        assert isinstance(merged, dict)  # an object merged into an object
        return merged

    def compute(self, operation_seconds: float) -> JsonObject:
        """The Compute API's configuration: one backend service and a group for every site."""
        backends: list[Json] = [
            self._backend(site, first=site is self.sites[0])
            for site in self.sites
            if self.lever == "capacity" or self._carries(first=site is self.sites[0])
        ]
        service: JsonObject = {
            "name": SERVICE,
            "description": "the shop's checkout",
            "loadBalancingScheme": "EXTERNAL_MANAGED",
            "protocol": "HTTP",
            "backends": backends,
        }
        if self.lever == "capacity":
            service["healthChecks"] = [API_ROOT + _HEALTH_CHECK]
        return self._checks() | {
            "project": PROJECT,
            "operation_seconds": operation_seconds,
            "backend_services": [service],
            "groups": {
                path: self._endpoint(site)
                for site in self.sites
                for path in (self.group(site.region), self.stray(site.region))
            },
        }

    def group(self, region: str) -> str:
        """The path of a region's group, beginning with `projects/`."""
        place = _CLOUD_REGIONS.get(region, region)
        name = f"{SERVICE}-{region}"
        if self.lever == "capacity":
            return f"projects/{PROJECT}/zones/{place}-a/instanceGroups/{name}"
        return f"projects/{PROJECT}/regions/{place}/networkEndpointGroups/{name}"

    def stray(self, region: str) -> str:
        """A second group of the region, which the file does not name and nothing attaches.

        Controllers make such groups: GKE has one in each zone, and renames them.
        """
        group = self.group(region)
        return group.replace(f"-a/instanceGroups/{SERVICE}-", "-c/instanceGroups/k8s-").replace(
            f"/networkEndpointGroups/{SERVICE}-", "/networkEndpointGroups/canary-"
        )

    def routed(self, service: JsonObject) -> tuple[str, ...]:
        """The regions that a backend service sends traffic to, in the order of the sites."""
        backends = service.get("backends", [])
        assert isinstance(backends, list)
        open_groups = {
            str(backend["group"]).removeprefix(API_ROOT)
            for backend in backends
            if isinstance(backend, dict) and backend.get("capacityScaler", 1.0) != 0
        }
        return tuple(s.region for s in self.sites if self.group(s.region) in open_groups)

    def _checks(self) -> JsonObject:
        """What the load balancer checks by itself: who is primary, if standbys are attached."""
        if self.standby == "drained":
            return {}
        check: JsonObject = {"path": self._health_path}
        return (
            {"readiness": check}
            if self.lever == "membership"
            else {"health_checks": {_HEALTH_CHECK: check}}
        )

    @property
    def _health_path(self) -> str:
        return PRIMARY_PATH if self.standby == "attached" else "/healthz"

    def _region(self, site: Site) -> JsonObject:
        return {
            "endpoint": site.endpoint or f"dynamodb.{site.region}.amazonaws.com",
            "health_url": site.health_url,
            "check_id": UptimeCheck(SERVICE, site.region, "").check_id,
            "backend": API_ROOT + self.group(site.region),
        }

    def _carries(self, *, first: bool) -> bool:
        return first or self.mode == "active-active" or self.standby == "attached"

    def _backend(self, site: Site, *, first: bool) -> JsonObject:
        backend: JsonObject = {"group": API_ROOT + self.group(site.region)}
        if self.lever == "membership":
            return backend
        scaler = 1.0 if self._carries(first=first) else 0.0
        return backend | {
            "balancingMode": "RATE",
            "maxRatePerInstance": 100,
            "capacityScaler": scaler,
        }

    def _endpoint(self, site: Site) -> JsonObject:
        if self.lever == "membership":
            return {"type": "SERVERLESS", "address": site.address}
        return {
            "type": "INSTANCE_GROUP",
            "address": site.address,
            "health_path": self._health_path,
        }
