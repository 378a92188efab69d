"""`check`: would a failover work? The configuration first, then everything that it names.

Everything is looked at, whatever else is wrong. Only `--apply` changes something: it makes the
state document when there is none, and with `--adopt` also where one was lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial

import click

from orchestrator.cli.arguments import service_argument
from orchestrator.cli.check.copies import mirrors
from orchestrator.cli.check.documents import adopted, made
from orchestrator.cli.check.finding import Finding, Level
from orchestrator.cli.check.policies import access
from orchestrator.cli.check.rights import permissions, topics
from orchestrator.cli.check.service import findings
from orchestrator.cli.session import Session, side_by_side
from orchestrator.cli.verb import verb
from orchestrator.cli.words.advice import advice_on
from orchestrator.core.exceptions import FailoverError


@verb
@service_argument
@click.option("--apply", is_flag=True, help="Create the state document if there is none.")
@click.option(
    "--adopt",
    is_flag=True,
    help="With --apply: also create it where the load balancer carries the epoch of a document that"
    " is gone. The traffic stays as it is.",
)
def check(session: Session, service: str | None, *, apply: bool, adopt: bool) -> bool:
    """Check the configuration against the live environment.

    It reads everything that a failover needs, says what is wrong and how to fix it. It fails when a
    failover would not work now.
    """
    if adopt and not apply:
        raise click.UsageError("--adopt creates a document: add --apply")
    make = adopted if adopt else made if apply else None
    world = session.world()
    asked: dict[str, Callable[[], list[Finding]]] = {"(all)": partial(topics, world)}
    for one in session.services(service, world.config):
        asked[one.name] = partial(findings, one, world, make)
        asked[f"{one.name}, permissions"] = partial(permissions, one, world)
        asked[f"{one.name}, mirrors"] = partial(mirrors, one, world.context)
    asked["(all), access"] = partial(access, world)
    found: list[Finding] = []
    for answer in side_by_side(asked).values():
        if isinstance(answer, FailoverError):
            raise answer
        found += [_advised(finding, session) for finding in answer]
    _show(session, found)
    return not any(finding.level is Level.FAIL for finding in found)


def _advised(finding: Finding, session: Session) -> Finding:
    """The finding with what to do about it: nothing where it is fine, else about its error too."""
    if finding.level is Level.OK or finding.error is None:
        return replace(finding, do="" if finding.level is Level.OK else finding.do)
    advice = advice_on(finding.error, session.environ).rstrip(".")
    return replace(finding, do=". ".join(filter(None, (finding.do, advice))), error=None)


def _show(session: Session, found: list[Finding]) -> None:
    counts = Counter(finding.level for finding in found)
    if session.as_json:
        fine = not counts[Level.FAIL]
        session.answer({"ok": fine, "config": session.source, "findings": list(map(_view, found))})
        return
    session.say(f"{session.source} is valid.")
    rows = [(f.service, f.level, f.what, f.detail) for f in found]
    session.table("", ("service", "", "what", "found"), rows)
    for finding in found:
        if finding.do:
            session.say(f"{finding.level} {finding.service} {finding.what}: {finding.do}.")
    session.say(
        f"{counts[Level.FAIL]} failures, {counts[Level.WARN]} warnings, {counts[Level.OK]} ok"
    )


def _view(finding: Finding) -> dict[str, object]:
    return {name: value for name, value in asdict(finding).items() if name != "error"}
