"""The boto3 Table interface over the regions: the same methods, arguments and answers.

What a method is allowed to do elsewhere is decided in `calls`, and which writes are safe to repeat
in `repeats`. Here is only which arguments make a read consistent, and where a page of a query
belongs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.client.batch import BatchWriter
from orchestrator.client.call import Options
from orchestrator.client.calls import Calls
from orchestrator.client.repeats import all_repeatable, repeatable


@dataclass(frozen=True, slots=True)
class Meta:
    """Where boto3 keeps the client of a resource."""

    client: RoutedClient


class PageKey(dict[str, Any]):
    """A `LastEvaluatedKey` that remembers the region whose page it ended.

    Handed back as `ExclusiveStartKey` it continues there, as long as that region can be had. A copy
    of it (through JSON, say) is a plain key and continues where reads go then; another region may
    be a moment behind or ahead.
    """

    __slots__ = ("region",)

    def __init__(self, key: Mapping[str, Any], region: str) -> None:
        super().__init__(key)
        self.region = region


class RoutedClient:
    """The item operations of boto3's DynamoDB client, with Python types, routed.

    This is what `boto3.resource("dynamodb").meta.client` is for one region. Anything else (tables,
    backups, streams) belongs to one region: ask `MultiRegionDynamoDB.in_region(name)` for it.
    """

    def __init__(self, calls: Calls, options: Options) -> None:
        self._calls = calls
        self._options = options

    def options(
        self, *, deadline: float | None = None, idempotent: bool | None = None
    ) -> RoutedClient:
        """The same with other options for its calls; see `Options`."""
        return RoutedClient(self._calls, _with(self._options, deadline, idempotent))

    # --- reads

    def get_item(self, **kwargs: Any) -> Any:
        """As boto3's. From the home region, or with ConsistentRead from where the writes go."""
        consistent = bool(kwargs.get("ConsistentRead"))
        return self._calls.read("get_item", kwargs, self._options, consistent=consistent)[0]

    def query(self, **kwargs: Any) -> Any:
        """As boto3's. A page's `LastEvaluatedKey` remembers its region (`PageKey`)."""
        return self._page("query", kwargs)

    def scan(self, **kwargs: Any) -> Any:
        """As boto3's. A page's `LastEvaluatedKey` remembers its region (`PageKey`)."""
        return self._page("scan", kwargs)

    def batch_get_item(self, **kwargs: Any) -> Any:
        """As boto3's. Consistent if any of its tables is asked for so."""
        wanted = kwargs.get("RequestItems", {})
        consistent = any(one.get("ConsistentRead") for one in wanted.values())
        return self._calls.read("batch_get_item", kwargs, self._options, consistent=consistent)[0]

    def transact_get_items(self, **kwargs: Any) -> Any:
        """As boto3's. From where the writes go: transactions are isolated within one region."""
        return self._calls.read("transact_get_items", kwargs, self._options, consistent=True)[0]

    def pages(self, operation: str, **kwargs: Any) -> Iterator[Any]:
        """All pages of `query` or `scan`, one after the other, from the region of the first."""
        if operation not in ("query", "scan"):
            raise ValueError(f"{operation} has no pages; query and scan do")
        while True:
            answer = self._page(operation, kwargs)
            yield answer
            key = answer.get("LastEvaluatedKey")
            if not key:
                return
            kwargs = {**kwargs, "ExclusiveStartKey": key}

    def _page(self, operation: str, kwargs: Mapping[str, Any]) -> Any:
        start = kwargs.get("ExclusiveStartKey")
        pinned = start.region if isinstance(start, PageKey) else None
        consistent = bool(kwargs.get("ConsistentRead"))
        answer, region = self._calls.read(
            operation, kwargs, self._options, consistent=consistent, pinned=pinned
        )
        if key := answer.get("LastEvaluatedKey"):
            answer["LastEvaluatedKey"] = PageKey(key, region)
        return answer

    # --- writes

    def put_item(self, **kwargs: Any) -> Any:
        """As boto3's, in the region that takes writes."""
        return self._write("put_item", kwargs)

    def update_item(self, **kwargs: Any) -> Any:
        """As boto3's, in the region that takes writes."""
        return self._write("update_item", kwargs)

    def delete_item(self, **kwargs: Any) -> Any:
        """As boto3's, in the region that takes writes."""
        return self._write("delete_item", kwargs)

    def batch_write_item(self, **kwargs: Any) -> Any:
        """As boto3's: what comes back as `UnprocessedItems` was not written."""
        return self._calls.write("batch_write_item", kwargs, self._options)[0]

    def transact_write_items(self, **kwargs: Any) -> Any:
        """As boto3's. Safe to repeat in another region if every write of it is (`repeatable`)."""
        safe = all_repeatable(kwargs)
        name = "transact_write_items"
        return self._calls.write(name, kwargs, self._options, repeatable=safe)[0]

    def _write(self, operation: str, kwargs: Mapping[str, Any]) -> Any:
        kind = operation.removesuffix("_item").capitalize()
        safe = repeatable(kind, kwargs)
        return self._calls.write(operation, kwargs, self._options, repeatable=safe)[0]

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"{name} is not routed: it belongs to one region; use"
            f" MultiRegionDynamoDB.in_region(REGION).meta.client.{name}"
        )


