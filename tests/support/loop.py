"""The smallest world around the core: a document, a backend service and a clock, in memory.

`Loop` does what the flow does around `decide` and `plan`, without ports, rounds or retries.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator.core.decide import decide
from orchestrator.core.document import codec
from orchestrator.core.model import (
    AlertClosed,
    AlertOpened,
    Backend,
    Decision,
    NoAnswer,
    Observed,
    Part,
    Probe,
    Role,
    Routing,
    Signal,
    State,
    Stored,
    Tick,
    Verdict,
)
from orchestrator.core.policy import Service
from orchestrator.core.rule import Reason
from orchestrator.core.traffic.plan import Plan, body, carrying, group_path, plan
from tests.support.fakes import HEALTHY, START, lab

SILENT = Probe(Verdict.SILENT, "no health_url")
TIMEOUT = Probe(Verdict.FAILING, NoAnswer.TIMEOUT)


def backend(settings: Mapping[str, Any]) -> Backend:
    """A backend as the API tells it."""
    return Backend(group_path(str(settings["group"])), dict(settings))


def routing_of(
    backends: Iterable[Mapping[str, Any]], description: str = "", fingerprint: str = "f0"
) -> Routing:
    """A backend service with these backends."""
    listed = [dict(one) for one in backends]
    resource = {"backends": listed, "description": description, "fingerprint": fingerprint}
    made = tuple(backend(one) for one in listed)
    return Routing("checkout", fingerprint, description, made, resource)


def deployed(service: Service, **overrides: Any) -> Routing:  # as `lab` takes them
    """The backend service as a fresh deployment of this service has it."""
    return replace(lab(**overrides).traffic.read("checkout"), name=service.backend_service)


def written(made: Plan, routing: Routing, service: Service) -> Routing:
    """The resource after the one write that carries out the plan, through JSON as over the wire."""
    sent = json.loads(json.dumps(body(made, routing, service)))
    assert sent["fingerprint"] == routing.fingerprint
    return routing_of(sent["backends"], sent["description"], f"{routing.fingerprint}+")


def scalers(routing: Routing) -> dict[str, float]:
    """capacityScaler by the end of the group's name."""
    return {one.group.rsplit("checkout-", 1)[-1]: one.scaler for one in routing.backends}


def opened(region: str, incident: str = "", at: datetime = START) -> AlertOpened:
    """An alert that an incident of the region began at that time."""
    return AlertOpened(incident or f"0.{region}", region, at)


def closed(region: str, incident: str = "", at: datetime = START) -> AlertClosed:
    """The close of that incident, a minute after its start."""
    return AlertClosed(incident or f"0.{region}", region, at, at + timedelta(minutes=1))


def reasons(decision: Decision) -> dict[str, Reason]:
    """The decision's reasons by rule; of several of one rule the last."""
    return {reason.rule: reason for reason in decision.reasons}


def refusals(decision: Decision) -> set[str]:
    """The rules that refused."""
    return {reason.rule for reason in decision.reasons if not reason.passed}


@dataclass
class Loop:
    """One service, driven by signals. Every document goes through its JSON on its way.

    said: what a region says of its role, where that does not follow from the document. is_unseen:
    the load balancer can be neither read nor written.
    """

    service: Service
    routing: Routing
    stored: Stored = field(default_factory=lambda: Stored(None, 0))
    now: datetime = START
    probes: dict[str, Probe] = field(default_factory=dict)
    checks: dict[str, Probe] = field(default_factory=dict)
    said: dict[str, Role] = field(default_factory=dict)
    is_unseen: bool = False

    @property
    def state(self) -> State:
        """The document, which must exist."""
        assert self.stored.state is not None
        return self.stored.state

    @property
    def carrying(self) -> tuple[str, ...]:
        """The regions that get traffic."""
        return carrying(self.routing, self.service)

    def observed(self) -> Observed:
        """The world as it is; a region without a set probe answers 200."""
        probes = {name: self.probes.get(name, HEALTHY) for name in self.service.names}
        roles = {name: self.said.get(name) or self._role(name) for name in self.service.names}
        routing = None if self.is_unseen else self.routing
        return Observed(self.stored, routing, probes, checks=self.checks, roles=roles)

    def _role(self, name: str) -> Role:
        state, answer = self.stored.state, self.probes.get(name, HEALTHY)
        if state is None or not isinstance(answer.answer, int):
            return Role(Part.SILENT, answer.detail)
        leads = state.primary == name and answer.verdict is Verdict.HEALTHY
        return Role(Part.LEADS if leads else Part.STANDS_BY, "200" if leads else "503", state.epoch)

    def decide(self, signal: Signal) -> Decision:
        """What would be decided, committing nothing."""
        return decide(self.service, self.observed(), signal, self.now)

    def send(self, signal: Signal, *, shift: bool = True) -> Decision:
        """Decide, commit if anything changed, and shift unless the shift is lost."""
        decision = self.decide(signal)
        if decision.changed:
            generation = self.stored.generation
            state = replace(decision.state, revision=generation)
            self.stored = Stored(
                codec.decode(codec.encode(state), self.service.name), generation + 7
            )
        if shift and not self.is_unseen:
            self.shift()
        return decision

    def shift(self) -> None:
        """Make the routing what the document desires."""
        made = plan(self.state, self.routing, self.service)
        if not made.empty and not made.superseded:
            self.routing = written(made, self.routing, self.service)
            assert plan(self.state, self.routing, self.service).empty

    def edit(self, state: State) -> None:
        """Replace the document by hand."""
        self.stored = Stored(state, self.stored.generation + 1)

    def tick(self, times: int = 1, every: float = 60) -> Decision:
        """Ticks, so many seconds apart, the first at once; the last one's decision."""
        decision = self.send(Tick())
        for _ in range(times - 1):
            self.pass_time(seconds=every)
            decision = self.send(Tick())
        return decision

    def pass_time(self, **duration: float) -> None:
        """Let time pass."""
        self.now += timedelta(**duration)

    def fail(self, region: str, incident: str = "", probe: Probe | None = None) -> Decision:
        """The region fails: its probe does, and an alert that began now says so."""
        self.probes[region] = probe or Probe(Verdict.FAILING, 503)
        return self.send(opened(region, incident or f"0.{region}.{self.now}", self.now))


def loop(**overrides: Any) -> Loop:  # any JSON
    """A service as `tests.support.fakes.lab` makes it, with its first document by a quiet tick."""
    made = lab(**overrides)
    world = Loop(made.service, made.traffic.read("checkout"))
    world.send(Tick())
    assert world.state.epoch == 0
    return world
