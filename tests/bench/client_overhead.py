"""What a routed `get_item` costs beside boto3's own, on the same server, in one run.

    make bench-client (ARGS='--calls 5000')

All ask the same DynamoDB (moto's, in a process of its own) for the same item over a kept-alive
connection each, in turns, so that whatever slows the machine slows all. boto3 has two ways of its
own: the Table, which is what applications use, and the client beneath it, which does less. Routed
are the Table that is handed out (`db.Table`) and one that the application made (`db.route`). The
routed client is as applications use it: a document that is looked at in the background, connections
kept warm. Medians, of the time that a call takes and of the processor time of its thread, which
other work on the machine lengthens less.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3

from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.sources.file import FileSource
from orchestrator.local.dynamodb.database import Database
from tests.support.regional import EAST, document, write_whole

KEY = {"pk": "order#1"}
WARM = 200
"""Calls of each kind that are not counted."""


WAYS = ("boto3's Table", "boto3's client", "db.Table", "db.route(...)")

Taken = tuple[float, float]
"""Seconds of one call, and of the processor for its thread."""


def taken(call: Callable[[], object]) -> Taken:
    """What one call took."""
    began, busy = time.perf_counter(), time.thread_time()
    call()
    return time.perf_counter() - began, time.thread_time() - busy


def measure(calls: int) -> list[list[Taken]]:
    """What each call took, in the order of WAYS."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "laptop", "AWS_SECRET_ACCESS_KEY": "laptop"}
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        server = Database(EAST, folder)
        server.start()
        stack.callback(server.stop)
        source = folder / "checkout.json"
        write_whole(source, document(endpoints={EAST: server.url}))
        resource, own = (
            boto3.resource("dynamodb", region_name=EAST, endpoint_url=server.url) for _ in range(2)
        )
        db = stack.enter_context(
            MultiRegionDynamoDB(FileSource(source), home=EAST, allow_endpoint=loopback)
        )
        assert db.ready(5)
        db.route(own)
        plain, client, routed, existing = (
            resource.Table("checkout"),
            resource.meta.client,
            db.Table("checkout"),
            own.Table("checkout"),
        )
        plain.put_item(Item={**KEY, "what": "a book"})
        ways: list[Callable[[], object]] = [
            lambda: plain.get_item(Key=KEY),
            lambda: client.get_item(TableName="checkout", Key=KEY),
            lambda: routed.get_item(Key=KEY),
            lambda: existing.get_item(Key=KEY),
        ]
        found: list[list[Taken]] = [[] for _ in WAYS]
        for number in range(calls + WARM):
            for turn in range(len(WAYS)):  # in turns, and each of them first every fourth time
                which = (number + turn) % len(WAYS)
                took = taken(ways[which])
                if number >= WARM:
                    found[which].append(took)
    return found


def show(run: int, found: list[list[Taken]]) -> None:
    """Two lines: the time, and the processor's."""
    for what, number in (("time", 0), ("processor", 1)):
        medians = [statistics.median(one[number] for one in way) * 1e3 for way in found]
        ratios = [f"{(one / medians[0] - 1) * 100:+.2f} %" for one in medians[2:]]
        cells = [str(run), what, *(f"{one:.3f} ms" for one in medians), *ratios]
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench-client", description=__doc__)
    parser.add_argument("--calls", type=int, default=3000, help="of each kind, after 200 more")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(f"Load of the machine before: {os.getloadavg()[0]:.1f}\n")
    print(f"| run | | {' | '.join(WAYS)} | db.Table to boto3's | db.route(...) to boto3's |")
    print("| ---: | --- |" + " ---: |" * 6)
    for run in range(1, options.runs + 1):
        show(run, measure(options.calls))


if __name__ == "__main__":
    main()
