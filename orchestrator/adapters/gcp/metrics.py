"""Monitoring's client of metrics, imported and made when it is first needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud.monitoring_v3 import MetricServiceClient


def metric_client(
    credentials: Callable[[], Credentials | None], emulator: str | None
) -> MetricServiceClient:
    """The library's client. emulator: `host:port` of one, which needs no credentials.

    The library knows no variable for an emulator, and speaks gRPC only.
    """
    from google.cloud.monitoring_v3 import MetricServiceClient  # lazily: a fifth of a second

    if not emulator:
        return MetricServiceClient(credentials=credentials())
    import grpc  # as above
    from google.cloud.monitoring_v3.services.metric_service.transports import (
        MetricServiceGrpcTransport,
    )

    channel = grpc.insecure_channel(emulator)
    return MetricServiceClient(transport=MetricServiceGrpcTransport(channel=channel))
