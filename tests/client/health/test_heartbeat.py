"""The heartbeat: one a region, whoever writes it, and what it tells the others."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from orchestrator.client.document import RegionEntry
from orchestrator.client.health import HealthCheck, Heartbeat, Limits, OwnItems, RegionItems
from orchestrator.client.health._beat import AHEAD, Beat, PeerSight, heartbeat_key, read_beat
from orchestrator.local.dynamodb.database import Database
from orchestrator.local.process.child import ROOT
from orchestrator.local.process.wait import wait_until
from tests.support.health_parts import FakeItems, at_once, beat_item, heard, session, viewing
from tests.support.regional import EAST, EUROPE, WEST, document

KEY = heartbeat_key(EAST)


def written(items: FakeItems, region: str = EAST) -> Beat:
    beat = read_beat(items.items[heartbeat_key(region)])
    assert beat is not None
    return beat


# --- one heartbeat


def test_it_writes_the_time_into_the_item_of_its_region() -> None:
    items = FakeItems({KEY: {"at": 0.0}})  # as Terraform makes it
    before = time.time()
    assert Heartbeat(EAST, items, every=7).beat()
    beat = written(items)
    assert before <= beat.at <= time.time()
    assert beat.every == 7
    assert beat.seen == {}


def test_it_leaves_one_of_lately_alone_and_follows_an_older_one() -> None:
    items = FakeItems(heard(EAST, 2))
    assert not Heartbeat(EAST, items).beat()
    items.items.update(heard(EAST, 4))
    assert Heartbeat(EAST, items).beat()
    assert items.beats == 1


def test_one_from_a_future_that_cannot_be_is_written_over() -> None:
    items = FakeItems({KEY: beat_item(Beat(time.time() + 2 * AHEAD, n=3))})
    assert Heartbeat(EAST, items).beat()
    assert written(items).at <= time.time()


def test_of_many_at_once_one_is_written() -> None:
    items = FakeItems()
    hearts = [Heartbeat(EAST, items) for _ in range(8)]
    turn = iter(hearts)
    assert sorted(at_once(lambda: next(turn).beat(), 8)) == [False] * 7 + [True]


def test_it_tells_what_it_sees_of_the_others() -> None:
    items = FakeItems({**heard(WEST, 3), heartbeat_key(EUROPE): {"at": 0.0}})
    with viewing(document()) as (view, _):
        Heartbeat(EAST, items, view).beat()
    assert written(items).seen == {WEST: PeerSight(written(items, WEST).at), EUROPE: PeerSight(0.0)}


class Unreadable(FakeItems):
    """Of other regions' items."""

    def read(self, *keys: str, consistent: bool = False) -> Mapping[str, Any]:
        """As the Protocol has it."""
        if KEY not in keys:
            raise OSError("throttled, say")
        return super().read(*keys, consistent=consistent)


def test_what_cannot_be_read_of_others_does_not_keep_it_from_being_written() -> None:
    items = Unreadable()
    with viewing(document()) as (view, _):
        assert Heartbeat(EAST, items, view).beat()
    assert written(items).seen[WEST] == PeerSight(0.0)


class Suspending(FakeItems):
    """While it writes, the process is suspended, and another one writes a newer heartbeat."""

    def beat(self, key: str, beat: Beat, *, after: float, over: int | None = None) -> bool:
        """As the Protocol has it."""
        newer = Beat(beat.at + 2 * AHEAD, n=8)
        self.items[key] = beat_item(newer)
        return super().beat(key, beat, after=after, over=over)


def test_a_process_that_was_suspended_writes_no_old_one_over_a_newer() -> None:
    items = Suspending({KEY: beat_item(Beat(time.time() - 30, n=7))})
    assert not Heartbeat(EAST, items).beat()
    assert written(items).n == 8


# --- what is told of a region whose heartbeat is old: the whole way


