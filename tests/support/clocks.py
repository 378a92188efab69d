"""What in a test depends on how fast the machine is: found in its syntax tree.

Found are sleeps (also `Event().wait(1)`), upper bounds of a time that has really passed
(`time.monotonic() - began < 1`), polls with a deadline of their own, and times that a module reads
when it is imported: a slow run reaches its tests when they are old. Not found: lower bounds, for
no load breaks them; a bound that a test gives to something else, such as a timeout; what goes
through a function or an attribute; programs in strings that a test starts.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "time", "now"}
OWNERS = {"time", "datetime", "dt"}

SLEEP = "a sleep"
BOUND = "an upper bound of a time that passed"
POLL = "a poll with a deadline of its own"
STAMP = "a time read when the module is imported"


@dataclass(frozen=True, slots=True)
class Finding:
    """One place. function: the innermost function around it, empty at the top of a module."""

    line: int
    function: str
    what: str


def findings(source: str) -> list[Finding]:
    """Every place in this module, in the order of its lines."""
    tree = ast.parse(source)
    found = [*_in(tree, ""), *_stamps(tree)]
    return sorted(found, key=lambda one: (one.line, one.what))


def _in(scope: ast.AST, function: str) -> Iterator[Finding]:
    """What is in this scope, and in those within it. A time is known by its name in its scope."""
    nodes = list(_own(scope))
    passed = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and _has_passed(node.value, set())
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in nodes:
        if isinstance(node, ast.Call) and _sleeps(node):
            yield Finding(node.lineno, function, SLEEP)
        elif isinstance(node, ast.Compare):
            for what in _bounds(node, passed):
                yield Finding(node.lineno, function, what)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _in(node, node.name)


def _stamps(tree: ast.AST) -> Iterator[Finding]:
    """Clocks that are read outside of every function: also in defaults and decorators of one."""
    for child in ast.iter_child_nodes(tree):
        if _is_clock(child):
            yield Finding(child.lineno, "", STAMP)
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in (*child.decorator_list, *child.args.defaults, *child.args.kw_defaults):
                yield from _stamps(ast.Expr(node)) if node else ()
        elif not isinstance(child, ast.Lambda):
            yield from _stamps(child)


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope; of a function in it the function alone."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _own(child)


def _bounds(node: ast.Compare, passed: set[str]) -> Iterator[str]:
    sides = [node.left, *node.comparators]
    for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
        if not isinstance(operator, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
            continue
        smaller = left if isinstance(operator, ast.Lt | ast.LtE) else right
        if _has_passed(smaller, passed):
            yield BOUND
        elif _is_monotonic(left) or (_is_monotonic(right) and isinstance(operator, ast.Gt)):
            yield POLL


def _has_passed(node: ast.expr, passed: set[str]) -> bool:
    """Whether this is the difference of two times, at least one of them read here."""
    if isinstance(node, ast.Name):
        return node.id in passed
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)):
        return False
    return _is_clock(node.left) or _is_clock(node.right)


def _is_clock(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Name):
        return called.id in CLOCKS - {"time", "now"}
    owner = called.value if isinstance(called, ast.Attribute) else None
    is_known = isinstance(owner, ast.Name) and owner.id in OWNERS
    return isinstance(called, ast.Attribute) and is_known and called.attr in CLOCKS


def _is_monotonic(node: ast.expr) -> bool:
    """A clock that is good for nothing but durations."""
    return _is_clock(node) and ast.unparse(node).rpartition(".")[2] not in ("time()", "now()")


def _sleeps(node: ast.Call) -> bool:
    called = node.func
    if isinstance(called, ast.Name):
        return called.id == "sleep"
    if not isinstance(called, ast.Attribute):
        return False
    is_new_event = called.attr == "wait" and ast.unparse(called.value).endswith("Event()")
    return is_new_event or ast.unparse(called) in {"time.sleep", "asyncio.sleep"}
