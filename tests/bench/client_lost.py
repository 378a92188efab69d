"""What users notice when a region's DynamoDB is lost under load: the client and its breaker.

    make bench-lost (ARGS='--rate 200')

Three DynamoDB processes (moto's) with replication 0.1 s behind, half of the requests reads and half
writes; the document names the new primary 1.5 s after the loss. Nothing is asserted: it prints what
came of the requests.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

from orchestrator.local.database import Database
from orchestrator.local.wait import wait_until
from tests.load import Load, Record, regions


def lose(how: Callable[[Database], None], rate: float) -> tuple[Record, int]:
    """The record of one loss, and how many acknowledged writes the new primary does not have."""
    with (
        tempfile.TemporaryDirectory() as name,
        regions(Path(name)) as world,
        world.client() as db,
    ):
        assert db.ready(10)
        with Load(db, rate) as record:
            wait_until(lambda: len(record.acknowledged) >= rate, 30, "writes before the loss")
            world.lose(how)
            world.replicator.cut("us-east-1")
            before = len(record.acknowledged)
            wait_until(lambda: len(record.acknowledged) >= before + rate, 30, "writes again")
        return record, len(world.missing(list(record.acknowledged)))


def main() -> None:
    """Lose a region in both ways, and print."""
    parser = argparse.ArgumentParser(prog="make bench-lost", description=__doc__)
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    print(
        "| region is | reads | failed | slowest read | writes acknowledged | not sent | unknown"
        " | not replicated (RPO) |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for word, how in (("killed", Database.kill), ("frozen", Database.hang)):
        record, missing = lose(how, options.rate)
        failed = record.failed_writes
        print(
            f"| {word} | {record.reads} | {len(record.failed_reads)} | {record.slowest:.2f} s"
            f" | {len(record.acknowledged)} | {failed['not-sent']} | {failed['unknown']}"
            f" | {missing} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
