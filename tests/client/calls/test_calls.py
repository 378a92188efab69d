"""Where calls go, when they go on to another region, and what is said when they fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ProxyConnectionError
from botocore.parsers import ResponseParserError
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.client._calls.call import Clock, OnStale, Options, Settings
from orchestrator.client._calls.calls import Calls
from orchestrator.client._calls.looks import Looks
from orchestrator.client._calls.routed import PageKey
from orchestrator.client._calls.routing import Consistency, ServiceMode
from orchestrator.client._regions import attempt
from orchestrator.client._regions.regions import Regions
from orchestrator.client.errors import (
    NoHealthyRegion,
    Outcome,
    RegionError,
    StaleDocument,
    WriteRefused,
    WriteUnknown,
)
from tests.support.examples import examples
from tests.support.regional import (
    EAST,
    EUROPE,
    PATIENCE,
    REGIONS,
    WEST,
    Direct,
    FakeDynamo,
    FakeSession,
    FakeTime,
    HeldSource,
    PromptView,
    answer,
    document,
    refused,
    timed_out,
)

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
KEY = {"Key": {"pk": "a"}}
UPDATE = {**KEY, "UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": 1}}
STALENESS = 1000.0
ASIA = "ap-south-1"
TWO = {name: f"dynamodb.{name}.amazonaws.com" for name in (EAST, WEST)}
FOUR = {name: f"dynamodb.{name}.amazonaws.com" for name in (*REGIONS, ASIA)}
CONDITION = {"ConditionExpression": "attribute_not_exists(pk)"}


@dataclass
class Lab:
    """A client over fake regions, with a document and a time that are set by hand."""

    source: HeldSource
    time: FakeTime
    view: PromptView
    session: FakeSession
    calls: Calls
    now: datetime = NOW

    def __getitem__(self, region: str) -> FakeDynamo:
        return self.session.dynamo[region]

    @property
    def client(self) -> Any:
        return Direct(self.calls, Options(deadline=0.6))

    @property
    def table(self) -> Any:
        return Direct(self.calls, Options(deadline=0.6), "orders")

    def publish(self, body: bytes) -> None:
        """Change the document; the view has not looked yet."""
        self.source.body = body

    def see(self, body: bytes) -> None:
        """Change the document, and have the view look."""
        self.publish(body)
        assert self.view.refresh(PATIENCE)


def lab(
    home: str | None = WEST, mode: ServiceMode = ServiceMode.ACTIVE_PASSIVE, **settings: Any
) -> Iterator[Lab]:
    source, time = HeldSource(document()), FakeTime()
    view = PromptView(source, time, interval=100.0, max_staleness=STALENESS)
    assert view.start().wait_first(PATIENCE)
    session, clock = FakeSession(), Clock(time.monotonic, time.rest)
    regions = Regions(lambda: cast("Any", session), monotonic=time.monotonic)
    own = Settings(home, mode, **({"attempt": 0.2} | settings))
    made: list[Lab] = []
    calls = Calls(view, regions, own, lambda: made[0].now, clock)
    made.append(Lab(source, time, view, session, calls))
    try:
        yield made[0]
    finally:
        source.going_on.set()
        view.close()


@pytest.fixture
def passive() -> Iterator[Lab]:
    """Active-passive, the primary in the east, home in the west."""
    yield from lab()


@pytest.fixture
def active() -> Iterator[Lab]:
    """Active-active, home in the west."""
    yield from lab(mode=ServiceMode.ACTIVE_ACTIVE)


# --- where calls go


def test_reads_go_home_and_writes_to_the_primary(passive: Lab) -> None:
    assert passive.table.get_item(**KEY) == {"region": WEST}
    assert passive.table.put_item(Item={"pk": "a"}) == {"region": EAST}
    assert passive[EAST].calls == [("put_item", {"TableName": "orders", "Item": {"pk": "a"}})]


def test_a_consistent_read_goes_where_the_writes_go(passive: Lab) -> None:
    assert passive.table.get_item(**KEY, ConsistentRead=True) == {"region": EAST}
    assert passive.client.transact_get_items(TransactItems=[]) == {"region": EAST}
    wanted = {"orders": {"Keys": [], "ConsistentRead": True}}
    assert passive.client.batch_get_item(RequestItems=wanted) == {"region": EAST}


def test_in_active_active_mode_reads_and_writes_are_at_home(active: Lab) -> None:
    assert active.table.update_item(**UPDATE) == {"region": WEST}
    assert active.table.get_item(**KEY, ConsistentRead=True) == {"region": WEST}


def test_a_home_that_is_down_is_left_by_reads_and_by_active_active_writes(active: Lab) -> None:
    active.see(document(2, down=[WEST]))
    assert active.table.get_item(**KEY) == {"region": EAST}
    assert active.table.put_item(Item={}) == {"region": EAST}


def test_writes_follow_the_primary(passive: Lab) -> None:
    passive.see(document(2, WEST, down=[EAST]))
    assert passive.table.delete_item(**KEY) == {"region": WEST}


def test_without_a_home_reads_go_to_the_primary() -> None:
    for one in lab(home=None):
        assert one.table.get_item(**KEY) == {"region": EAST}


def test_a_home_that_is_no_region_of_the_document_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A Google Cloud region in its place, perhaps; calls go on as without a home."""
    for one in lab(home="us-east4"):
        assert one.table.get_item(**KEY) == {"region": EAST}
        one.see(document(2))
        assert one.table.get_item(**KEY) == {"region": EAST}
    (record,) = [line for line in caplog.records if "home='us-east4'" in line.getMessage()]
    assert record.levelname == "ERROR"
    assert f"({EAST}, {WEST}, " in record.getMessage()


