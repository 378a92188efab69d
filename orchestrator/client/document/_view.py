"""The newest document known to this process, kept up to date beside the requests.

One background thread asks the sources; code that needs the document reads an attribute and never
waits for a source. What was good last is kept however long the sources are silent; how old that
knowledge is can be asked, and is the caller's to judge.

Two rules keep it from going back. A document whose `revision` is lower than one already seen is
ignored, for mirrors and caches lag. And only an answer that is not older than what is known counts
as news: a mirror that lags does not make the knowledge look fresh.

One rule bounds what a later source can do. If the knowledge is from it, and an earlier source has
not come to it within `max_staleness`, the earlier one is right: whatever a mirror has was in the
bucket before. Else who can write a mirror could shut the real document out, also by a mirror that
says something higher at every look. Such a source is not believed again until it says nothing
higher than the others.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from orchestrator.client._process.awake import Awake
from orchestrator.client._process.fork import in_child
from orchestrator.client._process.loop import Failing, InBackground, Loop
from orchestrator.client._process.once import WELL, Once, kind_of
from orchestrator.client._process.patched import must_be_early
from orchestrator.client.allowed import Allow, never
from orchestrator.client.document._entries import Document, read_document
from orchestrator.client.document._source import Source
from orchestrator.client.errors import SourceUnavailable
from orchestrator.core.outside.limits import AHEAD, is_ahead
from orchestrator.core.outside.reading import Corrupt

_LOG = logging.getLogger(__name__)

INTERVAL = 2.0
"""Seconds between two looks at a source, spread by a fifth: processes do not march in step."""

SPACING = 0.1
"""Seconds between two looks at least, however many callers want one."""

NOTED = 0.25
"""Seconds at least between two notes of the time: on a busy machine a thread may wait as long for
its turn, and was not frozen."""

MAX_STALENESS = 30.0
"""Seconds; the default of `policy.graceful.max_staleness`, which must not be shorter than this."""


_AGE = "age"  # of the knowledge: one of the things that are logged once, beside the sources

_FAILING = Failing(
    "looking for the region document failed",
    "What was known before is kept",
    "looking for the region document works again",
    bug=True,
)


class _Ignored(Enum):
    """Why a document that a source has is ignored."""

    AHEAD = auto()
    BEHIND = auto()


@dataclass(frozen=True, slots=True)
class _Below:
    """What a later source had (its revision), and since when an earlier one has not come to it."""

    revision: int
    since: float


class DocumentView(InBackground):
    """What this process knows of the regions. Usable as a context manager; a fork goes on with it.

    sources: asked in this order, the next one only where the one before it has no answer. interval:
    seconds between two looks. max_staleness: seconds after which `stale` is true. monotonic: the
    clock of that age, in seconds. allow_endpoint: what the application takes from the document
    beside AWS's names of DynamoDB, see `orchestrator.client.allowed`; a region with any other
    endpoint is left out. awake: tells whether this process was frozen. Make it with the application
    and `start` it once.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        interval: float = INTERVAL,
        max_staleness: float = MAX_STALENESS,
        allow_endpoint: Allow = never,
        awake: Awake | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not sources:
            raise ValueError("a DocumentView needs at least one source of the document")
        if not 0 < interval < max_staleness:
            raise ValueError(
                f"interval ({interval:g} s) must be more than 0 and less than max_staleness"
                f" ({max_staleness:g} s): else the document is stale between two looks"
            )
        self.interval = interval
        self.max_staleness = max_staleness
        self._sources = tuple(sources)
        self.awake = awake or Awake(min(max(interval, NOTED), 1.0))
        self._allow = allow_endpoint
        self._monotonic = monotonic
        self._latest: Document | None = None
        self._confirmed = -math.inf
        self._marks: dict[int, str] = {}
        self._documents: dict[int, Document] = {}
        self._from = 0  # the source that the knowledge is from
        self._below: dict[int, _Below] = {}  # by source: what it has not come to, and since when
        self._overruled: set[int] = set()
        self._once = Once()
        self._listeners: list[Callable[[Document], None]] = []
        self._loop = Loop(
            "region-document",
            self._look,
            _FAILING,
            every=interval,
            spacing=SPACING,
            awake=self.awake,
        )
        in_child(self, DocumentView.after_fork)

    # --- what requests ask

    @property
    def latest(self) -> Document | None:
        """The newest document seen, None before the first."""
        return self._latest

    @property
    def age(self) -> float:
        """Seconds since a source was last known to hold nothing newer; infinite before that."""
        return self._monotonic() - self._confirmed

    @property
    def stale(self) -> bool:
        """Whether the knowledge is older than `max_staleness`."""
        return self.age > self.max_staleness

    @property
    def is_outslept(self) -> bool:
        """Whether this process was frozen, and no look has been tried since."""
        return self.awake.was_frozen

    def refresh(self, wait: float) -> bool:
        """Have the sources asked now, and wait for that at most `wait` seconds; True if in time.

        Many callers at once share one look. It must be one that begins after this call.
        """
        return self._loop.turn_now(wait)

    def wait_first(self, wait: float) -> Document | None:
        """The document; waits for the first one at most `wait` seconds, and never again."""
        if self._latest is None:
            self._loop.wait_for(lambda: self._latest is not None, wait)
        return self._latest

    def on_change(self, listener: Callable[[Document], None]) -> None:
        """Have `listener` called, in the background thread, with every newer document."""
        self._listeners.append(listener)

    # --- the background thread

    def _look(self) -> None:
        """One round: the sources in order, until one of them tells what is not old."""
        for number, source in enumerate(self._sources):
            began = self._monotonic()
            try:
                news = self._ask(number, source, began)
            except (SourceUnavailable, Corrupt) as error:
                self._silent(number, source, error, str(error))
                continue
            except Exception as error:  # noqa: BLE001  # one source must not take the others along
                self._silent(number, source, error, f"{type(error).__name__}: {error}")
                continue
            if news:
                self._confirmed = began
                self._tell_well(number, source)
                break
        self._tell_stale()

    def _ask(self, number: int, source: Source, began: float) -> bool:
        """Whether the source is not behind what we know; what is newer is taken over."""
        must_be_early()
        fetched = source.fetch(self._marks.get(number))
        if fetched is not None:
            document = read_document(fetched.body, self._allow)
            now = time.time()  # noqa: TID251  # the application's clock: a bound, not an order
            if is_ahead(document.revision, now, fetched.at):
                raise Corrupt(
                    f"revision: {document.revision} is more than {AHEAD.days} days in the future,"
                    " and would hide every real document until then"
                )
            self._marks[number] = fetched.mark
            self._documents[number] = document
        return self._weigh(number, source, self._documents[number], began)

    def _weigh(self, number: int, source: Source, document: Document, began: float) -> bool:
        """Whether what the source holds is not behind what we know; take it over where it counts
        for more."""
        latest = self._latest
        if latest is None or document.revision > latest.revision:
            if number in self._overruled:
                what = f"it has revision {document.revision}, which no earlier source ever had"
                self._tell_trouble(number, source, _Ignored.AHEAD, f"{what}: ignored")
                return False
            self._confirmed = began  # before it can be seen: it is not stale for a moment
            self._take(document, number, source)
            return True
        if document.revision == latest.revision:
            self._overruled.discard(number)
            if number < self._from:
                self._take(document, number, source)
            return True
        if self._is_right(number, document.revision, began):
            self._overrule(number, source, document, latest)
            return True
        what = f"it has revision {document.revision}, older than {latest.revision}, which was seen"
        self._tell_trouble(number, source, _Ignored.BEHIND, f"{what} before: ignored")
        return False

    def _overrule(self, number: int, source: Source, document: Document, latest: Document) -> None:
        """Go back to an earlier source's document."""
        _LOG.error(
            "%s has had revision %d for %.0f s, and %s said %d. The first one counts. Something"
            " other than the orchestrator has written the other one",
            source.name,
            document.revision,
            self.max_staleness,
            self._sources[self._from].name,
            latest.revision,
        )
        self._overruled.add(self._from)
        self._confirmed = self._monotonic()
        self._take(document, number, source)

    def _is_right(self, number: int, revision: int, now: float) -> bool:
        """Whether this source has not come to what a later one had, for so long that the later one
        is wrong."""
        if number >= self._from or self._latest is None:
            return False
        below = self._below.get(number)
        if below is None or revision >= below.revision:  # it lags, and comes after
            below = self._below[number] = _Below(self._latest.revision, now)
        return now - below.since >= self.max_staleness

    def _take(self, document: Document, number: int, source: Source) -> None:
        before = self._latest
        self._latest, self._from = document, number
        self._below = {one: below for one, below in self._below.items() if one < number}
        self._tell_refused(document, before.refused if before else {}, source)
        if before is None or before.primary != document.primary:
            _LOG.warning(
                "primary is %s (was %s), epoch %d, revision %d, from %s",
                document.primary,
                before.primary if before else "unknown",
                document.epoch,
                document.revision,
                source.name,
            )
        for listener in self._listeners:
            try:
                listener(document)
            except Exception:  # noqa: BLE001  # this thread must outlive every listener's faults
                _LOG.exception("a listener to the region document failed")

    def _silent(self, number: int, source: Source, error: Exception, why: str) -> None:
        """The source has no answer: what it said before no longer counts as steady."""
        self._below.pop(number, None)
        self._tell_trouble(number, source, kind_of(error), why)

    @staticmethod
    def _tell_refused(document: Document, before: Mapping[str, str], source: Source) -> None:
        """Say once of each region, and of each other endpoint, that it is left out."""
        for name, why in document.refused.items():
            if before.get(name) != why:
                _LOG.error(
                    "%a is left out: %s. Nothing is sent there%s. Document: revision %d, from %s."
                    " If the host is yours, pass allow_endpoint= to the client. If not, find out"
                    " who wrote the document",
                    name,
                    why,
                    ", and no writes are possible: it is the primary"
                    if name == document.primary
                    else "",
                    document.revision,
                    source.name,
                )
        for name in before.keys() - document.refused.keys():
            _LOG.info("%a is no longer left out: revision %d", name, document.revision)

    def _tell_trouble(self, number: int, source: Source, kind: object, what: str) -> None:
        """Say it once when a source begins to fail, and when it fails in another way."""
        if self._once.is_new(number, kind):
            _LOG.warning("region document unavailable from %s: %s", source.name, what)

    def _tell_well(self, number: int, source: Source) -> None:
        if self._once.is_new(number, WELL, usual=True):
            _LOG.info("region document available from %s again", source.name)

    def _tell_stale(self) -> None:
        stale = self.stale and self._latest is not None
        if self._once.is_new(_AGE, stale) and stale:
            _LOG.error(
                "the region document is %.0f s old, older than max_staleness (%.0f s). The region"
                " that takes writes may have changed since. Check the sources: %s",
                self.age,
                self.max_staleness,
                ", ".join(source.name for source in self._sources),
            )
