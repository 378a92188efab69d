"""The health checks that the laptop's load balancer makes: as the API and Envoy have them.

PURE. A backend service names its health check, as on Google Cloud; one of serverless groups has
none there, and is judged by the readiness probe of its service. With neither nothing is checked,
and every backend with capacity gets traffic.

Envoy begins anew with every change of a cluster: it keeps the old one until each host of the new
one has been checked once. So nobody gets traffic before a check has passed, and who was healthy is
not left out for a moment; a host that does not answer delays the change by one `timeout`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.local.balancer.backend_services import backends_of, group_path
from orchestrator.local.balancer.groups import Group
from orchestrator.local.rpc.wire import Json, JsonObject, resource_path


@dataclass(frozen=True, slots=True)
class BalancerCheck:
    """Healthy is exactly a 200 on `path`. interval, timeout: seconds.

    healthy, unhealthy: so many answers in a row change what is thought of a host; the first one of
    all decides at once. Both as Google's default is; the times are a tenth of Google's.
    """

    path: str
    interval: float = 0.5
    timeout: float = 0.5
    healthy: int = 2
    unhealthy: int = 2

    def envoy(self) -> JsonObject:
        """As Envoy's cluster has it."""
        interval = f"{self.interval}s"
        return {
            "timeout": f"{self.timeout}s",
            "interval": interval,
            "no_traffic_interval": interval,  # else 60 s, as long as no user has come
            "no_traffic_healthy_interval": interval,
            "healthy_threshold": self.healthy,
            "unhealthy_threshold": self.unhealthy,
            "reuse_connection": False,  # each check proves a new connection
            "http_health_check": {
                "path": self.path,
                "expected_statuses": [{"start": 200, "end": 201}],
                # counted, as Google counts them; without this one of them is enough
                "retriable_statuses": [{"start": 201, "end": 600}],
            },
        }


@dataclass(frozen=True, slots=True)
class BalancerChecks:
    """Those of a world. named: by the path of the resource. readiness: of all serverless groups."""

    named: Mapping[str, BalancerCheck] = field(default_factory=dict)
    readiness: BalancerCheck | None = None

    def of(self, content: JsonObject, groups: Mapping[str, Group]) -> BalancerCheck | None:
        """The check of a backend service, None where nothing is checked."""
        attached = [groups[group_path(backend)] for backend in backends_of(content)]
        if any(group.serverless for group in attached):
            return self.readiness
        links = content.get("healthChecks", [])
        names = [resource_path(str(link)) for link in links] if isinstance(links, list) else []
        return next((self.named[name] for name in names if name in self.named), None)


def read_health_checks(raw: JsonObject) -> BalancerChecks:
    """Those of a world's configuration: `health_checks` and `readiness`. Raises ValueError."""
    named = raw.get("health_checks", {})
    if not isinstance(named, dict):
        raise ValueError("`health_checks` is an object")
    probe = raw.get("readiness")
    return BalancerChecks(
        {name: _read(value) for name, value in named.items()},
        None if probe is None else _read(probe),
    )


def _read(value: Json) -> BalancerCheck:
    match value:
        case {"path": str(path), **rest}:
            try:
                return BalancerCheck(path, **rest)  # type: ignore[arg-type]  # the blueprint writes it
            except TypeError as error:
                raise ValueError(f"a health check: {error}") from error
        case _:
            raise ValueError("a health check has a `path`")
