"""What is said of a write is true: `not-sent` never lies, and nothing is counted twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from orchestrator.client.errors import RegionError, WriteUnknown
from orchestrator.local.process.wait import wait_until
from tests.client.faults.modes import DONE, MODES, UNKNOWN, Mode, Pace, marks, tried
from tests.client.faults.world import World, world
from tests.support.regional import EAST, PATIENCE

pytestmark = [pytest.mark.world, pytest.mark.long, pytest.mark.client]


def tries(modes: Iterable[Mode]) -> list[Any]:
    """Each mode in place of the execution, and after it where that makes sense."""
    return [
        pytest.param(
            mode,
            executed,
            id=f"{mode}, {'executed' if executed else 'not executed'}",
            marks=marks(mode),
        )
        for mode in modes
        for executed in (False, True)
        if not executed or (mode.executed and not mode.early and mode.at is None)
    ]


TRIED = tries(MODES)
PASSING = tries(
    mode
    for mode in MODES
    if mode.write == UNKNOWN and mode.at is None and mode.pace is not Pace.ENDLESS
)
"""What leaves a write unknown and may happen once."""


def said(made: World, key: str) -> str:
    """What an ADD comes to."""
    try:
        made.add(key)
    except RegionError as error:
        return str(error.outcome)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return DONE


def test_there_are_enough_ways_to_fail() -> None:
    assert len(TRIED) >= 35


@pytest.mark.parametrize(("mode", "executed"), TRIED)
def test_the_outcome_of_a_write_is_true(mode: Mode, executed: bool) -> None:
    *_, deadline, attempt = mode.pace.value
    with world(deadline, attempt, {EAST: mode}) as made:
        made.turn(EAST, mode, executes=executed)
        outcome = said(made, "n")
        assert outcome == mode.write
        assert made.done("n") == int(executed)


@pytest.mark.long
@pytest.mark.parametrize("mode", [one for one in MODES if one.at is None], ids=str)
def test_the_outcome_is_as_true_on_a_kept_connection(mode: Mode) -> None:
    *_, deadline, attempt = mode.pace.value
    executed = mode.executed and not mode.early
    with world(deadline, attempt) as made:
        made.read()
        made.turn(EAST, mode, executes=executed)
        assert said(made, "n") == mode.write
        assert made.done("n") == int(executed)


@pytest.mark.long
@pytest.mark.parametrize(("mode", "executed"), PASSING)
def test_a_write_that_is_safe_to_repeat_is_done_once(mode: Mode, executed: bool) -> None:
    """The region fails once. A condition that fails then may be our own first attempt's doing."""
    with world(30.0, max(mode.pace.value[1], 0.3)) as made:
        made.turn(EAST, mode, executes=executed, times=1)
        if executed:
            with pytest.raises(WriteUnknown):
                made.create("n")
        else:
            made.create("n")
        assert made.done("n") == 1


@pytest.mark.long
@pytest.mark.parametrize(("mode", "executed"), PASSING)
def test_a_transaction_is_repeated_and_done_once(mode: Mode, executed: bool) -> None:
    """The region knows it by its token, whatever it does."""
    with world(30.0, max(mode.pace.value[1], 0.3)) as made:
        made.turn(EAST, mode, executes=executed, times=1)
        made.transact("n")
        assert made.done("n") == 1


def test_writes_on_connections_that_end_while_nobody_uses_them_are_acknowledged() -> None:
    idle = next(mode for mode in MODES if mode.name == "closed while idle")
    with world(30.0, 10.0) as made:
        made.turn(EAST, idle, executes=True)
        for number in range(1, 6):
            assert said(made, "n") == DONE
            assert made.done("n") == number
            wait_until(lambda: not made.proxies[EAST].connected, PATIENCE, "the end of it")


@pytest.mark.parametrize(
    "mode", tried(*(one for one in MODES if one.pace is Pace.AGAIN and not one.at))
)
def test_a_write_that_is_not_taken_for_the_moment_is_tried_again(mode: Mode) -> None:
    """Throttled, or in conflict with another region's write (MRSC): nothing was written."""
    with world(30.0, 10.0) as made:
        made.turn(EAST, mode, times=1)
        assert said(made, "n") == DONE
        assert made.done("n") == made.proxies[EAST].double.done["n"] == 1
