"""Where each key is at home: what the application says, asked once for each key of a request.

Writes and strongly consistent reads of a key go to its home, in the order that `routing` gives the
home of a process. What has no key (a scan, tables, backups) goes to the home of the process, and so
do eventually consistent reads, which any region may answer.

A request is sent as a whole, or it is split where DynamoDB itself promises nothing of its parts
together (batches), or it is refused (transactions). Nothing is sent before the home of every key in
it is known.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.client._keys.keys import Arguments, Keyed, Keyless, keys_of, plain
from orchestrator.client.errors import HomeError

HomeOf = Callable[[str, Mapping[str, Any]], str]
"""The region where this key of this table is at home."""

KeyNames = Callable[[str], Sequence[str]]
"""Asks DynamoDB for the names of a table's key. Raises what it raises."""

BATCHES = frozenset({"batch_get_item", "batch_write_item"})
STATEMENTS = frozenset({"execute_statement", "batch_execute_statement", "execute_transaction"})

Places = Mapping[str, Sequence[int]]
"""Which requests of a batch: their numbers, by table."""


@dataclass(frozen=True, slots=True)
class HomePart:
    """What of a request goes to one home. home: None: the process's. places: of a batch's part."""

    given: Arguments
    home: str | None = None
    places: Places = field(default_factory=dict)


class Homes:
    """of: the application's function. keys: names of tables' keys that it states itself.

    consistent: whether strongly consistent reads go to the home of their key; any region will do
    with MRSC.
    """

    def __init__(
        self, of: HomeOf, keys: Mapping[str, Sequence[str]], *, consistent: bool = True
    ) -> None:
        self.consistent = consistent
        self._of = of
        self._names = {table: tuple(names) for table, names in keys.items()}
        self.after_fork()

    def after_fork(self) -> None:
        """In a child process: the lock may be held by nobody."""
        self._lock = threading.Lock()

    def parts(self, operation: str, given: Arguments, describe: KeyNames) -> tuple[HomePart, ...]:
        """The request, or what it is split into. Raises HomeError, and what `describe` raises."""
        if operation in STATEMENTS:
            raise HomeError(
                operation,
                "home= is a function of the key, and the key in a PartiQL statement is not read",
                "Use put_item, update_item, delete_item, get_item or query with their arguments",
            )
        try:
            found = [
                (one, self._home(operation, one))
                for one in keys_of(operation, given, lambda table: self._named(table, describe))
            ]
        except Keyless as error:
            raise HomeError(operation, str(error), "Complete the request") from None
        homes = tuple(dict.fromkeys(home for _, home in found))
        if len(homes) < 2:  # noqa: PLR2004  # one, or none of a request without keys
            return (HomePart(given, homes[0] if homes else None),)
        if operation not in BATCHES:
            raise HomeError(
                operation,
                f"the keys of one transaction are at home in {', '.join(homes)}, and a transaction"
                " is executed by one region",
                "Have home() return one region for all keys that are written or read together, or"
                " make a transaction for each region",
            )
        return tuple(_part(given, home, found) for home in homes)

    def _home(self, operation: str, one: Keyed) -> str:
        about = f"home() for a key ({', '.join(one.key)}) of table {one.table!a}"
        try:
            home: object = self._of(one.table, plain(one.key))
        except Exception as error:
            raise HomeError(
                operation,
                f"{about} raised {type(error).__name__}: {error}",
                "Correct the function: it must return a region's name for every key",
            ) from error
        if not isinstance(home, str) or not home:
            raise HomeError(
                operation,
                f"{about} returned {home!a}, which is no region's name",
                "Correct the function: it must return a region's name for every key",
            )
        return home

    def _named(self, table: str, describe: KeyNames) -> Sequence[str]:
        """The names of the table's key; asked for once, because they never change."""
        if (names := self._names.get(table)) is None:
            names = tuple(describe(table))
            with self._lock:
                self._names = {**self._names, table: names}
        return names


def _part(given: Arguments, home: str, found: Sequence[tuple[Keyed, str]]) -> HomePart:
    places: dict[str, list[int]] = {}
    for one, own in found:
        if own == home:
            places.setdefault(one.table, []).append(one.place)
    return HomePart({**given, "RequestItems": chosen(given["RequestItems"], places)}, home, places)


def chosen(items: Mapping[str, Any], places: Places) -> dict[str, Any]:
    """Of `RequestItems` the requests in these places."""
    return {table: _of_table(items[table], numbers) for table, numbers in places.items()}


def _of_table(requests: Any, numbers: Sequence[int]) -> Any:
    if isinstance(requests, Mapping):  # of batch_get_item, with what holds for all its keys
        return {**requests, "Keys": [requests["Keys"][number] for number in numbers]}
    return [requests[number] for number in numbers]
