"""All that `check` finds of one service, in the order in which it is shown."""

from __future__ import annotations

from orchestrator.cli.check.balancer import balancer
from orchestrator.cli.check.documents import Make, document, other_writer
from orchestrator.cli.check.finding import Finding, Level
from orchestrator.cli.check.lag import lag
from orchestrator.cli.check.roles import roles
from orchestrator.cli.check.signals import health, shared_hosts, uptime_checks
from orchestrator.cli.check.tables import endpoints
from orchestrator.cli.check.takeover import could_take_over
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.policy import Service
from orchestrator.flow.observe import observe
from orchestrator.wiring import Deployment


def findings(service: Service, world: Deployment, make: Make | None) -> list[Finding]:
    """Everything about the service, fault by fault. make: how to make a missing document."""
    try:
        observed = observe(service, world.context)
    except FailoverError as error:
        advice = "No alert can be handled until the state can be read"
        return [Finding(service.name, "state", Level.FAIL, str(error), advice, error)]
    found = list(document(service, observed, world, make))
    if observed.routing is None:
        lost = observed.unseen
        text = "Traffic cannot be moved until the Compute API answers"
        found.append(Finding(service.name, "load balancer", Level.FAIL, str(lost), text, lost))
    else:
        found += balancer(service, observed.routing, observed.stored.state, world)
        found += could_take_over(service, observed, world)
    return [
        *found,
        *other_writer(service, observed.stored.state, world),
        *endpoints(service, observed.stored.state),
        *health(service, observed),
        *shared_hosts(service),
        *lag(service, observed),
        *roles(service, observed),
        *uptime_checks(service, observed),
    ]
