"""What is the fault of one request, over HTTP: the regions are as good as before for all others."""

from __future__ import annotations

import json
from itertools import count

import pytest

from orchestrator.client._calls.call import Options
from orchestrator.client.errors import NoHealthyRegion
from orchestrator.local.process.loopback import free_port, url_of
from tests.support.client_parts import calls
from tests.support.regional import EAST
from tests.support.station import Asked, Said, Station

PATIENT = Options(deadline=30.0)
POISON = "poison"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "laptop")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "laptop")


def poisonous(asked: Asked) -> Said:
    """A 500 for one item, and an answer for every other one."""
    key = json.loads(asked.body)["Key"]["pk"]["S"]
    if key == POISON:
        return Said(500, b'{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}')
    return Said(200, json.dumps({"Item": {"pk": {"S": key}}}).encode())


def test_an_item_that_gets_a_500_everywhere_fails_no_other_read() -> None:
    """Three healthy regions, and every third read is for the poisonous item."""
    with (
        Station(poisonous) as east,
        Station(poisonous) as west,
        Station(poisonous) as europe,
        calls(us_east_1=east.url, us_west_2=west.url, eu_west_1=europe.url) as made,
    ):
        for number in range(36):
            key = POISON if number % 3 == 0 else f"well#{number}"
            kwargs = {"TableName": "orders", "Key": {"pk": {"S": key}}}
            if key == POISON:
                with pytest.raises(NoHealthyRegion):
                    made.read("get_item", kwargs, Options(deadline=0.2))
            else:
                answer, region = made.read("get_item", kwargs, PATIENT)
                assert (answer["Item"]["pk"], region) == ({"S": key}, EAST)
        assert {one.breakers.state for one in made.regions.all()} == {"closed"}


def test_no_read_fails_while_home_throttles_a_share_and_the_standby_is_dead() -> None:
    """15 of 100 calls, whether for the account's limit or the table's, consistent or not."""
    number = count()

    def throttling(_: Asked) -> Said:
        if next(number) % 20 in (0, 7, 13):
            code = "com.amazonaws.dynamodb.v20120810#RequestLimitExceeded"
            return Said(400, json.dumps({"__type": code}).encode())
        return Said(200, b'{"Item":{"pk":{"S":"a"}}}')

    dead = url_of(free_port())
    with Station(throttling) as home, calls(us_east_1=home.url, us_west_2=dead) as made:
        for turn in range(124):
            kwargs = {"TableName": "orders", "Key": {"pk": {"S": str(turn)}}}
            answer, region = made.read("get_item", kwargs, PATIENT, consistent=turn % 2 == 0)
            assert region == EAST
            assert answer["Item"] == {"pk": {"S": "a"}}
