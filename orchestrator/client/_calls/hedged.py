"""An attempt at an eventually consistent read, and a second region beside it if the first is slow.

    the first answers in time         nothing else happens
    it fails in time                  the call goes on to the next region, as without this
    it is slow                        the second is asked too, and whichever succeeds first wins

The loser's answer is thrown away and its error is raised by nobody. What it came to still counts
for its region, once, when it ends. To have lost is no failure.

If both fail, the call goes on as after any failure. If an attempt does not even end when its time
is over (a name server that hangs), it counts as one without an answer and the call goes on without
it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ReadTimeoutError

from orchestrator.client._calls.call import Call
from orchestrator.client._calls.hedges import Hedges
from orchestrator.client._calls.race import End, Race
from orchestrator.client._keys.same import number_of
from orchestrator.client._regions.outcome import FAILURES, Failure, FailureKind
from orchestrator.client._regions.regions import RoutedRegion

Answer = tuple[Any, str]
"""What a region answered, and its name."""

OVERTIME = 0.05
"""Seconds that an attempt may take to end after its time is over."""


class Judge(Protocol):
    """Makes attempts, and takes note of what they came to. All but `late` is for the call's thread.

    send: makes one attempt, and notes nothing. late: an attempt ended after the call, whose number
    this is; elsewhere: another region has answered the call.
    """

    def send(self, region: RoutedRegion, call: Call, seconds: float) -> Any: ...
    def begun(self, region: RoutedRegion, call: Call) -> None: ...
    def answered(self, region: RoutedRegion, call: Call, took: float) -> None: ...
    def failed(self, region: RoutedRegion, error: Failure, call: Call) -> FailureKind: ...
    def late(self, end: End, call: Call, number: int, *, elsewhere: bool) -> None: ...


@dataclass(slots=True)
class _Over:
    """What is known of a call when it is over. number: of its request."""

    number: int = 0
    answered: bool = False


class Hedged:
    """Asks regions, the first and if need be a second. judge: see there."""

    def __init__(self, hedges: Hedges, judge: Judge) -> None:
        self._hedges = hedges
        self._judge = judge

    def ask(
        self,
        pair: tuple[RoutedRegion, RoutedRegion],
        call: Call,
        patience: float,
        share: Callable[[], float],
        alone: Callable[[], Answer | None],
    ) -> Answer | None:
        """The answer and whose it is; None if no region answered. Raises what ends the call.

        pair: the region to ask, and the one to ask after `patience` seconds. share: the seconds
        that the next attempt may take. alone: asks the first region in this thread, which is done
        if there is no other one for it.
        """
        over, clock = _Over(), call.clock.monotonic

        def send(region: RoutedRegion, seconds: float) -> Any:
            return self._judge.send(region, call, seconds)

        def late(end: End) -> None:
            self._judge.late(end, call, over.number, elsewhere=over.answered)

        first, second = pair
        race, until = Race(send, late, clock), clock() + share()
        if not race.enter(first, until, self._hedges.firsts):
            self._hedges.crowded()
            return alone()
        try:
            self._judge.begun(first, call)
            end = race.next(min(clock() + patience, until))
            if end is None and clock() < until and self._hedges.spend():
                until = max(until, self._enter(race, second, call, clock() + share()))
            found = self._first_success(race, end, call, until, over)
            if found is not None and found[1] == second.name:
                self._hedges.has_won()
            return found
        finally:
            if race.under_way:  # before the application can change the arguments
                over.number = number_of(call.operation, call.kwargs)
            race.close()

    def _enter(self, race: Race, second: RoutedRegion, call: Call, until: float) -> float:
        """Ask the second region too, if there is a thread for it; until when the call waits."""
        if not race.enter(second, until, self._hedges.seconds):
            self._hedges.unspent()
            return 0.0
        self._judge.begun(second, call)
        call.beside.add(second.name)
        return until

    def _first_success(
        self, race: Race, end: End | None, call: Call, until: float, over: _Over
    ) -> Answer | None:
        """Wait for a success, or until both have failed. end: the first attempt's, if it did."""
        odd: Exception | None = None
        while race.under_way or end is not None:
            end = end or race.next(until + OVERTIME)
            if end is None:
                self._give_up(race, call)
            elif end.error is None:
                over.answered = True
                self._judge.answered(end.region, call, end.took)
                return end.answer, end.region.name
            elif not isinstance(end.error, FAILURES):  # credentials that ran out, say
                odd = odd or end.error
            elif self._judge.failed(end.region, end.error, call) is FailureKind.ANSWERED:
                over.answered = True
                raise end.error
            end = None
        if odd is not None:
            raise odd
        return None

    def _give_up(self, race: Race, call: Call) -> None:
        for region in race.give_up():
            silent = ReadTimeoutError(endpoint_url=region.endpoint, error="it did not end")
            self._judge.failed(region, silent, call)
