"""The laptop's Compute Engine API over HTTP, asked by Google's own client and in raw JSON."""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import web
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import compute_v1
from google.cloud.compute_v1.services.backend_services.transports import (
    BackendServicesRestTransport,
)
from google.cloud.compute_v1.services.global_operations.transports import (
    GlobalOperationsRestTransport,
)
from google.cloud.compute_v1.services.region_network_endpoint_groups.transports import (
    RegionNetworkEndpointGroupsRestTransport,
)

from orchestrator.local.balancer.compute_api import application
from orchestrator.local.balancer.compute_world import load_world
from orchestrator.local.process.ask import HttpAnswer, answers, ask
from orchestrator.local.process.child import Child
from orchestrator.local.process.loop_thread import LoopThread
from orchestrator.local.process.loopback import HOST, free_port, url_of
from orchestrator.local.process.wait import wait_until

pytestmark = [
    pytest.mark.world,
    # said by aiohttp 3.14 and newer of the request's own storage; older ones have no RequestKey
    pytest.mark.filterwarnings("ignore:It is recommended to use web.RequestKey"),
]

ROOT = Path(__file__).parents[3]
API = "https://www.googleapis.com/compute/v1/"
EAST = "projects/laptop/zones/us-east4-a/instanceGroups/checkout-us-east-1"
WEST = "projects/laptop/zones/us-west1-a/networkEndpointGroups/checkout-us-west-2"
RUN_EAST = "projects/laptop/regions/us-east4/networkEndpointGroups/run-east"
RUN_WEST = "projects/laptop/regions/us-west1/networkEndpointGroups/run-west"
SERVICES = "/compute/v1/projects/laptop/global/backendServices"
CHECKOUT = f"{SERVICES}/checkout"
RUN = f"{SERVICES}/run"


@dataclass(frozen=True, slots=True)
class Server:
    """A running API, and what a client asks of it."""

    port: int

    def ask(self, method: str, path: str, body: object = None, **query: str) -> HttpAnswer:
        """One request; a body is sent as JSON."""
        target = url_of(self.port) + path + (f"?{urlencode(query)}" if query else "")
        return ask(target, method, None if body is None else json.dumps(body).encode())

    def get(self, path: str = CHECKOUT) -> Any:
        """The JSON of a GET that must succeed."""
        answer = self.ask("GET", path)
        assert answer.status == 200, answer.body
        return answer.json()

    def patch(self, body: dict[str, Any], path: str = CHECKOUT, **query: str) -> HttpAnswer:
        """A PATCH with the current fingerprint, unless the body brings one of its own."""
        return self.ask(
            "PATCH", path, {"fingerprint": self.get(path)["fingerprint"], **body}, **query
        )

    def wait(self, accepted: HttpAnswer) -> Any:
        """The operation that was accepted, when it is done."""
        assert accepted.status == 200, accepted.body
        name = accepted.json()["name"]
        path = f"/compute/v1/projects/laptop/global/operations/{name}/wait"
        done = self.ask("POST", path).json()
        assert done["status"] == "DONE"
        return done

    def fault(self, **fault: object) -> None:
        """Have a fault befall the next request that matches."""
        assert self.ask("POST", "/_laptop/faults", [fault]).status == 200

    def seconds(self, seconds: float) -> None:
        """How long operations take from now on."""
        assert self.ask("PUT", "/_laptop/operation_seconds", {"seconds": seconds}).status == 200


class Health(BaseHTTPRequestHandler):
    """A backend that is healthy, or as its server's `status` says."""

    def do_GET(self) -> None:
        """Answer with the server's status."""
        self.send_response(self.server.status if self.path == "/healthz" else 404)  # type: ignore[attr-defined]  # set by the fixture
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # ditto
        """Say nothing."""


