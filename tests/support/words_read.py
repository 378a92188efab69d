"""Which code reads words that were written for people, told from its syntax tree.

A text for people is what a reason, a page, a probe, an error or an entry of the history says. It
may be shown, cut to a length and put into another text. To compare it, to search it or to look
something up by it is to decide by our own English. A rule, a cause, an outcome and a phase are
enums: to hold one against a literal is the same fault.

A name has such a text when the function gave it one. Nothing is followed from call to call, so a
function that only hands a text on is not seen. What is seen is named with its line.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

ATTRIBUTES = frozenset({"detail", "obstacle", "text"})
"""Attributes of our own values that hold a text for people."""

OF_A_REASON = frozenset({"limit", "value"})
REASONS = frozenset({"freeze", "gate", "rested", "reason", "refusal", "refused"})
"""Names that a reason has, whose `value` and `limit` are such texts."""

KEYS = frozenset({"detail", "limit", "message", "page", "signal", "text", "value"})
"""Fields of the JSON of a decision, an error or a probe that hold one, or held one once."""

ERRORS = frozenset({"err", "error", "exc", "fault", "lost"})
"""Names that an error has, beside those that an `except` gives."""

MAKERS = frozenset({"cause", "describe", "gate", "headline", "signal", "words"})
"""Functions of the rooms of words that make one."""

ROOMS_OF_WORDS = frozenset({"actors", "failure_words", "gates", "record", "sentences", "trigger"})

READERS = frozenset(
    {"count", "endswith", "find", "index", "isalpha", "isdecimal", "isdigit", "isnumeric"}
    | {"partition", "removeprefix", "removesuffix", "rfind", "rindex", "rpartition", "rsplit"}
    | {"split", "splitlines", "startswith"}
)
"""Methods of a text that look into it."""

SEARCHES = frozenset({"findall", "finditer", "fullmatch", "match", "search", "sub"})
"""Methods of `re` and of its patterns."""

WRAPPERS = frozenset(
    {"frozenset", "list", "next", "one_line", "quoted", "repr", "set", "short", "shown", "sorted"}
    | {"str", "tuple"}
)
"""Functions whose result has the text that they were given."""

PARTS: Mapping[type, tuple[str, ...]] = {
    ast.Await: ("value",),
    ast.BinOp: ("left", "right"),
    ast.BoolOp: ("values",),
    ast.FormattedValue: ("value",),
    ast.GeneratorExp: ("elt",),
    ast.IfExp: ("body", "orelse"),
    ast.JoinedStr: ("values",),
    ast.List: ("elts",),
    ast.ListComp: ("elt",),
    ast.NamedExpr: ("value",),
    ast.Set: ("elts",),
    ast.SetComp: ("elt",),
    ast.Starred: ("value",),
    ast.Subscript: ("value",),
    ast.Tuple: ("elts",),
}
"""Expressions that are a text when one of these parts is."""

ENUMS = frozenset({"cause", "outcome", "phase", "rule"})
"""Attributes and fields whose values are enums of ours."""


@dataclass(frozen=True, order=True)
class Fault:
    """One place where a text is read. what: the code there."""

    line: int
    what: str


def faults(source: str) -> list[Fault]:
    """Every place in a module's source where a text for people is read."""
    tree = ast.parse(source)
    found: set[Fault] = set()
    for nodes in _scopes(tree):
        texts = _Texts.of(nodes)
        found |= {
            Fault(node.lineno, ast.unparse(node).split("\n")[0])
            for node in nodes
            if isinstance(node, _READS) and texts.is_read_by(node)
        }
    return sorted(found)


