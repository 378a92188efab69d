"""Entry points of the Cloud Function. Nothing is read, imported or built before the first event.

functions-framework --target on_alert
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import functions_framework

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

_wiring: Any = None
_lock = threading.Lock()


@functions_framework.http
def on_alert(event: Any) -> ResponseReturnValue:  # a Flask request, or a CloudEvent in a test
    """Take one message of the alerts topic: a Pub/Sub push or a CloudEvent, as an HTTP request.

    An HTTP signature, because the framework's own CloudEvent signature answers 400 to a body that
    it cannot read, which Pub/Sub would redeliver for days.
    """
    return _answer(event, "alert")


@functions_framework.http
def on_control(event: Any) -> ResponseReturnValue:  # as above
    """Take one message of the control topic: a tick or an operator's command."""
    return _answer(event, "control")


def _answer(event: Any, kind: str) -> ResponseReturnValue:  # as above
    method = getattr(event, "method", "POST")
    if method != "POST":
        return "this function takes Pub/Sub messages by POST\n", 405, {"Allow": "POST"}
    from orchestrator import entry, telemetry  # not before the first event
    from orchestrator.core.exceptions import Forbidden  # as above

    headers = getattr(event, "headers", {})
    trace = headers.get("traceparent") or headers.get("X-Cloud-Trace-Context") or ""
    body = event.get_data() if hasattr(event, "get_data") else event.data
    with telemetry.traced(trace, os.environ.get("GOOGLE_CLOUD_PROJECT", "")):
        try:
            return f"{getattr(entry, kind)(body, _wired(), headers)}\n"
        except Forbidden:  # logged, and a human is paged; the caller learns nothing about it
            return "forbidden\n", 403


def _wired() -> Any:  # orchestrator.wiring is not imported before the first event
    global _wiring  # noqa: PLW0603  # one a process, built on first use
    with _lock:
        if _wiring is None:
            from orchestrator.wiring import Wiring  # as above

            _wiring = Wiring(os.environ, Path(__file__).parent)
        return _wiring
