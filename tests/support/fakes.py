"""Fakes of our own ports, and small builders: a world in memory on a clock that we turn."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from orchestrator.adapters.folder.memory import MemoryObjects
from orchestrator.config import load
from orchestrator.core.document.codec import decode
from orchestrator.core.exceptions import Conflict, Unavailable
from orchestrator.core.health.second import WINDOW, Sight, judge
from orchestrator.core.model import (
    AlertClosed,
    AlertOpened,
    Backend,
    Command,
    Json,
    Part,
    Probe,
    Role,
    Routing,
    Signal,
    State,
    Tick,
    Verdict,
    Wish,
)
from orchestrator.core.policy import Region, Service
from orchestrator.core.traffic.plan import group_path
from orchestrator.flow.context import Context, Memory
from orchestrator.flow.pipeline import Report, handle
from orchestrator.ports import Gauge, Grant, Grants, Pushing

START = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
HEALTHY = Probe(Verdict.HEALTHY, 200)
FAILING = Probe(Verdict.FAILING, 503)


def group(region: str, *, serverless: bool = False, zone: str = "a") -> str:
    """The group of one region, from `projects/` on."""
    if serverless:
        return f"projects/laptop/regions/{region}/networkEndpointGroups/checkout-{region}"
    return f"projects/laptop/zones/{region}-{zone}/instanceGroups/checkout-{region}"


def configuration(**overrides: Any) -> dict[str, Any]:  # any JSON
    """A whole failover.yaml as data; `policy`, `mode`, `serial`, `lever`, `standby`, `regions`
    override."""
    serverless = overrides.get("lever") == "membership"
    names = overrides.get("regions", REGIONS)
    traffic = {"kind": "backend-service", "backend_service": "checkout"}
    traffic |= {key: overrides[key] for key in ("lever", "standby") if key in overrides}
    return {
        "version": 1,
        "serial": overrides.get("serial", 1),
        "project": "laptop",
        "state": "gs://laptop-failover",
        "services": {
            "checkout": {
                "mode": overrides.get("mode", "active-passive"),
                "regions": {
                    name: {
                        "endpoint": f"dynamodb.{name}.amazonaws.com",
                        "health_url": f"https://{name}.checkout.example.com/healthz",
                        "check_id": f"checkout-{name}",
                        "backend": group(name, serverless=serverless),
                    }
                    for name in names
                },
                "traffic": traffic,
                "policy": overrides.get("policy", {}),
            }
        },
    }


def service(**overrides: Any) -> Service:  # any JSON
    """The service `checkout`, as `configuration` says."""
    return load(json.dumps(configuration(**overrides)), "test").services["checkout"]


class FakeTraffic:
    """A backend service in memory, with fingerprints, that keeps every change it took."""

    def __init__(self, backends: Iterable[Mapping[str, object]], description: str = "") -> None:
        self.resource: dict[str, Any] = {
            "name": "checkout",
            "description": description,
            "backends": [dict(b) for b in backends],
            "fingerprint": "f0",
        }
        self.applied: list[dict[str, Any]] = []
        self.before_patch: list[Callable[[], None]] = []
        self.after_patch: list[Callable[[], None]] = []
        self.before_read: list[Callable[[], None]] = []
        self.operation_error: list[str] = []
        self.is_gone = False
        self.says: datetime | None = None

    def read(self, name: str) -> Routing:
        """The resource as it is; nothing while the API is gone."""
        _next(self.before_read)
        if self.is_gone:
            raise Unavailable("503 ServiceUnavailable")
        found = copy.deepcopy(self.resource)
        backends = tuple(Backend(group_path(b["group"]), b) for b in found["backends"])
        return Routing(name, found["fingerprint"], found["description"], backends, found)

    def patch(self, name: str, body: Json) -> str:
        """Apply a change if its fingerprint is the resource's."""
        _next(self.before_patch)
        if self.is_gone:
            raise Unavailable("503 ServiceUnavailable")
        if body["fingerprint"] != self.resource["fingerprint"]:
            raise Conflict(f"412 on {name}")
        if self.operation_error:
            return self.operation_error.pop(0)
        self.change(dict(body))
        _next(self.after_patch)
        return "done"

    def wait(self, operation: str) -> None:
        """Raise what the operation ended with."""
        if operation != "done":
            raise Unavailable(f"operation failed: {operation}")

    def kinds(self, groups: Iterable[str]) -> Mapping[str, str]:
        """All regional groups are serverless here."""
        return dict.fromkeys(groups, "SERVERLESS")

    def healthy(self, name: str, groups: Iterable[str]) -> Mapping[str, int]:
        """Every group has one healthy endpoint."""
        del name
        return dict.fromkeys(groups, 1)

    def server_time(self) -> datetime | None:
        """What the test has it say."""
        return self.says

    def missing_permissions(self, name: str) -> None:
        """Nobody asks for permissions here."""

    def change(self, body: dict[str, Any]) -> None:
        """Merge a change, whoever makes it."""
        self.applied.append(copy.deepcopy(body))
        self.resource.update(copy.deepcopy(body))
        self.resource["fingerprint"] = f"f{len(self.applied)}"

    def scalers(self) -> dict[str, float]:
        """capacityScaler by region."""
        return {
            b["group"].rsplit("checkout-", 1)[-1]: b.get("capacityScaler", 1.0)
            for b in self.resource["backends"]
        }


