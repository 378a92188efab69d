"""The schema of `failover.yaml`: every field with its meaning, default and bounds.

The descriptions are the reference for the file's users. What the file may name but this version
cannot do yet is a value that these models refuse. Nothing here reads the file or compares fields
with each other; that is `orchestrator.config`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from orchestrator.core.plan import group_path

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
LONGEST = timedelta(days=3650)
"""The longest duration that a rule may be given; far below what a calendar can hold."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_GROUP = re.compile(
    r"projects/[^/]+/(zones/[^/]+/instanceGroups|regions/[^/]+/instanceGroups"
    r"|zones/[^/]+/networkEndpointGroups|regions/[^/]+/networkEndpointGroups"
    r"|global/networkEndpointGroups)/[a-z0-9-]+"
)


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError("write a duration such as 500ms, 2s, 10m, 2h or 1d")
    seconds = float(found[1]) * _UNITS[found[2]]
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"write a duration of at most {LONGEST.days}d")
    return timedelta(seconds=seconds)


def _group(value: str) -> str:
    path = group_path(value)
    if not _GROUP.fullmatch(path):
        raise ValueError(
            "write the URL of an instance group or network endpoint group, such as"
            " https://www.googleapis.com/compute/v1/projects/P/zones/Z/instanceGroups/NAME"
        )
    if "/global/" in path:
        raise ValueError(
            "an internet network endpoint group stands alone in its backend service, so it cannot"
            " be moved inside one; that needs traffic of kind url-map or cloud-dns, which do not"
            " exist yet"
        )
    return path


def _health_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write a URL such as https://use4.checkout.example.com/healthz")
    if parts.path == "/healthz/primary":
        raise ValueError("/healthz/primary tells the role, not the health; use /healthz or /health")
    if parts.hostname.endswith(".run.app") and parts.path.endswith("z"):
        raise ValueError(
            f"on *.run.app Google's front end answers {parts.path} itself, with 404: use /health"
        )
    return value


def _state(value: str) -> str:
    if re.fullmatch(r"gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/.*)?", value):
        return value
    if value.startswith("file:///") and len(value) > len("file:///"):
        return value
    raise ValueError("write gs://BUCKET or file:///some/folder")


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
RegionName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Group = Annotated[str, AfterValidator(_group)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AutoFailoversModel(_Model):
    """How many automatic moves are allowed before a human must acknowledge."""

    count: int = Field(3, ge=0, description="automatic moves; 0: automation never moves")
    within: Duration = timedelta(hours=24)


class BrakeModel(_Model):
    """When so much fails at once that the observer is the likelier fault."""

    share: float = Field(0.7, gt=0, le=1, description="share of the service's regions newly down")
    within: Duration = timedelta(minutes=2)


class PolicyModel(_Model):
    """What a human has decided beforehand for one service."""

    confirm: Literal["none", "probe"] = Field("probe", description="the second, independent signal")
    on_unconfirmed: Literal["proceed", "hold"] = Field(
        "proceed", description="what to do when the second signal cannot be had"
    )
    trust_close: bool = Field(False, description="take Monitoring's close as proof of health")
    min_incidents: int = Field(1, ge=1, description="open incidents that make a region down")
    recovery_probes: int = Field(3, ge=1, description="healthy probes in a row that prove recovery")
    cooldown: Duration = Field(
        timedelta(minutes=10), description="how long a region that automation left is no target"
    )
    max_auto_failovers: AutoFailoversModel = AutoFailoversModel()
    max_event_age: Duration = Field(
        timedelta(minutes=15), description="an older alert updates health and moves nothing"
    )
    brake: BrakeModel = BrakeModel()
    min_healthy_regions: Literal[1] = Field(1, description="other values: not in this version yet")
    failback: Literal["manual"] = Field("manual", description="auto: not in this version yet")
    failback_after: Duration = timedelta(minutes=30)
    ramp: list[Annotated[float, Field(gt=0, le=1)]] = [0.1, 0.5, 1.0]
    ramp_step: Duration = timedelta(minutes=5)
    max_replication_lag: Duration = Field(
        timedelta(seconds=60), description="not enforced in this version: leave it out or at 60s"
    )
    on_lag: Literal["hold"] = Field("hold", description="proceed: not in this version yet")
    on_state_loss: Literal["hold"] = Field("hold", description="act: not in this version yet")


class RegionModel(_Model):
    """One region of a service."""

    endpoint: str = Field(
        "", description="DynamoDB endpoint; default dynamodb.<region>.amazonaws.com"
    )
    health_url: Annotated[str, AfterValidator(_health_url)] | None = None
    check_id: str | None = Field(None, description="the uptime check's id")
    backend: Group | list[Group] = Field(description="URL of its group, or a list, moved together")

    @property
    def groups(self) -> tuple[str, ...]:
        """The region's groups, one or several."""
        return (self.backend,) if isinstance(self.backend, str) else tuple(self.backend)


class TrafficModel(_Model):
    """What carries the traffic and how it is moved."""

    kind: Literal["backend-service"]
    backend_service: Name
    lever: Literal["capacity", "membership"] | None = Field(
        None, description="default: by what is attached"
    )
    standby: Literal["drained"] = Field("drained", description="attached: not in this version yet")


class ServiceModel(_Model):
    """One service: regions in order of preference, the first the preferred primary."""

    mode: Literal["active-passive", "active-active"]
    regions: Annotated[dict[RegionName, RegionModel], Field(min_length=1)]
    traffic: TrafficModel
    policy: PolicyModel = PolicyModel()


class TopicsModel(_Model):
    """Pub/Sub topics. Without `control` or `events` there are none."""

    alerts: str = "dynamodb-failover-alerts"
    control: str | None = None
    events: str | None = None


class ProbeModel(_Model):
    """How health URLs are asked."""

    timeout: Annotated[
        Duration, Field(ge=timedelta(milliseconds=100), le=timedelta(seconds=60))
    ] = Field(timedelta(seconds=2), description="the whole round, all attempts")
    attempts: int = Field(2, ge=1, le=5)
    auth: Literal["none", "oidc"] = Field("none", description="oidc: with an identity token")


class FileModel(_Model):
    """The whole file."""

    version: Literal[1]
    serial: int = Field(0, ge=0, description="raised with every change of this file")
    project: str = Field(min_length=1)
    state: Annotated[str, AfterValidator(_state)]
    topics: TopicsModel = TopicsModel()
    services: Annotated[dict[Name, ServiceModel], Field(min_length=1)]
    probe: ProbeModel = ProbeModel()
