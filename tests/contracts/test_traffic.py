"""One contract for every implementation of the port `Traffic`: fake, folder, and the real API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from google.auth.credentials import AnonymousCredentials

from orchestrator.adapters.folder.objects import FileObjects
from orchestrator.adapters.folder.traffic import FileBackendServices, as_deployed
from orchestrator.adapters.gcp.traffic import BackendServices
from orchestrator.core.document.ground import create
from orchestrator.core.exceptions import Conflict, Unavailable
from orchestrator.core.model import Mark, Phase, Routing, Shift, State
from orchestrator.core.policy import Service
from orchestrator.core.traffic.plan import body, carrying, mark_of, plan
from orchestrator.local.world import LaptopWorld
from orchestrator.ports import Traffic
from orchestrator.wiring import Wiring
from tests.support.fakes import START, FakeTraffic, lab
from tests.support.fakes import service as configured

pytestmark = [pytest.mark.world, pytest.mark.timeout(120)]

Made = tuple[Traffic, Service]


@pytest.fixture(scope="module")
def world() -> Iterator[LaptopWorld]:
    with LaptopWorld(traffic_rate=0, functions=0, operation_seconds=0.05) as made:
        yield made


def _fake(world: LaptopWorld, folder: Path) -> Made:
    del world, folder
    made = lab()
    return made.traffic, made.service


def _folder(world: LaptopWorld, folder: Path) -> Made:
    del world
    ours = configured()
    return FileBackendServices(FileObjects(folder), [ours]), ours


def _api(world: LaptopWorld, folder: Path) -> Made:
    del folder
    session = requests.Session()
    url = world.load_balancer.api_url
    adapter = BackendServices("laptop", url, lambda: session, AnonymousCredentials)
    wiring = Wiring({"FAILOVER_CONFIG": str(world.config), "STORAGE_EMULATOR_HOST": "x"}, Path())
    return adapter, wiring.world().config.services["checkout"]


@pytest.fixture(params=[_fake, _folder, _api], ids=["fake", "folder", "api"])
def made(request: pytest.FixtureRequest, world: LaptopWorld, tmp_path: Path) -> Made:
    make: Callable[[LaptopWorld, Path], Made] = request.param
    return make(world, tmp_path)


def wish(service: Service, region: str, epoch: int) -> State:
    """A document whose epoch has this region carry the traffic."""
    state = create(service, Routing("checkout", "f", "", ()), START)
    shift = Shift(Mark(epoch, 7), Phase.COMMITTED)
    return replace(state, epoch=epoch, shift=shift, primary=region, routing={region: 1.0})


def write(traffic: Traffic, service: Service, state: State) -> None:
    """Carry out the state's plan."""
    routing = traffic.read("checkout")
    made = plan(state, routing, service)
    traffic.wait(traffic.patch("checkout", body(made, routing, service)))


def test_the_time_is_a_servers_and_known_after_its_first_answer(made: Made) -> None:
    traffic, ours = made
    assert traffic.server_time() is None
    traffic.read(ours.backend_service)
    told = traffic.server_time()
    assert (told is None) is not isinstance(traffic, BackendServices)


def test_a_plan_is_carried_out_in_one_change_and_read_back_as_desired(made: Made) -> None:
    traffic, service = made
    epoch = mark_of(traffic.read("checkout"), service).epoch + 1
    for step, region in enumerate(("us-west-2", "eu-west-1", "us-east-1")):
        state = wish(service, region, epoch + step)
        write(traffic, service, state)
        after = traffic.read("checkout")
        assert carrying(after, service) == (region,)
        assert mark_of(after, service) == state.mark
        assert plan(state, after, service).empty


def test_a_scaler_of_0_stays_0(made: Made) -> None:
    traffic, service = made
    epoch = mark_of(traffic.read("checkout"), service).epoch + 1
    write(traffic, service, wish(service, "us-west-2", epoch))
    settings = [backend.settings for backend in traffic.read("checkout").backends]
    assert sorted(float(str(s["capacityScaler"])) for s in settings) == [0.0, 0.0, 1.0]


def test_a_stale_fingerprint_is_a_conflict_and_changes_nothing(made: Made) -> None:
    traffic, service = made
    epoch = mark_of(traffic.read("checkout"), service).epoch + 1
    old = traffic.read("checkout")
    write(traffic, service, wish(service, "us-west-2", epoch))
    now = traffic.read("checkout")
    late = plan(wish(service, "eu-west-1", epoch), old, service)
    with pytest.raises(Conflict):
        traffic.patch("checkout", body(late, old, service))
    assert traffic.read("checkout") == now


def test_what_is_not_ours_survives(made: Made) -> None:
    """A field that no version of ours knows, in a backend, and people's own description."""
    traffic, service = made
    routing = traffic.read("checkout")
    backends = [{**b.settings, "brandNewField": {"deep": [1]}} for b in routing.backends]
    change = {"backends": backends, "description": "by people", "fingerprint": routing.fingerprint}
    traffic.wait(traffic.patch("checkout", change))
    write(traffic, service, wish(service, "eu-west-1", 1000))
    after = traffic.read("checkout")
    assert all(b.settings["brandNewField"] == {"deep": [1]} for b in after.backends)
    assert after.description.endswith("by people")


def test_the_balancers_own_view_of_health_comes_from_the_real_client(world: LaptopWorld) -> None:
    """By google-cloud-compute: one endpoint for a group that is well, none for one that is not."""
    traffic, service = _api(world, Path())
    assert isinstance(traffic, BackendServices)
    groups = [service.region(name).backends[0] for name in ("us-east-1", "us-west-2")]
    world.regions["us-west-2"].behave(health_status=503)
    assert traffic.healthy("checkout", groups) == {groups[0]: 1, groups[1]: 0}
    world.regions["us-west-2"].behave(health_status=200)
    with pytest.raises(Unavailable):
        traffic.healthy("nobody", groups)


def test_a_service_without_a_file_is_made_as_it_is_usually_deployed(tmp_path: Path) -> None:
    for mode, expected in (("active-passive", ("us-east-1",)), ("active-active", None)):
        ours = configured(mode=mode)
        routing = FileBackendServices(FileObjects(tmp_path), [ours]).read("checkout")
        assert carrying(routing, ours) == (expected or ours.names)
    members = configured(lever="membership")
    assert len(list(as_deployed(members)["backends"])) == 1  # type: ignore[call-overload]  # JSON


def test_the_fake_keeps_every_change_it_took() -> None:
    traffic = FakeTraffic([{"group": "projects/p/zones/z/instanceGroups/g"}])
    traffic.patch("checkout", {"fingerprint": "f0", "backends": [{"group": "x"}]})
    assert len(traffic.applied) == 1