@pytest.fixture
def backend() -> Iterator[HTTPServer]:
    """The endpoint behind EAST; nothing listens behind WEST."""
    with HTTPServer((HOST, free_port()), Health) as server:
        server.status = 200  # type: ignore[attr-defined]  # read by Health
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def world(east: int) -> dict[str, Any]:
    """The configuration of the servers under test."""
    return {
        "project": "laptop",
        "operation_seconds": 0.02,
        "backend_services": [
            {
                "name": "checkout",
                "loadBalancingScheme": "EXTERNAL_MANAGED",
                "description": "what the owner wrote",
                "timeoutSec": 30,
                "brandNew": {"kept": [{"deep": True}]},
                "backends": [
                    {
                        "group": API + EAST,
                        "balancingMode": "UTILIZATION",
                        "capacityScaler": 1.0,
                        "brandNew": {"deep": 1},
                    },
                    {"group": API + WEST, "balancingMode": "RATE", "capacityScaler": 0.0},
                ],
            },
            {"name": "run", "backends": [{"group": API + RUN_EAST}, {"group": API + RUN_WEST}]},
        ],
        "groups": {
            EAST: {
                "type": "INSTANCE_GROUP",
                "address": f"{HOST}:{east}",
                "health_path": "/healthz",
            },
            WEST: {
                "type": "GCE_VM_IP_PORT",
                "address": f"{HOST}:{free_port()}",
                "health_path": "/healthz",
            },
            RUN_EAST: {"type": "SERVERLESS", "address": f"{HOST}:{east}"},
            RUN_WEST: {"type": "SERVERLESS", "address": f"{HOST}:{east}"},
        },
    }


@pytest.fixture(scope="module")
def loop() -> Iterator[LoopThread]:
    """The event loop of all servers: a process for each would be most of these tests' time."""
    made = LoopThread("compute-api")
    yield made
    made.stop()


@pytest.fixture
def server(loop: LoopThread, backend: HTTPServer) -> Iterator[Server]:
    """A fresh API."""
    content = load_world(json.dumps(world(backend.server_port)), datetime.now(UTC))
    app = application(content, lambda: datetime.now(UTC), lambda _: None)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    found = Server(free_port())
    loop.run(runner.setup())
    loop.run(web.TCPSite(runner, HOST, found.port).start())
    yield found
    loop.run(runner.cleanup())


def test_it_serves_as_a_process_of_its_own(tmp_path: Path, backend: HTTPServer) -> None:
    """As the laptop world starts it."""
    config = tmp_path / "world.json"
    config.write_text(json.dumps(world(backend.server_port)))
    found = Server(free_port())
    arguments = ["--config", str(config), "--port", str(found.port)]
    command = [sys.executable, "-m", "orchestrator.local.balancer.compute_api", *arguments]
    with Child("compute-api", command, log=tmp_path / "api.log", cwd=ROOT) as child:
        child.wait_ready(lambda: answers(f"{url_of(found.port)}/_laptop/ready"))
        found.wait(found.patch({"description": "x"}))
        assert found.get()["description"] == "x"


def reason(answer: HttpAnswer) -> tuple[int, str]:
    """Status and Google's reason of an error, whose form is checked on the way."""
    error = answer.json()["error"]
    assert error["code"] == answer.status
    assert error["errors"][0]["domain"] == "global"
    assert error["errors"][0]["message"] == error["message"]
    return answer.status, error["errors"][0]["reason"]


def scaler(resource: Any) -> dict[str, float | None]:
    """Capacity by group path."""
    return {
        backend["group"].removeprefix(API): backend.get("capacityScaler")
        for backend in resource["backends"]
    }


def backends(east: object, west: object) -> list[dict[str, Any]]:
    """Both backends of `checkout` with these scalers."""
    return [
        {"group": API + EAST, "balancingMode": "UTILIZATION", "capacityScaler": east},
        {"group": API + WEST, "balancingMode": "RATE", "capacityScaler": west},
    ]


# --- Google's own client -----------------------------------------------------------------------


