"""`tick`: have the orchestrator look at the world now."""

from __future__ import annotations

import json

from orchestrator.cli.look import show_plan
from orchestrator.cli.session import Session
from orchestrator.core.errors import Unavailable
from orchestrator.core.model import Tick
from orchestrator.flow.pipeline import Report, handle
from orchestrator.flow.preview import preview


def tick(session: Session, name: str | None, *, apply: bool, direct: bool) -> bool:
    """Show what a tick would do; with `apply`, do it.

    direct: here, with the operator's own rights; otherwise a tick is asked for on the control
    topic, which is for every service.
    """
    world = session.world()
    services = session.services(name, world.config)
    if not apply:
        show_plan(session, {s.name: (s, preview(s, Tick(), world.context)) for s in services})
        if not session.as_json:
            session.say("Nothing was changed. Add --apply (and --direct to do it from here).")
        return True
    if not direct:
        return _ask(session)
    reports = {service.name: handle(service, Tick(), world.context) for service in services}
    if session.as_json:
        session.answer({"services": [_view(name, report) for name, report in reports.items()]})
        return True
    for service, report in reports.items():
        session.say(f"{service}: {report.decision.outcome}", "bold")
        for plan in report.plans:
            session.say(f"  written: {plan}")
    return True


def _view(name: str, report: Report) -> dict[str, object]:
    return {
        "service": name,
        "outcome": report.decision.outcome,
        "epoch": report.decision.state.epoch,
        "shifted": [str(plan) for plan in report.plans],
        "page": report.decision.page,
    }


def _ask(session: Session) -> bool:
    world = session.world()
    if world.control is None:
        raise Unavailable(
            "the file names no `topics.control`, so there is nobody to ask for a tick. Do it from"
            " here with --direct"
        )
    identity = world.control.publish(json.dumps({"kind": "tick"}).encode(), {})
    topic = world.config.topics.control
    session.tell(
        {"topic": topic, "message_id": identity},
        f"A tick was asked for on {topic} (message {identity}); `status` shows what comes of it.",
    )
    return True
