"""A handle on one region's DynamoDB process (`dynamodb`): start it, break it, mend it.

What breaks decides what is lost. A frozen process, or one that the replicator is cut off from,
keeps everything, and what was not replicated arrives later. A killed one finds what it has
acknowledged again when it is started; what other regions had not got yet is lost to them for as
long as it stays dead.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from orchestrator.local.dynamodb.change_log import JournalReader, Write
from orchestrator.local.process.server import Server


class Database(Server):
    """The DynamoDB of `region`; `folder` takes its log and its journal."""

    def __init__(self, region: str, folder: Path) -> None:
        self.region = region
        journal = folder / f"dynamodb-{region}.journal"
        super().__init__(
            f"dynamodb {region}",
            "orchestrator.local.dynamodb.replica",
            ["--region", region, "--journal", str(journal)],
            folder=folder,
            ready="/_laptop/ready",
        )
        self._reader = JournalReader(region, journal)
        self._reading = threading.Lock()

    def writes(self) -> Sequence[Write]:
        """Every write that was made here, in order; also if it is frozen or dead."""
        with self._reading:
            return self._reader.writes()