class RoutedTable:
    """One table in all regions: boto3's Table as far as items go."""

    def __init__(self, name: str, calls: Calls, options: Options) -> None:
        self.name = name
        self._calls = calls
        self._options = options
        self._client = RoutedClient(calls, options)
        self.meta = Meta(self._client)

    @property
    def table_name(self) -> str:
        """The table's name, the same in every region."""
        return self.name

    def options(
        self, *, deadline: float | None = None, idempotent: bool | None = None
    ) -> RoutedTable:
        """The same table with other options for its calls; see `Options`."""
        return RoutedTable(self.name, self._calls, _with(self._options, deadline, idempotent))

    def get_item(self, **kwargs: Any) -> Any:
        """As boto3's. From the home region, or with ConsistentRead from where the writes go."""
        return self._client.get_item(TableName=self.name, **kwargs)

    def query(self, **kwargs: Any) -> Any:
        """As boto3's. The next page comes from the region of this one."""
        return self._client.query(TableName=self.name, **kwargs)

    def scan(self, **kwargs: Any) -> Any:
        """As boto3's. The next page comes from the region of this one."""
        return self._client.scan(TableName=self.name, **kwargs)

    def put_item(self, **kwargs: Any) -> Any:
        """As boto3's, in the region that takes writes."""
        return self._client.put_item(TableName=self.name, **kwargs)

    def update_item(self, **kwargs: Any) -> Any:
        """As boto3's, in the region that takes writes."""
        return self._client.update_item(TableName=self.name, **kwargs)

    def delete_item(self, **kwargs: Any) -> Any:
        """As boto3's, in the region that takes writes."""
        return self._client.delete_item(TableName=self.name, **kwargs)

    def batch_writer(self, overwrite_by_pkeys: list[str] | None = None) -> BatchWriter:
        """As boto3's: puts and deletes in batches of 25, flushed where the first was."""
        return BatchWriter(self.name, self._calls, self._options, overwrite_by_pkeys)

    def pages(self, operation: str, **kwargs: Any) -> Iterator[Any]:
        """All pages of `query` or `scan`, one after the other, from the region of the first."""
        return self._client.pages(operation, TableName=self.name, **kwargs)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"{name} is not routed: it belongs to one region; use"
            f" MultiRegionDynamoDB.in_region(REGION).Table(NAME).{name}"
        )


def _with(options: Options, deadline: float | None, idempotent: bool | None) -> Options:
    return replace(
        options,
        deadline=options.deadline if deadline is None else deadline,
        idempotent=options.idempotent if idempotent is None else idempotent,
    )
