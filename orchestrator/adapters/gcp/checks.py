"""What Monitoring's uptime checks have seen, by google-cloud-monitoring.

The results are the time series `uptime_check/check_passed`, one for each check and
checker location, the same that alert policies are evaluated on. Each region is asked for in a
thread of its own, all at once. The library is imported by the first question, so a configuration
that does not confirm by Monitoring does not pay for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orchestrator.adapters.gcp.metrics import metric_client
from orchestrator.core.health.second import WINDOW, Sight, judge
from orchestrator.core.model import Probe, Verdict
from orchestrator.core.policy import Region

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud.monitoring_v3 import TimeSeries

METRIC = "monitoring.googleapis.com/uptime_check/check_passed"
DEADLINE = 2.5
"""Seconds for all regions together: the round that this is part of is on the way to the patch."""

THREADS = 16


class UptimeChecks:
    """Implements `orchestrator.ports.Checks` for the checks of one project.

    emulator: `host:port` of one, which needs no credentials.
    """

    def __init__(
        self,
        project: str,
        credentials: Callable[[], Credentials | None],
        emulator: str | None,
        deadline: float = DEADLINE,
    ) -> None:
        self._deadline = deadline
        self._name = f"projects/{project}"
        self._credentials = credentials
        self._emulator = emulator
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="checks")
        self._made: Any = None  # the library's client, imported lazily

    def verdicts(self, regions: Iterable[Region], now: datetime) -> Mapping[str, Probe]:
        """One answer for each region by each checker location's newest result. Never raises."""
        asked = {region.name: self._pool.submit(self._verdict, region, now) for region in regions}
        wait(asked.values(), timeout=self._deadline)
        late = Probe(Verdict.SILENT, f"Monitoring: no answer within {self._deadline:g} s")
        return {name: one.result() if one.done() else late for name, one in asked.items()}

    def _verdict(self, region: Region, now: datetime) -> Probe:
        try:
            which = _which(region)
            return _verdict(self._series(which, now)) if which else _NOTHING_TO_ASK_FOR
        except Exception as error:  # noqa: BLE001  # whatever it is, the second signal is unavailable
            text = f"Monitoring: {type(error).__name__}: {str(error)[:200].rstrip('.')}"
            return Probe(Verdict.SILENT, text)

    def _series(self, which: str, now: datetime) -> list[TimeSeries]:
        found = self._client().list_time_series(
            request={
                "name": self._name,
                "filter": f'metric.type = "{METRIC}" AND {which}',
                "interval": {"start_time": now - WINDOW, "end_time": now},
                "view": "FULL",
            },
            retry=None,
            timeout=self._deadline,
        )
        return list(found)

    def _client(self) -> Any:  # imported lazily
        with self._lock:
            if self._made is None:
                self._made = metric_client(self._credentials, self._emulator)
            return self._made


_NOTHING_TO_ASK_FOR = Probe(Verdict.SILENT, "neither check_id nor health_url")


def _which(region: Region) -> str:
    """The part of the filter that finds this region's check: by its id, else by its host."""
    if region.check_id:
        return f"metric.labels.check_id = {_quoted(region.check_id)}"
    host = urlsplit(region.health_url or "").hostname
    return f"resource.labels.host = {_quoted(host)}" if host else ""


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _verdict(found: Iterable[TimeSeries]) -> Probe:
    """What these series come to. Those of two checks are not told apart by their host."""
    series = list(found)
    checks = sorted({one.metric.labels["check_id"] for one in series})
    if len(checks) > 1:
        told = ", ".join(checks[:3])
        return Probe(Verdict.SILENT, f"{len(checks)} checks of this host ({told}): name a check_id")
    return judge(
        Sight(
            one.metric.labels["checker_location"], point.interval.end_time, point.value.bool_value
        )
        for one in series
        for point in one.points
    )
