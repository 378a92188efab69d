"""`FakeRegions`: what a test commands, in the place of AWS and of the orchestrator."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from orchestrator.client._calls.call import Clock
from orchestrator.client._regions.regions import READ_TIMEOUT
from orchestrator.client.document import DocumentView
from orchestrator.client.document._view import MAX_STALENESS
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.testing._faults import Fault
from orchestrator.client.testing._memory import MemorySource, Written
from orchestrator.client.testing._wire import Faults, TestClock, Wire
from orchestrator.core.outside.endpoints import is_aws_region

LOOK = 30.0
"""Seconds for a look into memory; a guard against a hang, and never waited for."""

FENCE = 60.0
"""Seconds that a fence holds, on the test's clock."""


class FakeRegions:
    """Regions and the document that names them. A context manager, or `close` it at the end.

    names: AWS's names of the regions, at least one; the first is the primary. replicated: whether
    what one region has all have at once (one table of moto's, the first region's, behind all);
    False: each region has a table of its own, and nothing is copied. max_staleness: seconds, on
    the test's clock.

    Time passes on the test's clock alone: nothing sleeps. Raises ValueError for a name that is not
    one of AWS's regions.
    """

    def __init__(
        self, *names: str, replicated: bool = True, max_staleness: float = MAX_STALENESS
    ) -> None:
        if not names or not all(map(is_aws_region, names)):
            raise ValueError(f"give the names of AWS regions, as 'us-east-1', not {names!r}")
        self._told = Written(names, names[0])
        self._clock = TestClock()
        self._faults = Faults()
        self._shared = names[0] if replicated else None
        self._clients: list[MultiRegionDynamoDB] = []
        self.source = MemorySource(self._told.body())
        self.view = DocumentView(
            [self.source], max_staleness=max_staleness, monotonic=self._clock.monotonic
        ).start()

    def client(self, **settings: Any) -> MultiRegionDynamoDB:
        """A client of these regions. settings: of `MultiRegionDynamoDB`, except source, session,
        clock and now. It is closed with the regions.
        """
        patience = settings.get("read_timeout", READ_TIMEOUT)
        wire = Wire(self._faults, self._clock, patience, self._shared)
        made = MultiRegionDynamoDB(
            self.view,
            session=wire.session,
            clock=Clock(self._clock.monotonic, self._clock.skip),
            now=self._clock.now,
            **settings,
        )
        made.ready(LOOK)
        self._clients.append(made)
        return made

    # --- what the regions do

    def fail(
        self, region: str, fault: Fault, *, only: Collection[str] = (), times: int | None = None
    ) -> None:
        """Have a region fail from now on, until `heal`. only: operations, as `("put_item",)`.
        times: how many requests of calls; None: all. The document still says what it said.
        """
        self._faults.order(self._known(region), fault, only, times)

    def heal(self, region: str) -> None:
        """The region is well, and the clients have found that out, as their probes do."""
        self._faults.clear(self._known(region))
        for client in self._clients:
            for one in client._regions.all():  # noqa: SLF001  # nothing but a test may say so
                if one.name == region:
                    one.breakers.believe()

    @property
    def asked(self) -> Sequence[tuple[str, str]]:
        """Region and operation of each request that calls have made, in order."""
        return tuple(self._faults.asked)

    def forget(self) -> None:
        """Have `asked` begin again."""
        self._faults.asked.clear()

    # --- what the orchestrator does

    @property
    def primary(self) -> str:
        """The region that takes the writes, by the document."""
        return self._told.primary

    @property
    def epoch(self) -> int:
        """Of the document."""
        return self._told.epoch

    def fail_over(self, to: str) -> None:
        """The primary has failed and another region takes over: a new epoch, and it is down."""
        self._publish(self._told.moved(self._known(to), frozenset({self._told.primary}) - {to}))

    def move(self, to: str) -> None:
        """A planned move, or back: a new epoch, and every region is up. No fence is left."""
        self._publish(self._told.moved(self._known(to), frozenset()))

    def fence(self, region: str, seconds: float = FENCE) -> None:
        """A planned move has begun: no writes go there for so many seconds, or until `move`."""
        until = self._clock.now() + timedelta(seconds=seconds)
        fenced = {**self._told.fenced, self._known(region): until}
        self._publish(replace(self._told, revision=self._told.revision + 1, fenced=fenced))

    def mark(self, region: str, *, healthy: bool) -> None:
        """The document calls a region down, or up again. The epoch stays."""
        changed = frozenset({self._known(region)})
        down = self._told.down - changed if healthy else self._told.down | changed
        self._publish(replace(self._told, revision=self._told.revision + 1, down=down))

    def lose_document(self) -> None:
        """The document can no longer be read. What is known stays."""
        self.source.lost = True
        self._look()

    def find_document(self) -> None:
        """The document can be read again."""
        self.source.lost = False
        self._look()

    # --- time and life

    def pass_time(self, seconds: float) -> None:
        """So much time passes for the clients, at once: fences end, the document gets older."""
        self._clock.skip(seconds)

    @property
    def skipped(self) -> float:
        """Seconds that passed on the test's clock and not really: pauses, answers, `pass_time`."""
        return self._clock.skipped

    def close(self) -> None:
        """End the clients and their threads. Idempotent."""
        for client in self._clients:
            client.close()
        self.view.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _known(self, region: str) -> str:
        if region not in self._told.regions:
            raise ValueError(f"{region!r} is not one of {', '.join(self._told.regions)}")
        return region

    def _publish(self, told: Written) -> None:
        """The document says this, and every client has read it."""
        self._told = told
        self.source.put(told.body())
        self._look()

    def _look(self) -> None:
        self.view.refresh(LOOK)
