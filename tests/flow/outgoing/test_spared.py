"""What a failover does not wait for ends in one line, whatever foreign code raises."""

from __future__ import annotations

import pytest

from orchestrator.core.exceptions import Unavailable
from orchestrator.flow.outgoing.spared import TEXT_CHARACTERS, spared
from tests.support.fakes import lab


class Mute(Exception):
    """An error of a library whose own text cannot be made."""

    def __str__(self) -> str:
        raise UnicodeError("no text")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Mute(), "Mute: its text is unavailable: UnicodeError"),
        (ValueError("\x1b[2J\u202e" * 1000), "ValueError: \\x1b[2J\\u202e"),
        (RecursionError("deep"), "RecursionError: deep"),
        (KeyError("id"), "KeyError: 'id'"),
        (Unavailable("refused"), "not affected. Cause: refused"),
    ],
)
def test_whatever_a_part_raises_is_one_short_line(error: Exception, said: str) -> None:
    world = lab()

    def fails() -> None:
        raise error

    assert not spared("journal not written", fails, world.context(), "checkout")
    (line,) = world.lines
    assert said in line["message"]
    assert len(line["message"]) <= TEXT_CHARACTERS
    assert (line["severity"], line["service"]) == ("ERROR", "checkout")
