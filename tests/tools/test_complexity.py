"""No function asks more than one can keep in mind: at most ten ways lead through it.

Counted as radon counts, which is stricter than the linter's count: each branch of an expression is
one too (`and`, `or`, a conditional expression, a comprehension and its conditions). A function
inside of another is counted by itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "orchestrator"
MOST = 10


def decisions(node: ast.AST) -> int:
    """How many ways branch off here, besides the one that goes on."""
    match node:
        case ast.If() | ast.IfExp() | ast.Assert():
            return 1
        case ast.For() | ast.AsyncFor() | ast.While():
            return 1 + bool(node.orelse)
        case ast.BoolOp():
            return len(node.values) - 1
        case ast.comprehension():
            return 1 + len(node.ifs)
        case ast.Try() | ast.TryStar():
            return len(node.handlers) + bool(node.orelse)
        case ast.Match():
            return sum(not takes_anything(case) for case in node.cases)
        case _:
            return 0


def takes_anything(case: ast.match_case) -> bool:
    """Whether this case is the `else` of its match."""
    is_open = isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None
    return is_open and case.guard is None


def own(node: ast.AST) -> Iterator[ast.AST]:
    """All that stands in a function, without the functions in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child
            yield from own(child)


def complexity(function: ast.AST) -> int:
    """How many ways lead through a function."""
    return 1 + sum(map(decisions, own(function)))


def too_complex(text: str) -> Iterator[str]:
    """The functions of this source that are, each with its number of ways."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and complexity(node) > MOST:
            yield f"{node.name} at line {node.lineno}: {complexity(node)}"


@pytest.mark.parametrize(
    ("body", "ways"),
    [
        ("return 1", 1),
        ("return a if b else c", 2),
        ("return a and b and c or d", 4),
        ("return [x for x in y if x if z]", 4),
        ("assert a", 2),
        ("for a in b:\n  pass\n else:\n  pass", 3),
        ("while a:\n  pass", 2),
        ("try:\n  a\n except B:\n  c\n except D:\n  e\n else:\n  f", 4),
        ("if a:\n  b\n elif c:\n  d\n else:\n  e", 3),
        ("match a:\n  case 1:\n   b\n  case [c] if d and e:\n   f\n  case _:\n   g", 4),
        ("match a:\n  case 1:\n   b\n  case other:\n   c", 2),
        ("match a:\n  case _ if b:\n   c\n  case _:\n   d", 2),
        ("return lambda: a or b", 2),
        ("def inner():\n  return a or b\n return inner", 1),
    ],
)
def test_expressions_count_as_statements_do(body: str, ways: int) -> None:
    [function] = ast.parse(f"def f():\n {body}").body
    assert complexity(function) == ways


def test_no_function_has_more_ways_through_it_than_one_can_keep_in_mind() -> None:
    found = {
        str(path.relative_to(ROOT)): functions
        for path in sorted(PACKAGE.rglob("*.py"))
        if (functions := list(too_complex(path.read_text(encoding="utf-8"))))
    }
    assert found == {}
