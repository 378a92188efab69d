"""DynamoDB of two regions and what is copied between them: lag, pause, cut, death, conflict."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from orchestrator.local.dynamodb.database import Database
from orchestrator.local.dynamodb.replicator import Replicator
from orchestrator.local.process.wait import wait_until

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, WriteRequestTypeDef

# three processes start, beside others
pytestmark = [pytest.mark.long, pytest.mark.world, pytest.mark.timeout(120)]

EAST, WEST, EU = "us-east-1", "us-west-2", "eu-west-1"


class Table:
    """The table of one region, for tests."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.client: DynamoDBClient = boto3.client(
            "dynamodb",
            region_name=database.region,
            endpoint_url=database.url,
            aws_access_key_id="laptop",
            aws_secret_access_key="laptop",
            config=Config(read_timeout=10, retries={"total_max_attempts": 1}),
        )

    def put(self, key: str, value: str) -> None:
        """Write one item."""
        item = {"pk": {"S": key}, "value": {"S": value}}
        self.client.put_item(TableName="checkout", Item=item)

    def get(self, key: str) -> str | None:
        """The value of one item, None if there is none."""
        found = self.client.get_item(TableName="checkout", Key={"pk": {"S": key}}).get("Item")
        return found["value"]["S"] if found else None

    def delete(self, key: str) -> None:
        """Delete one item."""
        self.client.delete_item(TableName="checkout", Key={"pk": {"S": key}})

    def keys(self) -> list[str]:
        """All keys, sorted."""
        found = self.client.scan(TableName="checkout")["Items"]
        return sorted(one["pk"]["S"] for one in found)


class Regions:
    """Three regions and the replicator between them."""

    def __init__(self, databases: list[Database], replicator: Replicator) -> None:
        self.replicator = replicator
        self.east, self.west, self.eu = (Table(database) for database in databases)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regions]:
    """Started once for all tests of this file."""
    folder = tmp_path_factory.mktemp("replicas")
    databases = [Database(region, folder) for region in (EAST, WEST, EU)]
    with ExitStack() as stack:
        for database in databases:
            stack.callback(database.stop)
        with ThreadPoolExecutor() as pool:
            list(pool.map(Database.start, databases))
        made = Regions(databases, stack.enter_context(Replicator(databases)))
        for table in (made.east, made.west, made.eu):
            stack.callback(table.client.close)
        yield made


@pytest.fixture
def regions(running: Regions) -> Regions:
    """All of them well, without lag, and empty."""
    for table in (running.east, running.west, running.eu):
        table.database.resume()
        running.replicator.mend(table.database.region)
    running.replicator.set_lag(0)
    running.replicator.wait_drained()
    for key in running.east.keys():  # noqa: SIM118  # it is a method of ours
        running.east.delete(key)
    running.replicator.wait_drained()
    return running


def test_every_kind_of_write_reaches_every_region(regions: Regions) -> None:
    """Put, update, delete, batches and transactions; binary values and sets arrive as they were."""
    east = regions.east.client
    regions.east.put("put", "1")
    regions.east.put("gone", "1")
    regions.east.delete("gone")
    east.update_item(
        TableName="checkout",
        Key={"pk": {"S": "put"}},
        UpdateExpression="SET #v = :v, tags = :t",
        ExpressionAttributeNames={"#v": "value"},
        ExpressionAttributeValues={":v": {"S": "2"}, ":t": {"SS": ["a", "b"]}},
    )
    batch: WriteRequestTypeDef = {
        "PutRequest": {
            "Item": {"pk": {"S": "batch"}, "value": {"S": "3"}, "raw": {"B": b"\x00\xff"}}
        }
    }
    east.batch_write_item(RequestItems={"checkout": [batch]})
    made: TransactWriteItemTypeDef = {
        "Put": {
            "TableName": "checkout",
            "Item": {"pk": {"S": "transaction"}, "value": {"S": "4"}, "n": {"N": "1.50"}},
        }
    }
    east.transact_write_items(TransactItems=[made])
    regions.replicator.wait_drained()
    expected = east.scan(TableName="checkout")["Items"]
    assert len(expected) == 3
    for table in (regions.west, regions.eu):
        found = table.client.scan(TableName="checkout")["Items"]
        assert sorted(found, key=str) == sorted(expected, key=str)
    assert regions.west.get("put") == "2"
    raw = regions.eu.client.get_item(TableName="checkout", Key={"pk": {"S": "batch"}})["Item"]
    assert raw["raw"]["B"] == b"\x00\xff"


def test_what_failed_is_not_copied(regions: Regions) -> None:
    """A condition that does not hold changes nothing anywhere."""
    before = len(regions.east.database.writes())
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        regions.east.client.put_item(
            TableName="checkout",
            Item={"pk": {"S": "a"}},
            ConditionExpression="attribute_exists(pk)",
        )
    assert len(regions.east.database.writes()) == before


def test_lag_is_the_age_at_which_a_write_arrives(regions: Regions) -> None:
    """With a lag nothing arrives before, and all soon after; per direction."""
    regions.replicator.set_lag(600, EAST, WEST)
    began = time.monotonic()
    regions.east.put("late", "1")
    assert regions.west.get("late") is None
    assert regions.replicator.pending(EAST, WEST).count == 1
    wait_until(lambda: regions.eu.get("late"), 30, "the write in the region without lag")
    assert regions.replicator.pending(EAST, WEST).count == 1
    regions.replicator.set_lag(0.5, EAST, WEST)
    wait_until(lambda: regions.west.get("late"), 30, "the write")
    assert time.monotonic() - began >= 0.5


