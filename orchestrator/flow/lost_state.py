"""Act once while the state is lost, on the strength of the load balancer's own mark.

The invocation still fails afterwards, so that the message comes again and the incident reaches the
state when it can be read.
"""

from __future__ import annotations

from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import AlertOpened, Page
from orchestrator.core.moves.stateless import without_state
from orchestrator.core.policy import OnStateLoss, Service
from orchestrator.core.rule import Reason, Rule
from orchestrator.core.traffic import leftover
from orchestrator.core.traffic.plan import body, plan
from orchestrator.core.traffic.shares import unclaimed
from orchestrator.flow.context import Context
from orchestrator.flow.outgoing import page


def act(service: Service, signal: object, context: Context) -> None:
    """Move once if the policy and everything that can be seen allow it, else page. Raises nothing.

    An outcome that is not known is not followed up: the redelivery starts from the routing again.
    """
    if not isinstance(signal, AlertOpened):
        return
    if service.policy.on_state_loss is not OnStateLoss.ACT:
        text = (
            f"{service.name}: the state cannot be read while {signal.region} fails. Nothing moves"
            " until it can be read, because on_state_loss is hold"
        )
        page.page(service, (Page(Rule.ON_STATE_LOSS, text, (signal.region,)),), context)
        return
    try:
        _act(service, signal, context)
    except FailoverError as error:
        context.log("ERROR", f"{service.name}: not moved without the state: {error}")


def _act(service: Service, signal: AlertOpened, context: Context) -> None:
    reading = context.executor.submit(context.traffic.read, service.backend_service)
    probes = context.prober.probe(service.regions)
    routing, now = reading.result(), context.now()
    state = without_state(service, signal, routing, probes, now)
    if isinstance(state, Reason):
        context.log("WARNING", f"{service.name}: not moved without the state: {state.value}")
        return
    change = plan(state, routing, service)
    context.traffic.wait(context.traffic.patch(change.resource, body(change, routing, service)))
    text = (
        f"{service.name}: the state cannot be read. The traffic was moved without it from"
        f" {signal.region} to {', '.join(state.routing)}: {change}. The change was accepted, and"
        " not read back"
    )
    left = unclaimed(routing, service)
    if left:
        text += f". {', '.join(map(str, left))} keeps its traffic. {leftover.advice(routing, left)}"
    context.log("NOTICE", text, service=service.name, epoch=state.epoch)
    condition = Page(Rule.MOVED_WITHOUT_STATE, text, (signal.region, *state.routing))
    page.page(service, (condition,), context)
