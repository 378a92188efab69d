"""Page: the one function by which a human is called, with a log line and an event.

When a page is due is decided by `orchestrator.core.paging`. Here it is remembered: in the document,
by a commit that happens anyway (`remember`) or by one write more that is off the path; where
neither is possible, in this instance. `alarm` is the same before any service is known. Nothing here
can fail or delay a failover.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from orchestrator.core import paging
from orchestrator.core.exceptions import FailoverError, Outdated, StateLost
from orchestrator.core.model import Page, Paged, Repair, State, Stored
from orchestrator.core.paging import Due
from orchestrator.core.policy import Service
from orchestrator.flow.commit import Raced, commit
from orchestrator.flow.context import Context, Memory
from orchestrator.flow.observe import read_state
from orchestrator.flow.outgoing import announce
from orchestrator.ports import Log

TRIES = 3
"""Writes of what was paged that may lose against others before it is kept in the instance."""


def page(
    service: Service,
    subject: Iterable[Page | Due] | FailoverError,
    context: Context,
    *,
    stored: Stored | None = None,
    decision: str = "",
    repairs: Iterable[Repair] = (),
    ticking: bool = False,
) -> None:
    """Call a human for those of these conditions that are due. Raises nothing.

    subject: the conditions that hold, or the error that ended an invocation. Pages that `remember`
    found due and that were committed since are said as they are. stored: the document that
    remembers the others, where it could be read. decision: id of the recorded decision that they
    come from. repairs: of drift, to be remembered too; they may be a condition themselves. ticking:
    a tick, and nothing else, met them; it also forgets conditions that are over.
    """
    if isinstance(subject, FailoverError):
        stored = _document(service, subject, context)
        subject = (paging.page_of(subject, service.name, ticking=ticking),)
    whole, fresh = tuple(subject), tuple(repairs)
    due = tuple(one for one in whole if isinstance(one, Due))
    pages = tuple(one for one in whole if isinstance(one, Page))
    _forget(service.name, (one.page for one in due), context)
    _say(service, due, context)
    if pages or fresh or ticking:
        _say(service, _kept(service, pages, stored, decision, fresh, context), context)


def remember(
    state: State, pages: Collection[Page], decision: str, context: Context
) -> tuple[State, tuple[Due, ...]]:
    """For a commit that happens anyway: the state with these pages remembered, and those due then.

    They are said by `page` when the state was committed.
    """
    entries = paging.merged(state.pages, _own(state.service, context))
    after, due = paging.note(entries, pages, context.now(), decision)
    return replace(state, pages=after), due


def alarm(subject: Page | FailoverError, memory: Memory, log: Log, now: datetime) -> None:
    """Call a human before any service is known, as for a configuration that cannot be used."""
    condition = paging.page_of(subject) if isinstance(subject, FailoverError) else subject
    with memory.lock:
        memory.pages[""], due = paging.note(memory.pages.get("", {}), (condition,), now)
    for one in due:
        _write("", one, log)


def _document(service: Service, error: FailoverError, context: Context) -> Stored | None:
    """The document that remembers an error's page; None where this instance must.

    It must where the document cannot be read, and where the instance is outdated, because such a
    one writes nothing at all.
    """
    if isinstance(error, StateLost | Outdated):
        return None
    try:
        return read_state(service.name, context)
    except FailoverError:
        return None


def _say(service: Service, due: Iterable[Due], context: Context) -> None:
    """These pages: the log line that alerts people, and the event."""
    for one in due:
        command = _write(service.name, one, context.log)
        announce.page(service, one, command, context)


def _write(service: str, due: Due, log: Log) -> str:
    """The log line of one page; gives the command that it names."""
    condition, entry = due.page, due.entry
    command = paging.command(service, condition, entry.decision)
    begun = f"{entry.since:%Y-%m-%d %H:%M} UTC"
    again = f" (reminder {entry.count - 1}, since {begun})" if entry.count > 1 else ""
    shows = " (this only shows the change. Add --apply to make it)" if condition.shows else ""
    log(
        "CRITICAL",
        f"{f'{service}: ' if service else ''}a human is needed{again}:"
        f" {condition.text.rstrip('.')}. To do: `{command}`{shows}",
        page=True,
        rule=condition.rule,
        regions=list(condition.regions),
        decision=entry.decision,
        command=command,
        count=entry.count,
        **({"service": service} if service else {}),
    )
    return command


def _kept(
    service: Service,
    pages: tuple[Page, ...],
    stored: Stored | None,
    decision: str,
    repairs: tuple[Repair, ...],
    context: Context,
) -> tuple[Due, ...]:
    """The pages that are due, remembered in the document; where that fails, in this instance."""
    name = service.name
    after, due = _by_instance(name, pages, decision, context)
    for _ in range(TRIES):
        if stored is None or stored.state is None:
            break
        state = _with_repairs(stored.state, repairs, context.now())
        holding = (*pages, *paging.drifting(state, service, context.now()))
        state, due = remember(state, holding, decision, context)
        if state == stored.state:
            return ()
        after = state.pages
        try:
            commit(state, stored.generation, context)
        except Raced as race:
            stored = race.stored
        except FailoverError as error:
            context.log("INFO", f"not remembered in the document: {error}", service=name)
            break
        else:
            _forget(name, pages, context)
            return due
    with context.memory.lock:
        context.memory.pages[name] = after
    return due


def _with_repairs(state: State, repairs: tuple[Repair, ...], now: datetime) -> State:
    if not repairs:
        return state
    return replace(state, repairs=paging.keep_repairs(state.repairs, repairs, now))


def _forget(name: str, pages: Iterable[Page], context: Context) -> None:
    """Forget these conditions in the instance, because the document has them. Others stay here."""
    kept = {paging.key(page) for page in pages}
    with context.memory.lock:
        others = {key: one for key, one in _own(name, context).items() if key not in kept}
        context.memory.pages.pop(name, None)
        if others:
            context.memory.pages[name] = others


def _by_instance(
    name: str, pages: tuple[Page, ...], decision: str, context: Context
) -> tuple[Mapping[str, Paged], tuple[Due, ...]]:
    """What this instance would remember by itself, and what is due by that."""
    with context.memory.lock:
        return paging.note(_own(name, context), pages, context.now(), decision)


def _own(name: str, context: Context) -> Mapping[str, Paged]:
    return context.memory.pages.get(name, {})
