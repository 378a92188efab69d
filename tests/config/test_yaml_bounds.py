"""A configuration file takes time in proportion to its length, and is told in a bounded text."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from orchestrator.config import load
from orchestrator.config.loader import MOST_GROUPS
from orchestrator.config.plain_yaml import DEEPEST, LONGEST
from orchestrator.core.exceptions import BadConfig, Problem
from orchestrator.core.outside.limits import PROBLEMS
from tests.config.test_loader import FULL

HEAD = "version: 1\nproject: my-project\nstate: gs://my-project-failover\n"
SERVICE = f"{HEAD}services:\n  checkout:\n"


def regions(number: int) -> str:
    """So many regions that share every evidence, and whose groups overlap."""
    lines = (
        f"      r{n}: {{health_url: https://a.example.com/healthz, check_id: x,"
        " backend: projects/p/zones/z/instanceGroups/*}\n"
        for n in range(number)
    )
    return f"{SERVICE}    regions:\n{''.join(lines)}"


TEXTS: dict[str, Callable[[int], str]] = {
    "unknown keys": lambda n: "".join(f"k{i}: 1\n" for i in range(n)),
    "ambiguous values": lambda n: "a:\n" + "- yes\n" * n,
    "ambiguous keys": lambda n: "".join(f"0{i}: 010\n" for i in range(n)),
    "anchors": lambda n: "".join(f"k{i}: &a{i} 1\n" for i in range(n)),
    "one key again and again": lambda n: "a: 1\n" * n,
    "empty services": lambda n: "services:\n" + "".join(f"  s{i}: {{}}\n" for i in range(n)),
    "regions that share": regions,
    "misspelt rules": lambda n: (
        f"{SERVICE}    policy:\n" + "".join(f"      cooldowm{i}: 1\n" for i in range(n))
    ),
    "URLs that hide no password": lambda n: f"{HEAD}topics: {{alerts: '{'://' * n}'}}\n",
}
"""Files that were slow, each by a number of things in it."""


def problems(text: str) -> tuple[Problem, ...]:
    """The problems of this file."""
    with pytest.raises(BadConfig) as told:
        load(text, "failover.yaml")
    return told.value.problems


def seconds(text: str) -> float:
    """The processor's time that this file takes, at best of two."""

    def once() -> float:
        began = time.process_time()
        problems(text)
        return time.process_time() - began

    return min(once() for _ in range(2))


@pytest.mark.parametrize("of", TEXTS.values(), ids=TEXTS)
def test_four_times_the_file_takes_no_more_than_four_times_the_time_and_some(
    of: Callable[[int], str],
) -> None:
    """Sixteen times where the time grows with the square. Both are measured in one run."""
    small = seconds(of(250))
    assert seconds(of(1000)) / small < 9


@pytest.mark.parametrize("of", TEXTS.values(), ids=TEXTS)
def test_at_most_a_hundred_problems_are_told_and_how_many_more_there_are(
    of: Callable[[int], str],
) -> None:
    found = problems(of(700))
    assert len(found) <= PROBLEMS + 1
    assert len(str(found)) < 100_000
    if len(found) > PROBLEMS:
        assert "more problems. Fix these first" in found[-1].text


def test_the_first_hundred_problems_are_the_first_of_the_file() -> None:
    found = problems("".join(f"k{i}: 1\n" for i in range(300)))
    assert [one.path for one in found[:3]] == ["k0", "k1", "k2"]
    assert found[PROBLEMS - 1].path == "k99"
    missing = 4
    assert found[PROBLEMS] == Problem("(file)", f"{200 + missing} more problems. Fix these first")


@pytest.mark.parametrize("text", ["[" * LONGEST, "{a: " * 60_000, "- " * 100_000, "? " * 100_000])
def test_what_is_nested_too_deep_is_refused_in_its_first_lines(text: str) -> None:
    (found,) = problems(text)
    assert found == Problem("(file)", f"not YAML: nested deeper than {DEEPEST} levels")


def test_nesting_beside_other_problems_hides_none_of_them() -> None:
    found = problems("serial: 010\n" + "x: " + "[" * 40)
    assert [one.path for one in found] == ["serial", "(file)"]


@pytest.mark.parametrize(
    "text",
    [
        f"? {'k' * 200_000}\n: 1\n",
        f"a: '{'x' * 200_000}'\n",
        f"serial: {'9' * 200_000}\n",
        f"serial: {'9' * 4000}\n",
        f'"{chr(92)}x1b]0;x{chr(92)}x07": "{chr(92)}u202e"\n',
        f"topics: {{alerts: '{chr(92)}ud800 {'é' * 50_000}'}}\n",
        f"{'a' * 1000}: [\n",
    ],
)
def test_whatever_the_file_holds_is_told_in_short_lines_that_hide_nothing(text: str) -> None:
    for one in problems(text):
        lines = str(one).split("\n")
        assert all(len(line) < 2500 for line in lines)
        assert all(line.isprintable() for line in lines)


def test_more_groups_than_any_load_balancer_has_are_refused_before_they_are_compared() -> None:
    groups = ", ".join(f"projects/p/zones/z/instanceGroups/g{n}" for n in range(MOST_GROUPS + 1))
    old = FULL.partition("backend: ")[2].partition("\n")[0]
    found = problems(FULL.replace(old, f"[{groups}]", 1))
    assert any(f"Write at most {MOST_GROUPS}" in one.text for one in found)
