"""What heartbeats tell: how far this region's replica is behind each other one, and what is unsure.

PURE. Every region writes the time into an item of its own, `failover#heartbeat#<region>`. How old
that item is when it is read in another region's replica is how far that replica is behind. It is
an upper bound: up to one heartbeat's interval too high. The regions' clocks must agree to within
a fraction of a second (NTP); a difference between them is wrong lag of the same size.

An old heartbeat alone says little: its region may be dead, its writer may have stopped while users
write on, or replication may be cut. So the writer of a region that finds another one's heartbeat
overdue reads that item where it was written, in the other region's own table, and notes what it
found in its own heartbeat (`seen`), where every process of its region reads it:

    the other region's table holds a newer heartbeat      BEHIND   replication is late: told as lag
    it holds the very heartbeat that we have              STALLED  its writer stopped: unknown
    it could not be asked                                 SILENT   dead or cut off: told as lag

The last finding stands while nothing newer arrives. So a writer that stopped, and whose region
dies a day later, does not look like a replica that is a day behind and must not be used; and
replication that was cut before the region died does look so. What a stalled heartbeat leaves
unknown is how far behind the replica is, and the health endpoint says that it does not know.

A third region's sight counts as well: one that has a newer heartbeat than ours proves BEHIND.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

HEALTH_KEY = "failover#health"
"""Key of the item that is read to see whether a region's table answers."""

EVERY = 5.0
"""Seconds between two heartbeats of a region."""

OVERDUE = 3
"""After so many intervals without news a heartbeat is overdue."""

AHEAD = 600.0
"""Seconds in the future beyond which a heartbeat is written over: its writer's clock was wrong."""

_SKEW = 5.0
_LONGEST = 300.0


def heartbeat_key(region: str) -> str:
    """Key of the region's heartbeat."""
    return f"failover#heartbeat#{region}"


class Pulse(StrEnum):
    """What is known of another region's heartbeat. Values equal the JSON of the health endpoint.

    AHEAD: its time lies in the future, so a clock is wrong and it tells nothing. MISSING: never
    written.
    """

    FRESH = "fresh"
    BEHIND = "behind"
    STALLED = "stalled"
    SILENT = "silent"
    AHEAD = "ahead"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class PeerSight:
    """What one region knew of another's heartbeat. Times are seconds since 1970.

    at: the heartbeat in its own replica. there: the heartbeat in the other region's own table,
    asked for at the time `asked`; both 0 where it never had to ask or got no answer.
    """

    at: float
    there: float = 0.0
    asked: float = 0.0


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat. at: when it was written, seconds since 1970. n: its number, from 1.

    every: seconds between two of them. seen: what its region knew of the others.
    """

    at: float
    n: int = 0
    every: float = EVERY
    seen: Mapping[str, PeerSight] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def patience(self) -> float:
        """Seconds after which the next one is overdue."""
        return OVERDUE * self.every


def read_beat(item: Mapping[str, object] | None) -> Beat | None:
    """The heartbeat in an item; None for one that was never written or cannot be read.

    The one who makes the table makes the items too, with `at` 0.
    """
    if item is None or (at := _time(item.get("at"))) == 0:
        return None
    every = _time(item.get("every"))
    seen = item.get("seen")
    sights = seen if isinstance(seen, Mapping) else {}
    return Beat(
        at,
        int(_time(item.get("n"))),
        every if 0 < every <= _LONGEST else EVERY,
        {str(name): _sight(sight) for name, sight in sights.items() if isinstance(sight, Mapping)},
    )


def judge(beat: Beat | None, now: float, sights: Iterable[PeerSight]) -> tuple[Pulse, float | None]:
    """What is known of a region's heartbeat, and the replication lag in seconds if it is known.

    sights: what every region of which a heartbeat is known, the own one too, knew of it.
    """
    if beat is None:
        return Pulse.MISSING, None
    age = now - beat.at
    if age < -_SKEW:
        return Pulse.AHEAD, None
    if age <= beat.patience:
        return Pulse.FRESH, max(0.0, age)
    sights = tuple(sights)
    if any(max(sight.at, sight.there) > beat.at for sight in sights):
        return Pulse.BEHIND, age
    if any(sight.there == beat.at < sight.asked - beat.patience for sight in sights):
        return Pulse.STALLED, None
    return Pulse.SILENT, age


def _sight(fields: Mapping[str, object]) -> PeerSight:
    return PeerSight(
        _time(fields.get("at")), _time(fields.get("there")), _time(fields.get("asked"))
    )


def _time(value: object) -> float:
    """A number of at least 0, else 0: what others wrote must not break who reads it."""
    if not isinstance(value, int | float):
        return 0.0
    try:
        seconds = float(value)
    except OverflowError:
        return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0
