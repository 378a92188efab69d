"""The part of `check` about the state document: is it there, and is it this configuration's?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from orchestrator.cli.check.finding import Finding, Level
from orchestrator.cli.session import actor
from orchestrator.core.document.ground import Standing, orphaned, standing
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Observed, State, Tick
from orchestrator.core.paging import rewritten
from orchestrator.core.policy import Service
from orchestrator.flow.pipeline import handle
from orchestrator.flow.rescue.adopt import adopt as adopt_routing
from orchestrator.wiring import Deployment

Make = Callable[[Service, Deployment], Finding]
"""Makes a state document, and says what came of it."""


def document(
    service: Service, observed: Observed, world: Deployment, make: Make | None
) -> Iterator[Finding]:
    """Whether there is a document, and whether this configuration is its own."""
    what, state = "state document", observed.stored.state
    if state is None and make is not None:
        yield make(service, world)
        return
    orphan = orphaned(service, observed.routing) if observed.routing and state is None else None
    if orphan is not None:
        text = "Do not create it before you know where it went"
        yield Finding(service.name, what, Level.FAIL, str(orphan), text, orphan)
        return
    if state is None:
        text = "The first signal creates it, or `failoverctl check --apply` now"
        yield Finding(service.name, what, Level.WARN, "none yet", text)
        return
    detail = f"epoch {state.epoch}, revision {state.revision}, primary {state.primary}"
    yield Finding(service.name, what, Level.OK, detail)
    yield _configuration(service, state)


def _configuration(service: Service, state: State) -> Finding:
    """Whether the document was made with this configuration."""
    ours = standing(state.stamp, service.stamp)
    serials = f"serial {state.stamp.serial} there, {service.stamp.serial} here"
    match ours:
        case Standing.CLASH:
            text = "Raise `serial` with every change of the file, and deploy it everywhere"
            detail = f"another file with the same {serials}"
            return Finding(service.name, "configuration", Level.FAIL, detail, text)
        case Standing.OLDER:
            text = "Use the newest file: this one decides nothing"
            return Finding(service.name, "configuration", Level.FAIL, serials, text)
        case Standing.NEWER:
            text = "The next signal applies this file"
            return Finding(service.name, "configuration", Level.WARN, serials, text)
        case Standing.SAME:
            return Finding(
                service.name, "configuration", Level.OK, "the document was made with this file"
            )


def other_writer(service: Service, state: State | None, world: Deployment) -> Iterator[Finding]:
    """What something else keeps changing on the load balancer."""
    for page in rewritten(state, service, world.context.now()) if state else ():
        do = f"Find the other writer: `{page.command}`"
        yield Finding(service.name, "another writer", Level.FAIL, page.text, do)


def made(service: Service, world: Deployment) -> Finding:
    """Make the document by a first tick."""
    try:
        state = handle(service, Tick(), world.context).decision.state
    except FailoverError as error:
        return Finding(service.name, "state document", Level.FAIL, str(error), error=error)
    detail = f"created now: epoch {state.epoch}, primary {state.primary}"
    return Finding(service.name, "state document", Level.OK, detail)


def adopted(service: Service, world: Deployment) -> Finding:
    """Make the document with the traffic as it is, whatever epoch the load balancer carries."""
    try:
        state = adopt_routing(service, actor(), world.context).decision.state
    except FailoverError as error:
        return Finding(service.name, "state document", Level.FAIL, str(error), error=error)
    detail = (
        f"adopted now: epoch {state.epoch}, primary {state.primary}, with the traffic as the load"
        " balancer has it. Incidents, freezes and history of before are lost"
    )
    return Finding(service.name, "state document", Level.OK, detail)
