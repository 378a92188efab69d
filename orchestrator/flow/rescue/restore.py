"""Restore: the last good version of a state document comes back, above every epoch known.

What is there is replaced only by compare-and-set on the generation that was looked at; the bucket's
versioning keeps it. Afterwards a tick writes the new epoch's mark onto the routing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from orchestrator.core.document import codec
from orchestrator.core.document.restoration import highest_epoch, restored
from orchestrator.core.document.trigger import Trigger, TriggerOrigin, words
from orchestrator.core.exceptions import FailoverError, Outdated
from orchestrator.core.model import Decision, Routing, State, Stored, Tick
from orchestrator.core.outside.limits import EPOCHS
from orchestrator.core.outside.reading import Corrupt, NewerSchema, UnknownWord
from orchestrator.core.policy import Service
from orchestrator.flow.commit import commit
from orchestrator.flow.context import Context
from orchestrator.flow.journal import record
from orchestrator.flow.observe import document_name, heard
from orchestrator.flow.pipeline import Report, handle
from orchestrator.ports import Archive, Version

NEWEST_JOURNAL = 50
"""Newest journal entries whose names are read for the highest epoch; they sort by it."""

_LONGEST_EPOCH = 20
"""Digits from which on a name's number is no epoch."""


class NothingToRestore(FailoverError):
    """No version qualifies, or the document is fine and none was named."""


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """One kept version: its state, or why it cannot be read."""

    version: Version
    state: State | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Restoration:
    """What a restore would commit, or has.

    live: why the document as it is cannot be read. routing: as read for it.
    """

    source: KeptVersion
    generation: int
    live: str
    decision: Decision
    routing: Routing


def kept_versions(service: str, archive: Archive) -> Iterator[KeptVersion]:
    """Every kept version of the service's document, newest first, each read when it is asked for.

    Raises Unavailable.
    """
    name = document_name(service)
    for version in archive.versions(name):
        yield _kept(service, name, version, archive)


def _kept(service: str, name: str, version: Version, archive: Archive) -> KeptVersion:
    data = archive.version(name, version.generation)
    if data is None:
        return KeptVersion(version, None, "gone meanwhile")
    try:
        return KeptVersion(version, codec.decode(data, service))
    except Corrupt as error:
        return KeptVersion(version, None, str(error))


def prepare(
    service: Service, chosen: int | None, context: Context, archive: Archive
) -> Restoration:
    """What a restore would commit; nothing is written.

    chosen: the generation to go back to; None: the newest that can be read, if the live one cannot.
    Raises NothingToRestore, Unavailable, Outdated and UnsafePlan.
    """
    got = context.objects.get(document_name(service.name))
    generation = got[1] if got else 0
    live = _fault(service.name, got[0] if got else None, chosen)
    if chosen is None and not live:
        raise NothingToRestore(
            f"the document of {service.name} can be read (generation {generation}): there is"
            " nothing to restore. To go back all the same, name a version with --generation"
        )
    source = _source(service.name, chosen, kept_versions(service.name, archive))
    assert source.state is not None  # `_source` gives readable ones only
    routing = context.traffic.read(service.backend_service)
    floor = max(_highest_journaled(service.name, archive), highest_epoch(got[0] if got else b""))
    roles = heard(service, context)
    now = context.now()
    decision = restored(service, source.state, routing, generation, floor, now, roles)
    return Restoration(source, generation, live, decision, routing)


def carry_out(service: Service, found: Restoration, actor: str, context: Context) -> Report:
    """Commit the restored document and have a tick write its mark onto the routing.

    Raises Conflict when the document was changed since it was looked at, and what a tick raises.
    """
    generation = str(found.source.version.generation)
    what = Trigger(TriggerOrigin.RESTORE, actor=actor, generation=generation)
    now = context.now()
    known = Stored(found.source.state, found.generation)
    before = record.before(service, known, found.routing)
    made = record.entry(found.decision, what, before, now, context.new_id())
    state = found.decision.state
    stored = commit(replace(state, history=(made, *state.history)), found.generation, context)
    try:
        return handle(service, Tick(), context)
    finally:
        record.publish(service, made, context)
        done = f"{service.name}: {words(what)}"
        context.log("NOTICE", done, epoch=stored.state and stored.state.epoch)


def _fault(service: str, data: bytes | None, chosen: int | None) -> str:
    """Why the live document cannot be read; raises Outdated when only a newer version can.

    A word that is not known may be a slip by hand, so a human who names a version is believed.
    """
    if data is None:
        return "there is none"
    try:
        codec.decode(data, service)
    except NewerSchema as error:
        if isinstance(error, UnknownWord) and chosen is not None:
            return str(error)
        raise Outdated(
            f"{document_name(service)}: {error}. It is not broken but newer: use the failoverctl"
            " that was deployed last. If a human edited it, name a version with --generation"
        ) from error
    except Corrupt as error:
        return str(error)
    return ""


def _source(service: str, chosen: int | None, kept: Iterable[KeptVersion]) -> KeptVersion:
    """The version to go back to; raises NothingToRestore."""
    passed: list[KeptVersion] = []
    for one in kept:
        if one.state is not None and chosen in {None, one.version.generation}:
            return one
        passed.append(one)
    if chosen is not None:
        named = [one.fault for one in passed if one.version.generation == chosen]
        fault = named[0] if named else "it is not kept"
        raise NothingToRestore(
            f"generation {chosen}: {fault}. `failoverctl state show {service} --versions` lists"
            " what is kept and can be read"
        )
    if not passed:
        raise NothingToRestore(
            f"there is no document of {service} and no version of one: nothing to restore. If the"
            " load balancer carries no epoch of it, the first signal makes one. If it does, `state`"
            f" names another place, or `failoverctl check {service} --apply --adopt` makes one with"
            " the traffic as it is"
        )
    raise NothingToRestore(
        f"no version of {document_name(service)} can be read ({len(passed)} kept). Remove it, and"
        f" `failoverctl check {service} --apply --adopt` makes a new one from the routing as it is;"
        " incidents and history are lost then"
    )


def _highest_journaled(service: str, archive: Archive) -> int:
    """The highest epoch in the names of the journal, which begin with it."""
    prefix = f"journal/{service}/"
    names = [name.removeprefix(prefix) for name in archive.names(prefix)[-NEWEST_JOURNAL:]]
    epochs = [name.partition("-")[0] for name in names]
    found = (int(epoch) for epoch in epochs if epoch.isdecimal() and len(epoch) < _LONGEST_EPOCH)
    return max((epoch for epoch in found if epoch < EPOCHS), default=0)
