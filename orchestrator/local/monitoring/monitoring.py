"""Detection as Cloud Monitoring does it: uptime checks, their alert policies, and notifications.

Six checker locations ask every region's health URL once a period, evenly staggered. A policy per
region is evaluated every few seconds over what they found (`alert_policy` holds the rules), and
what it tells is handed to `publish` as the JSON of a notification. All times are those of Cloud
Monitoring in seconds, and `pace` of them pass in one second of the laptop; moments, in the record
and in notifications, are those of the laptop's clock. The delays of ingestion and of the
notification channel, minutes on Google Cloud, are not imitated: they only add to the time.

It can go wrong as the real one does: a checker location cut off from a region, telemetry lost,
notifications lost, doubled or late. It must not know who reads a notification, look at the load
balancer, or conclude anything that the policy does not.
"""

import asyncio
import itertools
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import Self, assert_never
from urllib.parse import urlsplit

import aiohttp

from orchestrator.local.monitoring.alert_policy import (
    AlertPolicy,
    AlertState,
    CheckerPoint,
    Closed,
    Closure,
    Notice,
    Opened,
    Renotified,
    advance,
)
from orchestrator.local.monitoring.channel import Channel, Fate
from orchestrator.local.monitoring.notification import UptimeCheck, closed, opened, renotified
from orchestrator.local.process.http_status import SUCCESS
from orchestrator.local.process.loop_thread import LoopThread
from orchestrator.local.process.wait import wait_until

EVALUATION = 5.0
"""Seconds, of Cloud Monitoring, from one evaluation of a policy to the next."""

REMEMBERED = 20_000
"""Results that are kept: at a pace of 60, and with three regions, those of 18 minutes."""


