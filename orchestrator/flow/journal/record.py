"""Record: what happened, after it happened. Nothing here can fail or delay a failover.

Each part that could not be written is named in a log line and left out. The decision itself stands
in the document's `history`, which was committed with it; so a tick finds there what a crash left
unrecorded and records it late.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.core.document import flat, trigger
from orchestrator.core.document.ground import shares
from orchestrator.core.document.trigger import Trigger
from orchestrator.core.exceptions import Conflict, Unavailable
from orchestrator.core.model import (
    NOTHING,
    Command,
    Decision,
    Json,
    Mark,
    Phase,
    Routing,
    Signal,
    Stored,
)
from orchestrator.core.outside import reading
from orchestrator.core.outside.ids import plain_id
from orchestrator.core.outside.limits import EPOCHS
from orchestrator.core.outside.shown import shown
from orchestrator.core.policy import Lever, Service, Standby
from orchestrator.core.rule import Reason
from orchestrator.core.traffic.plan import Plan, Verb, carrying, mark_of
from orchestrator.core.traffic.shares import traffic, view
from orchestrator.flow.commit import commit
from orchestrator.flow.context import Context
from orchestrator.flow.observe import FLAT_FILE, read_state
from orchestrator.flow.outgoing import announce
from orchestrator.flow.outgoing.spared import spared

LATE = timedelta(hours=1)
"""Decisions that are older are no longer recorded late: nobody waits for them."""


def given(signal: Signal) -> Json:
    """What a command asks for as data, so that it can be given again. Nothing of other signals."""
    if not isinstance(signal, Command):
        return NOTHING
    lasts = signal.until - signal.issued_at if signal.until else None
    return {
        "verb": signal.wish,
        "region": signal.region,
        "reason": signal.reason,
        "seconds": lasts.total_seconds() if lasts else None,
        "now": signal.now,
        "override": signal.override,
    }


def reason(value: Reason) -> Json:
    """A reason as data. Its value may quote what came from outside."""
    return {
        "rule": value.rule,
        "passed": value.passed,
        "value": shown(value.value),
        "limit": value.limit,
        "region": value.region,
        "cause": value.cause,
        **({"command": value.command} if value.command else {}),
    }


@dataclass(frozen=True, slots=True)
class Before:
    """How things stood before a decision. epoch: None when there was no document.

    routing: by the document. traffic, mark: as read of the load balancer, None where it was not
    read.
    """

    epoch: int | None
    routing: Mapping[str, float]
    traffic: Json | None = None
    mark: Mark | None = None


def before(service: Service, stored: Stored, routing: Routing | None) -> Before:
    """By the document or, when there was none, by the load balancer."""
    seen = view(traffic(routing, service, stored.state))
    mark = mark_of(routing, service) if routing else None
    if stored.state is not None:
        return Before(stored.state.epoch, stored.state.routing, seen, mark)
    pointed = carrying(routing, service) if routing else ()
    pointed = pointed[:1] if service.standby is Standby.ATTACHED else pointed
    return Before(None, shares(pointed) if pointed else {}, seen, mark)


def entry(
    decision: Decision,
    what: Trigger,
    before: Before,
    now: datetime,
    id: str,  # noqa: A002  # the JSON's word
) -> Json:
    """One decision as the history and the journal keep it. what: made it."""
    state = decision.state
    return {
        "id": id,
        "at": reading.stamp_time(now),
        "signal": trigger.as_json(what),
        "outcome": decision.outcome,
        "epoch": state.epoch,
        "epoch_before": before.epoch,
        "primary": state.primary,
        "routing": dict(state.routing),
        "routing_before": dict(before.routing),
        "traffic_before": before.traffic,
        "mark_before": _mark(before.mark),
        "health": {name: region.status for name, region in state.regions.items()},
        "reasons": [reason(value) for value in decision.reasons],
        "page": shown(decision.page),
    }


def _mark(mark: Mark | None) -> Json | None:
    return {"epoch": mark.epoch, "rev": mark.rev} if mark else None


def publish(service: Service, made: Json, context: Context, became: Json = NOTHING) -> bool:
    """Announce one decision and keep it for good in the journal.

    became: the result of its epoch and how the traffic was read last, when the caller knows. A
    decision counts as recorded when both are certain, or the journal had it before. Gives False in
    that last case: then the journal does not have what the caller knows.
    """
    whole = {"service": service.name, **made, "phase": None, "shifted": [], **became}
    announced = announce.decision(service, whole, context)
    created: list[bool] = []

    def journal() -> None:
        created.append(_journal(service.name, whole, context))

    kept = spared("journal not written", journal, context, service.name)
    if announced and kept:
        context.memory.recorded.add(str(made["id"]))
    return created != [False]


def keep(service: Service, made: Json, context: Context) -> bool:
    """Keep one entry in the journal that is no decision, and announce nothing.

    Gives whether it is certain that the journal has it.
    """
    whole = {"service": service.name, **made}
    return spared(
        "journal not written", lambda: _journal(service.name, whole, context), context, service.name
    )


def journal_name(service: str, made: Json) -> str:
    """The name of a decision's journal object: sorted, they stand in the order of their epochs.

    It has the letters of names alone, whatever the entry says, which may come from a document.
    """
    identity = plain_id(reading.text(made["id"]))
    return f"{journal_folder(service)}{journal_place(made)}{identity}.json"


def journal_place(made: Json) -> str:
    """How the name begins below the service's folder: by the epoch and the time."""
    at = reading.stamp_time(reading.read_time(made["at"]))
    time = at.replace("-", "").replace(":", "")
    return f"{epoch_prefix(reading.count(made['epoch']))}{time}-"


