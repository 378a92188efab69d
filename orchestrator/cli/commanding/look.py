"""A look at the world before a command is given: what time it is, and what is unavailable.

A command is ordered by when it was given, so its time is the server's: of the read just made, or as
the Compute API tells it. Where this machine's own clock is off, that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial

from orchestrator.cli.session import Session, side_by_side
from orchestrator.cli.words import failure_words
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Command, Family, Routing, State, Stored
from orchestrator.core.policy import Service
from orchestrator.core.rules import duration
from orchestrator.flow.context import PATIENCE
from orchestrator.flow.observe import read_routing, read_state
from orchestrator.wiring import Deployment

NOTICEABLE = timedelta(seconds=3)
"""A clock that is off by less is not spoken of: `Date` has whole seconds, and answers take time."""

MOMENT = timedelta(microseconds=1)


class _Of(Enum):
    """What of a service is looked at."""

    DOCUMENT = auto()
    ROUTING = auto()


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen, by service: the documents, and why a document or a routing was not read."""

    states: Mapping[str, State | None]
    unread: Mapping[str, FailoverError]
    unrouted: Mapping[str, FailoverError]

    def given(self, now: datetime, family: Family) -> datetime:
        """When a command of this family is given now: after each that was seen to be obeyed.

        The server reports its time in whole seconds, so one that was obeyed a moment ago may seem
        to lie ahead.
        """
        orders = [state.order for state in self.states.values() if state]
        seen = [order[family].at for order in orders if family in order]
        return max([now, *(at + MOMENT for at in seen if at <= now + NOTICEABLE)])


def look(session: Session, services: Iterable[Service], world: Deployment) -> Looked:
    """Read each service's document and load balancer at once. Say whether the clock is off."""
    asked: dict[tuple[_Of, str], Callable[[], Stored | Routing]] = {}
    for one in services:
        asked[_Of.DOCUMENT, one.name] = partial(read_state, one.name, world.context)
        asked[_Of.ROUTING, one.name] = partial(read_routing, one, world.context)
    found = side_by_side(asked)
    note_clock(session, world)
    states = {name: got.state for (_, name), got in found.items() if isinstance(got, Stored)}
    errors: dict[_Of, dict[str, FailoverError]] = {what: {} for what in _Of}
    for (what, name), got in found.items():
        if isinstance(got, FailoverError):
            errors[what][name] = got
    return Looked(states, errors[_Of.DOCUMENT], errors[_Of.ROUTING])


def note_clock(session: Session, world: Deployment) -> None:
    """Say so when this machine's clock is not the servers', by which everything here goes."""
    off = world.machine() - world.context.now()
    if abs(off) < NOTICEABLE:
        return
    side = "ahead" if off > timedelta(0) else "behind"
    told = duration(timedelta(seconds=round(abs(off).total_seconds())))
    session.note(
        f"The clock of this machine is {told} {side} of the servers' (`Date` of the answer just"
        " read). Everything done here uses the servers' time. Set this clock right.",
        "yellow",
    )


def note_unavailable(
    session: Session, services: Iterable[Service], made: Command, looked: Looked, *, direct: bool
) -> None:
    """Say which load balancers cannot be read, and what that means for the command."""
    for one in services:
        error = looked.unrouted.get(one.name)
        if error is not None:
            meaning = _meaning(one, made, direct=direct)
            what = failure_words.unavailable(error)
            session.note(f"{one.name}: from here, {what}. {meaning}", "yellow")


def _meaning(service: Service, made: Command, *, direct: bool) -> str:
    if made.family is not Family.MOVES:
        return f"A command {made.wish} is recorded nevertheless."
    if direct:
        return f"No traffic can move without it. It is tried for {PATIENCE:.0f} s."
    until = made.issued_at + service.policy.max_event_age
    return (
        "No traffic can move without it. If the orchestrator cannot reach it either, Pub/Sub keeps"
        f" the command, and it is obeyed when that is over, before {until:%H:%M:%S} UTC."
    )
