"""Announce: decisions and pages as CloudEvents on the events topic, for anybody who listens.

The id of a decision's event is the id of its history entry, so a copy is known as one. Nothing here
can fail or delay a failover: what could not be published is named in a log line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from orchestrator.core.model import Json
from orchestrator.core.outside import reading
from orchestrator.core.outside.ids import plain_id
from orchestrator.core.outside.shown import shown
from orchestrator.core.paging import Due
from orchestrator.core.policy import Service
from orchestrator.flow.context import Context
from orchestrator.flow.outgoing.spared import spared

DECISION = "failover.decision"
"""Type of the event of a decision; its outcome follows, as in `failover.decision.moved`."""

DRIFT = "failover.drift"
"""Type of the event that a change by something else was repaired."""

PAGE = "failover.page"
"""Type of the event that a human is needed."""


def source(service: Service) -> str:
    """The source of every event of this service."""
    return f"//region-failover/projects/{service.project}/services/{service.name}"


def decision(service: Service, made: Json, context: Context) -> bool:
    """Announce one decision, as the history has it, once in a process's life.

    Gives whether it is certain that it was announced.
    """
    key = f"event {made['id']}"
    if key in context.memory.recorded:
        return True
    kind = f"{DECISION}.{plain_id(str(made['outcome']))}"
    announced = _publish(service, str(made["id"]), kind, str(made["at"]), made, context)
    if announced:
        context.memory.recorded.add(key)
    return announced


def page(service: Service, due: Due, command: str, context: Context) -> None:
    """Announce that a human is needed. command: to paste.

    Its id is made of the condition, its day and its count, so that the copies of other instances,
    which may remember for themselves, are known.
    """
    made, entry = due.page, due.entry
    named = f"{service.name}\n{due.key}\n{entry.since:%Y-%m-%d}\n{entry.count}"
    digest = hashlib.sha256(named.encode()).hexdigest()[:16]
    data = {
        "service": service.name,
        "page": shown(made.text),
        "rule": made.rule,
        "regions": list(made.regions),
        "decision": entry.decision,
        "command": command,
        "since": reading.stamp_time(entry.since),
        "count": entry.count,
    }
    time = reading.stamp_time(entry.last or entry.since)
    _publish(service, f"page-{digest}", PAGE, time, data, context)


def drift(service: Service, text: str, now: datetime, context: Context) -> None:
    """Announce that a change by another writer was undone."""
    data = {"service": service.name, "drift": text}
    _publish(service, f"drift-{context.new_id()}", DRIFT, reading.stamp_time(now), data, context)


def cloud_event(service: Service, identity: str, kind: str, time: str, data: Json) -> Json:
    """One event in the JSON format of CloudEvents 1.0."""
    return {
        "specversion": "1.0",
        "id": identity,
        "source": source(service),
        "type": kind,
        "subject": service.name,
        "time": time,
        "datacontenttype": "application/json",
        "data": dict(data),
    }


def attributes(event: Json) -> Mapping[str, str]:
    """What a subscription can filter by: the event's own attributes, beside the whole event."""
    known = ("specversion", "id", "source", "type", "subject", "time")
    return {
        "content-type": "application/cloudevents+json",
        **{f"ce-{name}": str(event[name]) for name in known},
    }


def _publish(  # an event's parts, and the world
    service: Service, identity: str, kind: str, time: str, data: Json, context: Context
) -> bool:
    if context.events is None:
        return True
    event = cloud_event(service, identity, kind, time, data)
    topic, body = context.events, json.dumps(event).encode()
    what = f"event {identity} not published"
    return spared(what, lambda: topic.publish(body, attributes(event)), context, service.name)
