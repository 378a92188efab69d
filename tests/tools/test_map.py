"""The map from rules and modules to their tests is as it is generated, and it is complete."""

from __future__ import annotations

import ast
import textwrap
from functools import cache
from pathlib import Path

import pytest

from orchestrator.core.rule import RULES, Rule
from tests.tools import map as made


@cache
def code() -> list[made.Source]:
    """The package."""
    return made.sources(made.ROOT, made.PACKAGE)


@cache
def suites() -> list[made.Source]:
    """The modules with tests."""
    every = made.sources(made.ROOT, "tests")
    return [one for one in every if one.path.name.startswith("test_")]


def parsed(text: str) -> ast.Module:
    """A module with this text."""
    return ast.parse(textwrap.dedent(text))


def source(path: str, text: str = "") -> made.Source:
    """A file of a repository that is not there."""
    return made.Source(Path(path), parsed(text))


@pytest.mark.long
def test_the_documents_are_as_they_are_generated() -> None:
    for path, text in made.documents(made.ROOT).items():
        assert (made.ROOT / path).read_text(encoding="utf-8") == text, "run `make docs`"


@pytest.mark.long
def test_every_rule_of_a_decision_has_a_test_or_a_drill() -> None:
    named, drilled = made.naming(suites()), made.drills(made.ROOT)
    assert [rule for rule in RULES if not named[rule] and not drilled[rule.value]] == []


@pytest.mark.long
def test_every_module_is_reached_by_a_test() -> None:
    rows = "".join(made.module_rows(code(), suites()))
    assert [line for line in rows.splitlines() if line.endswith(" |  |")] == []


def test_a_function_gives_the_rules_that_it_hands_on_and_none_that_it_compares() -> None:
    tree = parsed(
        """
        def gives(): return Reason(Rule.BRAKE, False, "")
        def asks(rule): return rule == Rule.BRAKE
        class Word:
            def gives(self): return page(rule=Rule.CLOCK)
        """
    )
    given = {name: made.answers(one) for name, one in made.functions(tree)}
    assert given == {"gives": {"BRAKE"}, "asks": frozenset(), "Word.gives": {"CLOCK"}}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("assert reason.rule is Rule.BRAKE", {Rule.BRAKE}),
        ("assert 'brake' in refused", {Rule.BRAKE}),
        ("assert refused == {'brake', 'freeze'}", {Rule.BRAKE, Rule.FREEZE}),
        ("held('brake', world)", {Rule.BRAKE}),
        ("rules.brake(policy)", {Rule.BRAKE}),
        ("assert reasons(decision)['brake'].passed", {Rule.BRAKE}),
        ("adopts = rules & {'brake'}", {Rule.BRAKE}),
        ("policy = {'brake': 1}", set()),
        ("policy['brake']['share']", set()),
        ("desk.run('command')", set()),
        ("text = 'the brake'", set()),
    ],
)
def test_a_test_names_a_rule_where_it_means_it(text: str, named: set[Rule]) -> None:
    assert made.names(parsed(text)) == named


def test_a_module_without_tests_is_reached_by_way_of_the_nearest_that_has_some() -> None:
    package = [
        source("orchestrator/deep.py"),
        source("orchestrator/middle.py", "from orchestrator import deep"),
        source("orchestrator/top.py", "from orchestrator.middle import it"),
        source("orchestrator/started.py"),
    ]
    over = [
        source("tests/test_top.py", "import orchestrator.top"),
        source("tests/a/test_top.py", "import orchestrator.top\nrun('orchestrator.started')"),
    ]
    rows = "".join(made.module_rows(package, over))
    assert "| [deep.py](../orchestrator/deep.py) | by way of [top.py]" in rows
    first = "[test_top.py](../tests/test_top.py), [a/test_top.py](../tests/a/test_top.py)"
    assert f"| [top.py](../orchestrator/top.py) | {first} |" in rows
    assert "[started.py](../orchestrator/started.py) | [a/test_top.py]" in rows


def test_the_stated_path_of_a_private_module_has_no_underscore() -> None:
    assert made.stated(Path("orchestrator/client/_calls/call.py")) == Path(
        "tests/client/calls/test_call.py"
    )


def test_an_arrow_that_another_way_shows_is_not_drawn() -> None:
    needs = {"top": {"middle", "low"}, "middle": {"low"}, "low": set[str]()}
    assert made.shortest(needs) == [("top", "middle"), ("middle", "low")]


@pytest.mark.long
def test_every_room_of_the_contract_is_drawn_once() -> None:
    drawn = made.picture(made.ROOT, code())
    for room in (one for floor in made.layers(made.ROOT) for one in floor):
        assert drawn.count(f"| `{room}/` |") + drawn.count(f"| `{room}.py` |") == 1
