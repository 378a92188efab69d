"""The conclusion: a proposal becomes a decision.

It takes its epoch, is compared with the document as it was read, and gets its outcome. New refusals
are noted on their incidents, so that each rule is recorded once for each. PURE.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.core.case import Case
from orchestrator.core.document import attached
from orchestrator.core.document.ground import settle, shares
from orchestrator.core.health.incidents import derived, key_of, live
from orchestrator.core.model import (
    NO_MARK,
    Command,
    Decision,
    DecisionOutcome,
    Incident,
    Mark,
    Move,
    Page,
    Phase,
    Shift,
    State,
    Status,
    Stored,
    Tick,
)
from orchestrator.core.moves.switch import end, ended
from orchestrator.core.paging import contradicted, implausible
from orchestrator.core.policy import Service
from orchestrator.core.proposal import Proposal
from orchestrator.core.rule import Reason, Rule, needs_human, refusals
from orchestrator.core.traffic import leftover
from orchestrator.core.traffic.fence import next_epoch
from orchestrator.core.traffic.plan import desired, mark_of, remember

MOVES_KEPT = timedelta(hours=24)
"""How long automation's moves are kept at least, for people."""


def conclude(case: Case, proposal: Proposal, stored: Stored) -> Decision:
    """The decision that this proposal becomes. stored: the document as it was read."""
    state = derived(proposal.state, case.service.policy, case.now, case.service.trusted)
    if proposal.regions is not None:
        state = _new_epoch(replace(case, state=state), proposal, stored)
    reasons = (*case.reasons, *proposal.reasons)
    outcome = outcome_of(proposal, case, state)
    fresh = False
    if outcome is DecisionOutcome.HELD:
        state, fresh = _note_refusals(case, state, reasons)
    changed = stored.generation == 0 or state != case.before
    return Decision(
        state,
        outcome,
        (*reasons, *_ended_switch(case, state, reasons)),
        changed,
        recorded=changed and (fresh or _is_recorded(case, state, outcome)),
        pages=(*_pages(case, state, outcome, reasons), *_disputes(case, state)),
        waiting=proposal.waiting,
    )


def outcome_of(proposal: Proposal, case: Case, state: State) -> DecisionOutcome:
    """What this decision came to, in one word."""
    if proposal.outcome is not None:
        return proposal.outcome
    if case.ends_freeze:
        return DecisionOutcome.OBEYED
    if refusals((*case.reasons, *proposal.reasons)):
        return DecisionOutcome.HELD
    if _statuses_change(case, state):
        return DecisionOutcome.HEALTH
    return DecisionOutcome.UNCHANGED


def _statuses_change(case: Case, state: State) -> bool:
    """Whether a region's status is another than in the document as read. A new document's regions
    are up."""
    before = case.before.regions if case.before else {}
    known = {name: entry.status for name, entry in before.items()}
    statuses = {name: entry.status for name, entry in state.regions.items()}
    return statuses != (known or dict.fromkeys(statuses, Status.UP))


def _is_recorded(case: Case, state: State, outcome: DecisionOutcome) -> bool:
    """Whether the history has it: all but repeated refusals and the counting of probes."""
    if outcome not in {DecisionOutcome.HELD, DecisionOutcome.UNCHANGED}:
        return True
    if outcome is DecisionOutcome.HELD and isinstance(case.signal, Command):
        return True  # the operator who gave a command finds its refusal
    takes_epoch = state.mark != (case.before.mark if case.before else NO_MARK)
    return takes_epoch or _statuses_change(case, state)


