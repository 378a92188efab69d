"""Powertools for AWS Lambda keeps parameters and idempotency records in routed tables."""

from __future__ import annotations

import pytest
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyItemAlreadyExistsError,
)
from aws_lambda_powertools.utilities.parameters import DynamoDBProvider
from aws_lambda_powertools.utilities.typing import LambdaContext

from tests.libraries.places import Places
from tests.support.regional import EAST, WEST

pytestmark = pytest.mark.world


class Invocation(LambdaContext):
    """A Lambda's invocation that has a minute left."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Milliseconds."""
        return 60_000


def test_parameters_are_read_in_the_new_region(places: Places) -> None:
    places.table("parameters", "id")
    places.table("many-parameters", "id", "sk")
    one = DynamoDBProvider("parameters", boto3_client=places.db.resource)
    many = DynamoDBProvider("many-parameters", boto3_client=places.db.resource)
    places.db.Table("parameters").put_item(Item={"id": "limit", "value": "10"})
    with places.db.Table("many-parameters").batch_writer() as batch:
        for name in "ab":
            batch.put_item(Item={"id": "limits", "sk": name, "value": f"{name} in the east"})
    assert one.get("limit", force_fetch=True) == "10"
    before = many.get_multiple("limits", force_fetch=True, Limit=1)
    assert before == {"a": "a in the east", "b": "b in the east"}
    places.fail_over()
    assert one.get("limit", force_fetch=True) == "10"
    places.db.Table("parameters").put_item(Item={"id": "limit", "value": "20"})
    assert one.get("limit", force_fetch=True) == "20"
    assert places.items(WEST, "parameters") == [{"id": "limit", "value": "20"}]
    for name in "bc":
        item = {"id": "limits", "sk": name, "value": f"{name} in the west"}
        places.db.Table("many-parameters").put_item(Item=item)
    after = many.get_multiple("limits", force_fetch=True, Limit=1)
    assert after == {"a": "a in the east", "b": "b in the west", "c": "c in the west"}


def test_an_order_is_charged_once_also_over_a_failover(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "shop")
    table = places.table("idempotency", "id")
    store = DynamoDBPersistenceLayer(table_name=table, boto3_client=places.db.client)
    config = IdempotencyConfig(use_local_cache=False)
    config.register_lambda_context(Invocation())
    charged: list[str] = []

    @idempotent_function(
        data_keyword_argument="order",
        persistence_store=store,
        config=config,
    )
    def charge(*, order: str) -> dict[str, str]:
        charged.append(order)
        if order == "nested":
            charge(order="nested")
        return {"charged": order}

    for _ in range(2):
        assert charge(order="one") == {"charged": "one"}
    places.fail_over()
    for order in ("one", "two", "two"):
        assert charge(order=order) == {"charged": order}
    assert charged == ["one", "two"]
    with pytest.raises(IdempotencyAlreadyInProgressError):
        charge(order="nested")
    assert charged == ["one", "two", "nested"]
    assert [one["status"] for one in places.items(WEST, table)] == ["COMPLETED"] * 2
    places.mend()
    assert len(places.items(EAST, table)) == 1


def test_a_record_that_is_there_is_told_with_what_it_holds(places: Places) -> None:
    """`ReturnValuesOnConditionCheckFailure`: the item stands in the error that botocore raises."""
    table = places.table("records", "id")
    store = DynamoDBPersistenceLayer(table_name=table, boto3_client=places.db.client)
    store.configure(IdempotencyConfig(use_local_cache=False), function_name="shop")
    store.save_inprogress(data={"order": "east"}, remaining_time_in_millis=60_000)
    places.fail_over()
    store.save_inprogress(data={"order": "west"}, remaining_time_in_millis=60_000)
    for order in ("east", "west"):
        with pytest.raises(IdempotencyItemAlreadyExistsError) as caught:
            store.save_inprogress(data={"order": order}, remaining_time_in_millis=60_000)
        assert caught.value.old_data_record is not None
        assert caught.value.old_data_record.status == "INPROGRESS"
    store.delete_record(data={"order": "west"}, exception=RuntimeError("it failed"))
    assert len(places.items(WEST, table)) == 1
    store.save_inprogress(data={"order": "west"}, remaining_time_in_millis=60_000)
    assert len(places.items(WEST, table)) == 2
