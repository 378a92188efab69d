"""The planned global table, made on a DynamoDB of the laptop's (moto) and used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.terraform_runner import Plan, Terraform

pytestmark = [pytest.mark.terraform, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def planned(terraform: Terraform, tree: Path) -> Plan:
    return terraform.planned(tree / "examples" / "dynamodb-global-table")


def _request(table: dict[str, Any]) -> dict[str, Any]:
    """The planned table as DynamoDB's own CreateTable takes it."""
    return {
        "TableName": table["name"],
        "BillingMode": table["billing_mode"],
        "KeySchema": [{"AttributeName": table["hash_key"], "KeyType": "HASH"}],
        "AttributeDefinitions": [
            {"AttributeName": one["name"], "AttributeType": one["type"]}
            for one in table["attribute"]
        ],
        "StreamSpecification": {
            "StreamEnabled": table["stream_enabled"],
            "StreamViewType": table["stream_view_type"],
        },
        "DeletionProtectionEnabled": table["deletion_protection_enabled"],
    }


def test_the_planned_table_can_be_made_in_every_region_and_used(
    planned: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto has no replicas: each region gets the table by itself; botocore checks the requests."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed: the table was not made")
    moto = pytest.importorskip("moto", reason="moto is not installed: the table was not made")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    (table,) = planned.resources("aws_dynamodb_table").values()
    items = planned.resources("aws_dynamodb_table_item").values()
    regions = planned.output("regions")
    assert {replica["region_name"] for replica in table["replica"]} == set(regions[1:])
    with moto.mock_aws():
        for region in regions:
            client = boto3.client("dynamodb", region_name=region)
            client.create_table(**_request(table))
            client.update_continuous_backups(
                TableName=table["name"],
                PointInTimeRecoverySpecification={
                    "PointInTimeRecoveryEnabled": table["point_in_time_recovery"][0]["enabled"]
                },
            )
            for item in items:
                assert item["hash_key"] == table["hash_key"]
                client.put_item(TableName=table["name"], Item=json.loads(item["item"]))
            told = client.describe_table(TableName=table["name"])["Table"]
            assert told["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
            for key in planned.output("items").values():
                beat = {table["hash_key"]: {"S": key}}
                client.update_item(
                    TableName=table["name"],
                    Key=beat,
                    UpdateExpression="SET #at = :now",
                    ExpressionAttributeNames={"#at": "at"},
                    ExpressionAttributeValues={":now": {"N": "1795443670"}},
                )
                found = client.get_item(TableName=table["name"], Key=beat, ConsistentRead=True)
                assert found["Item"]["at"] == {"N": "1795443670"}
