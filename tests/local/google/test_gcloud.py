"""The laptop's Compute API asked by gcloud: a client that nobody here wrote."""

from __future__ import annotations

import json
import sys
import threading
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.local.google.gcloud import Gcloud, Said, environment, installed
from orchestrator.local.process.ask import answers, ask, post_json
from orchestrator.local.process.child import ROOT, Child
from orchestrator.local.process.loopback import HOST, free_port, url_of
from orchestrator.local.process.wait import wait_until
from orchestrator.local.rpc.proxy import FaultProxy, Hold, Request

pytestmark = [
    pytest.mark.long,
    pytest.mark.world,
    pytest.mark.timeout(120),  # gcloud takes a second or two a call, more on a busy machine
]

API = "https://www.googleapis.com/compute/v1/"
EAST = "projects/laptop/zones/us-east4-a/instanceGroups/east"
WEST = "projects/laptop/zones/us-west1-a/instanceGroups/west"
RUN_EAST = "projects/laptop/regions/us-east4/networkEndpointGroups/run-east"
RUN_WEST = "projects/laptop/regions/us-west1/networkEndpointGroups/run-west"
AT_EAST = ("--instance-group=east", "--instance-group-zone=us-east4-a")
AT_RUN_WEST = ("--network-endpoint-group=run-west", "--network-endpoint-group-region=us-west1")


def world(port: int) -> dict[str, Any]:
    """The configuration of the server under test, which is its own healthy backend."""
    address = f"{HOST}:{port}"
    scaled = {"balancingMode": "RATE", "maxRatePerInstance": 100}
    return {
        "project": "laptop",
        "operation_seconds": 0.02,
        "backend_services": [
            {
                "name": "checkout",
                "description": "what the owner wrote",
                "protocol": "HTTP",
                "brandNew": {"kept": [{"deep": True}]},
                "backends": [
                    {"group": API + EAST, "capacityScaler": 1.0, "brandNew": 1, **scaled},
                    {"group": API + WEST, "capacityScaler": 0.0, **scaled},
                ],
            },
            {"name": "alone", "backends": [{"group": API + EAST, **scaled}]},
            {"name": "run", "backends": [{"group": API + RUN_EAST}, {"group": API + RUN_WEST}]},
        ],
        "groups": {
            EAST: {"type": "INSTANCE_GROUP", "address": address, "health_path": "/_laptop/ready"},
            WEST: {"type": "INSTANCE_GROUP", "address": address, "health_path": "/nowhere"},
            RUN_EAST: {"type": "SERVERLESS", "address": address},
            RUN_WEST: {"type": "SERVERLESS", "address": address},
        },
    }


@dataclass(frozen=True, slots=True)
class Server:
    """A running API process, and gcloud pointed at it."""

    url: str
    gcloud: Gcloud

    def run(self, command: str, *arguments: str) -> Said:
        """One command of `gcloud compute`."""
        return self.gcloud.run("compute", *command.split(), *arguments)

    def get(self, service: str) -> Any:
        """The backend service as it is."""
        return ask(f"{self.url}/compute/v1/{_path(service)}").json()

    def scalers(self, service: str = "checkout") -> dict[str, float | None]:
        """Capacity by the group's name."""
        backends = self.get(service).get("backends", [])
        return {b["group"].rpartition("/")[2]: b.get("capacityScaler") for b in backends}

    def asked(self) -> list[tuple[str, str, int]]:
        """Method, end of the path and status of every request since the test began."""
        log = ask(f"{self.url}/_laptop/log").json()
        return [(e["method"], e["path"].rpartition("/")[2], e["status"]) for e in log]

    def fault(self, **fault: object) -> None:
        """Have a fault befall the next request that matches."""
        assert post_json(f"{self.url}/_laptop/faults", [fault]).ok


def _path(service: str) -> str:
    return f"projects/laptop/global/backendServices/{service}"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One API process, and one folder of gcloud's."""
    if installed() is None:
        pytest.skip("gcloud is not installed")
    folder, port = tmp_path_factory.mktemp("gcloud"), free_port()
    config = folder / "world.json"
    config.write_text(json.dumps(world(port)))
    options = ["--config", str(config), "--port", str(port)]
    command = [sys.executable, "-m", "orchestrator.local.balancer.compute_api", *options]
    with Child("compute-api", command, log=folder / "api.log", cwd=ROOT) as child:
        child.wait_ready(lambda: answers(f"{url_of(port)}/_laptop/ready"))
        yield Server(url_of(port), Gcloud(url_of(port), "laptop", folder / "gcloud"))


