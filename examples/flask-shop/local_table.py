"""A global table of two regions on this machine, and the document that names them: to try the shop.

    python local_table.py FOLDER

It starts a DynamoDB for each region with replication between them, writes `region-health.json` into
the folder with us-east-1 as the primary, and serves until it is killed. AWS is not asked.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from orchestrator.local.dynamodb.database import Database
from orchestrator.local.dynamodb.replicator import Replicator

REGIONS = ("us-east-1", "us-west-2")


def main(folder: Path) -> None:
    """Serve until a signal comes."""
    databases = [Database(region, folder) for region in REGIONS]
    try:
        for database in databases:
            database.start()
        replicator = Replicator(databases, lag=0.2)
        replicator.start()
        document = {
            "revision": 1,
            "epoch": 1,
            "primary": REGIONS[0],
            "regions": {one.region: {"endpoint": one.url, "healthy": True} for one in databases},
        }
        whole = folder / "region-health.new"
        whole.write_text(json.dumps(document, indent=2) + "\n")
        whole.rename(folder / "region-health.json")  # nobody reads half of it
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
        replicator.stop()
    finally:
        for database in databases:
            database.stop()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main(Path(sys.argv[1]))
