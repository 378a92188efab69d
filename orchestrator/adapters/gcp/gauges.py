"""Custom metrics in Cloud Monitoring, by google-cloud-monitoring.

    custom.googleapis.com/region_failover/NAME   gauges of whole numbers, on the resource `global`

Monitoring takes one point of a series every five seconds, each newer than the one before. So each
orchestrator writes series of its own, told apart by the label `instance`; what two of its own ticks
write at once is refused, and the next minute's is not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.gcp.error_kinds import kind_of
from orchestrator.adapters.gcp.metrics import metric_client
from orchestrator.core.exceptions import Cloud, FailoverError, Unavailable
from orchestrator.ports import Gauge

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

PREFIX = "custom.googleapis.com/region_failover/"
MOST = 200
"""Series in one request, by the API's limit."""

TIMEOUT = 5.0
"""Seconds for one request: the tick is done, and its message waits to be acknowledged."""


class CustomMetrics:
    """Implements `orchestrator.ports.Gauges`.

    instance: the name of this orchestrator among those of the project; few, and the same after a
    restart, for each makes series of its own. emulator: `host:port` of one, which needs no
    credentials.
    """

    def __init__(
        self,
        project: str,
        instance: str,
        credentials: Callable[[], Credentials | None],
        emulator: str | None,
    ) -> None:
        self._project = project
        self._instance = instance
        self._credentials = credentials
        self._emulator = emulator
        self._lock = threading.Lock()
        self._made: Any = None  # the library's client, imported lazily

    def write(self, gauges: Iterable[Gauge], now: datetime) -> None:
        """Write one point for each. Raises Unavailable, also when some were refused."""
        series = [self._series(gauge, now) for gauge in gauges]
        try:
            for begin in range(0, len(series), MOST):
                self._client().create_time_series(
                    name=f"projects/{self._project}",
                    time_series=series[begin : begin + MOST],
                    retry=None,
                    timeout=TIMEOUT,
                )
        except FailoverError:
            raise
        except Exception as error:
            text = f"Monitoring: {type(error).__name__}: {str(error)[:300].rstrip('.')}"
            raise Unavailable(text, kind=kind_of(error), cloud=Cloud.MONITORING) from error

    def _series(self, gauge: Gauge, now: datetime) -> dict[str, Any]:  # a message as a dictionary
        labels = {**gauge.labels, "instance": self._instance}
        return {
            "metric": {"type": PREFIX + gauge.name, "labels": labels},
            "resource": {"type": "global", "labels": {"project_id": self._project}},
            "metric_kind": "GAUGE",
            "value_type": "INT64",
            "points": [{"interval": {"end_time": now}, "value": {"int64_value": gauge.value}}],
        }

    def _client(self) -> Any:  # imported lazily
        with self._lock:
            if self._made is None:
                self._made = metric_client(self._credentials, self._emulator)
            return self._made
