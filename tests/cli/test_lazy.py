"""The list of verbs: it is there at once, and a verb is imported only when it is meant."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from orchestrator.cli.app import VERBS, cli
from orchestrator.cli.verb import Listed

_IMPORTED = """
import sys
from orchestrator.cli.app import cli
status = cli(sys.argv[1:], standalone_mode=False)
print(*sorted(sys.modules), file=sys.stderr)
"""


def imported(*arguments: str) -> set[str]:
    """The modules that a call of the program has imported when it ends."""
    found = subprocess.run(
        [sys.executable, "-c", _IMPORTED, *arguments], capture_output=True, text=True, check=True
    )
    return set(found.stderr.split())


def verbs(modules: set[str]) -> set[str]:
    """The modules of verbs among these."""
    room = "orchestrator.cli.verbs."
    return {name.removeprefix(room) for name in modules if name.startswith(room)}


def test_the_list_of_verbs_imports_no_verb_no_screen_and_no_configuration() -> None:
    modules = imported("--help")
    assert verbs(modules) == set()
    assert modules.isdisjoint({"rich", "pydantic", "yaml", "requests", "google.auth"})


@pytest.mark.parametrize(
    ("verb", "module"), [("status", "status"), ("freeze", "operator_commands")]
)
def test_the_help_of_a_verb_imports_its_module_alone(verb: str, module: str) -> None:
    modules = imported(verb, "--help")
    assert verbs(modules) == {module}
    assert modules.isdisjoint({"pydantic", "yaml", "requests", "google.auth"})


@pytest.mark.parametrize("listed", VERBS, ids=lambda one: one.name)
def test_the_line_of_a_verb_in_the_list_is_the_first_line_of_its_own_help(listed: Listed) -> None:
    own = listed.load()
    assert own.name == listed.name
    assert (own.help or "").partition("\n")[0] == listed.short_help


def completed(*arguments: str, incomplete: str) -> list[str]:
    """What the shell offers behind these words."""
    complete = ShellComplete(cli, {}, "failoverctl", "_FAILOVERCTL_COMPLETE")
    return [one.value for one in complete.get_completions(list(arguments), incomplete)]


def test_the_shell_completes_a_verb_its_options_and_the_verbs_below_it() -> None:
    assert completed(incomplete="st") == ["status", "state"]
    assert "--watch" in completed("status", incomplete="--w")
    assert completed("state", incomplete="") == ["show", "restore"]


def test_the_shell_completes_nothing_behind_a_misspelt_verb_and_does_not_fail() -> None:
    assert completed("stauts", incomplete="x") == []


def test_no_verb_stands_twice_in_the_list() -> None:
    assert len(cli.commands) == len(VERBS)
