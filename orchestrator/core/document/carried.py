"""Whether a routing resource carries the epoch of the document: by its mark, else by its traffic.

The mark is the answer wherever it can stand. Where something else keeps removing it, and we have
stopped writing it alone (`orchestrator.core.paging.leaves_mark`), the traffic is: a resource on
which this epoch has nothing to change carries it. Without that a service whose mark is stripped
would wait for ever for an epoch that is long there. PURE.
"""

from __future__ import annotations

from datetime import datetime

from orchestrator.core.exceptions import UnsafePlan
from orchestrator.core.model import Routing, State
from orchestrator.core.paging import leaves_mark
from orchestrator.core.policy import Service
from orchestrator.core.traffic.plan import mark_of, plan


def carries(state: State, routing: Routing, service: Service, now: datetime) -> bool:
    """Whether the resource, as it was read, carries the state's epoch."""
    seen = mark_of(routing, service)
    if seen == state.mark:
        return True
    if seen > state.mark or not leaves_mark(state, routing.name, now):
        return False
    try:
        return not plan(state, routing, service).changes
    except UnsafePlan:
        return False
