"""The whole laptop world, composed: regions, load balancer, Cloud Storage, functions and users.

    with LaptopWorld(lever="capacity") as world:
        world.regions["us-east-1"].kill()
        world.push(opened(world.check("us-east-1"), "0.abc", datetime.now(UTC)))

Everything is a real process on the loopback interface, and gone when the block is left. This module
puts the parts together and reads what they say; it decides nothing and repairs nothing.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Literal, Self

import yaml

from orchestrator.local.balancer.load_balancer import LoadBalancer
from orchestrator.local.blueprint import (
    PROJECT,
    SERVICE,
    Blueprint,
    LeverName,
    ModeName,
    StandbyName,
)
from orchestrator.local.dynamodb.replicator import Replicator
from orchestrator.local.google.function import Function
from orchestrator.local.google.storage import FakeGcs
from orchestrator.local.messaging import Messaging, check_emulator_can
from orchestrator.local.monitoring.metric_service import MetricService
from orchestrator.local.monitoring.monitoring import Monitoring
from orchestrator.local.monitoring.notification import UptimeCheck
from orchestrator.local.process.ask import answers
from orchestrator.local.process.child import ROOT
from orchestrator.local.process.loopback import HOST, free_port
from orchestrator.local.process.wait import wait_until
from orchestrator.local.pubsub.google_emulator import GoogleEmulator
from orchestrator.local.pubsub.push import Delivery, Form, PushedMessage, Subscription
from orchestrator.local.pubsub.push_topic import PushTopic
from orchestrator.local.region.all_regions import make_document, replicator, shop_settings, sites
from orchestrator.local.region.region import LocalRegion
from orchestrator.local.rpc.permissions import IamRole, compute, storage
from orchestrator.local.rpc.proxy import FaultProxy, Hook
from orchestrator.local.rpc.wire import Json
from orchestrator.local.users.user_traffic import UserTraffic

BUCKET = "laptop-failover"
CHECK_TIMEOUT = 30
"""Seconds of Cloud Monitoring that an uptime check may take: at a pace of 60, half a second."""

_Part = Function | LoadBalancer | LocalRegion


class LaptopWorld:
    """One service in several regions, what serves it and who uses it. A context manager.

    `lever`, `mode`, `regions` (the preferred one first) and `overrides` (merged into
    `failover.yaml`; None removes a key) shape the service; `state` says where the orchestrator
    keeps its documents; `functions` how many instances of `source` run for alerts and `controls`
    how many for the control topic, with `env` laid over their environment; with `proxies` each
    alert function reaches Cloud Storage and the Compute API through fault proxies of its own (but
    links in the answers of Cloud Storage lead to those of the first); `traffic_rate` is in user
    requests a second, 0 for none; `form` is how messages are pushed; `operation_seconds` how long a
    Compute operation takes; with `pace` seconds of Cloud Monitoring to one of the laptop, uptime
    checks and alert policies watch the regions and publish to every function, and `metrics` serves
    what they find and what is written (`MONITORING_EMULATOR_HOST`); with
    `dead_letter_after` a message is forwarded to the topic of dead letters after so many attempts;
    with `pubsub_emulator` Google's emulator takes the place of our Pub/Sub, but what is addressed
    to one function (`push`, `send`, `tick`) is still pushed by us; with `permissions` the functions
    may do nothing else, and `role` knows which of them they used; `standby` says how standbys are
    kept out: with `attached` by the load balancer's health check on `/healthz/primary`; with `data`
    each region's application is a shop over a DynamoDB of its own, the `replicator` copies between
    them, and the first tick has made the document before users come: it needs `source` to be the
    orchestrator's own, and has one of `controls` at least.
    """

    regions: dict[str, LocalRegion]
    functions: tuple[Function, ...]
    load_balancer: LoadBalancer
    gcs: FakeGcs | None
    gcs_proxies: tuple[FaultProxy, ...]
    compute_proxies: tuple[FaultProxy, ...]
    controls: tuple[Function, ...]
    topic: PushTopic
    control: PushTopic
    messaging: Messaging
    traffic: UserTraffic
    monitoring: Monitoring | None
    metrics: MetricService | None
    role: IamRole | None
    replicator: Replicator | None
    folder: Path

    def __init__(  # noqa: PLR0913 - each is a wish of its own, and has a default
        self,
        *,
        lever: LeverName = "capacity",
        mode: ModeName = "active-passive",
        regions: Sequence[str] = ("us-east-1", "us-west-2", "eu-west-1"),
        state: Literal["gcs", "file"] = "gcs",
        functions: int = 1,
        controls: int = 0,
        traffic_rate: float = 50.0,
        proxies: bool = False,
        overrides: Mapping[str, Json] | None = None,
        source: Path = ROOT / "main.py",
        env: Mapping[str, str] | None = None,
        form: Form = Form.PUSH,
        operation_seconds: float = 0.3,
        pace: float | None = None,
        dead_letter_after: int | None = None,
        pubsub_emulator: bool = False,
        permissions: AbstractSet[str] | None = None,
        standby: StandbyName = "drained",
        data: bool = False,
    ) -> None:
        if pubsub_emulator:
            check_emulator_can(form, dead_letter_after)
        self._lever, self._mode, self._state, self._standby = lever, mode, state, standby
        self._data = data
        self._region_names = tuple(regions)
        self._overrides = overrides or {}
        self._operation_seconds = operation_seconds
        self._function_count, self._source, self._env = functions, source, env or {}
        self._control_count = max(controls, 1) if data else controls
        self._proxied = proxies
        self._form = form
        self._rate = traffic_rate
        self._pace = pace
        self._dead_letter_after = dead_letter_after
        self._emulated = pubsub_emulator
        self.role = None if permissions is None else IamRole(permissions)
        self._life = ExitStack()  # what `__exit__` undoes, last first

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(TemporaryDirectory(prefix="laptop-")))
            self._build(stack)
            stack.callback(_all_at_once, self._stops())
            stack.callback(self.messaging.stop)  # first: ending a frozen function wakes it
            if self.monitoring and self.metrics:
                stack.callback(self.metrics.stop)
                stack.callback(self.monitoring.stop)
            if self.replicator:
                stack.callback(self.replicator.stop)
            stack.callback(self.traffic.stop)  # first of all: users must not see the end of a world
            _all_at_once(self._starts())
            self._let_users_in()
            self._life = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._life.close()

    @property
    def config(self) -> Path:
        """The orchestrator's configuration file."""
        return self.folder / "failover.yaml"

    def push(self, body: object, function: int = 0, message_id: str | None = None) -> Delivery:
        """Deliver a notification to one function and wait until it is acknowledged or given up."""
        return self.send(body, function, message_id).result()

    def send(
        self, body: object, function: int = 0, message_id: str | None = None
    ) -> Future[Delivery]:
        """The same without waiting. The same `message_id` makes it the same message."""
        message = self.topic.message(body, message_id)
        return self.topic.send(message, self.topic.subscriptions[function])

    def publish(self, body: object, message_id: str | None = None) -> tuple[Future[Delivery], ...]:
        """Publish a notification, for all functions, without waiting.

        There is a future for each delivery; none with Google's emulator, which does not tell.
        """
        return self.messaging.publish(body, message_id)

    def events(self) -> tuple[PushedMessage, ...]:
        """What was published to the events topic so far; `json()` of each reads its data."""
        return self.messaging.published_events()

    def tick(self, control: int = 0) -> Delivery:
        """Have one of the `controls` handle a tick; wait until it is acknowledged or given up."""
        message = self.control.message({"kind": "tick"})
        return self.control.send(message, self.control.subscriptions[control]).result()

    def check(self, region: str) -> UptimeCheck:
        """The uptime check of a region, for making notifications."""
        return UptimeCheck(SERVICE, region, HOST)

    def document(self, name: str = f"{SERVICE}.json") -> Any:
        """The state document (or another in the state's folder) as JSON, None if there is none."""
        if self.gcs is not None:
            return self.gcs.read_json(name)
        path = self.folder / "state" / name
        return json.loads(path.read_text()) if path.exists() else None

    def backend_service(self) -> Any:
        """The backend service as the Compute API returns it now."""
        return self.load_balancer.backend_service()

    def patches(self) -> list[dict[str, Any]]:
        """The mutations that the Compute API has accepted so far."""
        return self.load_balancer.patches()

    @property
    def routed_regions(self) -> tuple[str, ...]:
        """The regions that the load balancer sends users to now, as the Compute API has it."""
        return self._blueprint.routed(self.backend_service())

    def _build(self, stack: ExitStack) -> None:
        """Make all parts and files; nothing runs yet but the proxies."""
        folder = self.folder
        self.gcs = FakeGcs(BUCKET, folder) if self._state == "gcs" else None
        gcs = self.gcs.url if self.gcs else ""
        state = f"gs://{BUCKET}" if gcs else (folder / "state").as_uri()
        shop = shop_settings(state, self._mode, gcs) if self._data else None
        self.regions = {name: LocalRegion(name, folder, shop) for name in self._region_names}
        self.replicator = replicator(self.regions.values())
        self._blueprint = self._draw(state)
        content = self._blueprint.failover(self._overrides)
        self.config.write_text(yaml.safe_dump(content, sort_keys=False))
        compute = self._blueprint.compute(self._operation_seconds)
        self.load_balancer = LoadBalancer(compute, SERVICE, folder)
        self._build_proxies(stack)
        self._pubsub_port = free_port()
        self.monitoring = self._monitoring() if self._pace else None
        self.metrics = MetricService(self.monitoring, self.role) if self.monitoring else None
        self.functions = tuple(self._function(number) for number in range(self._function_count))
        count = range(self._control_count)
        self.controls = tuple(self._function(number, "on_control") for number in count)
        self.messaging = self._messaging()
        self.messaging.pubsub.role = self.role
        self.topic, self.control = self.messaging.alerts, self.messaging.control
        self.traffic = UserTraffic(self.load_balancer.url, self._rate)

    def _draw(self, state: str) -> Blueprint:
        found = sites(self.regions.values())
        return Blueprint(self._lever, self._mode, found, state, self._standby)

    def _monitoring(self) -> Monitoring:
        urls = {region.name: region.health_url for region in self.regions.values()}
        pace = self._pace or 1.0
        return Monitoring(urls, SERVICE, self.publish, pace=pace, timeout=CHECK_TIMEOUT)

    def _messaging(self) -> Messaging:
        port = self._pubsub_port
        return Messaging(
            port,
            self._subscriptions(self.functions),
            self._subscriptions(self.controls),
            emulator=GoogleEmulator(port, self.folder) if self._emulated else None,
            dead_letter_after=self._dead_letter_after,
        )

    def _build_proxies(self, stack: ExitStack) -> None:
        """Between functions and servers: a guard where a role is given, before it the faults."""

        def guarded(url: str, guard: Callable[[IamRole], Hook]) -> str:
            return stack.enter_context(FaultProxy(url, guard(self.role))).url if self.role else url

        def before(url: str) -> tuple[FaultProxy, ...]:
            count = self._function_count if self._proxied else 0
            return tuple(stack.enter_context(FaultProxy(url)) for _ in range(count))

        self._compute_url = guarded(self.load_balancer.api_url, compute)
        self.compute_proxies = before(self._compute_url)
        self._gcs_url = guarded(self.gcs.url, storage) if self.gcs else ""
        self.gcs_proxies = before(self._gcs_url) if self.gcs else ()
        if self.gcs:
            self.gcs.public_url = _of(self.gcs_proxies, 0, self._gcs_url)

    def _subscriptions(self, functions: Iterable[Function]) -> tuple[Subscription, ...]:
        return tuple(Subscription(f.name, f.url, self._form) for f in functions)

    def _function(self, number: int, target: str = "on_alert") -> Function:
        env = {
            "FAILOVER_CONFIG": str(self.config),
            "COMPUTE_EMULATOR_HOST": _of(self.compute_proxies, number, self._compute_url),
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "PUBSUB_EMULATOR_HOST": f"{HOST}:{self._pubsub_port}",
        }
        if self.gcs:
            env["STORAGE_EMULATOR_HOST"] = _of(self.gcs_proxies, number, self._gcs_url)
        if self.metrics:
            env["MONITORING_EMULATOR_HOST"] = self.metrics.host
        name = f"{'function' if target == 'on_alert' else 'control'}-{number}"
        env["K_SERVICE"] = name  # as Cloud Run tells it
        return Function(name, self._source, self.folder, {**env, **self._env}, target)

    def _starts(self) -> list[Callable[[], None]]:
        starts = [part.start for part in self._parts()] + [self.messaging.start]
        served = [part.start for part in (self.gcs, self.metrics) if part]
        return starts + served

    def _parts(self) -> list[_Part]:
        functions = (*self.functions, *self.controls)
        return [*functions, self.load_balancer, *self.regions.values()]

    def _stops(self) -> list[Callable[[], None]]:
        return [part.stop for part in self._parts()] + ([self.gcs.stop] if self.gcs else [])

    def _let_users_in(self) -> None:
        if self.replicator:
            self.replicator.start()
            self._make_document()
        wait_until(lambda: answers(self.load_balancer.url), 30, "the load balancer to serve users")
        if self._rate > 0:
            self.traffic.start()
        if self.monitoring:
            self.monitoring.start()

    def _make_document(self) -> None:
        make_document(self.control, self.controls[0])


def _of(proxies: tuple[FaultProxy, ...], number: int, direct: str) -> str:
    return proxies[number].url if proxies else direct


def _all_at_once(calls: Iterable[Callable[[], None]]) -> None:
    """Make all calls in parallel and wait for every one; the first failure is raised then."""
    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(call) for call in calls]
    for future in futures:
        future.result()
