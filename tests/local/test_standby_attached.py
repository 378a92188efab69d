"""Standbys that stay attached: the load balancer's own health checks keep them out and let them in.

No function runs here and nothing is patched but where a test says so: traffic follows health alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import pytest

from orchestrator.local.balancer.compute_world import load_world
from orchestrator.local.balancer.envoy import cluster, hosts_health
from orchestrator.local.balancer.probing import BalancerCheck
from orchestrator.local.blueprint import PRIMARY_PATH, PROJECT, SERVICE, Blueprint, Site
from orchestrator.local.process.ask import ask, post_json
from orchestrator.local.process.wait import wait_until
from orchestrator.local.rpc.wire import API_ROOT
from orchestrator.local.users.traffic_record import Sample
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import now, patient, put_service

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
FULL, NONE = 1.0, 0.0


def standing(world: LaptopWorld, primary: str) -> None:
    """Have every region answer 200 on the load balancer's path only if it is this one.

    The new primary first, as regions do: there is no moment with nobody.
    """
    world.regions[primary].behave(primary_status=200)
    wait_until(lambda: health(world, primary) == "HEALTHY", 30, "the new primary to be healthy")
    for name, region in world.regions.items():
        if name != primary:
            region.behave(primary_status=503)


def health(world: LaptopWorld, region: str) -> str:
    """The answer of getHealth for a region's group."""
    blueprint = Blueprint("capacity", "active-passive", (), "")
    group = API_ROOT + blueprint.group(region)
    path = f"compute/v1/projects/{PROJECT}/global/backendServices/{SERVICE}/getHealth"
    answer = post_json(f"{world.load_balancer.api_url}/{path}", {"group": group})
    return str(answer.json()["healthStatus"][0]["healthState"])


def by(region: str, count: int = 60) -> Callable[[Sequence[Sample]], bool]:
    """A condition: the newest requests were served, all by this region."""
    return lambda samples: (
        len(samples) >= count and all(s.ok and s.region == region for s in samples[-count:])
    )


def failures(world: LaptopWorld) -> list[Sample]:
    """The user requests that failed so far."""
    return [sample for sample in world.traffic.samples if not sample.ok]


@pytest.fixture(scope="module")
def shared() -> Iterator[LaptopWorld]:
    """One world without functions for all tests of this file."""
    with LaptopWorld(
        standby="attached", functions=0, traffic_rate=100, operation_seconds=0.02
    ) as world:
        patient(world)
        yield world


@pytest.fixture
def world(shared: LaptopWorld) -> LaptopWorld:
    """The shared world: all attached, us-east-1 primary and serving alone."""
    for region in shared.regions.values():
        region.resume()
        region.behave(health_status=200)
    if shared.routed_regions != tuple(shared.regions):
        put_service(shared, backends=backends(shared, FULL, FULL, FULL))
    standing(shared, EAST)
    shared.traffic.wait_for(by(EAST), 30, "us-east-1 to serve alone")
    return shared


def backends(world: LaptopWorld, *scalers: float) -> list[object]:
    """The backends of the service with these capacities."""
    found = world.backend_service()["backends"]
    return [{**b, "capacityScaler": s} for b, s in zip(found, scalers, strict=True)]


@pytest.mark.world
@pytest.mark.long
def test_traffic_follows_health_without_a_patch(world: LaptopWorld) -> None:
    """A new primary answers 200, the old one 503: users go over, none fails, nothing is patched."""
    patches, before = len(world.patches()), len(failures(world))
    standing(world, WEST)
    world.traffic.wait_for(by(WEST), 30, "us-west-2 to serve alone")
    assert len(failures(world)) == before
    assert len(world.patches()) == patches
    assert world.routed_regions == (EAST, WEST, EUROPE)  # as the Compute API has it: all of them


@pytest.mark.world
@pytest.mark.long
def test_get_health_tells_what_the_load_balancer_thinks(world: LaptopWorld) -> None:
    """Standbys are unhealthy to it; one that begins to answer 200 is healthy two checks later."""
    assert [health(world, region) for region in world.regions] == ["HEALTHY"] + 2 * ["UNHEALTHY"]
    world.regions[EUROPE].behave(primary_status=200)
    wait_until(lambda: health(world, EUROPE) == "HEALTHY", 30, "eu-west-1 to be healthy")


@pytest.mark.world
@pytest.mark.long
def test_a_dead_primary_is_left_by_health_checks_alone(world: LaptopWorld) -> None:
    """The primary is killed, a standby takes the role: users are served again with no patch."""
    patches = len(world.patches())
    world.regions[EAST].kill()
    world.traffic.wait_for(lambda samples: not samples[-1].ok, 30, "users to notice")
    world.regions[WEST].behave(primary_status=200)
    world.traffic.wait_for(by(WEST), 30, "us-west-2 to serve alone")
    assert len(world.patches()) == patches
    world.regions[EAST].start()


