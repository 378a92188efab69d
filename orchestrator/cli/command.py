"""The operator's hand: `failover`, `failback`, `evacuate`, `freeze`, `unfreeze`, `ack`.

Without `--apply` a command is previewed. With it, it is published to the control topic, where IAM
decides who may, or carried out here with `--direct`; then it is waited for, a graceful switch to
its end, and what was decided is shown.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import click

from orchestrator.cli import sentences
from orchestrator.cli.failures import error_of, show_error
from orchestrator.cli.session import Session, meant, side_by_side
from orchestrator.cli.views import preview_view
from orchestrator.core.errors import FailoverError, Unavailable
from orchestrator.core.model import Command, Json, State, Tick, Wish
from orchestrator.core.policy import Service
from orchestrator.core.reading import stamp_time
from orchestrator.flow.observe import read_state
from orchestrator.flow.pipeline import handle
from orchestrator.flow.preview import Preview, preview
from orchestrator.wiring import World

OVERRIDES = ("target_healthy", "replication_lag", "min_healthy_regions")
"""The rules whose refusal of a command a human can take back, one at a time."""

PATIENCE = 90.0
"""Seconds that a published command is waited for; Pub/Sub needs one or two."""

LOOK, NUDGE = 0.5, 10.0
"""Seconds between two looks at the document, and between two ticks asked for during a switch."""


class NotCarriedOut(FailoverError):
    """The command was published, and nobody has carried it out in time."""


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
    made = _made(order, world)
    if not manner.apply:
        return _preview(session, services, made, world)
    if not manner.direct:
        _publish(made, name, world)
        if not manner.wait:
            session.tell({"command": made.id}, f"Published as command {made.id}; not waited for.")
            return True
    carry = partial(_direct, manner=manner) if manner.direct else _awaited
    asked = {one.name: partial(carry, one, made, session, world) for one in services}
    return _show(session, side_by_side(asked), world)


def _made(order: Order, world: World) -> Command:
    issued = world.context.now()
    return Command(
        id=world.context.new_id(),
        wish=order.wish,
        actor=os.environ.get("FAILOVER_ACTOR") or f"{getpass.getuser()}@{socket.gethostname()}",
        reason=order.reason.strip() or "(preview)",
        issued_at=issued,
        region=order.region,
        until=issued + order.until if order.until else None,
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
    return all("error" not in view and view["outcome"] != "held" for view in views)


def _preview_view(service: Service, seen: Preview | FailoverError, session: Session) -> Json:
    if isinstance(seen, FailoverError):
        return {"service": service.name, "error": error_of(seen, session)}
    return preview_view(service, seen)


def _show_preview(session: Session, view: Json) -> None:
    if "error" in view:
        session.say(f"{view['service']}: the command would fail", "bold red")
        show_error(session, view["error"])
        return
    session.say(f"{view['service']}: the command would come to: {view['outcome']}", "bold")
    for line in sentences.gates(view):
        session.say(f"  {line}")
    routing = view["routing"]
    carrying = ", ".join(routing) if isinstance(routing, dict) else ""
    session.say(f"  then {carrying} carries traffic (epoch {view['epoch']})")


# --- done ----------------------------------------------------------------------------------------


def _publish(made: Command, name: str | None, world: World) -> None:
    if world.control is None:
        raise Unavailable(
            "the file names no `topics.control`, so there is nobody to tell. Do it from here, with"
            " --direct"
        )
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
    world.control.publish(json.dumps(message).encode(), {})


def _only(world: World) -> str | None:
    return next(iter(world.config.services)) if len(world.config.services) == 1 else None


def _direct(
    service: Service, made: Command, session: Session, world: World, *, manner: Manner
) -> Json:
    """Carry it out here; with a switch, tick here until it has ended."""
    handle(service, made, world.context)
    state = read_state(service.name, world.context).state
    while manner.wait and state and state.switch and state.switch.command == made.id:
        _tell_switch(state, session)
        time.sleep(NUDGE)
        handle(service, Tick(), world.context)
        state = read_state(service.name, world.context).state
    return _entry(state, made)


def _awaited(service: Service, made: Command, session: Session, world: World) -> Json:
    """Wait until somebody has carried it out; with a switch, ask for ticks until it has ended."""
    began = nudged = time.monotonic()
    while True:
        state = read_state(service.name, world.context).state
        done = state is not None and made.id in state.commands
        switching = done and state and state.switch and state.switch.command == made.id
        if done and not switching:
            return _entry(state, made)
        now = time.monotonic()
        if not done and now - began > PATIENCE:
            raise NotCarriedOut(
                f"{service.name}: nobody has carried out command {made.id} within {PATIENCE:.0f} s."
                " It may still be, until it is too old. See the functions' log, or use --direct"
            )
        if switching and state and world.control and now - nudged > NUDGE:
            nudged = now
            _tell_switch(state, session)
            world.control.publish(json.dumps({"kind": "tick"}).encode(), {})
        time.sleep(LOOK)


def _tell_switch(state: State, session: Session) -> None:
    if state.switch:
        session.note(
            f"{state.service}: {state.switch.step}: {state.switch.left} takes no writes until"
            f" {state.switch.until:%H:%M:%S} UTC, then the traffic goes to {state.switch.to}"
        )


def _entry(state: State | None, made: Command) -> Json:
    """What the history has of the command, or of the end of its switch."""
    history = state.history if state else ()
    own = next((e for e in history if made.id in str(e.get("signal", "")).split()), None)
    if own is None:
        return {"signal": f"command {made.id} {made.wish}", "outcome": "unchanged"}
    if own.get("outcome") != "switching":
        return own
    ends = {"moved", "abandoned"}
    later = [e for e in history[: history.index(own)] if e.get("outcome") in ends]
    return later[-1] if later else own


def _show(session: Session, found: dict[str, Json | FailoverError], world: World) -> bool:
    fine = True
    views: list[Json] = []
    for name, entry in found.items():
        if isinstance(entry, FailoverError):
            fine = False
            views.append({"service": name, "error": error_of(entry, session)})
            continue
        fine = fine and entry.get("outcome") not in {"held", "abandoned"}
        views.append({"service": name, "decision": entry})
    if session.as_json:
        session.answer({"services": views, "applied": True})
        return fine
    for view in views:
        session.say(str(view["service"]), "bold")
        if "error" in view:
            show_error(session, view["error"])
        entry_shown = view.get("decision")
        if isinstance(entry_shown, dict):
            for line in sentences.tell(entry_shown, world.context.now()):
                session.say(f"  {line}")
    return fine
