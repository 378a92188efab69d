"""Mirrors: the document where applications read it if they cannot read the bucket.

Published after the shift, and again on every tick; nothing here can fail or delay a failover. With
attached standbys the document itself moves the users, so there they get it beside the patch. What
is published is what is committed: it is read once more, so that no later write of ours is missed.
A slow publisher with an older document does no harm, for a mirror compares.
"""

from __future__ import annotations

from concurrent.futures import Future, wait

from orchestrator.core.errors import FailoverError, Unavailable
from orchestrator.core.limits import TOLD
from orchestrator.core.model import Decision, Signal, State, Stored, Tick
from orchestrator.core.policy import Service, Standby
from orchestrator.core.public import public_view
from orchestrator.core.shown import short
from orchestrator.flow.context import Context
from orchestrator.flow.observe import read_state
from orchestrator.flow.spared import spared
from orchestrator.ports import Mirror

BOUND = 5.0
"""Seconds that all mirrors together are waited for; what is still under way then is left alone."""


def due(signal: Signal, decision: Decision, context: Context) -> bool:
    """Whether the mirrors may need an update: after a commit, and on every tick."""
    return bool(context.mirrors) and (decision.changed or isinstance(signal, Tick))


def ahead(service: Service, stored: Stored, context: Context) -> None:
    """With attached standbys: begin to publish what was just committed, and wait for nothing."""
    if context.mirrors and service.standby is Standby.ATTACHED:
        context.executor.submit(publish, service.name, stored, context)


def publish(service: str, stored: Stored | None, context: Context) -> None:
    """Bring every mirror up to date, all at once. Raises nothing.

    stored: the document as we have it, for when it cannot be read again.
    """
    spared("mirrors not written", lambda: _publish(service, stored, context), context, service)


def _publish(service: str, stored: Stored | None, context: Context) -> None:
    state = _committed(service, stored, context)
    if state is None:
        return
    view = public_view(state)
    asked = {
        mirror: context.executor.submit(mirror.publish, service, state.revision, view)
        for mirror in context.mirrors
    }
    wait(asked.values(), BOUND)
    for mirror, answer in asked.items():
        _tell(service, mirror, answer, context)


def _committed(service: str, stored: Stored | None, context: Context) -> State | None:
    try:
        return read_state(service, context).state
    except FailoverError as error:
        if stored is None or stored.state is None:
            context.log("INFO", f"mirrors left as they are: {error}", service=service)
            return None
        return stored.state


def _tell(service: str, mirror: Mirror, answer: Future[bool], context: Context) -> None:
    error = _error(answer)
    if error is None:
        return
    said = str(error) if isinstance(error, FailoverError) else f"{type(error).__name__}: {error}"
    context.log(
        "ERROR",
        f"mirror {mirror.name} not written: {short(said, TOLD)}. Applications that read the"
        " document there go by an older one; the failover itself is not affected, and the next tick"
        " tries again",
        service=service,
        mirror=mirror.name,
    )


def _error(answer: Future[bool]) -> BaseException | None:
    if not answer.done():
        answer.cancel()
        return Unavailable(f"no answer within {BOUND:g} s")
    return answer.exception()
