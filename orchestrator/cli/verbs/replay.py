"""`replay`: alert files through the real pipeline over a world in memory; prints what is decided.

Nothing outside of this process is read or changed. Each message is taken soon after the time it
tells of, but never before the one that came ahead of it; the second signal is what `--probe` says,
else it agrees with the alerts: a region with an open alert fails, every other answers well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import click

from orchestrator.adapters.folder.memory import MemoryObjects
from orchestrator.adapters.folder.traffic import FileBackendServices
from orchestrator.cli import arguments
from orchestrator.cli.session import Session
from orchestrator.cli.verb import verb
from orchestrator.cli.verbs.alert_file import message_of
from orchestrator.cli.words import gates, sentences
from orchestrator.cli.words.spelling import meant
from orchestrator.core.document import codec, trigger
from orchestrator.core.exceptions import BadEvent, FailoverError
from orchestrator.core.model import (
    AlertClosed,
    AlertOpened,
    Json,
    Part,
    Probe,
    Role,
    Signal,
    State,
    Verdict,
)
from orchestrator.core.outside.reading import stamp_time
from orchestrator.core.policy import Region, Service
from orchestrator.flow.context import Context
from orchestrator.flow.journal import record
from orchestrator.flow.observe import document_name
from orchestrator.flow.pipeline import handle
from orchestrator.intake.parse import Addressed, Ignored, parse_alert
from orchestrator.ports import Log

DELAY = timedelta(seconds=75)
"""How long after what it tells of a message is taken: a notification travels about that long."""

_ANSWERS = {
    Verdict.HEALTHY: Probe(Verdict.HEALTHY, 200),
    Verdict.FAILING: Probe(Verdict.FAILING, 503),
    Verdict.SILENT: Probe(Verdict.SILENT, "no answer asked for"),
}


@dataclass
class Told:
    """A prober that says what it is given."""

    answers: Mapping[str, Verdict]
    document: Callable[[], State | None]
    failing: set[str] = field(default_factory=set)

    def probe(self, regions: Iterable[Region]) -> Mapping[str, Probe]:
        """As told. Else failing where an alert is open, and healthy elsewhere."""
        return {region.name: _ANSWERS[self._verdict(region.name)] for region in regions}

    def verdicts(self, regions: Iterable[Region], now: datetime) -> Mapping[str, Probe]:
        """The same of Monitoring's uptime checks: one answer stands for either second signal."""
        del now
        return self.probe(regions)

    def roles(self, regions: Iterable[Region]) -> Mapping[str, Role]:
        """What follows from the document, which every region follows at once."""
        state = self.document()
        leads, epoch = (state.primary, state.epoch) if state else ("", 0)
        return {
            region.name: Role(Part.LEADS, "200", epoch)
            if region.name == leads and self._verdict(leads) is Verdict.HEALTHY
            else Role(Part.STANDS_BY, "503", epoch)
            for region in regions
        }

    def _verdict(self, name: str) -> Verdict:
        assumed = Verdict.FAILING if name in self.failing else Verdict.HEALTHY
        return self.answers.get(name, assumed)


def _document(service: Service, objects: MemoryObjects) -> State | None:
    got = objects.get(document_name(service.name))
    return codec.decode(got[0], service.name) if got else None


