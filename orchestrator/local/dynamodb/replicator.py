"""Copies writes between the regions' DynamoDB processes, as a global table of kind MREC does.

Each ordered pair of regions is a link of its own, with a lag: a write is asked of its own region
once it is that old, and applied in the other. Nothing is kept here: what a link has not delivered
still lies in the region that wrote it. If that region is frozen or cut off it arrives later; if it
is dead, not until it is started again. A delivery whose answer was lost is made again, which
changes nothing: the later write wins, whatever order writes arrive in (`change_log`). Writes that
came from elsewhere are not passed on, so there are no loops.

It reads and writes nothing but what the regions serve for it, and decides nothing.
"""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from orchestrator.local.dynamodb.database import Database
from orchestrator.local.process.loopback import HOST
from orchestrator.local.process.wait import wait_until

LAG = 0.1
"""Seconds; MREC is usually within one."""

ROUND = 0.05
"""Seconds between two deliveries of a link: what is written meanwhile goes in one."""

WAIT = 1.0
"""Seconds that a region is asked to wait for a write; so late a new lag may be noticed."""

TIMEOUT = 3.0
"""Seconds for an answer of a region."""

AWAY = 0.3
"""Seconds until a region that did not answer is asked again."""

_OUR_OWN = "failover#"


@dataclass(frozen=True, slots=True)
class Pending:
    """Acknowledged writes of one region that another does not have.

    keys: of the items, in the order of the writes, one for each write. seconds: how old the oldest
    is, 0 without any. What is under way at this moment counts; heartbeats do not, for they are no
    data of the application.
    """

    keys: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def count(self) -> int:
        """How many writes."""
        return len(self.keys)


class Replicator:
    """The links between all of `databases`, with `lag` seconds each. A context manager."""

    def __init__(self, databases: Iterable[Database], lag: float = LAG) -> None:
        pairs = itertools.permutations(databases, 2)
        self._links = {(s.region, t.region): _Link(s, t, lag) for s, t in pairs}

    def start(self) -> None:
        """Begin to copy."""
        for link in self._links.values():
            link.start()

    def stop(self) -> None:
        """Copy no more. Idempotent."""
        for link in self._links.values():
            link.end()
        for link in self._links.values():
            link.join()

    def set_lag(self, seconds: float, source: str = "", target: str = "") -> None:
        """How late writes of `source` reach `target`; "" stands for every region.

        What is written after this returns is not delivered earlier. A shorter lag than before may
        take effect up to `WAIT` seconds later.
        """
        for link in self._between(source, target):
            link.set_lag(seconds)

    def pause(self, source: str, target: str) -> None:
        """Deliver nothing of `source` to `target`; when this returns none is under way."""
        self._links[source, target].pause()

    def resume(self, source: str, target: str) -> None:
        """Deliver again, beginning with what was kept."""
        self._links[source, target].resume()

    def cut(self, region: str) -> None:
        """Deliver nothing to or from a region; when this returns none is under way."""
        for link in self._around(region):
            link.pause()

    def mend(self, region: str) -> None:
        """Deliver to and from a region again, beginning with what was kept."""
        for link in self._around(region):
            link.resume()

    def pending(self, source: str, target: str) -> Pending:
        """The acknowledged writes of `source` that `target` does not have; also of a dead region.

        That is the data which a failover to `target` at this moment would do without.
        """
        return self._links[source, target].pending()

    def wait_drained(self, within: float = 10.0, among: Collection[str] = ()) -> None:
        """Wait until every region has every write that was made before this call.

        among: these regions only, () for all. Raises TimeoutError, naming who lacks what.
        """
        links = {
            pair: link for pair, link in self._links.items() if not among or {*pair} <= {*among}
        }
        ends = {pair: link.written for pair, link in links.items()}

        def lacking() -> dict[tuple[str, str], int]:
            left = {pair: ends[pair] - link.delivered for pair, link in links.items()}
            return {pair: count for pair, count in left.items() if count > 0}

        try:
            wait_until(lambda: not lacking(), within, "every write to be everywhere")
        except TimeoutError as error:
            lacks = (f"{a} to {b}: {count}" for (a, b), count in lacking().items())
            raise TimeoutError(f"{error}; not delivered: {', '.join(lacks)}") from None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _between(self, source: str, target: str) -> Iterator[_Link]:
        for (a, b), link in self._links.items():
            if source in ("", a) and target in ("", b):
                yield link

    def _around(self, region: str) -> Iterator[_Link]:
        return (link for pair, link in self._links.items() if region in pair)


