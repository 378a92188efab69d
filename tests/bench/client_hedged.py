"""What a hedged read costs and saves while one region is slow for some of its calls, in one run.

    make bench-hedged (ARGS='--slow 0.02 --share 0.05')

Two regions answer at once, each from a process of its own, but home takes 0.2 s for 2 % of its
calls. Two clients ask for the same item in turns, one that hedges and one that does not, so
whatever slows the machine slows both. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import random
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.sources.file import FileSource
from tests.support.regional import EAST, WEST, document, write_whole
from tests.support.station import Asked, Said, Station

KEY = {"pk": "order#1"}
ITEM = Said(200, b'{"Item":{"pk":{"S":"order#1"},"what":{"S":"a book"}}}')
WARM = 300
"""Calls of each client in each thread that are not counted: the estimate needs some."""


def serve(told: Connection, slow: float, seconds: float) -> None:
    """A region's DynamoDB that takes so many seconds for this share of its calls."""

    def answer(_: Asked) -> Said:
        if random.random() < slow:
            time.sleep(seconds)
        return ITEM

    with Station(answer) as station:
        told.send(station.url)
        told.recv()  # until the other end is closed


@contextmanager
def region(slow: float, seconds: float) -> Iterator[str]:
    """The URL of such a region, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, slow, seconds), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def measure(options: argparse.Namespace) -> tuple[list[float], list[float], float]:
    """Seconds of each call without and with hedges, and the share of the latter that was hedged."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "laptop", "AWS_SECRET_ACCESS_KEY": "laptop"}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        home = stack.enter_context(region(options.slow, options.seconds))
        other = stack.enter_context(region(0.0, 0.0))
        source = Path(folder) / "checkout.json"
        write_whole(source, document(endpoints={EAST: home, WEST: other}))
        clients = [
            stack.enter_context(
                MultiRegionDynamoDB(
                    FileSource(source), home=EAST, hedge=share, allow_endpoint=loopback
                )
            )
            for share in (0.0, options.share)
        ]
        assert all(one.ready(10) for one in clients)
        tables: list[Any] = [one.Table("orders") for one in clients]
        found: tuple[list[float], list[float]] = ([], [])
        warm = threading.Barrier(options.threads)

        def ask(_: int) -> None:
            for number in range(options.calls + WARM):
                if number == WARM:
                    warm.wait()
                for turn in (0, 1):
                    which = (number + turn) % 2
                    began = time.perf_counter()
                    tables[which].get_item(Key=KEY)
                    if number >= WARM:
                        found[which].append(time.perf_counter() - began)

        with ThreadPoolExecutor(options.threads) as pool:
            list(pool.map(ask, range(options.threads)))
        hedges = clients[1].stats()["hedges"]
    return (*found, hedges["asked"] / hedges["reads"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench-hedged", description=__doc__)
    parser.add_argument("--calls", type=int, default=2000, help="of each client in each thread")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--slow", type=float, default=0.02, help="share of home's calls")
    parser.add_argument("--seconds", type=float, default=0.2, help="that a slow call takes")
    parser.add_argument("--share", type=float, default=0.05, help="of reads that may be hedged")
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    print(
        "| run | p50 without | p50 with | ratio | p99 without | p99 with | ratio"
        " | mean without | mean with | hedged |"
    )
    print("| ---: " * 10 + "|")
    for run in range(1, options.runs + 1):
        plain, hedged, share = measure(options)
        cells = [str(run)]
        for percent in (50, 99):
            without, other = (
                statistics.quantiles(one, n=100)[percent - 1] * 1e3 for one in (plain, hedged)
            )
            cells += [f"{without:.2f} ms", f"{other:.2f} ms", f"{other / without:.2f}"]
        cells += [f"{statistics.fmean(one) * 1e3:.2f} ms" for one in (plain, hedged)]
        print(f"| {' | '.join(cells)} | {share:.1%} |", flush=True)


if __name__ == "__main__":
    main()
