"""Two regions for a library that goes on while the traffic moves from one to the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.local.dynamodb.database import Database
from tests.support.regional import EAST, WEST, document, write_whole

OWN = "checkout"
"""The table that the laptop's DynamoDB makes for itself."""

REFRESH = 30.0
"""Seconds that a look at the document may take; a guard against a hang."""


class Places:
    """The east and the west, each with its own DynamoDB, and the client that is tried.

    db: what libraries get their resource, client or table from. Replication is done by hand: what
    stands in the east when the traffic moves is copied to the west.
    """

    def __init__(
        self, db: MultiRegionDynamoDB, servers: Mapping[str, Database], source: Path
    ) -> None:
        self.db = db
        self._servers = servers
        self._source = source

    def table(self, name: str, hash_key: str, range_key: str | None = None) -> str:
        """A table of this name in both regions, as a global table is."""
        for region in (EAST, WEST):
            self.table_in(region, name, hash_key, range_key)
        return name

    def table_in(self, region: str, name: str, hash_key: str, range_key: str | None = None) -> None:
        """A table in one region. Its keys are strings."""
        keys = {hash_key: "HASH"} | ({range_key: "RANGE"} if range_key else {})
        made: Any = {
            "TableName": name,
            "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
            "BillingMode": "PAY_PER_REQUEST",
        }
        self.db.in_region(region).create_table(**made)

    def items(self, region: str, table: str) -> Sequence[Mapping[str, Any]]:
        """What stands in a region's table, asked there."""
        return self.db.in_region(region).Table(table).scan(ConsistentRead=True)["Items"]

    def fail_over(self) -> None:
        """Writes to the east are fenced, what it has is copied, it hangs, the west takes over."""
        self._say(2, EAST, fenced={EAST: datetime.now(UTC) + timedelta(minutes=5)})
        for table in self.db.in_region(WEST).tables.all():
            for item in self.items(EAST, table.name):
                table.put_item(Item=dict(item))
        self._servers[EAST].hang()
        self._say(3, WEST, down=[EAST])
        assert self.db.stats()["document"]["primary"] == WEST

    def _say(self, revision: int, primary: str, **told: Any) -> None:  # as `document` has them
        urls = {name: one.url for name, one in self._servers.items()}
        write_whole(self._source, document(revision, primary, endpoints=urls, **told))
        assert self.db.view.refresh(REFRESH)

    def mend(self) -> None:
        """The east answers again: it can be looked at what it has."""
        self._servers[EAST].resume()

    def clear(self) -> None:
        """Both regions answer, and have no table but their own."""
        self.mend()
        for region in (EAST, WEST):
            for table in self.db.in_region(region).tables.all():
                if table.name != OWN:
                    table.delete()
