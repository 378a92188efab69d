"""Parts of the tests of health endpoint and heartbeat: items in memory, views, real servers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import waitress.server  # type: ignore[import-untyped]  # it carries no types

from orchestrator.client.allowed import loopback
from orchestrator.client.document import DocumentView
from orchestrator.client.health._beat import HEALTH_KEY, Beat, PeerSight, heartbeat_key, read_beat
from orchestrator.client.health._own_items import Item
from orchestrator.local.process.loopback import HOST, free_port, url_of
from orchestrator.local.process.wait import wait_until
from tests.support.regional import EAST, HeldSource, document

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class FakeItems:
    """Implements `OwnItems` in memory. going_on: cleared, it hangs. trouble: what it raises."""

    def __init__(self, items: Mapping[str, Item] | None = None) -> None:
        self.items: dict[str, Item] = {HEALTH_KEY: {"pk": HEALTH_KEY}, **(items or {})}
        self.reads: list[tuple[str, ...]] = []
        self.beats = 0
        self.trouble: BaseException | None = None
        self.going_on = threading.Event()
        self.going_on.set()
        self._lock = threading.Lock()

    def read(self, *keys: str, consistent: bool = False) -> Mapping[str, Item]:
        """As the Protocol has it."""
        del consistent
        self.reads.append(keys)
        self.going_on.wait()
        if self.trouble:
            raise self.trouble
        return {key: self.items[key] for key in keys if key in self.items}

    def beat(self, key: str, beat: Beat, *, after: float, over: int | None = None) -> bool:
        """As the Protocol has it."""
        if self.trouble:
            raise self.trouble
        with self._lock:
            known = read_beat(self.items.get(key))
            if known and known.at > after and known.n != over:
                return False
            self.items[key] = beat_item(replace(beat, n=known.n + 1 if known else 1))
            self.beats += 1
            return True


def beat_item(beat: Beat) -> Item:
    """The item of a heartbeat, as `read_beat` reads it."""
    seen = {
        name: {"at": sight.at, "there": sight.there, "asked": sight.asked}
        for name, sight in beat.seen.items()
    }
    return {"at": beat.at, "n": float(beat.n), "every": beat.every, "seen": seen}


def heard(region: str, ago: float, **seen: PeerSight) -> dict[str, Item]:
    """A heartbeat of so many seconds ago. seen: by region, `_` for `-`."""
    sights = {name.replace("_", "-"): sight for name, sight in seen.items()}
    return {heartbeat_key(region): beat_item(Beat(time.time() - ago, seen=sights))}


@contextmanager
def viewing(*bodies: bytes) -> Iterator[tuple[DocumentView, HeldSource]]:
    """A view of a document that has been read (if one is given), and its source."""
    source = HeldSource(bodies[0] if bodies else None)
    with DocumentView([source], interval=0.05, max_staleness=30.0, allow_endpoint=loopback) as view:
        view.refresh(5.0)
        yield view, source


def shown(view: DocumentView, source: HeldSource, revision: int, primary: str = EAST) -> None:
    """Have the view read a newer document."""
    source.body = document(revision, primary, epoch=revision)
    assert view.refresh(5.0)


def session() -> boto3.Session:
    """With credentials that nobody looks at."""
    return boto3.Session("example", "example", region_name=EAST)


# --- servers


@contextmanager
def wsgi(app: WSGIApplication, threads: int = 16) -> Iterator[str]:
    """The application under waitress, for the block; its URL."""
    port = free_port()
    server = waitress.server.create_server(
        app, host=HOST, port=port, threads=threads, asyncore_loop_timeout=0.02
    )

    def close() -> None:
        for channel in list(server.active_channels.values()):
            channel.handle_close()
        server.close()

    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield url_of(port)
    finally:
        server.task_dispatcher.shutdown()  # first: its threads wake the loop by what is closed next
        with suppress(OSError):  # woken by something else it closed before it was woken by this
            server.trigger.pull_trigger(close)  # in its thread: it ends when nothing is open
        thread.join(timeout=10)


@contextmanager
def asgi(app: Callable[..., Any]) -> Iterator[str]:  # whatever uvicorn takes
    """The application under uvicorn, with lifespan, for the block; its URL."""
    import uvicorn

    port = free_port()
    config = uvicorn.Config(app, host=HOST, port=port, lifespan="on", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive(), 30, "uvicorn to start")
    assert server.started, "uvicorn did not start"
    try:
        yield url_of(port)
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def at_once(work: Callable[[], Any], count: int) -> list[Any]:  # whatever the work returns
    """What `count` threads come to that do the work at the same moment."""
    barrier = threading.Barrier(count)
    results: list[Any] = []

    def run() -> None:
        barrier.wait()
        results.append(work())

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results
