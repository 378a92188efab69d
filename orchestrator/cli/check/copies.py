"""What `check` finds of the mirrors: whether they can be read, and how they stand to the document.

Read only. What stands lower is brought up by the next tick. What stands higher than the document
was written by something else: the next tick pages, and puts the document in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from orchestrator.cli.check.finding import Finding, Level
from orchestrator.cli.session import side_by_side
from orchestrator.core.exceptions import FailoverError, Unavailable
from orchestrator.core.policy import Service
from orchestrator.flow.context import Context
from orchestrator.flow.observe import read_state
from orchestrator.ports import Mirror


def mirrors(service: Service, context: Context) -> list[Finding]:
    """One finding for each mirror of this service. None where none is configured."""
    if not context.mirrors:
        return []
    asked = {mirror.name: partial(_revision, mirror, service) for mirror in context.mirrors}
    there = side_by_side(asked)
    try:
        state = read_state(service.name, context).state
    except FailoverError:
        state = None  # that is a finding of its own
    ours = state.revision if state else None
    return [_finding(service.name, name, found, ours) for name, found in there.items()]


def _revision(mirror: Mirror, service: Service) -> int | None:
    """Its revision, whatever goes wrong in its library as Unavailable."""
    ask: Callable[[str], int | None] = mirror.revision
    try:
        return ask(service.name)
    except FailoverError:
        raise
    except Exception as error:
        raise Unavailable(f"{mirror.name}: {type(error).__name__}: {error}") from error


def _finding(
    service: str, name: str, there: int | FailoverError | None, ours: int | None
) -> Finding:
    what = f"mirror {name}"
    if isinstance(there, FailoverError):
        text = "Applications that read it use an older document. No failover is affected"
        return Finding(service, what, Level.WARN, str(there), text, there)
    if there is None:
        text = "The next change or tick puts the document there"
        return Finding(service, what, Level.WARN, "no document yet", text)
    if ours is None or there == ours:
        return Finding(service, what, Level.OK, f"revision {there}")
    detail = f"revision {there}, and the document has {ours}"
    if there < ours:
        return Finding(service, what, Level.WARN, detail, "The next tick brings it up to date")
    text = (
        "Something other than the orchestrator wrote it: find who can write there. The next tick"
        " puts the document in its place"
    )
    return Finding(service, what, Level.FAIL, detail, text)
