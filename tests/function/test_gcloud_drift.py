"""A human changes the load balancer by gcloud after a failover: seen, told and repaired."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.local.blueprint import PROJECT
from orchestrator.local.google.gcloud import Gcloud, installed
from orchestrator.local.process.ask import ask
from orchestrator.local.process.wait import wait_until
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import alert, fail, settled

pytestmark = [
    pytest.mark.long,
    pytest.mark.world,
    pytest.mark.timeout(120),  # gcloud takes a second or two a call, more on a busy machine
]

EAST = ("--instance-group=checkout-us-east-1", "--instance-group-zone=us-east4-a")
WEST = ("--instance-group=checkout-us-west-2", "--instance-group-zone=us-west1-a")
RUN = "--network-endpoint-group=checkout-"


@pytest.fixture(scope="module")
def failed_over() -> Iterator[LaptopWorld]:
    """us-east-1 fails, us-west-2 has its traffic at epoch 1."""
    needs_gcloud()
    with LaptopWorld(controls=1, traffic_rate=0, operation_seconds=0.1) as made:
        fail(made, "us-east-1")
        settled(made, "us-west-2", 1, made.push(alert(made, "us-east-1")))
        yield made


@pytest.fixture
def world(failed_over: LaptopWorld) -> LaptopWorld:
    """That world, with nothing left to repair."""
    settled(failed_over, "us-west-2", 1, failed_over.tick())
    return failed_over


def needs_gcloud() -> None:
    """Skip where nobody could change anything by gcloud."""
    if installed() is None:
        pytest.skip("gcloud is not installed")


def human(world: LaptopWorld, verb: str, *arguments: str) -> None:
    """Change `checkout` by `gcloud compute backend-services VERB`."""
    gcloud = Gcloud(world.load_balancer.api_url, PROJECT, world.folder / "gcloud")
    said = gcloud.run("compute", "backend-services", verb, "checkout", "--global", *arguments)
    assert said.status == 0, said.err


def tick(world: LaptopWorld) -> list[dict[str, Any]]:
    """What the function tells people while it handles a tick: of drift, and what it pages."""
    before = len(world.controls[0].log_lines())
    assert world.tick().acknowledged
    lines = world.controls[0].log_lines()[before:]
    return [line for line in lines if line.get("drift") or line.get("page")]


def users_are_served(world: LaptopWorld) -> bool:
    """Whether each of twenty users is served."""
    return all(ask(world.load_balancer.url).ok for _ in range(20))


def test_traffic_given_back_to_the_failed_region_is_taken_again(world: LaptopWorld) -> None:
    """Users fail until the next tick; the line in the log says what was drift and is no more."""
    human(world, "update-backend", *EAST, "--capacity-scaler=0.5")
    assert world.routed_regions == ("us-east-1", "us-west-2")
    wait_until(lambda: not users_are_served(world), 30, "users to meet the failed region")
    [told] = tick(world)
    settled(world, "us-west-2", 1)
    assert (told["severity"], told["drift"], told["epoch"]) == ("WARNING", True, 1)
    assert "drift" in told["message"]
    assert "scale us-east-1 us-east4-a/checkout-us-east-1 to 0" in told["message"]
    wait_until(lambda: users_are_served(world), 30, "users to be served")


def test_a_drained_primary_gets_its_traffic_again(world: LaptopWorld) -> None:
    human(world, "update-backend", *WEST, "--capacity-scaler=0")
    assert world.routed_regions == ()
    [told, page] = sorted(tick(world), key=lambda line: not line.get("drift"))
    settled(world, "us-west-2", 1)
    assert "no configured region carried traffic" in page["message"]
    assert told["drift"] is True
    assert "scale us-west-2 us-west1-a/checkout-us-west-2 to 1" in told["message"]


def test_how_much_traffic_the_primary_takes_is_for_people_to_say(world: LaptopWorld) -> None:
    """A scaler above 0 on a region that shall have traffic is no drift: it stays."""
    human(world, "update-backend", *WEST, "--capacity-scaler=0.5")
    before = world.backend_service()
    assert tick(world) == []
    assert world.backend_service() == before


def test_a_lost_mark_is_written_again(world: LaptopWorld) -> None:
    """Somebody's description replaced the mark: the pair is back, and so is their text kept."""
    human(world, "update", "--description=owned by the shop team")
    assert world.backend_service()["description"] == "owned by the shop team"
    [told] = tick(world)
    settled(world, "us-west-2", 1)
    assert world.backend_service()["description"].endswith(" owned by the shop team")
    assert told["drift"] is True
    assert "the mark only" in told["message"]


def test_a_primary_that_was_detached_is_left_to_people(world: LaptopWorld) -> None:
    """How it was attached is not known, so nothing is sent and it pages, once in a while."""
    human(world, "remove-backend", *WEST)
    before = world.backend_service()
    tick(world)
    lines = world.controls[0].log_lines()
    pages = [line["message"] for line in lines if line.get("page")]
    assert any("no configured region carried traffic" in page for page in pages)
    told = [str(line.get("message")) for line in lines if line.get("severity") == "ERROR"]
    assert any("Attach a backend of the primary region again" in line for line in told)
    assert world.backend_service() == before
    human(world, "add-backend", *WEST, "--balancing-mode=RATE", "--max-rate-per-instance=100")
    assert tick(world) == []
    settled(world, "us-west-2", 1)


def test_serverless_groups_that_were_swapped_are_swapped_again() -> None:
    """The failed region attached and the primary detached: one write, and the log names both."""
    needs_gcloud()
    with LaptopWorld(
        lever="membership", controls=1, traffic_rate=0, operation_seconds=0.1
    ) as world:
        fail(world, "us-east-1")
        settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))
        east, west = ("us-east-1", "us-east4"), ("us-west-2", "us-west1")
        human(world, "add-backend", *serverless(*east))
        human(world, "remove-backend", *serverless(*west))
        assert world.routed_regions == ("us-east-1",)
        [told] = tick(world)
        settled(world, "us-west-2", 1)
        assert told["drift"] is True
        assert "detach us-east-1 us-east4/checkout-us-east-1" in told["message"]
        assert "attach us-west-2 us-west1/checkout-us-west-2" in told["message"]


def serverless(region: str, place: str) -> tuple[str, str]:
    """The flags that name the serverless group of a region, which stands in Google's `place`."""
    return f"{RUN}{region}", f"--network-endpoint-group-region={place}"
