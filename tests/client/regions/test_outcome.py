"""What DynamoDB's answers say of the region, as botocore really parses them."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from orchestrator.client._calls.call import Options
from orchestrator.client._regions.outcome import FailureKind, kind, throttling_reasons, words
from orchestrator.client._regions.regions import Regions
from orchestrator.client.errors import WriteUnknown
from tests.support.client_parts import ITEM, calls
from tests.support.regional import EAST, WEST
from tests.support.station import Said, Station

PATIENT = Options(deadline=30.0)
TYPE = "com.amazonaws.dynamodb.v20120810#"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "laptop")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "laptop")


def error(code: str, status: int = 400, **more: Any) -> Said:
    """DynamoDB's answer with this code."""
    body = {"__type": TYPE + code, "message": code, **more}
    return Said(status, json.dumps(body).encode())


def reason(name: str) -> list[dict[str, str]]:
    """A list with this reason, as the API reference has it."""
    return [{"reason": name, "resource": "arn:aws:dynamodb:us-east-1:123456789012:table/orders"}]


def told(said: Said) -> ClientError:
    """What boto3 raises after this answer."""
    with Station(lambda _: said) as there, calls(us_east_1=there.url) as made:
        [region] = made.regions.all()
        with pytest.raises(ClientError) as caught:
            region.client.delete_item(**ITEM)
        return caught.value


@pytest.mark.parametrize("limit", ["KeyRange", "Provisioned", "MaxOnDemand"])
@pytest.mark.parametrize("place", ["TableWrite", "IndexRead"])
def test_a_limit_of_a_key_or_a_table_is_no_fault_of_the_region(limit: str, place: str) -> None:
    name = f"{place}{limit}ThroughputExceeded"
    code = "ProvisionedThroughputExceededException"
    found = told(error(code, ThrottlingReasons=reason(name)))
    assert throttling_reasons(found) == (name,)
    assert kind(found) is FailureKind.CROWDED
    assert name in words(found)


def test_the_reasons_of_a_throttling_exception_have_another_spelling() -> None:
    """`throttlingReasons`, in this one alone."""
    for name, expected in (
        ("TableWriteKeyRangeThroughputExceeded", FailureKind.CROWDED),
        ("TableWriteAccountLimitExceeded", FailureKind.THROTTLED),
    ):
        found = told(error("ThrottlingException", throttlingReasons=reason(name)))
        assert throttling_reasons(found) == (name,)
        assert kind(found) is expected


def test_throttling_without_a_reason_goes_by_its_code() -> None:
    assert kind(told(error("ProvisionedThroughputExceededException"))) is FailureKind.CROWDED
    assert kind(told(error("RequestLimitExceeded"))) is FailureKind.THROTTLED
    assert kind(told(error("ThrottlingException"))) is FailureKind.THROTTLED


ODD = {
    "a checksum that is no number": Said(200, b"{}", {"x-amz-crc32": "abc"}),
    "a list for an object": Said(200, b'{"Attributes":[1]}'),
    "bytes that are no text": Said(200, b'{"Attributes":{"s":{"S":"\xff"}}}'),
    "brackets without an end": Said(200, b'{"a":' + b"[" * 100_000 + b"}"),
    "no base64": Said(200, b'{"Attributes":{"b":{"B":"abc"}}}'),
}


@pytest.mark.parametrize("said", ODD.values(), ids=ODD)
def test_an_answer_that_cannot_be_read_makes_a_write_unknown_and_a_read_go_on(said: Said) -> None:
    well = Said(200, b'{"Item":{"pk":{"S":"a"}}}')
    read = Said(said.status, said.body.replace(b"Attributes", b"Item"), said.headers)
    with (
        Station(
            lambda asked: read if b"Get" in asked.headers["x-amz-target"].encode() else said
        ) as odd,
        Station(lambda _: well) as other,
        calls(us_east_1=odd.url, us_west_2=other.url) as made,
    ):
        with pytest.raises(WriteUnknown):
            made.write("delete_item", {**ITEM, "ReturnValues": "ALL_OLD"}, PATIENT)
        answer, region = made.read("get_item", ITEM, PATIENT)
        assert (answer["Item"], region) == ({"pk": {"S": "a"}}, WEST)


def test_a_region_is_not_made_twice_for_one_endpoint() -> None:
    with Station(lambda _: Said(200, b"{}")) as there, calls(us_east_1=there.url) as made:
        document = made.view.latest
        assert document is not None
        regions = Regions(boto3.Session)
        entry = document.regions[EAST]
        assert regions.get(entry) is regions.get(entry)
