"""Shift and verify: plan, write once, read both again, plan again, until the plan is empty.

An empty plan is the proof. Whatever the outcome of a write, known or not, the next step is the
same: read state and routing and compare. So a redelivery, a tick, a lost answer and a plain success
all take this one way. The fence (see `orchestrator.core.traffic.fence`) is checked before every
write.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from orchestrator.core.document.ground import Standing, standing
from orchestrator.core.exceptions import (
    Conflict,
    FailoverError,
    Kind,
    Outdated,
    Unavailable,
    Unverified,
)
from orchestrator.core.model import NO_MARK, Page, Phase, Repair, Routing, State, Stored
from orchestrator.core.paging import leaves_mark, unmarked
from orchestrator.core.policy import Service, Stamp
from orchestrator.core.rule import Reason
from orchestrator.core.rules import freeze
from orchestrator.core.traffic.plan import Plan, body, is_in_effect, plan
from orchestrator.flow.context import Context, Patience
from orchestrator.flow.observe import read_state

MAX_SHIFTS = 2
"""Writes that were done and read back without effect before the next tick must look."""


class Superseded(Conflict):
    """The resource carries a higher mark than the state: go on as a tick, with fresh eyes.

    mark: that it carries.
    """

    def __init__(self, plan: Plan) -> None:
        self.mark = plan.mark_before
        super().__init__(
            f"{plan.resource} carries epoch {self.mark.epoch} rev {self.mark.rev}, newer than"
            f" {plan.mark.epoch} rev {plan.mark.rev}: this shift is void"
        )


@dataclass(frozen=True, slots=True)
class Converged:
    """How far the routing was brought to what the state's epoch desires.

    stored: the state as last read. plans: those that were carried out and found in effect, whatever
    their epoch. repairs: those of them that repaired what something else had changed, in a sentence
    each. verified: the last read found nothing left to do. error: what ended it before that.
    drifted: the repairs again, and writes that did not last, to be remembered. pages: what a human
    must know of the resource. routing: as last read, None where it was not read since
    something was written.
    """

    stored: Stored
    plans: tuple[Plan, ...] = ()
    repairs: tuple[str, ...] = ()
    verified: bool = False
    error: FailoverError | None = None
    drifted: tuple[Repair, ...] = ()
    pages: tuple[Page, ...] = ()
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
    try:
        verified = _converge(work, routing, patience, committed=committed)
    except FailoverError as error:
        return work.result(error=error)
    return work.result(verified=verified)


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
    sent: tuple[Plan, Stored] | None = None
    drifted: list[Repair] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    seen: Routing | None = None

    def result(self, *, verified: bool = False, error: FailoverError | None = None) -> Converged:
        """How far it came."""
        done, repairs, pages = tuple(self.done), tuple(self.repairs), tuple(self.pages)
        drifted = tuple(self.drifted)
        return Converged(self.stored, done, repairs, verified, error, drifted, pages, self.seen)

    def carried_out(self, plan: Plan, stored: Stored) -> None:
        """Take note of a plan that is in effect. stored: the state that it was made for."""
        said = _said(self.service, plan, stored, self.context)
        if said:
            self.drifted.append(self._repair(plan))
        self.repairs += said
        self.done.append(plan)

    def did_not_last(self, plan: Plan) -> None:
        """Take note of a plan that was carried out again and again to no effect."""
        self.drifted.append(self._repair(plan))

    def _repair(self, plan: Plan) -> Repair:
        at, mark = self.context.now(), not plan.changes
        return Repair(at, plan.resource, plan.mark.epoch, mark=mark)

    def look_back(self, routing: Routing) -> None:
        """A patch whose answer was lost was made if what it asked for is there now."""
        self.seen = routing
        if self.sent is not None and is_in_effect(self.sent[0], routing, self.service):
            self.carried_out(*self.sent)
            self.sent = None


def _converge(work: _Work, routing: Routing, patience: Patience, *, committed: bool) -> bool:
    """Whether the last look found nothing left to do. False: what is left is not ours to write."""
    while True:
        whole = _plan(work, routing)
        if whole.empty:
            return True
        ours = _ours(work, whole)
        if ours is None:
            return False
        try:
            _lost_fence(work.stored, ours, work.context, committed=committed)
            work.context.traffic.wait(_sent(work, ours, routing))
            work.sent = None
            work.carried_out(ours, work.stored)
        except Conflict as error:
            patience.pause(error)
        except Unavailable as error:
            _pause(work, patience, error)
        work.stored, routing = read_both(work.service, work.context, patience)
        committed = False


def _ours(work: _Work, whole: Plan) -> Plan | None:
    """The part of the plan that this instance may write; None where it leaves all of it.

    Raises Unverified where it was written often enough, and Outdated where only a newer instance
    may.
    """
    if is_left_unmarked(work.stored, whole, work.context.now()):
        work.pages.append(unmarked(whole.resource, whole.mark.epoch, work.service))
        return None
    if len(work.done) == MAX_SHIFTS:
        work.did_not_last(whole)
        raise Unverified(
            f"{whole.resource} was written {MAX_SHIFTS} times and still is not as desired"
            f" ({whole}). The next tick looks again. Find out what else writes to it"
        )
    tells = _may_remark(work.stored, whole, work.service)
    if tells and whole.only_remarks:
        return whole
    if _allowed(work.service, work.stored, whole, work.context):
        return whole
    return (
        replace(whole, changes=()) if tells else None
    )  # the mark shows the freeze, and drift is not repaired


_PERHAPS_WRITTEN = frozenset({Kind.UNREACHABLE, Kind.SERVER_ERROR, Kind.UNKNOWN})
"""Errors of a patch that leave open whether it was written."""


def _sent(work: _Work, plan: Plan, routing: Routing) -> str:
    """Send the patch of a plan; give its operation. `sent` holds it unless it was refused.

    An answer that refuses (a stale fingerprint, a limit of requests, a resource that another
    operation changes) says that nothing was written. No answer, and a server's error, do not.
    """
    before = work.sent
    work.sent, work.seen = (plan, work.stored), None
    try:
        return work.context.traffic.patch(plan.resource, body(plan, routing, work.service))
    except (Conflict, Unavailable) as error:
        if isinstance(error, Conflict) or error.kind not in _PERHAPS_WRITTEN:
            work.sent = before  # one that was accepted may still be under way
        raise


def is_left_unmarked(stored: Stored, plan: Plan, now: datetime) -> bool:
    """Whether only the mark differs, and something else has removed it often enough.

    The fence holds without it as `orchestrator.core.traffic.fence` says of a mark that was lost:
    every write first reads the state once more, and the next epoch writes the mark with the
    traffic.
    """
    state = stored.state
    if state is None or plan.changes or plan.mark_before == plan.mark:
        return False
    return leaves_mark(state, plan.resource, now)


def _pause(work: _Work, patience: Patience, error: Unavailable) -> None:
    """Rest before the next look. When patience is spent, a last look shows the result."""
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


def _said(service: Service, plan: Plan, stored: Stored, context: Context) -> tuple[str, ...]:
    """One line for the write that was made; the sentence of it if it repaired drift."""
    epoch = plan.mark.epoch
    shift = stored.state.shift if stored.state else None
    unfinished = shift is None or shift.phase is not Phase.VERIFIED
    if plan.only_remarks or (not plan.drift and unfinished):
        context.log("NOTICE", f"shifted {plan}", service=service.name, epoch=epoch)
        return ()
    before = plan.mark_before
    there = "its mark was gone" if before == NO_MARK else f"its mark said epoch {before.epoch}"
    mark = "its mark was unchanged" if plan.drift else there
    text = (
        f"drift repaired: {plan}. Something other than the orchestrator changed {plan.resource}"
        f" after epoch {epoch} was applied ({mark}). Check {plan.resource}'s audit log"
    )
    context.log("WARNING", text, service=service.name, epoch=epoch, drift=True)
    return (text,)


def _plan(work: _Work, routing: Routing) -> Plan:
    """What is left to do by the state as it is now, and whether a patch in doubt was made."""
    service, stored = work.service, work.stored
    work.look_back(routing)
    if stored.state is None:
        raise Conflict(f"the state document of {service.name} is gone")
    left = plan(stored.state, routing, service)
    if left.superseded:
        raise Superseded(left)
    return left


def _allowed(service: Service, stored: Stored, plan: Plan, context: Context) -> bool:
    """Whether this instance may write, by how its configuration stands to the epoch's own.

    Drift is repaired with the epoch's own configuration only, and not while automation is frozen;
    otherwise it is left alone, loudly. An epoch that was not carried out yet must be: by every
    instance that carries it out in the same way, and by one of the same serial whatever its digest,
    because nobody else may be left. Any other raises Outdated.
    """
    state = stored.state
    if state is None:
        return True
    frozen = freeze(state.freeze, context.now())
    unfinished = plan.mark_before != plan.mark
    if frozen and (not unfinished or _was_done(state, plan)):
        context.log(
            "WARNING",
            f"drift is not repaired, because automation is {frozen.value}: {plan}",
            service=service.name,
        )
        return False
    if _carries_out(state.stamp, service.stamp, unfinished=unfinished):
        return True
    advice = _advice(service, standing(state.stamp, service.stamp), frozen)
    text = (
        f"{plan.resource} is not as epoch {plan.mark.epoch} desires, and this instance does not"
        f" change it: {_difference(state.stamp, service.stamp)}. {advice}"
    )
    if unfinished:
        raise Outdated(text)
    context.log("ERROR", text, service=service.name)
    return False


def _was_done(state: State, plan: Plan) -> bool:
    """Whether the load balancer was seen to carry the plan's epoch when automation was frozen."""
    done = state.freeze.done if state.freeze else 0
    return done == plan.mark.epoch