@pytest.fixture
def client(server: Server) -> Iterator[compute_v1.BackendServicesClient]:
    """Google's client, its operations too, bound to the server."""
    host, nobody = f"{HOST}:{server.port}", AnonymousCredentials()
    operations = compute_v1.GlobalOperationsClient(
        transport=GlobalOperationsRestTransport(host=host, url_scheme="http", credentials=nobody)
    )
    transport = BackendServicesRestTransport(host=host, url_scheme="http", credentials=nobody)
    with operations, compute_v1.BackendServicesClient(transport=transport) as found:
        # where the client looks for what polls its operations; left alone it would ask Google
        transport._extended_operations_services["global_operations"] = operations
        yield found


def finish(operation: Any) -> None:
    """Wait for an operation as the client does; its `result`, which may raise, has no types."""
    operation.result(timeout=30)


def typed_patch(
    client: compute_v1.BackendServicesClient, east: float, west: float
) -> compute_v1.PatchBackendServiceRequest:
    """A typed message that moves capacity, with the current fingerprint."""
    current = client.get(project="laptop", backend_service="checkout")
    for backend in current.backends:
        backend.capacity_scaler = east if backend.group.endswith("us-east-1") else west
    change = compute_v1.BackendService(backends=current.backends, fingerprint=current.fingerprint)
    return compute_v1.PatchBackendServiceRequest(
        project="laptop", backend_service="checkout", backend_service_resource=change
    )


def test_the_real_client_reads_a_backend_service(
    client: compute_v1.BackendServicesClient,
) -> None:
    """Google's client reads a backend service, its capacities and its fingerprint."""
    found = client.get(project="laptop", backend_service="checkout")
    assert [backend.capacity_scaler for backend in found.backends] == [1.0, 0.0]
    assert found.fingerprint
    assert found.id > 0


def test_the_real_client_lists_backend_services(client: compute_v1.BackendServicesClient) -> None:
    """Google's client lists every backend service."""
    assert [found.name for found in client.list(project="laptop")] == ["checkout", "run"]


def test_the_real_client_moves_capacity(client: compute_v1.BackendServicesClient) -> None:
    """A typed PATCH with an explicit 0.0 is applied once its operation is done."""
    finish(client.patch(typed_patch(client, 0.0, 1.0)))
    after = client.get(project="laptop", backend_service="checkout")
    assert [backend.capacity_scaler for backend in after.backends] == [0.0, 1.0]


def test_the_real_client_raises_on_a_failed_operation(
    server: Server, client: compute_v1.BackendServicesClient
) -> None:
    """An operation that ends with an error raises in the client and applies nothing."""
    server.fault(method="PATCH", kind="operation_error", message="no luck")
    with pytest.raises(exceptions.ServiceUnavailable):
        finish(client.patch(typed_patch(client, 0.0, 1.0)))
    assert scaler(server.get()) == {EAST: 1.0, WEST: 0.0}


def test_the_real_client_meets_a_stale_fingerprint(
    client: compute_v1.BackendServicesClient,
) -> None:
    """A PATCH with the fingerprint of an older content raises PreconditionFailed in the client."""
    stale = typed_patch(client, 0.0, 1.0)
    finish(client.patch(typed_patch(client, 0.5, 0.5)))
    with pytest.raises(exceptions.PreconditionFailed):
        client.patch(stale)


def test_the_real_client_repeats_a_request_id(client: compute_v1.BackendServicesClient) -> None:
    """The same request id sent twice is one operation."""
    request = typed_patch(client, 0.0, 1.0)
    request.request_id = str(uuid.uuid4())
    first = client.patch(request)
    finish(first)
    assert client.patch(request).name == first.name


def test_the_real_client_sees_the_health_of_groups(
    backend: HTTPServer, client: compute_v1.BackendServicesClient
) -> None:
    """getHealth is HEALTHY for a backend that answers 200 and UNHEALTHY for any other."""

    def state(group: str) -> str:
        found = client.get_health(
            project="laptop",
            backend_service="checkout",
            resource_group_reference_resource=compute_v1.ResourceGroupReference(group=API + group),
        )
        return found.health_status[0].health_state

    assert (state(EAST), state(WEST)) == ("HEALTHY", "UNHEALTHY")
    backend.status = 503  # type: ignore[attr-defined]  # read by Health
    assert state(EAST) == "UNHEALTHY"