@pytest.fixture
def server(shared: Server) -> Server:
    """The shared server with its first content, no fault and an empty log."""
    ask(f"{shared.url}/_laptop/faults", "DELETE")
    for service in world(0)["backend_services"]:
        put(shared, service)
    ask(f"{shared.url}/_laptop/log", "DELETE")
    return shared


def put(server: Server, service: dict[str, Any]) -> None:
    """Replace a backend service and wait until it is done."""
    whole = {**service, "fingerprint": server.get(service["name"])["fingerprint"]}
    url = f"{server.url}/compute/v1/{_path(service['name'])}"
    accepted = ask(url, "PUT", json.dumps(whole).encode())
    assert accepted.ok, accepted.body
    operation = accepted.json()["selfLink"].replace(API, f"{server.url}/compute/v1/")
    assert ask(f"{operation}/wait", "POST").json()["status"] == "DONE"


def succeeded(said: Said) -> str:
    """What gcloud printed, when it succeeded and complained of nothing."""
    assert said.status == 0, said.err
    assert "WARNING" not in said.err
    return said.out


def refused(said: Said) -> str:
    """What gcloud complained of, when it failed because the API said so."""
    assert said.status == 1
    assert said.err.startswith("ERROR: (gcloud.compute.backend-services."), said.err
    return said.err


def test_it_lists_backend_services_page_by_page(server: Server) -> None:
    """It asks for all scopes and follows the pages; filters are its own work."""
    out = succeeded(server.run("backend-services list --page-size=2 --format=value(name)"))
    assert out.split() == ["alone", "checkout", "run"]
    assert server.asked() == [("GET", "backendServices", 200)] * 2


def test_it_describes_what_the_api_holds(server: Server) -> None:
    """All of it, fields that it does not know too; a fingerprint in its own base64 alphabet."""
    out = succeeded(server.run("backend-services describe checkout --global --format=json"))
    shown, held = json.loads(out), server.get("checkout")
    assert urlsafe_b64decode(shown.pop("fingerprint")) == b64decode(held.pop("fingerprint"))
    assert shown == held


def test_it_scales_a_backend_by_a_whole_update(server: Server) -> None:
    """It reads, puts the whole resource with its fingerprint, waits, and reads again."""
    said = server.run("backend-services update-backend checkout --global", *AT_EAST, *scale(0.5))
    succeeded(said)
    assert f"Updated [{API}{_path('checkout')}]" in said.err
    assert [method for method, _, _ in server.asked()] == ["GET", "PUT", "POST", "GET"]
    assert server.scalers() == {"east": 0.5, "west": 0.0}
    assert server.get("checkout")["brandNew"] == {"kept": [{"deep": True}]}


def test_it_tells_the_operations(server: Server) -> None:
    """The list has what was done, and one of them can be described by its name."""
    shown = ("--sort-by=~name", "--limit=1", "--format=value(name,operationType,status)")
    name, kind, status = succeeded(server.run("operations list", *shown)).split()
    assert (kind, status) == ("update", "DONE")
    described = server.run("operations describe --global --format=json", name)
    assert json.loads(succeeded(described))["targetLink"].startswith(API + _path(""))


def test_it_changes_the_description_by_a_patch(server: Server) -> None:
    """It sends empty lists too, which are not kept: they mean "not set"."""
    before = server.get("checkout")
    succeeded(server.run("backend-services update checkout --global --description=mine"))
    after = server.get("checkout")
    assert after.pop("fingerprint") != before.pop("fingerprint")
    assert after == {**before, "description": "mine"}


def test_it_sees_the_health_of_every_backend(server: Server) -> None:
    out = succeeded(server.run("backend-services get-health checkout --global --format=json"))
    states = [found["status"]["healthStatus"][0]["healthState"] for found in json.loads(out)]
    assert states == ["HEALTHY", "UNHEALTHY"]


