"""Mirrors: the document where applications read it if they cannot read the bucket.

Published after the shift, and again on every tick; nothing here can fail or delay a failover. With
attached standbys the document itself moves the users, so there they get it beside the patch. What
is published is what is committed: it is read once more, so that no later write of ours is missed.
A slow publisher with an older document does no harm, for a mirror compares.
"""

from __future__ import annotations

from concurrent.futures import Future, wait
from dataclasses import dataclass

from orchestrator.core.document.public import public_view
from orchestrator.core.exceptions import FailoverError, Unavailable
from orchestrator.core.model import Decision, Page, Signal, State, Stored, Tick
from orchestrator.core.outside.limits import TOLD
from orchestrator.core.outside.shown import short
from orchestrator.core.policy import Service, Standby
from orchestrator.core.rule import Rule
from orchestrator.flow.context import Context
from orchestrator.flow.observe import read_state
from orchestrator.flow.outgoing import page
from orchestrator.flow.outgoing.spared import spared
from orchestrator.ports import Mirror

BOUND = 5.0
"""Seconds that all mirrors together are waited for; what is still under way then is left alone."""


def due(signal: Signal, decision: Decision, context: Context) -> bool:
    """Whether the mirrors may need an update: after a commit, and on every tick."""
    return bool(context.mirrors) and (decision.changed or isinstance(signal, Tick))


def ahead(service: Service, stored: Stored, context: Context) -> None:
    """With attached standbys: begin to publish what was just committed, and wait for nothing."""
    if context.mirrors and service.standby is Standby.ATTACHED:
        context.executor.submit(publish, service, stored, context)


@dataclass(frozen=True, slots=True)
class Ahead:
    """A mirror had a revision that no commit has made. replaced: the document is there now."""

    there: int
    ours: int
    replaced: bool


def publish(service: Service, stored: Stored | None, context: Context) -> None:
    """Bring every mirror up to date, all at once. Raises nothing.

    stored: the document as we have it, for when it cannot be read again.
    """
    spared("mirrors not written", lambda: _publish(service, stored, context), context, service.name)


def _publish(service: Service, stored: Stored | None, context: Context) -> None:
    state = _committed(service.name, stored, context)
    if state is None:
        return
    asked = {
        mirror: context.executor.submit(_bring, mirror, state, context)
        for mirror in context.mirrors
    }
    wait(asked.values(), BOUND)
    for mirror, answer in asked.items():
        _tell(service, mirror, answer, stored, context)


def _bring(mirror: Mirror, state: State, context: Context) -> Ahead | None:
    """Publish, and see whether what lies there can be one of the document's revisions.

    The document is read after the mirror was: whatever a mirror has was committed before, so the
    document has it by then. What it does not have was written by something else.
    """
    name = state.service
    there = mirror.publish(name, state.revision, public_view(state))
    if there <= state.revision:
        return None
    newest = read_state(name, context).state
    if newest is None or there <= newest.revision:
        return None
    replaced = mirror.replace(name, there, newest.revision, public_view(newest))
    return Ahead(there, newest.revision, replaced)


def _committed(service: str, stored: Stored | None, context: Context) -> State | None:
    try:
        return read_state(service, context).state
    except FailoverError as error:
        if stored is None or stored.state is None:
            context.log("INFO", f"mirrors were not changed: {error}", service=service)
            return None
        return stored.state


def _tell(
    service: Service,
    mirror: Mirror,
    answer: Future[Ahead | None],
    stored: Stored | None,
    context: Context,
) -> None:
    error = _error(answer)
    if error is None:
        rival = answer.result()
        if rival is not None:
            _page(service, mirror, rival, stored, context)
        return
    said = str(error) if isinstance(error, FailoverError) else f"{type(error).__name__}: {error}"
    context.log(
        "ERROR",
        f"mirror {mirror.name} not written: {short(said, TOLD)}. Applications that read the"
        " document there use an older one. The failover itself is not affected. The next tick tries"
        " again",
        service=service.name,
        mirror=mirror.name,
    )


def _page(
    service: Service, mirror: Mirror, rival: Ahead, stored: Stored | None, context: Context
) -> None:
    now = "the document is there again" if rival.replaced else "the mirror has changed again since"
    text = (
        f"mirror: {mirror.name} had revision {rival.there} of {service.name}, and the document has"
        f" {rival.ours}: something other than the orchestrator wrote it, and {now}. Applications"
        " that could not read the document elsewhere used it, and those that read only this mirror"
        " use it until they restart. Find out who can write there"
    )
    command = f"failoverctl check {service.name}"
    condition = Page(Rule.MIRROR, text, command=command, resource=mirror.name)
    context.log("ERROR", text, service=service.name, mirror=mirror.name)
    page.page(service, (condition,), context, stored=stored)


def _error(answer: Future[Ahead | None]) -> BaseException | None:
    if not answer.done():
        answer.cancel()
        return Unavailable(f"no answer within {BOUND:g} s")
    return answer.exception()
