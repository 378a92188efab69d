"""One call of `failoverctl`: its configuration, its world, and how it answers.

Answers go to stdout, as tables and sentences or, with `--json`, as one JSON value. What the flow
logs meanwhile goes to stderr, in words.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from rich.console import Console

from orchestrator.cli.table import lines
from orchestrator.cli.words.spelling import listed, meant
from orchestrator.core.exceptions import BadConfig, FailoverError, Problem
from orchestrator.core.outside.shown import shown
from orchestrator.core.policy import Service

if TYPE_CHECKING:  # a session that begins imports them: a help text needs no world
    from orchestrator.config import Config
    from orchestrator.wiring import Deployment

K = TypeVar("K")
T = TypeVar("T")

WIDTH = 120
"""Columns where the output is no terminal."""

AT_ONCE = 8
"""Questions at the same time. The clients keep ten connections."""

_QUIET = frozenset({"DEBUG", "INFO"})
_STYLES = {"CRITICAL": "bold red", "ERROR": "red", "WARNING": "yellow"}


class Session:
    """What every verb works with.

    source: the configuration file, a path or gs:// URL; is_named: whether it was named on the
    command line. as_json: answer in JSON.
    """

    def __init__(self, source: str | None, *, as_json: bool) -> None:
        from orchestrator.wiring import Wiring

        self.as_json = as_json
        self.is_named = source is not None
        self.source = source or os.environ.get("FAILOVER_CONFIG") or "failover.yaml"
        self.environ: Mapping[str, str] = {**os.environ, "FAILOVER_CONFIG": self.source}
        self.console = _console()
        self._notes = _console(stderr=True)
        self._wiring = Wiring(self.environ, Path.cwd(), self.log, dated=True)

    def world(self) -> Deployment:
        """The configuration and the world it names. Raises BadConfig or Unavailable."""
        self.must_exist()
        return self._wiring.world()

    def config(self) -> Config:
        """The configuration alone. Nothing of the world is needed. Raises BadConfig."""
        from orchestrator.config import load

        self.must_exist()
        if self.source.startswith("gs://"):
            return self.world().config
        try:
            text = Path(self.source).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise BadConfig(self.source, [Problem("(file)", str(error.strerror))]) from error
        return load(text, self.source)

    def must_exist(self) -> None:
        """Refuse a configuration that is not there, as a usage error."""
        bucket, _, name = self.source.removeprefix("gs://").partition("/")
        if self.source.startswith("gs://") and not (bucket and name):
            raise click.UsageError(f"{self.source!r} names no object: write gs://BUCKET/OBJECT")
        if not self.source.startswith("gs://") and not Path(self.source).exists():
            raise click.UsageError(
                f"there is no configuration file {self.source!r}. Name it with --config or in"
                " FAILOVER_CONFIG. `failoverctl serve` prints the one of the laptop world"
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

    def answer(self, value: object, *, one_line: bool = False) -> None:
        """One JSON value on stdout."""
        click.echo(_json(value, None if one_line else 2))

    def say(self, text: str = "", style: str = "") -> None:
        """One line on stdout. A line is never broken, so that it can be pasted and searched."""
        self.console.print(shown(text), style=style, highlight=False, markup=False, soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
        """A table on stdout, under its title if it has one."""
        if title:
            self.say(title, "bold")
        for line in lines(self.console, columns, rows):
            click.echo(line)

    def note(self, text: str, style: str = "dim") -> None:
        """One line beside the answer, on stderr."""
        self._notes.print(shown(text), style=style, highlight=False, markup=False, soft_wrap=True)

    def note_error(self, error: FailoverError, before: str = "") -> None:
        """An error on stderr. The problems of a file stand on a line each."""
        lines = str(error).split("\n") if isinstance(error, BadConfig) else [str(error)]
        for number, line in enumerate(lines):
            self.note(line if number else before + line, "red")

    def log(self, severity: str, message: str, **fields: object) -> None:
        """What the flow says while it works. fields: for machines. Left out here."""
        del fields
        if severity not in _QUIET:
            self.note(f"{severity.lower()}: {message}", _STYLES.get(severity, "dim"))

    def fail(self, error: FailoverError, advice: str = "") -> None:
        """Tell an error that is an answer: what happened, what it means, what to do."""
        if self.as_json:
            self.answer({"error": error_view(error, advice)})
            return
        self.note_error(error, f"{type(error).__name__}: ")
        if advice:
            self.note(advice, "")


def actor() -> str:
    """Who acts, for the record."""
    return os.environ.get("FAILOVER_ACTOR") or f"{getpass.getuser()}@{socket.gethostname()}"


def error_view(error: FailoverError, advice: str = "") -> dict[str, object]:
    """An error as `--json` has it."""
    told: dict[str, object] = {"kind": type(error).__name__, "message": str(error)}
    if isinstance(error, BadConfig):
        told["problems"] = [{"path": p.path, "text": p.text} for p in error.problems]
    if advice:
        told["advice"] = advice
    return told


def side_by_side(asked: Mapping[K, Callable[[], T]]) -> dict[K, T | FailoverError]:
    """Every answer, or the error in its place.

    They are asked at the same time, so that what does not answer costs its timeout once.
    """
    with ThreadPoolExecutor(min(AT_ONCE, max(1, len(asked)))) as pool:
        futures = {name: pool.submit(_outcome, ask) for name, ask in asked.items()}
    return {name: future.result() for name, future in futures.items()}


def _outcome(ask: Callable[[], T]) -> T | FailoverError:
    try:
        return ask()
    except FailoverError as error:
        return error


def _json(value: object, indent: int | None) -> str:
    """The value in JSON. Its own escapes leave one control character, which they hold for text."""
    return json.dumps(value, indent=indent, default=str).replace("\x7f", "\\u007f")


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH
    return Console(stderr=stderr, width=width, emoji=False)
