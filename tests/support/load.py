"""Requests at a steady rate through the client, while the region that takes them is lost.

What came of each is kept: reads that failed, writes that were acknowledged, and what was said of
those that were not. `lose` plays the orchestrator: it publishes the document that names the new
primary, some time after the region was lost.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.errors import RegionError
from orchestrator.client.sources.file import FileSource
from orchestrator.local.dynamodb.database import Database
from orchestrator.local.dynamodb.replicator import Replicator
from tests.support.regional import EAST, REGIONS, WEST, document, write_whole

LAG = 0.1
"""Seconds of replication."""

NOTICED = 1.5
"""Seconds from the loss of a region to the document that says so."""


@dataclass(slots=True)
class Record:
    """What came of the requests. acknowledged: when (time.time) each key's write was. slowest:
    seconds of the slowest read. took: when (time.time) each read began, and its seconds.
    """

    reads: int = 0
    failed_reads: list[str] = field(default_factory=list)
    slowest: float = 0.0
    took: list[tuple[float, float]] = field(default_factory=list)
    acknowledged: dict[str, float] = field(default_factory=dict)
    failed_writes: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)


class Load:
    """`rate` requests a second, reads and writes in turns, each in a thread of its own."""

    def __init__(self, db: MultiRegionDynamoDB, rate: float) -> None:
        self.record = Record()
        self._table: Any = db.Table("checkout")
        self._rate = rate
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(256)
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> Record:
        self._table.put_item(Item={"pk": "read me"})
        self._thread.start()
        return self.record

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._pool.shutdown()

    def _send(self) -> None:
        began, sent = time.monotonic(), 0
        while not self._stopping.wait(max(0.0, began + sent / self._rate - time.monotonic())):
            self._pool.submit(self._write if sent % 2 else self._read, sent)
            sent += 1

    def _read(self, _number: int) -> None:
        at, began = time.time(), time.monotonic()
        try:
            self._table.get_item(Key={"pk": "read me"})
            failure = None
        except Exception as error:  # noqa: BLE001  # whatever it is, the record tells it
            failure = str(error)
        with self._lock:
            self.record.reads += 1
            self.record.took.append((at, time.monotonic() - began))
            self.record.slowest = max(self.record.slowest, self.record.took[-1][1])
            if failure:
                self.record.failed_reads.append(failure)

    def _write(self, number: int) -> None:
        """An order; every second one is conditional, and so may be sent again."""
        key = f"order#{number}"
        condition = {"ConditionExpression": "attribute_not_exists(pk)"} if number % 4 == 1 else {}
        try:
            self._table.put_item(Item={"pk": key, "n": number}, **condition)
        except RegionError as error:
            with self._lock:
                self.record.failed_writes[str(error.outcome)] += 1
        except Exception as error:  # noqa: BLE001  # whatever it is, the record tells it
            with self._lock:
                self.record.unexpected.append(f"{type(error).__name__}: {error}")
        else:
            with self._lock:
                self.record.acknowledged[key] = time.time()


@dataclass(slots=True)
class Regions:
    """The regions' DynamoDB, what is copied between them, and the document in a file."""

    databases: dict[str, Database]
    replicator: Replicator
    source: Path

    def publish(self, revision: int, primary: str, *down: str) -> None:
        """Write the document as the orchestrator would."""
        urls = {name: one.url for name, one in self.databases.items()}
        write_whole(self.source, document(revision, primary, down=down, endpoints=urls))

    def client(self, **settings: Any) -> MultiRegionDynamoDB:
        """A client whose home is the first region."""
        return MultiRegionDynamoDB(
            FileSource(self.source),
            home=EAST,
            health_table="checkout",
            allow_endpoint=loopback,
            **settings,
        )

    def lose(
        self, how: Callable[[Database], None], lost: Sequence[str] = (EAST,), new: str = WEST
    ) -> float:
        """Lose the primary, and others with it; some time later the document names another. When
        (time.time).
        """
        for name in lost:
            how(self.databases[name])
        at = time.time()
        time.sleep(NOTICED)  # the orchestrator's time: there is no event to wait for
        self.publish(2, new, *lost)
        return at

    def missing(self, keys: Iterator[str] | list[str], new: str = WEST) -> set[str]:
        """Those of the keys that the new primary does not have."""
        with self.client() as db:
            assert db.ready(10)
            table: Any = db.in_region(new).Table("checkout")
            found: set[str] = set()
            more: dict[str, Any] = {}
            while True:
                page = table.scan(**more)
                found |= {item["pk"] for item in page["Items"]}
                if not page.get("LastEvaluatedKey"):
                    return set(keys) - found
                more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


@contextmanager
def regions(folder: Path, lag: float = LAG, names: Sequence[str] = REGIONS) -> Iterator[Regions]:
    """Regions that copy to each other, the primary in the east."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "laptop", "AWS_SECRET_ACCESS_KEY": "laptop"}
    with ExitStack() as stack:
        databases = {name: Database(name, folder) for name in names}
        with ThreadPoolExecutor() as pool:
            list(pool.map(Database.start, databases.values()))
        for database in databases.values():
            stack.callback(database.stop)
        replicator = stack.enter_context(Replicator(databases.values(), lag))
        made = Regions(databases, replicator, folder / "checkout.json")
        made.publish(1, EAST)
        yield made
