"""Three regions behind proxies, and boto3 routed to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3

from orchestrator.client._calls.routing import ServiceMode as Sharing
from orchestrator.client.document import DocumentView
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from tests.client.faults.modes import Mode
from tests.client.faults.proxy import Proxy
from tests.support.regional import EAST, PATIENCE, REGIONS, HeldSource, document

ITEM = {"pk": {"S": "a"}, "what": {"S": "a book"}}


@cache
def session() -> boto3.Session:
    """One for all tests: it has read boto3's models once."""
    return boto3.Session("laptop", "laptop", region_name=EAST)


@dataclass(frozen=True, slots=True)
class World:
    """The regions' proxies; a region whose address has nobody behind it has one nobody asks."""

    db: MultiRegionDynamoDB
    proxies: dict[str, Proxy]
    source: HeldSource

    def read(self, key: str = "a") -> Any:
        """The item, with boto3's own client."""
        return self.db.client.get_item(TableName="orders", Key={"pk": {"S": key}})

    def add(self, key: str) -> Any:
        """Count up: a write that is done twice counts twice."""
        return self.db.client.update_item(
            TableName="orders",
            Key={"pk": {"S": key}},
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    def create(self, key: str) -> Any:
        """Put an item that must not be there: a write that is safe to repeat."""
        return self.db.client.put_item(
            TableName="orders",
            Item={"pk": {"S": key}},
            ConditionExpression="attribute_not_exists(pk)",
        )

    def transact(self, key: str) -> Any:
        """Count up in a transaction, for which botocore makes a token."""
        update: Any = {
            "TableName": "orders",
            "Key": {"pk": {"S": key}},
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
        return self.db.client.transact_write_items(TransactItems=[{"Update": update}])

    def done(self, key: str) -> int:
        """How often a write of this key was executed, in all regions."""
        return sum(proxy.double.done[key] for proxy in self.proxies.values())

    def turn(
        self, region: str, mode: Mode, *, executes: bool = False, times: int | None = None
    ) -> None:
        """From now on the region fails like this; times: so often, and then it is well."""
        proxy = self.proxies[region]
        proxy.act, proxy.early = mode.act, mode.early
        proxy.executes, proxy.left = executes, times


@contextmanager
def world(
    deadline: float,
    attempt: float,
    faulty: Mapping[str, Mode] | None = None,
    *,
    regions: Sequence[str] = REGIONS,
    sharing: Sharing = Sharing.ACTIVE_PASSIVE,
) -> Iterator[World]:
    """Regions that are well, but for the faulty ones. The east is home, and the primary.

    deadline, attempt: seconds.
    """
    failing = faulty or {}
    with ExitStack() as stack:
        proxies = {name: stack.enter_context(Proxy()) for name in regions}
        urls = {name: proxy.url for name, proxy in proxies.items()}
        urls |= {name: stack.enter_context(one.at()) for name, one in failing.items() if one.at}
        source = HeldSource(document(endpoints=urls))
        view = stack.enter_context(DocumentView([source], allow_endpoint=lambda *_: True))
        db = stack.enter_context(
            MultiRegionDynamoDB(
                view,
                home=EAST,
                mode=sharing,
                deadline=deadline,
                connect_timeout=attempt,
                read_timeout=attempt,
                session=session,
            )
        )
        assert db.ready(PATIENCE)
        made = World(db, proxies, source)
        for proxy in proxies.values():
            proxy.double.items["a"] = ITEM
        for name, mode in failing.items():
            made.turn(name, mode, executes=True)
        yield made
