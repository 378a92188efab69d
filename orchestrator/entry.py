"""What the function answers: one request in, acknowledged or given back for redelivery.

2xx for everything that is handled: moved, refused by a rule, a duplicate, a test, poison. An
exception, and so 5xx, only for what a redelivery can cure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from orchestrator import telemetry
from orchestrator.core.errors import BadEvent, FailoverError, Outdated, StateLost, Unknown
from orchestrator.core.ground import Standing, standing
from orchestrator.core.model import Tick
from orchestrator.core.paging import page_of
from orchestrator.core.policy import Service
from orchestrator.flow import paging, record
from orchestrator.flow.observe import read_state
from orchestrator.flow.pipeline import handle
from orchestrator.parse import Addressed, Ignored, Message, parse_alert, parse_control, unwrap
from orchestrator.wiring import Wiring, World, now

TICK_LIFE = timedelta(minutes=2)
"""A tick that is older is acknowledged without work: failed ones would pile up for days."""

Parser = Callable[[Message, Mapping[str, Service]], tuple[Addressed, ...] | Ignored]


def alert(body: object, wiring: Wiring) -> str:
    """Handle one message of the alerts topic; say in a word what became of it."""
    return _take(body, wiring, parse_alert)


def control(body: object, wiring: Wiring) -> str:
    """Handle one message of the control topic; say in a word what became of it."""
    return _take(body, wiring, parse_control)


def _take(body: object, wiring: Wiring, parser: Parser) -> str:
    try:
        return _handle(body, _world(wiring), parser)
    except FailoverError as error:
        if isinstance(error, Outdated):
            wiring.forget()
        telemetry.log("ERROR", f"{error}. Answered 5xx: the message will be redelivered")
        raise


def _world(wiring: Wiring) -> World:
    """The world; what prevents it pages here, because no service is known that could."""
    try:
        return wiring.world()
    except FailoverError as error:
        if error.page:
            paging.alarm(page_of(error), wiring.memory, telemetry.log, now())
        raise


def _handle(body: object, world: World, parser: Parser) -> str:
    context = world.context
    data = body if isinstance(body, bytes) else str(body).encode("utf-8", "replace")
    try:
        message = unwrap(body, context.now())
        data = message.data
        addressed = parser(message, world.config.services)
    except BadEvent as error:
        if isinstance(error, Unknown):
            _leave_to_newer(str(error), world)
        telemetry.log("ERROR", f"poison, acknowledged and journaled: {error}", poison=True)
        record.poison(data, error, context)
        return "poison"
    if _is_old_tick(addressed, message, context.now()):
        addressed = Ignored("a tick of some time ago; newer ones have come since")
    if isinstance(addressed, Ignored):
        if addressed.stranger:
            _leave_to_newer(addressed.reason, world)
        telemetry.log("INFO", f"ignored: {addressed.reason}")
        return "ignored"
    for to in addressed:
        if to.note:
            telemetry.log(to.note.severity, to.note.text, service=to.service)
    return _each(addressed, world)


def _leave_to_newer(what: str, world: World) -> None:
    """Raise Outdated if a newer file is known to exist, for that one may know what we do not.

    A document's serial tells. Raises StateLost where none can be read: then it is unknown whether
    the message is for nobody. A corrupt document says nothing of this, and pages by itself.
    """
    for service in world.config.services.values():
        try:
            state = read_state(service.name, world.context).state
        except (Outdated, StateLost):
            raise
        except FailoverError:
            continue
        if state and standing(state.stamp, service.stamp) is Standing.OLDER:
            raise Outdated(
                f"{what}. This instance has configuration serial {service.stamp.serial}, and"
                f" {service.name}'s document was made with {state.stamp.serial}: a newer file may"
                " know it, so it is left to an instance that has that file. Deploy it everywhere"
            )


def _is_old_tick(
    addressed: tuple[Addressed, ...] | Ignored, message: Message, now: datetime
) -> bool:
    """Whether this is a tick that has waited so long that another does its work."""
    if isinstance(addressed, Ignored) or not any(isinstance(a.signal, Tick) for a in addressed):
        return False
    return now - message.published > TICK_LIFE


def _each(addressed: tuple[Addressed, ...], world: World) -> str:
    """Every service the signal is for, side by side; one that fails does not stop the others."""

    def one(to: Addressed) -> str:
        report = handle(world.config.services[to.service], to.signal, world.context)
        return report.decision.outcome

    if len(addressed) == 1:
        return one(addressed[0])
    with ThreadPoolExecutor(len(addressed)) as pool:
        futures = [pool.submit(one, to) for to in addressed]
    failed = [error for future in futures if (error := future.exception())]
    for error in failed[1:]:
        telemetry.log("ERROR", f"{error}. It is tried again with the redelivery")
    if failed:
        raise next((error for error in failed if isinstance(error, Outdated)), failed[0])
    return ", ".join(future.result() for future in futures)
