"""This region's heartbeat: the time, written every few seconds into an item of its own.

Read in the other regions it tells how far their replicas are behind (`beat`). One heartbeat a
region is enough, but every process may run one, because each may be gone: the one that
finds the item written lately leaves it alone, and the condition on the write settles a race. So
many processes cost reads of half a unit, and only the writes of one.

A heartbeat is no write of the application: the write fence does not hold it back, and it goes on in
a region that has no users, where it is wanted most. Where the processor is taken away between
requests (Cloud Run's request-based billing) it stops with it, and the others see it STALLED.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence

from orchestrator.client._process.bounded import Lane, gather
from orchestrator.client._process.fork import in_child
from orchestrator.client._process.loop import Failing, InBackground, Loop
from orchestrator.client.document import DocumentView, RegionEntry
from orchestrator.client.health._beat import AHEAD, EVERY, Beat, PeerSight, heartbeat_key, read_beat
from orchestrator.client.health._own_items import OwnItems, now

_LOG = logging.getLogger(__name__)

LATELY = 0.7
"""A heartbeat younger than this part of the interval needs none after it yet."""

ASK_WAIT = 2.0
"""Seconds that other regions are waited for, when they are asked for what they wrote."""

Peers = Callable[[RegionEntry], OwnItems]


class Heartbeat(InBackground):
    """One region's heartbeat. Usable as a context manager; a fork goes on with it.

    region: as the document names it. items: of our own, in the region's own table. view: the other
    regions and where they are. peers: makes the items of another region, to ask it for its
    heartbeat where that is overdue here; without it a writer that stopped looks the same as a
    region that died. every: seconds between two heartbeats, spread by a fifth. regions: the others;
    None: the document's.
    """

    def __init__(
        self,
        region: str,
        items: OwnItems,
        view: DocumentView | None = None,
        *,
        peers: Peers | None = None,
        every: float = EVERY,
        regions: Sequence[str] | None = None,
    ) -> None:
        self.region = region
        self.every = every
        self.ask_wait = ASK_WAIT
        self._items = items
        self._view = view
        self._peers = peers
        self._regions = regions
        self._lanes: dict[tuple[str, str], Lane[float]] = {}
        self._found: dict[str, PeerSight] = {}
        self._loop = Loop("heartbeat", self._try, _failing(region), every=every)
        in_child(self, Heartbeat.after_fork)

    def _try(self) -> float | None:
        """One heartbeat; seconds until the next one. Raises what the table raises: nobody else may
        have written one then, so it is tried again as soon as ever."""
        if self.beat():
            return None
        return self.every * random.uniform(1.0, 2.0)  # noqa: S311  # spreads load

    # --- one heartbeat

    def beat(self) -> bool:
        """Write a heartbeat unless there is one of lately; whether it was written.

        Raises what the table raises.
        """
        key, at = heartbeat_key(self.region), now()
        last = self._read(self.region)
        if last is not None and at - LATELY * self.every < last.at <= at + AHEAD:
            return False
        others = {name: self._here(name) for name in self._others()}
        seen = {name: self._sight(name, beat, last) for name, beat in others.items()}
        # The very one that was read is written over, also if it is from a future that cannot be;
        # another one is not: this process may have been suspended, and its time be the old one.
        over = last.n if last is not None else None
        beat = Beat(at, every=self.every, seen=seen)
        written = self._items.beat(key, beat, after=at - LATELY * self.every, over=over)
        self._ask(at, others)
        return written

    def _read(self, name: str) -> Beat | None:
        key = heartbeat_key(name)
        return read_beat(self._items.read(key).get(key))

    def _here(self, name: str) -> Beat | None:
        """The other region's heartbeat in the own replica; None if none is there or known."""
        try:
            return self._read(name)
        except Exception as error:  # noqa: BLE001  # the own heartbeat is the one that matters
            _LOG.info("heartbeat of %s cannot be read here: %s", name, error)
            return None

    def _sight(self, name: str, beat: Beat | None, last: Beat | None) -> PeerSight:
        """What is here of the other's heartbeat, and was last found, by anybody, where it is."""
        found = [self._found.get(name), last.seen.get(name) if last else None]
        newest = max(filter(None, found), key=lambda sight: sight.asked, default=PeerSight(0.0))
        return PeerSight(beat.at if beat else 0.0, newest.there, newest.asked)

    def _ask(self, at: float, others: Mapping[str, Beat | None]) -> None:
        """Ask those whose heartbeat is overdue here for what they wrote; told with the next one."""
        document = self._view.latest if self._view else None
        if document is None or self._peers is None:
            return
        overdue = {
            name: self._lane(document.regions[name], self._peers)
            for name, beat in others.items()
            if beat and at - beat.at > beat.patience and name in document.regions
        }
        for name, there in gather(overdue, self.ask_wait).items():
            if isinstance(there, float):
                self._found[name] = PeerSight(0.0, there, at)
            else:
                _LOG.info("heartbeat of %s is overdue, and it cannot be asked: %s", name, there)

    def _lane(self, entry: RegionEntry, peers: Peers) -> Lane[float]:
        """The way to ask this region; made once for each endpoint."""
        where = (entry.name, entry.endpoint_url)
        if where not in self._lanes:
            items, key = peers(entry), heartbeat_key(entry.name)

            def there() -> float:
                beat = read_beat(items.read(key, consistent=True).get(key))
                return beat.at if beat else 0.0

            self._lanes[where] = Lane(f"heartbeat-of-{entry.name}", there)
        return self._lanes[where]

    def _others(self) -> Sequence[str]:
        document = self._view.latest if self._view else None
        regions = self._regions or (document.names if document else ())
        return tuple(name for name in regions if name != self.region)


def _failing(region: str) -> Failing:
    return Failing(
        f"heartbeat of {region} is not written",
        "The other regions will not know how far behind this one they are",
        f"heartbeat of {region} is written again",
    )
