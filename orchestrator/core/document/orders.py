"""Orders: what a human's command says of automation itself, and its place in the sequence.

Commands are a sequence. Pub/Sub may deliver them late, twice and in any order, so each has a place:
when it was given, then its id. The document keeps, for each family, the place of the newest command
that was obeyed, and the rule `command` refuses every older one. What is obeyed therefore only rises
in that order, and the end is what the obeyed commands come to in the order they were given. PURE.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.core import rules
from orchestrator.core.document.ground import undisturbed
from orchestrator.core.model import Command, Family, Freeze, Given, State, Wish
from orchestrator.core.outside.actors import claimed
from orchestrator.core.paging import acknowledged, standing
from orchestrator.core.policy import Policy
from orchestrator.core.rule import Reason, Rule

LIFE = timedelta(hours=24)
"""How long the id of a command is kept, so that a copy of it is known for one."""

KEPT = 50
"""Ids that are kept whatever their age, the newest: a clock that is ahead makes all of them old."""

AT = "%Y-%m-%d %H:%M:%S UTC"
"""How a time is shown to people."""


def admitted(policy: Policy, state: State, command: Command, now: datetime) -> Reason:
    """Whether the command is new, recent, and not older than one of its family that was obeyed."""
    return rules.command(policy, command, state.commands, newest(state, command, now), now)


def noted(state: State, command: Command, policy: Policy, now: datetime) -> State:
    """The state that knows this command, so that a copy of it is known for one."""
    if command.id in state.commands:
        return state
    life = max(LIFE, 2 * policy.max_event_age)
    newest_ids = sorted(state.commands, key=state.commands.__getitem__)[-KEPT:]
    kept = {k: at for k, at in state.commands.items() if now - at <= life or k in newest_ids}
    return replace(state, commands={**kept, command.id: now})


def newest(state: State, command: Command, now: datetime) -> Given | None:
    """The place of the newest obeyed command of this one's family, if that is known.

    One that lies ahead of now by more than a minute does not count: a wrong clock gave it, and it
    would shut out every command until then. A freeze of an older version says itself when it began.
    """
    found = state.order.get(command.family)
    if found is None and command.family is Family.FREEZES and state.freeze:
        found = Given(state.freeze.since, "")
    latest = max(now, command.published or now)  # our clock may be slow
    return found if found and found.at <= latest + rules.AHEAD else None


def ordered(state: State, command: Command) -> State:
    """The state in which this command is the newest that was obeyed of its family."""
    return replace(state, order={**state.order, command.family: command.given})


def obey(state: State, command: Command, now: datetime, done: int = 0) -> State:
    """The state with what a command says about automation itself. A move says nothing.

    done: the epoch that the load balancer carries, as far as it was seen.
    """
    match command.wish:
        case Wish.FREEZE:
            assert command.until is not None  # rules.command refuses a freeze without an end
            at = min(command.given.at, now)
            freeze = Freeze(command.until, command.actor, command.reason, at, done)
            return ordered(replace(undisturbed(state), freeze=freeze), command)
        case Wish.UNFREEZE:
            return ordered(replace(state, freeze=None), command)
        case Wish.ACK:
            at, pages = _acknowledged(state, command, now), acknowledged(state.pages)
            return ordered(replace(state, acknowledged_at=at, pages=pages), command)
        case _:
            return state


def effect(state: State, command: Command, now: datetime) -> tuple[Reason, ...]:
    """What a command does to automation itself, for people. state: as it was before it."""
    match command.wish:
        case Wish.FREEZE:
            assert command.until is not None  # as above
            value = f"frozen until {command.until:{AT}}{_replaced(state, now)}"
            return (_told(command, value),)
        case Wish.UNFREEZE:
            return (_told(command, _thawing(state, now)),)
        case Wish.ACK:
            return (_told(command, _silenced(state, command, now)),)
        case _:
            return ()


def _told(command: Command, value: str) -> Reason:
    return Reason(Rule(command.wish), True, value)


def _standing(state: State, now: datetime) -> Freeze | None:
    return state.freeze if state.freeze and state.freeze.until > now else None


def _replaced(state: State, now: datetime) -> str:
    freeze = _standing(state, now)
    if freeze is None:
        return ""
    return f", in place of the freeze of {claimed(freeze.actor)} until {freeze.until:{AT}}"


def _thawing(state: State, now: datetime) -> str:
    freeze = _standing(state, now)
    if freeze is None:
        return "automation was not frozen"
    return f"the freeze of {claimed(freeze.actor)} until {freeze.until:{AT}} has ended"


def _silenced(state: State, command: Command, now: datetime) -> str:
    """What an `ack` changes: the moves that no longer count, and the pages that stay quiet."""
    parts = (_moves_counted(state, command, now), _pages_quiet(state, now))
    return ", ".join(part for part in parts if part) or "nothing to acknowledge"


def _moves_counted(state: State, command: Command, now: datetime) -> str:
    known, before = _acknowledged(state, command, now), state.acknowledged_at
    since = [move for move in state.moves if before is None or move.at > before]
    fresh = sum(1 for move in since if move.at <= known)
    return f"{rules.counted(fresh, 'automatic move')} acknowledged" if fresh else ""


def _pages_quiet(state: State, now: datetime) -> str:
    names = sorted(name for name, page in standing(state.pages, now).items() if not page.quiet)
    return (
        f"reminders of {rules.counted(len(names), 'page')} stop: {', '.join(names)}"
        if names
        else ""
    )


def _acknowledged(state: State, command: Command, now: datetime) -> datetime:
    """What its giver could know of; never of what is still to come, and never less than before."""
    known = min(command.given.at, now)
    return max(known, state.acknowledged_at or known)
