"""What people are alerted to about the functions and their messages."""

from __future__ import annotations

from deploy.gcloud.messaging import dead_letters, names
from deploy.gcloud.policy import Policy, joined, named, policy, text
from deploy.gcloud.settings import Settings

SILENCE, ABSENCE, FREEZE_HOURS = 600, 300, 4  # seconds; hours


LINES = {
    "page": (
        "CRITICAL", "a human is needed",
        ("The orchestrator cannot or must not go on by itself. The line's message says why;"
         " `failoverctl status` and `explain` say more."),
    ),
    "poison": (
        "ERROR", "a message could not be read",
        ("It was acknowledged and lies in the journal under `_poison`. An alert that matches"
         " no region is a failover that did not happen: label its policy with `service` and"
         " `region`."),
    ),
    "unverified": (
        "ERROR", "a shift is not verified",
        ("The load balancer is not as the document says, after two attempts. The next tick tries"
         " again; if this comes again, something else writes to the backend service."),
    ),
}  # fmt: skip
"""Fields of the function's log lines that people are alerted to."""

FOREIGN = (
    "affinityCookieTtlSec", "cdnPolicy", "circuitBreakers", "compressionMode",
    "connectionDraining", "connectionTrackingPolicy", "consistentHash", "customMetrics",
    "customRequestHeaders", "customResponseHeaders", "edgeSecurityPolicy", "enableCDN",
    "externalManagedMigrationState", "externalManagedMigrationTestingPercentage", "failoverPolicy",
    "haPolicy", "healthChecks", "iap", "ipAddressSelectionPolicy", "loadBalancingScheme",
    "localityLbPolicies", "localityLbPolicy", "logConfig", "maxStreamDuration", "metadatas",
    "name", "network", "networkPassThroughLbTrafficPolicy", "orchestrationInfo",
    "outlierDetection", "params", "port", "portName", "protocol", "securityPolicy",
    "securitySettings", "serviceBindings", "serviceLbPolicy", "sessionAffinity",
    "strongSessionAffinityCookie", "subsetting", "timeoutSec", "tlsSettings",
)  # fmt: skip
"""Fields of a backend service beside what the function writes and what only Google writes."""


def foreign(settings: Settings) -> Policy:
    """A change of a backend service as the function, that the function never makes."""
    account = settings.account("function")
    fields = (f"protoPayload.request.{field}:*" for field in FOREIGN)
    patch = 'NOT protoPayload.methodName="v1.compute.backendServices.patch"'
    condition = {
        "filter": joined(
            'log_id("cloudaudit.googleapis.com/activity")',
            'resource.type="gce_backend_service"',
            f'protoPayload.authenticationInfo.principalEmail="{account}"',
            f"({' OR '.join((patch, *fields))})",
        ),
        "labelExtractors": {
            "method": "EXTRACT(protoPayload.methodName)",
            "resource": "EXTRACT(protoPayload.resourceName)",
        },
    }
    name = "a backend service changed as the function, in a field that it never writes"
    return {
        **policy(settings, "a change that is not the orchestrator's", "CRITICAL"),
        "conditions": [named(name, "conditionMatchedLog", condition)],
        "alertStrategy": {"autoClose": "3600s", "notificationRateLimit": {"period": "300s"}},
        **text(
            f"The account {account} has changed a field of a backend service that the orchestrator"
            " never writes. Somebody else acts with its identity. Read the audit log entry, disable"
            f" the account (`gcloud iam service-accounts disable {account}"
            f" --project={settings.project}`; no failover happens then), and put the backend"
            " service right."
        ),
    }


def line(settings: Settings, field: str) -> Policy:
    """A line in the function's log."""
    severity, title, content = LINES[field]
    condition = {
        "filter": f"{ours(settings)} AND jsonPayload.{field}=true",
        "labelExtractors": {
            "message": "EXTRACT(jsonPayload.message)",
            "service": "EXTRACT(jsonPayload.service)",
        },
    }
    return {
        **policy(settings, title, severity),
        "conditions": [named(f"log line with {field}", "conditionMatchedLog", condition)],
        "alertStrategy": {"autoClose": "3600s", "notificationRateLimit": {"period": "300s"}},
        **text(content),
    }


def tick(settings: Settings, place: str) -> Policy:
    """Dead man: in every region the control function must answer a tick with 2xx."""
    name = f"{settings.name}-control"
    condition = {
        "filter": joined(
            'metric.type="run.googleapis.com/request_count"',
            'metric.label.response_code_class="2xx"',
            'resource.type="cloud_run_revision"',
            f'resource.label.service_name="{name}"',
            f'resource.label.location="{place}"',
        ),
        "comparison": "COMPARISON_LT",
        "thresholdValue": 1,
        "duration": f"{SILENCE}s",
        "evaluationMissingData": "EVALUATION_MISSING_DATA_ACTIVE",
        "aggregations": [
            {
                "alignmentPeriod": "60s",
                "perSeriesAligner": "ALIGN_DELTA",
                "crossSeriesReducer": "REDUCE_SUM",
                "groupByFields": ["resource.label.service_name"],
            }
        ],
    }
    return {
        **policy(settings, f"no tick in {place}", "CRITICAL"),
        "conditions": [named(f"no tick handled for {SILENCE} s", "conditionThreshold", condition)],
        **text(
            f"The orchestrator in {place} does not tick: nothing there repairs drift, proves"
            " recovery or finds lost alerts. The other region's still does, unless it reports the"
            f" same. Look at the log of {name} in {place} and at the Scheduler job"
            f" {settings.name}-tick."
        ),
    }


