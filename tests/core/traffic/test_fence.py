"""The mark on the routing resource, written and read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.model import NO_MARK, Mark
from orchestrator.core.outside.limits import EPOCHS
from orchestrator.core.traffic.fence import (
    MAX_DESCRIPTION,
    bare,
    is_cut,
    is_implausible,
    read_mark,
    write_mark,
)

WRITTEN = "failover epoch=7 service=checkout rev=1763874000123456"
MARK = Mark(7, 1763874000123456)

MARKS = st.builds(Mark, st.integers(0, EPOCHS - 1), st.integers(0, 10**20 - 1))
SERVICES = st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True)
OTHERS = st.builds(
    lambda service, mark: write_mark("", service, mark),
    st.sampled_from(["other", "checkout-2", "check"]),
    MARKS,
)
OURS = st.builds(lambda mark: write_mark("", "checkout", mark), MARKS)
DESCRIPTIONS = st.lists(st.text(max_size=40) | OTHERS | OURS | st.just("x" * 1500), max_size=5).map(
    " ".join
)
quick = settings(deadline=None)


def test_the_mark_is_the_documented_text() -> None:
    assert write_mark("", "checkout", MARK) == WRITTEN
    assert write_mark("made by hand", "checkout", MARK) == f"{WRITTEN} made by hand"


def test_the_mark_is_read_wherever_it_stands() -> None:
    assert read_mark(WRITTEN, "checkout") == MARK
    assert read_mark(f"made by hand {WRITTEN}", "checkout") == MARK
    assert read_mark(f"made\n{WRITTEN}\nby hand", "checkout") == MARK


def test_no_mark_is_the_lowest_mark() -> None:
    assert read_mark("", "checkout") == NO_MARK == Mark(0, 0)
    assert read_mark("failover epoch= service=checkout rev=1", "checkout") == NO_MARK
    assert read_mark("failover epoch=-1 service=checkout rev=1", "checkout") == NO_MARK


def test_the_mark_of_another_service_counts_as_none() -> None:
    for other in ("search", "checkout-2", "check"):
        assert read_mark(WRITTEN.replace("checkout", other), "checkout") == NO_MARK


def test_the_highest_of_several_marks_wins() -> None:
    """Epoch before revision, wherever they stand."""
    marks = [Mark(7, 9), Mark(8, 1), Mark(8, 3), Mark(2, 99)]
    text = " and ".join(write_mark("", "checkout", mark) for mark in marks)
    assert read_mark(text, "checkout") == Mark(8, 3)


def test_a_new_mark_replaces_every_older_one() -> None:
    text = f"a {WRITTEN} b {WRITTEN.replace('7', '9')} c"
    after = write_mark(text, "checkout", Mark(10, 1))
    assert read_mark(after, "checkout") == Mark(10, 1)
    assert after.count("epoch=") == 1


def test_the_mark_of_another_service_is_kept() -> None:
    other = WRITTEN.replace("checkout", "search")
    after = write_mark(f"{other} note", "checkout", MARK)
    assert after == f"{WRITTEN} {other} note"
    assert read_mark(after, "search") == MARK


def test_the_description_is_cut_to_what_the_api_keeps_and_the_mark_survives() -> None:
    text = "x" * MAX_DESCRIPTION
    after = write_mark(text, "checkout", MARK)
    assert len(after) == MAX_DESCRIPTION == 2048
    assert after.startswith(WRITTEN)
    assert is_cut(text, "checkout", MARK)
    assert not is_cut("x" * 100, "checkout", MARK)
    assert not is_cut("", "checkout", MARK)


def test_the_mark_is_at_most_160_characters_for_any_service() -> None:
    longest = write_mark("", "a" * 63, Mark(10**18 - 1, 10**20 - 1))
    assert len(longest) <= 160


@quick
@given(description=DESCRIPTIONS, mark=MARKS)
def test_what_is_written_is_what_is_read(description: str, mark: Mark) -> None:
    after = write_mark(description, "checkout", mark)
    assert read_mark(after, "checkout") == mark
    assert len(after) <= MAX_DESCRIPTION


@quick
@given(description=st.text(max_size=100), service=SERVICES, first=MARKS, second=MARKS)
def test_peoples_text_survives_any_number_of_marks(
    description: str, service: str, first: Mark, second: Mark
) -> None:
    once = write_mark(description, service, first)
    twice = write_mark(once, service, second)
    assert bare(twice, service) == bare(once, service) == description.strip()
    assert write_mark(twice, service, second) == twice


@quick
@given(one=MARKS, other=MARKS)
def test_marks_are_ordered_by_epoch_then_revision(one: Mark, other: Mark) -> None:
    assert (one < other) == ((one.epoch, one.rev) < (other.epoch, other.rev))


@pytest.mark.parametrize("epoch", [EPOCHS, 10**18 - 1, 10**18, 10**1900])
def test_an_epoch_above_all_that_can_be_counts_as_none(epoch: int) -> None:
    """The next one above it could not be written in a document; ours is written over it."""
    description = f"failover epoch={epoch} service=checkout rev=1"
    assert read_mark(description, "checkout") == NO_MARK
    assert read_mark(write_mark(description, "checkout", Mark(7, 8)), "checkout") == Mark(7, 8)
    after = write_mark(description, "checkout", Mark(7, 8))
    assert is_implausible(description, "checkout")
    assert not is_implausible(description, "search")
    assert not is_implausible(after, "checkout")
    assert bare(after, "checkout") == ""