def test_it_detaches_and_attaches_a_serverless_group(server: Server) -> None:
    """The group comes back under the API's own address, not the one gcloud was pointed at."""
    succeeded(server.run("backend-services remove-backend run --global", *AT_RUN_WEST))
    assert server.scalers("run") == {"run-east": None}
    succeeded(server.run("backend-services add-backend run --global", *AT_RUN_WEST))
    assert [backend["group"] for backend in server.get("run")["backends"]] == [
        API + RUN_EAST,
        API + RUN_WEST,
    ]


def test_it_shows_the_name_that_does_not_exist(server: Server) -> None:
    said = server.run("backend-services describe nobody --global")
    assert f"The resource '{_path('nobody')}' was not found" in refused(said)


def test_it_cannot_drain_the_only_backend(server: Server) -> None:
    said = server.run("backend-services update-backend alone --global", *AT_EAST, *scale(0))
    assert "not allowed when only one backend is attached" in refused(said)
    assert server.scalers("alone") == {"east": 1.0}


def test_it_cannot_give_a_serverless_group_a_scaler(server: Server) -> None:
    """Only add-backend can name such a group with one, and the API refuses it."""
    put(server, {"name": "run", "backends": [{"group": API + RUN_EAST}]})
    add = "backend-services add-backend run --global"
    assert "not supported for Serverless" in refused(server.run(add, *AT_RUN_WEST, *scale(0.5)))
    assert server.scalers("run") == {"run-east": None}


def test_it_needs_permission(server: Server) -> None:
    message = f"Required 'compute.backendServices.update' permission for '{_path('checkout')}'"
    server.fault(kind="status", method="PUT", status=403, reason="forbidden", message=message)
    update = "backend-services update-backend checkout --global"
    assert message in refused(server.run(update, *AT_EAST, *scale(0.5)))
    assert server.scalers() == {"east": 1.0, "west": 0.0}


def test_it_shows_why_an_operation_failed(server: Server) -> None:
    server.fault(kind="operation_error", method="PUT", message="no luck")
    update = "backend-services update-backend checkout --global"
    assert "no luck" in refused(server.run(update, *AT_EAST, *scale(0.5)))
    assert server.scalers() == {"east": 1.0, "west": 0.0}


def test_the_later_of_two_updates_is_refused(server: Server) -> None:
    """Both have read the same; the one whose write comes second has a stale fingerprint."""
    held = threading.Event()
    with FaultProxy(server.url) as proxy, ThreadPoolExecutor(1) as pool:
        proxy.hook = lambda request: _hold_write(request, held)
        slow = Server(server.url, Gcloud(proxy.url, "laptop", server.gcloud.folder / "second"))
        late = pool.submit(slow.run, "backend-services update checkout --global --description=late")
        try:
            wait_until(lambda: any(e.method == "PATCH" for e in proxy.log), 60, "the write")
            update = "backend-services update-backend checkout --global"
            succeeded(server.run(update, *AT_EAST, *scale(0.5)))
        finally:
            held.set()
        assert "Invalid fingerprint." in refused(late.result())
    assert server.get("checkout")["description"] == "what the owner wrote"
    assert server.scalers() == {"east": 0.5, "west": 0.0}


def _hold_write(request: Request, held: threading.Event) -> Hold | None:
    return Hold(held) if request.method == "PATCH" else None


def scale(scaler: float) -> tuple[str]:
    """The flag that says how much traffic a backend gets."""
    return (f"--capacity-scaler={scaler}",)


def test_the_environment_can_be_pasted_into_a_shell() -> None:
    """No value needs quotes; the address ends with a slash, as gcloud needs it."""
    found = environment("http://127.0.0.1:15080", "laptop", Path("/of/its-own"))
    assert found["CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"].endswith(":15080/compute/v1/")
    assert not any(set(text) & set(" '\"$`\\") for text in found.values())


def test_without_a_folder_the_settings_of_whoever_pastes_it_are_used() -> None:
    assert all(name.startswith("CLOUDSDK_") for name in environment("http://x", "laptop"))
    assert "CLOUDSDK_CONFIG" not in environment("http://x", "laptop")


def test_without_gcloud_a_call_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="gcloud is not installed"):
        Gcloud("http://127.0.0.1:1", "laptop", tmp_path).run("version")
