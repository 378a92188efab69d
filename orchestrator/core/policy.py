"""What a human has decided beforehand: services, their regions, their traffic, their policy.

Values only. `orchestrator.config` makes them from `failover.yaml`; the meaning of each field for
the users of that file is documented there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from orchestrator.core.claims import is_pattern, matches


class Mode(StrEnum):
    """How many regions carry traffic at a time."""

    ACTIVE_PASSIVE = "active-passive"
    ACTIVE_ACTIVE = "active-active"


class Lever(StrEnum):
    """How a backend service is moved: by scaling backends, or by attaching and detaching them."""

    CAPACITY = "capacity"
    MEMBERSHIP = "membership"


class Standby(StrEnum):
    """How regions that carry no traffic stand in the backend service.

    Attached ones are kept out by the load balancer's own health check of their role.
    """

    DRAINED = "drained"
    ATTACHED = "attached"


class Confirm(StrEnum):
    """The second signal that an alert needs before traffic moves."""

    NONE = "none"
    PROBE = "probe"
    MONITORING = "monitoring"


class OnUnconfirmed(StrEnum):
    """What to do when the second signal is unavailable."""

    PROCEED = "proceed"
    HOLD = "hold"


class OnLag(StrEnum):
    """What to do when the candidate's replica is too far behind."""

    HOLD = "hold"
    PROCEED = "proceed"


class OnStateLoss(StrEnum):
    """What to do when the state cannot be read and the primary is seen to fail."""

    HOLD = "hold"
    ACT = "act"


class Failback(StrEnum):
    """Who gives a recovered region its traffic back."""

    MANUAL = "manual"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class AutoFailovers:
    """At most `count` automatic moves `within` this time; then a human must acknowledge."""

    count: int = 3
    within: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Brake:
    """More than `share` of a service's regions down `within` this time: suspect the observer."""

    share: float = 0.7
    within: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Graceful:
    """The waiting of a graceful switch.

    max_staleness: how old the document of a client may be. request_timeout: a client's longest
    request. deadline: after which the switch is given up and nothing has moved.
    """

    max_staleness: timedelta = timedelta(seconds=30)
    request_timeout: timedelta = timedelta(seconds=10)
    deadline: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules' limits for one service.

    lag_required: `max_replication_lag` stands in the file, so a lag that is not told counts as
    unknown.
    """

    confirm: Confirm = Confirm.PROBE
    on_unconfirmed: OnUnconfirmed = OnUnconfirmed.HOLD
    trust_close: bool = False
    min_incidents: int = 1
    recovery_probes: int = 3
    cooldown: timedelta = timedelta(minutes=10)
    max_auto_failovers: AutoFailovers = field(default_factory=AutoFailovers)
    max_event_age: timedelta = timedelta(minutes=15)
    brake: Brake = field(default_factory=Brake)
    min_healthy_regions: int = 1
    failback: Failback = Failback.MANUAL
    failback_after: timedelta = timedelta(minutes=30)
    ramp: tuple[float, ...] = (0.1, 0.5, 1.0)
    ramp_step: timedelta = timedelta(minutes=5)
    max_replication_lag: timedelta = timedelta(seconds=60)
    lag_required: bool = False
    on_lag: OnLag = OnLag.HOLD
    on_state_loss: OnStateLoss = OnStateLoss.HOLD
    graceful: Graceful = field(default_factory=Graceful)

    @property
    def is_credulous(self) -> bool:
        """Whether the file says that alerts which nothing confirms move traffic."""
        return self.confirm is Confirm.NONE or self.on_unconfirmed is OnUnconfirmed.PROCEED


@dataclass(frozen=True, slots=True)
class Region:
    """One region of a service.

    backends: its claims on the groups that serve it, as API paths from `projects/` on, where `*`
    stands for any zone or name (see `orchestrator.core.claims`). What they match moves together.
    aws_region: where the replica is; empty where the region's own name says it.
    """

    name: str
    endpoint: str
    health_url: str | None
    check_id: str | None
    backends: tuple[str, ...]
    aws_region: str = ""

    @property
    def role_url(self) -> str | None:
        """Where the region says whether it is the primary: below its health URL."""
        if self.health_url is None:
            return None
        parts = urlsplit(self.health_url)
        return parts._replace(path=f"{parts.path.rstrip('/')}/primary").geturl()


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which configuration a decision was made with.

    serial: raised by a human with every change of the file. digest: of the service's part of it.
    routing_digest: of its regions, groups, lever and resources, which are all that a shift depends
    on; empty where the version that wrote the document did not keep it.
    """

    serial: int
    digest: str
    mode: Mode
    routing_digest: str = ""

    def shifts_like(self, other: Stamp) -> bool:
        """Whether both carry out an epoch in the same way; False where that is not known."""
        return bool(self.routing_digest) and self.routing_digest == other.routing_digest


@dataclass(frozen=True, slots=True)
class Service:
    """One service as configured. `regions` are in order of preference, the first preferred."""

    name: str
    project: str
    mode: Mode
    regions: tuple[Region, ...]
    backend_service: str
    stated_lever: Lever | None
    policy: Policy
    stamp: Stamp
    standby: Standby = Standby.DRAINED

    @property
    def names(self) -> tuple[str, ...]:
        """The regions' names, in order of preference."""
        return tuple(region.name for region in self.regions)

    @property
    def trusted(self) -> frozenset[str]:
        """The regions without a health URL: a closed alert is the only proof of their health."""
        return frozenset(region.name for region in self.regions if region.health_url is None)

    def region(self, name: str) -> Region:
        """The region of that name. Raises KeyError for one that is not configured."""
        for region in self.regions:
            if region.name == name:
                return region
        raise KeyError(name)

    def owner(self, group: str) -> str | None:
        """The region that claims this backend group, if any."""
        return next(iter(self.owners(group)), None)

    def owners(self, group: str) -> tuple[str, ...]:
        """The region of every claim that matches this group: more than one is a fault."""
        return tuple(
            region.name
            for region in self.regions
            for claim in region.backends
            if matches(claim, group)
        )

    @property
    def patterns(self) -> tuple[str, ...]:
        """The claims that stand for more than one group."""
        claims = (claim for region in self.regions for claim in region.backends)
        return tuple(claim for claim in claims if is_pattern(claim))
