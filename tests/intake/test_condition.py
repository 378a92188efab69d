"""Which check a condition is about: certain only if every way to fulfil it names that one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.intake.condition import LONGEST, NamedChecks, checks_of

METRIC = 'metric.type="monitoring.googleapis.com/uptime_check/check_passed"'
SERIES = "monitoring_googleapis_com:uptime_check_check_passed"

CERTAIN = [
    'metric.label.check_id="A"',
    'metric.labels.check_id = "a"',
    'metric.label."check_id"="A"',
    "metric.label.check_id=A",
    f'{METRIC} AND metric.label.check_id="A" AND resource.type="uptime_url"',
    f'{METRIC} metric.label.check_id="A"',
    '(metric.type="x" OR metric.type="y") AND metric.label.check_id="A"',
    'metric.label.check_id="A" AND resource.label.host="h" OR resource.label.host="i"',
    'metric.label.check_id="A" AND (resource.label.host="h" OR resource.label.host="i")',
    'metric.label.check_id="A" OR metric.label.check_id="A"',
    'NOT resource.label.host="x" AND metric.label.check_id="A"',
    'NOT (resource.label.host="x") AND metric.label.check_id="A"',
    'metric.label.check_id="A" AND NOT resource.label.host="x"',
    'metric.label.check_id="A" AND resource.label.host!="x"',
    'metric.label.check_id=monitoring.regex.full_match("A")',
    'metric.label.check_id=one_of("A")',
    'labels.check_id="A" AND severity>=ERROR',
    'resource.label.host="NOT (x" AND metric.label.check_id="A"',
    f'avg({SERIES}{{check_id="A", host!="x"}}) < 1',
    f'1 - (avg({SERIES}{{check_id="A"}})) > 0',
    f'{SERIES}{{check_id="A"}} == 0 or absent({SERIES}{{check_id="A"}})',
    f'{SERIES}{{check_id=~"A"}}',
    f"{SERIES}{{check_id='A'}} and up == 1",
    "filter (metric.check_id == 'A' && 1 == 1) | group_by [resource.host, metric.check_id]",
]
UNCERTAIN = {
    'metric.label.check_id="A" OR metric.label.check_id="B"': {"a", "b"},
    'metric.label.check_id="A" OR resource.type="gce_instance"': {"a"},
    'resource.type="gce_instance" OR metric.label.check_id="A"': {"a"},
    '(metric.label.check_id="A" OR resource.type="x") AND metric.type="y"': {"a"},
    'metric.type="y" AND resource.type="x" OR metric.label.check_id="A"': {"a"},
    'metric.label.check_id="A" AND metric.label.check_id="B"': {"a", "b"},
    'metric.label.check_id=one_of("A","B")': {"a", "b"},
    'metric.label.check_id=monitoring.regex.full_match("A|B")': {"a", "b"},
    'metric.label.check_id=monitoring.regex.full_match("(A|B)")': {"a", "b"},
    'metric.label.check_id=monitoring.regex.full_match("A.*")': {"a.*"},
    'metric.label.check_id=starts_with("A")': {"a"},
    'metric.label.check_id=has_substring("A")': {"a"},
    'metric.label.check_id:"A"': {"a"},
    'NOT metric.label.check_id="A"': set(),
    'not metric.label.check_id="A"': set(),
    '-metric.label.check_id="A"': set(),
    'metric.type="x" -metric.label.check_id="A"': set(),
    'metric.label.check_id!="A"': set(),
    'NOT (metric.label.check_id="A")': set(),
    'NOT (resource.type="x" AND (metric.label.check_id="A"))': set(),
    'metric.type="x" AND -(metric.label.check_id="A")': set(),
    'metric.label.check_id="A" AND NOT metric.label.check_id="B"': {"a"},
    'metric.label.check_id="A" AND metric.label.check_id!="B"': {"a"},
    f'{SERIES}{{check_id=~"A|B"}}': {"a", "b"},
    f'{SERIES}{{check_id!="A"}}': set(),
    f'{SERIES}{{check_id!~"A|B"}}': set(),
    f'{SERIES} unless {SERIES}{{check_id="A"}}': set(),
    f'{SERIES}{{check_id="A"}} or {SERIES}{{check_id="B"}}': {"a", "b"},
    f'{SERIES}{{check_id="A"}} == 0 or up == 0': {"a"},
    "filter !(metric.check_id == 'A')": set(),
    "filter metric.check_id != 'A'": set(),
    "filter metric.check_id =~ 'A|B'": {"a", "b"},
    "filter metric.check_id == 'A' || metric.check_id == 'B'": {"a", "b"},
    "metric.label.check_id=": set(),
    'metric.label.check_id="': {""},
}
SILENT = [
    "",
    METRIC,
    'resource.label.host="check_id=x"',
    'metric.label.my_check_id="A"',
    "group_by [metric.check_id]",
    "check_id",
]


@pytest.mark.parametrize("text", CERTAIN)
def test_a_condition_about_one_check_names_it(text: str) -> None:
    assert checks_of([text]).sure == "a"


@pytest.mark.parametrize(("text", "named"), UNCERTAIN.items())
def test_a_condition_that_may_be_about_another_names_none(text: str, named: set[str]) -> None:
    assert checks_of([text]) == NamedChecks("", frozenset(named))


@pytest.mark.parametrize("text", SILENT)
def test_a_condition_that_speaks_of_no_check_names_none(text: str) -> None:
    assert checks_of([text]) == NamedChecks()


def test_the_filters_of_one_condition_must_agree() -> None:
    first, second = 'metric.label.check_id="A"', 'metric.label.check_id="B"'
    assert checks_of([first, METRIC, first]).sure == "a"
    assert checks_of([first, second]) == NamedChecks("", frozenset({"a", "b"}))


def test_a_text_that_is_too_long_names_none() -> None:
    assert checks_of(['metric.label.check_id="A"' + " " * LONGEST]).sure == ""


WORDS = [
    "check_id",
    "=",
    '"a"',
    "(",
    ")",
    "AND",
    "OR",
    "NOT",
    "-",
    "!",
    "|",
    '"',
    "\\",
    "{",
    "}",
    ",",
]


@settings(deadline=None, max_examples=300)
@given(words=st.lists(st.sampled_from(WORDS), max_size=30), glue=st.sampled_from(["", " "]))
def test_any_text_is_read(words: list[str], glue: str) -> None:
    found = checks_of([glue.join(words)])
    assert not found.sure or found.sure in found.named


@pytest.mark.parametrize("part", ["(", '"', '"\\', "check_id=(", "not ", "check_id", "a.", "-"])
def test_long_texts_of_one_kind_are_read(part: str) -> None:
    """In proportion to their length: a slower reader would never end here."""
    checks_of(["check_id = " + part * (LONGEST // len(part) - 20)])
    checks_of(["check_id = 'a' " + part * (LONGEST // len(part) - 20)])
