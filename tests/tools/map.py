"""Writes docs/map.md: each rule with its code, tests and drills; each module with its tests.

    python -m tests.tools.map

It writes the picture of the rooms and their table in docs/architecture.md too, where the two lines
stand that begin and end it. All of it is read from syntax trees, docstrings and scenario files.
What is imported here is the table of rules alone.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from orchestrator.core.rule import RULES, Rule

ROOT = Path(__file__).parents[2]
PACKAGE = "orchestrator"
MAP = Path("docs/map.md")
ROOMS = Path("docs/architecture.md")
BEGIN = "<!-- rooms: written by make docs -->\n"
END = "<!-- end of rooms -->\n"
SHOWN = 5
"""Files that a row names at most."""

HEAD = """\
# From a rule or a module to its tests

Written by `make docs`; `tests/tools/test_map.py` fails when it is not up to date.

## Rules

The functions that answer with the rule or page for it. The tests that name the rule, with their
number. The drills that expect that it refuses or pages.

| rule | what it is for | code | tests | drills |
| --- | --- | --- | --- | --- |
"""
MODULES = """
## Modules

The tests that import the module, with those at its own path first. Where no test imports it,
"by way of" names the nearest module that uses it, and its tests.
"""


@dataclass(frozen=True)
class Source:
    """One Python file. path: from the root. name: dotted."""

    path: Path
    tree: ast.Module

    @property
    def name(self) -> str:
        """As it is imported."""
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (ast.get_docstring(self.tree) or "").partition("\n")[0]

    @cached_property
    def imports(self) -> frozenset[str]:
        """Everything that is named in an import, and each module that is started by its name."""
        named: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                named |= {one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                named |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                named |= {node.value} if node.value.startswith(f"{PACKAGE}.") else set()
        return frozenset(named)

    @cached_property
    def lazily(self) -> frozenset[str]:
        """Modules of its own room, and of those within, that it names as `module:function`."""
        texts = (node.value for node in ast.walk(self.tree) if isinstance(node, ast.Constant))
        forms = (re.fullmatch(r"(\w+):\w+", text) for text in texts if isinstance(text, str))
        return frozenset(form[1] for form in forms if form)


def sources(root: Path, folder: str) -> list[Source]:
    """Every Python file below the folder, by path."""
    return [
        Source(path.relative_to(root), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted((root / folder).rglob("*.py"))
    ]


# --- rules ----------------------------------------------------------------------------------------


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Each function and method of a module by its name, those within others left to them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")


def answers(function: ast.AST) -> frozenset[str]:
    """The rules that the function gives to something: `Reason(Rule.BRAKE, ...)`, by their names."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    given = [value for call in calls for value in (*call.args, *(k.value for k in call.keywords))]
    return frozenset(name for value in given for name in _rules(value))


def names(function: ast.AST) -> frozenset[Rule]:
    """The rules that a test names: as members, by their text, or by their function.

    A text counts where it is compared or handed to a function. The key of a mapping and the word of
    a command are no names of rules.
    """
    members = {Rule[name] for node in ast.walk(function) for name in _rules(node)}
    texts = {text for node in ast.walk(function) for text in (*_texts(node), *_asked(node))}
    return frozenset(members | {rule for rule in Rule if rule.value in texts})


def _rules(node: ast.AST) -> Iterator[str]:
    """`Rule.BRAKE`: BRAKE."""
    match node:
        case ast.Attribute(value=ast.Name(id="Rule"), attr=name) if name in Rule.__members__:
            yield name


def _asked(node: ast.AST) -> Iterator[str]:
    """`rules.brake(...)`: brake."""
    match node:
        case ast.Attribute(value=ast.Name(id="rules"), attr=name):
            yield name


def _texts(node: ast.AST) -> Iterator[str]:
    """Texts that are compared, handed to a function, or asked of an answer.

    `reasons(decision)["brake"]` asks an answer, `policy["brake"]` does not.
    """
    asked: list[ast.expr]
    match node:
        case ast.Subscript(value=ast.Call(), slice=text):
            asked = [text]
        case ast.BinOp(left=left, right=ast.Set() as right):
            asked = [left, right]
        case ast.Compare(left=left, comparators=others):
            asked = [left, *others]
        case ast.Call(func=ast.Name(), args=args):
            asked = args
        case _:
            return
    for value in asked:
        inside = value.elts if isinstance(value, ast.Set | ast.Tuple | ast.List) else [value]
        yield from (str(one.value) for one in inside if isinstance(one, ast.Constant))


