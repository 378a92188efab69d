"""Finds idioms and counts semicolons in the words that people read (`tests/support/words.toml`)."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

_FENCED = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SPAN = re.compile(r"(`+)[^\n]*?\1")
_ITEM = re.compile(r"\s*([-*]|\d+\.) ")
_TARGET = re.compile(r"\]\([^)\s]*\)")


@dataclass(frozen=True, slots=True)
class Found:
    """An idiom at its place. write: what to write instead."""

    file: str
    line: int
    words: str
    write: str


@cache
def data() -> dict[str, Any]:  # whatever TOML holds
    """What `tests/support/words.toml` says."""
    return tomllib.loads((ROOT / "tests" / "support" / "words.toml").read_text(encoding="utf-8"))


def files(name: str) -> list[Path]:
    """The files of that list, sorted. Raises ValueError for a pattern that matches none."""
    found: set[Path] = set()
    for pattern in data()[name]:
        matched = {one for one in ROOT.glob(pattern) if ".terraform" not in one.parts}
        if not matched:
            raise ValueError(f"{name}: no file matches {pattern}")
        found |= matched
    return sorted(found)


def prose(text: str) -> str:
    """A document without its code, in as many lines as before."""
    for pattern in (_FENCED, _COMMENT):
        text = pattern.sub(lambda found: "\n" * found[0].count("\n"), text)
    lines = "\n".join(_unindented(text.split("\n")))
    return _TARGET.sub("]", _SPAN.sub("`code`", lines))


def _unindented(lines: list[str]) -> Iterator[str]:
    """The lines, empty where an indented block of code is."""
    is_list = is_code = False
    after_blank = True
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line.strip():
            if indent == 0 or (is_list and _ITEM.match(line)):
                is_list = bool(_ITEM.match(line))
            is_code = indent >= (6 if is_list else 4) and (after_blank or is_code)
        yield "" if is_code else line
        after_blank = not line.strip()


def of_python(source: str) -> Iterator[tuple[int, str]]:
    """Every text of a module with its line: messages, help texts, docstrings, comments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")


def idioms(file: str, texts: Iterator[tuple[int, str]]) -> Iterator[Found]:
    """The idioms in these texts, each at the line where its text begins."""
    for line, text in texts:
        flat = " ".join(text.split())
        for pattern, write in data()["idioms"].items():
            for found in re.finditer(pattern, flat, re.IGNORECASE):
                yield Found(file, line, flat[max(0, found.start() - 40) : found.end() + 20], write)


def paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """The parts of a text between its blank lines and rows of tables, each with its line."""
    begin, part = 1, ""
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if not line.strip() or line.startswith("|"):
            if part:
                yield begin, part
            part = ""
        if line.startswith("|"):
            yield number, line
        elif line.strip():
            begin = begin if part else number
            part += f"{line}\n"


def semicolons(text: str) -> tuple[int, int]:
    """How many there are in a document's prose, and how many words."""
    plain = prose(text)
    return plain.count(";"), len(plain.split())
