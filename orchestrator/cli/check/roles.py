"""The roles' part of `check`: could each standby take over by the document alone?"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from orchestrator.cli.check.finding import Finding, Level
from orchestrator.core.model import Observed, Part, Role, State
from orchestrator.core.outside.secrets import masked
from orchestrator.core.policy import Region, Service, Standby


def roles(service: Service, observed: Observed) -> Iterator[Finding]:
    """What attached standbys rest on: word of their role, their capacity, a health check."""
    if service.standby is not Standby.ATTACHED:
        return
    state = observed.stored.state
    for region in service.regions:
        yield _role(service, region, observed)
        if state is not None and region.name in state.regions and region.name != state.primary:
            yield _capacity(service, region.name, state)
    yield _health_check(service)


def _role(service: Service, region: Region, observed: Observed) -> Finding:
    said, state = observed.roles.get(region.name), observed.stored.state
    detail = (
        f"{region.name}: {masked(region.role_url or '')} says {said.detail if said else 'nothing'}"
    )
    if said is None or said.part is Part.SILENT:
        text = (
            f"{region.name} cannot become the primary until it answers 200 or 503 there, with the"
            " document's `epoch` in its JSON"
        )
        return Finding(service.name, "role", Level.FAIL, detail, text)
    detail = f"{detail} (epoch {said.epoch}): it {said.part}"
    level, text = _held_against(state, region.name, said) if state else (Level.OK, "")
    return Finding(service.name, "role", level, detail, text)


def _held_against(state: State, name: str, said: Role) -> tuple[Level, str]:
    """How what a region says of its role agrees with the document."""
    is_primary, leads = name == state.primary, said.part is Part.LEADS
    if leads and not is_primary:
        text = f"Users go to it and to {state.primary}: see why it does not read the document"
        return Level.FAIL, text
    if is_primary and not leads:
        text = "The primary does not lead, so nobody is sent there: see its health and its document"
        return Level.FAIL, text
    if said.epoch < state.epoch:
        text = f"The document is at epoch {state.epoch}: see why its application does not read it"
        return Level.WARN, text
    return Level.OK, ""


def _capacity(service: Service, name: str, state: State) -> Finding:
    entry, what = state.regions[name], "standby"
    if entry.attached:
        return Finding(service.name, what, Level.OK, f"{name} is attached")
    why = f" ({entry.leave})" if entry.leave else ""
    text = (
        "It cannot take over while the Compute API is unavailable. Ticks attach it when it is"
        " healthy and answers as a standby. An evacuated region is attached when a human moves"
        " traffic back to it. At epoch 0 nothing is attached: raise `serial`"
    )
    return Finding(service.name, what, Level.WARN, f"{name} has no capacity{why}", text)


def _health_check(service: Service) -> Finding:
    """What nobody here can see: that the load balancer asks for the role."""
    paths = sorted({urlsplit(region.role_url or "").path for region in service.regions})
    detail = (
        f"the load balancer must ask for {', '.join(paths)}, and that cannot be checked from here"
    )
    text = (
        "Look at the health check of the backend service (Cloud Run: at the readiness probe of each"
        " region's service). With any other path users are sent to every region at once"
    )
    return Finding(service.name, "health check", Level.WARN, detail, text)