def _carries_out(theirs: Stamp, ours: Stamp, *, unfinished: bool) -> bool:
    """Whether an instance with our configuration may write the epoch that was decided with theirs.

    unfinished: the epoch is not on the resource yet.
    """
    stands = standing(theirs, ours)
    if stands is Standing.SAME:
        return True
    return unfinished and (stands is Standing.CLASH or theirs.shifts_like(ours))


def _may_remark(stored: Stored, plan: Plan, service: Service) -> bool:
    """Whether the mark may be made to tell of a freeze, whatever else is left as it is."""
    ours = stored.state and standing(stored.state.stamp, service.stamp)
    return ours is Standing.SAME and plan.mark_before == plan.mark and plan.remarks


def _difference(theirs: Stamp, ours: Stamp) -> str:
    is_known = bool(theirs.routing_digest)
    shifts = "the same" if theirs.shifts_like(ours) else "other" if is_known else "perhaps other"
    return (
        f"the epoch was decided with serial {theirs.serial} digest {theirs.digest}, and this"
        f" instance has serial {ours.serial} digest {ours.digest}, with {shifts} regions, groups,"
        " lever or resources"
    )


def _advice(service: Service, ours: Standing, frozen: Reason | None) -> str:
    """What a human can do about an epoch that this instance does not carry out or repair."""
    match ours:
        case Standing.OLDER:
            return "An instance with the newer file changes it. Deploy that file everywhere"
        case Standing.NEWER if frozen:
            return (
                "The newer file needs an epoch of its own, and automation is frozen"
                f" ({frozen.value}). End the freeze: `failoverctl unfreeze {service.name} --apply"
                ' --reason "finish the failover"`'
            )
        case Standing.NEWER:
            return (
                "The newer file needs an epoch of its own, and none can be decided now:"
                f" `failoverctl explain {service.name}` says why"
            )
        case _:
            return "Raise `serial` with every change of the file and deploy it everywhere"


def _lost_fence(stored: Stored, plan: Plan, context: Context, *, committed: bool) -> None:
    """On a resource without a mark: the state, read once more, must still be at this epoch."""
    if plan.mark_before != NO_MARK or committed or stored.state is None:
        return
    now = read_state(stored.state.service, context)
    if now.state is None or now.state.mark != stored.state.mark:
        raise Conflict(f"{plan.resource} has lost its mark, and the state has changed since")


def read_both(service: Service, context: Context, patience: Patience) -> tuple[Stored, Routing]:
    """State and routing, read at the same time, tried again while patience lasts."""
    while True:
        state = context.executor.submit(read_state, service.name, context)
        try:
            routing = context.traffic.read(service.backend_service)
            return state.result(), routing
        except Unavailable as error:
            patience.pause(error)
