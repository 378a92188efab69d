"""Shift and verify: plan, write once, read both again, plan again, until the plan is empty.

An empty plan is the proof. Whatever the outcome of a write, known or not, the next step is the
same: read state and routing and compare. So a redelivery, a tick, a lost answer and a plain success
all take this one way. The fence (see `orchestrator.core.fence`) is checked before every write.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.core.errors import Conflict, Outdated, Unavailable, Unverified
from orchestrator.core.ground import Standing, standing
from orchestrator.core.model import NO_PAIR, Phase, Routing, Stored
from orchestrator.core.plan import Plan, body, plan
from orchestrator.core.policy import Service
from orchestrator.core.rules import freeze
from orchestrator.flow.context import Context, Patience
from orchestrator.flow.observe import read_state

MAX_SHIFTS = 2
"""Writes that were done and read back without effect before the next tick must look."""


class Superseded(Conflict):
    """The resource carries a higher pair than the state: go on as a tick, with fresh eyes."""


@dataclass(frozen=True, slots=True)
class Converged:
    """The state that the routing now equals, and the plans that were carried out on the way.

    repairs: those of them that mended what another hand had changed, in a sentence each.
    """

    stored: Stored
    plans: tuple[Plan, ...] = ()
    repairs: tuple[str, ...] = ()


def converge(
    service: Service,
    stored: Stored,
    routing: Routing,
    context: Context,
    patience: Patience,
    *,
    committed: bool,
) -> Converged:
    """Make the routing what the state's epoch desires.

    committed: our own commit came after `routing` was read, which stands for the lost fence's extra
    read. Raises Superseded, UnsafePlan, Unverified, and Unavailable when patience ends.
    """
    done: list[Plan] = []
    repairs: list[str] = []
    while True:
        made = _plan(service, stored, routing)
        if made.empty:
            return Converged(stored, tuple(done), tuple(repairs))
        if len(done) == MAX_SHIFTS:
            raise Unverified(
                f"{made.resource} was written {MAX_SHIFTS} times and still is not as desired"
                f" ({made}); the next tick looks again. See who else writes to it"
            )
        if not _allowed(service, stored, made, context):
            return Converged(stored, tuple(done), tuple(repairs))
        try:
            _lost_fence(stored, made, context, committed=committed)
            context.traffic.wait(context.traffic.patch(made.resource, body(made, routing, service)))
            repairs += _said(service, made, stored, context)
            done.append(made)
        except (Conflict, Unavailable) as error:
            patience.pause(error)
        stored, routing = read_both(service, context, patience)
        committed = False


def _said(service: Service, made: Plan, stored: Stored, context: Context) -> tuple[str, ...]:
    """One line for the write that was made; the sentence of it if it mended another hand's work."""
    epoch = made.wanted.epoch
    shift = stored.state.shift if stored.state else None
    if not made.drift and (shift is None or shift.phase is not Phase.VERIFIED):
        context.log("NOTICE", f"shifted {made}", service=service.name, epoch=epoch)
        return ()
    mark = "its mark was left" if made.drift else f"its mark became epoch {made.seen.epoch}"
    text = (
        f"drift repaired: {made}. Another hand changed {made.resource} after the shift of this"
        f" epoch was done ({mark}): see its audit log"
    )
    context.log("WARNING", text, service=service.name, epoch=epoch, drift=True)
    return (text,)


def _plan(service: Service, stored: Stored, routing: Routing) -> Plan:
    if stored.state is None:
        raise Conflict(f"the state document of {service.name} is gone")
    made = plan(stored.state, routing, service)
    if made.superseded:
        raise Superseded(
            f"{made.resource} carries epoch {made.seen.epoch} rev {made.seen.rev}, newer than"
            f" {made.wanted.epoch} rev {made.wanted.rev}: this shift is void"
        )
    return made


def _allowed(service: Service, stored: Stored, made: Plan, context: Context) -> bool:
    """Whether this instance may write, by how its configuration stands to the epoch's own.

    Drift is repaired with the epoch's own configuration only, and not while automation is frozen;
    otherwise it is left alone, loudly. An epoch that was not carried out yet must be: by an
    instance of the same serial whatever its digest, for nobody else may be left; else that raises.
    """
    if stored.state is None:
        return True
    frozen = freeze(stored.state.freeze, context.now())
    done = stored.state.freeze.done if stored.state.freeze else 0
    if frozen and (made.seen == made.wanted or done == made.wanted.epoch):
        context.log("WARNING", f"drift left alone, {frozen.value}: {made}", service=service.name)
        return False
    ours = standing(stored.state.stamp, service.stamp)
    if ours is Standing.SAME or (ours is Standing.CLASH and made.seen != made.wanted):
        return True
    theirs = stored.state.stamp
    text = (
        f"{made.resource} is not as epoch {made.wanted.epoch} desires, but that epoch was decided"
        f" with configuration serial {theirs.serial} digest {theirs.digest}, and this instance has"
        f" {service.stamp.serial} {service.stamp.digest}: it shifts nothing."
        " Raise `serial` with every change of the file and deploy it everywhere"
    )
    if made.seen != made.wanted:
        raise Outdated(text)
    context.log("ERROR", text, service=service.name)
    return False


def _lost_fence(stored: Stored, made: Plan, context: Context, *, committed: bool) -> None:
    """On a resource without a pair: the state, read once more, must still be at this epoch."""
    if made.seen != NO_PAIR or committed or stored.state is None:
        return
    now = read_state(stored.state.service, context)
    if now.state is None or now.state.pair != stored.state.pair:
        raise Conflict(f"{made.resource} has lost its mark, and the state has moved on")


def read_both(service: Service, context: Context, patience: Patience) -> tuple[Stored, Routing]:
    """State and routing, read at the same time, tried again while patience lasts."""
    while True:
        state = context.executor.submit(read_state, service.name, context)
        try:
            routing = context.traffic.read(service.backend_service)
            return state.result(), routing
        except Unavailable as error:
            patience.pause(error)
