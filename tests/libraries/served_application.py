"""A web application as gunicorn serves it: a routed table, a heartbeat, health.

It is put together when it is loaded: that is where `--preload` makes a difference. Its places come
by the environment. `test_gunicorn.py` serves it.
"""

from __future__ import annotations

import os
import threading
import time
import traceback

from flask import Flask

from orchestrator.client.allowed import loopback
from orchestrator.client.document import DocumentView
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.flask import blueprint
from orchestrator.client.health import HealthCheck, Heartbeat, RegionItems
from orchestrator.client.sources.file import FileSource

HOME, TABLE = "us-east-1", "checkout"
LOADED_IN = os.getpid()

view = DocumentView([FileSource(os.environ["DOCUMENT"])], allow_endpoint=loopback, interval=0.2)
db = MultiRegionDynamoDB(view.start(), home=HOME, health_table=TABLE, warm_every=0.2)
items = RegionItems(TABLE, HOME, endpoint_url=os.environ["HOME_URL"])
heartbeat = Heartbeat(HOME, items, view, every=0.5).start()
app = Flask("served")
app.register_blueprint(blueprint(HealthCheck(HOME, items, view)))


@app.get("/")
def order() -> dict[str, object]:
    """Write and read an order, and tell what is alive in this process."""
    try:
        table = db.Table(TABLE)
        table.put_item(Item={"pk": f"order#{os.getpid()}"})
        found = "Item" in table.get_item(Key={"pk": f"order#{os.getpid()}"}, ConsistentRead=True)
    except Exception:  # noqa: BLE001  # the test reads what it was
        return {"process": os.getpid(), "error": traceback.format_exc()}
    document = view.latest
    return {
        "process": os.getpid(),
        "loaded_in": LOADED_IN,
        "found": found,
        "primary": document.primary if document else None,
        "threads": sorted(one.name for one in threading.enumerate()),
        "idle": {one.name: time.monotonic() - one.used for one in db._regions.all()},
    }
