"""One call: to which region it goes, when it goes on to another, and what is said when it fails.

A read goes on to the next region as soon as one fails, until the deadline; reading twice harms
nobody. A breaker never refuses a read, it only changes the order: regions whose breaker is open are
asked last, those that answer nothing at all after the others and once a call. The regions that a
read has not asked yet keep a share of its time, so that several silent ones do not use up what the
healthy one needs.

A write goes to the region that may take it and to no other. When it fails there, the question is
what is known:

    not sent   (no connection)            sent again where the newest document now points
    unknown    (no answer, or a 5xx)      sent again only if that is safe (`repeats`), or if it is
                                          declared idempotent. A transaction is sent again to the
                                          same region. Otherwise WriteUnknown
    throttled  (nothing was done)         the same region again after a pause, until the deadline

Once one attempt's outcome is unknown, the call's is, whatever later attempts say short of success:
so also where a repeated condition fails, because our own first attempt may have made it fail.

A transaction carries a token, the same one in each attempt. A region that has executed the token
within the last 10 minutes answers with success and does nothing. So a repeat is safe there,
whatever the transaction does. Another region does not know the token.

What a failure says of the region. No connection is the region's fault. No answer and a 5xx are, if
another region answered the same call. If none did, they may be the request's own: the breaker
weighs that (`breaker`). So they are charged when the call is over, and not before.

The write fence. A write is sent only to the region that the newest document names, and not while
that region is fenced off. Before it is refused the document is read once more, at once: the only
time that a request waits for it, and at most `FENCE_WAIT`. Calls share these looks (`looks`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NoReturn

from botocore.parsers import ResponseParserError

from orchestrator.client._calls.call import TOKEN, Ask, Call, Clock, OnStale, Options, Settings
from orchestrator.client._calls.hedged import Hedged
from orchestrator.client._calls.hedges import HEDGED, Hedges
from orchestrator.client._calls.looks import Looks
from orchestrator.client._calls.race import End
from orchestrator.client._calls.routing import Routes, routes
from orchestrator.client._keys.same import number_of
from orchestrator.client._regions import attempt
from orchestrator.client._regions.breaker import BreakerState, Need
from orchestrator.client._regions.environment import Unusable
from orchestrator.client._regions.outcome import (
    FAILURES,
    Failure,
    FailureKind,
    Outslept,
    kind,
    words,
)
from orchestrator.client._regions.regions import Regions, RoutedRegion
from orchestrator.client.document import Document, DocumentView
from orchestrator.client.errors import (
    HomeError,
    NoHealthyRegion,
    Outcome,
    StaleDocument,
    WriteRefused,
    WriteUnknown,
)

_LOG = logging.getLogger(__name__)

FENCE_WAIT = 1.0
"""Seconds at most that a write waits for a fresh document before it is refused."""

WORTH_IT = 0.02
"""Seconds that are worth an attempt at a region that was not asked yet: well, it answers in a few
milliseconds."""

FENCED, SHUT, ELSEWHERE = "fenced", "breaker open", "a repeat is safe only where it was sent"


class Calls:
    """Makes calls. now: the application's clock, aware; fences are compared with it.

    clock: the time of deadlines and pauses. hedges: when reads are sent to a second region; None:
    never.
    """

    def __init__(
        self,
        view: DocumentView,
        regions: Regions,
        settings: Settings,
        now: Callable[[], datetime],
        clock: Clock | None = None,
        hedges: Hedges | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.hedges = hedges
        self._hedged = None if hedges is None else Hedged(hedges, _Reads(self))
        self._view = view
        self._regions = regions
        self._settings = settings
        self._now = now
        self._looks = Looks(view.refresh, self.clock.monotonic)
        self._routes: dict[str | None, Routes] = {}
        self._homeless = False
        self._counted = threading.Lock()
        self.outcomes: dict[str, int] = {}

    def after_fork(self) -> None:
        """In a child process: the lock may be held by nobody, and the counts are the parent's."""
        self._counted = threading.Lock()
        self._looks.after_fork()
        if self.hedges is not None:
            self.hedges.after_fork()
        self.outcomes = {}

    def must_know(self, operation: str, home: str | None, deadline: float) -> None:
        """Raises HomeError if the document does not have this home, NoHealthyRegion without one."""
        self._know_home(Call(operation, {}, _nothing, deadline, home=home, clock=self.clock))

    # --- reads

    def read(
        self,
        operation: str,
        kwargs: Mapping[str, Any],
        options: Options,
        *,
        ask: Ask,
        consistent: bool = False,
        pinned: str | None = None,
        home: str | None = None,
    ) -> tuple[Any, str]:
        """The answer, and the region that gave it. ask: makes one attempt. pinned: the region to
        ask first. home: of what is read, where it is another than the process's.

        Raises NoHealthyRegion, HomeError for a home that the document does not have, or botocore's
        ClientError as the region answered.
        """
        call = Call(operation, kwargs, ask, options.deadline, home=home, clock=self.clock)
        if self.hedges is not None and not consistent and pinned is None and operation in HEDGED:
            call.hedged = True
            self.hedges.begin()
        try:
            return self._read(call, pinned, consistent=consistent)
        finally:
            if call.suspects:
                self._suspect(call, Need.READ)

    def _read(self, call: Call, pinned: str | None, *, consistent: bool) -> tuple[Any, str]:
        if call.home is not None:
            self._know_home(call)
        while True:
            if consistent:
                self._awaken(call)
            found = self._by(self._document(call), call.home)
            order = self._read_order(found, pinned, consistent=consistent)
            asked = False
            for region in self._due(found, order, call, consistent=consistent):
                asked = True
                if (answered := self._try(region, call, order, found)) is not None:
                    return answered
            if not self._another_round(call, asked=asked):
                raise self._none(call, found.document, consistent=consistent) from call.last

    @staticmethod
    def _another_round(call: Call, *, asked: bool) -> bool:
        """Whether to ask all again, after a pause; False when no time is left, or nobody was asked:
        all are dead, and were asked before. Raises a region's denial when it was the last word."""
        if call.last is not None and kind(call.last) is FailureKind.DENIED:
            raise call.denied or call.last  # nobody knows us or the table better
        return asked and call.rest()

    def _due(
        self, found: Routes, order: Sequence[str], call: Call, *, consistent: bool
    ) -> Iterator[RoutedRegion]:
        """Whom to ask in this round, one after the other, while there is time to.

        Raises NoHealthyRegion when there is none left.
        """
        call.beside.clear()
        for region in self._turns(found, order, call):
            if region.name in call.beside:  # it has had its turn
                region.breakers.read.untried()
                continue
            if not call.time_for_another(self._needed(region.name, call)):
                raise self._none(call, found.document, consistent=consistent) from call.last
            yield region

    def _try(
        self, region: RoutedRegion, call: Call, order: Sequence[str], found: Routes
    ) -> tuple[Any, str] | None:
        """Ask this region, and perhaps another one beside it; None if none of them answered."""
        if self.hedges is None or self._hedged is None or not call.hedged:
            return self._alone(region, call, order)
        patience = self.hedges.patience(region.name, call.operation)
        second = None if patience is None else self._second(region, call, order, found)
        if patience is None or second is None:
            return self._alone(region, call, order)
        share, alone = partial(self._share, order, call), partial(self._alone, region, call, order)
        return self._hedged.ask((region, second), call, patience, share, alone)

    def _alone(
        self, region: RoutedRegion, call: Call, order: Sequence[str]
    ) -> tuple[Any, str] | None:
        """Ask this region in this thread; None if it did not answer."""
        try:
            return self._ask(region, call, Need.READ, self._share(order, call)), region.name
        except FAILURES as error:
            if self._failed(region, error, call, Need.READ) is FailureKind.ANSWERED:
                raise
            return None

    def _second(
        self, first: RoutedRegion, call: Call, order: Sequence[str], found: Routes
    ) -> RoutedRegion | None:
        """Whom to ask beside the first: a region of which nothing bad is known, by anybody."""
        now = self._now()
        for name in order:
            entry = found.document.regions[name]
            if name == first.name or name in call.asked or entry.left or entry.fenced(now):
                continue
            region = self._regions.made(entry)  # to make a client takes longer than to wait
            if region is not None and region.breakers.state is BreakerState.CLOSED:
                return region
        return None

    def _turns(self, found: Routes, order: Sequence[str], call: Call) -> Iterator[RoutedRegion]:
        """Whom to ask in this round: all that may answer, the likely ones first."""
        shut = []
        for name in order:
            try:
                region = self._regions.get(found.document.regions[name])
            except Unusable as error:
                call.tried.append((name, str(error)))
                continue
            if region.breakers.read.allows():
                yield region
            else:
                shut.append(region)
        for region in sorted(shut, key=lambda one: one.breakers.read.dead):
            if not region.breakers.read.dead or region.name not in call.asked:
                yield region

    def _needed(self, name: str, call: Call) -> float:
        """Seconds that must be left to ask this region: it was silent before, or it may be well."""
        return self._settings.attempt if name in call.asked else WORTH_IT

    def _share(self, order: Sequence[str], call: Call) -> float:
        """Seconds for the next attempt of a read.

        Half an attempt is kept for each region that was not asked yet, unless an equal share of
        what is left is more.
        """
        asked, left = call.asked, call.left
        others = len([name for name in order if name not in asked] if asked else order) - 1
        if others <= 0:
            return left
        return max(left / (others + 1), left - others * self._settings.attempt / 2)

    def _read_order(self, found: Routes, pinned: str | None, *, consistent: bool) -> Sequence[str]:
        order = found.consistent if consistent else found.reads
        if consistent and self._settings.consistent_fallback:
            order = tuple(dict.fromkeys((*order, *found.reads)))
        return _first(pinned, order)

    # --- writes

    def write(
        self,
        operation: str,
        kwargs: Mapping[str, Any],
        options: Options,
        *,
        ask: Ask,
        repeatable: bool = False,
        pinned: str | None = None,
        home: str | None = None,
    ) -> tuple[Any, str]:
        """The answer, and the region that gave it. repeatable: it may be done twice. home: of what
        is written, where it is another than the process's.

        Raises WriteRefused (also StaleDocument), NoHealthyRegion, WriteUnknown, HomeError for a
        home that the document does not have, or botocore's ClientError as the region answered.
        """
        safe = repeatable or options.idempotent
        token = TOKEN in kwargs  # botocore makes one for each transaction that brings none
        call = Call(
            operation, kwargs, ask, options.deadline, safe, token, home=home, clock=self.clock
        )
        try:
            return self._write(call, pinned)
        finally:
            if call.suspects:
                self._suspect(call, Need.WRITE)

    def _write(self, call: Call, pinned: str | None) -> tuple[Any, str]:
        self._document(call)
        if call.home is not None:
            self._know_home(call)
        while True:
            region = self._writer(call, pinned)
            try:
                return self._ask(region, call, Need.WRITE, call.left), region.name
            except FAILURES as error:
                self._after_failed_write(region, error, call)
            except Exception as error:
                if call.unknown:  # credentials that ran out, say: the first attempt stays unknown
                    raise self._lost(call, f" The next attempt: {error}.") from error
                raise

    def _after_failed_write(self, region: RoutedRegion, error: Failure, call: Call) -> None:
        """Return if the write may be sent again; else raise what is to be said."""
        match self._failed(region, error, call, Need.WRITE):
            case FailureKind.ANSWERED | FailureKind.DENIED:
                hint = f" {words(error)} may be the answer to our own first attempt."
                self._end_answered(error, call, hint)
            case FailureKind.THROTTLED | FailureKind.CROWDED | FailureKind.BUSY:
                call.stays = region.name
                if not (call.rest() and call.time_for_another(self._settings.attempt)):
                    self._end_answered(error, call)
            case FailureKind.UNKNOWN if not self._may_repeat(region, call):
                raise self._lost(call) from error
            case FailureKind.UNKNOWN | FailureKind.NOT_SENT:
                self._reread(call)
                if not call.time_for_another(self._settings.attempt) or not call.rest():
                    raise self._lost(call) from error

    def _end_answered(self, error: Failure, call: Call, hint: str = "") -> NoReturn:
        """Raise what the region answered, unless an attempt before may have been executed."""
        if call.unknown:
            raise self._lost(call, hint) from error
        raise error

    @staticmethod
    def _may_repeat(region: RoutedRegion, call: Call) -> bool:
        """Whether the write may be sent again, now that this attempt may have been executed."""
        call.unknown = True
        if not call.safe and call.token:
            call.only = region.name  # it alone knows the token
        return call.safe or call.token

    def _writer(self, call: Call, pinned: str | None) -> RoutedRegion:
        """The region that takes this write now. Raises WriteRefused or NoHealthyRegion."""
        while True:
            self._awaken(call)
            self._fresh_enough(call)
            found = self._by(self._document(call), call.home)
            order = sorted(_first(call.stays or pinned, found.writes), key=call.failed.__contains__)
            refused = []
            for name in order:
                entry = found.document.regions[name]
                if not call.may_go_to(name):
                    refused.append((name, ELSEWHERE))
                    continue
                if entry.fenced_until is not None and entry.fenced(self._now()):
                    refused.append((name, FENCED))
                    continue
                try:
                    region = self._regions.get(entry)
                except Unusable as error:
                    refused.append((name, str(error)))
                    continue
                if self._takes(region, alternative=name != order[-1]):
                    return region
                refused.append((name, SHUT))
            if not self._reread(call):
                raise self._refusal(found.document, refused, call)

    @staticmethod
    def _takes(region: RoutedRegion, *, alternative: bool) -> bool:
        """Whether to write to it: the only one left is left alone when it is dead, not before."""
        breaker = region.breakers.write
        return breaker.allows() or not (alternative or breaker.dead)

    def _refusal(
        self, document: Document, refused: list[tuple[str, str]], call: Call
    ) -> NoHealthyRegion | WriteRefused:
        if call.unknown:
            call.tried.extend(refused)
            return self._lost(call)
        fenced = [name for name, why in refused if why == FENCED]
        if fenced and not call.tried:
            until = document.regions[fenced[0]].fenced_until
            return WriteRefused(
                f"{call.operation}: no writes to {fenced[0]} before {until} (revision"
                f" {document.revision}): traffic is being moved to another region. Nothing was"
                " sent. Try again after that"
            )
        call.tried.extend((*refused, *document.refused.items()))
        return self._lost(call)

    def _fresh_enough(self, call: Call) -> None:
        """Raises StaleDocument where the policy asks for it and a new look does not help."""
        if self._settings.on_stale is OnStale.SERVE or not self._is_old():
            return
        self._reread(call)
        if self._is_old():
            if call.unknown:
                raise self._lost(call)
            raise StaleDocument(
                f"{call.operation}: the region document is {self._view.age:.0f} s old, more than"
                f" max_staleness ({self._view.max_staleness:.0f} s), and on_stale_document is"
                " refuse-writes. The region that takes writes may have changed. Nothing was sent."
                " Check the sources of the document"
            )

    def _is_old(self) -> bool:
        return self._view.stale or self._view.is_outslept

    def _reread(self, call: Call) -> bool:
        """Have the document read again, once a call; False if it was, or was read just now."""
        if call.reread:
            return False
        call.reread = True
        return self._looks.look(max(0.0, min(FENCE_WAIT, call.left)))

    # --- both

    def _awaken(self, call: Call) -> None:
        """After a freeze: wait once for a look. What is known is as old as the freeze was long.

        Where the look does not end, the policy decides: serving goes on, and waits no second time.
        """
        awake = self._view.awake
        call.freezes = awake.freezes
        if not self._view.is_outslept:
            return
        looked = self._view.refresh(max(0.0, min(FENCE_WAIT, call.left)))
        if not looked and self._settings.on_stale is OnStale.SERVE:
            awake.answered(call.freezes)

    def _document(self, call: Call) -> Document:
        document = self._view.latest or self._view.wait_first(call.left)
        if document is None:
            outcome = Outcome.NOT_SENT if call.operation in WRITES else None
            hint = " No region document could be read yet. Check its sources."
            raise NoHealthyRegion(call.operation, (), outcome, hint)
        return document

    def _by(self, document: Document, home: str | None) -> Routes:
        """The routes by this document, worked out once for each home. None: the process's."""
        found = self._routes.get(home)
        if found is None or found.document is not document:
            own = self._settings
            if home is None:
                self._tell_of_home(document)
            found = routes(document, home or own.home, own.mode, own.consistency)
            self._routes = {**self._routes, home: found}
        return found

    def _know_home(self, call: Call) -> None:
        """Raises HomeError, before anything is sent, for a home that no document has."""
        if call.home in self._document(call).names:
            return
        self._reread(call)  # the region may be new
        document = self._document(call)
        if call.home not in document.names:
            raise HomeError(
                call.operation,
                f"home() returned {call.home!a}, and the document has the regions"
                f" {', '.join(document.names)} (revision {document.revision})",
                "Return one of these names, or add the region to failover.yaml",
            )

    def _tell_of_home(self, document: Document) -> None:
        """Say it once for each change: a home that the document does not have is nobody's."""
        home = self._settings.home
        homeless = home is not None and home not in document.names
        if homeless and not self._homeless:
            _LOG.error(
                "home=%r is no region of the document (%s): calls go to %s first, as if no home"
                " were given. Pass one of the regions of failover.yaml, which are DynamoDB's names",
                home,
                ", ".join(document.regions),
                document.primary,
            )
        self._homeless = homeless

    def _ask(self, region: RoutedRegion, call: Call, need: Need, seconds: float) -> Any:
        """The region's answer. Raises one of FAILURES; anything else was raised before sending."""
        self._begun(region, call)
        began = self.clock.monotonic()
        answer = self._send(region, call, seconds)
        self._answered(region, call, need, self.clock.monotonic() - began)
        return answer

    @staticmethod
    def _begun(region: RoutedRegion, call: Call) -> None:
        region.calls += 1
        call.asked.add(region.name)

    def _send(self, region: RoutedRegion, call: Call, seconds: float) -> Any:
        """Make one attempt, in whatever thread. What it comes to is noted by nobody yet."""
        outslept: list[Outslept] = []

        def guard() -> None:
            """Right before the first byte: there was no freeze since it was decided to send it."""
            if call.freezes is not None and self._view.awake.freezes > call.freezes:
                outslept.append(Outslept(endpoint_url=region.endpoint, error="frozen"))
                raise outslept[0]

        attempt.begin(seconds, guard)
        try:
            return call.ask(region)
        except FAILURES:
            if outslept:  # botocore takes it for an error of the connection
                raise outslept[0] from None
            raise
        except Exception as error:
            if not attempt.sent():
                raise
            what = f"what it answered cannot be read: {type(error).__name__}: {error}"
            raise ResponseParserError(what) from error
        finally:
            attempt.end()

    def _answered(self, region: RoutedRegion, call: Call, need: Need, took: float) -> None:
        """Take note of an answer, after so many seconds."""
        self._praise(region, call, need, took)
        self._convict(call, need)

    def _praise(
        self, region: RoutedRegion, call: Call, need: Need, took: float, number: int | None = None
    ) -> None:
        """number: of the call's request, where its arguments may be others by now."""
        region.used = self.clock.monotonic()
        if self.hedges is not None and call.hedged:
            self.hedges.measured(region.name, call.operation, took)
        if took > self._settings.attempt:
            number = number_of(call.operation, call.kwargs) if number is None else number
            region.breakers.of(need).suspected(number, answered=True)
        else:
            region.breakers.succeeded(need)

    def _failed(self, region: RoutedRegion, error: Failure, call: Call, need: Need) -> FailureKind:
        """Take note of a failure, and tell what it says."""
        what = kind(error)
        call.last = error
        if what is FailureKind.DENIED:
            call.denied = call.denied or error
        self._charge(region, what, need)
        if what is FailureKind.ANSWERED:
            self._convict(call, need)
        if what is FailureKind.UNKNOWN:
            call.suspects.append(region)
        if what in (FailureKind.NOT_SENT, FailureKind.UNKNOWN):
            call.failed.add(region.name)
        if what is not FailureKind.ANSWERED:
            call.tried.append((region.name, words(error)))
        return what

    @staticmethod
    def _charge(region: RoutedRegion, what: FailureKind, need: Need) -> None:
        """What is certain. Whose fault UNKNOWN was is not known yet."""
        match what:
            case FailureKind.ANSWERED | FailureKind.BUSY | FailureKind.CROWDED | FailureKind.DENIED:
                region.breakers.succeeded(need)
            case FailureKind.THROTTLED:
                region.breakers.of(need).throttled()
            case FailureKind.NOT_SENT:
                region.failures += 1
                region.breakers.unreachable(need)
            case FailureKind.UNKNOWN:
                region.failures += 1

    def _late(self, end: End, call: Call, number: int, *, elsewhere: bool) -> None:
        """Take note of an attempt at a read whose call is over. Of the call nothing is noted.

        number: of its request. elsewhere: another region has answered it.
        """
        if end.error is None:
            self._praise(end.region, call, Need.READ, end.took, number)
            return
        if not isinstance(end.error, FAILURES):
            return  # it was not sent, and says nothing about the region
        what = kind(end.error)
        self._charge(end.region, what, Need.READ)
        if what is FailureKind.UNKNOWN and elsewhere:
            end.region.breakers.read.failed()
        elif what is FailureKind.UNKNOWN:
            end.region.breakers.read.suspected(number)

    @staticmethod
    def _convict(call: Call, need: Need) -> None:
        """A region has answered the call: that others did not was their own fault."""
        for region in call.suspects:
            region.breakers.of(need).failed()
        call.suspects.clear()

    @staticmethod
    def _suspect(call: Call, need: Need) -> None:
        """No region has answered the call: it may have been the call's own fault."""
        number = number_of(call.operation, call.kwargs)
        for region in call.suspects:
            region.breakers.of(need).suspected(number)

    def _none(self, call: Call, document: Document, *, consistent: bool) -> NoHealthyRegion:
        hint = ""
        call.tried.extend(document.refused.items())
        if consistent and not self._settings.consistent_fallback:
            hint = (
                " Only the region that takes writes answers a strongly consistent read. Without"
                " ConsistentRead another region would answer, perhaps with older items."
            )
        self._count("read-failed")
        return NoHealthyRegion(call.operation, call.tried, None, hint)

    def _lost(self, call: Call, hint: str = "") -> NoHealthyRegion:
        outcome = Outcome.UNKNOWN if call.unknown else Outcome.NOT_SENT
        self._count(outcome)
        made = WriteUnknown if call.unknown else NoHealthyRegion
        return made(call.operation, call.tried, outcome, hint)

    def _count(self, what: str) -> None:
        with self._counted:
            self.outcomes[what] = self.outcomes.get(what, 0) + 1