class FakeProber:
    """Health URLs whose answers a test sets, and applications that read the document at once.

    known: the document as a region's application knows it, where that is not the newest. said:
    what a region answers of its role, whatever it knows.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Probe] = {}
        self.newest: Callable[[], State | None] = lambda: None
        self.known: dict[str, State] = {}
        self.said: dict[str, Role] = {}

    def probe(self, regions: Iterable[Region]) -> Mapping[str, Probe]:
        """What was set, else healthy; silent without a health URL."""
        silent = Probe(Verdict.SILENT, "no health_url")
        return {
            r.name: self.answers.get(r.name, HEALTHY) if r.health_url else silent for r in regions
        }

    def roles(self, regions: Iterable[Region]) -> Mapping[str, Role]:
        """What was set, else what follows from the document that the region knows."""
        return {r.name: self.said.get(r.name) or self._role(r.name) for r in regions}

    def _role(self, name: str) -> Role:
        state, answer = self.known.get(name) or self.newest(), self.answers.get(name, HEALTHY)
        if state is None or not isinstance(answer.answer, int):
            return Role(Part.SILENT, answer.detail)
        leads = state.primary == name and answer.verdict is Verdict.HEALTHY
        return Role(Part.LEADS if leads else Part.STANDS_BY, "200" if leads else "503", state.epoch)


class FakeChecks:
    """Uptime checks whose results a test sets; six checker locations pass where it says nothing."""

    def __init__(self) -> None:
        self.sights: dict[str, list[Sight]] = {}

    def verdicts(self, regions: Iterable[Region], now: datetime) -> Mapping[str, Probe]:
        """By what was set and is not too old."""
        everywhere = [Sight(str(number), now, True) for number in range(6)]
        return {
            r.name: judge(s for s in self.sights.get(r.name, everywhere) if now - s.at < WINDOW)
            for r in regions
        }


class FakeGauges:
    """Keeps what was written, with the monitoring service's spacing, until it is gone."""

    def __init__(self) -> None:
        self.written: list[tuple[datetime, tuple[Gauge, ...]]] = []
        self.error: Unavailable | None = None

    def write(self, gauges: Iterable[Gauge], now: datetime) -> None:
        """Keep them, or raise what the test set."""
        if self.error:
            raise self.error
        if self.written and now - self.written[-1][0] < timedelta(seconds=5):
            raise Unavailable("written more frequently than every five seconds")
        self.written.append((now, tuple(gauges)))


class FakeTopic:
    """A topic that keeps what was published, until it is gone."""

    def __init__(self) -> None:
        self.published: list[tuple[dict[str, Any], Mapping[str, str]]] = []
        self.error: Unavailable | None = None

    def publish(self, data: bytes, attributes: Mapping[str, str]) -> str:
        """Keep it, or raise what the test set."""
        if self.error:
            raise self.error
        self.published.append((json.loads(data), attributes))
        return str(len(self.published))

    def exists(self) -> bool:
        """Unless the test has set an error."""
        return self.error is None

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events, oldest first."""
        return [event for event, _ in self.published]


class FakeMirror:
    """A mirror in memory that compares as it must, until it is gone."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.held: dict[str, tuple[int, bytes]] = {}
        self.error: BaseException | None = None
        self._lock = threading.Lock()

    def publish(self, service: str, revision: int, document: bytes) -> int:
        """Keep it if it is newer, or raise what the test set."""
        if self.error:
            raise self.error
        with self._lock:
            if service in self.held and self.held[service][0] > revision:
                return self.held[service][0]
            self.held[service] = (revision, document)
            return revision

    def replace(self, service: str, ahead: int, revision: int, document: bytes) -> bool:
        """Keep it in place of exactly that revision, or raise what the test set."""
        if self.error:
            raise self.error
        with self._lock:
            if self.held.get(service, (None, b""))[0] != ahead:
                return False
            self.held[service] = (revision, document)
            return True

    def revision(self, service: str) -> int | None:
        """Of what is held."""
        if self.error:
            raise self.error
        return self.held[service][0] if service in self.held else None


