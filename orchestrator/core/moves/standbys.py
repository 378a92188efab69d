"""Standbys that stay attached: the load balancer's own health check of their role keeps them out.

With `traffic.standby: attached` every region has capacity, and users go where `/healthz/primary`
answers 200: to the region that is the primary by the newest document that its application could
read. So the commit alone moves the traffic, also while the Compute API is down; the write to the
load balancer that follows a move carries the mark and nothing else. Three things could go wrong:

- *A region without capacity becomes the primary: nobody serves.* So a target must be `attached`:
  seen to have capacity on a load balancer that carried the document's own epoch, which no epoch has
  taken from it since. An instance that still carries out an older epoch is fenced out by then, and
  no newer epoch takes it away, so no write under way can. Attaching is an epoch before the move's.
- *The old primary is drained before the new one serves: nobody serves.* So draining is an epoch of
  its own, after the new primary has said 200 by this epoch's document or a later one. Where the
  old one lives and may still have the users, it comes `max_staleness` later.
- *Two regions serve, because one uses an old document.* So the primary that failed is drained, and
  so is each region that still says 200 by an older document. A region is attached again only when
  it is well and has said, by this epoch's document or a later one, that it stands by.

A standby that fails is left as it is: its health check keeps it out, and it costs no epoch. The old
primary of a graceful switch, which lives and says so itself, stays attached too: it is the next
target.

The desired routing is still a function of the epoch: who is the primary, and who has capacity
(`attach`), change with a new epoch only. What was seen (`attached`) changes without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from orchestrator.core import rules
from orchestrator.core.case import Case
from orchestrator.core.document.carried import carries
from orchestrator.core.model import Command, DecisionOutcome, Leave, Part, State, Tick
from orchestrator.core.proposal import Proposal, overridden, refused, step, to_be_drained
from orchestrator.core.rule import Reason, Rule, all_pass
from orchestrator.core.traffic.plan import mark_of


@dataclass(frozen=True, slots=True)
class StandbyStep:
    """One standby that is to be attached or drained.

    gates: what must pass first. changes: fields of its entry. done: what is then said.
    """

    region: str
    gates: tuple[Reason, ...]
    changes: Mapping[str, object]
    done: str


def arrange(case: Case) -> Proposal:
    """Attach the standbys that may be, and drain those that must be, all in one epoch."""
    if not _is_due(case):
        return Proposal(case.state)
    state, reasons, waiting = case.state, list[Reason](), list[Reason]()
    for change in (*_joining(case), *_going(case)):
        gates = (*change.gates, *case.frozen())
        if all_pass(gates):
            state = _with(state, change.region, **change.changes)
            reasons += [*gates, _said(change.region, change.done)]
        else:
            waiting += gates
    taken = bool(reasons)
    reasons += _unheeded(case)
    return Proposal(
        _forgiven(case, state),
        tuple(state.routing) if taken else None,
        DecisionOutcome.STANDBYS if taken else None,
        tuple(reasons),
        waiting=tuple(waiting),
    )


def first(case: Case, to: str, command: Command) -> Proposal:
    """Attach the region that an operator wants to go to; the same command, once more, then goes
    there. So the command is not noted as carried out."""
    gates = _first_gates(case, to, command)
    if not all_pass(gates):
        return refused(case, *gates)
    commands = {key: at for key, at in case.state.commands.items() if key != command.id}
    state = replace(_with(case.state, to, **_ATTACH), commands=commands)
    reasons = (*gates, _said(to, f"{to} is attached first"))
    return step(case, state, case.carrying, DecisionOutcome.STANDBYS, reasons)


def _first_gates(case: Case, to: str, command: Command) -> tuple[Reason, ...]:
    joins = _join(case, to)  # no override gives it a backend
    joins = overridden(joins, command) if case.has_backend(to) else joins
    if not case.state.regions[to].attach:
        return (*joins, _carried_out(case))
    value = "it is being attached. Give the command again after that"
    return (*joins, _carried_out(case), Reason(Rule.ATTACHED, False, value, "attached", to))


def evacuated(case: Case, name: str) -> Proposal:
    """Drain a standby for an operator: now, or when it cannot be the one that still has the
    users."""
    entry = case.state.regions[name]
    state = to_be_drained(case.state, name, Leave.EVACUATED)
    gates = (_carried_out(case), _leads(case), _settled(case))
    if not entry.attach and not entry.attached:
        done = _said(name, f"{name} is drained already")
        return Proposal(state, outcome=DecisionOutcome.OBEYED, reasons=(done,))
    if not all_pass(gates):
        later = _said(name, f"{name} is drained as soon as that is safe")
        return Proposal(state, outcome=DecisionOutcome.OBEYED, reasons=(later,), waiting=gates)
    state = _with(state, name, attach=False, attached=False)
    reasons = (*gates, _said(name, f"{name} is drained: evacuated"))
    return step(case, state, case.carrying, DecisionOutcome.STANDBYS, reasons)


_ATTACH: Mapping[str, object] = {"attach": True, "leave": None}
"""The entry of a region that gets its capacity back."""


def _said(region: str, value: str) -> Reason:
    return Reason(Rule.STANDBYS, True, value, "", region)


# --- who may be attached, and who must be drained ------------------------------------------------


def _is_due(case: Case) -> bool:
    """Whether standbys may be arranged now: by ticks, and by any signal if the primary is down.

    The load balancer must carry the document's epoch, and at epoch 0 it is left as it was deployed.
    """
    state = case.state
    if not case.keeps_standbys or state.switch is not None:
        return False
    if isinstance(case.signal, Command) or not _carried_out(case).passed:
        return False
    return _is_down(case) or (isinstance(case.signal, Tick) and state.epoch > 0)


def _carried_out(case: Case) -> Reason:
    """The load balancer can be read, and carries the epoch of a document whose primary is known."""
    state, limit = case.state, f"epoch {case.state.epoch}"
    if state.primary not in case.service.names:
        value = f"{state.primary} is no longer in the configuration"
        return Reason(Rule.ATTACHED, False, value, "a new primary")
    if case.routing is None:
        return Reason(Rule.ATTACHED, False, "the load balancer cannot be read", limit)
    seen = mark_of(case.routing, case.service)
    value = f"the load balancer carries epoch {seen.epoch}"
    there = carries(state, case.routing, case.service, case.now)
    return Reason(Rule.ATTACHED, there, value, limit)


def _is_away(case: Case, name: str) -> bool:
    """Whether the region has no capacity, and no human took it.

    As a last resort also where a human took it.
    """
    entry = case.state.regions[name]
    if entry.attach or entry.attached or name in case.state.routing:
        return False
    return entry.leave is not Leave.EVACUATED or _is_last_resort(case)


def _is_last_resort(case: Case) -> bool:
    """Whether the primary is down, and nobody can take over: then evacuated regions may."""
    others = (name for name in case.service.names if name not in case.state.routing)
    return _is_down(case) and not any(case.fit(name).passed for name in others)


def _is_down(case: Case) -> bool:
    return case.is_down(case.state.primary)


def _join(case: Case, name: str) -> tuple[Reason, ...]:
    """The gates of being attached: well, with a backend, and standing by as it says itself."""
    return (case.well(name), rules.stands_by(name, case.role(name), case.state.epoch))


def _joining(case: Case) -> Iterator[StandbyStep]:
    """The regions that are to have capacity again."""
    for name in case.service.names:
        if _is_away(case, name):
            yield StandbyStep(name, _join(case, name), _ATTACH, f"{name} is attached again")


def _going(case: Case) -> Iterator[StandbyStep]:
    """The regions that are to have no capacity any longer. Only ticks drain, because they ask every
    region for its role."""
    if not isinstance(case.signal, Tick):
        return
    for name in case.service.names:
        why = _why_drained(case, name)
        if why:
            leave = case.state.regions[name].leave
            # A region that failed does not have the users. Any other one may, until all have heard.
            settled = () if leave is Leave.FAILED else (_settled(case),)
            changes = {"attach": False, "attached": False, "leave": leave or Leave.FAILED}
            done = f"{name} is drained: {why}"
            yield StandbyStep(name, (_leads(case), *settled), changes, done)


def _why_drained(case: Case, name: str) -> str:
    """Why a region with capacity is to lose it; empty where it is to keep it."""
    entry, role = case.state.regions[name], case.role(name)
    if name in case.state.routing or not (entry.attach or entry.attached):
        return ""
    if entry.leave is not None and not _is_forgiven(case, name):
        return f"{entry.leave}, and {case.state.primary} has taken over"
    if role.part is Part.LEADS and role.epoch < case.state.epoch:
        return f"it still says that it is the primary, by the document of epoch {role.epoch}"
    return ""


def _unheeded(case: Case) -> tuple[Reason, ...]:
    """Whether the primary stands by, by an older document, long after: then nobody serves."""
    primary = case.state.primary
    role = case.role(primary)
    if role.part is not Part.STANDS_BY or role.epoch >= case.state.epoch:
        return ()
    if not isinstance(case.signal, Tick) or not _settled(case).passed:
        return ()
    return (rules.leads(primary, role, case.state.epoch),)


def _settled(case: Case) -> Reason:
    """Every application should know of this epoch by now, and the load balancer have heard it."""
    shift, patience = case.state.shift, case.service.policy.graceful.max_staleness
    if shift is None or shift.at is None:
        return Reason(Rule.STANDBYS, True, "this epoch is old")
    age, limit = case.now - shift.at, f"more than {rules.duration(patience)}"
    whole = timedelta(seconds=round(age.total_seconds()))
    value = f"this epoch was decided {rules.duration(whole)} ago"
    return Reason(Rule.STANDBYS, age > patience, value, limit)


def _is_forgiven(case: Case, name: str) -> bool:
    """Whether a region that failed has recovered and stands by, before it was ever drained."""
    failed = case.state.regions[name].leave is Leave.FAILED
    return failed and all_pass(_join(case, name))


def _forgiven(case: Case, state: State) -> State:
    for name, entry in state.regions.items():
        if entry.attach and entry.leave and name in case.service.names:
            state = _with(state, name, leave=None) if _is_forgiven(case, name) else state
    return state


def _leads(case: Case) -> Reason:
    return rules.leads(case.state.primary, case.role(case.state.primary), case.state.epoch)


def _with(state: State, name: str, **changes: object) -> State:
    entry = replace(state.regions[name], **changes)  # type: ignore[arg-type]  # fields of the entry
    return replace(state, regions={**state.regions, name: entry})
