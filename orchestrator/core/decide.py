"""What should be: one pure question, asked by every signal and answered here alone.

    decide(service, observed, signal, now) -> Decision

Refuse if this instance's configuration is outdated. Make the case: the document as it is (or made,
or brought up to what the routing says), with the signal's health merged in. Ask in order what is
commanded, what is necessary, what is wished for, and what standbys need. The first proposal that is
one wins. Conclude: at most one new epoch comes out of one decision.

The primary is what the state says, never what the configuration prefers: a second failure moves on
from the second region.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from orchestrator.core.case import Case, build
from orchestrator.core.conclusion import conclude, with_leftovers
from orchestrator.core.document import misplaced, orders
from orchestrator.core.document.clocks import given_up
from orchestrator.core.document.ground import Standing, standing
from orchestrator.core.exceptions import Outdated
from orchestrator.core.health import flood
from orchestrator.core.model import (
    Command,
    Decision,
    DecisionOutcome,
    Family,
    Observed,
    Signal,
    State,
)
from orchestrator.core.moves.necessary import is_held, necessary
from orchestrator.core.moves.standbys import arrange
from orchestrator.core.moves.wishes import is_ending, wished
from orchestrator.core.policy import Service
from orchestrator.core.proposal import Proposal


def decide(service: Service, observed: Observed, signal: Signal, now: datetime) -> Decision:
    """What the state of this service should be after this signal, and why.

    Raises Outdated when this instance's configuration is older than the document's, Unavailable
    when a document would have to be made without having seen the routing.
    """
    before = observed.stored.state
    if before is not None:
        _refuse_if_outdated(service, before)
        if isinstance(signal, Command) and signal.id in before.commands:
            return _copy(service, before, signal, now)
    case = build(service, observed, signal, now)
    decision = conclude(case, propose(case), observed.stored)
    return _with_notices(case, decision)


def _refuse_if_outdated(service: Service, document: State) -> None:
    """Only an instance that knows what the document's maker knew may decide for it."""
    if standing(document.stamp, service.stamp) is not Standing.OLDER:
        return
    raise Outdated(
        f"{service.name}: this instance has configuration serial {service.stamp.serial}, the"
        f" document was made with {document.stamp.serial}. It decides nothing, and an"
        " instance with the newer file will take the redelivery"
    )


def _copy(service: Service, document: State, command: Command, now: datetime) -> Decision:
    """A copy of a command decides nothing: it only shifts what is committed already."""
    refusal = orders.admitted(service.policy, document, command, now)
    return Decision(document, DecisionOutcome.UNCHANGED, (refusal,), changed=False, recorded=False)


# --- the questions, in their order ----------------------------------------------------------------


def propose(case: Case) -> Proposal:
    """The first proposal that is one: commanded, necessary, wished for, or about standbys."""
    if case.closed:
        return _automation_only(case)
    proposal = Proposal(case.state) if case.void else _moving(case)
    if not proposal.acts and case.ground.outcome is None and not case.void:
        proposal = _with_standbys(case, proposal)
    if proposal.regions is None and case.ground.outcome is DecisionOutcome.ADOPTED:
        # What the load balancer carries was decided by somebody, so it takes an epoch here as well,
        # even when the message itself is refused. Without it the older document would come back.
        return replace(proposal, regions=case.carrying)
    return proposal


def _automation_only(case: Case) -> Proposal:
    """Nothing can move. What a command says of automation itself is obeyed all the same."""
    obeyed = isinstance(case.signal, Command) and not case.void
    if isinstance(case.signal, Command) and obeyed and case.signal.family is not Family.MOVES:
        return Proposal(case.state, outcome=DecisionOutcome.OBEYED)
    return Proposal(case.state)


def _moving(case: Case) -> Proposal:
    """An operator's move; else the necessary one; else the next step of what is wished for."""
    commands = isinstance(case.signal, Command)
    if isinstance(case.signal, Command) and case.signal.family is Family.MOVES:
        # An operator sees more than we do: the command is not weighed against a necessary move.
        return wished(case)
    needed = necessary(case)
    if needed.acts:
        return needed
    if is_held(needed) and not commands and not is_ending(case.state, case.now):
        # While users may be failing nothing optional is begun. What is under way may end.
        return needed
    optional = wished(case)
    return replace(optional, reasons=(*needed.reasons, *optional.reasons))


def _with_standbys(case: Case, proposal: Proposal) -> Proposal:
    """No traffic moves. Then standbys are attached and drained, one epoch for all of them."""
    arranged = arrange(replace(case, state=proposal.state))
    return replace(
        arranged,
        reasons=(*proposal.reasons, *arranged.reasons),
        waiting=(*proposal.waiting, *arranged.waiting),
    )


def _with_notices(case: Case, decision: Decision) -> Decision:
    """The decision with what it also tells and pages: of clocks, endpoints, traffic and floods."""
    decision = given_up(decision, case.given_up)
    decision = misplaced.told(decision, misplaced.found(case.service, case.before))
    decision = with_leftovers(case, decision)
    return flood.told(case.service, case.before, decision, case.now)
