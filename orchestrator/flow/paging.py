"""Page: the one function by which a human is called, with a log line and an event.

When a page is due is decided by `orchestrator.core.paging`. Here it is remembered: in the document,
by a commit that happens anyway or by one write more that is off the path; where neither is
possible, in this instance. Nothing here can fail or delay a failover.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from orchestrator.core import paging
from orchestrator.core.errors import FailoverError, Outdated, StateLost
from orchestrator.core.model import Page, Paged, Repair, State, Stored
from orchestrator.core.paging import Due
from orchestrator.core.policy import Service
from orchestrator.flow import announce
from orchestrator.flow.commit import Raced, commit
from orchestrator.flow.context import Context, Memory
from orchestrator.flow.observe import read_state
from orchestrator.ports import Log

TRIES = 3
"""Writes of what was paged that may lose against others before it is kept in the instance."""


def page(
    service: Service,
    pages: Iterable[Page],
    context: Context,
    *,
    stored: Stored | None = None,
    decision: str = "",
    repairs: Iterable[Repair] = (),
) -> None:
    """Call a human for those of these conditions that are due. Raises nothing.

    stored: the document, where it could be read. decision: id of the recorded decision that they
    come from. repairs: of drift, to be remembered with them; they may be a condition themselves.
    """
    fresh = tuple(repairs)
    due = _remember(service, tuple(pages), stored, decision, fresh, context)
    say(service, due, context)


def page_error(
    service: Service, error: FailoverError, context: Context, *, ticking: bool = False
) -> None:
    """Page about an error that ended an invocation. Raises nothing.

    Remembered in the document if it is readable, and not by an outdated instance, which writes
    nothing at all. ticking: only a tick met it.
    """
    keeps = not isinstance(error, StateLost | Outdated)
    try:
        stored = read_state(service.name, context) if keeps else None
    except FailoverError:
        stored = None
    found = paging.page_of(error, service.name, ticking=ticking)
    page(service, (found,), context, stored=stored)


def ahead(
    state: State, pages: Collection[Page], decision: str, context: Context
) -> tuple[State, tuple[Due, ...]]:
    """The state that is about to be committed with these pages remembered, and those due then."""
    known = paging.merged(state.pages, _own(state.service, context))
    after, due = paging.told(known, pages, context.now(), decision)
    return replace(state, pages=after), due


def settled(name: str, pages: Collection[Page], context: Context) -> None:
    """Forget these conditions in the instance: the document has them now. Others stay here."""
    told = {paging.key(page) for page in pages}
    with context.memory.lock:
        others = {key: one for key, one in _own(name, context).items() if key not in told}
        context.memory.pages.pop(name, None)
        if others:
            context.memory.pages[name] = others


def alarm(page: Page, memory: Memory, log: Log, now: datetime) -> None:
    """Call a human before any service is known, as for a configuration that cannot be used."""
    with memory.lock:
        after, due = paging.told(memory.pages.get("", {}), (page,), now)
        memory.pages[""] = after
    for one in due:
        _write("", one, log)


def say(service: Service, due: Iterable[Due], context: Context) -> None:
    """These pages: the log line that alerts people, and the event."""
    for one in due:
        command = _write(service.name, one, context.log)
        announce.page(service, one, command, context)


def _write(service: str, due: Due, log: Log) -> str:
    """The log line of one page; gives the command that it names."""
    made, entry = due.page, due.entry
    command = paging.command(service, made, entry.decision)
    begun = f"{entry.since:%Y-%m-%d %H:%M} UTC"
    again = f" (reminder {entry.count - 1}, since {begun})" if entry.count > 1 else ""
    log(
        "CRITICAL",
        f"{f'{service}: ' if service else ''}a human is needed{again}: {made.text.rstrip('.')}."
        f" To do: `{command}`{' (shows what it would do; add --apply)' if made.shows else ''}",
        page=True,
        rule=made.rule,
        regions=list(made.regions),
        decision=entry.decision,
        command=command,
        count=entry.count,
        **({"service": service} if service else {}),
    )
    return command


def _remember(
    service: Service,
    pages: tuple[Page, ...],
    stored: Stored | None,
    decision: str,
    repairs: tuple[Repair, ...],
    context: Context,
) -> tuple[Due, ...]:
    """The pages that are due, remembered in the document; where that fails, in this instance."""
    after, due = _here(service.name, pages, decision, context)
    for _ in range(TRIES):
        if stored is None or stored.state is None:
            break
        state = _noted(stored.state, repairs, context.now())
        holding = (*pages, *paging.drifting(state, service, context.now()))
        state, due = ahead(state, holding, decision, context)
        if state == stored.state:
            return ()
        after = state.pages
        try:
            commit(state, stored.generation, context)
        except Raced as race:
            stored = race.stored
        except FailoverError as error:
            context.log("INFO", f"not remembered in the document: {error}", service=service.name)
            break
        else:
            settled(service.name, pages, context)
            return due
    with context.memory.lock:
        context.memory.pages[service.name] = after
    return due


def _noted(state: State, repairs: tuple[Repair, ...], now: datetime) -> State:
    """The state with these repairs remembered."""
    if not repairs:
        return state
    return replace(state, repairs=paging.remembered(state.repairs, repairs, now))


def _here(
    name: str, pages: tuple[Page, ...], decision: str, context: Context
) -> tuple[Mapping[str, Paged], tuple[Due, ...]]:
    """What this instance would remember by itself, and what is due by that."""
    with context.memory.lock:
        return paging.told(_own(name, context), pages, context.now(), decision)


def _own(name: str, context: Context) -> Mapping[str, Paged]:
    return context.memory.pages.get(name, {})