class Two:
    """Regions with a table each, replicated by hand; west is asked how far it is behind east."""

    def __init__(self, view: Any) -> None:
        self.tables = {EAST: FakeItems(), WEST: FakeItems(), EUROPE: FakeItems()}
        self.asked: list[str] = []
        self.heart = Heartbeat(WEST, self.tables[WEST], view, peers=self.peer, every=0.01)
        self.check = HealthCheck(WEST, self.tables[WEST], view, limits=Limits(cache=0))

    def peer(self, entry: RegionEntry) -> OwnItems:
        """The table of a region, asked directly."""
        self.asked.append(entry.name)
        return self.tables[entry.name]

    def write(self, ago: float, *, replicate: bool) -> None:
        """A heartbeat of east."""
        item = beat_item(Beat(time.time() - ago))
        self.tables[EAST].items[KEY] = item
        if replicate:
            self.tables[WEST].items[KEY] = item

    def told(self) -> tuple[str, Any]:
        """What west's health endpoint tells of east, after two more heartbeats of west."""
        for _ in range(2):
            wait_until(self.heart.beat, 30, "a heartbeat to be due")
        answer = json.loads(self.check.answer().body)
        return answer["heartbeats"][EAST], answer["replication_lag_seconds"].get(EAST)


def test_a_stalled_writer_is_told_from_a_dead_region_and_from_replication_that_is_behind() -> None:
    with viewing(document()) as (view, _):
        two = Two(view)
        assert two.told() == ("missing", None)
        two.write(1, replicate=True)
        assert two.told() == ("fresh", pytest.approx(5, abs=5))
        assert two.asked == []  # while all is well nobody asks another region

        two.write(100, replicate=True)
        two.tables[EAST].trouble = OSError("dead")
        assert two.told() == ("silent", pytest.approx(115, abs=16))

        two.tables[EAST].trouble = None
        assert two.told() == ("stalled", None)
        two.tables[EAST].trouble = OSError("dead, long after its writer stalled")
        assert two.told() == ("stalled", None)

        two.tables[EAST].trouble = None
        two.write(2, replicate=False)
        assert two.told() == ("behind", pytest.approx(115, abs=16))
        two.tables[EAST].trouble = OSError("dead, long after replication was cut")
        assert two.told() == ("behind", pytest.approx(115, abs=16))

        two.write(1, replicate=True)
        assert two.told() == ("fresh", pytest.approx(5, abs=5))
        assert two.asked == [EAST]  # the way to ask was made once


def test_what_was_found_outlives_the_process_that_found_it() -> None:
    with viewing(document()) as (view, _):
        two = Two(view)
        two.write(100, replicate=True)
        assert two.told() == ("stalled", None)
        two.tables[EAST].trouble = OSError("dead")
        two.heart = Heartbeat(WEST, two.tables[WEST], view, peers=two.peer, every=0.01)
        assert two.told() == ("stalled", None)


def test_a_third_region_that_has_a_newer_one_proves_that_replication_is_behind() -> None:
    with viewing(document()) as (view, _):
        two = Two(view)
        two.write(100, replicate=True)
        two.tables[EAST].trouble = OSError("dead")
        two.tables[WEST].items.update(heard(EUROPE, 1, us_east_1=PeerSight(time.time() - 50)))
        assert two.told() == ("behind", pytest.approx(115, abs=16))


def test_a_region_that_hangs_when_asked_does_not_hold_the_heartbeat_up() -> None:
    with viewing(document()) as (view, _):
        two = Two(view)
        two.write(100, replicate=True)
        two.tables[EAST].going_on.clear()
        two.heart.ask_wait = 0.1
        for _ in range(4):
            wait_until(two.heart.beat, 30, "a heartbeat to be due")
        hanging = [t for t in threading.enumerate() if t.name == f"bounded-heartbeat-of-{EAST}"]
        two.tables[EAST].going_on.set()
        assert two.tables[WEST].beats == 4
        assert len(hanging) == 2


# --- its life


def test_it_beats_until_it_is_closed() -> None:
    items = FakeItems()
    with Heartbeat(EAST, items, every=0.01) as heart:
        assert heart.start() is heart
        wait_until(lambda: items.beats > 3, 30, "four heartbeats")
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())
    heart.start()
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())


