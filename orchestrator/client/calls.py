"""One call: to which region it goes, when it goes on to another, and what is said when it fails.

A read goes on to the next region as soon as one fails, until the deadline; reading twice harms
nobody.

A write goes to the region that may take it and to no other. When it fails there, the question is
what is known:

    not sent   (no connection)            sent again where the newest document now points
    unknown    (no answer, or a 5xx)      sent again only if it may be done twice: it has a
                                          condition and sets values and no differences, or is
                                          declared idempotent; otherwise WriteUnknown
    throttled  (nothing was done)         the same region again after a pause, until the deadline

Once one attempt's outcome is unknown, the call's is, whatever later attempts say short of success:
so also where a repeated condition fails, for it may be our own first attempt that made it fail.

The write fence. A write is sent only to the region that the newest document names, and not while
that region is fenced off. Before it is refused the document is read once more, at once: the only
time that a request waits for it, and at most `FENCE_WAIT`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.client.call import Ask, Call, Clock, OnStale, Options, Settings
from orchestrator.client.document import Document
from orchestrator.client.errors import (
    NoHealthyRegion,
    Outcome,
    StaleDocument,
    WriteRefused,
    WriteUnknown,
)
from orchestrator.client.outcome import FAILURES, Failure, Kind, kind, words
from orchestrator.client.regions import Region, Regions
from orchestrator.client.routing import Routes, routes
from orchestrator.client.view import DocumentView

_LOG = logging.getLogger(__name__)

FENCE_WAIT = 1.0
"""Seconds at most that a write waits for a fresh document before it is refused."""

FENCED, SHUT = "fenced", "breaker open"


class Calls:
    """Makes calls. now: the application's clock, aware; fences are compared with it.

    clock: the time of deadlines and pauses.
    """

    def __init__(
        self,
        view: DocumentView,
        regions: Regions,
        settings: Settings,
        now: Callable[[], datetime],
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self._view = view
        self._regions = regions
        self._settings = settings
        self._now = now
        self._routes: Routes | None = None
        self._homeless = False
        self._counted = threading.Lock()
        self.outcomes: dict[str, int] = {}

    def after_fork(self) -> None:
        """In a child process: the lock may be held by nobody, and the counts are the parent's."""
        self._counted = threading.Lock()
        self.outcomes = {}

    # --- reads

    def read(
        self,
        operation: str,
        kwargs: Mapping[str, Any],
        options: Options,
        *,
        consistent: bool = False,
        pinned: str | None = None,
        ask: Ask | None = None,
    ) -> tuple[Any, str]:
        """The answer, and the region that gave it. pinned: the region to ask first. ask: as `Call`
        has it.

        Raises NoHealthyRegion, or botocore's ClientError as the region answered.
        """
        call = Call(operation, kwargs, options.deadline, ask=ask, clock=self.clock)
        while True:
            found = self._by(self._document(call))
            order = self._read_order(found, pinned, consistent=consistent)
            for name in order:
                if not call.time_for_another(self._needed(name, call)):
                    raise self._none(call, found.document, consistent=consistent) from call.last
                region = self._regions.get(found.document.regions[name])
                if not self._takes(region, alternative=name != order[-1]):
                    call.tried.append((name, SHUT))
                    continue
                try:
                    return self._ask(region, call), name
                except FAILURES as error:
                    if self._failed(region, error, call) is Kind.ANSWERED:
                        raise
            if call.last is not None and kind(call.last) is Kind.DENIED:
                raise call.denied or call.last  # nobody knows us or the table better
            if call.last is None or not call.rest():  # all breakers are open, or no time is left
                raise self._none(call, found.document, consistent=consistent) from call.last

    def _needed(self, name: str, call: Call) -> float:
        """Seconds that must be left to ask this region: it was silent before, or it may be well.

        One that was not asked yet is worth a try also where a second silence would end a moment
        after the deadline: well, it answers in milliseconds.
        """
        asked = any(region == name and what != SHUT for region, what in call.tried)
        return self._settings.attempt if asked else self._settings.attempt / 4

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
        repeatable: bool = False,
        pinned: str | None = None,
        ask: Ask | None = None,
    ) -> tuple[Any, str]:
        """The answer, and the region that gave it. repeatable: it may be done twice.

        Raises WriteRefused (also StaleDocument), NoHealthyRegion, WriteUnknown, or botocore's
        ClientError as the region answered.
        """
        safe = repeatable or options.idempotent
        call = Call(operation, kwargs, options.deadline, safe, ask, clock=self.clock)
        self._document(call)
        while True:
            region = self._writer(call, pinned)
            try:
                return self._ask(region, call), region.name
            except FAILURES as error:
                self._after_failed_write(region, error, call)
            except Exception as error:
                if call.unknown:  # credentials that ran out, say: the first attempt stays unknown
                    raise self._lost(call, f" The next attempt: {error}.") from error
                raise

    def _after_failed_write(self, region: Region, error: Failure, call: Call) -> None:
        """Return if the write may be sent again; else raise what is to be said."""
        what = self._failed(region, error, call)
        if what in (Kind.ANSWERED, Kind.DENIED):
            if not call.unknown:
                raise error
            hint = f" {words(error)} may be the answer to our own first attempt."
            raise self._lost(call, hint) from error
        if what is Kind.UNKNOWN:
            call.unknown = True
            if not call.safe:
                raise self._lost(call) from error
        if what in (Kind.THROTTLED, Kind.BUSY):
            if call.rest() and call.time_for_another(self._settings.attempt):
                return
            if call.unknown:
                raise self._lost(call) from error
            raise error
        self._reread(call)
        if not call.time_for_another(self._settings.attempt) or not call.rest():
            raise self._lost(call) from error

    def _writer(self, call: Call, pinned: str | None) -> Region:
        """The region that takes this write now. Raises WriteRefused or NoHealthyRegion."""
        while True:
            self._fresh_enough(call)
            found = self._by(self._document(call))
            asked = {name for name, _ in call.tried}  # those come last, but are asked again
            order = sorted(_first(pinned, found.writes), key=asked.__contains__)
            refused = []
            for name in order:
                entry = found.document.regions[name]
                if entry.fenced_until is not None and entry.fenced(self._now()):
                    refused.append((name, FENCED))
                    continue
                region = self._regions.get(entry)
                if self._takes(region, alternative=name != order[-1]):
                    return region
                refused.append((name, SHUT))
            if not self._reread(call):
                raise self._refusal(found.document, refused, call)

    @staticmethod
    def _takes(region: Region, *, alternative: bool) -> bool:
        """Whether to ask it: the only one left is left alone when it is dead, and not before."""
        return region.breaker.allows() or not (alternative or region.breaker.dead)

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
                " sent; try again after that"
            )
        call.tried.extend((*refused, *document.refused.items()))
        return self._lost(call)

    def _fresh_enough(self, call: Call) -> None:
        """Raises StaleDocument where the policy asks for it and a new look does not help."""
        if self._settings.on_stale is OnStale.SERVE or not self._view.stale:
            return
        self._reread(call)
        if self._view.stale:
            if call.unknown:
                raise self._lost(call)
            raise StaleDocument(
                f"{call.operation}: the region document is {self._view.age:.0f} s old, more than"
                f" max_staleness ({self._view.max_staleness:.0f} s), and on_stale_document is"
                " refuse-writes: who takes writes may have changed. Nothing was sent; look at the"
                " sources of the document"
            )

    def _reread(self, call: Call) -> bool:
        """Have the document read again, once a call; False if it was before."""
        if call.reread:
            return False
        call.reread = True
        self._view.refresh(max(0.0, min(FENCE_WAIT, call.left)))
        return True

    # --- both

    def _document(self, call: Call) -> Document:
        document = self._view.latest or self._view.wait_first(call.left)
        if document is None:
            outcome = Outcome.NOT_SENT if call.operation in WRITES else None
            hint = " No region document could be read yet: look at its sources."
            raise NoHealthyRegion(call.operation, (), outcome, hint)
        return document

    def _by(self, document: Document) -> Routes:
        """The routes by this document, worked out once for each."""
        found = self._routes
        if found is None or found.document is not document:
            own = self._settings
            self._tell_of_home(document)
            found = routes(document, own.home, own.mode, own.consistency)
            self._routes = found
        return found

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

    def _ask(self, region: Region, call: Call) -> Any:
        region.calls += 1
        if call.ask:
            answer = call.ask(region)
        else:
            answer = getattr(region.client, call.operation)(**call.kwargs)
        region.breaker.succeeded()
        region.used = self.clock.monotonic()
        return answer

    def _failed(self, region: Region, error: Failure, call: Call) -> Kind:
        """Take note of a failure, and tell what it says."""
        what = kind(error)
        call.last = error
        if what is Kind.DENIED:
            call.denied = call.denied or error
        match what:
            case Kind.ANSWERED | Kind.BUSY | Kind.DENIED:
                region.breaker.succeeded()
            case Kind.THROTTLED:
                region.breaker.throttled()
            case Kind.NOT_SENT | Kind.UNKNOWN:
                region.failures += 1
                region.breaker.failed()
        if what is not Kind.ANSWERED:
            call.tried.append((region.name, words(error)))
        return what

    def _none(self, call: Call, document: Document, *, consistent: bool) -> NoHealthyRegion:
        hint = ""
        call.tried.extend(document.refused.items())
        if consistent and not self._settings.consistent_fallback:
            hint = (
                " A strongly consistent read is answered only where the writes go; without"
                " ConsistentRead another region would answer, perhaps with something older."
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


def _first(pinned: str | None, order: Sequence[str]) -> Sequence[str]:
    if pinned is None or pinned not in order or pinned == order[0]:
        return order
    return (pinned, *(name for name in order if name != pinned))


WRITES = frozenset(
    {"put_item", "update_item", "delete_item", "batch_write_item", "transact_write_items"}
)
"""The operations that change something."""
