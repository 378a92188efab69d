"""bloop maps objects to a routed client."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from bloop import BaseModel, Column, ConstraintViolation, Engine, Integer, String
from bloop.exceptions import MissingObjects, TransactionCanceled

from tests.libraries.places import Places
from tests.support.regional import EAST, WEST

pytestmark = pytest.mark.world


class Account(BaseModel):
    """An account with a balance."""

    class Meta:
        """It is charged by request."""

        table_name = "accounts"
        billing = {"mode": "on_demand"}  # noqa: RUF012  # as the library reads it

    name: Any = Column(String, hash_key=True)
    balance: Any = Column(Integer)


@pytest.fixture
def engine(places: Places) -> Any:
    """An engine that has found the table there, and what it expects of it."""
    places.table("accounts", "name")
    streams = boto3.client("dynamodbstreams", region_name=EAST)
    made = Engine(dynamodb=places.db.client, dynamodbstreams=streams)
    made.bind(Account)
    return made


def test_objects_are_kept_in_the_new_region(places: Places, engine: Any) -> None:
    anna = Account(name="anna", balance=10)
    engine.save(anna)
    places.fail_over()
    anna.balance = 9
    engine.save(anna, condition=Account.balance == 10)
    stale = Account(name="anna", balance=0)
    with pytest.raises(ConstraintViolation):
        engine.save(stale, condition=Account.balance == 10)
    with pytest.raises(ConstraintViolation):
        engine.delete(stale, condition=Account.balance == 10)
    many = [Account(name=f"many{number}", balance=number) for number in range(30)]
    engine.save(*many)
    loaded = [Account(name=one.name) for one in many]
    engine.load(*loaded, consistent=True)
    assert sum(one.balance for one in loaded) == sum(range(30))
    assert engine.query(Account, key=Account.name == "anna").one().balance == 9
    assert len(list(engine.scan(Account))) == 31
    assert {one["name"]: one["balance"] for one in places.items(WEST, "accounts")}["anna"] == 9
    engine.delete(anna)
    with pytest.raises(MissingObjects):
        engine.load(Account(name="anna"), consistent=True)
    places.mend()
    assert [one["balance"] for one in places.items(EAST, "accounts")] == [10]


def test_a_transaction_is_made_in_the_new_region_or_not_at_all(places: Places, engine: Any) -> None:
    places.fail_over()
    with engine.transaction() as both:
        both.save(Account(name="ben", balance=1), condition=Account.name.is_(None))
        both.save(Account(name="cleo", balance=2), condition=Account.name.is_(None))
    refused = engine.transaction()
    refused.save(Account(name="dan", balance=3))
    refused.save(Account(name="ben", balance=3), condition=Account.name.is_(None))
    with pytest.raises(TransactionCanceled):
        refused.prepare().commit()
    names = {one["name"] for one in places.items(WEST, "accounts")}
    assert names == {"ben", "cleo"}
