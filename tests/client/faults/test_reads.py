"""No read fails that had a healthy region and three seconds, whatever the other regions do."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.faults.modes import MODES, Mode, Pace, tried
from tests.client.faults.world import ITEM, world
from tests.support.examples import examples
from tests.support.regional import EAST, EUROPE, REGIONS, WEST

pytestmark = [pytest.mark.world, pytest.mark.long, pytest.mark.client]

OTHERS = [mode for mode in MODES if not mode.own]
FOURTH = "ap-south-1"
SILENT = next(mode for mode in MODES if mode.name == "stalls before the answer")
OWN = [mode for mode in MODES if mode.own]


def test_there_are_enough_ways_to_fail() -> None:
    assert len(OTHERS) >= 45
    assert len({mode.name for mode in MODES}) == len(MODES)


@pytest.mark.parametrize("mode", tried(*OTHERS))
def test_a_read_is_answered_while_home_fails(mode: Mode) -> None:
    """Six times: the breaker of home opens with the fifth."""
    deadline, attempt, *_ = mode.pace.value
    with world(deadline, attempt, {EAST: mode}) as made:
        for _ in range(1 if mode.pace is Pace.ENDLESS else 6):
            assert made.read()["Item"] == ITEM


@pytest.mark.parametrize("mode", OWN, ids=str)
def test_what_is_the_requests_own_fault_is_told_as_the_region_tells_it(mode: Mode) -> None:
    """Another region would say the same. It is not asked."""
    with world(30.0, 10.0, {EAST: mode}) as made:
        with pytest.raises(ClientError) as raised:
            made.read()
        assert raised.value.response["Error"]["Code"] == mode.write
        assert not made.proxies[WEST].double.asked


@pytest.mark.long
@pytest.mark.parametrize("mode", [one for one in OTHERS if one.pace is not Pace.ENDLESS], ids=str)
def test_a_read_is_answered_while_two_regions_fail_alike(mode: Mode) -> None:
    deadline, attempt, *_ = mode.pace.value
    with world(deadline, attempt, {EAST: mode, WEST: mode}) as made:
        for _ in range(6):
            assert made.read()["Item"] == ITEM


@pytest.mark.long
@pytest.mark.client
@pytest.mark.timeout(600)
@settings(max_examples=examples(400))
@given(one=st.sampled_from(OTHERS), other=st.sampled_from(OTHERS), well=st.integers(0, 2))
def test_a_read_is_answered_while_any_two_regions_fail(one: Mode, other: Mode, well: int) -> None:
    """The client's own three seconds, where a failure takes time."""
    endless = Pace.ENDLESS in (one.pace, other.pace)
    others = [name for name in REGIONS if name != REGIONS[well]]
    faulty = dict(zip(others, (one, other), strict=True))
    with world(3.0, 1.0 if endless else 0.1, faulty) as made:
        for _ in range(1 if endless else 6):
            assert made.read()["Item"] == ITEM


@pytest.mark.parametrize("healthy", [EAST, EUROPE, FOURTH])
def test_one_of_four_regions_answers_while_three_are_silent(healthy: str) -> None:
    """Home, or one that comes late."""
    four = (*REGIONS, FOURTH)
    silent = {name: SILENT for name in four if name != healthy}
    with world(3.0, 0.1, silent, regions=four) as made:
        for _ in range(6):
            assert made.read()["Item"] == ITEM
