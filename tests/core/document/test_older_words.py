"""Reasons of older versions had two facts in their words alone."""

from __future__ import annotations

import pytest

from orchestrator.core.document import older_words


@pytest.mark.parametrize(
    ("value", "command"),
    [
        ("the switch to b, asked for by command c-12, is ended by this decision", "c-12"),
        ("a was fenced for 60 s; asked for by command c-1", "c-1"),
        ("the switch to b, asked for by automatic failback, is given up: late", ""),
        ("a takes no writes; the traffic goes to b soon after 05:01:00 UTC", ""),
    ],
)
def test_the_command_whose_switch_ended(value: str, command: str) -> None:
    assert older_words.command_of(value) == command


def test_a_refusal_that_a_human_took_back() -> None:
    assert older_words.was_overridden("probe: 503; overridden by alice (as claimed)")
    assert not older_words.was_overridden("up, probe: 200")
