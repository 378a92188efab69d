"""The regional application and its handle: how a region serves, fails and comes back."""

from collections.abc import Iterator

import pytest

from orchestrator.local.process.ask import ask
from orchestrator.local.region.region import LocalRegion

pytestmark = pytest.mark.world


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegion]:
    """One region for all tests of this file."""
    region = LocalRegion("us-east-1", tmp_path_factory.mktemp("region"))
    region.start()
    yield region
    region.stop()


@pytest.fixture
def region(shared: LocalRegion) -> LocalRegion:
    """The shared region, behaving well."""
    shared.behave(health_status=200, serve_status=200, delay=0)
    return shared


def test_it_serves_users_and_counts_them(region: LocalRegion) -> None:
    """A user is told which region served, and is counted; a probe is not."""
    before = region.served
    answer = ask(region.url)
    assert answer.status == 200
    assert answer.json()["region"] == "us-east-1"
    assert "at" in answer.json()
    ask(region.health_url)
    assert region.served == before + 1


@pytest.mark.parametrize("path", ["/healthz", "/health"])
def test_it_is_healthy(region: LocalRegion, path: str) -> None:
    """Both health endpoints answer 200 with the region's name."""
    answer = ask(region.url.rstrip("/") + path)
    assert answer.status == 200
    assert answer.json() == {"status": "ok", "region": "us-east-1"}


@pytest.mark.parametrize("status", [503, 404, 302])
def test_health_status_is_set_apart_from_service(region: LocalRegion, status: int) -> None:
    """The health endpoint answers the status it was told while users are still served."""
    region.behave(health_status=status)
    assert ask(region.health_url).status == status
    assert ask(region.url).status == 200


def test_service_can_fail_while_health_is_well(region: LocalRegion) -> None:
    """Users get the status that was set, and the region stays healthy."""
    region.behave(serve_status=500)
    assert ask(region.url).status == 500
    assert ask(region.health_url).status == 200


def test_it_can_be_slow(region: LocalRegion) -> None:
    """With a delay beyond the client's patience there is no answer in time."""
    region.behave(delay=5)
    with pytest.raises(TimeoutError):
        ask(region.health_url, timeout=0.1)


def test_a_bad_wish_is_refused(region: LocalRegion) -> None:
    """A behaviour outside of what HTTP knows is refused and changes nothing."""
    with pytest.raises(ValueError, match="200 to 599"):
        region.behave(health_status=99)
    with pytest.raises(ValueError, match="negative"):
        region.behave(delay=-1)
    assert ask(region.health_url).status == 200


def test_a_killed_region_refuses_and_starts_again(region: LocalRegion) -> None:
    """A killed region refuses connections; started again it serves on the same port."""
    region.behave(health_status=503)
    region.kill()
    with pytest.raises(ConnectionRefusedError):
        ask(region.url)
    region.start()
    assert ask(region.health_url).status == 200


def test_a_hung_region_accepts_and_says_nothing(region: LocalRegion) -> None:
    """A hung region takes connections and answers none of them, until it is resumed."""
    region.hang()
    with pytest.raises(TimeoutError):
        ask(region.url, timeout=0.2)
    region.resume()
    assert ask(region.url).status == 200
