"""The promises of docs/security.md (for each actor a table of attacks, bounds and tests) and of
docs/consistency.md (for each section a table of promises and tests).

`faults` and `unproven` tell what is wrong with such a text, each fault with its line. Nothing is
imported or run: a test exists when the module that is named defines it and does not skip it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ACTORS = (
    "Publisher of alerts",
    "Publisher of commands",
    "Caller of the URL",
    "Stolen function identity",
    "Writer of the bucket",
    "Compromised mirror",
    "Hostile health endpoint",
    "Application with read access",
    "Author of the file",
    "Supplier of a dependency",
    "The operator's terminal",
    "Editor of the load balancer",
)
COLUMNS = ("what they could try", "what bounds it", "test")
PROMISES = ("promise", "test")
"""The columns of a section's table in docs/consistency.md."""
SAID = ("**At most.**", "**Nothing prevents**")
"""How the paragraphs begin that stand before each table."""

_PYTEST = re.compile(r"(?P<path>tests/[\w/]+\.py)::(?P<name>\w+)")
_TERRAFORM = re.compile(r'(?P<path>terraform/[\w/.-]+\.tftest\.hcl) run "(?P<name>\w+)"')
_RULE = re.compile(r"\|(?: *:?-+:? *\|)+")
_NEVER_RUN = {"skip", "xfail"}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, and the line on which it stands, from 1."""

    line: int
    cells: tuple[str, ...]


def faults(text: str, root: Path, actors: tuple[str, ...] = ACTORS) -> list[str]:
    """What is wrong with the text. root: of the repository, in which the tests are looked for."""
    sections = _sections(text, "### ")
    found = [f"no section for the actor: {name}" for name in actors if name not in sections]
    order = [name for name in sections if name in actors]
    if order != [name for name in actors if name in sections]:
        found.append(f"the actors stand in another order: {', '.join(order)}")
    for name, lines in sections.items():
        if name in actors:
            found += [f"{name}: {fault}" for fault in _of_section(lines, root)]
    return found


def unproven(text: str, root: Path) -> list[str]:
    """What is wrong with a text whose every section ends what it says in a table of promises."""
    found = []
    for name, lines in _sections(text, "## ").items():
        tables = [table for table in _tables(lines) if table[0].cells == PROMISES]
        if len(tables) != 1:
            found.append(f"{name}: {len(tables)} tables of {' | '.join(PROMISES)}")
        for table in tables:
            found += [f"{name}: {fault}" for fault in _of_table(table, root, PROMISES)]
    return found


def rows(text: str) -> list[Row]:
    """Every promise of every actor."""
    sections = _sections(text, "### ")
    tables = [table for lines in sections.values() for table in _tables(lines)]
    return [row for table in tables if table[0].cells == COLUMNS for row in table[2:]]


def _sections(text: str, heading: str) -> dict[str, list[tuple[int, str]]]:
    """The numbered lines below each heading of this level."""
    found: dict[str, list[tuple[int, str]]] = {}
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            lines = []
            if line.startswith(heading):
                found[line.removeprefix(heading).strip()] = lines
        else:
            lines.append((number, line))
    return found


def _of_section(lines: list[tuple[int, str]], root: Path) -> Iterator[str]:
    for said in SAID:
        if not any(line.startswith(said) for _, line in lines):
            yield f"no paragraph begins with {said}"
    tables = _tables(lines)
    if not tables:
        yield "no table"
    for table in tables:
        yield from _of_table(table, root, COLUMNS)


def _tables(lines: list[tuple[int, str]]) -> list[list[Row]]:
    """Adjacent lines that begin with a bar."""
    found: list[list[Row]] = []
    before = 0
    for number, line in lines:
        if not line.lstrip().startswith("|"):
            continue
        if number != before + 1:
            found.append([])
        found[-1].append(Row(number, _cells(line)))
        before = number
    return found


def _cells(line: str) -> tuple[str, ...]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", inner))


def _of_table(table: list[Row], root: Path, columns: tuple[str, ...]) -> Iterator[str]:
    head, *others = table
    if head.cells != columns:
        yield f"line {head.line}: the columns are {' | '.join(head.cells)}"
        return
    if not others or not _RULE.fullmatch(f"|{'|'.join(others[0].cells)}|"):
        yield f"line {head.line}: no rule below the columns"
        return
    if not others[1:]:
        yield f"line {head.line}: no promise below the columns"
    for row in others[1:]:
        yield from (f"line {row.line}: {fault}" for fault in _of_row(row, root, columns))


def _of_row(row: Row, root: Path, columns: tuple[str, ...]) -> Iterator[str]:
    if len(row.cells) != len(columns):
        yield f"{len(row.cells)} cells"
        return
    for column, cell in zip(columns, row.cells, strict=True):
        if not re.search(r"\w", cell):
            yield f"nothing under: {column}"
    tests = row.cells[-1]
    named = re.findall(r"`([^`]*)`", tests)
    left = re.sub(r"`[^`]*`|<br>|[\s,]", "", tests)
    if left or (tests and not named):
        yield f"not the name of a test: {left or tests}"
    for name in named:
        yield from _of_test(name, root)


def _of_test(name: str, root: Path) -> Iterator[str]:
    if found := _PYTEST.fullmatch(name):
        path, wanted, there = root / found["path"], found["name"], _pytests
    elif found := _TERRAFORM.fullmatch(name):
        path, wanted, there = root / found["path"], found["name"], _runs
    else:
        yield f"neither path.py::test_name nor path.tftest.hcl run: {name}"
        return
    if not path.is_file():
        yield f"no such file: {found['path']}"
    elif wanted not in there(path):
        yield f"{found['path']} has no test that runs and is called {wanted}"


def _pytests(path: Path) -> set[str]:
    """The tests that a module defines, without those that never run."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    if any(_marks_all(one) for one in body):
        return set()
    return {
        one.name
        for one in body
        if isinstance(one, ast.FunctionDef)
        and one.name.startswith("test_")
        and not any(_never_runs(decorator) for decorator in one.decorator_list)
    }


def _never_runs(decorator: ast.expr) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in _NEVER_RUN for node in ast.walk(decorator)
    )


def _marks_all(statement: ast.stmt) -> bool:
    """Whether the whole module never runs, by its `pytestmark`."""
    return (
        isinstance(statement, ast.Assign)
        and any(isinstance(to, ast.Name) and to.id == "pytestmark" for to in statement.targets)
        and _never_runs(statement.value)
    )


def _runs(path: Path) -> set[str]:
    """The runs of one of Terraform's tests."""
    text = path.read_text(encoding="utf-8")
    return set(re.findall(r'^run "(\w+)" \{', text, re.MULTILINE))
