"""Steps of the script, and how they are written for a shell.

A word is a text, which the shell takes unchanged, whatever is in it, or a `Word`, which has
variables of the script among its texts. What is a variable is said by its type. No text is ever
searched for one, so nothing that a file or an argument holds can become one.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_NAME = re.compile(r"[a-z_]+")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the script. Raises ValueError for an invalid name."""

    name: str

    def __post_init__(self) -> None:
        """Check the name: it is the one text that the shell does not get in quotes."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"this is no name of a variable: {self.name!r}")

    def __str__(self) -> str:
        """As people read it."""
        return f"${{{self.name}}}"


@dataclass(frozen=True, slots=True)
class Filled:
    """What the script's function `filled` prints of a file."""

    file: str

    def __str__(self) -> str:
        """As people read it."""
        return f"$(filled {self.file})"


Part = str | Variable | Filled


@dataclass(frozen=True, slots=True)
class Word:
    """Texts and variables that make one word together."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        """As people read it."""
        return "".join(map(str, self.parts))


Words = tuple[str | Word, ...]


def word(*parts: Part | Word) -> Word:
    """One word of these parts."""
    split = (one.parts if isinstance(one, Word) else (one,) for one in parts)
    return Word(tuple(part for parts in split for part in parts))


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to bring about.

    make: makes it. look: succeeds when it is there (or, with `into`, prints its id). Without `look`
    it is always made, which changes nothing the second time. change: brings what is there up to
    date. into: the variable that takes what `look` or else `make` prints.
    """

    make: Words
    look: Words = ()
    change: Words = ()
    into: Variable | None = None

    @property
    def commands(self) -> Iterator[Words]:
        """The commands that it may run."""
        yield from (words for words in (self.look, self.change, self.make) if words)


@dataclass(frozen=True, slots=True)
class Gone:
    """What an older version made and this one does not want. It may be gone already."""

    drop: Words


@dataclass(frozen=True, slots=True)
class Title:
    """A line for the reader of the script. Raises ValueError for more than one line."""

    text: str

    def __post_init__(self) -> None:
        """Check that it ends where the comment ends."""
        if not self.text.isprintable():
            raise ValueError(f"a title is one line: {self.text!r}")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of shell as it is: for lines of ours, never for a text from outside."""

    text: str


@dataclass(frozen=True, slots=True)
class Replace:
    """A file written from another one, a mark in it replaced by a variable."""

    mark: str
    by: Variable
    source: str
    target: str


AnyStep = Step | Gone | Title | Line | Replace


def flags(**values: object) -> Words:
    """`ack_deadline=600` as `--ack-deadline=600`; True gives the bare flag, None nothing."""
    return tuple(_flag(name, value) for name, value in values.items() if value is not None)


def _flag(name: str, value: object) -> str | Word:
    flag = f"--{name.replace('_', '-')}"
    if value is True:
        return flag
    if isinstance(value, Variable | Filled | Word):
        return word(f"{flag}=", value)
    return f"{flag}={value}"


def pairs(values: Mapping[str, str | Word]) -> Word | None:
    """A map as gcloud takes it; None where there is nothing."""
    if not values:
        return None
    each = [word(f"{key}=", value) for key, value in values.items()]
    return word(each[0], *(part for one in each[1:] for part in (",", one)))


def command(words: Words) -> str:
    """One command, a flag a line where it is long."""
    quoted = [_quoted(word) for word in ("gcloud", *words)]
    whole = " ".join(quoted)
    if len(whole) <= 100:  # noqa: PLR2004  # columns
        return whole
    is_flag = (i for i, word in enumerate(quoted) if word.startswith(("--", "'--")))
    first = next(is_flag, len(quoted))
    return " \\\n    ".join([" ".join(quoted[:first]), *quoted[first:]])


def shell(step: AnyStep) -> str:
    """A step in shell."""
    match step:
        case Title(text):
            return f"\n# --- {text}\n"
        case Line(text):
            return text
        case Replace(mark, by, source, target):
            edit = f"{shlex.quote(f's|{mark}|')}{_part(by)}{shlex.quote('|g')}"
            return f"sed -e {edit} -- {shlex.quote(source)} > {shlex.quote(target)}"
        case Gone(drop):
            return (
                f"{command(drop)} ||\n    echo 'It was not there, so there is nothing to remove.'"
            )
        case Step():
            return _made(step) if step.into is None else _kept(step, step.into.name)


def _made(step: Step) -> str:
    make = command(step.make)
    return (
        _either(f"{command(step.look)} >/dev/null 2>&1", make, step.change) if step.look else make
    )


def _kept(step: Step, name: str) -> str:
    """name: of the variable that takes what is printed."""
    make = f"{name}=$({command(step.make)})"
    if not step.look:
        return make
    looked, test = f"{name}=$({command(step.look)})", f'[ -n "${{{name}}}" ]'
    return f"{looked}\n{_either(test, make, step.change)}"


def _either(test: str, make: str, change: Words) -> str:
    """test: shell that says whether it is there."""
    if not change:
        return f"{test} ||\n    {_deeper(make)}"
    then, otherwise = _deeper(command(change)), _deeper(make)
    return f"if {test}; then\n    {then}\nelse\n    {otherwise}\nfi"


def _deeper(text: str) -> str:
    return text.replace("\n", "\n    ")


def _quoted(word: str | Word) -> str:
    return shlex.quote(word) if isinstance(word, str) else "".join(map(_part, word.parts))


def _part(part: Part) -> str:
    match part:
        case Variable(name):
            return f'"${{{name}}}"'
        case Filled(file):
            return f'"$(filled {shlex.quote(file)})"'
        case str():
            return shlex.quote(part) if part else ""
