"""Alert policies as Monitoring's API has them: what is published, and that a check is silent."""

from __future__ import annotations

from deploy.gcloud import function_policies
from deploy.gcloud.policy import Policy, joined, named, policy, text
from deploy.gcloud.settings import Check, Settings

ABSENCE, FAILING, DURATION, CLOSE = 300, 2, 60, 3600  # seconds, except FAILING: checkers


def all_policies(settings: Settings) -> dict[str, Policy]:
    """Every policy by the name of its file."""
    found: dict[str, Policy] = {}
    for check in settings.checks:
        key = f"{check.service}-{check.region}"
        found[f"region-{key}"] = region(settings, check)
        found[f"silent-{key}"] = silent(settings, check)
    for name in function_policies.LINES:
        found[f"line-{name}"] = function_policies.line(settings, name)
    for place in settings.regions:
        found[f"tick-{place}"] = function_policies.tick(settings, place)
    found["foreign"] = function_policies.foreign(settings)
    found["dead-letter"] = function_policies.dead_letter(settings)
    found["backlog"] = function_policies.backlog(settings)
    found["page"] = function_policies.paged(settings)
    found["frozen"] = function_policies.frozen(settings)
    if settings.gauges:  # last: until the first tick has made the metric, it is refused
        found["gauges"] = function_policies.gauges(settings)
    return found


def region(settings: Settings, check: Check) -> Policy:
    """The policy that publishes a region's failing."""
    condition = {
        "filter": _results(),
        "comparison": "COMPARISON_GT",
        "thresholdValue": FAILING - 1,
        "duration": f"{DURATION}s",
        "aggregations": [
            {
                "alignmentPeriod": "1200s",
                "perSeriesAligner": "ALIGN_NEXT_OLDER",
                "crossSeriesReducer": "REDUCE_COUNT_FALSE",
                "groupByFields": ["resource.label.project_id", "resource.label.host"],
            }
        ],
        "trigger": {"count": 1},
    }
    return {
        **policy(settings, f"{check.service} {check.region} is failing", "CRITICAL", check.labels),
        "notificationChannels": ["@TOPIC@"],
        "conditions": [named(f"{FAILING} or more checkers fail", "conditionThreshold", condition)],
        "alertStrategy": {
            "autoClose": f"{CLOSE}s",
            "notificationPrompts": ["OPENED", "CLOSED"],
        },
        **text(
            f"{check.url} fails from {FAILING} or more of six places. The orchestrator takes this"
            " alert; its log and the journal say what it did."
        ),
    }


def silent(settings: Settings, check: Check) -> Policy:
    """To people: that no result comes says something about Monitoring, not about the region."""
    condition = {
        "filter": _results(),
        "duration": f"{ABSENCE}s",
        "aggregations": [
            {
                "alignmentPeriod": "60s",
                "perSeriesAligner": "ALIGN_COUNT",
                "crossSeriesReducer": "REDUCE_SUM",
                "groupByFields": ["resource.label.host"],
            }
        ],
        "trigger": {"count": 1},
    }
    title = f"check of {check.service} {check.region} is silent"
    return {
        **policy(settings, title, "ERROR", check.labels),
        "conditions": [named(f"no result for {ABSENCE} s", "conditionAbsent", condition)],
        **text(
            f"No checker has reported on {check.url}. If the region fails now, no alert will say"
            " so; the orchestrator's ticks still ask the region themselves."
        ),
    }


def _results() -> str:
    return joined(
        'metric.type="monitoring.googleapis.com/uptime_check/check_passed"',
        'metric.label.check_id="@CHECK@"',
        'resource.type="uptime_url"',
    )
