"""Run a scenario on a virtual clock, through the real flow and core: hours in milliseconds.

Messages are taken when they come. One that fails is delivered again after 10 s, 20 s and so on, as
Pub/Sub does. A tick that fails is not: another comes. While one invocation rests before its next
try, time goes on and others work. What is due at the time of a step happens before it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count

from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Json, Signal, Tick
from orchestrator.drill.acts import perform
from orchestrator.drill.chronicle import Chronicle, ChronicleLine
from orchestrator.drill.clouds import AtOnce, Balancer, Bucket, Checks, Prober
from orchestrator.drill.expectations import Snapshot, broken
from orchestrator.drill.scenario import Scenario
from orchestrator.drill.scenario_schema import StepModel
from orchestrator.drill.virtual_world import PUBSUB, START, Killed, VirtualWorld, after
from orchestrator.flow.context import Context
from orchestrator.flow.pipeline import handle
from orchestrator.flow.rescue import restore

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=10)
"""Between two deliveries of one message that fails."""

Tell = Callable[[Json, datetime], Sequence[str]]
"""A decision in sentences, as `explain` tells it."""


@dataclass(frozen=True, slots=True)
class DrillResult:
    """The result of a scenario: the timeline, and every expectation that did not hold."""

    scenario: Scenario
    lines: tuple[ChronicleLine, ...]
    broken: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Whether the promise was kept."""
        return not self.broken


def run(scenario: Scenario, tell: Tell) -> DrillResult:
    """Play the scenario. tell: how a decision reads, for the expectation `explains`."""
    return Run(scenario, tell).play()


class Run:
    """One scenario under way. Implements `orchestrator.drill.acts.Stage`."""

    def __init__(self, scenario: Scenario, tell: Tell) -> None:
        self.scenario, self.world = scenario, VirtualWorld(scenario.service)
        self.began: dict[str, datetime] = {}
        self.ids = count(1)
        self._tell = tell
        self._told = Chronicle(self.world)
        self._broken: list[str] = []
        self._queue: list[tuple[datetime, bool, int, Callable[[], None]]] = []
        self._order, self._signals = count(1), count(1)
        self._contexts = [self._context(n + 1) for n in range(scenario.orchestrators)]

    def play(self) -> DrillResult:
        """Everything in its time, until the last step."""
        every, last = self.scenario.tick_every, self.scenario.steps[-1].at
        if every:
            for number in range(last // every + 1):
                self.at(after(every * number), self.tick)
        for number, step in enumerate(self.scenario.steps, 1):
            self._push(after(step.at), True, partial(self._take, number, step))
        self._until(after(last))
        return DrillResult(
            self.scenario, tuple(self._told.lines), (*self._broken, *self.world.faults)
        )

    def at(self, time: datetime, what: Callable[[], None]) -> None:
        """Have this happen at that time, before a step of the same time."""
        self._push(time, False, what)

    def tick(self) -> None:
        """A tick, for every orchestrator."""
        if not self.world.is_gone(PUBSUB):
            self.deliver(Tick())

    def deliver(self, signal: Signal) -> None:
        """Every orchestrator takes this signal. If they overlap, one in the middle of the other.

        Alternately before the other's commit and before its patch, or after it, if it makes none.
        """
        if self.world.is_gone(PUBSUB):
            self.at(self.world.gone[PUBSUB], partial(self.deliver, signal))
            return
        first, *others = (partial(self._handle, who, signal) for who in range(len(self._contexts)))
        hooks = self.world.hooks[("commit", "patch")[next(self._signals) % 2]]
        hooks += others if self.scenario.overlap else ()
        first()
        for other in others:
            if not self.scenario.overlap or any(hook is other for hook in hooks):
                hooks[:] = [hook for hook in hooks if hook is not other]
                other()

    def restore(self, actor: str) -> None:
        """The last good version of the document is brought back, as `state restore` does it."""
        context, service = self._contexts[0], self.scenario.service
        restoration = restore.prepare(service, None, context, self.world.kept)
        self._told.collect(Tick(), restore.carry_out(service, restoration, actor, context))

    # --- time

    def _push(self, time: datetime, is_step: bool, what: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (time, is_step, next(self._order), what))

    def _until(self, time: datetime) -> None:
        while self._queue and self._queue[0][0] <= time:
            due, _, _, what = heapq.heappop(self._queue)
            self.world.now = max(self.world.now, due)
            what()
        self.world.now = max(self.world.now, time)

    def _seconds(self) -> float:
        return (self.world.now - START).total_seconds()

    def _rest(self, seconds: float) -> None:
        """Time goes on while an invocation waits before its next try, and others work."""
        self._until(self.world.now + timedelta(seconds=seconds))

    # --- what happens

    def _take(self, number: int, step: StepModel) -> None:
        for act in step.do:
            self._told.note("act", act.text)
            perform(act, self)
        chronicle = self._told
        newest = (
            {"service": self.scenario.service.name, **chronicle.newest} if chronicle.newest else {}
        )
        sentences = self._tell(newest, self.world.now) if newest else ()
        sight = Snapshot(self.world, chronicle.newest, sentences, chronicle.pages, chronicle.said)
        for text in broken(step.expect, sight) if step.expect else ():
            chronicle.note("broken", text)
            self._broken.append(f"step {number} (at {clock(step.at)}): {text}")

    def _handle(self, who: int, signal: Signal, tries: int = 0) -> None:
        try:
            report = handle(self.scenario.service, signal, self._contexts[who])
        except (FailoverError, Killed) as error:
            self._told.collect(signal, None)
            self._failed(who, signal, tries, error)
        else:
            self._told.collect(signal, report)

    def _failed(self, who: int, signal: Signal, tries: int, error: FailoverError | Killed) -> None:
        text = "the orchestrator is killed" if isinstance(error, Killed) else str(error)
        if isinstance(signal, Tick):
            self._told.once("error", f"a tick fails: {text}")
            return
        pause = min(FIRST_PAUSE * 2**tries, LONGEST_PAUSE)
        self.at(self.world.now + pause, partial(self._handle, who, signal, tries + 1))
        self._told.once("error", f"{text}. The message is delivered again")

    def _context(self, number: int) -> Context:
        world, ids = self.world, count(1)
        return Context(
            objects=Bucket(world),
            traffic=Balancer(world),
            prober=Prober(world, number),
            checks=Checks(world),
            log=self._told.log,
            executor=AtOnce(1),
            now=lambda: world.now + world.ahead.get(number, timedelta(0)),
            new_id=lambda: f"d{number}-{next(ids)}",
            monotonic=self._seconds,
            rest=self._rest,
            jitter=lambda: 1.0,
            only_service=True,
        )


def clock(time: timedelta) -> str:
    """A time of the scenario: `0s`, `1m 30s`, `26h`."""
    seconds = round(time.total_seconds())
    hours, minutes, left = seconds // 3600, seconds // 60 % 60, seconds % 60
    parts = ((hours, "h"), (minutes, "m"), (left, "s"))
    return " ".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