def drills(root: Path) -> dict[str, set[Path]]:
    """The scenario files that expect the refusal of a rule, or that it pages, by its text."""
    expecting: dict[str, set[Path]] = defaultdict(set)
    for path in sorted((root / "examples" / "drills").glob("*.toml")):
        for step in tomllib.loads(path.read_text(encoding="utf-8")).get("step", []):
            for rule in _expected(step.get("expect", {})):
                expecting[rule].add(path.relative_to(root))
    return expecting


def _expected(expect: Mapping[str, object]) -> Iterator[str]:
    """The rules that refuse, and every word of the page."""
    refused, paged = expect.get("refused", []), expect.get("paged")
    yield from [refused] if isinstance(refused, str) else map(str, _list(refused))
    if isinstance(paged, str):
        yield from re.findall(r"[\w-]+", paged)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def rule_rows(root: Path, code: Iterable[Source], tests: Iterable[Source]) -> Iterator[str]:
    """A row of the table for each rule."""
    giving, named = _giving(code), naming(tests)
    expecting = drills(root)
    for rule in Rule:
        cells = (
            f"`{rule.value}`",
            RULES[rule].meaning if rule in RULES else "pages; no decision asks it",
            ", ".join(giving[rule.name]),
            _listed(named[rule], counted=True),
            _listed(dict.fromkeys(sorted(expecting[rule.value]), 1)),
        )
        yield f"| {' | '.join(cells)} |\n"


def _giving(code: Iterable[Source]) -> Mapping[str, list[str]]:
    """The functions that answer with each rule, as links."""
    giving: dict[str, list[str]] = defaultdict(list)
    for source in code:
        for name, function in functions(source.tree):
            for rule in sorted(answers(function)):
                giving[rule].append(f"{_link(source.path)} `{name}`")
    return giving


def naming(tests: Iterable[Source]) -> Mapping[Rule, dict[Path, int]]:
    """How many tests of each file name each rule."""
    counted: dict[Rule, dict[Path, int]] = defaultdict(lambda: defaultdict(int))
    for source in tests:
        for name, function in functions(source.tree):
            for rule in names(function) if name.startswith("test_") else ():
                counted[rule][source.path] += 1
    return counted


# --- modules --------------------------------------------------------------------------------------


def stated(path: Path) -> Path:
    """Where the tests of a module lie if it has a file of its own."""
    room = [part.lstrip("_") for part in path.parts[1:-1]]
    return Path("tests", *room, f"test_{path.stem.lstrip('_')}.py")


def importers(code: Iterable[Source], by: Iterable[Source]) -> Mapping[str, set[Path]]:
    """Who of `by` imports each module of `code`, by the module's name."""
    named = {source.name for source in code}
    found: dict[str, set[Path]] = defaultdict(set)
    for source in by:
        for name in source.imports & named - {source.name}:
            found[name].add(source.path)
        room = f"{source.name.rpartition('.')[0]}."
        for name in named if source.lazily else ():
            if name.startswith(room) and name.rpartition(".")[2] in source.lazily:
                found[name].add(source.path)
    return found


def module_rows(code: list[Source], tests: list[Source]) -> Iterator[str]:
    """The rooms, and in each a table with a row for each module."""
    direct, inner = importers(code, tests), importers(code, code)
    by_path = {source.path: source.name for source in code}
    room = None
    for source in sorted(code, key=lambda one: (one.path.parent, one.path.name)):
        if source.path.name.startswith("__") and not direct[source.name]:
            continue
        if room != source.path.parent:
            room = source.path.parent
            yield f"\n### {room}\n\n| module | tests |\n| --- | --- |\n"
        way, found = _nearest(source.name, direct, inner, by_path)
        first = dict.fromkeys(sorted(found, key=lambda p: (p != stated(source.path), p)), 1)
        via = f"by way of {_link(way)}: " if way else ""
        yield f"| {_link(source.path)} | {via}{_listed(first)} |\n"


