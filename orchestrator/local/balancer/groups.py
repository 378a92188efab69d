"""The groups that backend services can send traffic to, and their health.

A group is an instance group or a network endpoint group of one endpoint on this machine. The module
knows its kind, its address and whether it answers; what a backend service may do with it is the
business of `backend_services`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

import aiohttp

from orchestrator.local.rpc.wire import API_ROOT, ApiError, Json, JsonObject

HEALTH_TIMEOUT = 1.0  # seconds
_NOBODY: Mapping[str, bool] = MappingProxyType({})


class GroupType(StrEnum):
    """What a group is; but for INSTANCE_GROUP, the API's own `networkEndpointType`."""

    INSTANCE_GROUP = "INSTANCE_GROUP"
    GCE_VM_IP_PORT = "GCE_VM_IP_PORT"
    NON_GCP_PRIVATE_IP_PORT = "NON_GCP_PRIVATE_IP_PORT"
    SERVERLESS = "SERVERLESS"


@dataclass(frozen=True, slots=True)
class Group:
    """A group and its one endpoint. `health_path` is None where no health check looks at it."""

    path: str
    type: GroupType
    host: str
    port: int
    health_path: str | None = None

    @property
    def serverless(self) -> bool:
        """Whether it has neither a balancing mode nor a capacity scaler."""
        return self.type is GroupType.SERVERLESS

    def resource(self) -> JsonObject:
        """The network endpoint group as the API returns it."""
        place, _, name = self.path.partition("/networkEndpointGroups/")
        parent: JsonObject = {}
        if (kind := place.split("/")[-2]) in ("zones", "regions"):
            parent[kind[:-1]] = API_ROOT + place
        return {
            "kind": "compute#networkEndpointGroup",
            "name": name,
            "networkEndpointType": self.type.value,
            "selfLink": API_ROOT + self.path,
            "size": 0 if self.serverless else 1,
            **parent,
        }


def parse_group(path: str, value: Json) -> Group:
    """A group of the configuration: `path` begins with `projects/`. Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    kind, (host, port) = GroupType(str(value.get("type"))), _address(str(value.get("address")))
    folder = "instanceGroups" if kind is GroupType.INSTANCE_GROUP else "networkEndpointGroups"
    if not path.startswith("projects/") or path.split("/")[-2] != folder:
        raise ValueError(f"a {kind} is named projects/.../{folder}/NAME")
    health_path = value.get("health_path")
    if not (health_path is None or isinstance(health_path, str)):
        raise ValueError("`health_path` is a string")
    return Group(path, kind, host, port, health_path)


async def health_of(
    group: Group, session: aiohttp.ClientSession, seen: Mapping[str, bool] = _NOBODY
) -> JsonObject:
    """The answer of `getHealth`: by what the load balancer has seen, or by asking now.

    `seen`: whether it takes a host (address and port) for healthy.

    Healthy is exactly a 200 on `health_path` within one second; a redirect is not followed.
    Raises ApiError (400) for a group that no health check looks at.
    """
    if group.serverless or group.health_path is None:
        raise ApiError(400, "invalid", f"The group '{group.path}' has no health check.")
    healthy = seen.get(f"{group.host}:{group.port}")
    if healthy is None:
        healthy = await _answers(group, group.health_path, session)
    state = "HEALTHY" if healthy else "UNHEALTHY"
    endpoint: JsonObject = {"ipAddress": group.host, "port": group.port, "healthState": state}
    place, _, name = group.path.rpartition("/")
    if group.type is not GroupType.NON_GCP_PRIVATE_IP_PORT:  # nothing of Google's stands behind it
        endpoint["instance"] = f"{API_ROOT}{place.rpartition('/')[0]}/instances/{name}"
    return {"kind": "compute#backendServiceGroupHealth", "healthStatus": [endpoint]}


async def _answers(group: Group, path: str, session: aiohttp.ClientSession) -> bool:
    host = f"[{group.host}]" if ":" in group.host else group.host
    limit = aiohttp.ClientTimeout(total=HEALTH_TIMEOUT)
    try:
        async with session.get(
            f"http://{host}:{group.port}{path}", timeout=limit, allow_redirects=False
        ) as answer:
            return answer.status == HTTPStatus.OK
    except (aiohttp.ClientError, TimeoutError):
        return False


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return str(ipaddress.ip_address(host.strip("[]"))), int(port)