def test_the_real_client_learns_the_type_of_an_endpoint_group(server: Server) -> None:
    """Google's client reads the type of a regional endpoint group, and gets NotFound for none."""
    transport = RegionNetworkEndpointGroupsRestTransport(
        host=f"{HOST}:{server.port}",
        url_scheme="http",
        credentials=AnonymousCredentials(),
    )
    with compute_v1.RegionNetworkEndpointGroupsClient(transport=transport) as groups:

        def get(name: str) -> compute_v1.NetworkEndpointGroup:
            return groups.get(project="laptop", region="us-east4", network_endpoint_group=name)

        found = get("run-east")
        assert found.network_endpoint_type == "SERVERLESS"
        with pytest.raises(exceptions.NotFound):
            get("nobody")


# --- content and fingerprint -------------------------------------------------------------------


def test_unknown_fields_survive_at_every_depth(server: Server) -> None:
    """Fields that the server does not know come back unchanged after a change of other fields."""
    before = server.get()
    server.wait(server.patch({"description": "new", "other": {"deep": [1, {"x": None}]}}))
    after = server.get()
    assert after["brandNew"] == {"kept": [{"deep": True}]}
    assert after["backends"] == before["backends"]
    assert after["backends"][0]["brandNew"] == {"deep": 1}
    assert after["other"]["deep"][0] == 1


def test_null_in_a_patch_removes_the_field(server: Server) -> None:
    """A patch removes what is null, at any depth of objects, and keeps what it does not name."""
    server.wait(server.patch({"brandNew": {"a": 1, "b": 2}}))
    server.wait(server.patch({"description": None, "brandNew": {"a": None}}))
    after = server.get()
    assert "description" not in after
    assert after["brandNew"] == {"kept": [{"deep": True}], "b": 2}
    assert after["timeoutSec"] == 30


def test_an_array_in_a_patch_replaces_the_whole_array(server: Server) -> None:
    """A PATCH with one backend leaves one backend."""
    server.wait(server.patch({"backends": backends(1.0, 1.0)[:1]}))
    assert scaler(server.get()) == {EAST: 1.0}


def test_an_omitted_scaler_becomes_full_capacity(server: Server) -> None:
    """A backend sent without capacityScaler gets full capacity, even if it had none before."""
    wanted = backends(1.0, 0.0)
    del wanted[1]["capacityScaler"]
    server.wait(server.patch({"backends": wanted}))
    assert scaler(server.get()) == {EAST: 1.0, WEST: 1.0}


def test_an_empty_list_of_backends_is_accepted(server: Server) -> None:
    """An empty `backends` detaches everything, as the real API does: the mistake shows."""
    server.wait(server.patch({"backends": []}))
    assert "backends" not in server.get()


def test_put_replaces_everything_but_the_servers_own_fields(server: Server) -> None:
    """A PUT drops what it does not name and cannot set the output-only fields."""
    before = server.get()
    whole = {"fingerprint": before["fingerprint"], "id": "1", "backends": backends(0.5, 0.5)}
    operation = server.wait(server.ask("PUT", CHECKOUT, whole))
    after = server.get()
    assert operation["operationType"] == "update"
    assert "timeoutSec" not in after
    assert (after["id"], after["name"]) == (before["id"], "checkout")
    assert scaler(after) == {EAST: 0.5, WEST: 0.5}


def test_group_urls_come_back_as_they_were_sent(server: Server) -> None:
    """Two spellings of a group are one group, and each is returned as it was written."""
    sent = backends(0.0, 1.0)
    sent[0]["group"] = f"https://compute.googleapis.com/compute/v1/{EAST}"
    sent[1]["group"] = WEST
    server.wait(server.patch({"backends": sent}))
    assert [backend["group"] for backend in server.get()["backends"]] == [
        sent[0]["group"],
        sent[1]["group"],
    ]