@dataclass(frozen=True, slots=True)
class _Reads:
    """What a hedged read needs of its calls."""

    calls: Calls

    def send(self, region: RoutedRegion, call: Call, seconds: float) -> Any:
        return self.calls._send(region, call, seconds)  # noqa: SLF001  # of this module

    def begun(self, region: RoutedRegion, call: Call) -> None:
        self.calls._begun(region, call)  # noqa: SLF001  # as above

    def answered(self, region: RoutedRegion, call: Call, took: float) -> None:
        self.calls._answered(region, call, Need.READ, took)  # noqa: SLF001  # as above

    def failed(self, region: RoutedRegion, error: Failure, call: Call) -> FailureKind:
        return self.calls._failed(region, error, call, Need.READ)  # noqa: SLF001  # as above

    def late(self, end: End, call: Call, number: int, *, elsewhere: bool) -> None:
        self.calls._late(end, call, number, elsewhere=elsewhere)  # noqa: SLF001  # as above


def _nothing(_: RoutedRegion) -> None:
    """The attempt of a call that makes none."""


def _first(pinned: str | None, order: Sequence[str]) -> Sequence[str]:
    if pinned is None or pinned not in order or pinned == order[0]:
        return order
    return (pinned, *(name for name in order if name != pinned))


WRITES = frozenset(
    {"put_item", "update_item", "delete_item", "batch_write_item", "transact_write_items"}
)
"""The operations that change something."""
