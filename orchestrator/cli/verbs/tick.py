"""`tick`: have the orchestrator look at the world now."""

from __future__ import annotations

import json
from functools import partial

import click

from orchestrator.cli.arguments import apply_option, service_argument
from orchestrator.cli.commanding.look import look
from orchestrator.cli.failures import error_of, show_error
from orchestrator.cli.session import Session, side_by_side
from orchestrator.cli.verb import verb
from orchestrator.cli.verbs.plans import show_plans
from orchestrator.core.exceptions import FailoverError, Unavailable
from orchestrator.core.model import Json, Tick
from orchestrator.flow.pipeline import Report, handle


@verb
@service_argument
@apply_option
@click.option(
    "--direct",
    is_flag=True,
    help="Do it from this machine with your own credentials, without Pub/Sub.",
)
def tick(session: Session, service: str | None, *, apply: bool, direct: bool) -> bool:
    """Ask the orchestrator to look at everything now.

    A tick finishes what was interrupted, repairs drift, counts probes and finds alerts that were
    lost. One comes every minute by itself. Without --direct, --apply asks for every service.
    """
    world = session.world()
    services = session.services(service, world.config)
    if not apply:
        fine = show_plans(session, services, world)
        if not session.as_json:
            session.say("Nothing was changed. Add --apply, and --direct to do it from here.")
        return fine
    if not direct:
        return _ask(session)
    look(session, services, world)
    reports = side_by_side(
        {one.name: partial(handle, one, Tick(), world.context) for one in services}
    )
    views = [_view(name, report, session) for name, report in reports.items()]
    if session.as_json:
        session.answer({"services": views})
    else:
        for view in views:
            _show(session, view)
    return all("error" not in view for view in views)


def _show(session: Session, view: Json) -> None:
    if "error" in view:
        session.say(f"{view['service']}: the tick failed", "bold red")
        show_error(session, view["error"])
        return
    session.say(f"{view['service']}: {view['outcome']}", "bold")
    shifted = view["shifted"]
    for plan in shifted if isinstance(shifted, list) else ():
        session.say(f"  written: {plan}")


def _view(name: str, report: Report | FailoverError, session: Session) -> Json:
    if isinstance(report, FailoverError):
        return {"service": name, "error": error_of(report, session)}
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
            "the configuration names no `topics.control`, so no tick can be asked for. Do it from"
            " here with --direct"
        )
    identity = world.control.publish(json.dumps({"kind": "tick"}).encode(), {})
    topic = world.config.topics.control
    session.tell(
        {"topic": topic, "message_id": identity},
        f"A tick for every service was asked for on {topic} (message {identity}). `failoverctl"
        " status` shows the result.",
    )
    return True
