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

from collections.abc import Iterator

from orchestrator.core.model import State
from orchestrator.core.policy import Mode
from orchestrator.core.reading import Contradiction, mapping


def refuse_contradictions(state: State) -> None:
    """Raise Contradiction, naming the fields, if the document contradicts itself."""
    found = next(_contradictions(state), None)
    if found is not None:
        raise Contradiction(found)


def _contradictions(state: State) -> Iterator[str]:
    carrying = ", ".join(state.routing)
    if not state.routing or state.primary not in state.regions:
        yield "primary, routing: the document names no region that it has"
    if strange := [name for name in state.routing if name not in state.regions]:
        yield f"routing: {', '.join(strange)} is none of its regions"
    if state.shift and state.shift.pair.epoch != state.epoch:
        yield f"shift.epoch: {state.shift.pair.epoch} is not the epoch {state.epoch}"
    if state.epoch and not state.shift:
        yield f"shift: missing at epoch {state.epoch}"
    if state.primary not in state.routing:
        yield f"primary, routing: the primary is {state.primary}, and {carrying} carries traffic"
    if len(state.routing) > 1 and state.epoch and _is_passive(state):
        yield f"routing: {carrying} carry traffic, and in active-passive mode only one region does"
    decided = state.shift.routing if state.shift else None
    if decided is not None and decided != state.routing:
        was = ", ".join(decided)
        yield f"routing: {carrying} carries traffic, and epoch {state.epoch} was decided for {was}"
    if state.freeze and state.freeze.until < state.freeze.since:
        yield f"freeze: it ends at {state.freeze.until}, before it begins at {state.freeze.since}"
    if state.switch and state.switch.until < state.switch.since:
        yield f"switch: it ends at {state.switch.until}, before it begins at {state.switch.since}"


def _is_passive(state: State) -> bool:
    told = "mode" in mapping(state.raw.get("config"))
    return told and state.stamp.mode is Mode.ACTIVE_PASSIVE