# --- reads go on


@pytest.mark.parametrize(
    "failure", [refused(), timed_out(), answer("InternalServerError", 500), answer("X", 503)]
)
def test_a_read_goes_on_to_the_next_region(passive: Lab, failure: Exception) -> None:
    passive[WEST].fails = [failure]
    assert passive.table.get_item(**KEY) == {"region": EAST}


def test_a_read_that_a_throttled_home_refuses_goes_on_too(passive: Lab) -> None:
    passive[WEST].fails = [answer("ThrottlingException", 400)]
    assert passive.table.get_item(**KEY) == {"region": EAST}


@pytest.mark.parametrize(
    "odd",
    [
        answer("AccessDeniedException", 400),
        answer("MissingAuthenticationTokenException", 400),
        answer("RequestTimeTooSkewed", 403),
        answer("413", 413),
        answer("NobodyHasHeardOfThis", 400),
    ],
)
def test_a_read_goes_on_after_every_answer_that_is_not_its_own_fault(
    passive: Lab, odd: Exception
) -> None:
    passive[WEST].fails = [odd]
    assert passive.table.get_item(**KEY) == {"region": EAST}


def test_what_cannot_be_read_after_sending_is_unknown(passive: Lab) -> None:
    """Whatever the parser raises: a write may have been executed, and a read goes on."""
    passive[EAST].before = passive[WEST].before = attempt.sending
    passive[EAST].fails = [ValueError("invalid literal")]
    with pytest.raises(WriteUnknown, match="it may have been written") as caught:
        passive.table.put_item(Item={"pk": "a"})
    assert isinstance(caught.value.__cause__, ResponseParserError)
    passive[WEST].fails = [KeyError("TableName")]
    assert passive.table.get_item(**KEY) == {"region": EAST}


def test_what_is_wrong_before_sending_is_told_as_it_is(passive: Lab) -> None:
    passive[EAST].fails = [ValueError("no such parameter")]
    with pytest.raises(ValueError, match="no such parameter"):
        passive.table.put_item(Item={"pk": "a"})


def test_what_the_region_answers_is_the_callers(passive: Lab) -> None:
    passive[WEST].fails = [answer("ValidationException", 400)]
    with pytest.raises(ClientError, match="ValidationException"):
        passive.table.get_item(**KEY)
    assert not passive[EAST].calls


def test_when_all_regions_fail_the_error_says_what_each_said(passive: Lab) -> None:
    for region in REGIONS:
        passive[region].always = refused()
    with pytest.raises(NoHealthyRegion, match="us-west-2: no connection") as caught:
        passive.table.get_item(**KEY)
    assert isinstance(caught.value, ConnectionError)
    assert caught.value.outcome is None
    assert {region for region, _ in caught.value.tried} == set(REGIONS)


def test_a_consistent_read_does_not_pretend(passive: Lab) -> None:
    passive[EAST].always = refused()
    with pytest.raises(NoHealthyRegion, match="Without ConsistentRead another region"):
        passive.table.get_item(**KEY, ConsistentRead=True)
    assert not passive[WEST].calls


