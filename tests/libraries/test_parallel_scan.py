"""aws-dynamodb-parallel-scan walks the segments of a table on, in the new region."""

from __future__ import annotations

from collections import Counter
from typing import Any

import aws_dynamodb_parallel_scan
import pytest

from tests.libraries.places import Places
from tests.support.regional import WEST

pytestmark = pytest.mark.world
ITEMS = 120


@pytest.mark.parametrize("kind", ["client", "resource's client"])
def test_a_scan_that_has_begun_finds_each_item_once(places: Places, kind: str) -> None:
    """The pages after the move come from the west: only there is what was written by then."""
    table = places.table("orders", "pk")
    with places.db.Table(table).batch_writer() as batch:
        for number in range(ITEMS):
            batch.put_item(Item={"pk": f"order#{number}"})
    client = places.db.client if kind == "client" else places.db.resource.meta.client
    paginator: Any = aws_dynamodb_parallel_scan.get_paginator(client)
    pages = paginator.paginate(TableName=table, TotalSegments=4, Limit=5, ConsistentRead=True)
    found = [next(pages) for _ in range(4)]
    places.fail_over()
    found.extend(pages)
    keys = [item["pk"] for page in found for item in page["Items"]]
    plain = [key["S"] if kind == "client" else key for key in keys]
    assert Counter(plain) == Counter(f"order#{number}" for number in range(ITEMS))
    places.db.Table(table).put_item(Item={"pk": "late"})
    again = paginator.paginate(TableName=table, TotalSegments=4)
    assert sum(len(page["Items"]) for page in again) == ITEMS + 1
    assert {"pk": "late"} in places.items(WEST, table)
