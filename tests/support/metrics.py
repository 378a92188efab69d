"""A MetricService of the laptop whose uptime checks find what a test says, and its real client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.cloud.monitoring_v3 import MetricServiceClient, TimeSeries
from google.cloud.monitoring_v3.services.metric_service.transports import (
    MetricServiceGrpcTransport,
)

from orchestrator.local.monitoring.metric_service import MetricService
from orchestrator.local.monitoring.monitoring import CheckResult, Monitoring, Vantage

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
PROJECT = "projects/laptop"
PASSED = 'metric.type = "monitoring.googleapis.com/uptime_check/check_passed"'


class Watched:
    """Uptime checks that nobody makes: their results are told. pace: as of `Monitoring`."""

    def __init__(self, pace: float = 1.0) -> None:
        urls = {region: f"http://{region}.example.com/healthz" for region in REGIONS}
        self.monitoring = Monitoring(urls, "checkout", print, pace=pace)
        self.service = MetricService(self.monitoring)

    def tell(self, region: str, *, passing: int, failing: int, ago: float = 1.0) -> None:
        """So many checker locations found so, so many seconds ago."""
        at = datetime.now(UTC) - timedelta(seconds=ago)
        told = [True] * passing + [False] * failing
        for vantage, passed in zip(Vantage, told, strict=False):
            result = CheckResult(at, vantage, region, passed, "200" if passed else "503")
            self.monitoring._results.append(result)


@contextmanager
def serving(watched: Watched) -> Iterator[MetricService]:
    """Its MetricService, as long as the block lasts."""
    watched.service.start()
    try:
        yield watched.service
    finally:
        watched.service.stop()


@contextmanager
def client(service: MetricService) -> Iterator[MetricServiceClient]:
    """The library's own client, unchanged."""
    with grpc.insecure_channel(service.host) as channel:
        yield MetricServiceClient(transport=MetricServiceGrpcTransport(channel=channel))


def listed(found: MetricServiceClient, query: str, **more: Any) -> list[TimeSeries]:  # any field
    """What the client lists of the last five minutes."""
    now = datetime.now(UTC)
    interval = {"start_time": now - timedelta(minutes=5), "end_time": now}
    request = {"name": PROJECT, "filter": query, "interval": interval, **more}
    return list(found.list_time_series(request=request, retry=None, timeout=20))