class Vantage(StrEnum):
    """Where an uptime check is made from: the six public checkers of Cloud Monitoring."""

    USA_OREGON = "usa-oregon"
    USA_IOWA = "usa-iowa"
    USA_VIRGINIA = "usa-virginia"
    EUROPE = "europe"
    SOUTH_AMERICA = "south-america"
    ASIA_PACIFIC = "asia-pacific"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one checker location found at one region. `detail` is a status or an error."""

    at: datetime
    vantage: Vantage
    region: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class PolicyIncident:
    """One incident; while it is open it has no end and no `why`."""

    incident_id: str
    region: str
    started_at: datetime
    ended_at: datetime | None = None
    why: Closure | None = None


@dataclass(slots=True)
class _Watch:
    """One region under watch: its policy, where the evaluation stands, and what has arrived."""

    url: str
    check: UptimeCheck
    policy: AlertPolicy
    state: AlertState = field(default_factory=AlertState)
    arrived: list[CheckerPoint] = field(default_factory=list)


class Monitoring:
    """The uptime checks of one service's regions. A context manager: it watches within it.

    `regions` maps a region's name to its health URL. `publish` is called with one notification
    after the other, in a thread of its own, so that a slow one delays no check. Seconds of Cloud
    Monitoring are: `period` (between two checks of a checker location), `timeout` (of a check, at
    most the period), `duration`, `alignment`, `auto_close` and `renotify` (None: never); see
    `AlertPolicy` for these and for `threshold`. A check passes on a 2xx answer only. Raises
    ValueError for values that make no sense. Records can be read at any time, also afterwards.
    """

    def __init__(  # noqa: PLR0913 - each is a knob of the real thing, and has its usual value
        self,
        regions: Mapping[str, str],
        service: str,
        publish: Callable[[dict[str, object]], object],
        *,
        pace: float = 60.0,
        period: float = 60.0,
        timeout: float = 10.0,
        threshold: int = 1,
        duration: float = 60.0,
        alignment: float = 1200.0,
        auto_close: float = 1800.0,
        renotify: float | None = None,
    ) -> None:
        if pace <= 0 or not 0 < timeout <= period:
            raise ValueError("pace and timeout must be greater than 0, timeout at most the period")
        self.pace = pace
        self._period, self._timeout = period / pace, timeout / pace
        policy = AlertPolicy(
            name=service,
            threshold=threshold,
            duration=timedelta(seconds=duration / pace),
            alignment=timedelta(seconds=alignment / pace),
            auto_close=timedelta(seconds=auto_close / pace),
            renotify=None if renotify is None else timedelta(seconds=renotify / pace),
        )
        self._watches = {name: _watch(service, name, url, policy) for name, url in regions.items()}
        self._channel = Channel(publish)
        self._results: deque[CheckResult] = deque(maxlen=REMEMBERED)
        self._incidents: dict[str, PolicyIncident] = {}
        self._cuts: set[tuple[Vantage, str]] = set()
        self._lost: set[str] = set()
        self._thread: LoopThread | None = None
        self._main: asyncio.Future[None] | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Begin to check; records and open incidents go on. Raises RuntimeError if it watches."""
        if self._thread is not None:
            raise RuntimeError("monitoring watches already")
        self._stopping = asyncio.Event()
        self._channel.start()
        self._thread = LoopThread("monitoring")
        self._thread.run(self._begin())

    def stop(self) -> None:
        """Check and publish nothing more, and wait for what is being published. Idempotent.

        Notifications that wait for their turn are lost. Raises what `publish` raised, if it did.
        """
        if self._thread is None:
            return
        thread, self._thread = self._thread, None
        try:
            thread.run(self._end())
        finally:
            thread.stop()
            self._channel.stop()

    @property
    def checks(self) -> dict[str, UptimeCheck]:
        """The uptime check of each region."""
        return {name: watch.check for name, watch in self._watches.items()}

    @property
    def results(self) -> tuple[CheckResult, ...]:
        """What the checks found, in order of arrival; of a long watch the newest 20,000."""
        return tuple(self._results.copy())

    @property
    def incidents(self) -> tuple[PolicyIncident, ...]:
        """All incidents so far, in the order in which they opened."""
        return tuple(self._incidents.copy().values())

    def cut(self, vantage: Vantage, region: str) -> None:
        """Let no check of this checker location reach the region: they fail. Raises ValueError."""
        self._cuts.add((vantage, self._known(region)))

    def mend(self, vantage: Vantage, region: str) -> None:
        """Undo `cut`. Raises ValueError for an unknown region."""
        self._cuts.discard((vantage, self._known(region)))

    def lose(self, region: str) -> None:
        """Lose the region's telemetry: no result of it arrives. Raises ValueError."""
        self._lost.add(self._known(region))

    def regain(self, region: str) -> None:
        """Undo `lose`. Raises ValueError for an unknown region."""
        self._lost.discard(self._known(region))

    def next_notification(self, *, drop: bool = False, copies: int = 1, delay: float = 0.0) -> None:
        """Say what becomes of the next notification that nothing has been said of yet.

        It is dropped; or published `copies` times; or after `delay` (seconds of Cloud Monitoring),
        and those behind it may overtake it. Two calls are about the next two. Raises ValueError.
        """
        if copies < 1 or delay < 0:
            raise ValueError("copies must be at least 1, and delay not negative")
        self._channel.expect(Fate(0 if drop else copies, delay / self.pace))

    def wait_for_results(
        self, condition: Callable[[tuple[CheckResult, ...]], bool], within: float, what: str
    ) -> tuple[CheckResult, ...]:
        """Wait until `condition` holds for the results and return them; `within` in laptop seconds.

        Raises TimeoutError.
        """
        return wait_until(lambda: found if condition(found := self.results) else (), within, what)

    def wait_for_open(self, region: str, within: float) -> PolicyIncident:
        """Wait until an incident of the region is open, `within` laptop seconds; TimeoutError."""
        return self._wait_for_incident(region, within, "an open incident", is_open=True)

    def wait_for_closed(self, region: str, within: float) -> PolicyIncident:
        """Wait until the newest incident of the region is closed; else as `wait_for_open`."""
        return self._wait_for_incident(region, within, "a closed incident", is_open=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _wait_for_incident(
        self, region: str, within: float, what: str, *, is_open: bool
    ) -> PolicyIncident:
        self._known(region)

        def newest() -> PolicyIncident | None:
            found = [i for i in self.incidents if i.region == region]
            return found[-1] if found and (found[-1].ended_at is None) == is_open else None

        found = wait_until(newest, within, f"{what} of {region}")
        assert found is not None  # `wait_until` returns what is truthy
        return found

    def _known(self, region: str) -> str:
        if region not in self._watches:
            raise ValueError(f"{region} is not one of {', '.join(self._watches)}")
        return region

    async def _begin(self) -> None:
        self._main = asyncio.ensure_future(self._work())

    async def _end(self) -> None:
        self._stopping.set()
        if self._main is not None:
            await self._main

    async def _work(self) -> None:
        """Check and evaluate until told to stop. An error in any part ends all and is raised."""
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        connector = aiohttp.TCPConnector(limit=0, force_close=True)  # each check is a new caller
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            asyncio.TaskGroup() as group,
        ):
            begin = asyncio.get_running_loop().time()
            pairs = tuple(itertools.product(Vantage, self._watches))
            tasks = [group.create_task(self._evaluate_always())]
            for number, (vantage, region) in enumerate(pairs):
                first = begin + self._period * number / len(pairs)
                tasks.append(group.create_task(self._check_always(session, vantage, region, first)))
            await self._stopping.wait()
            for task in tasks:
                task.cancel()

    async def _check_always(
        self, session: aiohttp.ClientSession, vantage: Vantage, region: str, due: float
    ) -> None:
        """Check once a period, first at `due`; a check whose time has gone by is left out."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(due - clock())
            passed, detail = await self._check(session, vantage, region)
            self._arrive(CheckResult(datetime.now(UTC), vantage, region, passed, detail))
            due += self._period * max(1, math.ceil((clock() - due) / self._period))

    async def _check(
        self, session: aiohttp.ClientSession, vantage: Vantage, region: str
    ) -> tuple[bool, str]:
        """Whether the region answers this checker location with a 2xx status, and what came."""
        if (vantage, region) in self._cuts:
            return False, "cut off"
        try:
            async with session.get(self._watches[region].url, allow_redirects=False) as answer:
                await answer.read()
                return answer.status in SUCCESS, str(answer.status)
        except TimeoutError:
            return False, "timeout"
        except (aiohttp.ClientError, OSError) as problem:
            return False, type(problem).__name__

    def _arrive(self, result: CheckResult) -> None:
        if result.region not in self._lost:
            self._results.append(result)
            point = CheckerPoint(result.vantage, result.at, result.passed)
            self._watches[result.region].arrived.append(point)

    async def _evaluate_always(self) -> None:
        while True:
            await asyncio.sleep(EVALUATION / self.pace)
            for watch in self._watches.values():
                self._evaluate(watch)

    def _evaluate(self, watch: _Watch) -> None:
        arrived, watch.arrived = watch.arrived, []
        watch.state, notices = advance(watch.state, arrived, datetime.now(UTC), watch.policy)
        for notice in notices:
            self._record(watch.check.region, notice)
            self._channel.notify(_notification(watch.check, notice))

    def _record(self, region: str, notice: Notice) -> None:
        known = self._incidents.get(notice.incident_id)
        if known is None:
            known = PolicyIncident(notice.incident_id, region, notice.started_at)
        if isinstance(notice, Closed):
            known = replace(known, ended_at=notice.ended_at, why=notice.why)
        self._incidents[notice.incident_id] = known


def _watch(service: str, region: str, url: str, policy: AlertPolicy) -> _Watch:
    check = UptimeCheck(service, region, urlsplit(url).hostname or "")
    return _Watch(url, check, replace(policy, name=f"{service}-{region}"))


def _notification(check: UptimeCheck, notice: Notice) -> dict[str, object]:
    """The JSON of what a policy tells."""
    match notice:
        case Opened(incident_id, started_at, failing):
            return opened(check, incident_id, started_at, failing)
        case Renotified(incident_id, started_at, failing):
            return renotified(check, incident_id, started_at, failing or 0)
        case Closed(incident_id, started_at, ended_at):
            return closed(check, incident_id, started_at, ended_at)
    assert_never(notice)
