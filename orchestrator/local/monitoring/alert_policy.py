"""The alert policy of one uptime check, evaluated as Cloud Monitoring evaluates it.

PURE: time is an argument, nothing is asked, published or logged. The condition counts the checkers
whose newest result is a failure (REDUCE_COUNT_FALSE over ALIGN_NEXT_OLDER) and is met while that
count is above a threshold. When it has been met for the whole duration an incident opens; it closes
as soon as the condition is no longer met. While it is open nothing is opened a second time, and
open and close carry one id.

    quiet -- above the threshold for `duration` -----------------------------> open
    open --- at or below the threshold --------------------------------------> quiet (recovered)
    open --- no result for `auto_close` -------------------------------------> quiet (no data)
    open --- every `renotify` since the last notification -------------------> open

Missing data is not health. Without any result within the alignment window, or with nothing but
failures that are too few to decide, the condition is not evaluated at all: nothing opens, and an
open incident stays open. (The second half is a choice of ours: results leave the window one after
the other, and the last failure left of six must not pass for a recovery.) An open incident is
closed when `auto_close` has passed since the last result of any checker. Then it is closed with the
same notification as a recovery, although the region may well be dead: the checkers fell silent,
nobody saw it healthy. Whoever reads a close must therefore ask the region before trusting it. That
is the point of having this case here.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

_ZERO = timedelta()


class Closure(StrEnum):
    """Why an incident was closed. Only a recovery says anything about the region."""

    RECOVERED = "recovered"
    NO_DATA = "no-data"


@dataclass(frozen=True, slots=True)
class CheckerPoint:
    """One result of one checker, as the time series holds it."""

    checker: str
    at: datetime
    passed: bool


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """When an incident opens, closes and is told again.

    `threshold`: more checkers than this must fail; with 1 at least two. `duration`: how long that
    must hold, 0 or more. `alignment`: how long a checker's newest result counts. `auto_close`: how
    long there must be no result at all before an open incident is closed; not shorter than
    `alignment`, or what was closed for want of data would open again from old data. `renotify`: how
    often an open incident is told again, None for never. Raises ValueError.
    """

    name: str
    threshold: int
    duration: timedelta
    alignment: timedelta
    auto_close: timedelta
    renotify: timedelta | None = None

    def __post_init__(self) -> None:
        if self.threshold < 0 or self.duration < _ZERO:
            raise ValueError("threshold and duration must not be negative")
        if self.alignment <= _ZERO:
            raise ValueError("alignment must be greater than 0")
        if self.auto_close < self.alignment:
            raise ValueError("auto_close must not be shorter than alignment")
        if self.renotify is not None and self.renotify <= _ZERO:
            raise ValueError("renotify must be greater than 0")


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """The incident that is open, and when it was last notified."""

    incident_id: str
    started_at: datetime
    notified_at: datetime


@dataclass(frozen=True, slots=True)
class AlertState:
    """What an evaluation must remember: `AlertState()` before the first.

    `newest`: the newest point of each checker, by its name. `met_since`: since when the condition
    has been met without an incident. `count`: the incidents opened so far.
    """

    newest: tuple[CheckerPoint, ...] = ()
    met_since: datetime | None = None
    incident: OpenIncident | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """An incident has opened; `failing` checkers failed."""

    incident_id: str
    started_at: datetime
    failing: int


@dataclass(frozen=True, slots=True)
class Renotified:
    """An incident is still open; `failing` checkers failed, None if it is not known."""

    incident_id: str
    started_at: datetime
    failing: int | None


@dataclass(frozen=True, slots=True)
class Closed:
    """An incident has been closed, whatever `why`."""

    incident_id: str
    started_at: datetime
    ended_at: datetime
    why: Closure


Notice: TypeAlias = Opened | Renotified | Closed


def advance(
    state: AlertState, results: Iterable[CheckerPoint], now: datetime, policy: AlertPolicy
) -> tuple[AlertState, tuple[Notice, ...]]:
    """One evaluation at `now`: the state after it, and what is to be notified.

    `results` have arrived since the last evaluation, in any order; of each checker only the newest
    counts, so what arrives late changes nothing.
    """
    seen = replace(state, newest=_newest((*state.newest, *results)))
    failing = _failing(seen.newest, now - policy.alignment, policy.threshold)
    if seen.incident is None:
        return _while_quiet(seen, failing, now, policy)
    return _while_open(seen, seen.incident, failing, now, policy)


def _newest(points: Iterable[CheckerPoint]) -> tuple[CheckerPoint, ...]:
    """The newest point of each checker, in the order of their names; the first of equals."""
    newest: dict[str, CheckerPoint] = {}
    for point in points:
        if point.checker not in newest or point.at > newest[point.checker].at:
            newest[point.checker] = point
    return tuple(newest[checker] for checker in sorted(newest))


def _failing(newest: Iterable[CheckerPoint], after: datetime, threshold: int) -> int | None:
    """How many checkers fail, of those with a point later than `after`; None if it is not known.

    That is so if nothing passes and the failures are too few: then silence would decide.
    """
    aligned = [point.passed for point in newest if point.at > after]
    failing = aligned.count(False)
    return None if failing <= threshold and True not in aligned else failing


def _while_quiet(
    state: AlertState, failing: int | None, now: datetime, policy: AlertPolicy
) -> tuple[AlertState, tuple[Notice, ...]]:
    if failing is None or failing <= policy.threshold:
        return replace(state, met_since=None), ()
    since = now if state.met_since is None else state.met_since
    if now - since < policy.duration:
        return replace(state, met_since=since), ()
    count = state.count + 1
    incident = OpenIncident(_incident_id(policy.name, count, now), now, now)
    after = replace(state, met_since=None, incident=incident, count=count)
    return after, (Opened(incident.incident_id, now, failing),)


def _while_open(
    state: AlertState,
    incident: OpenIncident,
    failing: int | None,
    now: datetime,
    policy: AlertPolicy,
) -> tuple[AlertState, tuple[Notice, ...]]:
    why = _closure(state, failing, now, policy)
    if why is not None:
        end = Closed(incident.incident_id, incident.started_at, now, why)
        return replace(state, incident=None), (end,)
    if policy.renotify is None or now - incident.notified_at < policy.renotify:
        return state, ()
    after = replace(state, incident=replace(incident, notified_at=now))
    return after, (Renotified(incident.incident_id, incident.started_at, failing),)


def _closure(
    state: AlertState, failing: int | None, now: datetime, policy: AlertPolicy
) -> Closure | None:
    """Why the open incident ends now, None if it does not."""
    if failing is not None:
        return Closure.RECOVERED if failing <= policy.threshold else None
    last = max(point.at for point in state.newest)  # an incident has opened, so there is one
    return Closure.NO_DATA if now - last >= policy.auto_close else None


def _incident_id(policy: str, count: int, at: datetime) -> str:
    """An id as Cloud Monitoring's look: `0.` and twelve small letters and digits."""
    digest = hashlib.sha256(f"{policy} {count} {at.isoformat()}".encode()).digest()
    letters = "0123456789abcdefghijklmnopqrstuvwxyz"
    return "0." + "".join(letters[byte % len(letters)] for byte in digest[:12])
