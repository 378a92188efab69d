"""The part of `check` about what is heard of a region: its health URL, Monitoring, its alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from orchestrator.cli.check.finding import Finding, Level
from orchestrator.core.health.second import NOT_ASKED
from orchestrator.core.model import Observed, Probe, Verdict
from orchestrator.core.outside.secrets import masked
from orchestrator.core.policy import Confirm, Region, Service
from orchestrator.core.rules import unheard
from orchestrator.intake.evidence import hosts


def health(service: Service, observed: Observed) -> Iterator[Finding]:
    """What each region's health URL answers, and what follows where it does not answer well."""
    for region in service.regions:
        yield _health(service, region, observed.probes.get(region.name))


def _health(service: Service, region: Region, probe: Probe | None) -> Finding:
    name, what, policy = region.name, "health", service.policy
    if region.health_url is None:
        text = f"A close is taken as proof of its health. {unheard(policy, asked=False)}"
        return Finding(service.name, what, Level.WARN, f"{name}: no health_url", text)
    said = probe.detail if probe else "nothing"
    detail = f"{name}: {masked(region.health_url)} says {said}"
    match probe.verdict if probe else None:
        case Verdict.HEALTHY:
            return Finding(service.name, what, Level.OK, detail)
        case Verdict.SILENT:
            needed = policy.confirm is Confirm.PROBE and not policy.is_credulous
            level = Level.FAIL if needed else Level.WARN
            return Finding(service.name, what, level, detail, unheard(policy, asked=True))
        case _:
            text = f"{name} cannot be moved to while its health URL does not answer with 2xx"
            return Finding(service.name, what, Level.WARN, detail, text)


def shared_hosts(service: Service) -> Iterator[Finding]:
    """Regions that an alert without labels is not matched to: their host is another's too."""
    named = Counter(hosts(region.health_url)[:1] for region in service.regions)
    for region in service.regions:
        host = hosts(region.health_url)[:1]
        if host and named[host] > 1 and not region.check_id:
            detail = f"{region.name}: {host[0]} is the host of another region too"
            text = (
                "Only labels on alert policies tell it apart: give it its own host, or a check_id"
            )
            yield Finding(service.name, "alerts", Level.WARN, detail, text)


def uptime_checks(service: Service, observed: Observed) -> Iterator[Finding]:
    """What Monitoring says of each region, where alerts are confirmed by it."""
    if service.policy.confirm is not Confirm.MONITORING:
        return
    for region in service.regions:
        said = observed.checks.get(region.name, NOT_ASKED)
        detail = f"{region.name}: Monitoring says {said.verdict} ({said.detail})"
        if said.verdict is not Verdict.SILENT:
            yield Finding(service.name, "uptime check", Level.OK, detail)
            continue
        text = (
            f"Alerts of it cannot be confirmed: then it is {service.policy.on_unconfirmed}. See its"
            " check_id, the check's period (60 s) and roles/monitoring.viewer"
        )
        yield Finding(service.name, "uptime check", Level.WARN, detail, text)