def test_the_fingerprint_changes_with_the_content(server: Server) -> None:
    """Every applied change of the content changes the fingerprint."""
    seen = {server.get()["fingerprint"]}
    for number in range(3):
        server.wait(server.patch({"description": f"epoch={number}"}))
        seen.add(server.get()["fingerprint"])
    assert len(seen) == 4


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("body", [{}, {"fingerprint": "c3RhbGU="}])
def test_a_change_needs_the_current_fingerprint(
    server: Server, method: str, body: dict[str, str]
) -> None:
    """A change without a fingerprint, or with another, is refused with 412 conditionNotMet."""
    answer = server.ask(method, CHECKOUT, {"description": "lost", **body})
    assert reason(answer) == (412, "conditionNotMet")


def test_a_fingerprint_is_bytes_in_either_alphabet_of_base64(server: Server) -> None:
    """Clients that decode it, as gcloud does, send it back with `-` and `_` for `+` and `/`."""
    numbers = iter(range(100))
    while not set("+/") & set(fingerprint := server.get()["fingerprint"]):
        server.wait(server.patch({"description": f"epoch={next(numbers)}"}))
    urlsafe = fingerprint.replace("+", "-").replace("/", "_")
    server.wait(server.patch({"description": "by gcloud", "fingerprint": urlsafe}))
    assert server.get()["description"] == "by gcloud"


@pytest.mark.parametrize("fingerprint", [None, 1, "", "\u0663"])
def test_a_fingerprint_that_is_no_base64_is_stale(server: Server, fingerprint: object) -> None:
    assert reason(server.patch({"fingerprint": fingerprint})) == (412, "conditionNotMet")


def test_an_empty_list_is_not_kept(server: Server) -> None:
    """An empty list means "not set", as null does: content and fingerprint stay as they were."""
    before = server.get()
    server.wait(server.patch({"customRequestHeaders": [], "cdnPolicy": {"signedUrlKeyNames": []}}))
    after = server.get()
    assert after.pop("cdnPolicy") == {}
    assert {**before, "fingerprint": None} == {**after, "fingerprint": None}


def test_a_group_under_this_servers_address_comes_back_under_the_apis(server: Server) -> None:
    """A client that is pointed at the laptop names groups by the laptop's address."""
    sent = backends(0.0, 1.0)
    sent[0]["group"] = f"{url_of(server.port)}/compute/v1/{EAST}"
    server.wait(server.patch({"backends": sent}))
    assert scaler(server.get()) == {EAST: 0.0, WEST: 1.0}


# --- lists -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["global", "aggregated"])
def test_a_list_comes_in_pages(server: Server, scope: str) -> None:
    """A page has as many items as asked for, and says how to ask for the next, but for the last."""
    path = SERVICES.replace("global", scope)
    first = server.ask("GET", path, maxResults="1").json()
    second = server.ask("GET", path, maxResults="1", pageToken=first["nextPageToken"]).json()
    assert "nextPageToken" not in second
    pages = [
        page["items"]["global"]["backendServices"] if scope == "aggregated" else page["items"]
        for page in (first, second)
    ]
    assert [[item["name"] for item in items] for items in pages] == [["checkout"], ["run"]]


def test_operations_are_listed_the_oldest_first(server: Server) -> None:
    """Before there are any, the list of all scopes says so in the API's own words."""
    path = "/compute/v1/projects/laptop/{}/operations"
    empty = server.get(path.format("aggregated"))["items"]["global"]
    assert empty["warning"]["code"] == "NO_RESULTS_ON_PAGE"
    assert "items" not in server.get(path.format("global"))
    names = [server.wait(server.patch({"description": text}))["name"] for text in "abc"]
    assert [item["name"] for item in server.get(path.format("global"))["items"]] == names


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "name eq run"},
        {"maxResults": "501"},
        {"maxResults": "-1"},
        {"pageToken": "x"},
        {"pageToken": "3"},
    ],
)
def test_a_list_that_cannot_be_given_is_refused(server: Server, query: dict[str, str]) -> None:
    for path in (SERVICES, SERVICES.replace("global", "aggregated")):
        assert reason(server.ask("GET", path, **query)) == (400, "invalid")


