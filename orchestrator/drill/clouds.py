"""The ports of the flow over a played world: its clouds, its regions, and who works at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ParamSpec, TypeVar

from orchestrator.core.document.codec import decode
from orchestrator.core.model import Json, Part, Probe, Role, Routing, Verdict
from orchestrator.core.policy import Region
from orchestrator.drill.virtual_world import (
    COMPUTE_API,
    MONITORING,
    STATE_BUCKET,
    TIMEOUT,
    WELL,
    VirtualWorld,
)

P = ParamSpec("P")
T = TypeVar("T")

FAILED_CHECKS = Probe(Verdict.FAILING, "its checks fail")
PASSED_CHECKS = Probe(Verdict.HEALTHY, "its checks pass")


class AtOnce(ThreadPoolExecutor):
    """An executor that does everything at once and in order, so that a run is repeatable."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The outcome, already there."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # whatever it is, the future carries it
            future.set_exception(error)
        return future


@dataclass(frozen=True)
class Bucket:
    """Implements `orchestrator.ports.Objects` over a world whose bucket can be gone."""

    world: VirtualWorld

    def get(self, name: str) -> tuple[bytes, int] | None:
        """The object, or None. Raises Unavailable while the bucket is gone."""
        self.world.fail_if_gone(STATE_BUCKET)
        return self.world.kept.get(name)

    def names(self, prefix: str) -> tuple[str, ...]:
        """Of the objects. Raises Unavailable while the bucket is gone."""
        self.world.fail_if_gone(STATE_BUCKET)
        return self.world.kept.names(prefix)

    def put(self, name: str, data: bytes, generation: int) -> int:
        """Replace this generation. What is due before a commit happens first."""
        if name == f"{self.world.service.name}.json":
            self.world.pass_hook("commit")
        self.world.fail_if_gone(STATE_BUCKET)
        replaced = self.world.kept.put(name, data, generation)
        if name == f"{self.world.service.name}.json":
            self.world.commits += 1
            self.world.documents.append((self.world.now, decode(data, self.world.service.name)))
        return replaced


@dataclass(frozen=True)
class Balancer:
    """Implements `orchestrator.ports.Traffic` over a world whose Compute API can be gone."""

    world: VirtualWorld

    def read(self, name: str) -> Routing:
        """The resource. Raises Unavailable while the API is gone."""
        self.world.fail_if_gone(COMPUTE_API)
        return self.world.backends.read(name)

    def patch(self, name: str, body: Json) -> str:
        """One change, counted. What is due before a patch happens first."""
        self.world.pass_hook("patch")
        self.world.fail_if_gone(COMPUTE_API)
        served = self.world.serving
        done = self.world.backends.patch(name, body)
        self.world.patches += 1
        if not self.world.carrying:
            self.world.faults.append(
                "a patch of an orchestrator took the traffic from every region"
            )
        elif served and not self.world.serving:
            self.world.faults.append("a patch of an orchestrator drained the region that served")
        return done

    def wait(self, operation: str) -> None:
        """Done when it is written."""

    def kinds(self, groups: Iterable[str]) -> Mapping[str, str]:
        """The lever is stated: nobody asks."""
        del groups
        return {}

    def healthy(self, name: str, groups: Iterable[str]) -> Mapping[str, int]:
        """The load balancer's own health checks are not played."""
        del name, groups
        return {}

    def server_time(self) -> None:
        """There is no server: the clock of this machine is all there is."""

    def missing_permissions(self, name: str) -> None:
        """Nobody asks for permissions here."""


@dataclass(frozen=True)
class Prober:
    """Implements `orchestrator.ports.Prober`: one orchestrator's own look at the regions."""

    world: VirtualWorld
    number: int

    def probe(self, regions: Iterable[Region]) -> Mapping[str, Probe]:
        """What each region answers this orchestrator."""
        return {region.name: self._one(region.name) for region in regions}

    def roles(self, regions: Iterable[Region]) -> Mapping[str, Role]:
        """What each region says to this orchestrator that it is."""
        return {region.name: self._role(region.name) for region in regions}

    def _role(self, name: str) -> Role:
        answer, state = self._one(name), self.world.known(name)
        if answer == TIMEOUT or state is None:
            return Role(Part.SILENT, "503 without a document's epoch" if state else answer.detail)
        if self.world.leads(name):
            return Role(Part.LEADS, "200", state.epoch)
        return Role(Part.STANDS_BY, "503", state.epoch)

    def _one(self, name: str) -> Probe:
        if (self.number, name) in self.world.unreached:
            return TIMEOUT
        health = self.world.health.get(name, WELL)
        return replace(health, lag=self.world.lag.get(name, {}))


@dataclass(frozen=True)
class Checks:
    """Implements `orchestrator.ports.Checks`: Monitoring's checkers see what the users see."""

    world: VirtualWorld

    def verdicts(self, regions: Iterable[Region], now: datetime) -> Mapping[str, Probe]:
        """What the users of each region get."""
        del now  # the world's own is the same
        return {region.name: self._one(region.name) for region in regions}

    def _one(self, name: str) -> Probe:
        if self.world.is_gone(MONITORING):
            return Probe(Verdict.SILENT, "Monitoring does not answer")
        failing = name in self.world.health or name in self.world.cut_off
        return FAILED_CHECKS if failing else PASSED_CHECKS
