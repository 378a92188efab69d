"""Times for people. All are UTC."""

from __future__ import annotations

from datetime import datetime

from orchestrator.core.outside.reading import read_time


def ago(at: datetime, now: datetime) -> str:
    """A time and how long ago that was."""
    passed = round((now - at).total_seconds())
    when = at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{when} ({long(passed)} ago)" if passed >= 0 else f"{when} (in the future)"


def long(seconds: int) -> str:
    """A time that has passed, in its two largest units: `45s`, `3m 20s`, `2h 5m`, `9d 4h`."""
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {seconds % 60}s" if minutes else f"{seconds}s"


def short(stamp: object) -> str:
    """A document's time for a table: to the second."""
    return str(stamp)[:19].replace("T", " ") if stamp else "-"


def when(stamp: object, now: datetime) -> str:
    """A document's time and how long ago that was. What is no time stays as it is."""
    try:
        return ago(read_time(stamp), now)
    except (ValueError, OverflowError):
        return str(stamp)


def moment(at: datetime, now: datetime) -> str:
    """A time of day, with its date where that is another day."""
    day = "" if at.date() == now.date() else f"{at:%Y-%m-%d} "
    return f"{day}{at:%H:%M:%S} UTC"


def is_past(stamp: object, now: datetime) -> bool:
    """Whether a document's time is over. What is no time is not."""
    try:
        return read_time(stamp) <= now
    except (ValueError, OverflowError):
        return False