def test_a_consistent_read_may_be_allowed_to_fall_back() -> None:
    for one in lab(consistent_fallback=True):
        one[EAST].always = refused()
        assert one.table.get_item(**KEY, ConsistentRead=True) == {"region": WEST}


def test_with_strong_consistency_any_region_reads_consistently() -> None:
    for one in lab(consistency=Consistency.MRSC):
        assert one.table.get_item(**KEY, ConsistentRead=True) == {"region": WEST}


def test_a_region_whose_breaker_is_open_is_not_asked(passive: Lab) -> None:
    passive[WEST].always = timed_out()
    for _ in range(5):
        passive.table.get_item(**KEY)
    asked = len(passive[WEST].calls)
    assert passive.table.get_item(**KEY) == {"region": EAST}
    assert len(passive[WEST].calls) == asked == 5


def test_no_read_fails_while_home_throttles_a_share_and_the_others_are_dead() -> None:
    """Two regions, the standby dead, and home throttles 15 of 100 calls."""
    for one in lab():
        one.see(document(2, endpoints=TWO))
        one[EAST].always = refused()
        throttled = iter(range(10_000))
        limit = answer("ThrottlingException", 400, "TableReadAccountLimitExceeded")
        one[WEST].when = lambda *_: limit if next(throttled) % 20 in (0, 7, 13) else None  # noqa: B023  # used within the turn
        table = one.table.options(deadline=3)
        for number in range(200):
            key = {"pk": str(number)}
            assert table.get_item(Key=key) == {"region": WEST}
            assert table.query()
            assert table.scan()
        one[EAST].always, one[WEST].always = None, refused()  # and all that, seen from the primary
        assert table.get_item(**KEY, ConsistentRead=True) == {"region": EAST}


def test_a_read_asks_regions_that_answer_nothing_last_and_once(passive: Lab) -> None:
    """They may have come back a moment ago: nobody is refused by hearsay."""
    for region in REGIONS:
        passive[region].always = refused()
    for _ in range(5):
        with pytest.raises(NoHealthyRegion):
            passive.table.get_item(**KEY)
    asked = {region: len(passive[region].calls) for region in REGIONS}
    with pytest.raises(NoHealthyRegion):
        passive.table.get_item(**KEY)
    assert all(len(passive[region].calls) - asked[region] <= 2 for region in REGIONS)
    passive[EUROPE].always = None
    assert passive.table.get_item(**KEY) == {"region": EUROPE}


def test_a_consistent_read_is_not_refused_by_a_breaker(passive: Lab) -> None:
    passive[EAST].always = refused()
    for _ in range(5):
        with pytest.raises(NoHealthyRegion):
            passive.table.get_item(**KEY, ConsistentRead=True)
    passive[EAST].always = None
    assert passive.table.get_item(**KEY, ConsistentRead=True) == {"region": EAST}


POISON = {"pk": "poison"}


def poisonous(_operation: str, kwargs: dict[str, Any]) -> Exception | None:
    """A 500 for one item, whatever is done with it."""
    return answer("InternalServerError", 500) if kwargs.get("Key") == POISON else None


@settings(deadline=None, max_examples=examples(40))
@given(
    turns=st.lists(st.booleans(), min_size=1, max_size=40), mode=st.sampled_from(list(ServiceMode))
)
def test_one_item_that_fails_everywhere_takes_no_healthy_call_along(
    turns: list[bool], mode: ServiceMode
) -> None:
    """Whatever share of the calls is for it, in whatever order: no other read or write fails, each
    is answered where it would be without it, and no breaker opens."""
    for one in lab(mode=mode):
        for region in REGIONS:
            one[region].when = poisonous
        writer = WEST if mode is ServiceMode.ACTIVE_ACTIVE else EAST
        change: Any = {"UpdateExpression": "ADD n :one"}
        for number, is_poison in enumerate(turns):
            if is_poison:
                with pytest.raises(NoHealthyRegion):
                    one.table.get_item(Key=POISON)
                with pytest.raises(WriteUnknown):
                    one.table.update_item(
                        Key=POISON, ExpressionAttributeValues={":one": number}, **change
                    )
            else:
                key = {"pk": str(number)}
                assert one.table.get_item(Key=key) == {"region": WEST}
                assert one.table.update_item(Key=key, **change) == {"region": writer}
        assert {region.breakers.state for region in one.calls._regions.all()} == {"closed"}


