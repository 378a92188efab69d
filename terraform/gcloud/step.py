"""Steps of the script, and how they are written for a shell.

A word may hold `${variable}`, which the shell fills in; every other sign stands for itself.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Words = tuple[str, ...]

_VARIABLE = re.compile(r"(\$\{[a-z_]+\}|\$\(filled [^)]+\))")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to bring about.

    make: makes it. look: succeeds when it is there (or, with `into`, prints its id); without, it is
    always made, which changes nothing the second time. change: brings what is there up to date.
    into: the variable that takes what `look` or else `make` prints.
    """

    make: Words
    look: Words = ()
    change: Words = ()
    into: str = ""

    @property
    def commands(self) -> Iterator[Words]:
        """The commands that it may run."""
        yield from (words for words in (self.look, self.change, self.make) if words)


@dataclass(frozen=True, slots=True)
class Title:
    """A line for whoever reads the script."""

    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of shell as it is."""

    text: str


def flags(**values: object) -> Words:
    """`ack_deadline=600` as `--ack-deadline=600`; True gives the bare flag, None nothing."""
    return tuple(
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in values.items()
        if value is not None
    )


def pairs(values: Mapping[str, str]) -> str | None:
    """A map as gcloud takes it; None where there is nothing."""
    return ",".join(f"{key}={value}" for key, value in values.items()) or None


def command(words: Words) -> str:
    """One command, a flag a line where it is long."""
    quoted = [_quoted(word) for word in ("gcloud", *words)]
    whole = " ".join(quoted)
    if len(whole) <= 100:  # noqa: PLR2004  # columns
        return whole
    is_flag = (i for i, word in enumerate(quoted) if word.startswith(("--", "'--", '"--')))
    first = next(is_flag, len(quoted))
    return " \\\n    ".join([" ".join(quoted[:first]), *quoted[first:]])


def shell(step: Step | Title | Line) -> str:
    """A step in shell."""
    match step:
        case Title(text):
            return f"\n# --- {text}\n"
        case Line(text):
            return text
        case Step(make, (), (), ""):
            return command(make)
        case Step(make, (), (), into):
            return f"{into}=$({command(make)})"
        case Step(make, look, change, ""):
            return _either(f"{command(look)} >/dev/null 2>&1", command(make), change)
        case Step(make, look, change, into):
            looked = f'{into}=$({command(look)})\n[ -n "${{{into}}}" ]'
            return _either(looked, f"{into}=$({command(make)})", change)


def _either(there: str, make: str, change: Words) -> str:
    """there: shell whose last line says whether it is there."""
    before, line_end, test = there.rpartition("\n")
    if not change:
        return f"{before}{line_end}{test} ||\n    {_deeper(make)}"
    then, otherwise = _deeper(command(change)), _deeper(make)
    return f"{before}{line_end}if {test}; then\n    {then}\nelse\n    {otherwise}\nfi"


def _deeper(text: str) -> str:
    return text.replace("\n", "\n    ")


def _quoted(word: str) -> str:
    if not _VARIABLE.search(word):
        return shlex.quote(word)
    parts = _VARIABLE.split(word)
    safe = [p if i % 2 else re.sub(r'([\\"`$])', r"\\\1", p) for i, p in enumerate(parts)]
    return '"' + "".join(safe) + '"'
