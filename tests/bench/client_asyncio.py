"""boto3's Table and the routed one from an event loop, each by `asyncio.to_thread`, in one run.

    make bench-asyncio (ARGS='--calls 5000 --tasks 32')

Both ask the same DynamoDB (moto's, in a process of its own) for the same item, from the same
executor with a bounded number of threads, in turns. Meanwhile a task of the loop sleeps for a
millisecond again and again: how much later it wakes is the loop's lag. The loop's lag without any
call is measured too, because a busy machine has one of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
from botocore.config import Config

from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.sources.file import FileSource
from orchestrator.local.dynamodb.database import Database
from tests.support.regional import EAST, document, write_whole

KEY = {"pk": "order#1"}
THREADS = 32
TICK = 0.001
"""Seconds that the task which measures the lag sleeps."""

Call = Callable[[], object]


@dataclass(slots=True)
class Found:
    """Seconds: of each call as its task sees it, of each round, and how late the loop was."""

    calls: list[float] = field(default_factory=list)
    rounds: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)


@contextmanager
def two_ways() -> Iterator[dict[str, Call]]:
    """A get_item by boto3's Table and one by the routed Table, on the same server."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "laptop", "AWS_SECRET_ACCESS_KEY": "laptop"}
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        server = Database(EAST, folder)
        server.start()
        stack.callback(server.stop)
        source = folder / "checkout.json"
        write_whole(source, document(endpoints={EAST: server.url}))
        db = stack.enter_context(
            MultiRegionDynamoDB(FileSource(source), home=EAST, allow_endpoint=loopback)
        )
        assert db.ready(5)
        config = Config(max_pool_connections=64)  # as many as the routed one keeps
        plain = boto3.resource(
            "dynamodb", region_name=EAST, endpoint_url=server.url, config=config
        ).Table("checkout")
        routed = db.Table("checkout")
        plain.put_item(Item={**KEY, "what": "a book"})
        yield {
            "no call": lambda: None,
            "boto3, to_thread": lambda: plain.get_item(Key=KEY),
            "routed, to_thread": lambda: routed.get_item(Key=KEY),
        }


async def feel(lags: list[float]) -> None:
    """How late the loop is, until it is cancelled."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(TICK)
        lags.append(max(0.0, time.perf_counter() - began - TICK))


async def one_round(call: Call, calls: int, tasks: int, found: Found) -> None:
    """So many calls by so many tasks at once."""

    async def work() -> None:
        for _ in range(calls // tasks):
            began = time.perf_counter()
            await asyncio.to_thread(call)
            found.calls.append(time.perf_counter() - began)

    feeling = asyncio.create_task(feel(found.lags))
    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(tasks)))
    found.rounds.append(time.perf_counter() - began)
    feeling.cancel()


async def measure(ways: dict[str, Call], calls: int, tasks: int, rounds: int) -> dict[str, Found]:
    """The ways in turns. The first round of each is not counted."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    found = {name: Found() for name in ways}
    for number in range(rounds + 1):
        for name, call in ways.items():
            await one_round(call, calls, tasks, found[name] if number else Found())
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench-asyncio", description=__doc__)
    parser.add_argument("--calls", type=int, default=1000, help="of each kind in each round")
    parser.add_argument("--tasks", type=int, default=16, help="at once")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with two_ways() as ways:
        found = asyncio.run(measure(ways, options.calls, options.tasks, options.rounds))
    print("| | calls a second | p50 | p99 | lag p50 | lag p99 | worst lag |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, one in found.items():
        print(f"| {name} | {len(one.calls) / sum(one.rounds):.0f} | {_told(one)} |", flush=True)


def _told(found: Found) -> str:
    """Percentiles in milliseconds."""
    calls, lags = (statistics.quantiles(each, n=100) for each in (found.calls, found.lags))
    figures = (calls[49], calls[98], lags[49], lags[98], max(found.lags))
    return " | ".join(f"{one * 1e3:.2f} ms" for one in figures)


if __name__ == "__main__":
    main()
