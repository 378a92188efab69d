"""Probes beside the requests: a breaker is closed by a call of the kind that it was opened by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.client._calls.keeper import Keeper
from orchestrator.client._regions.breaker import Breaker, BreakerState, Need
from orchestrator.client._regions.breakers import Breakers
from orchestrator.client._regions.regions import RoutedRegion
from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import WRITE_KEY, MultiRegionDynamoDB
from orchestrator.client.errors import WriteUnknown
from orchestrator.client.sources.file import FileSource
from orchestrator.local.dynamodb.database import Database
from orchestrator.local.process.wait import wait_until
from tests.support.forwarding import forward
from tests.support.regional import EAST, FakeDynamo, answer, document, write_whole
from tests.support.station import Asked, Said, Station


@dataclass
class OneRegion:
    """Stands in for Regions: one of them, whose breaker for writes can be opened."""

    region: RoutedRegion

    def all(self) -> tuple[RoutedRegion, ...]:
        """It."""
        return (self.region,)

    def lose_writes(self) -> Breaker:
        """Open the breaker for writes."""
        self.region.breakers.write.trip()
        return self.region.breakers.write


@pytest.fixture
def one() -> OneRegion:
    """A region that answers."""
    return OneRegion(RoutedRegion(EAST, "https://east", FakeDynamo(EAST), Breakers()))


@contextmanager
def keeper(one: OneRegion, write: Any) -> Iterator[Keeper]:
    """A keeper that has begun. write: what it tries to write."""
    made: Any = Keeper(one, lambda region: region.client.get_item(), write=write)  # type: ignore[arg-type]  # as far as it uses Regions
    made.start()
    try:
        yield made
    finally:
        made.close()


def test_a_write_closes_the_breaker_for_writes(one: OneRegion) -> None:
    breaker = one.lose_writes()
    with keeper(one, lambda region: region.client.update_item()):
        wait_until(lambda: breaker.state is BreakerState.CLOSED, 30, "the probe to close it")
    assert set(one.region.client.asked) == {"update_item"}


def test_reads_do_not_close_the_breaker_for_writes(one: OneRegion) -> None:
    breaker = one.lose_writes()
    one.region.breakers.read.trip()
    with keeper(one, None):
        reads = one.region.breakers.read
        wait_until(lambda: reads.state is BreakerState.CLOSED, 30, "the probe to close it")
    assert breaker.state is BreakerState.OPEN
    assert set(one.region.client.asked) == {"get_item"}


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_a_probe_that_is_refused_before_it_is_a_write_leaves_the_trial_to_a_users_write(
    one: OneRegion, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Else who may only read the health table would never write again."""
    breaker = one.lose_writes()
    one.region.client.always = answer(code, 400)
    with keeper(one, lambda region: region.client.update_item()) as made:
        wait_until(lambda: made._unwritten == {EAST}, 30, "the probe to be refused")
    assert breaker.state is BreakerState.OPEN
    assert breaker.allows()
    assert "Allow dynamodb:UpdateItem" in caplog.text


@pytest.mark.world
def test_a_primary_whose_writes_fail_is_found_well_again_by_a_write_that_changes_nothing(
    dynamo: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reads go on all the time. The probe is judged by moto."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "laptop")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "laptop")
    failing = [True]

    def said(asked: Asked) -> Said:
        if failing and not asked.headers["x-amz-target"].endswith("GetItem"):
            return Said(500, b'{"__type":"a#InternalServerError"}')
        return forward(dynamo.url, asked)

    with Station(said) as proxy:
        source = tmp_path / "checkout.json"
        write_whole(source, document(endpoints={EAST: proxy.url}))
        settings: Any = {"health_table": "checkout", "allow_endpoint": loopback}
        with MultiRegionDynamoDB(FileSource(source), home=EAST, **settings) as db:
            assert db.ready(10)
            table = db.Table("checkout")
            for number in range(5):
                with pytest.raises(WriteUnknown):
                    table.put_item(Item={"pk": str(number)})
                assert "Item" not in table.get_item(Key={"pk": str(number)})
            states = db.stats()["regions"][EAST]["breakers"]
            assert states[Need.READ] == "closed"
            assert states[Need.WRITE] != "closed"
            failing.clear()

            def closed() -> bool:
                return bool(db.stats()["regions"][EAST]["breakers"][Need.WRITE] == "closed")

            wait_until(closed, 30, "the probe to close it")
            assert "Item" not in table.get_item(Key={"pk": WRITE_KEY["pk"]["S"]})
            table.put_item(Item={"pk": "a"})