# --- the API's rules ---------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.05, -1, 1.1, "0.5", True])
def test_a_scaler_out_of_range_is_invalid(server: Server, value: object) -> None:
    """A scaler is 0.0 or a number from 0.1 to 1.0, and the message names the field."""
    answer = server.patch({"backends": backends(value, 1.0)})
    assert reason(answer) == (400, "invalid")
    assert "resource.backends[0].capacityScaler" in answer.json()["error"]["message"]


@pytest.mark.parametrize("value", [0, 0.0, 0.1, 1, 1.0])
def test_a_scaler_at_the_edge_of_its_range_is_valid(server: Server, value: float) -> None:
    """0, 0.1 and 1 are valid scalers."""
    server.wait(server.patch({"backends": backends(value, 1.0)}))
    assert scaler(server.get())[EAST] == value


def test_the_only_backend_cannot_be_drained(server: Server) -> None:
    """A scaler of 0 is refused where one backend is attached, and accepted where two are."""
    alone = server.patch({"backends": backends(0.0, 1.0)[:1]})
    assert reason(alone) == (400, "invalid")
    server.wait(server.patch({"backends": backends(0.0, 0.0)}))


def test_serverless_groups_have_neither_mode_nor_scaler(server: Server) -> None:
    """A balancing mode or a scaler on a serverless group is refused with the API's sentence."""
    for field, value in (("balancingMode", "UTILIZATION"), ("capacityScaler", 0.0)):
        answer = server.patch({"backends": [{"group": API + RUN_EAST, field: value}]}, RUN)
        assert reason(answer) == (400, "invalid")
        assert "not supported for Serverless network endpoint groups" in str(answer.json())


def test_serverless_groups_are_moved_by_membership(server: Server) -> None:
    """A serverless group can be detached and attached, and is never given a scaler."""
    server.wait(server.patch({"backends": [{"group": API + RUN_WEST}]}, RUN))
    assert scaler(server.get(RUN)) == {RUN_WEST: None}


def test_serverless_and_other_groups_do_not_mix(server: Server) -> None:
    """Serverless groups beside others are refused, and so is a health check on them."""
    mixed = [*backends(1.0, 1.0), {"group": API + RUN_EAST}]
    assert reason(server.patch({"backends": mixed})) == (400, "invalid")
    assert reason(server.patch({"healthChecks": ["x"]}, RUN)) == (400, "invalid")


def test_a_group_is_attached_once(server: Server) -> None:
    """The same group twice is refused, also under another spelling of its URL."""
    twice = [*backends(1.0, 1.0), {"group": EAST}]
    assert reason(server.patch({"backends": twice})) == (400, "invalid")


def test_a_group_that_does_not_exist_is_not_found(server: Server) -> None:
    """A backend whose group is not in the world is answered with 404."""
    nobody = [{"group": API + EAST.replace("us-east-1", "nobody")}]
    assert reason(server.patch({"backends": nobody})) == (404, "notFound")


@pytest.mark.parametrize(
    "path",
    [
        f"{SERVICES}/nobody",
        CHECKOUT.replace("laptop", "other"),
        "/compute/v1/projects/laptop/global/operations/nobody",
        "/compute/v1/projects/laptop/global/urlMaps/web",
        f"/compute/v1/{EAST.replace('instanceGroups', 'networkEndpointGroups')}",
    ],
)
def test_what_does_not_exist_is_not_found(server: Server, path: str) -> None:
    """Unknown resources, projects and collections are answered with 404 in Google's form."""
    assert reason(server.ask("GET", path)) == (404, "notFound")


def test_a_zonal_endpoint_group_says_its_type(server: Server) -> None:
    """A zonal endpoint group is found under its zone and says its type."""
    found = server.get(f"/compute/v1/{WEST}")
    assert found["networkEndpointType"] == "GCE_VM_IP_PORT"
    assert found["zone"] == f"{API}projects/laptop/zones/us-west1-a"


