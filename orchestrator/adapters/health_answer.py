"""What a health endpoint's answer says beside its status: replication lag, and the region's role.

The body is read to its end, whatever the pieces it comes in. Nothing that is wrong with it changes
what the status says of health, and nothing that is wrong with it is taken for good news: lag that
was announced and cannot be read is unknown.
"""

from __future__ import annotations

import http.client
import json
import math
from collections.abc import Mapping

from orchestrator.core.model import NOTHING, Json, Part, Probe, Role, Verdict

BODY_BYTES = 64 * 1024
"""How long a body may be; a health endpoint's JSON has a few hundred bytes."""

LEADS, STANDS_BY = 200, 503
"""What a region answers that is the primary, and one that is not."""

_PARTS: Mapping[int | str, Part] = {LEADS: Part.LEADS, STANDS_BY: Part.STANDS_BY}

LINGERING = "lingering"
"""The `status` in the JSON of a region that was the primary a moment ago, and still answers so."""

LAG = "replication_lag_seconds"

_GARBLED = (OSError, http.client.HTTPException, ValueError, RecursionError)


def is_json(content_type: str) -> bool:
    """Whether a header announces JSON: `application/json`, `application/health+json`, any case."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.endswith(("/json", "+json"))


def announced(answer: http.client.HTTPResponse) -> bool:
    """Whether the answer announces JSON."""
    return is_json(answer.headers.get("Content-Type", ""))


def read_json(answer: http.client.HTTPResponse) -> Json | None:
    """The JSON object of an answer that announces one, read to its end.

    An answer that is whole and no object tells nothing. None: it is cut off, too long, late or no
    JSON. Takes as long as the body does; who calls this ends it by shutting the connection.
    """
    try:
        body = answer.read(BODY_BYTES + 1)
        if len(body) > BODY_BYTES or answer.length:  # the latter: it ended before the body did
            return None
        told = json.loads(body) if body.strip() else NOTHING
    except _GARBLED:
        return None
    return told if isinstance(told, dict) else NOTHING


def probe_of(status: int, told: Json | None) -> Probe:
    """The verdict of an answer, with its lag. told: None where the JSON could not be read."""
    match status // 100:
        case 2:
            lag = None if told is None else _lag(told)
            return Probe(Verdict.HEALTHY, status, lag or {}, lag_unreadable=lag is None)
        case 5:
            return Probe(Verdict.FAILING, status)
        case _:
            return Probe(Verdict.SILENT, status)


def _lag(told: Json) -> Mapping[str, float | None] | None:
    """Seconds by region, None for a value that is no lag. None for all of it if it is no object."""
    if LAG not in told:
        return {}
    lags = told[LAG]
    if not isinstance(lags, dict):
        return None
    return {str(name): seconds_of(value) for name, value in lags.items()}


def seconds_of(value: object) -> float | None:
    """A number of seconds of at least 0, or None for anything else: text, truth, NaN, too large."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def role_of(probe: Probe, told: Json | None) -> Role:
    """What an answer says of the region's role."""
    told, answer = told or NOTHING, str(probe.answer)
    part, epoch = _PARTS.get(probe.answer), told.get("epoch")
    if part is None:
        return Role(Part.SILENT, answer)
    if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 0:
        return Role(Part.SILENT, f"{answer} without a document's epoch")
    lingers = part is Part.LEADS and told.get("status") == LINGERING
    return Role(Part.LINGERS if lingers else part, answer, epoch)
