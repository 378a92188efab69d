"""`check`'s part about replication lag: would an unknown one hold a failover?"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cli.check.finding import Finding, Level
from orchestrator.core import rules
from orchestrator.core.model import NoLag, Observed, Probe, Verdict
from orchestrator.core.policy import Service


def lag(service: Service, observed: Observed) -> Iterator[Finding]:
    """Each region that answers well and whose lag behind another is unknown to the rule."""
    for name in service.names:
        probe = observed.probes.get(name)
        if probe is None or probe.verdict is not Verdict.HEALTHY:
            continue
        unknown = list(_unknown(service, name, probe))
        if unknown:
            text = (
                f"No failover goes to {name} meanwhile. See its health endpoint and the heartbeats,"
                " or write on_lag: proceed"
            )
            detail = f"{name}: {unknown[0]}"
            detail += f" (and {len(unknown) - 1} more)" if unknown[1:] else ""
            yield Finding(service.name, "replication lag", Level.WARN, detail, text)


def _unknown(service: Service, name: str, probe: Probe) -> Iterator[str]:
    """Why the rule refuses this region, for each other region whose lag it does not report."""
    for other in service.names:
        if other != name and isinstance(probe.behind(other), NoLag):
            reason = rules.replication_lag(service.policy, name, other, probe)
            if not reason.passed:
                yield reason.value