_READS = (ast.Call, ast.Compare, ast.Match, ast.Subscript)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _scopes(tree: ast.Module) -> Iterator[list[ast.AST]]:
    """The nodes of the module and of each function, without those of functions within it."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        nodes, left = [], list(ast.iter_child_nodes(waiting.pop()))
        while left:
            nodes.append(node := left.pop())
            if isinstance(node, _SCOPES):
                waiting.append(node)
            else:
                left += ast.iter_child_nodes(node)
        yield nodes


@dataclass
class _Texts:
    """What holds a text for people in one function. names: of variables; errors: of errors."""

    names: set[str] = field(default_factory=set)
    errors: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, nodes: Iterable[ast.AST]) -> _Texts:
        """What the function's own assignments make of its names."""
        caught = {n.name for n in nodes if isinstance(n, ast.ExceptHandler) and n.name}
        made = cls(errors=caught | ERRORS)
        known, bindings = -1, list(_bindings(nodes))
        while known != len(made.names):  # what an assignment gives, another may hand on
            known = len(made.names)
            for target, value in bindings:
                if made.is_text(value):
                    made.names |= {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
        return made

    def is_text(self, node: ast.AST | None) -> bool:
        """Whether the expression is such a text, part of one, or a collection of them."""
        match node:
            case ast.Name(id=name):
                return name in self.names
            case ast.Attribute(value=base, attr=attr):
                return self._is_field(base, attr)
            case ast.Subscript(slice=ast.Constant(value=str(key))) if key in KEYS:
                return True
            case ast.Call():
                return self._is_made(node)
            case ast.FormattedValue(value=value) if self._is_error(value):
                return True
        return any(map(self.is_text, _parts(node)))

    def _is_field(self, base: ast.expr, attr: str) -> bool:
        if attr == "args":
            return self._is_error(base)
        if attr in OF_A_REASON:
            return isinstance(base, ast.Name) and base.id in REASONS
        return attr in ATTRIBUTES

    def _is_error(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id in self.errors

    def _is_made(self, call: ast.Call) -> bool:
        """Whether the call gives a text: a wrapper's of one, a field's, a method's of one."""
        first = call.args[0] if call.args else None
        match call.func:
            case ast.Name(id=name) if name in WRAPPERS:
                return first is not None and (self.is_text(first) or self._is_error(first))
            case ast.Name(id=name):
                return name in MAKERS
            case ast.Attribute(attr="get") if isinstance(first, ast.Constant):
                return first.value in KEYS
            case ast.Attribute(attr="join"):
                return self.is_text(first)
            case ast.Attribute(value=ast.Name(id=room), attr=name) if room in ROOMS_OF_WORDS:
                return name in MAKERS
            case ast.Attribute(value=base):
                return self.is_text(base)
        return False

    def is_read_by(self, node: ast.AST) -> bool:
        """Whether this node itself compares such a text, searches it, or looks up by it."""
        match node:
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._is_compared([left, *others], ops)
            case ast.Call(func=ast.Attribute(value=base, attr=attr), args=given):
                return self._is_searched(base, attr, given)
            case ast.Subscript(value=base, slice=key):
                return not isinstance(key, ast.Slice) and self.is_text(key)
            case ast.Match(subject=subject, cases=cases):
                return self.is_text(subject) or (_is_enum(subject) and _has_literal(cases))
        return False

    def _is_compared(self, sides: list[ast.expr], ops: list[ast.cmpop]) -> bool:
        if all(isinstance(op, ast.Is | ast.IsNot) for op in ops):
            return False
        if any(map(_is_enum, sides)) and any(map(_is_literal, sides)):
            return True
        empty = any(isinstance(side, ast.Constant) and not side.value for side in sides)
        return not empty and any(self.is_text(side) for side in sides)

    def _is_searched(self, base: ast.expr, attr: str, given: list[ast.expr]) -> bool:
        if attr in READERS:
            return self.is_text(base)
        if attr in SEARCHES:
            return any(self.is_text(one) for one in given)
        return attr == "get" and bool(given) and self.is_text(given[0])


def _parts(node: ast.AST | None) -> list[ast.expr]:
    """The parts of an expression of which any makes the whole a text."""
    found = [getattr(node, name) for name in PARTS.get(type(node), ())]
    return [one for part in found for one in (part if isinstance(part, list) else [part])]


def _bindings(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What is given a value, and the value."""
    for node in nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from ((target, value) for target in targets)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                yield target, value
            case ast.AugAssign(target=target, value=value):
                yield target, value
            case ast.NamedExpr(target=target, value=value):
                yield target, value
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                yield target, value


def _is_enum(node: ast.AST) -> bool:
    """Whether it is the rule, cause, outcome or phase of something."""
    match node:
        case ast.Attribute(attr=name):
            return name in ENUMS
        case ast.Subscript(slice=ast.Constant(value=name)):
            return name in ENUMS
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=name), *_]):
            return name in ENUMS
        case ast.Call(func=ast.Name(id="str"), args=[inner]):
            return _is_enum(inner)
    return False


def _is_literal(node: ast.AST) -> bool:
    """Whether it is a word, or several, as the code has it."""
    match node:
        case ast.Constant(value=str(word)):
            return bool(word)
        case ast.Set(elts=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts):
            return any(map(_is_literal, parts))
    return False


def _has_literal(cases: list[ast.match_case]) -> bool:
    patterns = (node for case in cases for node in ast.walk(case.pattern))
    return any(isinstance(one, ast.MatchValue) and _is_literal(one.value) for one in patterns)
