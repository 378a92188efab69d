"""What applications depend on of the document, for the mirrors: small, whatever the state holds.

PURE. An SSM parameter holds 4 KB; a document with its incidents, history and ramps holds more.
"""

from __future__ import annotations

import json

from orchestrator.core.document.codec import SCHEMA
from orchestrator.core.model import State
from orchestrator.core.outside.limits import READ
from orchestrator.core.outside.reading import count, mapping, read_json, stamped


def public_view(state: State) -> bytes:
    """The document as mirrors hold it: what is read of it equals what is read of the whole."""
    view = {
        "schema": SCHEMA,
        "service": state.service,
        "revision": state.revision,
        "epoch": state.epoch,
        "primary": state.primary,
        "updated_at": stamped(state.updated_at),
        "regions": {
            name: {
                "endpoint": region.endpoint,
                **({"aws_region": region.aws_region} if region.aws_region else {}),
                "healthy": region.healthy,
                "fenced_until": stamped(region.fenced_until),
            }
            for name, region in state.regions.items()
        },
    }
    return json.dumps(view, separators=(",", ":")).encode()


def public_revision(view: bytes) -> int | None:
    """The revision of what lies in a mirror, None for what is no such document at all."""
    try:
        return count(mapping(read_json(view, READ)).get("revision"))
    except (ValueError, TypeError):
        return None
