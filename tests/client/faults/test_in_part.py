"""A region that fails in part is left by what it fails, and by nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from orchestrator.client._calls.routing import ServiceMode as Sharing
from orchestrator.client.errors import RegionError, WriteUnknown
from tests.client.faults.modes import Mode, says
from tests.client.faults.proxy import Act, Exchange, error, well
from tests.client.faults.world import ITEM, World, world
from tests.support.regional import EAST, PATIENCE, WEST, document

pytestmark = [pytest.mark.world, pytest.mark.long]

HOT = "hot"


def for_key(key: str, act: Act) -> Act:
    """Do this with requests for this key; all is well for every other one."""

    def by_key(exchange: Exchange) -> None:
        (act if json.loads(exchange.body)["Key"]["pk"]["S"] == key else well)(exchange)

    return by_key


def for_operation(operation: str, act: Act) -> Act:
    """Do this with requests of this operation; all is well for every other one."""

    def by_operation(exchange: Exchange) -> None:
        (act if exchange.operation == operation else well)(exchange)

    return by_operation


def throttled(*reasons: str) -> Act:
    """DynamoDB throttles, for these reasons."""
    return says(error(400, "ThrottlingException", *reasons))


def add_hot(made: World) -> None:
    """A write to the hot key, which ends with DynamoDB's own error."""
    client = made.db.options(deadline=0.05).client
    with pytest.raises(ClientError, match="Throttling"):
        client.update_item(
            TableName="orders",
            Key={"pk": {"S": HOT}},
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )


def test_a_hot_key_moves_no_write_of_another_key() -> None:
    """Active-active, so that another region would take them: 70 increments of another counter."""
    with world(30.0, 10.0, sharing=Sharing.ACTIVE_ACTIVE) as made:
        act = for_key(HOT, throttled("TableWriteKeyRangeThroughputExceeded"))
        made.turn(EAST, Mode("a hot key", act), executes=True)
        for number in range(70):
            if number % 7 == 0:
                add_hot(made)
            made.add("cold")
        assert made.proxies[EAST].double.done["cold"] == made.done("cold") == 70


def test_an_accounts_limit_moves_writes_to_a_region_that_takes_them() -> None:
    with world(0.5, 0.5, sharing=Sharing.ACTIVE_ACTIVE) as made:
        made.turn(EAST, Mode("throttles", throttled("TableWriteAccountLimitExceeded")))
        for _ in range(5):
            try:
                made.add("n")
            except (ClientError, RegionError):
                continue
        made.add("n")
        assert made.proxies[WEST].double.done["n"] == made.done("n") >= 1


def test_writes_that_hang_leave_a_region_whose_reads_are_well() -> None:
    """Its reads stay: they have a breaker of their own."""
    with world(30.0, 0.1, sharing=Sharing.ACTIVE_ACTIVE) as made:
        stuck = for_operation("UpdateItem", Exchange.stall)
        made.turn(EAST, Mode("writes hang", stuck), executes=True)
        for number in range(5):
            with pytest.raises(WriteUnknown):
                made.add(f"n{number}")
        made.add("n")
        assert made.proxies[WEST].double.done["n"] == 1
        before = made.proxies[EAST].double.asked["GetItem"]
        assert made.read()["Item"] == ITEM
        assert made.proxies[EAST].double.asked["GetItem"] == before + 1


def test_a_success_that_is_too_slow_counts_against_the_region() -> None:
    """Each piece comes in time, and the whole does not: it is the answer, and no good sign."""

    def slow(exchange: Exchange) -> None:
        whole = exchange.answer.whole()
        for at in range(0, len(whole), len(whole) // 3):
            exchange.over.wait(0.06)
            exchange.send(whole[at : at + len(whole) // 3])

    with world(30.0, 0.1) as made:
        made.turn(EAST, Mode("slow", slow), executes=True)
        for number in range(8):
            made.proxies[EAST].double.items[str(number)] = ITEM
            made.read(str(number))
        assert made.db.stats()["regions"][EAST]["breakers"]["read"] != "closed"
        assert made.proxies[WEST].double.asked["GetItem"] >= 1


def test_a_fence_refuses_a_write_before_anything_is_sent() -> None:
    """`not-sent`, and no region was asked."""
    until = datetime.now(UTC) + timedelta(minutes=10)
    with world(30.0, 10.0) as made:
        urls = {name: proxy.url for name, proxy in made.proxies.items()}
        made.source.body = document(2, fenced={EAST: until}, endpoints=urls)
        assert made.db.view.refresh(PATIENCE)
        for _ in range(20):
            with pytest.raises(RegionError) as raised:
                made.add("n")
            assert raised.value.outcome == "not-sent"
        assert {
            name: proxy.double.asked["UpdateItem"] for name, proxy in made.proxies.items()
        } == dict.fromkeys(made.proxies, 0)
