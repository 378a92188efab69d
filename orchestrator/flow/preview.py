"""Preview: what the pipeline would do with a signal now, without doing any of it.

The same observe, the same decide, the same plan; nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from orchestrator.core.decide import decide
from orchestrator.core.exceptions import FailoverError, UnsafePlan
from orchestrator.core.model import Decision, Observed, Page, Paged, Signal, Tick
from orchestrator.core.paging import Due, drifting, note, page_of, unmarked
from orchestrator.core.policy import Service
from orchestrator.core.traffic.plan import Plan, plan
from orchestrator.flow.context import Context
from orchestrator.flow.converge import is_left_unmarked
from orchestrator.flow.observe import observe


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be decided and changed.

    plan: None when there can be none; `obstacle` says why then, and `error` is what it says.
    unmarked: the plan would write the mark alone, which is left as it is. at: when it was looked.
    pages: the conditions that hold. due: those that a human would be paged for now. remembered:
    what would be remembered of each condition then.
    """

    observed: Observed
    decision: Decision
    plan: Plan | None
    at: datetime
    obstacle: str = ""
    error: FailoverError | None = None
    unmarked: bool = False
    pages: tuple[Page, ...] = ()
    due: tuple[Due, ...] = ()
    remembered: Mapping[str, Paged] = field(default_factory=dict)


def preview(service: Service, signal: Signal, context: Context) -> Preview:
    """What `handle` would do with this signal now.

    Raises Unavailable when the state cannot be read or is corrupt, Outdated when this
    configuration is older than the document's.
    """
    observed = observe(service, context, kinds=isinstance(signal, Tick))
    if observed.routing is None and observed.stored.state is None:
        raise observed.unseen  # as `handle` does
    now = context.now()
    decision = decide(service, observed, signal, now)
    ahead = Preview(observed, decision, None, now)
    if observed.routing is None:
        lost = observed.unseen
        return _paging(replace(ahead, obstacle=str(lost), error=lost), service)
    try:
        left = plan(decision.state, observed.routing, service)
    except UnsafePlan as unsafe:
        return _paging(replace(ahead, obstacle=str(unsafe), error=unsafe), service)
    is_left = is_left_unmarked(replace(observed.stored, state=decision.state), left, now)
    return _paging(replace(ahead, plan=left, unmarked=is_left), service)


def _paging(ahead: Preview, service: Service) -> Preview:
    """The preview with the conditions that hold, and those of them that page now."""
    state, error = ahead.observed.stored.state, ahead.error
    pages = [*ahead.decision.pages, *(drifting(state, service, ahead.at) if state else ())]
    if error is not None and error.page:
        pages.append(page_of(error, service.name))
    if ahead.unmarked and ahead.plan is not None:
        pages.append(unmarked(ahead.plan.resource, ahead.plan.mark.epoch, service))
    remembered, due = note(state.pages if state else {}, pages, ahead.at)
    return replace(ahead, pages=tuple(pages), due=due, remembered=remembered)