def _ended_switch(case: Case, state: State, reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """That the switch under way is over, where none of its own steps says so."""
    before = case.before
    if before and before.switch and ended(before, state, case.signal, reasons):
        return (end(before.switch),)
    return ()


# --- the epoch ------------------------------------------------------------------------------------


def _new_epoch(case: Case, proposal: Proposal, stored: Stored) -> State:
    """The state with a new epoch for these regions: above all that state and resource have seen."""
    service, state, routing, now = case.service, case.state, case.routing, case.now
    epoch = next_epoch(state.epoch, mark_of(routing, service).epoch if routing else 0)
    regions = proposal.regions or tuple(state.routing)
    routing_then = shares(regions)
    moved = replace(
        settle(state, service, routing),
        epoch=epoch,
        stamp=service.stamp,
        primary=state.primary if state.primary in regions else regions[0],
        routing=routing_then,
        shift=Shift(Mark(epoch, stored.generation), Phase.COMMITTED, now, routing_then),
        moves=_moves(state, proposal, epoch, service, now),
        evacuated=tuple(name for name in state.evacuated if name not in regions),
    )
    lives = state.primary in state.regions and case.lives(state.primary)
    moved = attached.seated(moved, service, state.primary, lives=lives)
    if routing is None:
        return moved  # nothing is taken from any region, so there is nothing to remember
    kept = remember(moved, routing, service, desired(moved, service), stored.state)
    return replace(moved, restore=kept)


def _moves(
    state: State, proposal: Proposal, epoch: int, service: Service, now: datetime
) -> tuple[Move, ...]:
    """Automation's moves with this one, as long as some rule may still ask for them."""
    moves = state.moves
    if proposal.left:
        regions = proposal.regions or tuple(state.routing)
        moves = (Move(now, epoch, proposal.left, regions), *moves)
    policy = service.policy
    life = max(policy.cooldown, policy.max_auto_failovers.within, MOVES_KEPT)
    return tuple(move for move in moves if now - move.at <= life)


# --- refusals and pages ---------------------------------------------------------------------------


def _note_refusals(case: Case, state: State, reasons: tuple[Reason, ...]) -> tuple[State, bool]:
    """Note each rule once on each incident it refused; say whether any of it is new."""
    rules_refused = [reason.rule for reason in refusals(reasons)]
    concerned = _concerned(case, state)
    noted = {
        incident.id: replace(incident, refused=tuple(sorted({*incident.refused, *rules_refused})))
        for incident in concerned
    }
    fresh = any(noted[incident.id] != incident for incident in concerned)
    return replace(state, incidents={**state.incidents, **noted}), fresh


def _concerned(case: Case, state: State) -> tuple[Incident, ...]:
    """The incidents that a refusal is about: those of the regions that carry traffic and are down,
    and the signal's own when it was contradicted."""
    concerned = [incident for name in state.routing for incident in live(state.incidents, name)]
    if not isinstance(case.signal, Tick | Command):
        own = state.incidents.get(key_of(state.incidents, case.signal))
        if own is not None and own.contradicted:
            concerned.append(own)
    return tuple(concerned)


def _pages(
    case: Case, state: State, outcome: DecisionOutcome, reasons: tuple[Reason, ...]
) -> tuple[Page, ...]:
    """A page for each refusal that needs a human. One whose command is refused is answered, and not
    paged."""
    if outcome is not DecisionOutcome.HELD or isinstance(case.signal, Command):
        return ()
    return tuple(_page(state, reason) for reason in reasons if needs_human(reason))


def _page(state: State, reason: Reason) -> Page:
    """The page about a refusal. It concerns the rule's region, else those that carry and fail."""
    down = tuple(n for n in sorted(state.routing) if state.regions[n].status is Status.DOWN)
    fails = f"{', '.join(down)} {'is' if len(down) == 1 else 'are'} down, and no traffic moves: "
    regions = (reason.region,) if reason.region else down
    return Page(reason.rule, f"{fails if down else ''}{reason}", regions)


def _disputes(case: Case, state: State) -> tuple[Page, ...]:
    """On a tick, the pages about alerts that are contradicted for good."""
    return contradicted(state, case.now) if isinstance(case.signal, Tick) else ()


def with_leftovers(case: Case, decision: Decision) -> Decision:
    """The decision with what is to be remembered and paged of all traffic, claimed or not."""
    service, routing = case.service, case.routing
    state = leftover.remembered(service, case.ground.state, decision, routing, case.signal)
    changed = decision.changed or state != decision.state
    pages = (*leftover.pages(service, state, routing), *implausible(routing, service))
    pages = (*decision.pages, *_not_said(pages, decision.pages))
    return replace(decision, state=state, changed=changed, pages=pages)


def _not_said(pages: Iterable[Page], said: Iterable[Page]) -> tuple[Page, ...]:
    """The pages of rules that no other page is about yet."""
    known = {page.rule for page in said}
    if Rule.ROUTING in known:
        known.add(Rule.NO_TRAFFIC)  # it says the same
    return tuple(page for page in pages if page.rule not in known)
