"""The laptop world with data: shops over DynamoDB in three regions, copied, killed, failed over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from typing import Any

import pytest

from orchestrator.local.dynamodb.database import Database
from orchestrator.local.dynamodb.replicator import Replicator
from orchestrator.local.process.ask import HttpAnswer, ask, post_json
from orchestrator.local.process.wait import wait_until
from orchestrator.local.region.region import LocalRegion
from orchestrator.local.users.customer import Customer
from orchestrator.local.users.traffic_record import Sample
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import alert, patient

pytestmark = [
    pytest.mark.world,
    pytest.mark.long,
    pytest.mark.timeout(120),
]  # a dozen processes start, beside others

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"


def replicator(world: LaptopWorld) -> Replicator:
    """The world's."""
    assert world.replicator is not None
    return world.replicator


def database(region: LocalRegion) -> Database:
    """The region's."""
    assert region.database is not None
    return region.database


def order(region: LocalRegion, number: str, sku: str = "tea") -> HttpAnswer:
    """Make an order in a region's shop."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": number}
    body = json.dumps({"sku": sku, "quantity": 2}).encode()
    return ask(f"{region.url}orders", "POST", body, headers)


def shown(region: LocalRegion, number: str) -> Any:  # any JSON
    """An order as a region's shop shows it, None if it does not have it."""
    answer = ask(f"{region.url}orders/{number}")
    return answer.json() if answer.ok else None


def served_by(world: LaptopWorld, region: str) -> None:
    """Wait until the newest users were all served, by this region."""

    def settled(samples: tuple[Sample, ...]) -> bool:
        last = samples[-40:]
        return len(last) == 40 and all(s.ok and s.region == region for s in last)

    world.traffic.wait_for(settled, 30, f"users to be served by {region}")


@pytest.fixture(scope="module")
def shared() -> Iterator[LaptopWorld]:
    """One world for the tests that leave it as it was."""
    with LaptopWorld(data=True, traffic_rate=20) as world:
        yield world


@pytest.fixture
def world(shared: LaptopWorld) -> LaptopWorld:
    """The shared world, everything delivered and without lag."""
    replicator(shared).set_lag(0)
    for name in shared.regions:
        replicator(shared).mend(name)
    replicator(shared).wait_drained()
    return shared


def test_the_document_names_the_regions_own_databases(world: LaptopWorld) -> None:
    """Applications find them there, and the first tick has made it."""
    document = world.document()
    assert document["primary"] == EAST
    for name, region in world.regions.items():
        assert document["regions"][name]["endpoint"] == database(region).url


def test_an_order_is_readable_in_another_region_after_the_lag(world: LaptopWorld) -> None:
    """It is written where writes go whoever takes it, and read at home: not before it is there."""
    replicator(world).set_lag(1)
    assert order(world.regions[EAST], "lagging").status == 201
    assert shown(world.regions[WEST], "lagging") is None
    assert replicator(world).pending(EAST, WEST).keys == ("order#lagging",)
    consistent = f"{world.regions[WEST].url}orders/lagging?consistent=1"
    assert ask(consistent).json()["made_in"] == EAST  # from where writes go
    found = wait_until(lambda: shown(world.regions[WEST], "lagging"), 30, "the order to arrive")
    assert (found["sku"], found["quantity"], found["region"]) == ("tea", 2, WEST)


def test_a_standby_takes_an_order_into_the_primary(world: LaptopWorld) -> None:
    """Its write goes to the primary's database; the same key again does not make a second one."""
    assert order(world.regions[WEST], "from-west").status == 201
    assert order(world.regions[EUROPE], "from-west", "coffee").status == 200
    assert shown(world.regions[EAST], "from-west")["sku"] == "tea"


def test_a_login_is_known_in_every_region_at_once(world: LaptopWorld) -> None:
    """Also before it is copied: a session that is not at home is read where writes go."""
    replicator(world).set_lag(1)
    answer = post_json(f"{world.regions[EAST].url}login", {"user": "ada"})
    session = SimpleCookie(answer.headers["set-cookie"])["session"].value
    headers = {"Cookie": f"session={session}"}
    assert ask(f"{world.regions[WEST].url}me", headers=headers).json()["user"] == "ada"
    assert ask(f"{world.regions[WEST].url}me").status == 401


@pytest.mark.parametrize("path", ["orders", "login"])
def test_what_is_no_order_or_login_is_refused(world: LaptopWorld, path: str) -> None:
    assert post_json(f"{world.regions[EAST].url}{path}", ["tea"]).status == 400


def test_its_behaviour_can_be_ordered_and_taken_back(world: LaptopWorld) -> None:
    """What a drill tells a shop to answer goes before the truth; a bad wish changes nothing."""
    region = world.regions[EUROPE]
    region.behave(health_status=302, serve_status=500)
    assert ask(region.health_url).status == 302
    assert ask(region.url).status == 500
    region.behave(health_status=200, serve_status=200, primary_status=503)
    assert ask(f"{region.url}healthz/primary").status == 503
    with pytest.raises(ValueError, match="200 to 599"):
        region.behave(health_status=99)
    region.behave(primary_status=200)
    before = region.served
    assert ask(region.url).json()["region"] == EUROPE
    assert ask(region.health_url).json()["status"] == "ok"
    assert region.served == before + 1


