"""What the laptop's Compute API begins with, read from its configuration file.

PURE: the text is an argument, and so is the time. What the content becomes later is the business of
`compute_api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestrator.local.balancer.backend_services import BackendService, first_version
from orchestrator.local.balancer.groups import Group, parse_group
from orchestrator.local.balancer.probing import BalancerChecks, read_health_checks
from orchestrator.local.rpc.faults import seconds_in
from orchestrator.local.rpc.wire import ApiError, JsonObject, parse_object


@dataclass(frozen=True, slots=True)
class ComputeWorld:
    """What the server begins with: `operation_seconds` is how long an operation takes.

    checks: those that the load balancer makes by itself.
    """

    project: str
    operation_seconds: float
    services: tuple[BackendService, ...]
    groups: Mapping[str, Group]
    checks: BalancerChecks


def load_world(text: str, now: datetime) -> ComputeWorld:
    """The world that the JSON of a configuration file describes. Raises ValueError, saying why."""
    try:
        raw = parse_object(text)
        groups = _groups(raw)
        project, services = raw.get("project"), raw.get("backend_services")
        if not (isinstance(project, str) and isinstance(services, list) and services):
            raise ValueError("needs a `project` and at least one of `backend_services`")
        first = tuple(first_version(item, project, groups, now) for item in services)
        seconds = seconds_in({"seconds": raw.get("operation_seconds", 0.3)})
        return ComputeWorld(project, seconds, first, groups, read_health_checks(raw))
    except ApiError as error:
        raise ValueError(error.message) from error


def _groups(raw: JsonObject) -> dict[str, Group]:
    groups = raw.get("groups")
    if not isinstance(groups, dict):
        raise ValueError("needs `groups`")
    found: dict[str, Group] = {}
    for path, value in groups.items():
        try:
            found[path] = parse_group(path, value)
        except ValueError as error:
            raise ValueError(f"group {path}: {error}") from error
    return found