def test_trouble_is_logged_once_for_each_change_and_does_not_end_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    items = FakeItems()
    items.trouble = OSError("no route")
    with caplog.at_level(logging.INFO), Heartbeat(EAST, items, every=0.01):
        wait_until(lambda: len(items.reads) > 5, 30, "some attempts")
        items.trouble = None
        wait_until(lambda: items.beats > 2, 30, "heartbeats")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "no route" in caplog.records[0].message


def test_when_the_process_that_wrote_it_ends_another_takes_over() -> None:
    items = FakeItems()
    with Heartbeat(EAST, items, every=0.02):
        wait_until(lambda: items.beats > 1, 30, "heartbeats of the first")
        second = Heartbeat(EAST, items, every=0.02).start()
    beats = items.beats
    wait_until(lambda: items.beats > beats + 2, 30, "heartbeats of the second")
    second.close()


FORKED = """
import gc, os, sys, time
from contextlib import nullcontext
from orchestrator.client.health import Heartbeat
from tests.support.health_parts import FakeItems

items = FakeItems()
heart = Heartbeat("us-east-1", items, every=0.01).start()
while items.beats < 2:
    time.sleep(0.001)
lock = heart._loop._life.changed if HELD else nullcontext()
del heart
with lock:
    child = os.fork()
    if child == 0:
        gc.collect()
        beats, until = items.beats, time.monotonic() + 30
        while items.beats < beats + 3 and time.monotonic() < until:
            time.sleep(0.001)
        os._exit(0 if items.beats >= beats + 3 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("held", [True, False])
def test_it_goes_on_in_a_forked_worker(held: bool) -> None:
    """held: whether its lock is at that moment. Nobody but itself keeps it alive."""
    script = FORKED.replace("HELD", str(held))
    command = [sys.executable, "-W", "ignore", "-c", script]
    assert subprocess.run(command, cwd=ROOT, timeout=50, check=False).returncode == 0


# --- the real thing


@pytest.mark.world
def test_a_real_table_keeps_the_newest_and_counts_them(dynamo: Database) -> None:
    items = RegionItems("checkout", EAST, endpoint_url=dynamo.url, session=session())
    now = time.time()
    assert items.read(KEY) == items.read(KEY, heartbeat_key(WEST)) == {}
    sights = {WEST: PeerSight(now - 2, now - 1.5, now - 1)}
    assert items.beat(KEY, Beat(now, every=5, seen=sights), after=now - 3)
    assert not items.beat(KEY, Beat(now + 1), after=now - 2), "a newer one was not to be written"
    assert not items.beat(KEY, Beat(now - 100), after=now - 103), "an older one wrote over a newer"
    found = read_beat(items.read(KEY, heartbeat_key(WEST), consistent=True)[KEY])
    assert found is not None
    assert (found.n, found.every) == (1, 5)
    assert found.at == pytest.approx(now, abs=0.001)
    assert found.seen[WEST].there == pytest.approx(now - 1.5, abs=0.001)

    assert items.beat(KEY, Beat(now + 1000), after=now + 997), "a newer one was to be written"
    assert not items.beat(KEY, Beat(now + 5), after=now + 2, over=1), "it was another one meanwhile"
    assert items.beat(KEY, Beat(now + 5), after=now + 2, over=2), "this one was to be written over"
    again = read_beat(items.read(KEY)[KEY])
    assert again is not None
    assert (again.n, again.seen) == (3, {})


@pytest.mark.long
@pytest.mark.world
def test_of_many_writers_to_a_real_table_one_wins(dynamo: Database) -> None:
    items = RegionItems("checkout", EAST, endpoint_url=dynamo.url, session=session())
    hearts = iter([Heartbeat(EAST, items) for _ in range(8)])
    assert sorted(at_once(lambda: next(hearts).beat(), 8)) == [False] * 7 + [True]
    beat = read_beat(items.read(KEY)[KEY])
    assert beat is not None
    assert beat.n == 1
