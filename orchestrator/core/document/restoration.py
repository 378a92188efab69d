"""A document brought back: an older version's health, the resource's traffic, a new epoch.

An instance that still holds a decision of the lost document must be fenced out, and the epoch must
not go back. So the restored document takes an epoch above all that is known from anywhere, and
adopts the traffic as the resource has it, never the old version's. At epoch 0 nothing was ever
decided, and nothing is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from orchestrator.core.document.ground import (
    Standing,
    adopted,
    refit,
    settle,
    standing,
    undisturbed,
)
from orchestrator.core.exceptions import Outdated, UnsafePlan
from orchestrator.core.model import (
    Decision,
    DecisionOutcome,
    Mark,
    Phase,
    Role,
    Routing,
    Shift,
    State,
)
from orchestrator.core.policy import Service
from orchestrator.core.rule import Reason, Rule
from orchestrator.core.traffic.fence import next_epoch
from orchestrator.core.traffic.plan import carrying, desired, mark_of, remember

_EPOCH = re.compile(rb'"epoch"\s*:\s*(\d{1,9})(?!\d)')


def highest_epoch(data: bytes) -> int:
    """The highest epoch that stands anywhere in these bytes, readable as a document or not."""
    return max((int(found) for found in _EPOCH.findall(data)), default=0)


def restored(  # a version, and all that fences it
    service: Service,
    good: State,
    routing: Routing,
    generation: int,
    floor: int,
    now: datetime,
    roles: Mapping[str, Role],
) -> Decision:
    """The document to commit over this generation: `good`, above every epoch known.

    floor: the highest epoch seen elsewhere, in the journal or the lost document. Raises Outdated
    when the version was made with a newer configuration than this one, UnsafePlan when the resource
    gives no configured region traffic.
    """
    if standing(good.stamp, service.stamp) is Standing.OLDER:
        raise Outdated(
            f"{service.name}: that version was made with configuration serial {good.stamp.serial},"
            f" this one has {service.stamp.serial}. Restore with the newer file"
        )
    seen = mark_of(routing, service)
    known = max(good.epoch, seen.epoch, floor)
    value = f"epochs known: {good.epoch} in that version, {seen.epoch} on {routing.name}, {floor}"
    reasons = (Reason(Rule.RESTORE, True, f"{value} elsewhere"),)
    if known == 0:
        return Decision(
            undisturbed(good), DecisionOutcome.ADOPTED, reasons, changed=True, recorded=True
        )
    pointed = carrying(routing, service)
    if not pointed:
        raise UnsafePlan(
            Rule.ROUTING,
            f"{routing.name} gives no configured region of {service.name} traffic, so there is none"
            " to adopt. Nothing was restored. Give a region traffic by hand first",
        )
    epoch = next_epoch(known)
    state = adopted(service, refit(good, service, now), routing, pointed, roles)
    state = replace(
        settle(state, service, routing),
        epoch=epoch,
        stamp=service.stamp,
        shift=Shift(Mark(epoch, generation), Phase.COMMITTED, now, state.routing),
    )
    wanted = desired(state, service)
    state = replace(state, restore=remember(state, routing, service, wanted))
    return Decision(state, DecisionOutcome.ADOPTED, reasons, changed=True, recorded=True)
