"""What a document knows of capacity where standbys stay attached (`traffic.standby: attached`).

The desired routing is a function of the epoch: who is the primary, and who has capacity (`attach`),
change with a new epoch only. What was seen on the load balancer (`attached`) changes without one.
Why that matters stands in `orchestrator.core.moves.standbys`. PURE.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from orchestrator.core.document.carried import carries
from orchestrator.core.document.ground import Standing, standing
from orchestrator.core.model import Leave, Routing, State
from orchestrator.core.policy import Service, Standby
from orchestrator.core.traffic.plan import carrying, desired


def noticed(state: State, service: Service, routing: Routing | None, now: datetime) -> State:
    """The state with what can be seen of capacity; as it was where nothing can be seen.

    On a load balancer that does not carry the document's epoch yet, capacity can only be missed.
    """
    if service.standby is not Standby.ATTACHED or routing is None:
        return state
    pointed = set(carrying(routing, service))
    kept = desired(state, service) if state.epoch else pointed
    current = carries(state, routing, service, now)
    regions = dict(state.regions)
    for name, entry in state.regions.items():
        seen = name in pointed and (name in kept if current else entry.attached)
        if seen is not entry.attached:
            regions[name] = replace(entry, attached=seen)
    return replace(state, regions=regions)


def moves_unseen(service: Service, before: State | None) -> bool:
    """Whether a move may be decided while the load balancer cannot be read.

    The document must have been made with this configuration: then it tells who is attached.
    """
    if service.standby is not Standby.ATTACHED or before is None:
        return False
    return standing(before.stamp, service.stamp) is Standing.SAME


def seated(state: State, service: Service, left: str, *, lives: bool) -> State:
    """The state of a new epoch, in which a region with capacity keeps it, as does the primary.

    left: the primary until now. Unless it lives, it is to be drained later.
    """
    if service.standby is not Standby.ATTACHED:
        return state
    regions = {}
    for name, entry in state.regions.items():
        attach = entry.attach or entry.attached or name in state.routing
        leave = entry.leave
        if name in state.routing:
            leave = None
        elif name == left and not lives:
            leave = leave or Leave.FAILED
        regions[name] = replace(entry, attach=attach, leave=leave)
    return replace(state, regions=regions)


def freed(state: State) -> State:
    """The state in which no region is kept without capacity by a human's wish."""
    regions = {
        name: replace(entry, leave=None) if entry.leave is Leave.EVACUATED else entry
        for name, entry in state.regions.items()
    }
    return replace(state, regions=regions)