@pytest.mark.parametrize("failure", [answer("InternalServerError", 500), timed_out(), refused()])
def test_a_region_that_fails_everything_is_left_after_five_calls(
    active: Lab, failure: Exception
) -> None:
    """Reads of one item or of many, and writes of different items."""
    active[WEST].always = failure
    for _ in range(10):
        assert active.table.get_item(**KEY) == {"region": EAST}
    assert active[WEST].asked.count("get_item") == 5
    for number in range(10):
        try:
            active.table.update_item(Key={"pk": str(number)}, UpdateExpression="ADD n :one")
        except WriteUnknown:
            assert number < 5  # an unsafe write is not repeated
    assert active[WEST].asked.count("update_item") <= 5


def test_writes_that_hang_leave_a_region_whose_reads_are_well(active: Lab) -> None:
    active[WEST].when = lambda operation, _: timed_out() if operation == "put_item" else None
    unknown = 0
    for number in range(20):
        try:
            active.table.put_item(Item={"pk": str(number)})
        except WriteUnknown:
            unknown += 1
        assert active.table.get_item(Key={"pk": str(number)}) == {"region": WEST}
    assert unknown == 5
    assert active[EAST].asked == ["put_item"] * 15


def test_a_read_with_four_regions_three_of_them_silent_is_answered_in_time() -> None:
    """The silent ones leave the fourth its share; so they do with whatever order and deadline."""
    for deadline in (0.15, 0.5, 3.0):
        for one in lab(attempt=1.0):
            one.see(document(2, endpoints=FOUR))
            for region in (WEST, EAST, EUROPE):
                one[region].before = lambda: _silent(one)  # noqa: B023  # used within the turn
                one[region].always = timed_out()
            began = one.time.at
            table = one.table.options(deadline=deadline)
            assert table.get_item(**KEY) == {"region": ASIA}
            assert one.time.at - began <= deadline + 1e-6


def _silent(one: Lab) -> None:
    """A region says nothing until the attempt is given up."""
    one.time.rest(min(1.0, attempt.seconds() or 1.0))


def test_an_answer_that_comes_late_counts_against_the_region(passive: Lab) -> None:
    passive[WEST].before = lambda: passive.time.rest(0.3)  # an attempt takes 0.2 at most
    table = passive.table.options(deadline=3)
    for number in range(5):
        assert table.get_item(Key={"pk": str(number)}) == {"region": WEST}
    assert table.get_item(**KEY) == {"region": EAST}


def test_a_read_ends_within_its_deadline(passive: Lab) -> None:
    """But for a region not asked before, which may be begun a moment before the end."""
    for region in REGIONS:
        passive[region].always = timed_out()
        passive[region].before = lambda: passive.time.rest(0.2)
    began = passive.time.at
    with pytest.raises(NoHealthyRegion):
        passive.table.get_item(**KEY)
    assert passive.time.at - began < 0.7  # the deadline is 0.6, an attempt takes 0.2
    assert sum(len(passive[region].calls) for region in REGIONS) == 3


# --- pages


def test_pages_continue_in_the_region_where_they_began(passive: Lab) -> None:
    first = passive.table.query()
    assert first["LastEvaluatedKey"] == {"page": 1}
    passive.see(document(2, EUROPE, down=[WEST]))  # reads would begin elsewhere now
    second = passive.table.query(ExclusiveStartKey=first["LastEvaluatedKey"])
    assert second["Items"] == [{"region": WEST, "page": 1}]
    plain = passive.table.query(ExclusiveStartKey=dict(first["LastEvaluatedKey"]))
    assert plain["Items"] == [{"region": EUROPE, "page": 1}]


def test_all_pages_come_from_one_region_unless_it_is_lost(passive: Lab) -> None:
    pages = passive.table.pages("scan")
    seen = [next(pages)["Items"][0]]
    passive[WEST].always = refused()
    seen += [page["Items"][0] for page in pages]
    assert [item["region"] for item in seen] == [WEST, EAST, EAST]
    assert [item["page"] for item in seen] == [0, 1, 2]


def test_a_page_key_is_a_key() -> None:
    assert PageKey({"pk": "a"}, EAST) == {"pk": "a"}


# --- writes


def test_a_write_that_was_not_sent_is_sent_where_the_document_now_points(passive: Lab) -> None:
    passive[EAST].always = refused()
    passive.publish(document(2, WEST, down=[EAST]))  # not yet seen: the client looks by itself
    assert passive.table.update_item(**UPDATE) == {"region": WEST}


