"""No promise of docs/consistency.md is without a test, and no section without its promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.promises import unproven

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "consistency.md").read_text(encoding="utf-8")

GOOD = """\
# Data

## One

Words, and figures:

| a | b |
| --- | --- |
| 1 | 2 |

| promise | test |
| --- | --- |
| it holds | `tests/test_a.py::test_it` |
| so does that | `tests/test_a.py::test_it`, `tests/test_a.py::test_that` |

## Other

| promise | test |
| --- | --- |
| it holds | `tests/test_a.py::test_it` |
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with two tests."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("def test_it(): ...\ndef test_that(): ...\n")
    return tmp_path


def test_every_promise_has_a_test_that_exists() -> None:
    assert unproven(DOCUMENT, ROOT) == []


def test_a_text_without_fault_has_none(root: Path) -> None:
    assert unproven(GOOD, root) == []


BROKEN: dict[str, tuple[Callable[[str], str], str]] = {
    "a section without promises": (
        lambda text: text + "\n## Third\n\nIt is safe.\n",
        "Third: 0 tables of promise | test",
    ),
    "two tables of promises": (
        lambda text: text + "\n| promise | test |\n| --- | --- |\n",
        "Other: 2 tables",
    ),
    "a promise without a test": (
        lambda text: text.replace(
            "| so does that | `tests/test_a.py::test_it`, ", "| so | , "
        ).replace("`tests/test_a.py::test_that`", ""),
        "One: line 14: nothing under: test",
    ),
    "a file for a test": (lambda text: text.replace("::test_that", ""), "neither path.py::"),
    "a test that is not there": (lambda text: text.replace("::test_that", "::test_x"), "test_x"),
    "a table without promises": (
        lambda text: text.removesuffix("| it holds | `tests/test_a.py::test_it` |\n"),
        "no promise below the columns",
    ),
}


@pytest.mark.parametrize(("broken", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_text_is_told(broken: Callable[[str], str], told: str, root: Path) -> None:
    text = broken(GOOD)
    assert text != GOOD
    found = unproven(text, root)
    assert any(told in fault for fault in found), found
