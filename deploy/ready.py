#!/usr/bin/env python3
"""Says whether now is a time to deploy, from what `failoverctl status --json` prints.

    failoverctl status --json | python3 deploy/ready.py

Not while a service's document has a shift that is not verified yet, a switch or a ramp under way or
a freeze that stands, nor when a document cannot be read. Then each reason is a line on stderr, and
the exit status is 1. No document at all is a new installation, and fine. Standard library only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

SETTLED = "verified"


def reasons(status: Mapping[str, Any], now: datetime) -> list[str]:
    """Why not now, a sentence each; none when nothing blocks."""
    if "services" not in status:
        return [f"how the services stand could not be had: {_message(status)}"]
    return [
        f"{view.get('service')}: {why}" for view in status["services"] for why in _of(view, now)
    ]


def _of(view: Mapping[str, Any], now: datetime) -> Iterator[str]:
    if "document" not in view:
        yield f"its document cannot be read: {_message(view)}"
    if view.get("phase") not in (None, SETTLED):
        yield f"a shift is under way ({view['phase']}); wait for the next tick, a minute at most"
    for field in ("switch", "ramp"):
        if view.get(field):
            yield f"a {field} is under way: {_shown(view[field])}"
    if _stands(view.get("freeze"), now):
        yield f"it is frozen: {_shown(view['freeze'])}"


def _stands(freeze: object, now: datetime) -> bool:
    """Whether there is a freeze that has not ended by itself."""
    until = freeze.get("until") if isinstance(freeze, dict) else None
    try:
        return bool(freeze) and not (until and datetime.fromisoformat(str(until)) <= now)
    except (TypeError, ValueError):
        return True


def _message(view: Mapping[str, Any]) -> str:
    error = view.get("error")
    return str(error.get("message")) if isinstance(error, dict) else "no reason given"


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  # a program of its own, with the machine's clock


def main() -> int:
    """Judge what comes on stdin; give the exit status."""
    try:
        found = json.load(sys.stdin)
    except ValueError:
        found = {}
    why = reasons(found if isinstance(found, dict) else {}, _now())
    sys.stderr.writelines(f"not now: {reason}\n" for reason in why)
    return 1 if why else 0


if __name__ == "__main__":
    raise SystemExit(main())