def test_an_unsafe_write_with_an_unknown_outcome_is_not_repeated(passive: Lab) -> None:
    passive[EAST].fails = [timed_out()]
    passive.publish(document(2, WEST, down=[EAST]))
    with pytest.raises(WriteUnknown, match="it may have been written") as caught:
        passive.table.update_item(**UPDATE)
    assert caught.value.outcome is Outcome.UNKNOWN
    assert str(caught.value.outcome) == "unknown"
    assert len(passive[EAST].calls) == 1
    assert not passive[WEST].calls


@pytest.mark.parametrize("safe", ["conditional", "declared"])
def test_a_safe_write_is_repeated_in_the_new_primary(passive: Lab, safe: str) -> None:
    passive[EAST].always = timed_out()
    passive.publish(document(2, WEST, down=[EAST]))
    declared = safe == "declared"
    table = passive.table.options(idempotent=True) if declared else passive.table
    given = {} if declared else CONDITION
    assert table.put_item(Item={"pk": "a"}, **given) == {"region": WEST}


def test_a_condition_that_fails_after_an_unknown_attempt_stays_unknown(passive: Lab) -> None:
    """It may be our own first attempt that makes the condition fail."""
    passive[EAST].fails = [timed_out(), answer("ConditionalCheckFailedException", 400)]
    with pytest.raises(WriteUnknown, match="our own first attempt"):
        passive.table.put_item(Item={"pk": "a"}, **CONDITION)


def test_a_condition_that_fails_at_once_is_the_callers(passive: Lab) -> None:
    passive[EAST].fails = [answer("ConditionalCheckFailedException", 400)]
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        passive.table.put_item(Item={"pk": "a"}, **CONDITION)


def test_a_write_that_nobody_took_says_not_sent(passive: Lab) -> None:
    passive[EAST].always = refused()
    with pytest.raises(NoHealthyRegion, match="You can safely repeat it") as caught:
        passive.table.put_item(Item={})
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not passive[WEST].calls
    assert not passive[EUROPE].calls


def test_once_unknown_a_safe_write_stays_unknown(passive: Lab) -> None:
    """A refused second attempt does not take the first one back."""
    passive[EAST].fails = [timed_out()]
    passive[EAST].always = refused()
    with pytest.raises(WriteUnknown):
        passive.table.put_item(Item={"pk": "a"}, **CONDITION)


def test_a_throttled_write_is_tried_again_in_the_same_region(passive: Lab) -> None:
    passive[EAST].fails = [answer("ProvisionedThroughputExceededException", 400)] * 2
    assert passive.table.options(deadline=10).put_item(Item={}) == {"region": EAST}
    assert len(passive[EAST].calls) == 3


HOT = answer("ProvisionedThroughputExceededException", 400, "TableWriteKeyRangeThroughputExceeded")


@pytest.mark.parametrize(
    "limit",
    [
        HOT,
        answer("ThrottlingException", 400, "IndexWriteKeyRangeThroughputExceeded"),
        answer("ThrottlingException", 400, "TableWriteMaxOnDemandThroughputExceeded"),
        answer("ThrottlingException", 400, "TableWriteProvisionedThroughputExceeded"),
        answer("ProvisionedThroughputExceededException", 400),
    ],
)
def test_a_hot_key_moves_no_write_of_another_key(active: Lab, limit: Exception) -> None:
    """It waits in its region, and the region is as good as ever for everything else."""
    active[WEST].when = lambda _, kwargs: limit if kwargs["Key"] == {"pk": "hot"} else None
    for number in range(70):
        with pytest.raises(ClientError):
            active.table.update_item(Key={"pk": "hot"}, UpdateExpression="ADD n :one")
        cold = {"pk": f"cold#{number % 3}"}
        assert active.table.update_item(Key=cold, UpdateExpression="ADD n :one") == {"region": WEST}
    assert not active[EAST].calls


@pytest.mark.parametrize(
    "limit",
    [
        answer("RequestLimitExceeded", 400),
        answer("ThrottlingException", 400),
        answer("ThrottlingException", 400, "TableWriteAccountLimitExceeded"),
        answer(
            "ProvisionedThroughputExceededException",
            400,
            "TableWriteKeyRangeThroughputExceeded",
            "TableWriteAccountLimitExceeded",
        ),
        answer("ThrottlingException", 400, "SomethingNew"),
    ],
)
def test_the_accounts_limit_counts_against_the_region(active: Lab, limit: Exception) -> None:
    active[WEST].always = limit
    for _ in range(5):
        try:
            active.table.put_item(Item={"pk": "a"})
        except ClientError:
            continue
    assert active.table.put_item(Item={"pk": "a"}) == {"region": EAST}


