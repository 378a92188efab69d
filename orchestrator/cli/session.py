"""One call of `failoverctl`: its configuration, its world, and how it answers.

Answers go to stdout, as tables and sentences or, with `--json`, as one JSON value. What the flow
logs meanwhile goes to stderr, in words.
"""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.config import Config, load
from orchestrator.core.errors import BadConfig, FailoverError, Problem
from orchestrator.core.policy import Service
from orchestrator.wiring import Wiring, World

WIDTH = 120
"""Columns where the output is no terminal."""

_QUIET = frozenset({"DEBUG", "INFO"})
_STYLES = {"CRITICAL": "bold red", "ERROR": "red", "WARNING": "yellow"}


class Session:
    """What every verb works with.

    source: the configuration file, a path or gs:// URL. as_json: answer in JSON.
    """

    def __init__(self, source: str | None, *, as_json: bool) -> None:
        self.as_json = as_json
        self.source = source or os.environ.get("FAILOVER_CONFIG") or "failover.yaml"
        self.environ: Mapping[str, str] = {**os.environ, "FAILOVER_CONFIG": self.source}
        self.console = _console()
        self._notes = _console(stderr=True)
        self._wiring = Wiring(self.environ, Path.cwd(), self.log)

    def world(self) -> World:
        """The configuration and the world it names. Raises BadConfig or Unavailable."""
        self._must_exist()
        return self._wiring.world()

    def config(self) -> Config:
        """The configuration alone; nothing of the world is needed. Raises BadConfig."""
        self._must_exist()
        if self.source.startswith("gs://"):
            return self.world().config
        try:
            text = Path(self.source).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise BadConfig(self.source, [Problem("(file)", str(error.strerror))]) from error
        return load(text, self.source)

    def _must_exist(self) -> None:
        if not self.source.startswith("gs://") and not Path(self.source).exists():
            raise click.UsageError(
                f"there is no configuration file {self.source!r}. Name it with --config or in"
                " FAILOVER_CONFIG; `failoverctl serve` prints the one of the laptop world"
            )

    def services(self, name: str | None, config: Config) -> tuple[Service, ...]:
        """The service of that name, or every one. A wrong name is a usage error."""
        if name is None:
            return tuple(config.services.values())
        return (self.service(name, config),)

    def service(self, name: str | None, config: Config) -> Service:
        """The service of that name, or the only one."""
        if name is None and len(config.services) == 1:
            return next(iter(config.services.values()))
        if name is None:
            raise click.UsageError(f"which service? {listed(config.services)}")
        if name not in config.services:
            raise click.UsageError(f"there is no service {name!r}{meant(name, config.services)}")
        return config.services[name]

    # --- answering

    def tell(self, value: object, text: str) -> None:
        """The value in JSON, or the text."""
        if self.as_json:
            self.answer(value)
        else:
            self.say(text)

    def answer(self, value: object) -> None:
        """One JSON value on stdout."""
        click.echo(json.dumps(value, indent=2, default=str))

    def say(self, text: str = "", style: str = "") -> None:
        """One line on stdout; a line is never broken, so that it can be pasted and searched."""
        self.console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    def table(self, title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        """A table on stdout; nothing in a cell is taken for markup."""
        made = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
        for name in columns:
            made.add_column(name, overflow="fold")
        for row in rows:
            made.add_row(*(Text(str(cell), style_of(str(cell))) for cell in row))
        self.console.print(made)

    def note(self, text: str, style: str = "dim") -> None:
        """One line beside the answer, on stderr."""
        self._notes.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    def log(self, severity: str, message: str, **fields: object) -> None:
        """What the flow says while it works. fields: for machines; left out here."""
        del fields
        if severity not in _QUIET:
            self.note(f"{severity.lower()}: {message}", _STYLES.get(severity, "dim"))

    def fail(self, error: FailoverError, advice: str = "") -> None:
        """Tell an error that is an answer: what happened, what it means, what to do."""
        if self.as_json:
            told: dict[str, object] = {"kind": type(error).__name__, "message": str(error)}
            if isinstance(error, BadConfig):
                told["problems"] = [{"path": p.path, "text": p.text} for p in error.problems]
            if advice:
                told["advice"] = advice
            self.answer({"error": told})
            return
        self.note(f"{type(error).__name__}: {error}", "red")
        if advice:
            self.note(advice, "")


_COLOURS = {
    **dict.fromkeys(("up", "ok", "yes", "passed", "verified", "healthy"), "green"),
    **dict.fromkeys(("down", "FAIL", "no", "refused", "unverified"), "red"),
    **dict.fromkeys(("recovering", "warn", "held", "applied", "committed"), "yellow"),
}


def style_of(text: str) -> str:
    """The colour of a word that says how things stand."""
    return _COLOURS.get(text, "")


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH
    return Console(stderr=stderr, width=width, emoji=False)


def listed(names: Iterable[str]) -> str:
    """The names that can be given, for a message."""
    return "There are: " + ", ".join(names) + "."


def meant(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` or the list of what there is."""
    names = list(known)
    near = difflib.get_close_matches(name, names, 1, 0.6)
    return f"; did you mean {near[0]!r}? {listed(names)}" if near else f". {listed(names)}"
