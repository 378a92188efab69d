"""Which regions a call may go to, in which order. PURE: a function of the document.

    reads        home, then the other healthy regions, then those that the document calls down
    consistent   where the writes go: elsewhere a strongly consistent read would be consistent with
                 the wrong replica. With MRSC any region will do, so as reads
    writes       active-passive: the primary and no other; active-active: home, then other healthy
                 regions that are not fenced off; those that people have evacuated after all others

Home is the application's own region, or that of the key where the application says so.
Regions that are down come last for reads and not at all for writes: the document may be wrong or
late about them, a read there harms nobody, and to have none left to ask helps nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.client.document import Document


class ServiceMode(StrEnum):
    """How the service is run; the same words as in `failover.yaml`."""

    ACTIVE_PASSIVE = "active-passive"
    ACTIVE_ACTIVE = "active-active"


class Consistency(StrEnum):
    """What kind of global table it is: asynchronous (the last writer wins), or strong."""

    MREC = "MREC"
    MRSC = "MRSC"


@dataclass(frozen=True, slots=True)
class Routes:
    """The order of regions for each kind of call, by one document."""

    document: Document
    reads: tuple[str, ...]
    consistent: tuple[str, ...]
    writes: tuple[str, ...]


def routes(
    document: Document,
    home: str | None,
    mode: ServiceMode,
    consistency: Consistency = Consistency.MREC,
) -> Routes:
    """The routes by this document. home: the application's own region, if it runs in one of them.

    Fences are not looked at here: they depend on the time.
    """
    ordered = _ordered(document, home)
    reads = (
        *(r for r in ordered if _up(document, r)),
        *(r for r in ordered if not _up(document, r)),
    )
    if mode is ServiceMode.ACTIVE_PASSIVE:
        writes = _primary(document)
    else:
        up = (region for region in ordered if _up(document, region))
        writes = tuple(sorted(up, key=lambda one: document.regions[one].evacuated))
        writes = writes or _primary(document)
    return Routes(document, reads, reads if consistency is Consistency.MRSC else writes, writes)


def _primary(document: Document) -> tuple[str, ...]:
    """The primary; none where its endpoint is refused. No other region takes its writes then."""
    return (document.primary,) if document.primary in document.regions else ()


def _ordered(document: Document, home: str | None) -> tuple[str, ...]:
    """Home first, then the primary, then the others by preference."""
    first = [region for region in (home, document.primary) if region in document.regions]
    return tuple(dict.fromkeys([*(r for r in first if r is not None), *document.regions]))


def _up(document: Document, region: str) -> bool:
    return document.regions[region].healthy
