"""`orchestrator.client.testing` as applications use it, with moto's `mock_aws`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.errors import (
    NoHealthyRegion,
    Outcome,
    StaleDocument,
    WriteRefused,
    WriteUnknown,
)
from orchestrator.client.testing import (
    Answers,
    FakeRegions,
    LostAnswers,
    MemorySource,
    Silent,
    Slow,
    Throttled,
    Unreachable,
)

EAST, WEST = "us-east-1", "us-west-2"
TABLE: Any = {
    "TableName": "orders",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.fixture
def regions() -> Iterator[FakeRegions]:
    """The east, which is the primary, and the west, with one table behind both."""
    with mock_aws(), FakeRegions(EAST, WEST) as made:
        yield made


@pytest.fixture
def db(regions: FakeRegions) -> MultiRegionDynamoDB:
    """A client at home in the east, and the table."""
    made = regions.client(home=EAST)
    made.resource.create_table(**TABLE)
    regions.forget()
    return made


def test_what_one_region_takes_all_have(regions: FakeRegions, db: MultiRegionDynamoDB) -> None:
    db.Table("orders").put_item(Item={"pk": "a"})
    regions.fail_over(WEST)
    assert db.Table("orders").get_item(Key={"pk": "a"}, ConsistentRead=True)["Item"] == {"pk": "a"}
    assert regions.asked == ((EAST, "put_item"), (WEST, "get_item"))


def test_without_replication_each_region_has_a_table_of_its_own() -> None:
    with mock_aws(), FakeRegions(EAST, WEST, replicated=False) as regions:
        db = regions.client(home=EAST)
        for name in (EAST, WEST):
            db.in_region(name).create_table(**TABLE)
        db.Table("orders").put_item(Item={"pk": "a"})
        regions.fail_over(WEST)
        assert "Item" not in db.Table("orders").get_item(Key={"pk": "a"}, ConsistentRead=True)
        assert "Item" in db.in_region(EAST).Table("orders").get_item(Key={"pk": "a"})


def test_a_read_goes_on_when_home_cannot_be_reached(
    regions: FakeRegions, db: MultiRegionDynamoDB
) -> None:
    db.Table("orders").put_item(Item={"pk": "a"})
    regions.forget()
    regions.fail(EAST, Unreachable())
    assert "Item" in db.Table("orders").get_item(Key={"pk": "a"})
    assert regions.asked == ((EAST, "get_item"), (WEST, "get_item"))


def test_a_write_to_a_region_that_cannot_be_reached_was_not_sent(
    regions: FakeRegions, db: MultiRegionDynamoDB
) -> None:
    regions.fail(EAST, Unreachable())
    with pytest.raises(NoHealthyRegion) as caught:
        db.Table("orders").put_item(Item={"pk": "a"})
    assert caught.value.outcome is Outcome.NOT_SENT
    regions.fail_over(WEST)
    assert "Item" not in db.Table("orders").get_item(Key={"pk": "a"})
    db.Table("orders").put_item(Item={"pk": "a"})


@pytest.mark.parametrize(
    ("fault", "is_there"), [(Silent(), False), (LostAnswers(), True), (Slow(2.0), True)]
)
def test_a_write_without_an_answer_is_unknown_whether_or_not_it_was_done(
    regions: FakeRegions, db: MultiRegionDynamoDB, fault: Any, is_there: bool
) -> None:
    regions.fail(EAST, fault)
    with pytest.raises(WriteUnknown):
        db.Table("orders").put_item(Item={"pk": "a"})
    regions.heal(EAST)
    assert ("Item" in db.Table("orders").get_item(Key={"pk": "a"})) is is_there


def test_a_repeatable_write_whose_answer_is_lost_once_is_done(
    regions: FakeRegions, db: MultiRegionDynamoDB
) -> None:
    regions.fail(EAST, LostAnswers(), only=("put_item",), times=1)
    orders = db.options(idempotent=True).Table("orders")
    orders.put_item(Item={"pk": "a"})
    assert regions.asked == ((EAST, "put_item"), (EAST, "put_item"))


def test_a_fault_may_be_of_some_operations_and_some_calls_only(
    regions: FakeRegions, db: MultiRegionDynamoDB
) -> None:
    regions.fail(EAST, Answers("InternalServerError", 500), only=("get_item",), times=2)
    db.Table("orders").put_item(Item={"pk": "a"})
    for _ in range(3):
        assert "Item" in db.Table("orders").get_item(Key={"pk": "a"})
    found = [region for region, operation in regions.asked if operation == "get_item"]
    assert found == [EAST, WEST, EAST, WEST, EAST]


def test_a_region_that_throttles_is_asked_again_until_the_deadline(
    regions: FakeRegions, db: MultiRegionDynamoDB
) -> None:
    """Nothing sleeps: the pauses between are the test's."""
    regions.fail(EAST, Throttled("TableWriteKeyRangeThroughputExceeded"))
    with pytest.raises(ClientError) as caught:
        db.Table("orders").put_item(Item={"pk": "a"})
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert {region for region, _ in regions.asked} == {EAST}
    assert len(regions.asked) > 2
    assert db.stats()["regions"][EAST]["breaker"] == "closed", "a hot key is not the region's"
    assert regions.skipped > 0


