"""No promise of docs/security.md is without a test, and its commands are commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from orchestrator.cli.app import cli
from tests.support.promises import ACTORS, COLUMNS, SAID, faults, rows

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")

PYTEST = "tests/test_a.py::test_it"
TERRAFORM = 'terraform/a.tftest.hcl run "it"'
HEAD = f"| {' | '.join(COLUMNS)} |\n| --- | --- | --- |\n"
GOOD = f"""\
# A threat model

| another | table |
| --- | --- |
| of no | promise |

### One

{SAID[0]} Little. {SAID[1]}
{SAID[1]} that.

{HEAD}| an attack | a bound | `{PYTEST}` `{TERRAFORM}` |

### Other

{SAID[0]} Less.

{SAID[1]} this.

{HEAD}| an attack of `a \\| b` | a bound | `{PYTEST}`<br>`{PYTEST}` |

## More

| also | free |
| --- | --- |
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one test of each kind, one that is skipped, and one that is none."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "terraform").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(
        "def test_it(): ...\n"
        "def helps(): ...\n"
        "@pytest.mark.skip(reason='later')\n"
        "def test_skipped(): ...\n"
        "@pytest.mark.xfail\n"
        "def test_fails(): ...\n"
        "def test_outer():\n    def test_inner(): ...\n"
    )
    (tmp_path / "tests" / "test_c.py").write_text(
        "pytestmark = [pytest.mark.long, pytest.mark.skip]\ndef test_it(): ...\n"
    )
    (tmp_path / "terraform" / "a.tftest.hcl").write_text(
        'run "it" {\n}\n# run "gone" {\nmodule "other" {\n}\n'
    )
    return tmp_path


def test_every_promise_has_its_bound_and_a_test_that_exists() -> None:
    assert faults(DOCUMENT, ROOT) == []


def test_every_actor_has_promises() -> None:
    assert len(rows(DOCUMENT)) > 5 * len(ACTORS)


def test_a_text_without_fault_has_none(root: Path) -> None:
    assert faults(GOOD, root, ("One", "Other")) == []
    assert len(rows(GOOD)) == 2


def cell(test: str) -> Callable[[str], str]:
    """The first promise has this as its test."""
    return lambda text: text.replace(f"`{PYTEST}` `{TERRAFORM}`", test)


BROKEN: dict[str, tuple[Callable[[str], str], str]] = {
    "no test": (cell(""), "nothing under: test"),
    "a dash for a test": (cell("-"), "nothing under: test"),
    "a word for a test": (cell("later"), "not the name of a test: later"),
    "a word beside a test": (cell(f"`{PYTEST}` and more"), "not the name of a test: andmore"),
    "no such file": (cell("`tests/test_b.py::test_it`"), "no such file: tests/test_b.py"),
    "no such test": (cell("`tests/test_a.py::test_that`"), "is called test_that"),
    "a function that is no test": (cell("`tests/test_a.py::helps`"), "is called helps"),
    "a test within another": (cell("`tests/test_a.py::test_inner`"), "is called test_inner"),
    "a test that is skipped": (cell("`tests/test_a.py::test_skipped`"), "called test_skipped"),
    "a test that may fail": (cell("`tests/test_a.py::test_fails`"), "called test_fails"),
    "a test of a module that is skipped": (
        cell("`tests/test_c.py::test_it`"),
        "tests/test_c.py has no test that runs",
    ),
    "a file alone": (cell("`tests/test_a.py`"), "neither path.py::test_name"),
    "a path outside": (cell("`../x.py::test_it`"), "neither path.py::test_name"),
    "no such module": (cell('`terraform/b.tftest.hcl run "it"`'), "terraform/b.tftest.hcl"),
    "no such run": (cell('`terraform/a.tftest.hcl run "that"`'), "is called that"),
    "a run in a comment": (cell('`terraform/a.tftest.hcl run "gone"`'), "is called gone"),
    "the second test is missing": (cell(f"`{PYTEST}` `tests/no.py::test_it`"), "tests/no.py"),
    "an empty bound": (lambda text: text.replace("a bound", "", 1), "under: what bounds it"),
    "an empty attack": (lambda text: text.replace("an attack", " ", 1), "what they could try"),
    "a cell too few": (lambda text: text.replace("| a bound ", "", 1), "2 cells"),
    "two columns": (
        lambda text: text.replace(HEAD, "| what they could try | test |\n| --- | --- |\n", 1),
        "the columns are what they could try | test",
    ),
    "no rule": (lambda text: text.replace("| --- | --- | --- |\n", "", 1), "no rule below"),
    "no row": (
        lambda text: re.sub(r"\| an attack \|.*\n", "", text, count=1),
        "no promise below the columns",
    ),
    "no table": (
        lambda text: re.sub(r"(?s)\| what they.*?\n\n", "\n\n", text, count=1),
        "no table",
    ),
    "a second table of other columns": (
        lambda text: text.replace("### Other", "| a | b |\n| --- | --- |\n\n### Other"),
        "the columns are a | b",
    ),
    "no section": (lambda text: text.replace("### Other", "### Else"), "for the actor: Other"),
    "another order": (
        lambda text: text.replace("### One", "### X").replace("Other", "One").replace("X", "Other"),
        "another order: Other, One",
    ),
    "nothing said of the most": (lambda text: text.replace(SAID[0], "So."), SAID[0]),
    "nothing said of what nothing prevents": (
        lambda text: text.replace(f"\n{SAID[1]}", "\nSo."),
        SAID[1],
    ),
}


@pytest.mark.parametrize(("broken", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_text_is_told(broken: Callable[[str], str], told: str, root: Path) -> None:
    text = broken(GOOD)
    assert text != GOOD
    found = faults(text, root, ("One", "Other"))
    assert any(told in fault for fault in found), found


def test_a_fault_is_told_with_its_actor_and_line(root: Path) -> None:
    (found,) = faults(cell("")(GOOD), root, ("One", "Other"))
    line = GOOD.splitlines().index(f"| an attack | a bound | `{PYTEST}` `{TERRAFORM}` |") + 1
    assert found == f"One: line {line}: nothing under: test"


def commands(program: str) -> list[list[str]]:
    """The document's commands of one program, without comments."""
    lines = re.findall(rf"^ {{4,}}({program} .*)$", DOCUMENT, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("words", commands("failoverctl"), ids=" ".join)
def test_each_failoverctl_command_is_one(words: list[str]) -> None:
    context: click.Context = click.Context(cli, info_name=words[0])
    command: click.Command = cli
    rest = words[1:]
    while isinstance(command, click.Group):
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
    command.make_context(words[1], rest, parent=context)


def test_each_make_verb_is_one() -> None:
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    verbs = {words[1] for words in commands("make")}
    assert verbs >= {"audit", "scan", "fuzz", "deploy"}
    assert {verb for verb in verbs if f"\n{verb}:" not in made} == set()
