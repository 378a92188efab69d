"""Commit: compare-and-set of the state document, so that the intent is durable first.

`writer` is fresh for each attempt. A lost answer is never taken for a failure: the document is read
again, and our own writer on it means that the commit happened.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.core.document.size import Fitted, fitted
from orchestrator.core.exceptions import Conflict, Unavailable
from orchestrator.core.model import State, Stored
from orchestrator.core.outside.limits import READ, WRITTEN
from orchestrator.flow.context import Context
from orchestrator.flow.observe import document_name, read_state


class Raced(Conflict):
    """Another commit came first. `stored` is the document as it is now."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        super().__init__("the state document was changed by somebody else meanwhile")


def commit(state: State, generation: int, context: Context) -> Stored:
    """Replace that generation of the document by this state; give it as stored.

    Raises Raced, or Unavailable when it is certain that this attempt is not what is stored now.
    """
    writer = context.new_id()
    stamped = replace(state, revision=generation, writer=writer, updated_at=context.now())
    name = document_name(state.service)
    fit = fitted(stamped)
    _say_dropped(fit, context)
    try:
        generation_now = context.objects.put(name, fit.data, generation)
    except (Conflict, Unavailable) as error:
        stored = read_state(state.service, context)
        if stored.state is not None and stored.state.writer == writer:
            return stored
        if isinstance(error, Conflict) or stored.generation != generation:
            raise Raced(stored) from error
        raise
    context.memory.documents.add(state.service)
    return Stored(fit.state, generation_now)


def _say_dropped(fit: Fitted, context: Context) -> None:
    """Name what the document no longer holds for its size, and one that is still too large."""
    state, size = fit.state, len(fit.data)
    before = state.raw.get("forgotten")
    forgotten = state.forgotten - (before if isinstance(before, int) else 0)
    dropped = {**fit.dropped, **({"incidents": forgotten} if forgotten > 0 else {})}
    if dropped:
        listed = ", ".join(f"{count} {what}" for what, count in dropped.items())
        text = f"{document_name(state.service)}: left out so that it stays readable: {listed}"
        context.log("WARNING", text, service=state.service, dropped=dropped)
    if size >= WRITTEN:
        refused = size > READ
        effect = f"Applications refuse it above {READ}" if refused else "Applications still read it"
        context.log(
            "CRITICAL" if refused else "ERROR",
            f"{document_name(state.service)} has {size} bytes, more than {WRITTEN}, and nothing"
            f" more can be left out. {effect}. See what fills it:"
            f" `failoverctl state show {state.service}`",
            service=state.service,
            **({"page": True} if refused else {}),
        )