class _Link:
    """One direction between two regions, and the thread that serves it.

    Every delivery is made under a lock, and only if the link is not paused and has the lag that was
    asked with: who pauses it or sets the lag takes the lock too.
    """

    def __init__(self, source: Database, target: Database, lag: float) -> None:
        self._lag = lag
        self._source = source
        self._from, self._to = _Wire(source.port), _Wire(target.port)
        self._position = 0
        self._delivering = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._ending = threading.Event()
        name = f"replication {source.region} to {target.region}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._flowing.set()
        self._from.close()
        self._to.close()

    def join(self) -> None:
        if self._thread.is_alive():
            self._thread.join()

    def pause(self) -> None:
        self._flowing.clear()
        with self._delivering:  # what is under way ends first
            pass

    def resume(self) -> None:
        self._flowing.set()

    def set_lag(self, seconds: float) -> None:
        with self._delivering:
            self._lag = seconds

    @property
    def written(self) -> int:
        """How many writes there are to deliver in all."""
        return len(self._source.writes())

    @property
    def delivered(self) -> int:
        """How many of them have been."""
        return self._position

    def pending(self) -> Pending:
        position = self._position  # first: what is delivered meanwhile is counted, not missed
        left = [w for w in self._source.writes()[position:] if not w.key.startswith(_OUR_OWN)]
        if not left:
            return Pending()
        return Pending(tuple(write.key for write in left), time.time() - left[0].at / 1e9)

    def _run(self) -> None:
        pause = ROUND
        while not self._ending.wait(pause):
            self._flowing.wait()
            try:
                self._deliver()
                pause = ROUND
            except (OSError, http.client.HTTPException):
                pause = AWAY
        self._from.release()
        self._to.release()

    def _deliver(self) -> None:
        lag = self._lag
        query = f"after={self._position}&lag={lag}&wait={WAIT}"
        changes = self._from.ask("GET", f"/_laptop/changes?{query}")["changes"]
        with self._delivering:
            wanted = self._flowing.is_set() and self._lag == lag and not self._ending.is_set()
            if changes and wanted:
                self._to.ask("POST", "/_laptop/apply", {"changes": changes})
                self._position += len(changes)


class _Wire:
    """One kept-alive connection to a region, opened again whenever it broke, until it is closed."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT)
        self._closed = False

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of the answer. Raises OSError or HTTPException, and begins afresh next time."""
        try:
            if self._connection.sock is None:
                self._connection.connect()
            if self._closed:  # looked at when there is a socket that `close` can break
                raise ConnectionAbortedError("closed")  # noqa: TRY301  # the rest is the same
            data = None if body is None else json.dumps(body).encode()
            self._connection.request(method, path, data)
            answer = self._connection.getresponse()
            content = answer.read()
        except BaseException:
            self._connection.close()
            raise
        if answer.status != HTTPStatus.OK:
            raise OSError(f"{method} {path}: {answer.status} {content[:200]!r}")
        return json.loads(content)

    def release(self) -> None:
        """Close the connection, by the thread that used it."""
        self._connection.close()

    def close(self) -> None:
        """Break off what is under way, from another thread, and ask nothing more."""
        self._closed = True
        if (sock := self._connection.sock) is not None:
            with suppress(OSError):  # it is closed already
                sock.shutdown(socket.SHUT_RDWR)