@pytest.mark.world
@pytest.mark.long
def test_a_change_of_the_backends_costs_no_request(world: LaptopWorld) -> None:
    """While a patch replaces the cluster, who was healthy serves on and standbys get nothing.

    Also with a standby that accepts and never answers.
    """
    before = len(world.traffic.samples)
    for scalers in ((FULL, NONE, FULL), (FULL, FULL, 0.5), (0.3, FULL, NONE), (FULL, FULL, FULL)):
        put_service(world, backends=backends(world, *scalers))
    world.regions[EUROPE].hang()
    for scalers in ((FULL, NONE, FULL), (FULL, FULL, FULL)):
        put_service(world, backends=backends(world, *scalers))
    count = len(world.traffic.samples)
    world.traffic.wait_for(lambda samples: len(samples) > count + 100, 30, "more users")
    assert {(s.region, s.status) for s in world.traffic.samples[before:]} == {(EAST, 200)}


@pytest.mark.world
@pytest.mark.long
def test_a_region_that_is_attached_gets_no_user_before_its_first_check_passed(
    world: LaptopWorld,
) -> None:
    """A group that was detached and is attached unhealthy never serves; healthy it soon does."""
    put_service(world, backends=backends(world, FULL, NONE, FULL))
    before = len(world.traffic.samples)
    put_service(world, backends=backends(world, FULL, FULL, FULL))
    wait_until(lambda: health(world, WEST) == "UNHEALTHY", 30, "the first check")
    count = len(world.traffic.samples)
    world.traffic.wait_for(lambda samples: len(samples) > count + 50, 30, "more users")
    assert {(s.region, s.status) for s in world.traffic.samples[before:]} == {(EAST, 200)}
    world.regions[WEST].behave(primary_status=200)
    world.traffic.wait_for(lambda samples: samples[-1].region == WEST, 30, "us-west-2 to serve")


# --- the documents ---------------------------------------------------------------------------

SITES = (
    Site(EAST, "127.0.0.1:8101", "http://127.0.0.1:8101/healthz", "http://127.0.0.1:8201"),
    Site(WEST, "127.0.0.1:8102", "http://127.0.0.1:8102/healthz"),
)


def test_attached_in_the_configuration() -> None:
    """failover.yaml says so, and carries the endpoints that it was given."""
    content: object = Blueprint("capacity", "active-passive", SITES, "gs://b", "attached").failover(
        {}
    )
    match content:
        case {"services": {"checkout": {"traffic": traffic, "regions": regions}}}:
            assert traffic["standby"] == "attached"
            assert regions[EAST]["endpoint"] == "http://127.0.0.1:8201"
            assert regions[WEST]["endpoint"] == "dynamodb.us-west-2.amazonaws.com"
        case _:
            pytest.fail(f"no service: {content}")


@pytest.mark.parametrize("lever", ["capacity", "membership"])
def test_the_cluster_of_attached_standbys_has_a_health_check(lever: str) -> None:
    """Every region has an endpoint in it, and Envoy asks each who is primary; drained has none."""
    for standby, endpoints in (("attached", 2), ("drained", 1)):
        drawn = Blueprint(lever, "active-passive", SITES, "gs://b", standby)  # type: ignore[arg-type]  # any of the words
        made = load_world(json.dumps(drawn.compute(0.3)), now())
        found = cluster(SERVICE, made.services[0].content, made.groups, made.checks)
        match found:
            case {"load_assignment": {"endpoints": [{"lb_endpoints": list(hosts)}]}}:
                assert len(hosts) == endpoints
            case _:
                pytest.fail(f"no endpoints: {found}")
        expected = [BalancerCheck(PRIMARY_PATH).envoy()] if standby == "attached" else None
        assert found.get("health_checks") == expected


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"health_checks": []}', "is an object"),
        ('{"health_checks": {"a": {"path": "/", "often": 1}}}', "often"),
        ('{"readiness": {"interval": 1}}', "has a `path`"),
    ],
)
def test_a_health_check_that_is_none_is_refused(text: str, what: str) -> None:
    drawn = Blueprint("capacity", "active-passive", SITES, "gs://b").compute(0.3)
    with pytest.raises(ValueError, match=what):
        load_world(json.dumps({**drawn, **json.loads(text)}), now())


def test_the_health_of_hosts_is_read_from_the_cluster_of_that_name_only() -> None:
    assert hosts_health({}, SERVICE) == {}
    assert hosts_health({"cluster_statuses": [{"name": "another"}]}, SERVICE) == {}
    with pytest.raises(ValueError, match="not the status of a host"):
        hosts_health({"cluster_statuses": [{"name": SERVICE, "host_statuses": [{}]}]}, SERVICE)


@pytest.mark.world
@pytest.mark.long
def test_the_regional_app_is_no_primary_while_it_is_unhealthy(world: LaptopWorld) -> None:
    """The path of the load balancer answers what the health path does unless that is well."""
    region = world.regions[EUROPE]
    region.behave(primary_status=200, health_status=500)
    assert ask(region.url.rstrip("/") + PRIMARY_PATH).status == 500
    region.behave(primary_status=503, health_status=200)
    assert ask(region.url.rstrip("/") + PRIMARY_PATH).status == 503
