"""The world that a scenario plays: regions, users, clouds that can be gone, and the time.

The load balancer is the folder adapter over memory. What the flow sees of it is in `clouds`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from orchestrator.adapters.folder.memory import MemoryObjects
from orchestrator.adapters.folder.traffic import API, FileBackendServices, as_deployed
from orchestrator.core.document.codec import decode
from orchestrator.core.exceptions import Unavailable
from orchestrator.core.model import Json, NoAnswer, Probe, State, Verdict
from orchestrator.core.outside.reading import Corrupt
from orchestrator.core.policy import Lever, Mode, Service, Standby
from orchestrator.core.traffic.plan import carrying, group_path, lever_of

START = datetime(2026, 1, 1, tzinfo=UTC)
"""Midnight, so that a time of the clock reads as a time of the scenario."""

REFRESH = timedelta(seconds=5)
"""How old a document a region's application may use."""

STATE_BUCKET, COMPUTE_API = "the state bucket", "the Compute API"
PUBSUB, MONITORING = "Pub/Sub", "Monitoring"
"""The clouds that can be gone."""

WELL = Probe(Verdict.HEALTHY, 200)
FAILING = Probe(Verdict.FAILING, 503)
TIMEOUT = Probe(Verdict.FAILING, NoAnswer.TIMEOUT)


class Killed(BaseException):
    """The process is gone: nothing of the orchestrator catches this."""


@dataclass
class VirtualWorld:
    """One service's world.

    documents: every one, and when it was written. held: what an application knows that reads no
    newer one, by region. health: what each region answers, if not well. gone: a cloud, till
    when. ahead: how far an orchestrator's clock is ahead, by its number. unreached: regions
    that an orchestrator's probes do not reach, by its number. cut_off: regions that their users
    do not reach. hooks: what happens before the next commit or patch. faults: what no
    orchestrator may do, whatever is expected.
    """

    service: Service
    now: datetime = START
    documents: list[tuple[datetime, State]] = field(default_factory=list)
    held: dict[str, State | None] = field(default_factory=dict)
    health: dict[str, Probe] = field(default_factory=dict)
    lag: dict[str, dict[str, float | None]] = field(default_factory=dict)
    ahead: dict[int, timedelta] = field(default_factory=dict)
    unreached: set[tuple[int, str]] = field(default_factory=set)
    cut_off: set[str] = field(default_factory=set)
    gone: dict[str, datetime] = field(default_factory=dict)
    hooks: dict[str, list[Callable[[], None]]] = field(
        default_factory=lambda: {"commit": [], "patch": []}
    )
    faults: list[str] = field(default_factory=list)
    commits: int = 0
    patches: int = 0

    def __post_init__(self) -> None:
        self.kept = MemoryObjects()
        self._balancer = MemoryObjects()
        self.backends = FileBackendServices(self._balancer, [self.service])

    # --- what the world is

    @property
    def state(self) -> State | None:
        """The document as it is. If it cannot be decoded, as it last was."""
        got = self.kept.get(f"{self.service.name}.json")
        try:
            return decode(got[0], self.service.name) if got else None
        except Corrupt:
            return self.documents[-1][1] if self.documents else None

    @property
    def traffic(self) -> Mapping[str, float]:
        """The share of its capacity that each region gets, by the load balancer itself."""
        backends = self.backends.read(self.service.backend_service).backends
        owned = {self.service.owner(one.group): one.scaler for one in backends}
        return {name: owned.get(name, 0.0) for name in self.service.names}

    @property
    def carrying(self) -> tuple[str, ...]:
        """The regions that get traffic."""
        return carrying(self.backends.read(self.service.backend_service), self.service)

    def known(self, region: str) -> State | None:
        """The document as the region's application knows it."""
        if region in self.held:
            return self.held[region]
        read = (state for at, state in reversed(self.documents) if at <= self.now - REFRESH)
        return next(read, None)

    def leads(self, region: str) -> bool:
        """Whether the region's application answers at its role URL that it is the primary."""
        state = self.known(region)
        return region not in self.health and state is not None and state.primary == region

    @property
    def serving(self) -> tuple[str, ...]:
        """The regions that users are sent to: with attached standbys by the role's health check."""
        if self.service.standby is Standby.DRAINED:
            return self.carrying
        return tuple(name for name in self.carrying if self.leads(name))

    @property
    def users(self) -> str:
        """Whether every user is served."""
        bad = [n for n in self.serving if n in self.cut_off or n in self.health]
        return "failing" if bad or not self.serving else "served"

    def is_gone(self, cloud: str) -> bool:
        """Whether that cloud does not answer now."""
        return cloud in self.gone and self.now < self.gone[cloud]

    def fail_if_gone(self, cloud: str) -> None:
        """Raise Unavailable while that cloud is gone."""
        if self.is_gone(cloud):
            raise Unavailable(f"{cloud}: 503 ServiceUnavailable")

    def pass_hook(self, moment: str) -> None:
        """Let happen what was to happen before the next commit or patch."""
        due = self.hooks[moment][:]
        self.hooks[moment].clear()
        for what in due:
            what()

    # --- what other hands do to it

    def give(self, regions: Iterable[str]) -> None:
        """Somebody gives these regions the traffic, and leaves the mark alone."""
        names = set(regions)
        everywhere = replace(self.service, mode=Mode.ACTIVE_ACTIVE)
        backends = as_deployed(everywhere)["backends"]
        assert isinstance(backends, list)  # made by the adapter
        given = [one for one in backends if self._owner(one) in names]
        if lever_of(self.service, None) is Lever.CAPACITY:
            given = [{**one, "capacityScaler": float(one in given)} for one in backends]
        resource = self.backends.read(self.service.backend_service).resource
        self._write({**resource, "backends": given})

    def attach(self, name: str, zone: str, *, attached: bool) -> None:
        """A controller attaches this group with full capacity, or takes it away again."""
        if lever_of(self.service, None) is Lever.CAPACITY:
            group = f"projects/drill/zones/{zone}/networkEndpointGroups/{name}"
            backend: Json = {"group": API + group, "capacityScaler": 1.0}
        else:
            backend = {"group": f"{API}projects/drill/regions/{zone}/networkEndpointGroups/{name}"}
        resource = self.backends.read(self.service.backend_service).resource
        backends = resource["backends"]
        assert isinstance(backends, list)  # made by the adapter
        others = [one for one in backends if one["group"] != backend["group"]]
        self._write({**resource, "backends": [*others, *([backend] if attached else [])]})

    def _owner(self, backend: Json) -> str | None:
        return self.service.owner(group_path(str(backend["group"])))

    def edit(self, **fields: object) -> None:
        """Somebody edits these fields of the document by hand."""
        name = f"{self.service.name}.json"
        if (got := self.kept.get(name)) is not None:
            self.kept.put(name, json.dumps({**json.loads(got[0]), **fields}).encode(), got[1])

    def deploy(self) -> None:
        """Somebody writes the load balancer as it was deployed."""
        self._write(as_deployed(self.service))

    def _write(self, resource: Json) -> None:
        name = f"backend-services/{self.service.backend_service}.json"
        got = self._balancer.get(name)
        self._balancer.put(name, json.dumps(resource).encode(), got[1] if got else 0)


def after(time: timedelta) -> datetime:
    """That time of the scenario on the clock."""
    return START + time