def test_a_throttled_write_waits_for_its_region_and_goes_to_no_other(active: Lab) -> None:
    active[WEST].fails = [HOT] * 3
    assert active.table.options(deadline=10).put_item(Item={"pk": "a"}) == {"region": WEST}
    assert not active[EAST].calls


def test_the_reason_for_throttling_is_told(passive: Lab) -> None:
    for region in REGIONS:
        passive[region].always = HOT
    with pytest.raises(NoHealthyRegion, match="TableWriteKeyRangeThroughputExceeded"):
        passive.table.get_item(**KEY)


def test_throttling_that_outlasts_the_deadline_is_the_callers(passive: Lab) -> None:
    passive[EAST].always = answer("ThrottlingException", 400)
    with pytest.raises(ClientError, match="ThrottlingException"):
        passive.table.put_item(Item={})
    assert not passive[WEST].calls


def test_throttled_writes_are_never_refused_by_the_breaker(passive: Lab) -> None:
    """With no other region to go to, a share of service is better than none."""
    passive[EAST].fails = [answer("ThrottlingException", 400)] * 6
    for _ in range(3):
        passive.table.options(deadline=10).put_item(Item={})
    assert passive[EAST].asked.count("put_item") == 9


def test_a_dead_primary_refuses_writes_at_once(passive: Lab) -> None:
    passive[EAST].always = refused()
    for _ in range(5):
        with pytest.raises(NoHealthyRegion):
            passive.table.put_item(Item={})
    asked = len(passive[EAST].calls)
    with pytest.raises(NoHealthyRegion, match="breaker open") as caught:
        passive.table.put_item(Item={})
    assert caught.value.outcome is Outcome.NOT_SENT
    assert len(passive[EAST].calls) <= asked + 1


def test_an_active_active_write_that_was_not_sent_goes_to_the_next_region(active: Lab) -> None:
    active[WEST].always = refused()
    for _ in range(5):
        try:
            active.table.put_item(Item={})
        except NoHealthyRegion as error:
            assert error.outcome is Outcome.NOT_SENT  # noqa: PT017  # either is right
    assert active.table.put_item(Item={}) == {"region": EAST}


def test_an_active_active_write_asks_every_region_before_one_twice(active: Lab) -> None:
    active[WEST].always = refused()
    assert active.table.put_item(Item={}) == {"region": EAST}
    assert len(active[WEST].calls) == 1


@pytest.mark.parametrize(
    ("expression", "condition", "repeated"),
    [
        ("SET total = :t, version = :new", "version = :old", True),
        ("SET total = :t, version = :new", "balance >= :old", False),
        ("SET previous = version, version = :new", "version = :old", False),
        ("ADD n :new", "attribute_exists(pk)", False),
    ],
)
def test_a_conditional_update_is_repeated_only_if_it_makes_its_own_condition_false(
    passive: Lab, expression: str, condition: str, repeated: bool
) -> None:
    """`balance >= :a` is still true after the first of two withdrawals."""
    passive[EAST].fails = [timed_out()]
    values = {":old": 1, ":new": 2, ":t": "total"}
    update = {
        **KEY,
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
    }
    if repeated:
        assert passive.table.update_item(**update) == {"region": EAST}
    else:
        with pytest.raises(WriteUnknown):
            passive.table.update_item(**update)
    assert len(passive[EAST].calls) == 1 + repeated


def test_a_conditional_delete_is_not_repeated_unless_it_is_declared(passive: Lab) -> None:
    passive[EAST].fails = [timed_out()]
    delete = {**KEY, "ConditionExpression": "attribute_exists(pk)"}
    with pytest.raises(WriteUnknown):
        passive.table.delete_item(**delete)
    passive[EAST].fails = [timed_out()]
    assert passive.table.options(idempotent=True).delete_item(**delete) == {"region": EAST}


def test_an_empty_condition_is_none(passive: Lab) -> None:
    passive[EAST].fails = [timed_out()]
    with pytest.raises(WriteUnknown):
        passive.table.put_item(Item={}, Expected={})


COUNTING: Any = {
    "TransactItems": [
        {
            "Update": {
                "UpdateExpression": "ADD n :one",
                "ConditionExpression": "attribute_exists(pk)",
            }
        }
    ]
}


