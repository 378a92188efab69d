"""The operator's hand: `failover`, `failback`, `evacuate`, `freeze`, `unfreeze`, `ack`.

Without `--apply` a command is previewed. With it, it is published to the control topic, where IAM
decides who may, or carried out here with `--direct`; then it is waited for, a graceful switch to
its end, and what was decided is shown. Before any of that the world is looked at: a command has the
server's time, because commands are obeyed in the order they were given.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import click

from orchestrator.cli import gates, sentences
from orchestrator.cli.again import again
from orchestrator.cli.failures import error_of, show_error, show_obstacle, with_advice
from orchestrator.cli.follow import PATIENCE, Follower
from orchestrator.cli.look import Looked, look, note_unavailable
from orchestrator.cli.remedies import remedies
from orchestrator.cli.session import Session, actor, meant, side_by_side
from orchestrator.cli.views import preview_view
from orchestrator.core.errors import FailoverError, Kind, NoStore, Unavailable
from orchestrator.core.ground import orphaned
from orchestrator.core.limits import TEXT
from orchestrator.core.model import FAMILIES, Command, Json, Outcome, Tick, Wish
from orchestrator.core.plan import mark_of
from orchestrator.core.policy import Service
from orchestrator.core.reading import stamp_time
from orchestrator.core.rule import Rule
from orchestrator.core.shown import one_line
from orchestrator.core.traffic import traffic
from orchestrator.core.traffic import view as traffic_view
from orchestrator.flow.observe import read_routing, read_state
from orchestrator.flow.pipeline import handle
from orchestrator.flow.preview import Preview, preview
from orchestrator.ports import Topic
from orchestrator.wiring import World


class NotFinished(FailoverError):
    """The command is in the document, and what it asks for is not done yet."""


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


def command(session: Session, name: str | None, order: Order, manner: Manner) -> bool:
    """Give one command. Raises what looking and publishing raise; wrong names are usage errors."""
    world = session.world()
    services = _concerned(session, name, order, world)
    if manner.apply and not order.reason.strip():
        raise click.UsageError("say why, with --reason: the history keeps it for those after you")
    if manner.apply and not manner.direct:
        _control(world)
    looked = look(session, services, world)
    made = _made(order, looked, world)
    if not manner.apply:
        return _preview(session, services, made, world)
    if manner.wait and not manner.direct:
        _must_see(looked, services, world)
    note_unavailable(session, services, made, looked, direct=manner.direct)
    if not manner.direct:
        _publish(made, name, world)
        if not manner.wait:
            text = (
                f"Published as command {made.id}, and not waited for."
                f" `{_explain(made, name, world)}` tells what came of it."
            )
            session.tell({"command": made.id}, text)
            return True
        session.note(
            f"Published as command {made.id}. Waiting at most {PATIENCE:.0f} s for an orchestrator"
            " to take it."
        )
    carry = partial(_direct, manner=manner) if manner.direct else _awaited
    asked = {one.name: partial(carry, one, made, session, world) for one in services}
    return _show(session, side_by_side(asked), order, manner, world)


def _made(order: Order, looked: Looked, world: World) -> Command:
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


def _concerned(
    session: Session, name: str | None, order: Order, world: World
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


# --- shown ---------------------------------------------------------------------------------------


def _preview(session: Session, services: tuple[Service, ...], made: Command, world: World) -> bool:
    asked = {one.name: partial(preview, one, made, world.context) for one in services}
    known = {one.name: one for one in services}
    found = side_by_side(asked)
    views = [_preview_view(known[name], seen, session) for name, seen in found.items()]
    if session.as_json:
        session.answer({"services": views, "applied": False})
    else:
        for view in views:
            _show_preview(session, view)
        session.say("Nothing was changed. Add --apply and --reason.", "bold")
    return all("error" not in view and not _is_stopped(view) for view in views)


def _is_stopped(view: Json) -> bool:
    """Whether nothing would come of the command: a rule refuses it, or nothing can be moved."""
    outcome = view["outcome"]
    return outcome == Outcome.HELD or bool(view["obstacle"] and outcome != Outcome.OBEYED)


def _preview_view(service: Service, seen: Preview | FailoverError, session: Session) -> Json:
    if isinstance(seen, FailoverError):
        return {"service": service.name, "error": error_of(seen, session)}
    return with_advice(preview_view(service, seen), seen.error, session)


def _show_preview(session: Session, view: Json) -> None:
    if "error" in view:
        session.say(f"{view['service']}: the command would fail", "bold red")
        show_error(session, view["error"])
        return
    blocked = view["obstacle"] and _is_stopped(view)
    comes = "could not be carried out now" if blocked else f"would come to: {view['outcome']}"
    session.say(f"{view['service']}: the command {comes}", "bold")
    for line in gates.gates(view):
        session.say(f"  {line}")
    for line in remedies(view):
        session.say(f"  To do, {line}")
    if view["obstacle"]:
        show_obstacle(session, view)
    if blocked:
        return
    routing = view["routing"]
    wanted = list(routing) if isinstance(routing, dict) else []
    when = "until the switch ends" if view["outcome"] == Outcome.SWITCHING else "then"
    told = sentences.will_carry(view["remains"], wanted)
    session.say(f"  {when} {told} (epoch {view['epoch']})")


# --- done ----------------------------------------------------------------------------------------


def _must_see(looked: Looked, services: Iterable[Service], world: World) -> None:
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
        f"nothing was published, because the outcome could not be seen from here: {why}."
        " --no-wait publishes it without that",
        kind=error.kind,
        cloud=error.cloud,
    ) from error


def _must_be_new(service: Service, world: World) -> None:
    """Refuse a command of a service whose document is gone. Raises Orphaned."""
    try:
        routing = read_routing(service, world.context)
    except FailoverError:
        return  # whoever carries the command out looks again
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


def _control(world: World) -> Topic:
    if world.control is None:
        raise Unavailable(
            "the file names no `topics.control`, so there is nobody to tell. Do it from here, with"
            " --direct"
        )
    return world.control


def _send(message: Json, world: World) -> None:
    _control(world).publish(json.dumps(message).encode(), {})


def _publish(made: Command, name: str | None, world: World) -> None:
    message: dict[str, object] = {
        "kind": "command",
        "id": made.id,
        "issued_at": stamp_time(made.issued_at),
        "verb": made.wish,
        "actor": made.actor,
        "reason": made.reason,
    }
    optional: dict[str, object] = {
        "service": name or _only(world),
        "to" if made.wish is Wish.FAILOVER else "region": made.region,
        "until": stamp_time(made.until) if made.until else None,
        "now": made.now,
        "override": made.override,
    }
    message |= {key: value for key, value in optional.items() if value}
    try:
        _send(message, world)
    except Unavailable as error:
        if error.page or world.control is None:  # it was refused, and is certainly not published
            raise
        raise Unavailable(
            f"{str(error).rstrip('.')}. Whether command {made.id} was published all the same is not"
            f" known: see `{_explain(made, name, world)}` before you repeat it, or use --direct"
        ) from error


def _explain(made: Command, name: str | None, world: World) -> str:
    """The command that tells what came of this one."""
    return " ".join(["failoverctl explain", *filter(None, [name or _only(world)]), made.id])


def _only(world: World) -> str | None:
    return next(iter(world.config.services)) if len(world.config.services) == 1 else None


def _direct(
    service: Service, made: Command, session: Session, world: World, *, manner: Manner
) -> Json:
    """Carry it out here; with a switch, tick here until it has ended."""
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
    service: Service, made: Command, world: World, error: FailoverError
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
        " finishes it; do not give it again"
    )


def _awaited(service: Service, made: Command, session: Session, world: World) -> Json:
    """Wait until somebody has carried it out; with a switch, ask for ticks until it has ended."""
    tick = partial(_send, {"kind": "tick"}, world)
    return Follower(service, made, session, world, tick).follow()


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


def _is_late(entry: Json) -> bool:
    """Whether the command was refused for its age or its place: giving it again cures that."""
    refused = [reason for reason in gates.reasons(entry) if not reason.get("passed")]
    held = entry.get("outcome") == Outcome.HELD
    return held and any(reason.get("rule") == Rule.COMMAND for reason in refused)


def _with_traffic(name: str, entry: Json, world: World) -> Json:
    """The decision of a new epoch with the traffic as it is read now; others as they are.

    So a move is told as done only where it is. A later epoch's traffic says nothing of it.
    """
    service, epoch = world.config.services[name], entry.get("epoch")
    if not isinstance(epoch, int) or epoch == entry.get("epoch_before"):
        return entry
    try:
        routing = world.context.traffic.read(service.backend_service)
    except FailoverError:
        return {**entry, "traffic": None}
    if mark_of(routing, service).epoch > epoch:
        return entry
    return {**entry, "traffic": traffic_view(traffic(routing, service, None))}


def _show(
    session: Session,
    found: dict[str, Json | FailoverError],
    order: Order,
    manner: Manner,
    world: World,
) -> bool:
    fine = True
    views: list[Json] = []
    for name, entry in found.items():
        if isinstance(entry, FailoverError):
            fine = False
            views.append({"service": name, "error": error_of(entry, session)})
            continue
        fine = fine and entry.get("outcome") not in {Outcome.HELD, Outcome.ABANDONED}
        repeat = {"repeat": repeated(name, order, manner)} if _is_late(entry) else {}
        views.append({"service": name, "decision": _with_traffic(name, entry, world), **repeat})
    if session.as_json:
        session.answer({"services": views, "applied": True})
        return fine
    for view in views:
        session.say(str(view["service"]), "bold")
        if "error" in view:
            show_error(session, view["error"])
        entry_shown = view.get("decision")
        if isinstance(entry_shown, dict):
            for line in sentences.tell(entry_shown, world.context.now(), str(view["service"])):
                session.say(f"  {line}")
        if "repeat" in view:
            session.say(f"  To give it again: {view['repeat']}", "bold")
    return fine
