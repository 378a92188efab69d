"""Time series as Cloud Monitoring keeps them, in memory, with its rules of what may be written.

PURE but for what it remembers: time is an argument. A request with more than 200 series, with two
points of one, or with none is refused whole; else every series is judged by itself, those that may
be are written, and the caller is told of the others. It must not know how a request came, and it
keeps gauges of plain values only.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.local.pubsub.pubsub import Code, Refused

MOST = 200
KEPT = 2000
"""Points that are kept of one series: more than a day's, one a minute."""

SPACING = timedelta(seconds=5)
OLDEST, FURTHEST = timedelta(hours=25), timedelta(minutes=5)
WRITABLE = ("custom.googleapis.com/", "external.googleapis.com/", "workload.googleapis.com/")

Labels = tuple[tuple[str, str], ...]
Value = bool | int | float | str


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What makes a series the one it is. Labels are in the order of their names."""

    metric: str
    labels: Labels
    resource: str
    resource_labels: Labels

    def __str__(self) -> str:
        return f"{self.resource}{_braced(self.resource_labels)} {self.metric}{_braced(self.labels)}"


@dataclass(frozen=True, slots=True)
class Point:
    """One value at one time."""

    at: datetime
    value: Value


@dataclass(frozen=True, slots=True)
class Series:
    """A series with some of its points, the newest first. What is to be written has one."""

    key: Key
    points: tuple[Point, ...]

    def within(self, start: datetime, end: datetime) -> "Series":
        """The part of it that is later than `start` and not later than `end`."""
        return Series(self.key, tuple(p for p in self.points if start < p.at <= end))


class TimeSeries:
    """What was written, by key. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Key, tuple[Point, ...]] = {}

    def write(self, drafts: Sequence[Series], now: datetime) -> None:
        """Write the one point of each. Raises Refused, with all the others written."""
        _check_request(drafts)
        with self._lock:
            faults = [self._write(draft, now) for draft in drafts]
        told = [f"{text}: timeSeries[{n}] {drafts[n].key}" for n, text in enumerate(faults) if text]
        if told:
            text = f"One or more TimeSeries could not be written: {'; '.join(told)}"
            raise Refused(Code.INVALID_ARGUMENT, text)

    def all(self) -> tuple[Series, ...]:
        """Every series, in the order of their keys."""
        with self._lock:
            return tuple(Series(key, points) for key, points in sorted(self._kept.items()))

    def _write(self, draft: Series, now: datetime) -> str:
        """Write it and say nothing; or say why not."""
        (point,) = draft.points
        kept = self._kept.get(draft.key, ())
        fault = _fault(draft.key, point, now) or (_misfit(kept[0], point) if kept else "")
        if not fault:
            self._kept[draft.key] = (point, *kept)[:KEPT]
        return fault


def labels(given: Iterable[tuple[str, str]]) -> Labels:
    """Labels in their order."""
    return tuple(sorted(given))


def _check_request(drafts: Sequence[Series]) -> None:
    if not 0 < len(drafts) <= MOST:
        text = f"Field timeSeries had an invalid value: {len(drafts)} series, not 1 to {MOST}."
        raise Refused(Code.INVALID_ARGUMENT, text)
    seen: set[Key] = set()
    for number, draft in enumerate(drafts):
        field = f"Field timeSeries[{number}]"
        if len(draft.points) != 1:
            text = f"{field}.points had an invalid value: exactly one point is written at a time."
            raise Refused(Code.INVALID_ARGUMENT, text)
        if draft.key in seen:
            text = f"{field} had an invalid value: Duplicate TimeSeries encountered."
            raise Refused(Code.INVALID_ARGUMENT, text)
        seen.add(draft.key)


def _fault(key: Key, point: Point, now: datetime) -> str:
    """What is wrong with the point whatever came before it."""
    if not key.metric.startswith(WRITABLE):
        return "The metric type must begin with custom.googleapis.com/ or another writable prefix"
    if not key.resource:
        return "The monitored resource has no type"
    if point.at < now - OLDEST:
        return "Data points cannot be written more than 25h in the past"
    if point.at > now + FURTHEST:
        return "Data points cannot be written more than 5m in the future"
    return ""


def _misfit(last: Point, point: Point) -> str:
    """What is wrong with the point after the last one of its series."""
    if type(point.value) is not type(last.value):
        return "Value type is not that of the metric"
    if point.at <= last.at:
        return (
            "Points must be written in order. One or more of the points specified had an older"
            " start time than the most recent point."
        )
    if point.at - last.at < SPACING:
        return (
            "One or more points were written more frequently than the maximum sampling period"
            " configured for the metric."
        )
    return ""


def _braced(given: Labels) -> str:
    return "{" + ",".join(f"{name}:{value}" for name, value in given) + "}"
