"""What all alert policies have in common.

`@CHECK@`, `@TOPIC@` and `"@PEOPLE@"` are filled in by the script, which knows the ids.
"""

from __future__ import annotations

from collections.abc import Mapping

from deploy.gcloud.settings import Settings

LABELS = {"component": "region-failover"}

Policy = dict[str, object]


def policy(
    settings: Settings, title: str, severity: str, labels: dict[str, str] | None = None
) -> Policy:
    """The beginning of every policy."""
    return {
        "displayName": f"{settings.name}: {title}",
        "combiner": "OR",
        "severity": severity,
        "notificationChannels": ["@PEOPLE@"],
        "userLabels": {**LABELS, **(labels or {})},
    }


def named(title: str, kind: str, condition: Mapping[str, object]) -> Policy:
    """One condition."""
    return {"displayName": title, kind: condition}


def text(content: str) -> Policy:
    """What stands in the notification."""
    return {"documentation": {"mimeType": "text/markdown", "content": content}}


def joined(*conditions: str) -> str:
    """A filter of all of these."""
    return " AND ".join(conditions)