def test_a_transaction_is_repeated_with_its_token_where_it_was_sent(passive: Lab) -> None:
    """DynamoDB executes a token once, in the region that knows it."""
    passive[EAST].fails = [timed_out()]
    assert passive.client.transact_write_items(**COUNTING) == {"region": EAST}
    first, second = (kwargs["ClientRequestToken"] for _, kwargs in passive[EAST].calls)
    assert first == second


def test_a_transactions_token_says_nothing_in_another_region(passive: Lab) -> None:
    passive[EAST].fails = [timed_out()]
    passive.publish(document(2, WEST, down=[EAST]))
    with pytest.raises(WriteUnknown, match="safe only where it was sent"):
        passive.client.transact_write_items(**COUNTING)
    assert not passive[WEST].calls


def test_a_transaction_keeps_the_token_that_it_was_given(passive: Lab) -> None:
    passive.client.transact_write_items(**COUNTING, ClientRequestToken="mine")
    [(_, kwargs)] = passive[EAST].calls
    assert kwargs["ClientRequestToken"] == "mine"


def test_a_transaction_that_makes_its_conditions_false_is_repeated_anywhere(passive: Lab) -> None:
    passive[EAST].fails = [timed_out()]
    passive.publish(document(2, WEST, down=[EAST]))
    put = {"Put": {"Item": {"pk": "a"}, **CONDITION}}
    assert passive.client.transact_write_items(TransactItems=[put]) == {"region": WEST}


def test_a_proxy_that_breaks_off_says_nothing_about_the_request(passive: Lab) -> None:
    """urllib3 raises the same whether or not the request went through it."""
    passive[EAST].fails = [ProxyConnectionError(proxy_url="http://proxy")]
    with pytest.raises(WriteUnknown):
        passive.table.update_item(**UPDATE)


def test_what_ends_a_later_attempt_does_not_take_an_unknown_one_back(passive: Lab) -> None:
    passive[EAST].fails = [timed_out(), NoCredentialsError()]
    with pytest.raises(WriteUnknown, match="Unable to locate credentials"):
        passive.table.put_item(Item={"pk": "a"}, **CONDITION)


def test_a_region_that_knows_us_no_more_is_left_by_reads(passive: Lab) -> None:
    passive[WEST].always = answer("UnrecognizedClientException", 400)
    assert passive.table.get_item(**KEY) == {"region": EAST}
    for region in REGIONS:
        passive[region].always = answer("ResourceNotFoundException", 400)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        passive.table.get_item(**KEY)


def test_a_read_that_all_regions_deny_says_what_home_said(passive: Lab) -> None:
    """As boto3 does, which asks no other region: a missing index is named by home's words."""
    for region in REGIONS:
        passive[region].always = answer("AccessDeniedException", 400)
    passive[WEST].always = answer("ResourceNotFoundException", 400)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        passive.table.get_item(**KEY)


def test_a_deadline_shorter_than_an_attempt_still_reaches_another_region(passive: Lab) -> None:
    passive[WEST].always = refused()
    for _ in range(10):
        assert passive.table.options(deadline=0.15).get_item(**KEY) == {"region": EAST}


def test_consistent_reads_are_not_refused_while_the_primary_throttles_a_share(
    passive: Lab,
) -> None:
    passive[EAST].fails = [answer("ThrottlingException", 400)] * 6
    table = passive.table.options(deadline=10)
    for _ in range(5):
        assert table.get_item(**KEY, ConsistentRead=True) == {"region": EAST}


# --- the fence


def test_a_fenced_primary_takes_no_writes(passive: Lab) -> None:
    passive.see(document(2, fenced={EAST: NOW + timedelta(seconds=40)}))
    with pytest.raises(WriteRefused, match=r"no writes to us-east-1 before") as caught:
        passive.table.put_item(Item={})
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not passive[EAST].calls
    assert passive.table.get_item(**KEY) == {"region": WEST}


def test_the_document_is_read_once_more_before_a_write_is_refused(passive: Lab) -> None:
    passive.see(document(2, fenced={EAST: NOW + timedelta(seconds=40)}))
    asked = passive.source.asked
    passive.publish(document(3, WEST))
    assert passive.table.put_item(Item={}) == {"region": WEST}
    assert passive.source.asked == asked + 1


def test_a_fence_ends_by_its_time(passive: Lab) -> None:
    passive.see(document(2, fenced={EAST: NOW + timedelta(seconds=40)}))
    passive.now = NOW + timedelta(seconds=40)
    assert passive.table.put_item(Item={}) == {"region": EAST}


