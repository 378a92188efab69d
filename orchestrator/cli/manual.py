"""The help of every verb, in `docs/cli.md`.

    python -m orchestrator.cli.manual

writes what stands between the document's markers. The rest is written by hand and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from orchestrator.cli.app import PROGRAM, cli
from orchestrator.cli.verb import Verbs

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"

_WIDTH = 98
"""Characters in a line of help."""

_BLOCK = re.compile(r"(<!-- help: (.*?) -->\n).*?(<!-- end of help -->)", re.DOTALL)


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


def document(text: str) -> str:
    """The text with the help of each verb between its markers."""
    helps = dict(verbs())

    def filled(found: re.Match[str]) -> str:
        begin, name, end = found.groups()
        return f"{begin}\n```text\n{helps[name]}\n```\n\n{end}"

    return _BLOCK.sub(filled, text)


def verbs() -> Iterator[tuple[str, str]]:
    """Every verb with its help. `failoverctl` itself first."""
    top = _context(cli, None, PROGRAM)
    yield PROGRAM, cli.get_help(top)
    yield from _below(cli, top, "")


def _below(group: Verbs, context: click.Context, path: str) -> Iterator[tuple[str, str]]:
    for name, command in group.loaded().items():
        inner = _context(command, context, name)
        if isinstance(command, Verbs):
            yield from _below(command, inner, f"{path}{name} ")
        else:
            yield f"{path}{name}", command.get_help(inner)


def _context(command: click.Command, parent: click.Context | None, name: str) -> click.Context:
    settings = command.context_settings
    return click.Context(command, parent, name, terminal_width=_WIDTH, **settings)


if __name__ == "__main__":
    main()