def journal_folder(service: str) -> str:
    """What the names of all of a service's journal objects begin with."""
    return f"journal/{service}/"


def epoch_prefix(epoch: int) -> str:
    """What the names of one epoch's journal objects begin with in that folder."""
    return f"{epoch:>08}-"


def maker(entries: Iterable[Json], epoch: int) -> Json | None:
    """The entry of the decision that made this epoch, None if it is not among these."""
    made = (e for e in entries if e.get("epoch") == epoch and e.get("epoch_before") != epoch)
    return next(made, None)


def catch_up(
    service: Service, stored: Stored, now: datetime, context: Context, *, verified: Json | None
) -> None:
    """Record what the history has and the journal has not: what an instance died before doing.

    The history is the last hour's; what this process knows to be recorded is not asked for again.
    An invalid entry (it has no id, or a field of another type) is left out.

    verified: who gets traffic, where the routing was read and is as the document's epoch desires.
    """
    state = stored.state
    for made in reversed(state.history if state else ()):
        if str(made.get("id")) not in context.memory.recorded and _is_late(made, now):
            current = state is not None and made.get("epoch") == state.epoch
            fresh = verified and current and made.get("epoch_before") != made.get("epoch")
            became: Json = {"phase": Phase.VERIFIED, "traffic": verified} if fresh else NOTHING
            _record_late(service, made, became, context)


def _is_late(made: Json, now: datetime) -> bool:
    try:
        at = reading.read_time(made["at"])
        whole = reading.text(made["id"]) and reading.text(made["outcome"])
        return bool(whole) and _epoch(made) < EPOCHS and timedelta(0) <= now - at <= LATE
    except (KeyError, TypeError, ValueError, OverflowError):
        return False


def _epoch(made: Json) -> int:
    """An entry's epoch. Raises TypeError."""
    return reading.count(made["epoch"])


def _record_late(service: Service, made: Json, became: Json, context: Context) -> None:
    try:
        known = context.objects.get(journal_name(service.name, made)) is not None
    except Unavailable as error:
        context.log("INFO", f"whether {made['id']} was recorded cannot be read: {error}")
        return
    if known:
        context.memory.recorded.add(str(made["id"]))
    else:
        publish(service, made, context, became)


def _journal(service: str, whole: Json, context: Context) -> bool:
    data = json.dumps(whole, indent=1).encode()
    return _create(journal_name(service, whole), data, context)


def phase(stored: Stored, to: Phase, context: Context) -> None:
    """Say in the document how far the shift came: one write, dropped when somebody was faster.

    A freeze learns that the epoch was carried out: what is changed from then on is left alone.
    """
    state = stored.state
    if state is None or state.shift is None:
        return
    after = replace(state, shift=replace(state.shift, phase=to))
    if to is Phase.VERIFIED and state.freeze:
        after = replace(after, freeze=replace(state.freeze, done=state.epoch))
    if after == state:
        return
    try:
        commit(after, stored.generation, context)
    except (Conflict, Unavailable) as error:
        context.log("INFO", f"phase {to} not written: {error}", service=state.service)


def balancer_view(service: Service, made: Plan, context: Context) -> None:
    """Say so when the load balancer itself finds nothing healthy where we sent the traffic.

    Only with the capacity lever: serverless groups have no health checks to ask for.
    """
    if made.lever is not Lever.CAPACITY:
        return
    given = [c for c in made.changes if c.verb is Verb.SCALE and c.backend.scaler > 0]
    try:
        seen = context.traffic.healthy(made.resource, [change.backend.group for change in given])
    except Unavailable as error:
        context.log(
            "INFO", f"the health that the load balancer itself sees cannot be read: {error}"
        )
        return
    for change in given:
        if seen.get(change.backend.group) == 0:
            context.log(
                "ERROR",
                f"{made.resource}: traffic was given to {change.region}, and the load balancer's"
                f" own health check finds nothing healthy in {change.backend.group}: its users get"
                " errors. Check that health check and its firewall rule",
                service=service.name,
            )


def flat_file(service: str, context: Context) -> None:
    """Bring the older flat file up to date where it exists, never backwards.

    The state is read after the file, and the file is replaced only if nobody replaced it since; so
    what is written is never older than what was there.
    """
    spared("flat file not written", lambda: _flat_file(service, context), context, service)


def _flat_file(service: str, context: Context) -> None:
    for _ in range(3):
        got = context.objects.get(FLAT_FILE)
        context.memory.flat_file = got is not None
        state = read_state(service, context).state
        if got is None or state is None:
            return
        data, generation = got
        after = flat.encode_flat(state, flat.decode_flat(data))
        if flat.decode_flat(after) == flat.decode_flat(data):
            return
        try:
            context.objects.put(FLAT_FILE, after, generation)
        except Conflict:
            continue
        return


def _create(name: str, data: bytes, context: Context) -> bool:
    """Create the object; give whether it was not there before."""
    try:
        context.objects.put(name, data, 0)
    except Conflict:
        return False
    return True
