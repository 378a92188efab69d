"""Gauges: how a service stands after a tick, in numbers that somebody else watches.

They are for the case that nobody can tell of from inside: a gauge that stops coming means that no
tick comes to its end any more. They are written last of all, and nothing depends on them; a tick
that was given back writes none.
"""

from __future__ import annotations

from datetime import datetime

from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import State, Stored
from orchestrator.flow.context import Context
from orchestrator.flow.outgoing.spared import spared
from orchestrator.ports import Gauge


def emit(stored: Stored, context: Context) -> None:
    """Write the gauges of one service, if anywhere. Raises nothing; what is refused is forgotten.

    The next tick writes newer ones, so there is nothing to make up for.
    """
    if context.gauges is None or stored.state is None:
        return
    service = stored.state.service
    spared("gauges not written", lambda: _write(stored.state, context), context, service)


def _write(state: State | None, context: Context) -> None:
    if context.gauges is None or state is None:
        return
    now = context.now()
    try:
        context.gauges.write(of(state, now), now)
    except FailoverError as error:
        context.log("INFO", f"gauges not written: {error}", service=state.service)


def of(state: State, now: datetime) -> tuple[Gauge, ...]:
    """The gauges of one document: 0 or 1 where they answer a question."""
    service = {"service": state.service}
    frozen = state.freeze is not None and state.freeze.until > now
    regions = [({**service, "region": name}, name, one) for name, one in state.regions.items()]
    return (
        *(Gauge("region_health", int(one.healthy), labels) for labels, _, one in regions),
        *(Gauge("primary", int(name == state.primary), labels) for labels, name, _ in regions),
        Gauge("epoch", state.epoch, service),
        Gauge("frozen", int(frozen), service),
        Gauge("last_tick", int(now.timestamp()), service),
    )
