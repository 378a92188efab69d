"""The intent: a decision that is durable, before anything is changed because of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.core.decide import decide
from orchestrator.core.document import trigger
from orchestrator.core.exceptions import Unavailable, Withheld
from orchestrator.core.health import flood
from orchestrator.core.model import (
    NO_MARK,
    Decision,
    DecisionOutcome,
    Json,
    Observed,
    Signal,
    Stored,
)
from orchestrator.core.paging import Due
from orchestrator.core.policy import Service
from orchestrator.core.traffic import leftover
from orchestrator.flow.commit import commit
from orchestrator.flow.context import Context
from orchestrator.flow.journal import record
from orchestrator.flow.outgoing import page


@dataclass(frozen=True, slots=True)
class Intent:
    """A decision that is durable.

    entry: as the history has it. at: when it was made. fresh: it made its epoch. observed: what
    was read before that. new_groups: unclaimed ones with traffic that were not known before.
    floods: a flood of incidents has begun. due: pages that its commit remembers.
    """

    decision: Decision
    entry: Json
    stored: Stored
    at: datetime
    fresh: bool
    observed: Observed
    new_groups: tuple[str, ...]
    floods: bool
    due: tuple[Due, ...] = ()

    @property
    def id(self) -> str:
        """By which history and journal know it; none when they do not."""
        return str(self.entry["id"]) if self.decision.recorded else ""


def intend(service: Service, signal: Signal, observed: Observed, context: Context) -> Intent:
    """Decide, and commit what was decided if that changes anything."""
    now = context.now()
    decision = decide(service, observed, signal, now)
    before = record.before(service, observed.stored, observed.routing)
    made = record.entry(decision, trigger.of(signal), before, now, context.new_id())
    if decision.outcome is DecisionOutcome.HELD and (asked := record.given(signal)):
        made = {**made, "given": asked}
    old = observed.stored.state
    fresh = decision.state.mark != (old.mark if old else NO_MARK)
    new_groups = leftover.fresh(old, decision.state)
    floods = flood.begins(old, decision.state, now)
    intent = Intent(decision, made, observed.stored, now, fresh, observed, new_groups, floods)
    return _committed(service, intent, context) if decision.changed else intent


def _committed(service: Service, intent: Intent, context: Context) -> Intent:
    """The same, committed: with its entry in the history, and with what it pages remembered."""
    decision = intent.decision
    state, due = page.remember(decision.state, decision.pages, intent.id, context)
    made = {**intent.entry, "page": "; ".join(one.page.text for one in due)}
    if decision.recorded:
        state = replace(state, history=(made, *state.history))
    try:
        stored = commit(state, intent.stored.generation, context)
    except Unavailable as error:
        if decision.outcome is not DecisionOutcome.HELD:
            raise
        page.page(service, decision.pages, context)  # it is true, whether or not it is kept
        raise withheld(error) from error
    return replace(intent, entry=made, stored=stored, due=due)


def withheld(error: Unavailable) -> Withheld:
    """The error, where the document had decided to hold: nobody acts without the state then."""
    return Withheld(str(error), page=error.page, kind=error.kind, cloud=error.cloud)