class ReplayStage:
    """One service's world in memory, on a clock that the messages turn."""

    def __init__(self, service: Service, probes: Mapping[str, Verdict], log: Session) -> None:
        objects = MemoryObjects()
        ids = count(1)
        self._service = service
        self._prober = Told(probes, lambda: _document(service, objects))
        self._at = datetime.fromtimestamp(0).astimezone()
        self._context = Context(
            objects=objects,
            traffic=FileBackendServices(objects, [service]),
            prober=self._prober,
            checks=self._prober,
            log=_only_faults(log),
            executor=ThreadPoolExecutor(4),
            now=lambda: self._at,
            new_id=lambda: f"replay-{next(ids)}",
            monotonic=lambda: 0.0,
            rest=lambda _: None,
            jitter=lambda: 1.0,
            only_service=False,
        )

    def take(self, signal: Signal, at: datetime) -> Json:
        """The decision on one signal, as history and journal would have it."""
        self._at = at = max(self._at, at)
        match signal:
            case AlertOpened():
                self._prober.failing.add(signal.region)
            case AlertClosed():
                self._prober.failing.discard(signal.region)
        report = handle(self._service, signal, self._context)
        decision = report.decision
        return {
            "service": self._service.name,
            "at": stamp_time(at),
            "signal": trigger.as_json(trigger.of(signal)),
            "outcome": decision.outcome,
            "recorded": decision.recorded,
            "epoch": decision.state.epoch,
            "primary": decision.state.primary,
            "routing": dict(decision.state.routing),
            "health": {name: entry.status for name, entry in decision.state.regions.items()},
            "reasons": [record.reason(reason) for reason in decision.reasons],
            "page": decision.page,
            "shifted": [str(plan) for plan in report.plans],
        }


@verb
@click.argument("files", type=arguments.FILE, nargs=-1, required=True)
@click.option(
    "--probe",
    "probes",
    multiple=True,
    metavar="REGION=healthy|failing|silent",
    callback=arguments.probes,
    help="What our own probe says of this region. Default: it agrees with the alerts.",
)
@click.option(
    "--at",
    metavar="TIME",
    callback=arguments.time,
    help="The time at which every message arrives. Default: shortly after its own time.",
)
def replay(
    session: Session, files: tuple[Path, ...], probes: Mapping[str, Verdict], at: datetime | None
) -> bool:
    """Show what would be decided on these alert FILES.

    The alerts are handled in this order by the orchestrator's own code, from a fresh start. Only
    the configuration is read, and nothing is changed.
    """
    services = session.config().services
    known = {name for service in services.values() for name in service.names}
    for wrong in sorted(set(probes) - known):
        raise click.UsageError(f"there is no region {wrong!r}{meant(wrong, sorted(known))}")
    stages = {name: ReplayStage(service, probes, session) for name, service in services.items()}
    told: list[Json] = []
    fine = True
    for file in files:
        try:
            found = parse_alert(message_of(file), services)
        except BadEvent as error:
            fine = False
            told.append({"file": str(file), "poison": str(error)})
            continue
        if isinstance(found, Ignored):
            told.append({"file": str(file), "ignored": found.reason})
            continue
        told += [
            {"file": str(file), **_taken(to, stages, at), "note": to.note.text if to.note else ""}
            for to in found
        ]
    _show(session, told)
    return fine


def _only_faults(session: Session) -> Log:
    """The flow's log, without its notices: nothing real was shifted."""

    def log(severity: str, message: str, **fields: object) -> None:
        if severity != "NOTICE":
            session.log(severity, message, **fields)

    return log


def _taken(to: Addressed, stages: Mapping[str, ReplayStage], at: datetime | None) -> Json:
    try:
        return stages[to.service].take(to.signal, at or _when(to.signal))
    except FailoverError as error:
        return {"service": to.service, "error": f"{type(error).__name__}: {error}"}


def _when(signal: Signal) -> datetime:
    match signal:
        case AlertClosed():
            return signal.ended_at + DELAY
        case AlertOpened():
            return signal.started_at + DELAY
    raise AssertionError("an alert file holds no tick")


def _show(session: Session, told: list[Json]) -> None:
    if session.as_json:
        session.answer({"decisions": told})
        return
    for one in told:
        session.say(str(one["file"]), "bold")
        for word in ("poison", "ignored", "error"):
            if word in one:
                session.say(f"  {word}: {one[word]}", "" if word == "ignored" else "red")
        if one.get("note"):
            session.say(f"  {one['note']}.")
        if "outcome" in one:
            taken = f"{sentences.came_in(one)} Handled at {one['at']}."
            lines = (taken, f"{one['outcome']}: {_after(one)}")
            for line in (*lines, *gates.gates(one)):
                session.say(f"  {line}")


def _after(one: Json) -> str:
    routing = one["routing"]
    carrying = ", ".join(routing) if isinstance(routing, dict) else ""
    return f"{carrying} would carry traffic, epoch {one['epoch']}"