def test_serverless_groups_have_no_health(server: Server) -> None:
    """getHealth of a serverless group is invalid: nothing checks it."""
    answer = server.ask("POST", f"{RUN}/getHealth", {"group": API + RUN_EAST})
    assert reason(answer) == (400, "invalid")


def test_a_body_that_is_no_object_is_invalid(server: Server) -> None:
    """Anything but a JSON object is refused."""
    assert reason(server.ask("PATCH", CHECKOUT, [1])) == (400, "invalid")
    assert ask(url_of(server.port) + CHECKOUT, "PATCH", b'{"a": NaN}').status == 400


# --- operations --------------------------------------------------------------------------------


def test_a_change_takes_effect_when_its_operation_is_done(server: Server) -> None:
    """While the operation runs the old content and fingerprint are shown, then the new at once."""
    before = server.get()
    server.seconds(3600)
    accepted = server.patch({"description": "later"})
    operation = accepted.json()
    assert (operation["status"], operation["progress"]) == ("RUNNING", 0)
    assert operation["kind"] == "compute#operation"
    assert operation["targetLink"] == before["selfLink"]
    assert server.get() == before
    server.seconds(0)
    done = server.wait(accepted)
    assert (done["name"], done["progress"]) == (operation["name"], 100)
    after = server.get()
    assert after["description"] == "later"
    assert after["fingerprint"] != before["fingerprint"]


def test_a_second_change_has_to_wait_for_the_first(server: Server) -> None:
    """While an operation runs, another on the same resource is refused, and on others is not."""
    server.seconds(3600)
    first = server.patch({"description": "first"})
    assert reason(server.patch({"description": "second"})) == (400, "resourceNotReady")
    other = server.patch({"description": "other"}, RUN)
    server.seconds(0)
    server.wait(first)
    server.wait(other)
    server.wait(server.patch({"description": "third"}))
    assert server.get()["description"] == "third"


def test_a_request_id_is_one_change_for_ever(server: Server) -> None:
    """A repeated request id returns the first operation, running or done, and changes nothing."""
    identity = str(uuid.uuid4())
    old = server.get()["fingerprint"]
    server.seconds(3600)
    first = server.patch({"description": "once"}, requestId=identity)
    again = server.patch({"description": "once"}, requestId=identity)
    assert again.json()["name"] == first.json()["name"]
    server.seconds(0)
    server.wait(first)
    late = server.patch({"description": "twice", "fingerprint": old}, requestId=identity.upper())
    assert (late.json()["name"], late.json()["status"]) == (first.json()["name"], "DONE")
    assert server.get()["description"] == "once"


@pytest.mark.parametrize("identity", ["x", "00000000-0000-0000-0000-000000000000", "0" * 31 + "1"])
def test_a_request_id_is_a_uuid(server: Server, identity: str) -> None:
    """Anything but a non-zero UUID in its usual form is refused as a request id."""
    answer = server.patch({"description": "never"}, requestId=identity)
    assert reason(answer) == (400, "invalid")


def test_a_refused_request_uses_up_no_request_id(server: Server) -> None:
    """A request id that was refused can be sent again with a request that is right."""
    identity = str(uuid.uuid4())
    refused = server.patch({"fingerprint": "c3RhbGU="}, requestId=identity)
    assert refused.status == 412
    server.wait(server.patch({"description": "now"}, requestId=identity))
    assert server.get()["description"] == "now"


# --- the laptop's controls ---------------------------------------------------------------------


def test_a_status_fault_answers_and_does_nothing(server: Server) -> None:
    """A status fault befalls as many matching requests as it says, and nothing is applied."""
    before = server.get()
    server.fault(kind="status", method="PATCH", times=2, status=403, reason="rateLimitExceeded")
    for _ in range(2):
        assert reason(server.patch({"description": "x"})) == (403, "rateLimitExceeded")
    assert server.get() == before
    server.wait(server.patch({"description": "x"}))