def _nearest(
    name: str,
    direct: Mapping[str, set[Path]],
    inner: Mapping[str, set[Path]],
    by_path: Mapping[Path, str],
) -> tuple[Path | None, set[Path]]:
    """The tests that import it; else a module that uses it, and the tests of that one."""
    if direct[name]:
        return None, direct[name]
    level, known = sorted(inner[name]), {name}
    while level:
        for path in level:
            if direct[by_path[path]]:
                return path, direct[by_path[path]]
        known |= {by_path[path] for path in level}
        level = sorted(
            {user for path in level for user in inner[by_path[path]] if by_path[user] not in known}
        )
    return None, set()


# --- rooms ----------------------------------------------------------------------------------------


def layers(root: Path) -> list[list[str]]:
    """The rooms of the package, the highest first, as the import contract has them."""
    tool = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    for contract in tool["importlinter"]["contracts"]:
        if contract["type"] == "layers" and contract["containers"] == [PACKAGE]:
            return [[one.strip(" ()") for one in layer.split("|")] for layer in contract["layers"]]
    raise SystemExit("pyproject.toml has no contract about the layers of the package")


def arrows(code: Iterable[Source], rooms: list[str]) -> dict[str, set[str]]:
    """Which rooms each one imports."""
    needs: dict[str, set[str]] = {room: set() for room in rooms}
    for source in code:
        own = source.name.split(".")[1:2]
        for name in source.imports:
            top, _, rest = name.partition(".")
            room = rest.partition(".")[0]
            if own and top == PACKAGE and room in needs and [room] != own:
                needs[own[0]].add(room)
    return needs


def shortest(needs: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows without those that another way through the rooms shows."""

    def reach(room: str) -> set[str]:
        return needs[room] | {far for near in needs[room] for far in reach(near)}

    return [
        (room, other)
        for room, others in needs.items()
        for other in sorted(others)
        if not any(other in reach(near) for near in others - {other})
    ]


def picture(root: Path, code: list[Source]) -> str:
    """The rooms as Mermaid draws them, and what each one is."""
    floors = layers(root)
    rooms = [room for floor in floors for room in floor]
    lines = [BEGIN, "```mermaid\n", "flowchart TD\n"]
    lines += [f"    {one} --> {other}\n" for one, other in shortest(arrows(code, rooms))]
    lines += ["```\n\n", "| room | what it is |\n", "| --- | --- |\n"]
    summaries = {source.name: source for source in code}
    for room in rooms:
        source = summaries[f"{PACKAGE}.{room}"]
        suffix = "/" if source.path.name == "__init__.py" else ".py"
        lines.append(f"| `{room}{suffix}` | {source.summary} |\n")
        lines += [
            f"| `{room}/{inner.path.parent.name}/` | {inner.summary} |\n"
            for inner in code
            if inner.path.name == "__init__.py" and inner.path.parts[1:-2] == (room,)
        ]
    return "".join([*lines, END])


# --- both documents -------------------------------------------------------------------------------


def documents(root: Path) -> dict[Path, str]:
    """The generated documents as they should be, by their path from the root."""
    code, tests = sources(root, PACKAGE), sources(root, "tests")
    testing = [source for source in tests if source.path.name.startswith("test_")]
    rules = "".join(rule_rows(root, code, testing))
    whole = HEAD + rules + MODULES + "".join(module_rows(code, testing))
    text = (root / ROOMS).read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    drawn = f"{before}{picture(root, code)}{after}" if begin and end else text
    return {MAP: whole, ROOMS: drawn}


def _link(path: Path) -> str:
    shown = path.relative_to(path.parts[0]) if path.parts[0] in {PACKAGE, "tests"} else path.stem
    return f"[{shown}](../{path.as_posix()})"


def _listed(files: Mapping[Path, int], *, counted: bool = False) -> str:
    """Links, those that count most first, and how many more there are."""
    order = sorted(files, key=lambda path: (-files[path], path)) if counted else list(files)
    shown = [f"{_link(path)}{f' ({files[path]})' if counted else ''}" for path in order[:SHOWN]]
    more = [f"{len(order) - SHOWN} more"] if len(order) > SHOWN else []
    return ", ".join([*shown, *more])


def main() -> None:
    """Write both documents."""
    for path, text in documents(ROOT).items():
        (ROOT / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
