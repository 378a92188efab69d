"""What was written to one region's replica of the table, in order, and which write won each item.

A write is stamped with its region's clock; of two writes to one item the later stamp wins, of equal
ones the region later in the alphabet, whatever order they arrive in: so all replicas end alike. The
clock never goes back and is never behind a write that was seen: what is written here now wins over
everything that was here before. A deletion is a write without an item, and is remembered for good.

Every write goes to a journal, one line each, before it is acknowledged: a killed process finds all
of them again, those included that no other region has got yet. Only a process that stays dead loses
them. The journal is not synced to the disk, for processes die here and machines do not.

It knows neither DynamoDB nor HTTP, and is not safe for several threads: its owner locks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.local.rpc.wire import Json, JsonObject


@dataclass(frozen=True, slots=True)
class ItemChange:
    """One write: the item as it is after it, None for a deletion; `at` is in nanoseconds."""

    key: str
    item: JsonObject | None
    at: int
    region: str

    @property
    def rank(self) -> tuple[int, str]:
        """Of two changes of one item the one with the higher rank wins."""
        return self.at, self.region

    def line(self) -> bytes:
        """The change as one line of JSON."""
        fields = {"key": self.key, "item": self.item, "at": self.at, "region": self.region}
        return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def read_change(value: Json) -> ItemChange:
    """The change that `ItemChange.line` wrote, parsed. Raises ValueError."""
    match value:
        case {
            "key": str(key),
            "item": None | dict() as item,
            "at": int(at),
            "region": str(region),
        }:
            return ItemChange(key, item, at, region)
        case _:
            raise ValueError(f"not a change: {value!r:.200}")


class ChangeLog:
    """The log of `region`, kept in the file `journal`; `clock` gives nanoseconds since 1970."""

    def __init__(self, region: str, journal: Path, clock: Callable[[], int]) -> None:
        self._region = region
        self._clock = clock
        self._newest: dict[str, ItemChange] = {}
        self._own: list[ItemChange] = []
        self._last = 0
        self._file = os.open(journal, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self._replay(journal)

    @property
    def newest(self) -> Mapping[str, ItemChange]:
        """The change that won, of each key ever written."""
        return self._newest

    @property
    def count(self) -> int:
        """How many writes were made in this region: the position of the last one."""
        return len(self._own)

    def write(self, items: Iterable[tuple[str, JsonObject | None]]) -> None:
        """Stamp these writes of this region and keep them, before they are acknowledged."""
        made = []
        for key, item in items:
            self._last = max(self._clock(), self._last + 1)
            made.append(ItemChange(key, item, self._last, self._region))
        self._keep(made)

    def winners(self, changes: Iterable[ItemChange]) -> list[ItemChange]:
        """Which of these of other regions win, at most one for each key. Nothing is kept yet."""
        best: dict[str, ItemChange] = {}
        for change in changes:
            current = best.get(change.key) or self._newest.get(change.key)
            if current is None or change.rank > current.rank:
                best[change.key] = change
        return list(best.values())

    def keep(self, winners: Sequence[ItemChange]) -> None:
        """Keep changes of other regions that have been applied."""
        self._keep(winners)

    def after(self, position: int, until: int, limit: int) -> Sequence[ItemChange]:
        """This region's own changes after `position` (0: all), none of them later than `until`."""
        found = self._own[position : position + limit]
        return [change for change in found if change.at <= until]

    def close(self) -> None:
        """Close the journal."""
        os.close(self._file)

    def _keep(self, changes: Sequence[ItemChange]) -> None:
        lines = b"".join(change.line() for change in changes)
        while lines:
            lines = lines[os.write(self._file, lines) :]
        for change in changes:
            self._take(change)

    def _take(self, change: ItemChange) -> None:
        self._newest[change.key] = change
        self._last = max(self._last, change.at)
        if change.region == self._region:
            self._own.append(change)

    def _replay(self, journal: Path) -> None:
        """Take what is there. Half a line at the end was never acknowledged, and is cut off."""
        content = journal.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        os.ftruncate(self._file, len(whole))
        for line in whole.splitlines():
            self._take(read_change(json.loads(line)))


@dataclass(frozen=True, slots=True)
class Write:
    """That an item was written, at a time in nanoseconds since 1970."""

    key: str
    at: int


class JournalReader:
    """Reads another process's journal as it grows: the writes made in `region` itself.

    It needs no answer of that process: what a frozen or dead one has acknowledged can be counted.
    """

    def __init__(self, region: str, journal: Path) -> None:
        self._region = region
        self._journal = journal
        self._offset = 0
        self._writes: list[Write] = []

    def writes(self) -> Sequence[Write]:
        """All writes so far, in order."""
        if self._journal.exists() and self._journal.stat().st_size > self._offset:
            with self._journal.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
            whole = content[: content.rfind(b"\n") + 1]
            self._offset += len(whole)
            changes = (read_change(json.loads(line)) for line in whole.splitlines())
            self._writes += [Write(c.key, c.at) for c in changes if c.region == self._region]
        return self._writes
