"""Giving a command: `failover`, `failback`, `evacuate`, `freeze`, `unfreeze`, `ack`.

Without `--apply` a command is only shown. With it, it is published to the control topic, where IAM
decides who may, or carried out here with `--direct`. Then it is waited for, a graceful switch to
its end, and the decision is shown. Before any of that every document and load balancer is read: a
command has the server's time, because commands are obeyed in the order in which they were given.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import click

from orchestrator.cli.commanding.follow import PATIENCE, Follower
from orchestrator.cli.commanding.look import Looked, look, note_unavailable
from orchestrator.cli.commanding.order import Manner, Order, command_of
from orchestrator.cli.commanding.publish import control, explain_line, publish, send
from orchestrator.cli.commanding.rehearsal import rehearse
from orchestrator.cli.commanding.result import show
from orchestrator.cli.session import Session, side_by_side
from orchestrator.cli.words.spelling import meant
from orchestrator.core.document.ground import orphaned
from orchestrator.core.exceptions import FailoverError, Kind, NoStore, Unavailable
from orchestrator.core.model import Command, Json, Tick, Wish
from orchestrator.core.policy import Service
from orchestrator.flow.observe import read_routing, read_state
from orchestrator.flow.pipeline import handle
from orchestrator.wiring import Deployment


class NotFinished(FailoverError):
    """The command is in the document, and what it asks for is not done yet."""


def command(session: Session, name: str | None, order: Order, manner: Manner) -> bool:
    """Give one command. Raises what reading and publishing raise. Wrong names are usage errors."""
    world = session.world()
    services = _concerned(session, name, order, world)
    if manner.apply:
        _must_be_possible(order, manner, world)
    looked = look(session, services, world)
    made = command_of(order, looked, world)
    if not manner.apply:
        return rehearse(session, services, made, world)
    if manner.wait and not manner.direct:
        _must_see(looked, services, world)
    note_unavailable(session, services, made, looked, direct=manner.direct)
    if not manner.direct:
        _publish(session, made, name, world, wait=manner.wait)
        if not manner.wait:
            return True
    carry = partial(_direct, manner=manner) if manner.direct else _awaited
    asked = {one.name: partial(carry, one, made, session, world) for one in services}
    return show(session, side_by_side(asked), order, manner, world)


def _must_be_possible(order: Order, manner: Manner, world: Deployment) -> None:
    """Refuse a command without a reason, or without a way to the orchestrator."""
    if not order.reason.strip():
        raise click.UsageError("say why, with --reason. The history keeps it")
    if not manner.direct:
        control(world)


def _publish(
    session: Session, made: Command, name: str | None, world: Deployment, *, wait: bool
) -> None:
    """Publish the command, and say what happens next. wait: whether it is waited for."""
    publish(made, name, world)
    if wait:
        session.note(
            f"Published as command {made.id}. Waiting at most {PATIENCE:.0f} s for an orchestrator"
            " to take it."
        )
        return
    text = (
        f"Published as command {made.id}. Not waiting for the result:"
        f" `{explain_line(made, name, world)}` shows it."
    )
    session.tell({"command": made.id}, text)


def _concerned(
    session: Session, name: str | None, order: Order, world: Deployment
) -> tuple[Service, ...]:
    region = order.region
    if order.wish in {Wish.FAILOVER, Wish.FAILBACK}:
        services: tuple[Service, ...] = (session.service(name, world.config),)
    else:
        services = session.services(name, world.config)
    known = list(dict.fromkeys(one for service in services for one in service.names))
    if region and region not in known:
        raise click.UsageError(f"there is no region {region!r}{meant(region, known)}")
    return tuple(one for one in services if not region or region in one.names)


def _must_see(looked: Looked, services: Iterable[Service], world: Deployment) -> None:
    """Refuse what could be published and not be followed. Raises Unavailable."""
    for one in services:
        if one.name in looked.states and looked.states[one.name] is None:
            _must_be_new(one, world)
    if not looked.unread or looked.states:
        return
    name, error = next(iter(looked.unread.items()))
    why = str(error).rstrip(".")
    if error.kind in {Kind.CORRUPT, Kind.MISSING} or isinstance(error, NoStore):
        kind = Kind.UNKNOWN if error.kind is Kind.CORRUPT else error.kind  # the text advises
        raise Unavailable(
            f"nothing was published, because no command works until the state is readable: {why}."
            f" To repair it: {_repair(error, name)}",
            kind=kind,
            cloud=error.cloud,
        ) from error
    raise Unavailable(
        f"nothing was published, because the outcome could not be seen from here: {why}. With"
        " --no-wait it is published nevertheless",
        kind=error.kind,
        cloud=error.cloud,
    ) from error


def _must_be_new(service: Service, world: Deployment) -> None:
    """Refuse a command of a service whose document is gone. Raises Orphaned."""
    try:
        routing = read_routing(service, world.context)
    except FailoverError:
        return  # the one that carries the command out looks again
    if (orphan := orphaned(service, routing)) is not None:
        raise orphan


def _repair(error: FailoverError, name: str) -> str:
    restore = f"`failoverctl state restore {name} --apply`"
    if error.kind is Kind.CORRUPT:
        return restore
    return (
        f"correct `state` in the file or create the bucket. Then {restore}, or without an old"
        f" version `failoverctl check {name} --apply --adopt`"
    )


def _direct(
    service: Service, made: Command, session: Session, world: Deployment, *, manner: Manner
) -> Json:
    """Carry it out here. With a switch, tick here until it has ended."""
    context = world.context
    try:
        stored = handle(service, made, context).stored
    except FailoverError as error:
        raise _unfinished(service, made, world, error) from error
    if not manner.wait and stored.state and stored.state.switch:
        return next(iter(stored.state.history), {})
    return Follower(
        service, made, session, world, partial(handle, service, Tick(), context)
    ).follow()


def _unfinished(
    service: Service, made: Command, world: Deployment, error: FailoverError
) -> FailoverError:
    """The error, or what it means when the command is in the document already."""
    try:
        state = read_state(service.name, world.context).state
    except FailoverError:
        return error
    if state is None or made.id not in state.commands:
        return error
    return NotFinished(
        f"{service.name}: command {made.id} is recorded and was not finished here: {error}. A tick"
        " finishes it. Do not give it again"
    )


def _awaited(service: Service, made: Command, session: Session, world: Deployment) -> Json:
    """Wait until somebody has carried it out. With a switch, ask for ticks until it has ended."""
    tick = partial(send, {"kind": "tick"}, world)
    return Follower(service, made, session, world, tick).follow()
