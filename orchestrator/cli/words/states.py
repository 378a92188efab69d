"""Where an incident and a region stand, in sentences. PURE: from the document's values to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from orchestrator.cli.words.times import ago
from orchestrator.core.model import Incident, IncidentState, Status
from orchestrator.core.outside.actors import claimed
from orchestrator.core.rules import DOUBTS

_STATES: Mapping[IncidentState, str] = {
    IncidentState.OPEN: "open",
    IncidentState.STALE: "never closed by Monitoring",
    IncidentState.CLOSED: "closed by Monitoring",
}


def incident_sentence(incident: Incident, now: datetime) -> str:
    """Where one incident stands, and what it means for its region."""
    began = ago(incident.started_at, now)
    origin = f"Incident {incident.id} of {incident.region}, begun {began}"
    if not incident.opened:
        return (
            f"{origin}: only its close has come, and not its open. It changes no region. An open"
            " that comes late changes none either."
        )
    if incident.id.startswith("tick-"):
        origin += ", opened by ticks that saw the region fail without any alert"
    return f"{origin}: {_uncounted(incident) or _counted(incident)}."


def _uncounted(incident: Incident) -> str:
    """Why it does not count against its region. Empty where it does."""
    if incident.set_aside:
        return (
            f"overridden, because {claimed(incident.set_aside)} sent the traffic there in spite of"
            " it. Only a newer incident counts against the region"
        )
    if not incident.contradicted:
        return ""
    if incident.doubt:
        return (
            f"{_STATES[incident.state]}, but {DOUBTS[incident.doubt]}. It counts only while our own"
            f" probe of {incident.region} fails, and that has not been seen yet"
        )
    return (
        f"{_STATES[incident.state]}, but the second signal found the region healthy when it came,"
        " so it does not count"
    )


def _counted(incident: Incident) -> str:
    match incident.state:
        case IncidentState.OPEN:
            return "still open"
        case IncidentState.STALE:
            return "Monitoring never closed it, but the region has proven healthy since"
        case IncidentState.CLOSED if incident.settled:
            return "closed by Monitoring, and the region has proven healthy since"
        case IncidentState.CLOSED:
            return (
                "closed by Monitoring. A close is no proof of health: ticks must see the region"
                " answer well first"
            )


def region_sentence(
    name: str,
    status: Status,
    probe: str,
    incidents: Sequence[Incident],
    chosen: str | None,
    *,
    failing: bool = False,
) -> str:
    """Where one region stands and why.

    chosen: by whom, if that is all that it is up for. failing: its probe fails now.
    """
    count = len(incidents)
    about = f"{count} incident{' is' if count == 1 else 's are'} known"
    meaning = {
        Status.UP: _up(chosen, failing=failing),
        Status.DOWN: "DOWN: an incident is open that nothing contradicts",
        Status.RECOVERING: "recovering: it was down, and has not proven healthy yet",
    }[status]
    return f"{name} is {meaning}. Its probe now: {probe}. {about}."


def _up(chosen: str | None, *, failing: bool) -> str:
    if chosen:
        return f"up: {claimed(chosen)} chose it, and it has not proven healthy since"
    return "up by the document, and its probe fails now" if failing else "up: it may carry traffic"
