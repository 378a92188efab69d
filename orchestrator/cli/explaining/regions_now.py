"""Where every region stands, and what a takeover by it would rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from orchestrator.cli.words import states
from orchestrator.cli.words.views import chosen_by
from orchestrator.core.health.counting import proof_needed
from orchestrator.core.model import (
    Incident,
    IncidentState,
    Observed,
    Part,
    Role,
    State,
    Status,
    Verdict,
)
from orchestrator.core.policy import Service
from orchestrator.core.traffic.plan import desired


def regions(service: Service, state: State, observed: Observed, now: datetime) -> Iterator[str]:
    """Each region of the configuration, in sentences."""
    for name in service.names:
        if name not in state.regions:
            yield f"{name} is configured, and the document does not know it yet. A tick adds it."
            continue
        yield _region(state, observed, name)
        if name in observed.roles:
            yield f"  {_second_path(service, state, name, observed.roles[name])}"
        yield from _counted(service, state, observed, name, now)


def _region(state: State, observed: Observed, name: str) -> str:
    probe = observed.probes.get(name)
    detail = f"{probe.verdict} ({probe.detail})" if probe else "nothing"
    return states.region_sentence(
        name,
        state.regions[name].status,
        detail,
        _incidents(state, name),
        chosen_by(state, name),
        failing=_is_failing(observed, name),
    )


def _incidents(state: State, name: str) -> list[Incident]:
    return [one for one in state.incidents.values() if one.region == name]


def _is_failing(observed: Observed, name: str) -> bool:
    probe = observed.probes.get(name)
    return probe is not None and probe.verdict is Verdict.FAILING


def _counted(
    service: Service, state: State, observed: Observed, name: str, now: datetime
) -> Iterator[str]:
    """What ticks count before they act: healthy probes of a region that was down, or failures."""
    entry, policy = state.regions[name], service.policy
    if entry.status is Status.RECOVERING:
        counted = f"{entry.proofs} of {proof_needed(entry, policy, now)}"
        yield f"  Ticks have counted {counted} healthy probes in a row, 45 s or more apart."
    if entry.healthy and _is_failing(observed, name):
        counted = f"{entry.failures} of {policy.recovery_probes}"
        yield (
            f"  {_why_healthy(state, name)}, although its probe fails. Ticks count the failures"
            f" ({counted} in a row so far) and then mark it as down themselves."
        )


def _why_healthy(state: State, name: str) -> str:
    """Why no alert makes a region unhealthy whose probe fails."""
    if chosen_by(state, name):
        return f"The alerts of {name} were overridden"
    if _has_open(_incidents(state, name)) or any(one.doubt for one in state.incidents.values()):
        return f"No alert counts for {name}"
    return f"No alert has come for {name}"


def _has_open(incidents: Sequence[Incident]) -> bool:
    return any(one.opened and one.state is IncidentState.OPEN for one in incidents)


def _second_path(service: Service, state: State, name: str, role: Role) -> str:
    """What a region says of its role, and whether it could take over by the document alone."""
    entry = state.regions[name]
    by = "" if role.part is Part.SILENT else f" by the document of epoch {role.epoch}"
    told = f"Its role URL says {role.detail}{by}: it {_PARTS[role.part]}."
    if name == state.primary:
        return told
    if entry.leave is not None:
        drained = "drained" if name not in desired(state, service) else "to be drained"
        return f"{told} It is {drained}: {entry.leave}."
    if entry.attached:
        return f"{told} It is attached, and could take over without the Compute API."
    return f"{told} It has no capacity, as last seen, and must be attached before it can take over."


_PARTS = {
    Part.LEADS: "takes itself for the primary",
    Part.LINGERS: "was the primary a moment ago, and still answers",
    Part.STANDS_BY: "stands by",
    Part.SILENT: "does not say what it is",
}
