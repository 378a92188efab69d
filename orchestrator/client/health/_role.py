"""Whether this region is to have users, by the newest document: its role.

Three rules beside the document's own word:

- The role outlives the document. While no source answers, what was known last stands: the sources
  being gone is no reason to send users away. The document's age is shown beside it.
- Before any document was read nothing is known, and that counts as no: two regions that take writes
  are worse than an instance more or less, and instances that know go on answering. It costs the
  region only if all its instances restart while every source is silent; a service that fears
  that more sets `unknown_carries` in one region, or gives the view a mirror as a further source.
- A role that is lost is held on to for `linger` seconds. The new primary's instances learn of it
  within a refresh, and the load balancer believes them within a check interval; until then somebody
  must answer. With a load balancer that wants H good answers to use a backend and U bad ones to
  leave it, checking every I seconds, nobody is without a primary if linger >= refresh + I (H-U+1).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from orchestrator.client._calls.routing import ServiceMode
from orchestrator.client._process.fork import in_child
from orchestrator.client.document import Document, DocumentView

CHECK_INTERVAL = 5.0
"""Seconds between two checks of a Google Cloud health check, its default."""

AWAKEN = 0.5
"""Seconds that the role waits for a look after this process was frozen: health checks have 1 s."""

_SPREAD = 1.2  # the view spreads its interval by a fifth


@dataclass(frozen=True, slots=True)
class RoleStanding:
    """The role at one moment. carries: None before any document. document: that it is by."""

    carries: bool | None = None
    lingers: bool = False
    document: Document | None = None


class OwnRole:
    """The role of one region. view: None: there is no document, ever.

    linger: seconds that a lost role is held on to; None: the view's longest interval and a check
    interval.
    """

    def __init__(
        self, region: str, view: DocumentView | None, mode: ServiceMode, linger: float | None = None
    ) -> None:
        if linger is None:
            linger = (view.interval * _SPREAD if view else 0.0) + CHECK_INTERVAL
        self.linger = linger
        self._region = region
        self._view = view
        self._passive = mode is ServiceMode.ACTIVE_PASSIVE
        self._standing = RoleStanding()
        self._lost: float | None = None
        self._reset()
        in_child(self, OwnRole._reset)
        if view is not None:
            view.on_change(self._learn)
            self.now()  # a document that is there already

    def _reset(self) -> None:
        self._lock = threading.Lock()

    def now(self) -> RoleStanding:
        """The role at this moment."""
        if self._view is not None and self._view.is_outslept:
            self._view.refresh(AWAKEN)
        latest = self._view.latest if self._view else None
        if latest is not None:
            self._learn(latest)  # the view had it before we listened, or tells listeners later
        standing, lost = self._standing, self._lost
        held = lost is not None and time.monotonic() - lost < self.linger
        lingers = held and standing.carries is False
        return RoleStanding(standing.carries, lingers, standing.document)

    def _learn(self, document: Document) -> None:
        with self._lock:
            known = self._standing.document
            if known is not None and not self._follows(document, known):
                return
            carries = carries_users(document, self._region, passive=self._passive)
            if self._standing.carries and not carries:
                self._lost = time.monotonic()
            self._standing = RoleStanding(carries, False, document)

    def _follows(self, document: Document, known: Document) -> bool:
        """Whether it takes the place of what is known: it is newer, or the view went back to it."""
        is_latest = self._view is not None and document is self._view.latest
        return document.revision > known.revision or (is_latest and document is not known)


def carries_users(document: Document, region: str, *, passive: bool) -> bool:
    """Whether the region is to serve users. Where every region carries, all do if all are down.

    So does the load balancer's routing: it is left as it is when no region is healthy.
    """
    if not passive and not any(entry.healthy for entry in document.regions.values()):
        return region in document.regions
    return document.carries(region, passive=passive)
