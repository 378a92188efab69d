"""What is true of every document that was ever written by a decision.

A document may be edited by hand, half restored, or written by a program with a fault. It can be
whole JSON with every field of its type and still say two things that cannot both be true; to act on
it is to move traffic that nobody decided to move. So each read checks what every decision leaves
true, and a document that breaks it is corrupt: nothing moves until a human restores it.

Each check holds in *every* legitimate history, old and new:

- *The primary carries traffic.* A new epoch takes its primary from its routing; so do adoption, a
  restore and a first document.
- *In active-passive mode nothing else does*, from epoch 1 on. At epoch 0 nothing was decided, and
  the document follows what people do to the load balancer: a newer configuration of the other mode
  may have done so before it takes an epoch of its own. Documents of older versions do not tell the
  mode, and are not asked.
- *The routing is what the epoch was decided to be*, where the document keeps that.
- *The shift is the epoch's own.*
- *A freeze or a switch ends after it begins.*

A lower epoch than the load balancer's is no contradiction (the document is old, and is adopted).
Neither is a primary that the configuration no longer names. PURE.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.core.model import Freeze, State, Switch
from orchestrator.core.outside.reading import Contradiction, mapping
from orchestrator.core.policy import Mode


def refuse_contradictions(state: State) -> None:
    """Raise Contradiction, naming the fields, if the document contradicts itself."""
    for check in _CHECKS:
        if contradiction := check(state):
            raise Contradiction(contradiction)


def _names_its_regions(state: State) -> str:
    if not state.routing or state.primary not in state.regions:
        return "primary, routing: the document names no region that it has"
    strange = [name for name in state.routing if name not in state.regions]
    return f"routing: {', '.join(strange)} is not one of its regions" if strange else ""


def _shift_is_the_epochs(state: State) -> str:
    if state.shift is None:
        return f"shift: missing at epoch {state.epoch}" if state.epoch else ""
    shifted = state.shift.mark.epoch
    if shifted == state.epoch:
        return ""
    return f"shift.epoch: {shifted} is not the epoch {state.epoch}"


def _primary_carries(state: State) -> str:
    if state.primary in state.routing:
        return ""
    return (
        f"primary, routing: the primary is {state.primary}, and {_carrying(state)} carries traffic"
    )


def _nothing_else_carries(state: State) -> str:
    if len(state.routing) <= 1 or not state.epoch or not _is_passive(state):
        return ""
    carrying = _carrying(state)
    return f"routing: {carrying} carry traffic, and in active-passive mode only one region does"


def _routing_is_as_decided(state: State) -> str:
    decided = state.shift.routing if state.shift else None
    if decided is None or decided == state.routing:
        return ""
    return (
        f"routing: {_carrying(state)} carries traffic, and epoch {state.epoch} was decided for"
        f" {', '.join(decided)}"
    )


def _freeze_ends_later(state: State) -> str:
    return _ends_later("freeze", state.freeze)


def _switch_ends_later(state: State) -> str:
    return _ends_later("switch", state.switch)


def _ends_later(name: str, lasting: Freeze | Switch | None) -> str:
    if lasting is None or lasting.until >= lasting.since:
        return ""
    return f"{name}: it ends at {lasting.until}, before it begins at {lasting.since}"


_CHECKS: tuple[Callable[[State], str], ...] = (
    _names_its_regions,
    _shift_is_the_epochs,
    _primary_carries,
    _nothing_else_carries,
    _routing_is_as_decided,
    _freeze_ends_later,
    _switch_ends_later,
)
"""Each says what contradicts itself, or nothing. The first one names the whole document's fault."""


def _carrying(state: State) -> str:
    return ", ".join(state.routing)


def _is_passive(state: State) -> bool:
    """Whether the document itself tells this mode: an older version's does not."""
    tells = "mode" in mapping(state.raw.get("config"))
    return tells and state.stamp.mode is Mode.ACTIVE_PASSIVE
