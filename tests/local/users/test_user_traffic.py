"""User traffic against real regions."""

import time
from pathlib import Path

import pytest

from orchestrator.local.process.loopback import free_port, url_of
from orchestrator.local.region.region import LocalRegion
from orchestrator.local.users.traffic_record import outages, segments
from orchestrator.local.users.user_traffic import UserTraffic

pytestmark = pytest.mark.world


def test_an_outage_is_seen_from_outside(tmp_path: Path) -> None:
    """A region that is killed and started again is one outage of about that length."""
    region = LocalRegion("us-east-1", tmp_path)
    region.start()
    with UserTraffic(region.url, rate=100, timeout=30) as traffic:
        traffic.wait_for(lambda samples: len(samples) >= 30, 30, "thirty requests")
        began = time.monotonic()
        region.kill()
        traffic.wait_for(lambda samples: sum(not s.ok for s in samples) >= 10, 30, "failures")
        region.start()
        traffic.wait_for(lambda samples: all(s.ok for s in samples[-30:]), 30, "a recovery")
        ended = time.monotonic()
    region.stop()
    (outage,) = outages(traffic.samples)
    assert outage.recovery is not None
    assert 0.05 < outage.seconds <= ended - began
    assert outage.failed >= 10
    assert [segment.region for segment in segments(traffic.samples)] == ["us-east-1"]
    assert {s.error for s in traffic.samples} <= {None, "refused", "closed", "reset"}


def test_a_hung_region_does_not_slow_the_users_down(tmp_path: Path) -> None:
    """Users keep coming while nobody is answered, and each gives up.

    If they waited for one another, none would start before the first has given up.
    """
    region = LocalRegion("us-east-1", tmp_path)
    region.start()
    with UserTraffic(region.url, rate=100, timeout=1.0) as traffic:
        traffic.wait_for(lambda samples: len(samples) >= 10, 30, "ten requests")
        region.hang()
        late = traffic.wait_for(
            lambda samples: sum(s.error == "timeout" for s in samples) >= 50, 30, "fifty timeouts"
        )
    region.stop()
    timeouts = [s for s in late if s.error == "timeout"]
    first = timeouts[0]
    assert sum(s.started < first.started + first.seconds for s in timeouts) > 5
    assert all(s.seconds > 0.9 for s in timeouts)


def test_nobody_there_is_refused() -> None:
    """Requests to a port where nothing listens are refused; traffic can be stopped and started."""
    traffic = UserTraffic(url_of(free_port()), rate=100)
    for requests in (5, 10):
        with traffic:
            traffic.wait_for(lambda samples, n=requests: len(samples) >= n, 30, "requests")  # type: ignore[misc]
    assert {s.error for s in traffic.samples} == {"refused"}


def test_traffic_flows_once() -> None:
    """Traffic that flows cannot be started a second time."""
    with (
        UserTraffic(url_of(free_port())) as traffic,
        pytest.raises(RuntimeError, match="flows already"),
    ):
        traffic.start()
