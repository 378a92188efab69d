"""Preview: what the pipeline would do with a signal now, without doing any of it.

The same observe, the same decide, the same plan; nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.core.decide import decide
from orchestrator.core.errors import FailoverError, Unavailable, UnsafePlan
from orchestrator.core.model import Decision, Observed, Signal, Tick
from orchestrator.core.plan import Plan, plan
from orchestrator.core.policy import Service
from orchestrator.flow.context import Context
from orchestrator.flow.observe import observe


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be decided and changed.

    plan: None when there can be none; `obstacle` says why then, and `error` is what it says.
    """

    observed: Observed
    decision: Decision
    plan: Plan | None
    obstacle: str = ""
    error: FailoverError | None = None


def preview(service: Service, signal: Signal, context: Context) -> Preview:
    """What `handle` would do with this signal now.

    Raises Unavailable when the state cannot be read or is corrupt, Outdated when this
    configuration is older than the document's.
    """
    observed, lost = observe(service, context, kinds=isinstance(signal, Tick))
    if lost is not None and observed.stored.state is None:
        raise lost  # as `handle` does: a first document is made with the routing in sight
    decision = decide(service, observed, signal, context.now())
    if observed.routing is None:
        lost = lost or Unavailable("routing not read")
        return Preview(observed, decision, None, str(lost), lost)
    try:
        return Preview(observed, decision, plan(decision.state, observed.routing, service))
    except UnsafePlan as unsafe:
        return Preview(observed, decision, None, str(unsafe), unsafe)
