"""Structured log lines in the fields that Cloud Logging knows, one JSON object each on stdout.

To page is a line of severity CRITICAL with `page: true`: an alert on that line reaches people
through their own channels.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from orchestrator.core.outside.shown import visible

LONGEST = 4000
"""Characters of a message that are logged; a message may quote what came in from outside."""

_trace: ContextVar[str] = ContextVar("trace", default="")
_lock = threading.Lock()


def log(severity: str, message: str, **fields: object) -> None:
    """Write one line. severity: DEBUG, INFO, NOTICE, WARNING, ERROR or CRITICAL.

    What no JSON reader takes (a lone surrogate, NaN) would cost the line its severity, and so a
    page; it is written as an escape or a text.
    """
    line: dict[str, object] = {"severity": severity, "message": message[:LONGEST], **fields}
    if _trace.get():
        line["logging.googleapis.com/trace"] = _trace.get()
    text = json.dumps(visible(line))
    with _lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


@contextmanager
def traced(header: str, project: str) -> Iterator[None]:
    """Attach this request's trace to every line. header: `traceparent` or X-Cloud-Trace-Context."""
    parts = header.split("-") if header.count("-") == 3 else header.split("/")  # noqa: PLR2004  # W3C form
    identity = parts[1] if len(parts) == 4 else parts[0]  # noqa: PLR2004  # version-trace-span-flags
    token = _trace.set(f"projects/{project}/traces/{identity}" if identity and project else "")
    try:
        yield
    finally:
        _trace.reset(token)
