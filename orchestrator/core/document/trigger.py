"""What made a decision: an alert, a tick, a command, or a human who restored or adopted a document.

The history, the journal and the events have it as data, under the name `signal`. Older versions
wrote a sentence there. `read` takes both. PURE.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from orchestrator.core.document import older_words
from orchestrator.core.model import (
    AlertClosed,
    AlertOpened,
    Command,
    IncidentState,
    Json,
    Signal,
    Tick,
)
from orchestrator.core.outside.actors import claimed


class TriggerOrigin(StrEnum):
    """Where a decision came from. unknown: this version cannot tell."""

    ALERT = "alert"
    TICK = "tick"
    COMMAND = "command"
    RESTORE = "restore"
    ADOPT = "adopt"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trigger:
    """What made a decision. A field that the kind does not have is empty.

    incident, state: of an alert, the state being `open` or `closed`. region: that the alert or the
    command names. id, verb, reason: of a command. actor: who gave the command, restored or adopted,
    as they claim. generation: that was restored. text: what stands there where nothing else fits.
    """

    kind: TriggerOrigin
    incident: str = ""
    state: str = ""
    region: str = ""
    id: str = ""
    verb: str = ""
    actor: str = ""
    reason: str = ""
    generation: str = ""
    text: str = ""

    @property
    def ids(self) -> frozenset[str]:
        """The ids by which a person may ask for it: the command's, or the incident's.

        One incident's id may come for two regions: the second one's has the region behind it.
        """
        also = f"{self.incident}@{self.region}" if self.incident else ""
        return frozenset({self.id, self.incident, also} - {""})


def of(signal: Signal) -> Trigger:
    """The trigger of a decision on this signal."""
    match signal:
        case AlertOpened():
            return Trigger(
                TriggerOrigin.ALERT, signal.incident_id, IncidentState.OPEN, signal.region
            )
        case AlertClosed():
            return Trigger(
                TriggerOrigin.ALERT, signal.incident_id, IncidentState.CLOSED, signal.region
            )
        case Tick():
            return Trigger(TriggerOrigin.TICK)
        case Command():
            return Trigger(
                TriggerOrigin.COMMAND,
                region=signal.region,
                id=signal.id,
                verb=signal.wish,
                actor=signal.actor,
                reason=signal.reason,
            )


def as_json(trigger: Trigger) -> Json:
    """It as the history has it: the kind, and each field that is not empty."""
    told = ((field.name, getattr(trigger, field.name)) for field in fields(trigger))
    return {name: str(value) for name, value in told if value}


def read(recorded: object) -> Trigger:
    """The trigger that an entry's `signal` tells of, in any version's form. Raises nothing."""
    if not isinstance(recorded, dict):
        return _older(recorded)
    kind = _text(recorded.get("kind"))
    if kind not in set(TriggerOrigin):
        return Trigger(TriggerOrigin.UNKNOWN, text=kind)
    known = {field.name for field in fields(Trigger)} - {"kind"}
    return Trigger(TriggerOrigin(kind), **{name: _text(recorded.get(name)) for name in known})


def _older(recorded: object) -> Trigger:
    told = older_words.signal(_text(recorded))
    return Trigger(TriggerOrigin(told.pop("kind", TriggerOrigin.UNKNOWN)), **told)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def words(trigger: Trigger) -> str:
    """It in a few words, with its actor as claimed."""
    match trigger.kind:
        case TriggerOrigin.ALERT:
            return f"alert {trigger.incident} {trigger.state} {trigger.region}"
        case TriggerOrigin.TICK:
            return "tick"
        case TriggerOrigin.COMMAND:
            return f"command {trigger.id} {trigger.verb} {asked(trigger)}"
        case TriggerOrigin.RESTORE:
            by = claimed(trigger.actor)
            return f"state restore of generation {trigger.generation} by {by}"
        case TriggerOrigin.ADOPT:
            return f"check --adopt by {claimed(trigger.actor)}"
        case TriggerOrigin.UNKNOWN:
            return trigger.text


def asked(trigger: Trigger) -> str:
    """What a command asks for behind its verb: where to, by whom and why."""
    where = f"{trigger.region} " if trigger.region else ""
    return f"{where}by {claimed(trigger.actor)}: {trigger.reason}"