@pytest.mark.long
@pytest.mark.parametrize("how", ["kill", "hang"])
def test_health_is_the_regions_own_database(world: LaptopWorld, how: str) -> None:
    """Only the primary is so to the load balancer; a dead database makes its region unhealthy.

    Users of that region are served all the same, from another region's database.
    """
    paths = {name: f"{region.url}healthz/primary" for name, region in world.regions.items()}
    assert [ask(paths[name]).status for name in (EAST, WEST, EUROPE)] == [200, 503, 503]
    region = world.regions[EUROPE]
    {"kill": database(region).kill, "hang": database(region).hang}[how]()
    wait_until(lambda: ask(region.health_url).status == 503, 30, "the region to be unhealthy")
    assert ask(region.url).status == 200
    {"kill": database(region).start, "hang": database(region).resume}[how]()
    wait_until(lambda: ask(region.health_url).ok, 30, "the region to be healthy again")


def test_the_health_endpoint_tells_the_lag(world: LaptopWorld) -> None:
    """How far the region is behind each other one, by their heartbeats."""

    def lag() -> float:
        told = ask(world.regions[WEST].health_url).json()["replication_lag_seconds"]
        return float(told.get(EAST, 0))

    wait_until(lambda: 0 < lag() < 4, 30, "the first heartbeats")
    replicator(world).pause(EAST, WEST)
    wait_until(lambda: lag() > 4, 30, "the lag to grow")
    replicator(world).resume(EAST, WEST)
    wait_until(lambda: 0 < lag() < 4, 30, "the lag to shrink")


@pytest.mark.long
def test_a_login_and_every_order_survive_the_death_of_the_primary() -> None:
    """The primary is killed with its database, traffic moves; what was copied is there.

    What was acknowledged and not copied yet is counted, missing while the region is dead, and
    there again when it comes back; a conflict ends alike in all regions, with the later write.
    """
    with LaptopWorld(data=True, traffic_rate=20) as world:
        east, west = world.regions[EAST], world.regions[WEST]
        answer = post_json(f"{world.load_balancer.url}login", {"user": "ada"})
        headers = {"Cookie": f"session={answer.json()['token']}"}
        for number in range(5):
            assert order(east, f"before-{number}").status == 201
        replicator(world).wait_drained()
        replicator(world).set_lag(60)
        assert order(east, "lost").status == 201
        assert order(east, "conflict", "tea").status == 201
        at_risk = replicator(world).pending(EAST, WEST)
        assert at_risk.keys == ("order#lost", "order#conflict")
        east.kill()
        assert world.push(alert(world, EAST)).acknowledged
        served_by(world, WEST)
        me = ask(f"{world.load_balancer.url}me", headers=headers).json()
        assert me == {"user": "ada", "region": WEST}
        assert all(shown(west, f"before-{number}") for number in range(5))
        assert shown(west, "lost") is None
        assert replicator(world).pending(EAST, WEST).keys == at_risk.keys

        def ordered() -> bool:
            return order(west, "conflict", "coffee").ok

        wait_until(ordered, 30, "writes to go to the new primary")
        replicator(world).set_lag(0)
        east.start()
        replicator(world).wait_drained(20)
        for region in world.regions.values():
            assert shown(region, "lost")["sku"] == "tea"
            assert shown(region, "conflict")["sku"] == "coffee"


def test_copies_of_many_orders_are_whole(world: LaptopWorld) -> None:
    """Fifty orders by eight customers at once, in all regions: every region has all of them."""
    regions = list(world.regions.values())
    numbers = [f"many-{number}" for number in range(50)]
    with ThreadPoolExecutor(8) as pool:
        made = pool.map(lambda n: order(regions[hash(n) % 3], n).status, numbers)
    assert set(made) == {201}
    replicator(world).wait_drained()
    for region in regions:
        assert all(shown(region, number) for number in numbers)


class HandWritten(LaptopWorld):
    """A world whose document is written by hand: no orchestrator decides anything in it."""

    def _make_document(self) -> None:
        self.commit(EAST, 1)

    def commit(self, primary: str, revision: int) -> None:
        """Write the document, as a commit does."""
        regions = {
            name: {"endpoint": database(region).url, "healthy": True}
            for name, region in self.regions.items()
        }
        content = {"revision": revision, "epoch": revision, "primary": primary, "regions": regions}
        assert self.gcs is not None
        self.gcs.write("checkout.json", json.dumps(content).encode())


@pytest.mark.long
def test_attached_standbys_take_over_by_the_document_and_health_checks_alone() -> None:
    """The primary dies, the document names another: its own health endpoint moves the traffic.

    Nothing is patched. A change of the primary while all are well costs no request.
    """
    with HandWritten(data=True, standby="attached", functions=0, traffic_rate=50) as world:
        patient(world)
        served_by(world, EAST)
        before = len(world.traffic.samples)
        world.commit(WEST, 2)
        served_by(world, WEST)
        samples = world.traffic.samples[before:]
        assert [sample for sample in samples if not sample.ok] == []
        world.regions[WEST].kill()
        world.commit(EUROPE, 3)
        served_by(world, EUROPE)
        assert world.patches() == []


def test_a_customer_comes_through_the_load_balancer(world: LaptopWorld) -> None:
    """Logs in, orders, and finds both again, whoever answers."""
    customer = Customer(world.load_balancer.url, "grace")
    assert not customer.is_known()
    customer.log_in()
    customer.order("tea")
    customer.orders.append("never-made")
    assert customer.is_known()
    assert customer.missing() == ("never-made",)
