"""The mark in a description that a controller keeps as JSON: both writers can read it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.exceptions import UnsafePlan
from orchestrator.core.model import Mark
from orchestrator.core.outside.limits import EPOCHS
from orchestrator.core.traffic.fence import (
    MAX_DESCRIPTION,
    bare,
    is_cut,
    json_object,
    read_mark,
    write_mark,
)

GKE = '{"kubernetes.io/service-name":"shop/checkout","kubernetes.io/service-port":"80"}'
MARK = Mark(7, 1763874000123456)
WRITTEN = "failover epoch=7 service=checkout rev=1763874000123456"

MARKS = st.builds(Mark, st.integers(0, EPOCHS - 1), st.integers(0, 10**20 - 1))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.text(max_size=20), VALUES, max_size=4)
TEXTS = st.builds(
    lambda found, indent: json.dumps(found, indent=indent), OBJECTS, st.sampled_from([None, 1])
)
quick = settings(deadline=None)


def test_the_mark_is_a_member_of_a_controllers_json() -> None:
    after = write_mark(GKE, "checkout", MARK)
    assert json.loads(after) == {"failover-checkout": WRITTEN, **json.loads(GKE)}
    assert read_mark(after, "checkout") == MARK
    assert bare(after, "checkout") == GKE
    assert json.loads(write_mark("{}", "checkout", MARK)) == {"failover-checkout": WRITTEN}


def test_a_mark_in_front_of_the_json_moves_into_it() -> None:
    after = write_mark(f"{WRITTEN} {GKE}", "checkout", Mark(8, 1))
    assert json_object(after) is not None
    assert read_mark(after, "checkout") == Mark(8, 1)
    assert after.count("epoch=") == 1


def test_a_controller_may_order_and_space_the_members_as_it_likes() -> None:
    found = json.loads(write_mark(GKE, "checkout", MARK))
    for text in (
        json.dumps(dict(reversed(found.items())), indent=2),
        json.dumps(found, separators=(" , ", " : ")),
        json.dumps({"kept": found}),
    ):
        assert read_mark(text, "checkout") == MARK
        after = write_mark(text, "checkout", Mark(8, 1))
        assert json_object(after) is not None
        assert after.count("epoch=") == 1


def test_the_mark_of_another_service_stays_in_the_json() -> None:
    both = write_mark(write_mark(GKE, "search", Mark(3, 4)), "checkout", MARK)
    assert read_mark(both, "search") == Mark(3, 4)
    assert read_mark(both, "checkout") == MARK
    assert json_object(both) is not None
    assert bare(bare(both, "checkout"), "search") == GKE


def test_json_that_leaves_no_room_is_cut_and_said_to_be() -> None:
    long = json.dumps({"a": "x" * 2020})
    after = write_mark(long, "checkout", MARK)
    assert after.startswith(WRITTEN)
    assert len(after) == MAX_DESCRIPTION
    assert is_cut(long, "checkout", MARK)
    assert not is_cut(GKE, "checkout", MARK)


def test_what_only_begins_like_json_is_plain_text() -> None:
    for text in ("{made by hand}", '{"a":', '["a"]', "{" * 2000):
        assert write_mark(text, "checkout", MARK).startswith(WRITTEN)
        assert json_object(text) is None


@pytest.mark.parametrize("residue", ["", " frozen=1800000000"])
def test_what_an_older_version_left_of_the_mark_is_taken_away(residue: str) -> None:
    """It removes the mark from inside the JSON, and not the member around it."""
    left = GKE.replace("{", f'{{"failover-checkout":"{residue}",')
    after = write_mark(f"{WRITTEN} {left}", "checkout", Mark(9, 11))
    assert after.count("failover-checkout") == 1
    assert read_mark(json.dumps(json.loads(after)), "checkout") == Mark(9, 11)
    assert bare(after, "checkout") == GKE


@quick
@given(text=TEXTS, first=MARKS, second=MARKS)
def test_a_json_description_stays_json_and_loses_nothing(
    text: str, first: Mark, second: Mark
) -> None:
    once = write_mark(text, "checkout", first)
    twice = write_mark(once, "checkout", second)
    assert read_mark(twice, "checkout") == second
    assert len(twice) <= MAX_DESCRIPTION
    assert json_object(twice) is not None
    assert bare(twice, "checkout") == text
    assert write_mark(twice, "checkout", second) == twice
    assert json.loads(bare(twice, "checkout")) == json.loads(text)


@quick
@given(found=OBJECTS, mark=MARKS, other=MARKS)
def test_a_controller_that_writes_the_members_back_keeps_the_mark(
    found: dict[str, object], mark: Mark, other: Mark
) -> None:
    """It reads the JSON, and writes it as it likes."""
    once = write_mark(write_mark(json.dumps(found), "search", other), "checkout", mark)
    again = json.dumps(json.loads(once), indent=1, sort_keys=True)
    assert read_mark(again, "checkout") == mark
    assert read_mark(again, "search") == other
    assert json.loads(write_mark(again, "checkout", mark)) == json.loads(once)


def test_the_mark_of_another_service_is_never_cut() -> None:
    """People's text goes first."""
    theirs = write_mark("", "billing", Mark(7, 1763874000123456))
    full = "z" * (MAX_DESCRIPTION - len(theirs) - 1) + f" {theirs}"
    after = write_mark(full, "checkout", MARK)
    assert len(after) <= MAX_DESCRIPTION
    assert read_mark(after, "billing") == Mark(7, 1763874000123456)
    assert read_mark(after, "checkout") == MARK


def test_marks_that_do_not_fit_are_refused_and_not_cut() -> None:
    marks = [f"failover epoch=1000000000 service=one-of-{n:02d} rev={10**15}" for n in range(60)]
    with pytest.raises(UnsafePlan) as told:
        write_mark(" ".join(marks), "checkout", MARK)
    assert told.value.rule == "marks"
    assert len(write_mark(" ".join(marks[:25]), "checkout", MARK)) <= MAX_DESCRIPTION


def test_room_for_a_freeze_is_kept_free() -> None:
    text = "x" * (MAX_DESCRIPTION - len(WRITTEN) - 1)
    assert is_cut(text, "checkout", MARK)
    tight = json.dumps({"a": "x" * 1950})
    after = write_mark(tight, "checkout", MARK)
    assert (json_object(after) is None) == (
        json_object(write_mark(tight, "checkout", MARK, frozen=1_800_000_000)) is None
    )
