"""What users notice when regions' DynamoDB is lost under load, and when one key of it is hot.

    make bench-lost (ARGS='--rate 200')

Regions: each a DynamoDB process (moto's), with replication 0.1 s behind. Half of the requests are
reads and half writes. One of three regions is lost, then three of four. The document names the new
primary 1.5 s after the loss. The reads' median before the loss and after the document stand side by
side.

The hot key: DynamoDB throttles every second write of it (KeyRangeThroughputExceeded), in the home
region of an active-active table. A fifth of the writes go to it. boto3 and the routed client write
in turns. Nothing is asserted: it prints what came of the requests.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

from orchestrator.client._calls.routing import ServiceMode as Sharing
from orchestrator.local.dynamodb.database import Database
from orchestrator.local.process.wait import wait_until
from tests.client.faults.modes import Mode, says
from tests.client.faults.proxy import Exchange, error, well
from tests.client.faults.world import World, session, world
from tests.support.load import NOTICED, Load, Record, regions
from tests.support.regional import EAST, REGIONS, WEST

FOURTH = "ap-south-1"
HOT = "hot"


def lose(
    how: Callable[[Database], None], rate: float, lost: Sequence[str], new: str
) -> tuple[Record, int, float]:
    """The record of one loss, how many acknowledged writes the new primary does not have, and when
    the loss was.
    """
    names = tuple(dict.fromkeys((*REGIONS, new)))
    with (
        tempfile.TemporaryDirectory() as name,
        regions(Path(name), names=names) as at,
        at.client() as db,
    ):
        assert db.ready(10)
        with Load(db, rate) as record:
            wait_until(lambda: len(record.acknowledged) >= rate, 30, "writes before the loss")
            when = at.lose(how, lost, new)
            for region in lost:
                at.replicator.cut(region)
            before = len(record.acknowledged)
            wait_until(lambda: len(record.acknowledged) >= before + rate, 60, "writes again")
        return record, len(at.missing(list(record.acknowledged), new)), when


def median(seconds: Sequence[float]) -> float:
    """In milliseconds."""
    return statistics.median(seconds) * 1e3


def print_losses(rate: float) -> None:
    """Lose regions in both ways."""
    print(
        "| lost | reads | failed | slowest read | median before | median after | ratio"
        " | writes acknowledged | not sent | unknown | not replicated (RPO) |"
    )
    print("| --- |" + " ---: |" * 10)
    for lost, new in (((EAST,), WEST), (REGIONS, FOURTH)):
        for word, how in (("killed", Database.kill), ("frozen", Database.hang)):
            record, missing, at = lose(how, rate, lost, new)
            before = median([took for began, took in record.took if began < at])
            after = median([took for began, took in record.took if began > at + NOTICED])
            failed = record.failed_writes
            print(
                f"| {len(lost)} of {len(lost) + (2 if new == WEST else 1)}, {word} | {record.reads}"
                f" | {len(record.failed_reads)} | {record.slowest:.2f} s | {before:.1f} ms"
                f" | {after:.1f} ms | {after / before:.2f} | {len(record.acknowledged)}"
                f" | {failed['not-sent']} | {failed['unknown']} | {missing} |",
                flush=True,
            )


def hot_key() -> Mode:
    """Every second write of one key is throttled; all is well for every other one."""
    turn = count()
    throttled = says(error(400, "ThrottlingException", "TableWriteKeyRangeThroughputExceeded"))

    def act(exchange: Exchange) -> None:
        is_hot = json.loads(exchange.body)["Key"]["pk"]["S"] == HOT
        (throttled if is_hot and next(turn) % 2 else well)(exchange)

    return Mode("a hot key", act)


class Writer:
    """Counts up through one client. took: seconds of each write that came about, by key."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()
        self.took: dict[str, list[float]] = {}
        self.failed: Counter[str] = Counter()

    def add(self, key: str) -> None:
        """Count up."""
        began = time.monotonic()
        try:
            self._client.update_item(
                TableName="orders",
                Key={"pk": {"S": key}},
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )
        except Exception as raised:  # noqa: BLE001  # whatever it is, it is counted
            with self._lock:
                self.failed[f"{key}: {type(raised).__name__}"] += 1
        else:
            with self._lock:
                self.took.setdefault(key, []).append(time.monotonic() - began)


def write(made: World, rate: float, writes: int) -> tuple[Writer, Writer]:
    """boto3's writes, and the routed client's."""
    url = made.proxies[EAST].url
    own = session().client("dynamodb", endpoint_url=url)
    writers = Writer(own), Writer(made.db.client)
    began = time.monotonic()
    with ThreadPoolExecutor(64) as pool:
        for number in range(writes):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            which = 0 if number % 2 else 1
            pool.submit(writers[which].add, HOT if number // 2 % 5 == 0 else f"cold{which}")
    return writers


def print_hot_key(rate: float, writes: int = 1000) -> None:
    """boto3 and the routed client, in turns."""
    mode = hot_key()
    with world(3.0, 1.0, sharing=Sharing.ACTIVE_ACTIVE) as made:
        made.turn(EAST, mode)
        writers = write(made, rate, writes)
        print("| writes of | acknowledged | failed | median | p99 | in another region |")
        print("| --- |" + " ---: |" * 5)
        medians = []
        for which, name in enumerate(("boto3", "routed client")):
            for key, what in ((f"cold{which}", "other keys"), (HOT, "the hot key")):
                took = writers[which].took.get(key, [])
                failed = sum(n for said, n in writers[which].failed.items() if said.startswith(key))
                elsewhere = made.done(key) - made.proxies[EAST].double.done[key]
                medians.append(median(took))
                p99 = statistics.quantiles(took, n=100)[98] * 1e3
                print(
                    f"| {name}, {what} | {len(took)} | {failed} | {medians[-1]:.1f} ms"
                    f" | {p99:.1f} ms | {elsewhere} |"
                )
        print(f"\nOther keys' median, routed to boto3: {medians[2] / medians[0]:.2f}")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="make bench-lost", description=__doc__)
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    print(f"Load of the machine before: {os.getloadavg()[0]:.1f}\n")
    print_losses(options.rate)
    print()
    print_hot_key(options.rate / 2)


if __name__ == "__main__":
    main()
