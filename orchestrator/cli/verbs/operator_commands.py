"""`failover`, `failback`, `evacuate`, `freeze`, `unfreeze` and `ack`: the operator's commands.

All are given in the same way: see `orchestrator.cli.commanding.give`.
"""

from __future__ import annotations

from typing import Any

import click

from orchestrator.cli import arguments
from orchestrator.cli.commanding.give import command
from orchestrator.cli.commanding.order import Manner, Order
from orchestrator.cli.session import Session
from orchestrator.cli.verb import verb
from orchestrator.cli.words.spelling import listed
from orchestrator.core.model import Wish


@verb
@arguments.service_argument
@click.option(
    "--to",
    "region",
    required=True,
    metavar="REGION",
    help="The region to move the traffic to.",
    shell_complete=arguments.region_names,
)
@arguments.now_option
@arguments.override_option
@arguments.manner
def failover(session: Session, service: str | None, **given: Any) -> bool:  # click's values
    """Move the traffic to a region.

    While the old primary works, the switch is graceful: it waits for clients and for the replica.
    Otherwise, or with --now, the traffic moves at once.
    """
    return _give(session, service, Wish.FAILOVER, given)


@verb
@arguments.service_argument
@arguments.now_option
@arguments.override_option
@arguments.manner
def failback(session: Session, service: str | None, **given: Any) -> bool:  # as above
    """Move the traffic back to the preferred region.

    In active-active mode: give a region that carries no traffic its share again.
    """
    return _give(session, service, Wish.FAILBACK, given)


@verb
@click.argument("region", shell_complete=arguments.region_names)
@click.option(
    "--service",
    metavar="SERVICE",
    help="Only this service.",
    shell_complete=arguments.service_names,
)
@arguments.now_option
@arguments.override_option
@arguments.manner
def evacuate(session: Session, service: str | None, **given: Any) -> bool:  # as above
    """Move all traffic of every service out of a region."""
    return _give(session, service, Wish.EVACUATE, given)


@verb
@arguments.service_argument
@arguments.all_option
@click.option(
    "--for",
    "until",
    required=True,
    callback=arguments.length,
    metavar="DURATION",
    help="How long: from 1s to 7d, for example 2h.",
)
@arguments.manner
def freeze(session: Session, service: str | None, *, everything: bool, **given: Any) -> bool:
    """Stop automatic moves for a limited time.

    A freeze always ends by itself. Your own commands still move traffic.
    """
    return _give(session, _one_or_all(session, service, everything), Wish.FREEZE, given)


@verb
@arguments.service_argument
@arguments.all_option
@arguments.manner
def unfreeze(session: Session, service: str | None, *, everything: bool, **given: Any) -> bool:
    """End a freeze.

    A move that the freeze has held is made at once.
    """
    return _give(session, _one_or_all(session, service, everything), Wish.UNFREEZE, given)


@verb
@arguments.service_argument
@arguments.manner
def ack(session: Session, service: str | None, **given: Any) -> bool:  # as above
    """Acknowledge the automatic moves so far.

    They no longer count towards max_auto_failovers, and the reminders of pages stop.
    """
    return _give(session, service, Wish.ACK, given)


def _one_or_all(session: Session, service: str | None, everything: bool) -> str | None:
    """The service named, the only one there is, or None for every one."""
    if service and everything:
        raise click.UsageError(f"name {service} or say --all, not both")
    if service or everything:
        return service
    known = session.world().config.services
    if len(known) > 1:
        raise click.UsageError(f"which service? {listed(known)} Or say --all.")
    return next(iter(known))


def _give(session: Session, service: str | None, wish: Wish, given: dict[str, Any]) -> bool:
    manner = Manner(given.pop("apply"), given.pop("direct"), not given.pop("no_wait"))
    return command(session, service, Order(wish, **given), manner)
