"""Adopt: a human has a document made for routing that carries an epoch and has lost its document.

The traffic stays as it is, under an epoch above the one on the load balancer. Incidents, freezes,
cooldowns and history are lost, which is why nothing but a human does this. Afterwards a tick writes
the new epoch's mark onto the routing.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.core.decide import decide
from orchestrator.core.document.ground import create
from orchestrator.core.document.trigger import Trigger, TriggerOrigin, words
from orchestrator.core.exceptions import Conflict, UnsafePlan
from orchestrator.core.model import NO_MARK, Stored, Tick
from orchestrator.core.policy import Service
from orchestrator.core.rule import Rule
from orchestrator.core.traffic.plan import mark_of
from orchestrator.flow.commit import commit
from orchestrator.flow.context import Context
from orchestrator.flow.journal import record
from orchestrator.flow.observe import observe
from orchestrator.flow.pipeline import Report, handle


def adopt(service: Service, actor: str, context: Context) -> Report:
    """Make the document from the routing, only while there is none, and have a tick carry it out.

    Raises Conflict when there is a document, Unavailable when the routing cannot be read,
    UnsafePlan when it names no configured region, and what a tick raises.
    """
    observed = observe(service, context, kinds=True)
    if observed.stored.state is not None:
        raise Conflict(f"{service.name} has a state document: there is nothing to adopt")
    if observed.routing is None:
        raise observed.unseen
    now = context.now()
    made = Stored(create(service, observed.routing, now), 0)
    decision = decide(service, replace(observed, stored=made), Tick(), now)
    seen = mark_of(observed.routing, service)
    if seen != NO_MARK and decision.state.mark <= seen:
        refused = "; ".join(str(one) for one in decision.reasons if not one.passed)
        raise UnsafePlan(
            Rule.ROUTING, f"{service.name}: the traffic cannot be adopted as it is: {refused}"
        )
    what = Trigger(TriggerOrigin.ADOPT, actor=actor)
    before = record.before(service, Stored(None, 0), observed.routing)
    entry = record.entry(decision, what, before, now, context.new_id())
    state = replace(decision.state, history=(entry, *decision.state.history))
    stored = commit(state, 0, context)
    try:
        return handle(service, Tick(), context)
    finally:
        record.publish(service, entry, context)
        done = f"{service.name}: {words(what)}"
        context.log("NOTICE", done, epoch=stored.state and stored.state.epoch)
