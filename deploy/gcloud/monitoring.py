"""Uptime checks, channels and alert policies.

gcloud has alert policies in its alpha track only, and channels in its beta track.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from deploy.gcloud import policies
from deploy.gcloud.function_policies import ours
from deploy.gcloud.policy import LABELS
from deploy.gcloud.settings import NUMBER, Check, Settings
from deploy.gcloud.step import (
    AnyStep,
    Filled,
    Line,
    Step,
    Title,
    Variable,
    Words,
    flags,
    pairs,
    word,
)

MONITORING = word(
    "serviceAccount:service-",
    NUMBER,
    "@gcp-sa-monitoring-notification.iam.gserviceaccount.com",
)
METRICS = {
    "page": "Log lines that call a human.",
    "frozen": "Log lines written while a freeze stands.",
}
"""Fields of log lines that are counted by service, and what the metric of each is."""

_FILLED = r"""filled() {
    sed -e "s|@CHECK@|${check:-}|g" -e "s|@TOPIC@|${topic:-}|g" \
        -e "s|\"@PEOPLE@\"|${people:-}|g" -- "$1"
}"""


def steps(settings: Settings) -> Iterator[AnyStep]:
    """All of it; after the topics and the functions."""
    yield from _channels(settings)
    yield Title("what Monitoring publishes, and what people are alerted to")
    yield Line(_FILLED)
    checked = {(check.service, check.region): check for check in settings.checks}
    for (service, region), check in checked.items():
        yield _uptime(settings, check)
        yield Line("check=${check##*/}")
        yield _policy(settings, f"region-{service}-{region}")
        yield _policy(settings, f"silent-{service}-{region}")
    for field in METRICS:
        yield _metric(settings, field)
    for name in policies.all_policies(settings):
        if not name.startswith(("region-", "silent-")):
            yield _policy(settings, name)


def files(settings: Settings) -> dict[str, str]:
    """The policies, and the metrics of log lines."""
    made = policies.all_policies(settings)
    return {
        **{
            f"metric_{field}.json": json.dumps(metric(settings, field), indent=2)
            for field in METRICS
        },
        **{f"policy_{name}.json": json.dumps(policy, indent=2) for name, policy in made.items()},
    }


def metric(settings: Settings, field: str) -> dict[str, object]:
    """Log lines in which this field is true."""
    return {
        "description": METRICS[field],
        "filter": f"{ours(settings)} AND jsonPayload.{field}=true",
        "metricDescriptor": {
            "metricKind": "DELTA",
            "valueType": "INT64",
            "labels": [{"key": "service", "valueType": "STRING"}],
        },
        "labelExtractors": {"service": "EXTRACT(jsonPayload.service)"},
    }


def _channels(settings: Settings) -> Iterator[AnyStep]:
    yield Title("channels: the alerts topic, and people")
    path = f"projects/{settings.project}/topics/{settings.topics['alerts']}"
    yield _channel(settings, "alerts topic", "pubsub", {"topic": path}, Variable("topic"))
    grant = ("pubsub", "topics", "add-iam-policy-binding", settings.topics["alerts"])
    role = flags(member=MONITORING, role="roles/pubsub.publisher", format="none")
    yield Step((*grant, *_in(settings), *role))
    yield Line("people=")
    for email in settings.emails:
        yield _channel(settings, email, "email", {"email_address": email}, Variable("channel"))
        yield Line('people="${people:+$people,}\\"${channel}\\""')


def _channel(
    settings: Settings, title: str, kind: str, labels: dict[str, str], into: Variable
) -> Step:
    verb = ("beta", "monitoring", "channels")
    given = flags(
        display_name=f"{settings.name}: {title}",
        type=kind,
        channel_labels=pairs(labels),
        user_labels=pairs(LABELS),
    )
    found = flags(filter=f'displayName="{settings.name}: {title}" AND type="{kind}"')
    name = flags(format="value(name)")
    return Step(
        (*verb, "create", *_in(settings), *given, *name),
        look=(*verb, "list", *_in(settings), *found, *name),
        into=into,
    )


def _uptime(settings: Settings, check: Check) -> Step:
    parts = urlsplit(check.url)
    secure = parts.scheme == "https"
    title = f"{settings.name} {check.service} {check.region}"
    given = flags(
        resource_type="uptime-url",
        resource_labels=f"host={check.host},project_id={settings.project}",
        protocol="https" if secure else "http",
        port=parts.port or (443 if secure else 80),
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        request_method="get",
        validate_ssl="true" if secure else None,
        status_classes="2xx",
        service_agent_auth="oidc-token" if settings.oidc else None,
        period=1,
        timeout=10,
        user_labels=pairs({**LABELS, **check.labels}),
    )
    verb, name = ("monitoring", "uptime"), flags(format="value(name)")
    return Step(
        (*verb, "create", title, *_in(settings), *given, *name),
        look=(
            *verb,
            "list-configs",
            *_in(settings),
            *flags(filter=f'displayName="{title}"'),
            *name,
        ),
        into=Variable("check"),
    )


def _metric(settings: Settings, field: str) -> Step:
    verb, name = ("logging", "metrics"), f"{settings.name}/{field}"
    content = flags(config_from_file=f"{settings.folder}/metric_{field}.json")
    given = (*content, *_in(settings))
    return Step(
        (*verb, "create", name, *given),
        look=(*verb, "describe", name, *_in(settings)),
        change=(*verb, "update", name, *given),
    )


def _policy(settings: Settings, name: str) -> Step:
    verb = ("alpha", "monitoring", "policies")
    title = str(policies.all_policies(settings)[name]["displayName"])
    policy = Variable("policy")
    content = flags(policy=Filled(f"{settings.folder}/policy_{name}.json"))
    found = flags(filter=f'displayName="{title}"', format="value(name)")
    return Step(
        (*verb, "create", *_in(settings), *content, "--format=value(name)"),
        look=(*verb, "list", *_in(settings), *found),
        change=(*verb, "update", word(policy), *_in(settings), *content, "--format=value(name)"),
        into=policy,
    )


def _in(settings: Settings) -> Words:
    return flags(project=settings.project)