def test_active_active_writes_go_around_a_fence(active: Lab) -> None:
    active.see(document(2, fenced={WEST: NOW + timedelta(seconds=40)}))
    assert active.table.put_item(Item={}) == {"region": EAST}


def test_refused_writes_have_the_document_read_once_a_second_and_process(passive: Lab) -> None:
    passive.see(document(2, fenced={EAST: NOW + timedelta(seconds=40)}))
    asked = passive.source.asked
    for _ in range(1000):
        with pytest.raises(WriteRefused):
            passive.table.put_item(Item={})
        passive.time.rest(0.01)  # 10 s in all
    assert 6 <= passive.source.asked - asked <= 10


def test_writes_that_are_refused_at_the_same_time_share_one_look() -> None:
    begun, going_on = threading.Event(), threading.Event()
    looked: list[float] = []

    def refresh(wait: float) -> None:
        looked.append(wait)
        begun.set()
        assert going_on.wait(PATIENCE)

    looks = Looks(refresh, lambda: 0.0)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(looks.look, 1.0)
        assert begun.wait(PATIENCE)
        others = [pool.submit(looks.look, PATIENCE) for _ in range(4)]
        going_on.set()
        assert first.result()
        for one in others:
            one.result()
    assert looked == [1.0]
    assert not looks.look(1.0)


def test_a_stale_document_refuses_writes_where_it_is_asked_to() -> None:
    for one in lab(on_stale=OnStale.REFUSE_WRITES):
        _out_of_sight(one)
        with pytest.raises(StaleDocument, match="region that takes writes may have changed"):
            one.table.put_item(Item={})
        assert one.table.get_item(**KEY) == {"region": WEST}
        one.source.going_on.set()
        assert one.view.refresh(PATIENCE)
        assert one.table.put_item(Item={}) == {"region": EAST}


def test_a_stale_document_is_gone_by_where_it_is_not(passive: Lab) -> None:
    _out_of_sight(passive)
    assert passive.table.put_item(Item={}) == {"region": EAST}


def _out_of_sight(one: Lab) -> None:
    """The source hangs until the document is stale, and goes on to hang."""
    one.source.going_on.clear()
    assert not one.view.stale
    one.time.rest(STALENESS + 1)
    assert one.view.stale


# --- laws

_FAILURES = st.sampled_from(
    ["ok", "refused", "timeout", "500", "throttled", "condition", "validation"]
)


def _made(kind: str) -> list[Exception]:
    made: dict[str, list[Exception]] = {
        "ok": [],
        "refused": [refused()],
        "timeout": [timed_out()],
        "500": [answer("InternalServerError", 500)],
        "throttled": [answer("ThrottlingException", 400)],
        "condition": [answer("ConditionalCheckFailedException", 400)],
        "validation": [answer("ValidationException", 400)],
    }
    return made[kind]


@settings(deadline=None, max_examples=examples(50))
@given(
    kinds=st.lists(st.tuples(st.sampled_from(REGIONS), _FAILURES), max_size=8),
    safe=st.booleans(),
    mode=st.sampled_from(list(ServiceMode)),
    moved=st.sampled_from(REGIONS),
)
def test_a_write_never_claims_what_is_not_known(
    kinds: list[tuple[str, str]], safe: bool, mode: ServiceMode, moved: str
) -> None:
    """`not-sent` only if every attempt was refused or answered; unsafe ones are sent once at most
    after something unknown; in active-passive mode nothing goes to a region that is not primary."""
    for one in lab(mode=mode):
        for region, kind in kinds:
            one[region].fails += _made(kind)
        one.publish(document(2, moved))
        failed: list[BaseException] = []
        try:
            one.table.put_item(Item={"pk": "a"}, **(CONDITION if safe else {}))
        except (RegionError, ClientError) as error:
            failed.append(error)
        sent = {name: len(one[name].calls) for name in REGIONS}
        if mode is ServiceMode.ACTIVE_PASSIVE:
            assert all(not count for name, count in sent.items() if name not in (EAST, moved))
        spent = [
            kind
            for name in REGIONS
            for kind in [k for r, k in kinds if r == name and k != "ok"][: sent[name]]
        ]
        unknown = [kind for kind in spent if kind in ("timeout", "500")]
        if not safe:
            assert len(unknown) <= 1
        for raised in failed:
            outcome = getattr(raised, "outcome", None)
            assert (outcome is Outcome.UNKNOWN) == bool(unknown)
