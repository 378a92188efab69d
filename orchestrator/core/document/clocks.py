"""What a document says of times that lie ahead of now: a wrong clock wrote them.

A freeze, a graceful switch or its fence that began more than a minute from now would last as long
as that clock was wrong: writes stay fenced for a day, or automation stands still. So it is given
up, and a human is paged. Whatever else is recorded as later than that has happened by
now: it counts from now on. Otherwise a move of tomorrow could be acknowledged by nobody today.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from orchestrator.core.document.ground import undisturbed
from orchestrator.core.model import Decision, DecisionOutcome, Page, State
from orchestrator.core.outside.actors import claimed
from orchestrator.core.rule import Reason, Rule
from orchestrator.core.rules import AHEAD, duration


def believed(state: State, now: datetime) -> tuple[State, tuple[Page, ...]]:
    """The document without what begins more than a minute from now, and a page for each."""
    pages: list[Page] = []
    switch, freeze = state.switch, state.freeze
    if switch and switch.since > now + AHEAD:
        text = f"the switch to {switch.to} {_ahead(switch.since, now)}. It is given up, and"
        pages.append(Page(Rule.CLOCK, f"{text} {switch.left} takes writes again", (switch.left,)))
        state = replace(undisturbed(state), given_up_at=now)
    state, opened = _opened(state, now)
    pages += opened
    if freeze and freeze.since > now + AHEAD:
        text = f"the freeze of {claimed(freeze.actor)} {_ahead(freeze.since, now)}. It is ended"
        pages.append(Page(Rule.CLOCK, f"{text}, and automation may move again"))
        state = replace(state, freeze=None)
    return _clamped(state, now), tuple(pages)


def _clamped(state: State, now: datetime) -> State:
    """The document in which nothing has happened later than now."""
    ramp, shift = state.ramp, state.shift
    return replace(
        state,
        ramp=replace(ramp, since=_by(ramp.since, now)) if ramp else None,
        shift=replace(shift, at=_by(shift.at, now)) if shift and shift.at else shift,
        moves=tuple(replace(move, at=_by(move.at, now)) for move in state.moves),
        acknowledged_at=state.acknowledged_at and _by(state.acknowledged_at, now),
        given_up_at=state.given_up_at and _by(state.given_up_at, now),
        regions={
            name: replace(
                entry,
                since=_by(entry.since, now),
                proven_at=entry.proven_at and _by(entry.proven_at, now),
            )
            for name, entry in state.regions.items()
        },
    )


def _by(at: datetime, now: datetime) -> datetime:
    return now if at > now + AHEAD else at


def _opened(state: State, now: datetime) -> tuple[State, list[Page]]:
    """The document without fences that no switch stands behind: nobody would open them in time."""
    left = state.switch.left if state.switch else ""
    until = {
        name: entry.fenced_until
        for name, entry in state.regions.items()
        if name != left and entry.fenced_until and entry.fenced_until > now
    }
    opened = {name: replace(state.regions[name], fenced_until=None) for name in until}
    pages = [
        Page(
            Rule.CLOCK,
            f"the document fences {name} against writes until {at:%Y-%m-%d %H:%M:%S} UTC, but no"
            f" switch is under way. {name} takes writes again",
            (name,),
        )
        for name, at in until.items()
    ]
    return (replace(state, regions={**state.regions, **opened}) if opened else state), pages


def _ahead(since: datetime, now: datetime) -> str:
    ahead = duration(since - now.replace(microsecond=since.microsecond))
    return f"began {ahead} in the future by our clock, so one of the two clocks is wrong"


def given_up(decision: Decision, pages: tuple[Page, ...]) -> Decision:
    """The decision that also tells what was given up because of a wrong clock."""
    if not pages:
        return decision
    told = tuple(Reason(Rule.CLOCK, False, page.text, "", " ".join(page.regions)) for page in pages)
    calm = decision.outcome in {DecisionOutcome.UNCHANGED, DecisionOutcome.HEALTH}
    return replace(
        decision,
        outcome=DecisionOutcome.ABANDONED if calm else decision.outcome,
        reasons=(*told, *decision.reasons),
        changed=True,
        recorded=True,
        pages=(*pages, *decision.pages),
    )