@pytest.mark.parametrize(("kind", "applied"), [("reset_before", False), ("reset_after", True)])
def test_a_reset_loses_the_answer(server: Server, kind: str, applied: bool) -> None:
    """A reset cuts the connection, before or after the request was carried out."""
    server.fault(kind=kind, method="PATCH", path_contains="backendServices/checkout")
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        server.patch({"description": "unheard"})
    if applied:
        wait_until(lambda: server.get()["description"] == "unheard", 30, "the change")
    assert (server.get()["description"] == "unheard") is applied


def test_a_delayed_request_is_done_late(server: Server) -> None:
    """A delay holds the request back for its seconds and then carries it out."""
    server.fault(kind="delay", method="PATCH", seconds=0.2)
    started = time.monotonic()
    accepted = server.patch({"description": "late"})
    assert time.monotonic() - started >= 0.2
    server.wait(accepted)
    assert server.get()["description"] == "late"


def test_a_failed_operation_says_so_and_frees_the_resource(server: Server) -> None:
    """An operation error ends the operation with an error, applies nothing and blocks nothing."""
    server.fault(kind="operation_error", method="PATCH", message="no luck")
    done = server.wait(server.patch({"description": "x"}))
    assert done["error"]["errors"] == [{"code": "INTERNAL_ERROR", "message": "no luck"}]
    assert done["httpErrorStatusCode"] == 503
    server.wait(server.patch({"description": "y"}))
    assert server.get()["description"] == "y"


def test_faults_can_be_taken_back_and_must_be_spelt_right(server: Server) -> None:
    """Faults that still wait can be removed, and a fault of an unknown kind or field is refused."""
    server.fault(kind="status")
    server.ask("DELETE", "/_laptop/faults")
    assert server.get()
    for wrong in ({"kind": "sulk"}, {"kind": "delay", "second": 1}, {"kind": "delay", "times": 0}):
        assert server.ask("POST", "/_laptop/faults", [wrong]).status == 400


def test_the_log_tells_every_request(server: Server) -> None:
    """The log has each request with its body, query, status and times; controls are not in it."""
    identity = str(uuid.uuid4())
    before = time.monotonic()
    server.wait(server.patch({"description": "x"}, requestId=identity))
    log = server.get("/_laptop/log")
    assert [entry["method"] for entry in log] == ["GET", "PATCH", "POST"]
    patch = log[1]
    assert (patch["path"], patch["query"]) == (CHECKOUT, {"requestId": identity})
    assert (patch["status"], patch["body"]["description"]) == (200, "x")
    assert before <= patch["started"] <= patch["ended"] <= time.monotonic()
    server.ask("DELETE", "/_laptop/log")
    assert server.get("/_laptop/log") == []


def test_the_log_tells_a_lost_answer(server: Server) -> None:
    """A request whose connection was cut has no status in the log, and names its fault."""
    server.fault(kind="reset_after", method="GET")
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        server.get()
    entry = server.get("/_laptop/log")[0]
    assert (entry["status"], entry["fault"]) == (None, "reset_after")


def _without_name(config: dict[str, Any]) -> None:
    del config["backend_services"][0]["name"]


def _unknown_type(config: dict[str, Any]) -> None:
    config["groups"][EAST]["type"] = "INTERNET"


def _forbidden_scaler(config: dict[str, Any]) -> None:
    config["backend_services"][0]["backends"][0]["capacityScaler"] = 0.01


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_without_name, "resource.name"),
        (_unknown_type, "INTERNET"),
        (_forbidden_scaler, "capacityScaler"),
    ],
)
def test_a_world_that_breaks_a_rule_is_refused(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], None], expected: str
) -> None:
    """A configuration that the API would not hold ends the process, which says why."""
    config = world(free_port())
    spoil(config)
    file = tmp_path / "world.json"
    file.write_text(json.dumps(config))
    arguments = ["--config", str(file), "--port", str(free_port())]
    command = [sys.executable, "-m", "orchestrator.local.balancer.compute_api", *arguments]
    with Child("compute-api", command, log=tmp_path / "api.log", cwd=ROOT) as child:
        wait_until(lambda: not child.running, 30, "the process to end")
        assert expected in child.log_tail()
