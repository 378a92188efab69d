"""Envoy under the laptop's Compute Engine API: real processes, two tiny servers, moved traffic."""

from __future__ import annotations

import http.client
import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from orchestrator.local.balancer import envoy
from orchestrator.local.balancer.groups import parse_group
from orchestrator.local.process.ask import answers, ask, post_json
from orchestrator.local.process.child import Child
from orchestrator.local.process.loopback import HOST, free_port, url_of
from orchestrator.local.process.wait import wait_until

pytestmark = pytest.mark.world

ROOT = Path(__file__).parents[3]
EAST = "projects/laptop/zones/us-east4-a/networkEndpointGroups/east"
WEST = "projects/laptop/zones/us-west1-a/networkEndpointGroups/west"
PROJECT = "/compute/v1/projects/laptop/global"


class Backend(ThreadingHTTPServer):
    """A region that answers with its name and keeps its connections alive."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__((HOST, free_port()), Answering)
        self.name = name


class Answering(BaseHTTPRequestHandler):
    """Answers every GET with the name of its server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: else 40 ms for each request

    def do_GET(self) -> None:
        """Answer with the server's name."""
        assert isinstance(self.server, Backend)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.name)))
        self.end_headers()
        self.wfile.write(self.server.name.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's own name
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Balanced:
    """A running Compute API and Envoy: the API's port, and one kept-alive connection to Envoy."""

    api: int
    user: http.client.HTTPConnection

    def ask(self) -> tuple[int, str]:
        """Status and text of one user request."""
        self.user.request("GET", "/")
        answer = self.user.getresponse()
        return answer.status, answer.read().decode()

    def move(self, *scalers: tuple[str, float]) -> None:
        """PATCH the backend service to these groups and capacities; wait for the operation."""
        url = f"{url_of(self.api)}{PROJECT}"
        fingerprint = ask(f"{url}/backendServices/checkout").json()["fingerprint"]
        change = {"fingerprint": fingerprint, "backends": backends(*scalers)}
        body = json.dumps(change).encode()
        operation = ask(f"{url}/backendServices/checkout", "PATCH", body).json()
        done = post_json(f"{url}/operations/{operation['name']}/wait", {}).json()
        assert done["status"] == "DONE"
        assert "error" not in done


def backends(*scalers: tuple[str, float]) -> list[dict[str, Any]]:
    """Backends as the API takes them."""
    return [
        {"group": group, "balancingMode": "RATE", "capacityScaler": value}
        for group, value in scalers
    ]


@pytest.fixture
def balanced(tmp_path: Path) -> Iterator[Balanced]:
    """Envoy before two servers, all traffic on the one named east."""
    with ExitStack() as world:
        config = tmp_path / "world.json"
        groups = {
            group: {"type": "GCE_VM_IP_PORT", "address": f"{HOST}:{_serve(world, name)}"}
            for group, name in ((EAST, "east"), (WEST, "west"))
        }
        service = {"name": "checkout", "backends": backends((EAST, 1.0), (WEST, 0.0))}
        raw = {"project": "laptop", "operation_seconds": 0.02, "groups": groups}
        config.write_text(json.dumps({**raw, "backend_services": [service]}))
        folder, listener, admin, api = tmp_path / "envoy", free_port(), free_port(), free_port()
        envoy.write_bootstrap(folder, "checkout", listener, admin)
        arguments = ["--config", str(config), "--port", str(api), "--envoy-dir", str(folder)]
        command = [sys.executable, "-m", "orchestrator.local.balancer.compute_api", *arguments]
        child = world.enter_context(Child("api", command, log=tmp_path / "api.log", cwd=ROOT))
        child.wait_ready(lambda: answers(f"{url_of(api)}/_laptop/ready"))
        command = envoy.envoy_command(folder)
        child = world.enter_context(Child("envoy", command, log=tmp_path / "envoy.log"))
        child.wait_ready(lambda: envoy.ready(admin))
        user = http.client.HTTPConnection(HOST, listener, timeout=30)
        world.callback(user.close)
        yield Balanced(api, user)


def _serve(world: ExitStack, name: str) -> int:
    server = world.enter_context(Backend(name))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    world.callback(thread.join)
    world.callback(server.shutdown)
    return server.server_port


def test_a_patch_moves_the_traffic(balanced: Balanced) -> None:
    """After a PATCH every request goes to the new backend, on an old connection too; none fails."""
    assert {balanced.ask() for _ in range(20)} == {(200, "east")}
    for target, source, name in ((WEST, EAST, "west"), (EAST, WEST, "east")):
        balanced.move((target, 1.0), (source, 0.0))
        wait_until(partial(_moved, balanced, name), 30, "the move")
        assert {balanced.ask() for _ in range(50)} == {(200, name)}


def _moved(balanced: Balanced, name: str) -> bool:
    status, found = balanced.ask()
    assert status == 200
    return found == name


def test_capacity_is_the_weight_of_a_backend(balanced: Balanced) -> None:
    """Two backends share the requests in the proportion of their capacities."""
    balanced.move((EAST, 0.5), (WEST, 1.0))
    wait_until(lambda: balanced.ask()[1] == "west", 30, "the second backend to be asked")
    seen = Counter(balanced.ask()[1] for _ in range(300))
    assert seen["east"] == pytest.approx(100, abs=10)


@pytest.mark.parametrize("scalers", [(), ((EAST, 0.0), (WEST, 0.0))])
def test_no_capacity_is_503_and_can_be_healed(
    balanced: Balanced, scalers: tuple[tuple[str, float], ...]
) -> None:
    """With no backend, or none with capacity, users get 503, until a backend has capacity again."""
    balanced.move(*scalers)
    wait_until(lambda: balanced.ask()[0] == 503, 30, "the outage")
    balanced.move((EAST, 0.0), (WEST, 1.0))
    wait_until(lambda: balanced.ask() == (200, "west"), 30, "traffic to come back")


def test_a_serverless_backend_weighs_as_one_of_full_capacity() -> None:
    """A backend without a scaler is an endpoint of weight 100; a drained one is none."""
    raw = {"address": "127.0.0.1:8101"}
    run = parse_group(EAST, {"type": "SERVERLESS", **raw})
    vm = parse_group(WEST, {"type": "GCE_VM_IP_PORT", **raw})
    content: Any = {"backends": [{"group": EAST}, {"group": WEST, "capacityScaler": 0.0}]}
    found: Any = envoy.cluster("checkout", content, {EAST: run, WEST: vm})
    endpoints = found["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert [endpoint["load_balancing_weight"] for endpoint in endpoints] == [100]


def test_a_bootstrap_leaves_the_clusters_as_they_are(tmp_path: Path) -> None:
    """The clusters may be written before or after the bootstrap, and nothing half-written stays."""
    envoy.write_clusters(tmp_path, {"checkout": {}}, {})
    before = (tmp_path / envoy.CLUSTERS).read_text()
    envoy.write_bootstrap(tmp_path, "checkout", 10000, 10001)
    assert (tmp_path / envoy.CLUSTERS).read_text() == before
    assert {file.name for file in tmp_path.iterdir()} == {envoy.CLUSTERS, envoy.BOOTSTRAP}
