"""A home for each key: where its writes and consistent reads go, and what is refused unsent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from orchestrator.client._calls.call import Clock, Options, Settings
from orchestrator.client._calls.calls import Calls
from orchestrator.client._calls.routing import Consistency, ServiceMode, routes
from orchestrator.client._keys.home import Homes
from orchestrator.client._regions.regions import Regions
from orchestrator.client.document import read_document
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.errors import (
    HomeError,
    NoHealthyRegion,
    Outcome,
    WriteRefused,
    WriteUnknown,
)
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
PLACES = {"e": EAST, "w": WEST, "u": EUROPE, "x": "us-east-9"}
UPDATE: Any = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": 1}}


def by_first_letter(table: str, key: Mapping[str, Any]) -> str:
    """Keys are at home where their first letter says."""
    assert table == "orders"
    return PLACES[key["pk"][0]]


@dataclass
class Lab:
    """A client over fake regions whose process is at home in the west."""

    source: HeldSource
    time: FakeTime
    view: PromptView
    session: FakeSession
    calls: Calls
    homes: Homes

    def __getitem__(self, region: str) -> FakeDynamo:
        return self.session.dynamo[region]

    @property
    def table(self) -> Any:
        return Direct(self.calls, Options(deadline=0.6), "orders", self.homes)

    @property
    def client(self) -> Any:
        return Direct(self.calls, Options(deadline=0.6), homes=self.homes)

    def see(self, body: bytes) -> None:
        self.source.body = body
        assert self.view.refresh(PATIENCE)

    @property
    def nothing_was_sent(self) -> bool:
        return not any(self[region].calls for region in REGIONS)


def lab(of: Any = by_first_letter, keys: Any = None, **settings: Any) -> Iterator[Lab]:
    source, time = HeldSource(document()), FakeTime()
    view = PromptView(source, time, interval=100.0, max_staleness=1000.0)
    assert view.start().wait_first(PATIENCE)
    session, clock = FakeSession(), Clock(time.monotonic, time.rest)
    regions = Regions(lambda: cast("Any", session), monotonic=time.monotonic)
    own = Settings(WEST, ServiceMode.ACTIVE_ACTIVE, **({"attempt": 0.2} | settings))
    calls = Calls(view, regions, own, lambda: NOW, clock)
    consistent = own.consistency is Consistency.MREC
    homes = Homes(of, {"orders": ("pk",)} if keys is None else keys, consistent=consistent)
    try:
        yield Lab(source, time, view, session, calls, homes)
    finally:
        view.close()


@pytest.fixture
def active() -> Iterator[Lab]:
    """See `Lab`."""
    yield from lab()


def key(name: str) -> Any:
    return {"Key": {"pk": name}}


def put(*names: str) -> Any:
    return [{"PutRequest": {"Item": {"pk": name, "n": 1}}} for name in names]


# --- where calls go


def test_writes_of_a_key_go_to_its_home(active: Lab) -> None:
    for name, region in (("e1", EAST), ("w1", WEST), ("u1", EUROPE)):
        assert active.table.put_item(Item={"pk": name, "n": 1}) == {"region": region}
        assert active.table.update_item(**key(name), **UPDATE) == {"region": region}
        assert active.table.delete_item(**key(name)) == {"region": region}


def test_consistent_reads_of_a_key_go_to_its_home_and_others_to_the_process(active: Lab) -> None:
    assert active.table.get_item(**key("u1"), ConsistentRead=True) == {"region": EUROPE}
    assert active.table.get_item(**key("u1")) == {"region": WEST}
    partition: Any = {
        "KeyConditionExpression": "pk = :p",
        "ExpressionAttributeValues": {":p": "u1"},
    }
    pages = list(active.table.pages("query", ConsistentRead=True, **partition))
    assert [page["Items"][0]["region"] for page in pages] == [EUROPE] * 3
    assert active.table.query(**partition)["Items"][0]["region"] == WEST


def test_a_scan_and_what_is_not_of_items_goes_to_the_home_of_the_process(active: Lab) -> None:
    assert active.table.scan(ConsistentRead=True)["Items"][0]["region"] == WEST
    assert active.table.describe_table() == {"region": WEST}
    assert active.table.tag_resource() == {"region": WEST}


def test_the_function_is_given_the_table_and_the_whole_key() -> None:
    asked: list[tuple[str, Mapping[str, Any]]] = []

    def west(table: str, key: Mapping[str, Any]) -> str:
        asked.append((table, key))
        return WEST

    for one in lab(west, {"orders": ("pk", "sk")}):
        one.table.update_item(Key={"pk": "a", "sk": 1}, **UPDATE)
        one.table.put_item(Item={"pk": "a", "sk": 2, "what": "a book"})
        one.table.query(
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": "a"},
            ConsistentRead=True,
        )
    assert asked == [
        ("orders", {"pk": "a", "sk": 1}),
        ("orders", {"pk": "a", "sk": 2}),
        ("orders", {"pk": "a"}),
    ]


def test_with_strong_consistency_consistent_reads_stay_with_the_process() -> None:
    """Any region reads consistently, so the nearest one does."""
    for one in lab(consistency=Consistency.MRSC):
        assert one.table.get_item(**key("u1"), ConsistentRead=True) == {"region": WEST}
        assert one.table.delete_item(**key("u1")) == {"region": EUROPE}


# --- when a home cannot take it


def test_a_home_that_is_down_by_the_document_is_left_as_the_home_of_a_process_is(
    active: Lab,
) -> None:
    """The primary next, then the others in their order; the other keys stay where they are."""
    active.see(document(2, down=[EUROPE]))
    assert active.table.delete_item(**key("u1")) == {"region": EAST}
    assert active.table.get_item(**key("u1"), ConsistentRead=True) == {"region": EAST}
    assert active.table.delete_item(**key("w1")) == {"region": WEST}
    active.see(document(3, down=[EUROPE, EAST]))
    assert active.table.delete_item(**key("u1")) == {"region": WEST}
    active.see(document(4))
    assert active.table.delete_item(**key("u1")) == {"region": EUROPE}, "and comes back"


def test_a_home_that_people_have_evacuated_is_left_and_taken_after_all_others(
    active: Lab,
) -> None:
    active.see(document(2, evacuated=[EUROPE]))
    assert active.table.delete_item(**key("u1")) == {"region": EAST}
    active.see(document(3, evacuated=[EUROPE], down=[EAST, WEST]))
    assert active.table.delete_item(**key("u1")) == {"region": EUROPE}


def test_the_home_of_a_process_that_is_evacuated_is_left_by_writes_alike() -> None:
    body = document(evacuated=[WEST])
    found = routes(read_document(body), WEST, ServiceMode.ACTIVE_ACTIVE)
    assert found.writes == (EAST, EUROPE, WEST)
    assert found.reads[0] == WEST, "a read there harms nobody"
    passive = routes(read_document(body), WEST, ServiceMode.ACTIVE_PASSIVE)
    assert passive.writes == (EAST,)


def test_a_home_that_is_fenced_off_is_left(active: Lab) -> None:
    active.see(document(2, fenced={EUROPE: NOW + timedelta(seconds=60)}))
    assert active.table.delete_item(**key("u1")) == {"region": EAST}


def test_a_home_without_a_connection_is_left_at_once(active: Lab) -> None:
    """So two regions may write one key: those who reach its home, and those who do not."""
    active[EUROPE].always = refused()
    assert active.table.update_item(**key("u1"), **UPDATE) == {"region": EAST}


def test_a_write_that_its_home_does_not_answer_is_unknown_and_goes_nowhere_else(
    active: Lab,
) -> None:
    active[EUROPE].always = timed_out()
    with pytest.raises(WriteUnknown):
        active.table.update_item(**key("u1"), **UPDATE)
    assert active[EAST].calls == active[WEST].calls == []


# --- batches


def test_a_batch_of_one_home_goes_there_as_a_whole(active: Lab) -> None:
    requests = {"orders": put("e1", "e2")}
    assert active.client.batch_write_item(RequestItems=requests) == {"region": EAST}
    assert active[EAST].calls == [("batch_write_item", {"RequestItems": requests})]


def test_a_batch_of_several_homes_is_split(active: Lab) -> None:
    requests = {"orders": [*put("e1", "u1", "e2"), {"DeleteRequest": {"Key": {"pk": "u2"}}}]}
    active.client.batch_write_item(RequestItems=requests, ReturnConsumedCapacity="TOTAL")
    sent = {
        region: [one["RequestItems"]["orders"] for _, one in active[region].calls]
        for region in REGIONS
    }
    assert sent == {
        EAST: [put("e1", "e2")],
        WEST: [],
        EUROPE: [[*put("u1"), {"DeleteRequest": {"Key": {"pk": "u2"}}}]],
    }
    assert active[EAST].calls[0][1]["ReturnConsumedCapacity"] == "TOTAL"


def test_what_both_parts_leave_unprocessed_is_handed_back_together(active: Lab) -> None:
    active[EAST].unprocessed = active[EUROPE].unprocessed = True
    requests = {"orders": put("e1", "u1", "e2")}
    found = active.client.batch_write_item(RequestItems=requests)
    assert found["UnprocessedItems"] == {"orders": put("e1", "e2", "u1")}


def test_a_consistent_batch_of_reads_is_split_and_another_one_is_not(active: Lab) -> None:
    keys = [{"pk": "e1"}, {"pk": "u1"}]
    wanted = {"orders": {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": "n"}}
    active.client.batch_get_item(RequestItems=wanted)
    for region, own in ((EAST, {"pk": "e1"}), (EUROPE, {"pk": "u1"})):
        ((_, sent),) = active[region].calls
        assert sent["RequestItems"] == {"orders": {**wanted["orders"], "Keys": [own]}}
    assert active.client.batch_get_item(RequestItems={"orders": {"Keys": keys}}) == {"region": WEST}


def test_a_batch_whose_first_part_is_not_sent_is_not_sent(active: Lab) -> None:
    active.see(document(2, fenced=dict.fromkeys(REGIONS, NOW + timedelta(seconds=60))))
    with pytest.raises(WriteRefused) as caught:
        active.client.batch_write_item(RequestItems={"orders": put("e1", "u1")})
    assert caught.value.outcome is Outcome.NOT_SENT
    assert active.nothing_was_sent


@pytest.mark.parametrize("failure", [refused(), timed_out(), answer("ValidationException", 400)])
def test_a_batch_that_fails_after_a_part_was_written_says_which(
    active: Lab, failure: Exception
) -> None:
    """Whatever the failure: the whole call is no longer "not sent", and no error of the request."""
    active[EUROPE].always = active[WEST].always = failure
    active[EAST].when = lambda _, given: failure if "u1" in str(given) else None
    with pytest.raises(WriteUnknown) as caught:
        active.client.batch_write_item(RequestItems={"orders": put("e1", "u1", "e2", "w1")})
    assert caught.value.outcome is Outcome.UNKNOWN
    assert f"Written: 2 at home in {EAST}. Failed: 1 at home in {EUROPE}." in str(caught.value)
    assert f"Not sent: 1 at home in {WEST}." in str(caught.value)


def test_a_batch_of_reads_that_fails_in_part_fails_as_a_read(active: Lab) -> None:
    for region in REGIONS:
        active[region].when = lambda _, given: refused() if "u1" in str(given) else None
    wanted = {"orders": {"Keys": [{"pk": "e1"}, {"pk": "u1"}], "ConsistentRead": True}}
    with pytest.raises(NoHealthyRegion) as caught:
        active.client.batch_get_item(RequestItems=wanted)
    assert caught.value.outcome is None


def test_a_part_for_which_no_time_is_left_is_not_sent(active: Lab) -> None:
    active[EAST].before = lambda: active.time.rest(0.595)  # the deadline is 0.6
    with pytest.raises(WriteUnknown, match=f"{EUROPE}: no time is left to ask it"):
        active.client.batch_write_item(RequestItems={"orders": put("e1", "u1")})
    assert active[EUROPE].calls == []


def test_a_function_that_takes_all_the_time_leaves_nothing_to_send_in() -> None:
    def slow(*_: object) -> str:
        made[0].time.rest(5.0)
        return EAST

    made: list[Lab] = []
    for one in lab(slow):
        made.append(one)
        with pytest.raises(NoHealthyRegion, match="no time is left") as caught:
            one.table.put_item(Item={"pk": "e1"})
        assert caught.value.outcome is Outcome.NOT_SENT
        assert one.nothing_was_sent


# --- transactions


def transaction(*names: str) -> Any:
    return [{"Update": {"TableName": "orders", **key(name), **UPDATE}} for name in names]


def test_a_transaction_goes_to_the_one_home_of_its_keys(active: Lab) -> None:
    assert active.client.transact_write_items(TransactItems=transaction("u1", "u2")) == {
        "region": EUROPE
    }
    reads = [{"Get": {"TableName": "orders", **key("e1")}}]
    assert active.client.transact_get_items(TransactItems=reads) == {"region": EAST}


def test_a_transaction_whose_keys_have_several_homes_is_refused(active: Lab) -> None:
    """A check of a condition is a key like any other: it would be checked where it may be old."""
    check = {"ConditionCheck": {"TableName": "orders", **key("w1"), "ConditionExpression": "x"}}
    for actions in (transaction("e1", "u1"), [*transaction("e1"), check]):
        with pytest.raises(HomeError, match="executed by one region") as caught:
            active.client.transact_write_items(TransactItems=actions)
        assert EAST in str(caught.value)
        assert "Nothing was sent" in str(caught.value)
        assert caught.value.outcome is Outcome.NOT_SENT
    reads = [{"Get": {"TableName": "orders", **key(name)}} for name in ("e1", "u1")]
    with pytest.raises(HomeError, match="transact_get_items"):
        active.client.transact_get_items(TransactItems=reads)
    assert active.nothing_was_sent


# --- what is refused


@pytest.mark.parametrize("home", [None, "", 7, b"us-east-1"])
def test_a_function_that_returns_no_name_is_refused(home: Any) -> None:
    for one in lab(lambda *_: home):
        with pytest.raises(HomeError, match=r"home\(\) for a key \(pk\) of table 'orders' return"):
            one.table.put_item(Item={"pk": "a"})
        assert one.nothing_was_sent


def test_a_function_that_raises_is_told_with_its_error(active: Lab) -> None:
    with pytest.raises(HomeError, match=r"KeyError: 'q'.*Nothing was sent") as caught:
        active.table.put_item(Item={"pk": "q1"})
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(HomeError):
        active.client.batch_write_item(RequestItems={"orders": put("e1", "q1")})
    assert active.nothing_was_sent


def test_a_region_that_the_document_does_not_have_is_refused(active: Lab) -> None:
    with pytest.raises(HomeError, match=f"'us-east-9', and the document has.*{EAST}, {WEST}"):
        active.table.put_item(Item={"pk": "x1"})
    with pytest.raises(HomeError):
        active.table.get_item(**key("x1"), ConsistentRead=True)
    with pytest.raises(HomeError):
        active.client.batch_write_item(RequestItems={"orders": put("e1", "x1")})
    assert active.nothing_was_sent
    assert active.table.get_item(**key("x1")) == {"region": WEST}, "it needs no home"


def test_a_region_that_is_new_in_the_document_is_found_at_once(active: Lab) -> None:
    names = (*REGIONS, "ap-south-1")
    active.homes = Homes(lambda *_: "ap-south-1", {"orders": ("pk",)})
    active.source.body = document(2, endpoints={n: f"dynamodb.{n}.amazonaws.com" for n in names})
    assert active.table.put_item(Item={"pk": "a1"}) == {"region": "ap-south-1"}


STATEMENTS: Any = [
    ("execute_statement", {"Statement": "INSERT INTO orders VALUE {'pk': 'e1'}"}),
    ("execute_statement", {"Statement": "SELECT * FROM orders", "ConsistentRead": True}),
    ("execute_transaction", {"TransactStatements": [{"Statement": "SELECT * FROM orders"}]}),
    ("batch_execute_statement", {"Statements": [{"Statement": "DELETE FROM orders"}]}),
]


@pytest.mark.parametrize(("operation", "given"), STATEMENTS)
def test_a_statement_whose_key_would_matter_is_refused(
    active: Lab, operation: str, given: Any
) -> None:
    with pytest.raises(HomeError, match="PartiQL statement is not read"):
        getattr(active.client, operation)(**given)
    assert active.nothing_was_sent


def test_a_statement_that_reads_goes_to_the_home_of_the_process(active: Lab) -> None:
    select = {"Statement": "SELECT * FROM orders"}
    assert active.client.execute_statement(**select) == {"region": WEST}
    assert active.client.batch_execute_statement(Statements=[select]) == {"region": WEST}


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_a_table_whose_key_is_not_told_is_refused_with_what_to_write(code: str) -> None:
    for one in lab(keys={}):
        for region in REGIONS:
            one[region].when = lambda *_: answer(code, 400)
        with pytest.raises(HomeError, match=r"keys=\{'orders': \('pk', 'sk'\)\}") as caught:
            one.table.put_item(Item={"pk": "e1"})
        assert isinstance(caught.value.__cause__, ClientError)
        assert {name for region in REGIONS for name in one[region].asked} == {"describe_table"}


def test_a_table_whose_key_no_region_tells_is_no_write_that_was_sent() -> None:
    for one in lab(keys={}):
        for region in REGIONS:
            one[region].always = refused()
        with pytest.raises(NoHealthyRegion, match="DescribeTable") as caught:
            one.table.put_item(Item={"pk": "e1"})
        assert caught.value.outcome is Outcome.NOT_SENT


# --- at construction


def test_a_function_is_refused_where_one_region_takes_all_writes() -> None:
    with pytest.raises(ValueError, match=r"Write home='us-east-1'.*or mode='active-active'"):
        MultiRegionDynamoDB(HeldSource(), home=by_first_letter)


@pytest.mark.parametrize("given", [{"process_home": WEST}, {"keys": {"orders": ("pk",)}}])
def test_what_belongs_to_a_function_is_refused_without_one(given: Any) -> None:
    with pytest.raises(ValueError, match="belong to a home that is a function"):
        MultiRegionDynamoDB(HeldSource(), home=EAST, **given)
