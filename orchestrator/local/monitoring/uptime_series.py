"""What the uptime checks found, as the time series `uptime_check/check_passed`.

Readers ask for it in seconds of Cloud Monitoring ("the last five minutes"), and the laptop's checks
run at a pace. So an interval ends when the reader says, and reaches back from there its length
divided by the pace: at a pace of 60 the last five minutes are the last five seconds. Moments stay
those of the laptop's clock.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from orchestrator.local.monitoring.monitoring import CheckResult, Monitoring
from orchestrator.local.monitoring.notification import PROJECT, UptimeCheck
from orchestrator.local.monitoring.time_series import Key, Point, Series, labels

METRIC = "monitoring.googleapis.com/uptime_check/check_passed"


def uptime_series(monitoring: Monitoring, start: datetime, end: datetime) -> tuple[Series, ...]:
    """One series for each region and checker location that has a result in the interval."""
    after = end - (end - start) / monitoring.pace
    found: dict[Key, list[Point]] = defaultdict(list)
    for result in reversed(monitoring.results):
        if after < result.at <= end:
            found[_key(result, monitoring.checks)].append(Point(result.at, result.passed))
    newest_first = {
        k: sorted(v, key=lambda point: point.at, reverse=True) for k, v in found.items()
    }
    return tuple(Series(key, tuple(points)) for key, points in sorted(newest_first.items()))


def _key(result: CheckResult, checks: Mapping[str, UptimeCheck]) -> Key:
    check = checks[result.region]
    told = {
        "check_id": check.check_id,
        "checker_location": result.vantage.value,
        "checked_resource_id": check.host,
    }
    host = {"host": check.host, "project_id": PROJECT}
    return Key(METRIC, labels(told.items()), "uptime_url", labels(host.items()))
