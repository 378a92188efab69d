"""When a read may go to a second region: what is known of the first, and what may be spent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.client._calls.hedges import ENOUGH, KEPT, MOST_TOKENS, Estimate, Hedges
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from tests.support.regional import EAST, WEST, HeldSource

SECONDS = st.floats(0.001, 10.0)


@given(st.lists(SECONDS, max_size=ENOUGH - 1))
def test_too_few_answers_say_nothing(answers: list[float]) -> None:
    estimate = Estimate()
    for one in answers:
        estimate.add(one)
    assert estimate.p95 is None


@given(st.lists(SECONDS, min_size=ENOUGH, max_size=2 * KEPT))
def test_at_most_one_in_twenty_of_the_answers_took_longer_than_the_estimate(
    answers: list[float],
) -> None:
    estimate = Estimate()
    for one in answers[: len(answers) // 10 * 10]:
        estimate.add(one)
    newest = answers[: len(answers) // 10 * 10][-KEPT:]
    assert estimate.p95 is not None
    assert sum(one > estimate.p95 for one in newest) <= len(newest) / 20
    assert sum(one >= estimate.p95 for one in newest) >= len(newest) / 20


def test_an_estimate_forgets_what_is_old() -> None:
    estimate = Estimate()
    for seconds in [5.0] * KEPT + [0.01] * KEPT:
        estimate.add(seconds)
    assert estimate.p95 == 0.01


def test_each_region_and_operation_has_an_estimate_of_its_own() -> None:
    """A page of a scan takes longer than an item, and says nothing of items."""
    hedges = Hedges(1.0)
    hedges.begin()
    for _ in range(ENOUGH):
        hedges.measured(EAST, "scan", 0.5)
        hedges.measured(EAST, "get_item", 0.01)
    assert hedges.patience(EAST, "scan") == 0.5
    assert hedges.patience(EAST, "get_item") == 0.01
    assert hedges.patience(EAST, "query") is None
    assert hedges.patience(WEST, "get_item") is None


@given(st.floats(0.01, 1.0), st.lists(st.booleans(), max_size=400))
def test_no_more_than_the_share_of_reads_is_sent_twice(share: float, turns: list[bool]) -> None:
    """Whatever the order in which reads begin and are slow; and no more than that after a quiet
    time either."""
    hedges = Hedges(share)
    sent = 0
    for begins in turns:
        if begins:
            hedges.begin()
        else:
            sent += hedges.spend()
        assert sent <= hedges.reads * share + 1e-6
    assert hedges.asked == sent
    for _ in range(1000):
        hedges.begin()
    assert sum(hedges.spend() for _ in range(1000)) <= MOST_TOKENS


def test_what_found_no_thread_costs_nothing() -> None:
    hedges = Hedges(1.0)
    hedges.begin()
    assert hedges.spend()
    hedges.unspent()
    assert hedges.spend()
    assert hedges.stats() == {"reads": 1, "asked": 1, "won": 0, "no_room": 1}


def test_there_is_no_patience_without_a_token() -> None:
    """The read is not moved to a thread for nothing."""
    hedges = Hedges(0.5)
    for _ in range(ENOUGH):
        hedges.measured(EAST, "get_item", 0.01)
    hedges.begin()
    assert hedges.patience(EAST, "get_item") is None
    hedges.begin()
    assert hedges.patience(EAST, "get_item") == 0.01


@pytest.mark.parametrize("share", [True, -0.1, 1.5, math.nan])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"hedge=0\.05 for one in twenty"):
        MultiRegionDynamoDB(HeldSource(), hedge=share)
