"""The document in as many bytes as every reader takes.

Incidents are bounded where they are merged (`tombstones`). Here the rest is: commands and history
by number, and history by size. A dropped command's id means that a copy of that command is no
longer known for one: the newest 200 are kept, and a copy that is older than `max_event_age` is
refused by its age. PURE.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orchestrator.core.document.codec import encode
from orchestrator.core.model import Json, State
from orchestrator.core.outside.limits import COMMANDS, HISTORY, READ, WRITTEN


@dataclass(frozen=True, slots=True)
class Fitted:
    """A document ready to be written.

    dropped: how many of what were left out beyond the usual number of decisions.
    """

    state: State
    data: bytes
    dropped: Mapping[str, int] = field(default_factory=dict)


def fitted(state: State) -> Fitted:
    """The document below `limits.WRITTEN`, or as near as what must be kept lets it be.

    Fields that this version does not know are kept as long as readers can take the document.
    """
    dropped = {}
    if (extra := len(state.commands) - COMMANDS) > 0:
        newest = sorted(state.commands.items(), key=lambda one: (one[1], one[0]))[-COMMANDS:]
        kept = dict(newest)
        state = replace(state, commands={k: at for k, at in state.commands.items() if k in kept})
        dropped["ids of commands"] = extra
    state = replace(state, history=state.history[:HISTORY])
    data = encode(state)
    if len(data) >= WRITTEN:
        history = _shorter(state.history, len(data) - WRITTEN + 1)
        dropped["decisions of the history"] = len(state.history) - len(history)
        state = replace(state, history=history)
        data = encode(state)
    if len(data) > READ:
        state = replace(state, raw={})
        data = encode(state)
        dropped["fields that this version does not know"] = 1
    return Fitted(state, data, {what: count for what, count in dropped.items() if count > 0})


def _shorter(history: tuple[Json, ...], surplus: int) -> tuple[Json, ...]:
    """The newest entries; so many less that the surplus is gone, and the newest always."""
    kept = list(history)
    while len(kept) > 1 and surplus > 0:
        surplus -= len(json.dumps(kept.pop(), indent=1))
    return tuple(kept)
