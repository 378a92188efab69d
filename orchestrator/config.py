"""`failover.yaml`: from text to the core's values, every problem told at once with its path.

The models below are the schema of the file; their descriptions are its reference. What the file may
name but this version cannot do yet is refused at load with a clear sentence, never ignored: a rule
that a human believes in and nobody enforces is worse than none.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from orchestrator.core import policy as core
from orchestrator.core.errors import BadConfig, Problem
from orchestrator.core.plan import group_path

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
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
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


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

    timeout: Duration = Field(timedelta(seconds=2), description="the whole round, all attempts")
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


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration as the orchestrator uses it."""

    project: str
    state: str
    services: Mapping[str, core.Service]
    probe: ProbeModel


_NOT_YET: dict[tuple[str, object], str] = {
    ("kind", "url-map"): "traffic of kind url-map does not exist yet; use backend-service",
    ("kind", "cloud-dns"): "traffic of kind cloud-dns does not exist yet; use backend-service",
    ("confirm", "monitoring"): "confirm: monitoring does not exist yet; use probe or none",
    ("failback", "auto"): "failback: auto does not exist yet; use manual",
    ("on_lag", "proceed"): "replication lag is not looked at yet; leave on_lag out",
    ("on_state_loss", "act"): "on_state_loss: act does not exist yet; use hold",
    ("standby", "attached"): "standby: attached does not exist yet; use drained",
}


class _UniqueKeys(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # chosen at run time
    """YAML in which a key that stands twice is an error: one of the two would be lost silently."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Any, Any]:  # the library's signature
        keys = Counter(key.value for key, _ in node.value)
        twice = [key for key, count in keys.items() if count > 1]
        if twice:
            line = node.start_mark.line + 1
            raise yaml.MarkedYAMLError(
                problem=f"{twice[0]!r} stands twice, in the mapping at line {line}"
            )
        return dict(super().construct_mapping(node, deep=deep))


def load(text: str, source: str) -> Config:
    """The configuration in this text. Raises BadConfig with every problem found.

    source: where the text is from, for the message.
    """
    try:
        raw = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506  # a safe loader, made stricter
    except (yaml.YAMLError, RecursionError) as error:
        raise BadConfig(source, [Problem("(file)", f"not YAML: {error}")]) from error
    if not isinstance(raw, dict):
        raise BadConfig(source, [Problem("(file)", "empty: see failover.yaml for an example")])
    problems: list[Problem] = []
    try:
        file = FileModel.model_validate(raw)
    except ValidationError as error:
        problems += [_problem(found) for found in error.errors(include_url=False)]
        raise BadConfig(source, _unique(problems)) from error
    problems += _across(file)
    if problems:
        raise BadConfig(source, problems)
    services = {
        name: _service(name, service, file, raw["services"][name])
        for name, service in file.services.items()
    }
    return Config(file.project, file.state, services, file.probe)


def _unique(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def _problem(found: Any) -> Problem:  # pydantic's TypedDict of an error
    """One of pydantic's errors in our words. Tags of unions are no part of the path."""
    tags = {"str", "list[str]", "function-after[_group(), str]", "[key]"}
    steps = [str(step) for step in found["loc"]]
    path = ".".join(s for s in steps if s not in tags and not s.startswith(("list[", "function-")))
    given = found.get("input")
    known = isinstance(given, str) and _NOT_YET.get((steps[-1], given))
    if known:
        return Problem(path, known)
    match found["type"]:
        case "missing":
            text = "missing"
        case "extra_forbidden":
            text = "not known here; is it misspelt?"
        case "string_pattern_mismatch":
            text = f"{given!r}: lower-case letters, digits and hyphens, at most 63"
        case _:
            text = f"{str(found['msg']).removeprefix('Value error, ')} (it is {given!r})"
    return Problem(path or "(file)", text)


def _across(file: FileModel) -> list[Problem]:
    """Faults that only show between fields."""
    problems = []
    for name, service in file.services.items():
        path = f"services.{name}"
        claimed = Counter(group for region in service.regions.values() for group in region.groups)
        for region_name, region in service.regions.items():
            here = f"{path}.regions.{region_name}.backend"
            if not region.groups:
                problems.append(Problem(here, "an empty list; name at least one group"))
            twice = sorted({group for group in region.groups if claimed[group] > 1})
            problems += [Problem(here, f"{group} is claimed twice") for group in twice]
        if service.policy.max_replication_lag != timedelta(seconds=60):
            lag = f"{path}.policy.max_replication_lag"
            problems.append(Problem(lag, "replication lag is not looked at yet; leave it out"))
    shared = Counter(service.traffic.backend_service for service in file.services.values())
    for name, service in file.services.items():
        target = service.traffic.backend_service
        if shared[target] > 1:
            here = f"services.{name}.traffic.backend_service"
            problems.append(
                Problem(here, f"{target} is moved by another service too; give each its own")
            )
    return problems


def _service(name: str, model: ServiceModel, file: FileModel, raw: object) -> core.Service:
    mode = core.Mode(model.mode)
    told = json.dumps({"project": file.project, "service": raw}, sort_keys=True, default=str)
    digest = hashlib.sha256(told.encode()).hexdigest()[:12]
    return core.Service(
        name=name,
        project=file.project,
        mode=mode,
        regions=tuple(
            core.Region(
                name=region_name,
                endpoint=region.endpoint or f"dynamodb.{region_name}.amazonaws.com",
                health_url=region.health_url,
                check_id=region.check_id,
                backends=region.groups,
            )
            for region_name, region in model.regions.items()
        ),
        backend_service=model.traffic.backend_service,
        stated_lever=core.Lever(model.traffic.lever) if model.traffic.lever else None,
        policy=_policy(model.policy),
        stamp=core.Stamp(file.serial, digest, mode),
    )


def _policy(model: PolicyModel) -> core.Policy:
    return core.Policy(
        confirm=core.Confirm(model.confirm),
        on_unconfirmed=core.OnUnconfirmed(model.on_unconfirmed),
        trust_close=model.trust_close,
        min_incidents=model.min_incidents,
        recovery_probes=model.recovery_probes,
        cooldown=model.cooldown,
        max_auto_failovers=core.AutoFailovers(**dict(model.max_auto_failovers)),
        max_event_age=model.max_event_age,
        brake=core.Brake(**dict(model.brake)),
    )
