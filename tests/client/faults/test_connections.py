"""An answer belongs to its request, and a connection is not used again after what was not read."""

from __future__ import annotations

import pytest

from tests.client.faults.modes import MODES, Mode, Pace
from tests.client.faults.proxy import well
from tests.client.faults.world import world
from tests.support.regional import EAST

pytestmark = [pytest.mark.world, pytest.mark.long]

ENDING = [mode for mode in MODES if mode.at is None and mode.pace is not Pace.ENDLESS]


@pytest.mark.parametrize("mode", ENDING, ids=str)
def test_the_next_answer_is_not_the_last_ones(mode: Mode) -> None:
    """One item is asked for while the region fails, and another one after that."""
    deadline, attempt, *_ = mode.pace.value
    with world(deadline, attempt) as made:
        for proxy in made.proxies.values():
            proxy.double.items = {key: {"pk": {"S": key}} for key in "ab"}
        assert made.read("b")["Item"] == {"pk": {"S": "b"}}
        made.turn(EAST, mode, executes=True)
        if not mode.own:
            assert made.read("a")["Item"] == {"pk": {"S": "a"}}
        made.proxies[EAST].act, made.proxies[EAST].early = well, False
        for key in "bab":
            assert made.read(key)["Item"] == {"pk": {"S": key}}
