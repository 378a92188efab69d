"""The laptop world for people: how to reach its parts, and what to try on them.

It must not start or change anything but through `LaptopWorld`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from orchestrator.local.blueprint import PROJECT, SERVICE, LeverName, ModeName
from orchestrator.local.google.gcloud import environment as gcloud_environment
from orchestrator.local.region.region import LocalRegion
from orchestrator.local.world import LaptopWorld

_ALERT = Path(__file__).parents[2] / "examples" / "alerts" / "primary-down.json"


@dataclass(frozen=True, slots=True)
class Serving:
    """A running world. environment: to export. examples: lines to paste, by what they do."""

    environment: Mapping[str, str]
    examples: Mapping[str, str]


@contextmanager
def world(lever: str, mode: str, pace: float, *, pubsub_emulator: bool) -> Iterator[Serving]:
    """A world with users, uptime checks and a tick's function, as long as the block lasts."""
    made = LaptopWorld(
        lever=cast("LeverName", lever),
        mode=cast("ModeName", mode),
        pace=pace,
        controls=1,
        pubsub_emulator=pubsub_emulator,
        data=True,
    )
    with made as running:
        yield Serving(environment(running), examples(running))


def environment(running: LaptopWorld) -> dict[str, str]:
    """What `failoverctl` and every other client needs to find this world."""
    return {
        "FAILOVER_CONFIG": str(running.config),
        "STORAGE_EMULATOR_HOST": running.gcs.url if running.gcs else "",
        "COMPUTE_EMULATOR_HOST": running.load_balancer.api_url,
        "PUBSUB_EMULATOR_HOST": running.messaging.host,
        "MONITORING_EMULATOR_HOST": running.metrics.host if running.metrics else "",
        "GOOGLE_CLOUD_PROJECT": PROJECT,
    }


def examples(running: LaptopWorld) -> dict[str, str]:
    """Lines to paste into a shell."""
    urls = " ".join(region.url for region in running.regions.values())
    gcloud = gcloud_environment(running.load_balancer.api_url, PROJECT, running.folder)
    assigned = " ".join(f"{name}={value}" for name, value in gcloud.items())
    return {
        "check whether a failover would work": "failoverctl check",
        "show who serves the users": f"curl -s {running.load_balancer.url}",
        "make an order. Sent again, it makes no second one": (
            f"curl -s {running.load_balancer.url}orders -H 'Content-Type: application/json'"
            """ -d '{"sku": "tea", "quantity": 1}' -H 'Idempotency-Key: 1'"""
        ),
        "show the order in each region. It is copied within a moment": (
            f"for region in {urls}; do curl -s ${{region}}orders/1; done"
        ),
        **{
            f"{region.name} fails. Its alert comes after a moment": _behave(region, 503)
            for region in running.regions.values()
        },
        "show what was decided, and why": f"failoverctl explain {SERVICE}",
        "show the state of everything until Ctrl-C": "failoverctl status --watch",
        **{f"{region.name} recovers": _behave(region, 200) for region in running.regions.values()},
        "send an alert to the function yourself": (
            f"curl -s {running.functions[0].url} -H 'Content-Type: application/json' -d"
            ' "{\\"message\\": {\\"data\\":'
            f' \\"$(base64 -w0 {_ALERT})\\"}}}}"'
        ),
        "send a tick": "failoverctl tick --apply",
        "show the load balancer with gcloud": (
            f"{assigned} gcloud compute backend-services describe {SERVICE} --global"
        ),
    }


def _behave(region: LocalRegion, status: int) -> str:
    """The line that has a region answer everybody so from now on."""
    told = json.dumps({"health_status": status, "serve_status": status})
    return f"curl -s -X POST {region.url}_laptop/behave -d '{told}'"
