"""A flood: more new incidents of one service within a minute than regions can have. PURE.

Anybody who may publish alerts can make up incidents faster than any outage does. Each costs a write
of the document, and beyond its room older ones are forgotten. Nothing is refused because of a
flood: a real alert may be in it. It is logged and pages.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.core.model import Decision, Page, State
from orchestrator.core.outside.limits import ARRIVALS
from orchestrator.core.policy import Service
from orchestrator.core.rule import Rule

MOST, WITHIN = ARRIVALS - 1, timedelta(minutes=1)
"""More new incidents of one service than this within that time are a flood."""

GRACE = timedelta(minutes=1)
"""How long it lasts before it pages; before that it is a warning."""


def told(service: Service, before: State | None, made: Decision, now: datetime) -> Decision:
    """The decision that remembers when new incidents came, and pages for a flood that lasts."""
    state = _counted(before, made.state, now)
    return replace(made, state=state, pages=(*made.pages, *_pages(service, state, now)))


def _counted(before: State | None, state: State, now: datetime) -> State:
    """The state that knows when its newest incidents came. Only where there is a new one does it
    differ, so that it is written anyway."""
    known = before.incidents if before else {}
    new = sum(1 for key in state.incidents if key not in known)
    if not new:
        return state
    recent = [at for at in state.arrivals if abs(now - at) <= WITHIN]
    return replace(state, arrivals=(*recent, *[now] * new)[-ARRIVALS:])


def is_on(state: State, now: datetime) -> bool:
    """Whether a flood is on."""
    return sum(1 for at in state.arrivals if abs(now - at) <= WITHIN) > MOST


def begins(before: State | None, state: State, now: datetime) -> bool:
    """Whether a flood is on that was not before this decision."""
    return is_on(state, now) and (before is None or not is_on(before, now))


def _pages(service: Service, state: State, now: datetime) -> tuple[Page, ...]:
    """The page about a flood that lasts."""
    if not is_on(state, now):
        return ()
    command = (
        f"gcloud logging read 'resource.type=\"pubsub_topic\"' --project={service.project}"
        " --freshness=10m"
    )
    return (Page(Rule.FLOOD, warning(service), command=command, grace=GRACE),)


def warning(service: Service) -> str:
    """What is said of it."""
    return (
        f"flood: more than {MOST} new incidents of {service.name} came within a minute. Each is"
        " handled like any other. The oldest ones that no longer count are forgotten first. If no"
        " outage explains them, somebody publishes false alerts:"
        f" `failoverctl check {service.name}` lists who can publish"
    )
