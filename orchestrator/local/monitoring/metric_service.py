"""Cloud Monitoring's MetricService on the laptop: what MONITORING_EMULATOR_HOST names.

It shows what the uptime checks found and keeps what is written. The port can be closed and opened
again, which is an outage of the API: checks and alerts go on meanwhile, and what was written stays.
"""

from contextlib import ExitStack
from functools import partial

from orchestrator.local.monitoring.monitoring import Monitoring
from orchestrator.local.monitoring.time_series import Key, Point, TimeSeries
from orchestrator.local.monitoring.uptime_series import uptime_series
from orchestrator.local.process.loopback import HOST, free_port
from orchestrator.local.rpc.permissions import IamRole


class MetricService:
    """Serves the series of `monitoring` from `start` until `stop`.

    role: what callers may do, None for everything.
    """

    def __init__(self, monitoring: Monitoring, role: IamRole | None = None) -> None:
        self.role = role
        self._uptime = partial(uptime_series, monitoring)
        self._port = free_port()
        self._written = TimeSeries()
        self._face = ExitStack()

    @property
    def host(self) -> str:
        """Host and port for gRPC, without a scheme."""
        return f"{HOST}:{self._port}"

    def written(self) -> dict[Key, tuple[Point, ...]]:
        """What was written so far, the newest point of each series first."""
        return {series.key: series.points for series in self._written.all()}

    def start(self) -> None:
        """Open the port. Google's library is imported here: most of a second, beside others."""
        from orchestrator.local.monitoring.metric_methods import SERVICE, metric_methods
        from orchestrator.local.pubsub.pubsub_grpc import GrpcFace

        methods = metric_methods(self._written, self._uptime, lambda: self.role)
        self._face.callback(GrpcFace({SERVICE: methods}, self._port).close)

    def stop(self) -> None:
        """Close the port. Idempotent."""
        self._face.close()
