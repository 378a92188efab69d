"""`explain`: why did it move, or not? In sentences, with the value of each rule.

Without an id it tells the last decision, where every region stands, and what a tick would do now.
With the id of a decision, an incident or a command it tells everything that is recorded of that.
"""

from __future__ import annotations

from collections.abc import Iterable

import click

from orchestrator.cli.arguments import ids, service_argument
from orchestrator.cli.explaining.recorded import NotRecorded, recorded
from orchestrator.cli.explaining.standing import standing
from orchestrator.cli.session import Session
from orchestrator.cli.verb import verb
from orchestrator.cli.words.line import style_of
from orchestrator.cli.words.spelling import nearest
from orchestrator.core.model import Json
from orchestrator.core.policy import Service
from orchestrator.wiring import Deployment


@verb
@service_argument
@click.argument("identity", metavar="[ID]", required=False, shell_complete=ids)
def explain(session: Session, service: str | None, identity: str | None) -> bool:
    """Explain the last decision, or the one with this ID.

    ID is the id of a decision (see `history`), of an incident or of a command. The service can be
    left out.
    """
    world = session.world()
    services = world.config.services
    if service and not identity and service not in services and not nearest(service, services):
        service, identity = None, service
    if identity:
        one, told = _found(session, session.services(service, world.config), world, identity)
    else:
        one = session.service(service, world.config)
        told = standing(session, one, world)
    if session.as_json:
        session.answer({"service": one.name, **told})
        return "error" not in told
    for line in told["sentences"] if isinstance(told["sentences"], list) else ():
        session.say(line, style_of(line))
    return "error" not in told


def _found(
    session: Session, services: Iterable[Service], world: Deployment, identity: str
) -> tuple[Service, Json]:
    """The service that knows of this id, and what it knows."""
    missed: list[NotRecorded] = []
    for service in services:
        try:
            return service, recorded(session, service, world, identity)
        except NotRecorded as error:
            missed.append(error)
    raise missed[0]
