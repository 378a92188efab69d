"""Hidden characters are shown as escapes, and a text that hides nothing is left as it is."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.outside.shown import HIDDEN, one_line, quoted, short, shown, visible
from tests.support.examples import examples

EVERYTHING = st.text(st.characters(exclude_categories=()), max_size=50)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("\x1b[2J\x9b31m", "\\x1b[2J\\x9b31m"),
        ("a\x00b\x7f", "a\\x00b\\x7f"),
        ("one\ntwo\r\tthree", "one\\ntwo\\r\\tthree"),
        ("\u2028\u2029\x85", "\\u2028\\u2029\\x85"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066\u2069\u200e\u200f\u061c", "\\u2066\\u2069\\u200e\\u200f\\u061c"),
        ("us\u200b-\u2060east\ufeff-1", "us\\u200b-\\u2060east\\ufeff-1"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("schön 日本 🜁 [bold] \\x1b", "schön 日本 🜁 [bold] \\x1b"),
    ],
)
def test_a_hidden_character_is_shown_as_its_escape(text: str, seen: str) -> None:
    assert shown(text) == seen


def test_every_control_surrogate_and_separator_is_hidden() -> None:
    """By Unicode's own table; of format characters all but those that belong to a script."""
    for code in range(0x110000):
        kind = unicodedata.category(chr(code))
        if kind in {"Cc", "Cs", "Zl", "Zp"} or (kind == "Cf" and not is_of_a_script(code)):
            assert HIDDEN.fullmatch(chr(code)), hex(code)


def is_of_a_script(code: int) -> bool:
    """Signs that are seen: Arabic numbers and the like, Kaithi, Egyptian quarters, shorthand."""
    name = unicodedata.name(chr(code), "")
    return code != 0x61C and name.startswith(("ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN"))


@given(text=EVERYTHING, longest=st.integers(0, 60))
@settings(max_examples=examples(200), deadline=None)
def test_what_is_shown_hides_nothing_and_is_shown_as_it_is(text: str, longest: int) -> None:
    once = shown(text)
    assert not HIDDEN.search(once)
    assert shown(once) == once
    assert len(once) <= 10 * len(text)
    for cut in (short(text, longest), one_line(text, longest)):
        assert len(cut) <= longest
        assert not HIDDEN.search(cut)
        assert short(cut, longest) == cut
    assert once.encode().decode() == once


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | EVERYTHING | st.binary(),
        lambda inner: (
            st.lists(inner) | st.tuples(inner) | st.dictionaries(st.integers() | EVERYTHING, inner)
        ),
        max_leaves=9,
    )
)
@settings(max_examples=examples(200), deadline=None)
def test_whatever_is_logged_is_json_that_every_reader_takes(value: object) -> None:
    text = json.dumps(visible(value), allow_nan=False)
    assert not HIDDEN.search(text)
    told = json.loads(text)
    assert visible(told) == told
    assert json.dumps(told, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("x" * 10**6, "'" + "x" * 60 + "'"),
        ("\x1b\u202e", "'\\x1b\\u202e'"),
        ([[[]]] * 10**5, "a list of 100000"),
        ({"a": 1}, "an object of 1 fields"),
        (10**4000, "a number of 13288 bits"),
        (-7, "-7"),
        (1.5, "1.5"),
        (True, "True"),
        (None, "None"),
        (b"x", "a bytes"),
    ],
)
def test_a_quoted_value_is_short_whatever_it_is(value: object, seen: str) -> None:
    assert quoted(value) == seen
