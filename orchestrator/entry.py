"""What the function answers: one request in, acknowledged or given back for redelivery.

2xx for everything that is handled: moved, refused by a rule, a duplicate, a test, poison. An
exception, and so 5xx, only for what a redelivery can cure; `Forbidden`, and so 403, for a request
that is not the deployment's own push (`orchestrator.intake.admission`), which is found out before
all else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from orchestrator import telemetry
from orchestrator.core.document.ground import Standing, standing
from orchestrator.core.exceptions import (
    BadEvent,
    FailoverError,
    Forbidden,
    Outdated,
    StateLost,
    Unavailable,
    Unknown,
)
from orchestrator.core.model import Tick
from orchestrator.core.paging import page_of
from orchestrator.core.policy import Service
from orchestrator.flow.context import Context
from orchestrator.flow.journal import poison
from orchestrator.flow.observe import read_state
from orchestrator.flow.outgoing import page as paging
from orchestrator.flow.pipeline import handle
from orchestrator.intake import admission
from orchestrator.intake.parse import (
    Addressed,
    Ignored,
    Message,
    parse_alert,
    parse_control,
    unwrap,
)
from orchestrator.wiring import Deployment, Wiring, now

TICK_LIFE = timedelta(minutes=2)
"""A tick that is older is acknowledged without work: failed ones would pile up for days."""

UNKNOWN_SIGNER = timedelta(minutes=2)
"""How long Google's certificates may be out of reach before it pages: redeliveries try again."""

Headers = Mapping[str, str]
NO_HEADERS: Headers = MappingProxyType({})

Parser = Callable[[Message, Mapping[str, Service]], tuple[Addressed, ...] | Ignored]


def alert(body: object, wiring: Wiring, headers: Headers = NO_HEADERS) -> str:
    """Handle one message of the alerts topic; say the result in a word.

    headers: of the request. Raises Forbidden for one that is not the deployment's own push.
    """
    return _take(body, wiring, headers, parse_alert)


def control(body: object, wiring: Wiring, headers: Headers = NO_HEADERS) -> str:
    """Handle one message of the control topic; say the result in a word. As `alert`."""
    return _take(body, wiring, headers, parse_control)


def _take(body: object, wiring: Wiring, headers: Headers, parser: Parser) -> str:
    try:
        _admit(body, wiring, headers)
        return _handle(body, _world(wiring), parser)
    except Forbidden as refusal:
        telemetry.log("WARNING", str(refusal), rule=refusal.rule)
        raise
    except FailoverError as error:
        if isinstance(error, Outdated):
            wiring.forget()
        telemetry.log("ERROR", f"{error}. Answered 5xx: the message will be redelivered")
        raise


def _admit(body: object, wiring: Wiring, headers: Headers) -> None:
    """Return if the request may be handled; what it means has not been looked at until then."""
    try:
        expectation = wiring.expectation()
        if expectation is not None:
            admission.admit(expectation, headers, body, now(), wiring.signatures.signed)
    except FailoverError as error:
        grace = UNKNOWN_SIGNER if isinstance(error, Unavailable) else timedelta(0)
        _alarm(error, wiring, grace)
        raise


def _alarm(error: FailoverError, wiring: Wiring, grace: timedelta = timedelta(0)) -> None:
    """Page where no service is known that could."""
    page = replace(page_of(error), grace=grace)
    paging.alarm(page, wiring.memory, telemetry.log, now())


def _world(wiring: Wiring) -> Deployment:
    """The world; what prevents it pages here, because no service is known that could."""
    try:
        return wiring.world()
    except FailoverError as error:
        if error.page:
            _alarm(error, wiring)
        raise


def _handle(body: object, world: Deployment, parser: Parser) -> str:
    context = world.context
    data = body if isinstance(body, bytes) else str(body).encode("utf-8", "replace")
    try:
        message = unwrap(body, context.now())
        data = message.data
        addressed = parser(message, world.config.services)
    except BadEvent as error:
        if isinstance(error, Unknown):
            _leave_to_newer(str(error), world)
        _tell_poison(data, error, context)
        return "poison"
    if _is_old_tick(addressed, message, context.now()):
        addressed = Ignored("an old tick: newer ones have come since")
    if isinstance(addressed, Ignored):
        if addressed.stranger:
            _leave_to_newer(addressed.reason, world)
        telemetry.log("INFO", f"ignored: {addressed.reason}")
        return "ignored"
    for to in addressed:
        if to.note:
            telemetry.log(to.note.severity, to.note.text, service=to.service)
    return _each(addressed, world)


def _tell_poison(data: bytes, error: BadEvent, context: Context) -> None:
    """Keep what cannot be read, and say so: loudly, but no louder for a flood of it."""
    kept = poison.keep(data, error, context)
    text = f"poison, acknowledged and {kept}: {error}"
    if kept is poison.PoisonKept.LEFT_OUT:
        telemetry.log("WARNING", text)
    else:
        telemetry.log("ERROR", text, poison=True)


def _leave_to_newer(what: str, world: Deployment) -> None:
    """Raise Outdated if a newer file is known to exist, because it may know what this one does not.

    A document's serial shows it. Raises StateLost where none can be read: then it is unknown
    whether the message is for nobody. A corrupt document says nothing about this, and pages itself.
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
                f" {service.name}'s document was made with {state.stamp.serial}. That newer file"
                " may know it, so an instance with that file must handle it. Deploy it everywhere"
            )


def _is_old_tick(
    addressed: tuple[Addressed, ...] | Ignored, message: Message, now: datetime
) -> bool:
    """Whether this is a tick that has waited so long that another does its work."""
    if isinstance(addressed, Ignored) or not any(isinstance(a.signal, Tick) for a in addressed):
        return False
    return now - message.published > TICK_LIFE


def _each(addressed: tuple[Addressed, ...], world: Deployment) -> str:
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
