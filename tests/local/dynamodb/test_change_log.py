"""The log of a region's writes: which write wins, and what a killed process finds again."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.dynamodb.change_log import (
    ChangeLog,
    ItemChange,
    JournalReader,
    Write,
    read_change,
)
from orchestrator.local.rpc.wire import JsonObject

EAST, WEST = "us-east-1", "us-west-2"


def item(value: str) -> JsonObject:
    """An item as DynamoDB's JSON has it."""
    return {"pk": {"S": "a"}, "value": {"S": value}}


def log(folder: Path, region: str = EAST, *times: int) -> ChangeLog:
    """A log whose clock shows these times, the last of them for good."""
    clock = itertools.chain(times, itertools.repeat(times[-1] if times else 0))
    return ChangeLog(region, folder / f"{region}.journal", lambda: next(clock))


def test_writes_are_numbered_and_stamped_in_order(tmp_path: Path) -> None:
    """A clock that stands still or goes back makes later stamps all the same."""
    east = log(tmp_path, EAST, 100, 100, 50)
    east.write([("a", item("1")), ("b", None)])
    east.write([("a", item("2"))])
    assert [(c.key, c.at) for c in east.after(0, 1000, 10)] == [("a", 100), ("b", 101), ("a", 102)]
    assert [c.key for c in east.after(2, 1000, 10)] == ["a"]
    assert [c.key for c in east.after(0, 101, 10)] == ["a", "b"]
    assert len(east.after(0, 1000, 1)) == 1
    east.close()


def test_a_local_write_wins_over_what_came_from_a_clock_that_is_ahead(tmp_path: Path) -> None:
    """What is written here now is later than everything that was here before."""
    east = log(tmp_path, EAST, 100)
    ahead = ItemChange("a", item("west"), 5000, WEST)
    east.keep(east.winners([ahead]))
    east.write([("a", item("east"))])
    assert east.newest["a"].rank > ahead.rank
    assert east.winners([ahead]) == []
    east.close()


def test_a_restart_finds_every_whole_line_again(tmp_path: Path) -> None:
    """Own writes keep their positions; half a line, which was never acknowledged, is cut off."""
    east = log(tmp_path, EAST, 100)
    east.write([("a", item("1")), ("a", item("2"))])
    east.keep([ItemChange("b", None, 300, WEST)])
    east.close()
    journal = tmp_path / f"{EAST}.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"key": "half')
    again = log(tmp_path, EAST, 100)
    assert again.count == 2
    assert again.newest["a"].item == item("2")
    assert again.newest["b"].item is None
    again.write([("c", None)])
    assert again.after(2, 1000, 10)[0].at == 301
    again.close()
    assert journal.read_bytes().startswith(whole)


def test_a_reader_counts_what_another_process_has_acknowledged(tmp_path: Path) -> None:
    """Only the region's own writes count, and no line twice."""
    reader = JournalReader(EAST, tmp_path / f"{EAST}.journal")
    assert list(reader.writes()) == []
    east = log(tmp_path, EAST, 100)
    east.write([("a", None)])
    east.keep([ItemChange("b", None, 300, WEST)])
    assert [write.at for write in reader.writes()] == [100]
    east.write([("a", None)])
    assert list(reader.writes()) == [Write("a", 100), Write("a", 301)]
    east.close()


def test_what_is_no_change_is_refused() -> None:
    with pytest.raises(ValueError, match="not a change"):
        read_change({"key": "a", "item": None, "at": "now", "region": EAST})


writes = st.lists(
    st.tuples(st.sampled_from("ab"), st.one_of(st.none(), st.just(item("x"))), st.integers(0, 5)),
    max_size=8,
)


@given(east=writes, west=writes, data=st.data())
def test_replicas_end_alike_whatever_order_the_writes_arrive_in(
    tmp_path_factory: pytest.TempPathFactory,
    east: list[tuple[str, JsonObject | None, int]],
    west: list[tuple[str, JsonObject | None, int]],
    data: st.DataObject,
) -> None:
    """Each region writes, then gets the other's writes in any order and any number of copies."""
    folder = tmp_path_factory.mktemp("logs")
    logs = {}
    for region, made in ((EAST, east), (WEST, west)):
        logs[region] = log(folder, region, *(at for _, _, at in made), 0)
        for key, content, _ in made:
            logs[region].write([(key, content)])
    for target, source in ((EAST, WEST), (WEST, EAST)):
        known = list(logs[source].after(0, 10**6, 100))
        for change in data.draw(st.permutations([*known, *known])):
            logs[target].keep(logs[target].winners([change]))
    try:
        assert logs[EAST].newest == logs[WEST].newest
    finally:
        for one in logs.values():
            one.close()
