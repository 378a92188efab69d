"""The DynamoDB Encryption Client encrypts into a routed table, with a key of the application."""

from __future__ import annotations

from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr
from dynamodb_encryption_sdk.delegated_keys.jce import JceNameLocalDelegatedKey
from dynamodb_encryption_sdk.encrypted.client import EncryptedClient
from dynamodb_encryption_sdk.encrypted.resource import EncryptedResource
from dynamodb_encryption_sdk.encrypted.table import EncryptedTable
from dynamodb_encryption_sdk.identifiers import EncryptionKeyType, KeyEncodingType
from dynamodb_encryption_sdk.material_providers.wrapped import (
    WrappedCryptographicMaterialsProvider,
)

from tests.libraries.places import Places
from tests.support.regional import EAST, WEST

pytestmark = pytest.mark.world


def _key(algorithm: str) -> JceNameLocalDelegatedKey:
    return JceNameLocalDelegatedKey(
        key=b"0123456789abcdef" * 2,
        algorithm=algorithm,
        key_type=EncryptionKeyType.SYMMETRIC,
        key_encoding=KeyEncodingType.RAW,
    )


MATERIALS = WrappedCryptographicMaterialsProvider(
    signing_key=_key("HmacSHA256"), wrapping_key=_key("AES"), unwrapping_key=_key("AES")
)


def _encrypted(table: Any) -> Any:
    return EncryptedTable(table=table, materials_provider=MATERIALS)


def test_items_are_encrypted_into_the_new_region(places: Places) -> None:
    name = places.table("secrets", "pk")
    table = _encrypted(places.db.Table(name))
    table.put_item(Item={"pk": "east", "card": "4111"})
    places.fail_over()
    assert table.get_item(Key={"pk": "east"}, ConsistentRead=True)["Item"]["card"] == "4111"
    new = {"pk": "west", "card": "5500"}
    table.put_item(Item=new, ConditionExpression=Attr("pk").not_exists())
    with pytest.raises(table.meta.client.exceptions.ConditionalCheckFailedException):
        table.put_item(Item=new, ConditionExpression=Attr("pk").not_exists())
    with table.batch_writer() as batch:
        batch.put_item(Item={"pk": "batch", "card": "3400"})
    stored = {one["pk"]: one for one in places.items(WEST, name)}
    assert stored.keys() == {"east", "west", "batch"}
    assert all("card" in one and not isinstance(one["card"], str) for one in stored.values())
    plain = _encrypted(places.db.in_region(WEST).Table(name))
    assert {one["card"] for one in plain.scan()["Items"]} == {"4111", "5500", "3400"}
    places.mend()
    assert [one["pk"] for one in places.items(EAST, name)] == ["east"]


def test_its_client_and_resource_do_the_same(places: Places) -> None:
    name = places.table("secrets", "pk")
    client: Any = EncryptedClient(client=places.db.client, materials_provider=MATERIALS)
    resource: Any = EncryptedResource(resource=places.db.resource, materials_provider=MATERIALS)
    places.fail_over()
    client.put_item(TableName=name, Item={"pk": {"S": "low"}, "card": {"S": "1"}})
    resource.Table(name).put_item(Item={"pk": "high", "card": "2"})
    resource.batch_write_item(
        RequestItems={name: [{"PutRequest": {"Item": {"pk": "batch", "card": "3"}}}]}
    )
    keys = [{"pk": one} for one in ("low", "high", "batch")]
    got = resource.batch_get_item(RequestItems={name: {"Keys": keys}})["Responses"][name]
    assert {one["card"] for one in got} == {"1", "2", "3"}
    pages = client.get_paginator("scan").paginate(TableName=name, PaginationConfig={"PageSize": 1})
    assert {item["card"]["S"] for page in pages for item in page["Items"]} == {"1", "2", "3"}
    assert len(places.items(WEST, name)) == 3
