"""One contract for every implementation of the port `Gauges`: the fake, and Google's client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from google.auth.credentials import AnonymousCredentials

from orchestrator.adapters.gcp.gauges import MOST, CustomMetrics
from orchestrator.core.exceptions import Unavailable
from orchestrator.local.monitoring.metric_service import MetricService
from orchestrator.local.process.loopback import HOST, free_port
from orchestrator.local.rpc.permissions import IamRole
from orchestrator.ports import Gauge, Gauges
from tests.support.fakes import FakeGauges
from tests.support.metrics import Watched, serving

Read = dict[tuple[str, str], list[int]]


@dataclass
class Made:
    """One implementation, and what was written by it: values by name and region, newest first."""

    gauges: Gauges
    read: Callable[[], Read]


def _fake(_: ExitStack) -> Made:
    made = FakeGauges()

    def read() -> Read:
        found: Read = {}
        for _, gauges in reversed(made.written):
            for one in gauges:
                found.setdefault((one.name, one.labels.get("region", "")), []).append(one.value)
        return found

    return Made(made, read)


def _api(life: ExitStack) -> Made:
    service = life.enter_context(serving(Watched()))
    return Made(metrics(service), lambda: written(service, "control-0"))


@pytest.fixture(params=[_fake, _api], ids=["fake", "api"])
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    with ExitStack() as life:
        yield request.param(life)


def metrics(service: MetricService, instance: str = "control-0") -> CustomMetrics:
    """Google's client, pointed at this service."""
    return CustomMetrics("laptop", instance, AnonymousCredentials, service.host)


def written(service: MetricService, instance: str) -> Read:
    """What one orchestrator has written."""
    found: Read = {}
    for key, points in service.written().items():
        told = dict(key.labels)
        assert told["service"] == "checkout"
        assert (key.resource, key.resource_labels) == ("global", (("project_id", "laptop"),))
        assert key.metric.startswith("custom.googleapis.com/region_failover/")
        if told["instance"] == instance:
            name = key.metric.rpartition("/")[2]
            found[name, told.get("region", "")] = [int(point.value) for point in points]
    return found


def gauges(value: int) -> tuple[Gauge, ...]:
    """Two gauges of a service, one of them of a region."""
    return (
        Gauge("epoch", value, {"service": "checkout"}),
        Gauge("region_health", 1, {"service": "checkout", "region": "us-east-1"}),
    )


def test_what_is_written_is_there(made: Made) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    made.gauges.write(gauges(7), before)
    made.gauges.write(gauges(8), before + timedelta(seconds=6))
    assert made.read() == {("epoch", ""): [8, 7], ("region_health", "us-east-1"): [1, 1]}


def test_two_ticks_at_once_write_one_point_and_the_other_is_refused(made: Made) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    made.gauges.write(gauges(7), before)
    for later in (0, 1):
        with pytest.raises(Unavailable):
            made.gauges.write(gauges(8), before + timedelta(seconds=later))
    assert made.read()["epoch", ""] == [7]


# --- Google's client alone ------------------------------------------------------------------------


def test_two_orchestrators_at_once_do_not_collide() -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    with serving(Watched()) as service:
        for instance in ("us-east4", "us-west1"):
            metrics(service, instance).write(gauges(7), before)
        for instance in ("us-east4", "us-west1"):
            assert written(service, instance)["epoch", ""] == [7]


def test_more_gauges_than_a_request_may_have_are_written_in_several() -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    many = [Gauge("primary", n, {"service": "checkout", "region": str(n)}) for n in range(MOST + 1)]
    with serving(Watched()) as service:
        metrics(service).write(many, before)
        assert len(written(service, "control-0")) == MOST + 1


def test_whatever_fails_is_unavailable_with_its_reason() -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)

    def none() -> None:
        raise Unavailable("no Google credentials", page=True)

    nobody = CustomMetrics("laptop", "x", AnonymousCredentials, f"{HOST}:{free_port()}")
    with pytest.raises(Unavailable, match="ServiceUnavailable"):
        nobody.write(gauges(1), before)
    with pytest.raises(Unavailable, match="no Google credentials"):
        CustomMetrics("laptop", "x", none, None).write(gauges(1), before)
    watched = Watched()
    watched.service.role = IamRole(())
    with serving(watched) as service, pytest.raises(Unavailable, match=r"timeSeries\.create"):
        metrics(service).write(gauges(1), before)
