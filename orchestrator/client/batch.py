"""boto3's batch writer over the regions: a buffer that is flushed where it began.

Differences from boto3's, each because a region may be lost in the middle: what could not be written
stays in `pending` and is not dropped; when the block is left by an error of ours nothing more is
sent, so that the first error is the one that is seen; and what comes back as unprocessed is sent
again until a deadline has passed without progress, and not for ever.
"""

from __future__ import annotations

import random
from types import TracebackType
from typing import Any, Self

from orchestrator.client.call import FIRST_PAUSE, LONGEST_PAUSE, Options
from orchestrator.client.calls import Calls
from orchestrator.client.errors import NoHealthyRegion, Outcome

BATCH = 25
"""Items in one request; DynamoDB's own limit."""


class BatchWriter:
    """A context manager with `put_item` and `delete_item`. Not for use by two threads at once.

    pending: what is not known to be written, as boto3's write requests.
    """

    def __init__(
        self, table: str, calls: Calls, options: Options, overwrite_by_pkeys: list[str] | None
    ) -> None:
        self._table = table
        self._calls = calls
        self._options = options
        self._keys = overwrite_by_pkeys
        self._region: str | None = None
        self._failed = False
        self.pending: list[dict[str, Any]] = []

    def put_item(self, Item: dict[str, Any]) -> None:  # noqa: N803  # boto3's word
        """Put this item with one of the next batches."""
        self._add({"PutRequest": {"Item": Item}}, Item)

    def delete_item(self, Key: dict[str, Any]) -> None:  # noqa: N803  # boto3's word
        """Delete the item of this key with one of the next batches."""
        self._add({"DeleteRequest": {"Key": Key}}, Key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None or not self._failed:
            self._flush_all()

    def _flush_all(self) -> None:
        """Flush until nothing is left; not for ever while everything comes back unprocessed."""
        clock = self._calls.clock
        pause, until = FIRST_PAUSE, clock.monotonic() + self._options.deadline
        while self.pending:
            before = len(self.pending)
            self._flush()
            if len(self.pending) < before:
                until = clock.monotonic() + self._options.deadline
            elif clock.monotonic() > until:
                raise NoHealthyRegion(
                    "batch_write_item",
                    ((self._region or "", f"{before} items came back unprocessed: throttled"),),
                    Outcome.NOT_SENT,
                    " They are in `pending`.",
                )
            if len(self.pending) > before - min(before, BATCH):  # some came back: throttled
                clock.rest(random.uniform(0, pause))  # noqa: S311  # back-off, spreads load
                pause = min(pause * 2, LONGEST_PAUSE)

    def _add(self, request: dict[str, Any], values: dict[str, Any]) -> None:
        if self._keys:
            wanted = [values[key] for key in self._keys]
            self.pending = [one for one in self.pending if self._values(one) != wanted]
        self.pending.append(request)
        if len(self.pending) >= BATCH:
            self._flush()

    def _values(self, request: dict[str, Any]) -> list[Any]:
        put = request.get("PutRequest")
        values = put["Item"] if put else request["DeleteRequest"]["Key"]
        return [values[key] for key in self._keys or ()]

    def _flush(self) -> None:
        batch, rest = self.pending[:BATCH], self.pending[BATCH:]
        kwargs = {"RequestItems": {self._table: batch}}
        try:
            answer, self._region = self._calls.write(
                "batch_write_item", kwargs, self._options, pinned=self._region
            )
        except BaseException:
            self._failed = True
            raise
        self._failed = False
        self.pending = rest + list((answer.get("UnprocessedItems") or {}).get(self._table, []))