def test_a_paused_link_keeps_what_was_written(regions: Regions) -> None:
    """One direction stands still, the other flows; what is behind is counted, and comes later."""
    regions.replicator.pause(EAST, WEST)
    for number in range(5):
        regions.east.put(f"kept-{number}", "1")
    regions.west.put("from west", "1")
    wait_until(lambda: regions.east.get("from west"), 30, "the other direction")
    found = regions.replicator.pending(EAST, WEST)
    assert found.keys == tuple(f"kept-{number}" for number in range(5))
    assert 0 < found.seconds < 60
    with pytest.raises(TimeoutError, match="us-east-1 to us-west-2: 5"):
        regions.replicator.wait_drained(0.1)
    regions.replicator.resume(EAST, WEST)
    regions.replicator.wait_drained()
    assert regions.west.get("kept-4") == "1"
    assert regions.replicator.pending(EAST, WEST).seconds == 0


def test_the_later_write_wins_in_all_regions(regions: Regions) -> None:
    """A region that is cut off and written to meanwhile: all end with the later write."""
    regions.replicator.cut(EAST)
    regions.east.put("a", "east, first")
    regions.west.put("a", "west, last")
    regions.west.put("b", "west, first")
    regions.east.put("b", "east, last")
    regions.east.put("c", "east")
    regions.west.delete("c")
    regions.replicator.mend(EAST)
    regions.replicator.wait_drained()
    for table in (regions.east, regions.west, regions.eu):
        assert table.get("a") == "west, last"
        assert table.get("b") == "east, last"
        assert table.get("c") is None


def test_a_frozen_region_delivers_when_it_is_back(regions: Regions) -> None:
    """What it acknowledged before it froze is counted meanwhile, and arrives then."""
    regions.replicator.set_lag(600, EAST)
    regions.east.put("before", "1")
    regions.east.database.hang()
    with pytest.raises(ReadTimeoutError):
        regions.east.get("before")
    assert regions.replicator.pending(EAST, WEST).count == 1
    assert regions.west.get("before") is None
    regions.east.database.resume()
    regions.replicator.set_lag(0.1, EAST)
    regions.replicator.wait_drained()
    assert regions.west.get("before") == "1"


def test_a_killed_region_finds_its_data_again(regions: Regions) -> None:
    """What others had not got is missing while it is dead, and arrives when it is back.

    What was written elsewhere meanwhile wins where it is later.
    """
    regions.replicator.pause(EAST, WEST)
    regions.replicator.pause(EAST, EU)
    regions.east.put("order", "1")
    regions.east.put("conflict", "east")
    regions.east.database.kill()
    assert regions.replicator.pending(EAST, WEST).count == 2
    regions.replicator.mend(EAST)
    regions.west.put("conflict", "west")
    assert regions.west.get("order") is None
    regions.east.database.start()
    regions.replicator.wait_drained()
    for table in (regions.east, regions.west, regions.eu):
        assert table.get("order") == "1"
        assert table.get("conflict") == "west"


def test_partiql_is_refused(regions: Regions) -> None:
    """It would write and not be copied."""
    with pytest.raises(ClientError, match="would not be replicated"):
        regions.east.client.execute_statement(Statement="DELETE FROM checkout WHERE pk = 'a'")


def test_writes_of_many_threads_end_alike_everywhere(regions: Regions) -> None:
    """Eight writers in three regions, on the same few items, deletes among them."""

    def write(number: int) -> None:
        table = (regions.east, regions.west, regions.eu)[number % 3]
        key = f"shared-{number % 7}"
        if number % 5:
            table.put(key, str(number))
        else:
            table.delete(key)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(240)))
    regions.replicator.wait_drained()
    expected = {key: regions.east.get(key) for key in regions.east.keys()}  # noqa: SIM118  # ours
    for table in (regions.west, regions.eu):
        assert {key: table.get(key) for key in table.keys()} == expected  # noqa: SIM118  # ours


class Writers:
    """Four customers who write new items into one region until it fails them or they are ended."""

    def __init__(self, table: Table) -> None:
        self.acknowledged: list[str] = []
        self._table = table
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(4)

    def __enter__(self) -> Self:
        for number in range(4):
            self._pool.submit(self._write, number)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._pool.shutdown()

    def _write(self, number: int) -> None:
        for count in itertools.count():
            if self._ended.is_set():
                return
            key = f"load-{number}-{count}"
            self._table.put(key, "1")
            self.acknowledged.append(key)

    def wait_for(self, more: int) -> None:
        """Wait until so many more writes are acknowledged."""
        wanted = len(self.acknowledged) + more
        wait_until(lambda: len(self.acknowledged) >= wanted, 30, "writes")


def test_a_kill_in_the_middle_of_writes_loses_none_that_was_acknowledged(regions: Regions) -> None:
    """Killed under load and started again: all of them are there, and reach the other regions."""
    with Writers(regions.east) as writers:
        writers.wait_for(50)
        regions.east.database.kill()
    regions.east.database.start()
    regions.replicator.wait_drained()
    for table in (regions.east, regions.west):
        assert set(writers.acknowledged) <= set(table.keys())


def test_nothing_is_delivered_once_a_link_is_paused_or_cut(regions: Regions) -> None:
    """While customers write: what the other region has stays as it was when the call returned."""
    with Writers(regions.east) as writers:
        for number in range(6):
            writers.wait_for(10)
            if number % 2:
                regions.replicator.cut(WEST)
            else:
                regions.replicator.pause(EAST, WEST)
            before = regions.west.keys()
            writers.wait_for(20)
            assert regions.west.keys() == before
            regions.replicator.mend(WEST)
    regions.replicator.wait_drained()
    assert set(writers.acknowledged) <= set(regions.west.keys())
