"""The older format: one flat file, `{region: {endpoint, healthy}}`, for applications that read it.

It is upgraded to a document when there is none, and kept as the document says where it exists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from orchestrator.core.health.incidents import TICK_PREFIX
from orchestrator.core.model import NOTHING, Incident, IncidentState, Json, State, Status
from orchestrator.core.outside.limits import READ
from orchestrator.core.outside.reading import Corrupt, read_json, strict


def decode_flat(data: bytes) -> Mapping[str, Json]:
    """The older format, `{region: {endpoint, healthy}}`. Raises Corrupt."""
    try:
        return {name: strict(entry) for name, entry in strict(read_json(data, READ)).items()}
    except (TypeError, ValueError) as error:
        raise Corrupt(str(error)) from error


def encode_flat(state: State, before: Mapping[str, Json]) -> bytes:
    """The older format as this state has it, over the file as it was."""
    after: dict[str, Json] = dict(before)
    for name, entry in state.regions.items():
        after[name] = {
            **before.get(name, NOTHING),
            "endpoint": entry.endpoint,
            "healthy": entry.healthy,
        }
    return json.dumps(after, indent=1).encode()


def upgrade(state: State, flat: Mapping[str, Json], now: datetime) -> State:
    """A new document with the health that the older file tells.

    A region that it calls unhealthy gets an incident of our own, closed by recovery like any other.
    """
    incidents = dict(state.incidents)
    regions = dict(state.regions)
    for name, entry in flat.items():
        if name in regions and entry.get("healthy") is False:
            own = f"{TICK_PREFIX}{name}-upgrade"
            incidents[own] = Incident(own, name, IncidentState.OPEN, now)
            regions[name] = replace(regions[name], status=Status.DOWN)
    return replace(state, incidents=incidents, regions=regions)
