"""What a routed `get_item` costs beside boto3's own, on the same server, in one run.

    make bench-client (ARGS='--calls 5000')

All ask the same DynamoDB (moto's, in a process of its own) for the same item over a kept-alive
connection each, in turns, so that whatever slows the machine slows all. boto3 has two ways of its
own: the Table, which is what applications use, and the client beneath it, which does less. The
routed client is as applications use it: a document that is looked at in the background, connections
kept warm. Medians.
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
from orchestrator.local.database import Database
from tests.regional import EAST, document, write_whole

KEY = {"pk": "order#1"}
WARM = 200
"""Calls of each kind that are not counted."""


def seconds(call: Callable[[], object]) -> float:
    """How long one call took."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def measure(calls: int) -> list[list[float]]:
    """Seconds of each call: boto3's Table, boto3's client, and the routed Table."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "laptop", "AWS_SECRET_ACCESS_KEY": "laptop"}
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        server = Database(EAST, folder)
        server.start()
        stack.callback(server.stop)
        source = folder / "checkout.json"
        write_whole(source, document(endpoints={EAST: server.url}))
        resource = boto3.resource("dynamodb", region_name=EAST, endpoint_url=server.url)
        db = stack.enter_context(
            MultiRegionDynamoDB(FileSource(source), home=EAST, allow_endpoint=loopback)
        )
        assert db.ready(5)
        plain, client, routed = (
            resource.Table("checkout"),
            resource.meta.client,
            db.Table("checkout"),
        )
        plain.put_item(Item={**KEY, "what": "a book"})
        ways: list[Callable[[], object]] = [
            lambda: plain.get_item(Key=KEY),
            lambda: client.get_item(TableName="checkout", Key=KEY),
            lambda: routed.get_item(Key=KEY),
        ]
        found: list[list[float]] = [[], [], []]
        for number in range(calls + WARM):
            for turn in range(3):  # in turns, and each of them first every third time
                which = (number + turn) % 3
                took = seconds(ways[which])
                if number >= WARM:
                    found[which].append(took)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench-client", description=__doc__)
    parser.add_argument("--calls", type=int, default=3000, help="of each kind, after 200 more")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print("| run | boto3's Table | boto3's client | routed Table | to Table | to client |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for run in range(1, options.runs + 1):
        table, client, routed = (statistics.median(one) * 1e3 for one in measure(options.calls))
        print(
            f"| {run} | {table:.3f} ms | {client:.3f} ms | {routed:.3f} ms"
            f" | {(routed / table - 1) * 100:+.2f} % | {(routed / client - 1) * 100:+.2f} % |",
            flush=True,
        )


if __name__ == "__main__":
    main()
