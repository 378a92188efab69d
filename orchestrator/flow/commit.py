"""Commit: compare-and-set of the state document, so that the intent is durable first.

`writer` is fresh for each attempt. A lost answer is never taken for a failure: the document is read
again, and our own writer on it means that the commit happened.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.core import codec
from orchestrator.core.errors import Conflict, Unavailable
from orchestrator.core.model import State, Stored
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
    try:
        made = context.objects.put(name, codec.encode(stamped), generation)
    except (Conflict, Unavailable) as error:
        found = read_state(state.service, context)
        if found.state is not None and found.state.writer == writer:
            return found
        if isinstance(error, Conflict) or found.generation != generation:
            raise Raced(found) from error
        raise
    context.memory.documents.add(state.service)
    return Stored(stamped, made)
