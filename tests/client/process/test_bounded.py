"""Work that may hang: whoever asks stops waiting, and what hangs does not pile up."""

from __future__ import annotations

import threading

from orchestrator.client._process.bounded import MOST, PLACES, Lane, NotInTime, gather


class Work:
    """Work that hangs until it may go on; started counts how often it was begun."""

    def __init__(self) -> None:
        self.going_on = threading.Event()
        self.started = 0
        self.ended = threading.Semaphore(0)

    def __call__(self) -> int:
        self.started += 1
        self.going_on.wait()
        self.ended.release()
        return 7


def test_each_lane_says_what_it_came_to() -> None:
    error = ValueError("no")

    def fail() -> int:
        raise error

    lanes = {"a": Lane("a", lambda: 1), "b": Lane("b", fail)}
    assert gather(lanes, 5) == {"a": 1, "b": error}
    assert gather({}, 5) == {}


def test_what_hangs_is_given_up_on_and_begun_again_only_as_long_as_there_are_places() -> None:
    work = Work()
    lane = Lane("work", work)
    results = [gather({"work": lane}, 0.01)["work"] for _ in range(5)]
    assert all(isinstance(result, NotInTime) for result in results)
    assert work.started == PLACES
    work.going_on.set()
    for _ in range(PLACES):
        assert work.ended.acquire(timeout=30)
    while isinstance(gather({"work": lane}, 5)["work"], NotInTime):
        pass  # a thread is just about to leave its place
    assert work.started > PLACES


def test_what_hangs_for_long_is_written_off_and_there_is_an_end_to_that() -> None:
    work = Work()
    lane = Lane("work", work, written_off=0.0)
    for _ in range(MOST + 5):
        assert isinstance(gather({"work": lane}, 0.001)["work"], NotInTime)
    assert work.started == MOST
    work.going_on.set()


def test_one_lane_that_hangs_does_not_hold_up_another() -> None:
    work = Work()
    found = gather({"hangs": Lane("hangs", work), "well": Lane("well", lambda: 1)}, 0.1)
    work.going_on.set()
    assert found["well"] == 1
    assert isinstance(found["hangs"], NotInTime)
