"""The result of each epoch: the patches that were made for it, as the journal keeps them.

An invocation that commits one epoch may carry out another: a newer one that was committed meanwhile
or an older one that a crash left. What a decision shows is the result of its own epoch, and a
patch for any other is an entry of its own, with the outcome `shifted`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.core.document.trigger import Trigger, as_json
from orchestrator.core.exceptions import Unverified
from orchestrator.core.model import NO_MARK, Decision, Json, Mark, Phase, Stored
from orchestrator.core.outside import reading
from orchestrator.core.traffic.plan import Plan
from orchestrator.flow.converge import Converged, Superseded
from orchestrator.flow.journal.record import maker

SHIFTED = "shifted"
"""The outcome of an entry that tells of patches alone: nothing was decided by that invocation."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """The result of one epoch, as far as one invocation saw.

    phase: None where there was nothing to carry out. superseded_by: the newer epoch that was found
    in its place, 0 for none.
    """

    mark: Mark
    phase: Phase | None
    plans: tuple[Plan, ...] = ()
    superseded_by: int = 0

    def told(self) -> Json:
        """It as the journal has it."""
        newer = {"superseded_by": self.superseded_by} if self.superseded_by else {}
        return {"phase": self.phase, "shifted": [str(plan) for plan in self.plans], **newer}


def parted(
    decision: Decision, done: Converged, *, fresh: bool
) -> tuple[Aftermath, tuple[Aftermath, ...]]:
    """The result of the decision's own epoch, and of each other one that was carried out.

    fresh: the decision made its epoch. One that is not recorded has no place for patches: they are
    among the others.
    """
    own = _aftermath(decision.state.mark, done)
    others = dict.fromkeys(plan.mark for plan in done.plans if plan.mark != own.mark)
    told = tuple(_aftermath(mark, done) for mark in others)
    if not decision.recorded and own.plans:
        return replace(own, plans=()), (own, *told)
    if not fresh and not own.plans:
        own = Aftermath(own.mark, None)
    return own, told


def all_of(done: Converged) -> tuple[Aftermath, ...]:
    """The result of every epoch that was carried out, where none was decided."""
    return tuple(_aftermath(mark, done) for mark in dict.fromkeys(p.mark for p in done.plans))


def _aftermath(mark: Mark, done: Converged) -> Aftermath:
    plans = tuple(plan for plan in done.plans if plan.mark == mark)
    newest = _newest(done)
    superseded = newest.epoch if newest > mark else 0
    if superseded or mark == NO_MARK:
        return Aftermath(mark, Phase.APPLIED if plans else None, plans, superseded)
    if done.verified:
        return Aftermath(mark, Phase.VERIFIED, plans)
    if isinstance(done.error, Unverified):
        return Aftermath(mark, Phase.UNVERIFIED, plans)
    return Aftermath(mark, Phase.APPLIED if plans else Phase.COMMITTED, plans)


def _newest(done: Converged) -> Mark:
    """The highest mark that the invocation has come across."""
    there = done.error.mark if isinstance(done.error, Superseded) else NO_MARK
    return max(there, done.stored.state.mark if done.stored.state else NO_MARK)


def entry(  # the parts of an entry
    aftermath: Aftermath,
    stored: Stored,
    what: Trigger,
    at: datetime,
    id: str,  # noqa: A002  # the JSON's word
) -> Json:
    """The journal's entry of patches for an epoch that the invocation did not decide.

    what: made the invocation. `of`: the decision that made the epoch, where the history still has
    it.
    """
    state, epoch = stored.state, aftermath.mark.epoch
    current = state if state and state.epoch == epoch else None
    decided = maker(state.history if state else (), epoch)
    return {
        "id": id,
        "at": reading.stamp_time(at),
        "signal": as_json(what),
        "outcome": SHIFTED,
        "of": decided.get("id") if decided else None,
        "epoch": epoch,
        "epoch_before": epoch,
        "primary": current.primary if current else (decided or {}).get("primary"),
        "routing": dict(current.routing) if current else (decided or {}).get("routing"),
        "reasons": [],
        "page": "",
        **aftermath.told(),
    }