class Flaky:
    """A port whose n-th call is interrupted, before or after it is carried out."""

    def __init__(
        self, port: object, at: int, when: str, error: Callable[[], BaseException]
    ) -> None:
        self._port = port
        self._calls = count(1)
        self._at, self._when, self._error = at, when, error
        self.hit = False

    def __getattr__(self, name: str) -> Any:  # any method of the port
        method = getattr(self._port, name)
        if name in {"kinds", "healthy"}:
            return method

        def call(*arguments: object) -> object:
            interrupted = next(self._calls) == self._at
            self.hit = self.hit or interrupted
            if interrupted and self._when == "before":
                raise self._error()
            answer = method(*arguments)
            if interrupted:
                raise self._error()
            return answer

        return call


def _next(hooks: list[Callable[[], None]]) -> None:
    if hooks:
        hooks.pop(0)()


@dataclass
class Clock:
    """A clock that only moves when it is told to, or when somebody rests."""

    at: datetime = START

    def now(self) -> datetime:
        """The time."""
        return self.at

    def monotonic(self) -> float:
        """The time, in seconds."""
        return self.at.timestamp()

    def rest(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)


@dataclass
class Lab:
    """A service in a world of fakes."""

    service: Service
    traffic: FakeTraffic
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    prober: FakeProber = field(default_factory=FakeProber)
    events: FakeTopic = field(default_factory=FakeTopic)
    checks: FakeChecks = field(default_factory=FakeChecks)
    gauges: FakeGauges = field(default_factory=FakeGauges)
    clock: Clock = field(default_factory=Clock)
    lines: list[dict[str, Any]] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    executor: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4))
    only_service: bool = True

    def __post_init__(self) -> None:
        self._ids = count(1)
        self.prober.newest = lambda: self.state if self.state_exists else None

    def context(self, **changes: Any) -> Context:  # any port
        """The world as the flow sees it."""
        ports = {
            "objects": self.objects,
            "traffic": self.traffic,
            "prober": self.prober,
            "log": self.log,
            "executor": self.executor,
            "now": self.clock.now,
            "new_id": lambda: f"id{next(self._ids)}",
            "monotonic": self.clock.monotonic,
            "rest": self.clock.rest,
            "jitter": lambda: 1.0,
            "only_service": self.only_service,
            "events": self.events,
            "checks": self.checks,
            "gauges": self.gauges,
            "memory": self.memory,
        }
        return Context(**{**ports, **changes})

    def log(self, severity: str, message: str, **fields: object) -> None:
        """Keep a line."""
        self.lines.append({"severity": severity, "message": message, **fields})

    def handle(self, signal: Signal, **changes: Any) -> Report:  # any port
        """Take one signal through the pipeline."""
        return handle(changes.pop("service", self.service), signal, self.context(**changes))

    def opened(self, region: str, incident: str = "", ago: float = 0) -> AlertOpened:
        """An alert that an incident began so many seconds ago."""
        return AlertOpened(
            incident or f"0.{region}", region, self.clock.at - timedelta(seconds=ago)
        )

    def closed(self, region: str, incident: str = "", ago: float = 0) -> AlertClosed:
        """The close of that incident."""
        began = self.clock.at - timedelta(seconds=ago)
        return AlertClosed(incident or f"0.{region}", region, began, self.clock.at)

    def command(self, wish: str, region: str = "", **changes: Any) -> Report:  # any field
        """A human's wish, carried through the pipeline."""
        told: dict[str, Any] = {
            "id": f"c{next(self._ids):04}",
            "actor": "alice",
            "reason": "a drill",
            "issued_at": self.clock.at,
        }
        return self.handle(Command(wish=Wish(wish), region=region, **{**told, **changes}))

    def freeze(self, hours: float = 1) -> Report:
        """Freeze automation for so long."""
        return self.command("freeze", until=self.clock.at + timedelta(hours=hours))

    def lags(self, region: str, **seconds: float) -> None:
        """From now on this region tells how far it is behind others, by `us_east_1=3`."""
        lag = {name.replace("_", "-"): value for name, value in seconds.items()}
        self.prober.answers[region] = Probe(Verdict.HEALTHY, 200, lag)

    def tick(self, times: int = 1, every: float = 60) -> Report:
        """Ticks, the given seconds apart; the last one's report."""
        report = self.handle(Tick())
        for _ in range(times - 1):
            self.clock.rest(every)
            report = self.handle(Tick())
        return report

    def down(self, *regions: str) -> None:
        """From now on these regions answer 503 and all others 200."""
        self.prober.answers = dict.fromkeys(regions, FAILING)

    @property
    def state(self) -> State:
        """The document."""
        got = self.objects.get("checkout.json")
        assert got is not None
        return decode(got[0], "checkout")

    @property
    def document(self) -> dict[str, Any]:
        """The document as JSON."""
        got = self.objects.get("checkout.json")
        assert got is not None
        document = json.loads(got[0])
        assert isinstance(document, dict)
        return document

    def replace_document(self, document: Mapping[str, Any]) -> None:
        """Put this JSON in the document's place, as somebody with an editor does."""
        got = self.objects.get("checkout.json")
        self.objects.put("checkout.json", json.dumps(document).encode(), got[1] if got else 0)

    @property
    def state_exists(self) -> bool:
        """Whether there is a document yet."""
        return self.objects.get("checkout.json") is not None

    @property
    def pages(self) -> list[str]:
        """What was paged."""
        return [line["message"] for line in self.lines if line.get("page")]


