"""dyntastic makes its own resource and client; `route` takes both."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from dyntastic import A, Dyntastic, transaction
from dyntastic.exceptions import DoesNotExist

from tests.libraries.places import Places
from tests.support.regional import EAST, WEST

pytestmark = pytest.mark.world


class Product(Dyntastic):
    """An item of the shop."""

    __table_name__ = "products"
    __hash_key__ = "code"

    code: str
    stock: int = 0


@pytest.fixture
def products(places: Places) -> Places:
    """The table, and the model's own resource and client, routed."""
    places.table("products", "code")
    Product._clear_boto3_state()
    places.db.route(Product._dynamodb_resource())
    places.db.route(Product._dynamodb_client())
    return places


def test_models_are_kept_in_the_new_region(products: Places) -> None:
    Product(code="bolt", stock=2).save()
    with Product.batch_writer():
        for number in range(30):
            Product(code=f"nut{number}").save()
    bolt = Product.get("bolt", consistent_read=True)
    products.fail_over()
    bolt.update(A.stock.set(A.stock - 1), condition=A.stock >= 1)
    assert Product.get("bolt", consistent_read=True).stock == 1
    Product(code="screw").save(condition=A.code.not_exists())
    assert len(list(Product.batch_get([f"nut{number}" for number in range(30)]))) == 30
    assert {one.code for one in Product.query("screw")} == {"screw"}
    found = {one["code"]: one["stock"] for one in products.items(WEST, "products")}
    assert found["bolt"] == 1
    assert found["screw"] == 0
    Product.get("screw").delete()
    with pytest.raises(DoesNotExist):
        Product.get("screw")
    products.mend()
    [left] = [one for one in products.items(EAST, "products") if one["code"] == "bolt"]
    assert left["stock"] == 2


def test_a_condition_that_fails_is_what_the_model_expects(products: Places) -> None:
    """`update` catches `exceptions.ConditionalCheckFailedException`, which stands on the client."""
    bolt = Product(code="bolt", stock=0)
    bolt.save()
    refused: Any = Product._dynamodb_table().meta.client.exceptions.ConditionalCheckFailedException
    for moved in (False, True):
        if moved:
            products.fail_over()
        bolt.update(A.stock.set(-1), condition=A.stock >= 1, require_condition=False)
        with pytest.raises(refused):
            bolt.update(A.stock.set(-1), condition=A.stock >= 1, require_condition=True)
        with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
            Product(code="bolt").save(condition=A.code.not_exists())
    assert [one["stock"] for one in products.items(WEST, "products")] == [0]


def _make_both(*codes: str) -> None:
    with transaction():
        for code in codes:
            Product(code=code).save(condition=A.code.not_exists())


def test_a_transaction_is_made_in_the_new_region_or_not_at_all(products: Places) -> None:
    products.fail_over()
    _make_both("a", "b")
    cancelled = Product._dynamodb_client().exceptions.TransactionCanceledException
    with pytest.raises(cancelled):
        _make_both("c", "b")
    assert {one["code"] for one in products.items(WEST, "products")} == {"a", "b"}
