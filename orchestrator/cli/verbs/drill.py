"""`drill`: scenario files on a virtual clock, through the real flow and core; did the promise hold?

Nothing outside of this process is read or changed but the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from orchestrator.cli.arguments import FILE
from orchestrator.cli.failures import error_of
from orchestrator.cli.session import Session
from orchestrator.cli.verb import verb
from orchestrator.cli.words import gates, sentences
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Json
from orchestrator.drill.chronicle import ChronicleLine
from orchestrator.drill.scenario import read_scenario
from orchestrator.drill.virtual import DrillResult, clock, run

_STYLES = {"broken": "bold red", "error": "red", "note": "yellow"}
_INDENT = " " * 13


@verb
@click.argument("files", type=FILE, nargs=-1, required=True)
def drill(session: Session, files: tuple[Path, ...]) -> bool:
    """Run scenario FILES and check that each promise holds.

    A scenario is run through the orchestrator's own code on a virtual clock. Nothing outside of
    this process is read or changed. See examples/drills/README.md for how to write one.
    """
    if session.is_named:
        session.must_exist()
    results = {file: _run(file) for file in files}
    if session.as_json:
        session.answer({"drills": [_view(file, found, session) for file, found in results.items()]})
    else:
        for file, found in results.items():
            _show_any(session, file, found)
        kept = sum(_is_held(found) for found in results.values())
        session.say(f"{kept} of {len(results)} promises held.", "bold")
    return all(_is_held(found) for found in results.values())


def _run(file: Path) -> DrillResult | FailoverError:
    try:
        return run(read_scenario(file), sentences.tell)
    except FailoverError as error:
        return error


def _is_held(found: DrillResult | FailoverError) -> bool:
    return isinstance(found, DrillResult) and found.held


def _show_any(session: Session, file: Path, found: DrillResult | FailoverError) -> None:
    if isinstance(found, DrillResult):
        _show(session, file, found)
        return
    session.say(f"{file}: cannot be run", "bold red")
    session.note_error(found, "  ")
    session.say()


def _show(session: Session, file: Path, result: DrillResult) -> None:
    session.say(f"{file}: {result.scenario.title}", "bold")
    session.say(f"  {' '.join(result.scenario.promise.split())}")
    for line in result.lines:
        for number, text in enumerate(_told(line)):
            begin = f"  {clock(line.at):<11}" if number == 0 else _INDENT
            session.say(begin + text, _STYLES.get(line.kind, ""))
    if result.held:
        session.say("  The promise held.", "green")
    for text in result.broken:
        session.say(f"  BROKEN: {text}", "bold red")
    session.say()


def _told(line: ChronicleLine) -> Iterator[str]:
    """A line in words: a decision with the rules that refused and what was paged."""
    if not line.decision:
        yield f"BROKEN: {line.text}" if line.kind == "broken" else line.text
        return
    yield f"-> {sentences.headline(line.decision)}"
    for reason in gates.reasons(line.decision):
        if not reason.get("passed"):
            yield from (f"   {line}" for line in gates.explained(reason))
    if line.decision.get("page"):
        yield "   A human is paged."


def _view(file: Path, result: DrillResult | FailoverError, session: Session) -> Json:
    if isinstance(result, FailoverError):
        return {"file": str(file), "held": False, "error": error_of(result, session)}
    return {
        "file": str(file),
        "title": result.scenario.title,
        "promise": " ".join(result.scenario.promise.split()),
        "held": result.held,
        "broken": list(result.broken),
        "timeline": [_line_view(line) for line in result.lines],
    }


def _line_view(line: ChronicleLine) -> Json:
    told = {"decision": line.decision} if line.decision else {"text": line.text}
    return {"at": line.at.total_seconds(), "kind": line.kind, **told}
