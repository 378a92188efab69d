"""The document of `failoverctl`: fresh, complete, and every line in the documents can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from orchestrator.cli import manual
from orchestrator.cli.app import PROGRAM, cli
from orchestrator.cli.verb import Verbs

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
VERBS = [name for name, _ in manual.verbs() if name != PROGRAM]


def test_the_help_in_the_document_is_that_of_the_program() -> None:
    text = manual.DOCUMENT.read_text(encoding="utf-8")
    assert manual.document(text) == text, "run `python -m orchestrator.cli.manual`"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_section_with_its_help(verb: str) -> None:
    text = manual.DOCUMENT.read_text(encoding="utf-8")
    section = text.partition(f"\n## {verb}\n")[2].partition("\n## ")[0]
    assert f"<!-- help: {verb} -->" in section
    if verb != "completion":
        assert f"$ failoverctl {verb}" in section
        assert "`--json`" in section


def test_the_document_has_no_section_of_a_verb_that_is_gone() -> None:
    text = manual.DOCUMENT.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- help: (.*?) -->", text)) == {PROGRAM, *VERBS}


def commands(text: str) -> Iterator[str]:
    """What a reader may type: lines of code that begin with the program, and `failoverctl ...`."""
    without_help = re.sub(r"<!-- help.*?end of help -->", "", text, flags=re.DOTALL)
    for line in re.findall(r"^ *(?:\$ )?(failoverctl [a-z].*)$", without_help, re.MULTILINE):
        if "`" not in line:
            yield line
    for line in re.findall(r"(?<!`)`(failoverctl\s[^`]+)`(?!`)", without_help):
        yield " ".join(line.split())


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_command_in_the_documents_can_be_typed(file: Path) -> None:
    for line in commands(file.read_text(encoding="utf-8")):
        arguments = shlex.split(line.partition("|")[0], comments=True)[1:]
        parsed(arguments, line)


def parsed(arguments: list[str], line: str) -> None:
    """The verb exists and takes these options."""
    command: click.Command = cli
    while isinstance(command, Verbs):
        assert arguments, line
        name, *arguments = arguments
        assert name in command.commands, line
        command = command.loaded()[name]
    context = click.Context(command, info_name=line)
    try:
        command.make_parser(context).parse_args(args=arguments)
    except click.UsageError as error:
        pytest.fail(f"{line}: {error.format_message()}")


def test_a_command_that_does_not_exist_is_found() -> None:
    found = list(
        commands("Say `failoverctl\nflip --now` or\n\n    failoverctl status --wacth  # x\n")
    )
    assert found == ["failoverctl status --wacth  # x", "failoverctl flip --now"]
    with pytest.raises(pytest.fail.Exception):
        parsed(["status", "--wacth"], "failoverctl status --wacth")
    with pytest.raises(AssertionError):
        parsed(["flip"], "failoverctl flip")
