"""Provenance: who made the epoch that the document carries, asked off the path at ticks.

Every epoch is made by a decision, and that decision stands in the history (it was committed with
the epoch) and in the journal. An epoch that neither of them knows was written by something else: a
person in the bucket, or a mark on the load balancer that no decision wrote. So was a mark of an
epoch that is known with a revision above its decision's, unless an older document was put back.
Nothing is undone because of it; a human is paged once.

What cannot be read is unknown, and so is what the journal no longer reaches back to: it pages for
neither.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Json, Mark, Page, State, Stored
from orchestrator.core.outside import reading
from orchestrator.core.outside.limits import EPOCHS, READ
from orchestrator.core.paging import audit_log
from orchestrator.core.policy import OnStateLoss, Service
from orchestrator.core.rule import Rule
from orchestrator.flow.context import Context
from orchestrator.flow.journal import record

FIRST = 10
"""Journal entries of one epoch that are read: what made it is the first of them, or nearly so."""

DIGITS = len(str(EPOCHS))


def pages(service: Service, stored: Stored, context: Context) -> tuple[Page, ...]:
    """A page for each epoch that nobody made: the document's, or one that it was taken above."""
    state = stored.state
    if state is None:
        return ()
    made_by_us = context.memory.made.setdefault(service.name, {})
    try:
        for epoch in _suspects(state, service):
            if epoch not in made_by_us:
                made_by_us[epoch] = _is_made(service.name, epoch, context)
    except (FailoverError, reading.Corrupt) as error:
        what = f"{service.name}: who made its epochs is unknown: {error}"
        context.log("INFO", what, service=service.name)
    unmade = [epoch for epoch in _suspects(state, service) if not made_by_us.get(epoch, True)]
    rivals = (_rival_page(service, state, rival) for rival in _rivals(state))
    return (*(_page(service, state, epoch) for epoch in unmade), *rivals)


def _suspects(state: State, service: Service) -> tuple[int, ...]:
    """The epochs that the document names and whose making its history does not have."""
    makers = [entry for entry in state.history if entry.get("epoch") != entry.get("epoch_before")]
    before = _epochs(makers, "epoch_before")
    adopted = {mark.epoch for entry in makers if (mark := _adopted(entry, service))}
    suspects = {state.epoch, *before, *adopted} - _epochs(makers, "epoch")
    return tuple(sorted(suspects - {0}))


def _epochs(entries: Iterable[Json], name: str) -> set[int]:
    """What these entries have there, as far as it is a number: history may be anybody's."""
    return {epoch for entry in entries if isinstance(epoch := entry.get(name), int)}


def _adopted(maker: Json, service: Service) -> Mark | None:
    """The mark on the load balancer that the epoch was taken above, where it was a higher one.

    None for one that was written without the state, because such a move leaves no entry.
    """
    mark, before = _mark(maker), maker.get("epoch_before") or 0
    if mark is None or not isinstance(before, int):
        return None
    stateless = mark.rev == 0 and service.policy.on_state_loss is OnStateLoss.ACT
    return mark if mark.epoch > before and not stateless else None


def _rivals(state: State) -> tuple[Mark, ...]:
    """Marks of the load balancer that were adopted beside the document's own decision of the epoch.

    The document had that epoch by a decision of another revision. Its maker stands in history or
    journal, and says nothing about this mark.
    """
    marks = (_mark(entry) for entry in state.history if _is_rival(entry))
    return tuple(dict.fromkeys(mark for mark in marks if mark is not None))


def _is_rival(entry: Json) -> bool:
    mark = _mark(entry)
    reasons = entry.get("reasons")
    listed = reasons if isinstance(reasons, list) else []
    follows = any(reading.mapping(one).get("rule") == Rule.ADOPT for one in listed)
    return bool(mark and follows and mark.epoch and mark.epoch == entry.get("epoch_before"))


def _mark(entry: Json) -> Mark | None:
    """The mark that the load balancer carried before this entry's decision."""
    mark = reading.mapping(entry.get("mark_before"))
    epoch, rev = mark.get("epoch"), mark.get("rev")
    return Mark(epoch, rev) if isinstance(epoch, int) and isinstance(rev, int) else None


def _is_made(service: str, epoch: int, context: Context) -> bool:
    """Whether the journal has what made the epoch, or no longer reaches back to it.

    Raises Unavailable and Corrupt where that is unknown.
    """
    prefix = record.journal_folder(service) + record.epoch_prefix(epoch)
    names = context.objects.names(prefix)[:FIRST]
    maker = record.maker((_entry(name, context) for name in names), epoch)
    return maker is not None or not _reaches_below(service, epoch, context)


def _entry(name: str, context: Context) -> Json:
    got = context.objects.get(name)
    if got is None:
        raise reading.Corrupt(f"{name}: it is gone")
    try:
        return reading.strict(reading.read_json(got[0], READ))
    except (ValueError, TypeError) as error:
        raise reading.Corrupt(f"{name}: {error}") from error


def _reaches_below(service: str, epoch: int, context: Context) -> bool:
    """Whether the journal has an older epoch, so that this one's entry has not expired."""
    folder = record.journal_folder(service)
    names = (name.removeprefix(folder) for name in context.objects.names(folder))
    firsts = (name.partition("-")[0] for name in names)
    return any(
        first.isdecimal() and len(first) <= DIGITS and int(first) < epoch for first in firsts
    )


def _page(service: Service, state: State, epoch: int) -> Page:
    where = (
        "it is the document's epoch"
        if epoch == state.epoch
        else f"epoch {state.epoch} was decided after it"
    )
    text = (
        f"epoch: no entry of history or journal made epoch {epoch} of {service.name}, and {where}."
        " Something other than the orchestrator wrote it, unless the journal could not be written"
        " at that time (its errors say so). The traffic is as the document says"
        f" ({', '.join(state.routing)}). Find out who writes to the state bucket and to"
        f" {service.backend_service}, and whether this traffic is wanted"
    )
    command = f"failoverctl state show {service.name} --versions"
    return Page(Rule.EPOCH, text, command=command, once=True, resource=f"epoch {epoch}")


def _rival_page(service: Service, state: State, rival: Mark) -> Page:
    text = (
        f"epoch: {service.backend_service} carried a mark of epoch {rival.epoch} (rev {rival.rev})"
        " that is newer than the document's own decision of that epoch. Its traffic was adopted."
        " Either somebody put an older document back by hand, or something other than the"
        f" orchestrator wrote the mark. The traffic is as the document says"
        f" ({', '.join(state.routing)}). Find out who writes to {service.backend_service} and to"
        " the state bucket, and whether this traffic is wanted"
    )
    return Page(
        Rule.EPOCH,
        text,
        command=audit_log(service.backend_service, service),
        once=True,
        resource=f"epoch {rival.epoch} rev {rival.rev}",
    )