def test_an_answer_that_is_slow_and_in_time_is_an_answer(
    regions: FakeRegions, db: MultiRegionDynamoDB
) -> None:
    regions.fail(EAST, Slow(0.5))
    db.Table("orders").put_item(Item={"pk": "a"})
    assert db.stats()["outcomes"] == {}


def test_a_breaker_opens_and_closes_when_the_region_is_well_again(
    regions: FakeRegions, db: MultiRegionDynamoDB
) -> None:
    regions.fail(EAST, Unreachable())
    for _ in range(6):
        db.Table("orders").get_item(Key={"pk": "a"})
    assert db.stats()["regions"][EAST]["breaker"] != "closed"
    regions.heal(EAST)
    assert db.stats()["regions"][EAST]["breaker"] == "closed"
    regions.forget()
    db.Table("orders").get_item(Key={"pk": "a"})
    assert regions.asked == ((EAST, "get_item"),)


def test_a_failover_takes_a_new_epoch_and_calls_the_old_primary_down(
    regions: FakeRegions, db: MultiRegionDynamoDB
) -> None:
    regions.fail_over(WEST)
    assert (regions.primary, regions.epoch) == (WEST, 2)
    known = db.stats()["document"]
    assert (known["primary"], known["epoch"], known["revision"]) == (WEST, 2, 2)
    db.Table("orders").get_item(Key={"pk": "a"})
    assert regions.asked == ((WEST, "get_item"),), "home is down"
    regions.move(EAST)
    regions.forget()
    db.Table("orders").get_item(Key={"pk": "a"})
    assert regions.asked == ((EAST, "get_item"),), "home is up again"
    assert regions.epoch == 3


def test_a_planned_move_fences_writes_until_it_is_over(
    regions: FakeRegions, db: MultiRegionDynamoDB
) -> None:
    regions.fence(EAST)
    with pytest.raises(WriteRefused):
        db.Table("orders").put_item(Item={"pk": "a"})
    regions.move(WEST)
    db.Table("orders").put_item(Item={"pk": "a"})
    assert regions.asked == ((WEST, "put_item"),)


def test_a_fence_ends_by_itself(regions: FakeRegions, db: MultiRegionDynamoDB) -> None:
    regions.fence(EAST, seconds=60)
    regions.pass_time(61)
    db.Table("orders").put_item(Item={"pk": "a"})


def test_a_region_that_the_document_calls_down_is_asked_last(
    regions: FakeRegions, db: MultiRegionDynamoDB
) -> None:
    regions.mark(EAST, healthy=False)
    assert regions.epoch == 1
    db.Table("orders").get_item(Key={"pk": "a"})
    regions.mark(EAST, healthy=True)
    db.Table("orders").get_item(Key={"pk": "a"})
    assert regions.asked == ((WEST, "get_item"), (EAST, "get_item"))


def test_a_document_that_is_lost_for_long_refuses_writes_where_the_application_wants_that(
    regions: FakeRegions, db: MultiRegionDynamoDB
) -> None:
    careful = regions.client(home=EAST, on_stale_document="refuse-writes")
    regions.lose_document()
    regions.pass_time(31)
    db.Table("orders").put_item(Item={"pk": "a"})
    with pytest.raises(StaleDocument):
        careful.Table("orders").put_item(Item={"pk": "b"})
    regions.find_document()
    careful.Table("orders").put_item(Item={"pk": "b"})


def test_a_name_that_is_no_region_is_refused(regions: FakeRegions) -> None:
    with pytest.raises(ValueError, match="is not one of us-east-1, us-west-2"):
        regions.fail("eu-west-1", Unreachable())
    with pytest.raises(ValueError, match="not one of us-east-1"):
        regions.fail_over("eu-west-1")
    for names in ((), ("east",)):
        with pytest.raises(ValueError, match="names of AWS regions"):
            FakeRegions(*names)


def test_the_document_can_be_written_by_hand() -> None:
    source = MemorySource(b"one")
    found = source.fetch(None)
    assert found is not None
    assert found.body == b"one"
    assert source.fetch(found.mark) is None
    source.put(b"one")
    assert source.fetch(found.mark) is not None, "it was written again"