def gauges(settings: Settings) -> Policy:
    """The other dead man: no tick of a service comes to its end, in no region."""
    condition = {
        "filter": joined(
            'metric.type="custom.googleapis.com/region_failover/last_tick"',
            'resource.type="global"',
        ),
        "duration": f"{ABSENCE}s",
        "aggregations": [
            {
                "alignmentPeriod": "60s",
                "perSeriesAligner": "ALIGN_MAX",
                "crossSeriesReducer": "REDUCE_MAX",
                "groupByFields": ["metric.label.service"],
            }
        ],
        "trigger": {"count": 1},
    }
    name = f"no gauge of a service for {ABSENCE} s"
    return {
        **policy(settings, "no tick ends well", "CRITICAL"),
        "conditions": [named(name, "conditionAbsent", condition)],
        **text(
            "In no region has a tick of this service come to its end: nothing looks after it. The"
            " functions may be answering all the same, so look at their log first, for this"
            " service and for `gauges not written`. Of a service that was taken out of"
            " failover.yaml, close this."
        ),
    }


def paged(settings: Settings) -> Policy:
    """A page of each service: without the limit of 20 a day that policies on log lines have."""
    name = "a page of a service within 10 minutes"
    return {
        **policy(settings, "a service needs a human", "CRITICAL"),
        "conditions": [
            named(name, "conditionPrometheusQueryLanguage", _lines(settings, "page", 0))
        ],
        **text(
            "The orchestrator called a human for this service: once for each condition, then as"
            " reminders. Its log line names the region, the rule and the command to paste:"
            " `jsonPayload.page=true`. `failoverctl ack` ends the reminders of what you have seen."
        ),
    }


def frozen(settings: Settings) -> Policy:
    """A freeze that was forgotten."""
    condition = _lines(settings, "frozen", FREEZE_HOURS * 60 * 60)
    name = f"frozen for {FREEZE_HOURS} h"
    return {
        **policy(settings, "a freeze still stands", "WARNING"),
        "conditions": [named(name, "conditionPrometheusQueryLanguage", condition)],
        **text(
            "No automatic failover happens for this service. If the freeze was forgotten:"
            " `failoverctl unfreeze`."
        ),
    }


def _lines(settings: Settings, field: str, duration: int) -> Policy:
    """Log lines with a field, by service, for so many seconds."""
    metric = f'"logging.googleapis.com/user/{settings.name}/{field}"'
    selected = f'{{"__name__"={metric},"monitored_resource"="cloud_run_revision"}}'
    return {
        "query": f"sum by (service) (increase({selected}[10m])) > 0",
        "duration": f"{duration}s",
        "evaluationInterval": "60s",
        "disableMetricValidation": True,
    }


def dead_letter(settings: Settings) -> Policy:
    """A message that no function took."""
    name = dead_letters(settings)
    chosen = f'resource.label.subscription_id="{name}"'
    return {
        **policy(settings, "a message was given up", "CRITICAL"),
        "conditions": [_waiting(f"messages on {name}", "num_undelivered_messages", chosen, 0, 0)],
        **text(
            "No function took this message for hours. It may be a failover that did not happen."
            f" Read it: `gcloud pubsub subscriptions pull {name} --project={settings.project}"
            " --limit=10`; when it is dealt with, pull it again with `--auto-ack`."
        ),
    }


def backlog(settings: Settings) -> Policy:
    """Long before a message is given up: the function does not answer, or with errors only."""
    chosen = ",".join(f'"{name}"' for name in names(settings))
    chosen = f"resource.label.subscription_id=one_of({chosen})"
    title, metric = "oldest message waits for more than ten minutes", "oldest_unacked_message_age"
    return {
        **policy(settings, "messages are not taken", "ERROR"),
        "conditions": [_waiting(title, metric, chosen, 600, 60)],
        **text(
            "A function does not take its messages. Its log says why: look for severity ERROR and"
            " above. The other region's function takes the same messages."
        ),
    }


def ours(settings: Settings) -> str:
    """The log lines of the functions."""
    services = " OR ".join(f'"{settings.name}-{kind}"' for kind in ("alert", "control"))
    return joined(
        'resource.type="cloud_run_revision"', f"resource.labels.service_name=({services})"
    )


def _waiting(title: str, metric: str, chosen: str, threshold: int, duration: int) -> Policy:
    condition = {
        "filter": joined(
            f'metric.type="pubsub.googleapis.com/subscription/{metric}"',
            'resource.type="pubsub_subscription"',
            chosen,
        ),
        "comparison": "COMPARISON_GT",
        "thresholdValue": threshold,
        "duration": f"{duration}s",
        "aggregations": [{"alignmentPeriod": "60s", "perSeriesAligner": "ALIGN_MAX"}],
    }
    return named(title, "conditionThreshold", condition)
