"""Tables for people: as columns where they fit, a block a row where they do not.

Nothing in a cell is taken for markup or obeyed by the terminal. No word is broken, and no line ends
in blanks.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.core.outside.shown import shown

_BESIDE = 3
"""Columns of the terminal between two columns of a table."""

_COLOURS = {
    **dict.fromkeys(("up", "ok", "yes", "passed", "verified", "healthy"), "green"),
    **dict.fromkeys(("down", "FAIL", "no", "refused", "unverified"), "red"),
    **dict.fromkeys(("recovering", "warn", "held", "applied", "committed"), "yellow"),
}


def style_of(text: str) -> str:
    """The colour of a word that says how things stand."""
    return _COLOURS.get(text, "")


def lines(console: Console, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """The lines to print on this console, colours included where it has them."""
    cells = [[shown(str(cell)) for cell in row] for row in rows]
    widths = [max(map(_longest_word, column)) for column in zip(columns, *cells, strict=True)]
    needed = sum(widths) + _BESIDE * len(widths)
    screen = console if console.is_terminal else _pipe(max(needed, console.width))
    with screen.capture() as captured:
        if needed <= screen.width:
            screen.print(_table(columns, cells, widths))
        else:
            _blocks(screen, columns, cells)
    return [line.rstrip() for line in captured.get().splitlines() if line.strip()]


def _pipe(width: int) -> Console:
    """What is no terminal is as wide as it must be."""
    return Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _table(columns: Sequence[str], cells: list[list[str]], widths: list[int]) -> Table:
    made = Table(box=box.SIMPLE_HEAD)
    for name, width in zip(columns, widths, strict=True):
        made.add_column(name, min_width=width)
    for row in cells:
        made.add_row(*(Text(cell, style_of(cell)) for cell in row))
    return made


def _blocks(console: Console, columns: Sequence[str], cells: list[list[str]]) -> None:
    """Every row as lines of `column  value`, the first cell above them."""
    name_width = max(map(len, columns)) + 2
    for first, *rest in cells:
        console.print(Text(f"  {first}", "bold"))
        for name, cell in zip(columns[1:], rest, strict=True):
            console.print(
                Text.assemble(f"    {name:<{name_width}}", (cell, style_of(cell))), soft_wrap=True
            )