def lab(**overrides: Any) -> Lab:  # any JSON
    """A world in which the first region carries all traffic (active-active: every region).

    With attached standbys every region has capacity.
    """
    made = service(**overrides)
    attached = overrides.get("standby") == "attached"
    everywhere = attached or overrides.get("mode") == "active-active"
    if overrides.get("lever") == "membership":
        names = made.names if everywhere else made.names[:1]
        backends = [{"group": group(name, serverless=True)} for name in names]
        return Lab(made, FakeTraffic(backends))
    scaled: list[dict[str, object]] = [
        {
            "group": f"https://www.googleapis.com/compute/v1/{group(name)}",
            "balancingMode": "RATE",
            "maxRatePerInstance": 100,
            "capacityScaler": 1.0 if everywhere or index == 0 else 0.0,
        }
        for index, name in enumerate(made.names)
    ]
    return Lab(made, FakeTraffic(scaled))


class FakeAccess:
    """Policies that a test sets, by what they are of. refused: those that may not be read.

    opened: services that ask nobody who calls.
    bindings: `topic NAME`, `bucket`, `function NAME` or `project`. None in place of a policy: no
    IAM is there. doors: push subscriptions by topic. services: whole names by URL.
    """

    def __init__(self) -> None:
        self.bindings: dict[str, list[Grant] | None] = {}
        self.doors: dict[str, list[Pushing] | None] = {}
        self.services: dict[str, str] = {}
        self.refused: dict[str, Unavailable] = {}
        self.opened: set[str] = set()

    def on_topic(self, topic: str) -> Grants | None:
        """What was set."""
        return self._policy(f"topic {topic}")

    def on_bucket(self) -> Grants | None:
        """What was set."""
        return self._policy("bucket")

    def on_function(self, service: str) -> Grants | None:
        """What was set."""
        return self._policy(f"function {service}")

    def on_project(self) -> Grants | None:
        """What was set."""
        return self._policy("project")

    def is_open(self, service: str) -> bool:
        """What was set."""
        self._may(f"open {service}")
        return service in self.opened

    def pushing(self, topic: str) -> tuple[Pushing, ...] | None:
        """What was set."""
        self._may(f"pushing {topic}")
        found = self.doors.get(topic, [])
        return None if found is None else tuple(found)

    def behind(self, url: str) -> str:
        """What was set."""
        self._may("behind")
        return self.services.get(url, "")

    def _policy(self, what: str) -> Grants | None:
        self._may(what)
        found = self.bindings.get(what, [])
        return None if found is None else tuple(found)

    def _may(self, what: str) -> None:
        if what in self.refused:
            raise self.refused[what]
