"""Cloud Monitoring notifications, version 1.2, as an uptime check's alert policy publishes them.

The shape and the oddities are the real ones: times are whole epoch seconds, the same incident id in
open and close, thresholds as strings, display names where one would expect ids. Nothing here reads
a clock or invents an id: both are arguments.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

PROJECT = "laptop"
PROJECT_NUMBER = 100000000001


@dataclass(frozen=True, slots=True)
class UptimeCheck:
    """The uptime check of one region of a service; `host` is that of its health URL."""

    service: str
    region: str
    host: str

    @property
    def check_id(self) -> str:
        """The check's id, as in the label `check_id` of its time series."""
        return f"{self.service}-{self.region}-x1"


def opened(
    check: UptimeCheck, incident_id: str, started_at: datetime, failing: int = 3
) -> dict[str, object]:
    """The notification that an incident began at `started_at`, with `failing` checker locations."""
    return _notification(check, incident_id, started_at, None, failing)


def renotified(
    check: UptimeCheck, incident_id: str, started_at: datetime, failing: int = 3
) -> dict[str, object]:
    """The same notification again, because the incident is still open: it says `renotify`."""
    repeated = _notification(check, incident_id, started_at, None, failing)
    incident = repeated["incident"]
    assert isinstance(incident, dict)  # as `_notification` made it
    return repeated | {"incident": incident | {"renotify": True}}


def closed(
    check: UptimeCheck, incident_id: str, started_at: datetime, ended_at: datetime
) -> dict[str, object]:
    """The notification that the incident which began at `started_at` has ended at `ended_at`."""
    return _notification(check, incident_id, started_at, ended_at, 0)


def trial() -> dict[str, object]:
    """What the console's "send test notification" publishes, with its upper-case state."""
    incident = {
        "incident_id": "12345",
        "scoping_project_id": PROJECT,
        "scoping_project_number": str(PROJECT_NUMBER),
        "url": "http://www.example.com/",
        "started_at": 0,
        "ended_at": 0,
        "state": "OPEN",
        "summary": "Test Incident",
        "apigee_url": "http://www.example.com/",
        "observed_value": "1.0",
        "resource": {"type": "example_resource", "labels": {"example": "label"}},
        "resource_type_display_name": "Example Resource Type",
        "resource_id": "12345",
        "resource_display_name": "Example Resource",
        "resource_name": "projects/12345/example_resources/12345",
        "metric": {
            "type": "test.googleapis.com/metric",
            "displayName": "Test Metric",
            "labels": {"example": "label"},
        },
        "metadata": {"system_labels": {"example": "label"}, "user_labels": {"example": "label"}},
        "policy_name": "projects/12345/alertPolicies/12345",
        "policy_user_labels": {"example": "label"},
        "documentation": "Test documentation",
        "condition": {"name": "example", "displayName": "Example condition"},
        "condition_name": "Example condition",
        "threshold_value": "0.5",
    }
    return {"version": "test", "incident": incident}


def _notification(
    check: UptimeCheck,
    incident_id: str,
    started_at: datetime,
    ended_at: datetime | None,
    failing: int,
) -> dict[str, object]:
    state: Literal["open", "closed"] = "open" if ended_at is None else "closed"
    display = f"{check.service} {check.region} is not healthy"
    incident: dict[str, object] = {
        "incident_id": incident_id,
        "scoping_project_id": PROJECT,
        "scoping_project_number": PROJECT_NUMBER,
        "url": "https://console.cloud.google.com/monitoring/alerting/incidents/"
        f"{incident_id}?project={PROJECT}",
        "started_at": int(started_at.timestamp()),
        "ended_at": None if ended_at is None else int(ended_at.timestamp()),
        "state": state,
        "summary": _summary(check, state, failing),
        "severity": "Critical",
        "policy_name": display,
        "policy_user_labels": {
            "service": check.service,
            "region": check.region,
            "role": "failover",
        },
        "condition_name": display,
        "condition": _condition(check, display),
        "threshold_value": "1",
        "observed_value": f"{failing}.000",
        "documentation": {"content": "The region failover runbook.", "mime_type": "text/markdown"},
    }
    return {"incident": incident | _resource(check) | _metric(check), "version": "1.2"}


def _summary(check: UptimeCheck, state: Literal["open", "closed"], failing: int) -> str:
    relation = "above" if state == "open" else "at or below"
    return (
        f"Uptime Check URL - Check passed for {PROJECT} Uptime Check URL labels "
        f"{{project_id={PROJECT}, host={check.host}}} is {relation} the threshold of 1.000 "
        f"with a value of {failing}.000."
    )


def _condition(check: UptimeCheck, display: str) -> dict[str, object]:
    threshold = {
        "filter": 'metric.type="monitoring.googleapis.com/uptime_check/check_passed" AND '
        f'metric.label.check_id="{check.check_id}" AND resource.type="uptime_url"',
        "aggregations": [
            {
                "alignmentPeriod": "1200s",
                "perSeriesAligner": "ALIGN_NEXT_OLDER",
                "crossSeriesReducer": "REDUCE_COUNT_FALSE",
                "groupByFields": ["resource.label.host", "metric.label.check_id"],
            }
        ],
        "comparison": "COMPARISON_GT",
        "thresholdValue": 1,
        "duration": "60s",
        "trigger": {"count": 1},
    }
    policy = f"projects/{PROJECT}/alertPolicies/{check.service}-{check.region}"
    return {
        "name": f"{policy}/conditions/1",
        "displayName": display,
        "conditionThreshold": threshold,
    }


def _resource(check: UptimeCheck) -> dict[str, object]:
    return {
        "resource": {
            "type": "uptime_url",
            "labels": {"project_id": PROJECT, "host": check.host},
        },
        "resource_id": "",
        "resource_name": f"{PROJECT} Uptime Check URL labels {{host={check.host}}}",
        "resource_display_name": "",
        "resource_type_display_name": "Uptime Check URL",
        "metadata": {"system_labels": {}, "user_labels": {}},
    }


def _metric(check: UptimeCheck) -> dict[str, object]:
    return {
        "metric": {
            "type": "monitoring.googleapis.com/uptime_check/check_passed",
            "displayName": "Check passed",
            "labels": {"check_id": check.check_id},
        }
    }
