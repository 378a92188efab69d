"""Shift and verify: plan, write once, read both again, plan again, until the plan is empty.

An empty plan is the proof. Whatever the outcome of a write, known or not, the next step is the
same: read state and routing and compare. So a redelivery, a tick, a lost answer and a plain success
all take this one way. The fence (see `orchestrator.core.fence`) is checked before every write.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.core.errors import (
    Conflict,
    FailoverError,
    Outdated,
    Unavailable,
    Unverified,
)
from orchestrator.core.ground import Standing, standing
from orchestrator.core.model import NO_PAIR, Phase, Routing, Stored
from orchestrator.core.plan import Plan, body, is_in_effect, plan
from orchestrator.core.policy import Service
from orchestrator.core.rules import freeze
from orchestrator.flow.context import Context, Patience
from orchestrator.flow.observe import read_state

MAX_SHIFTS = 2
"""Writes that were done and read back without effect before the next tick must look."""


class Superseded(Conflict):
    """The resource carries a higher pair than the state: go on as a tick, with fresh eyes.

    seen: the pair that it carries.
    """

    def __init__(self, made: Plan) -> None:
        self.seen = made.seen
        super().__init__(
            f"{made.resource} carries epoch {made.seen.epoch} rev {made.seen.rev}, newer than"
            f" {made.wanted.epoch} rev {made.wanted.rev}: this shift is void"
        )


@dataclass(frozen=True, slots=True)
class Converged:
    """How far the routing was brought to what the state's epoch desires.

    stored: the state as last read. plans: those that were carried out and found in effect, whatever
    their epoch. repairs: those of them that mended what another hand had changed, in a sentence
    each. verified: the last read found nothing left to do. error: what ended it before that.
    routing: as last read, None where it was not read since something was written.
    """

    stored: Stored
    plans: tuple[Plan, ...] = ()
    repairs: tuple[str, ...] = ()
    verified: bool = False
    error: FailoverError | None = None
    routing: Routing | None = None


def converge(
    service: Service,
    stored: Stored,
    routing: Routing,
    context: Context,
    patience: Patience,
    *,
    committed: bool,
) -> Converged:
    """Make the routing what the state's epoch desires. Raises nothing of ours: `error` has it.

    committed: our own commit came after `routing` was read, which stands for the lost fence's extra
    read. error: Superseded, UnsafePlan, Unverified, Outdated, or what was left when patience ended.
    """
    work = _Work(service, context, stored, seen=routing)
    verified, stopped = False, None
    try:
        verified = _converge(work, routing, patience, committed=committed)
    except FailoverError as error:
        stopped = error
    done, repairs = tuple(work.done), tuple(work.repairs)
    return Converged(work.stored, done, repairs, verified, stopped, work.seen)


@dataclass(slots=True)
class _Work:
    """One convergence under way.

    sent: a plan whose patch may or may not have been made. seen: the routing as last read, None
    after a patch until it is read again.
    """

    service: Service
    context: Context
    stored: Stored
    done: list[Plan] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
    sent: Plan | None = None
    seen: Routing | None = None

    def carried_out(self, made: Plan) -> None:
        """Take note of a plan that is in effect."""
        self.repairs += _said(self.service, made, self.stored, self.context)
        self.done.append(made)

    def look_back(self, routing: Routing) -> None:
        """A patch whose answer was lost was made if what it asked for is there now."""
        self.seen = routing
        if self.sent is not None and is_in_effect(self.sent, routing, self.service):
            self.carried_out(self.sent)
        self.sent = None


def _converge(work: _Work, routing: Routing, patience: Patience, *, committed: bool) -> bool:
    """Whether the last look found nothing left to do. False: what is left is not ours to write."""
    service, context = work.service, work.context
    while True:
        made = _plan(work, routing)
        if made.empty:
            return True
        if len(work.done) == MAX_SHIFTS:
            raise Unverified(
                f"{made.resource} was written {MAX_SHIFTS} times and still is not as desired"
                f" ({made}); the next tick looks again. See who else writes to it"
            )
        if not _allowed(service, work.stored, made, context):
            return False
        try:
            _lost_fence(work.stored, made, context, committed=committed)
            work.sent, work.seen = made, None
            context.traffic.wait(context.traffic.patch(made.resource, body(made, routing, service)))
            work.sent = None
            work.carried_out(made)
        except Conflict as error:
            work.sent = None  # the fingerprint was stale: nothing was written
            patience.pause(error)
        except Unavailable as error:
            _pause(work, patience, error)
        work.stored, routing = read_both(service, context, patience)
        committed = False


def _pause(work: _Work, patience: Patience, error: Unavailable) -> None:
    """Rest before the next look. When patience is spent, a last look tells what became of it."""
    try:
        patience.pause(error)
    except Unavailable:
        if work.sent is not None:
            _last_look(work)
        raise


def _last_look(work: _Work) -> None:
    try:
        work.look_back(work.context.traffic.read(work.service.backend_service))
    except FailoverError:
        return  # unknown: the next signal reads it


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


def _plan(work: _Work, routing: Routing) -> Plan:
    """What is left to do by the state as it is now, and whether a patch in doubt was made."""
    service, stored = work.service, work.stored
    work.look_back(routing)
    if stored.state is None:
        raise Conflict(f"the state document of {service.name} is gone")
    made = plan(stored.state, routing, service)
    if made.superseded:
        raise Superseded(made)
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
