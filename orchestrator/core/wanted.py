"""What shall be beyond what is needed: the value, and what switch, ramp and commands all ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.core.actors import claimed
from orchestrator.core.choice import NOT_PROBED, Scene
from orchestrator.core.model import Command, Leave, Outcome, State, Status, Verdict
from orchestrator.core.rule import Cause, Reason


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be beyond what is needed.

    regions: to carry the traffic. outcome: None when there is nothing to do, or a gate refused.
    left: what the move leaves, for the record. waiting: gates of a move that is merely not due.
    """

    state: State
    regions: tuple[str, ...]
    outcome: Outcome | None = None
    reasons: tuple[Reason, ...] = ()
    waiting: tuple[Reason, ...] = field(default=())


def whole(state: State, regions: Iterable[str]) -> Mapping[str, float]:
    """The ceilings with which those of these regions that have one carry all they can."""
    return {name: 1.0 for name in regions if name in state.ceilings}


def lives(scene: Scene, name: str) -> bool:
    """Whether nothing says that the region fails: then it may still be taking writes."""
    probe = scene.probes.get(name, NOT_PROBED)
    return scene.state.regions[name].status is Status.UP and probe.verdict is not Verdict.FAILING


def left_by_hand(scene: Scene, state: State, left: Iterable[str], to: str) -> State:
    """The state that remembers where a human took the traffic away from.

    Going to the preferred region is going home, and leaves nothing to remember.
    """
    if to == scene.service.names[0]:
        return replace(state, evacuated=())
    return replace(state, evacuated=tuple(dict.fromkeys((*state.evacuated, *left))))


def overridden(gates: Iterable[Reason], command: Command) -> tuple[Reason, ...]:
    """The gates, with the refusal of the one rule that the human named taken back, by name."""
    by = f"overridden by {claimed(command.actor)}"
    return tuple(
        replace(gate, passed=True, value=f"{gate.value}; {by}", cause=Cause.OVERRIDDEN)
        if not gate.passed and gate.rule == command.override
        else gate
        for gate in gates
    )


def to_be_drained(state: State, region: str, why: Leave) -> State:
    """The state in which that region is drained once another is the primary and says so itself."""
    entry = replace(state.regions[region], leave=why)
    return replace(state, regions={**state.regions, region: entry})


def away(scene: Scene, current: tuple[str, ...]) -> tuple[str, ...]:
    """The regions that do not carry all that they can, in order of preference."""
    part = {name for name, share in scene.state.ceilings.items() if share < 1}
    return tuple(n for n in scene.service.names if n not in current or n in part)
