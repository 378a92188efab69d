"""What is commanded, in the words of the command line, and the command that is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from orchestrator.cli.commanding.look import Looked
from orchestrator.cli.session import actor
from orchestrator.cli.words.again import again
from orchestrator.core.model import FAMILIES, Command, Wish
from orchestrator.core.outside.limits import TEXT
from orchestrator.core.outside.shown import one_line
from orchestrator.wiring import Deployment


@dataclass(frozen=True, slots=True)
class Order:
    """What is commanded, in the words of the command line."""

    wish: Wish
    reason: str = ""
    region: str = ""
    until: timedelta | None = None
    now: bool = False
    override: str = ""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command is given: only shown, done here, not waited for."""

    apply: bool
    direct: bool
    wait: bool


def command_of(order: Order, looked: Looked, world: Deployment) -> Command:
    """The command, given now by the person who runs this. looked: the earlier commands."""
    issued = looked.given(world.context.now(), FAMILIES[order.wish])
    return Command(
        id=world.context.new_id(),
        wish=order.wish,
        actor=one_line(actor(), TEXT),
        reason=one_line(order.reason, TEXT) or "(preview)",
        issued_at=issued,
        region=order.region,
        until=issued + order.until if order.until is not None else None,
        now=order.now,
        override=order.override,
    )


def repeated(service: str, order: Order, manner: Manner) -> str:
    """The command line that gives this command again."""
    given = {
        "verb": order.wish,
        "region": order.region,
        "reason": order.reason,
        "seconds": order.until.total_seconds() if order.until else None,
        "now": order.now,
        "override": order.override,
    }
    return again(service, given, direct=manner.direct)
