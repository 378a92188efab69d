"""The shop as a process of one region, by environment variables; README.md lists them.

    python app.py                        # serves by itself
    gunicorn --threads 16 'app:make()'   # or by any WSGI server; --preload does no harm

It does not start without the document: name two places of it, so that one can be gone.
"""

from __future__ import annotations

import logging
import os

import waitress  # type: ignore[import-untyped]  # it carries no types
from flask import Flask
from shop import create_app

from orchestrator import aws_identity
from orchestrator.client.allowed import hosts, loopback
from orchestrator.client.document import Document, DocumentView, RegionEntry
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.health import HealthCheck, Heartbeat, RegionItems, items_of
from orchestrator.client.sources import source

STARTING = 10.0
"""Seconds that the start waits for the first document, before the process ends."""


def make() -> Flask:
    """The application of this process. Raises KeyError and ValueError for missing settings."""
    region, table = os.environ["REGION"], os.environ.get("TABLE", "checkout")
    mode = os.environ.get("MODE", "active-passive")
    allowed = os.environ.get("ALLOW_ENDPOINTS", "")
    allow = loopback if allowed == "loopback" else hosts(*allowed.split())
    sources = [source(url) for url in os.environ["DOCUMENT"].split()]
    view = DocumentView(sources, allow_endpoint=allow).start()
    document = view.wait_first(STARTING)
    if document is None or region not in document.regions:
        known = ", ".join(document.regions) if document else "no document could be read"
        raise ValueError(f"REGION={region}: it must be one of the document's regions ({known})")

    here = document.regions[region]
    role = os.environ.get("ROLE_ARN")
    own = _fetch(role, region, document) if role else None
    # The heartbeat's role may write the items of the heartbeat, the application's may not.
    role = os.environ.get("HEARTBEAT_ROLE_ARN", role)
    other = _fetch(role, region, document) if role else None
    heart = aws_identity.session(aws_identity.on_demand(other) if other else None)

    def own_items(entry: RegionEntry) -> RegionItems:
        return items_of(table, entry, heart)

    Heartbeat(region, own_items(here), view, peers=own_items).start()
    credentials = aws_identity.OffPath(own) if own else None  # renewed beside the requests
    db = MultiRegionDynamoDB(
        view, home=region, mode=mode, health_table=table, credentials=credentials
    )
    reads = aws_identity.session(aws_identity.on_demand(own) if own else None)
    check = HealthCheck(region, items_of(table, here, reads), view, mode=mode)
    return create_app(db, check, region, table)


def _fetch(role: str, region: str, document: Document) -> aws_identity.Fetch:
    """What fetches credentials of the role, by this process's Google identity.

    The own region's STS is asked first, then the others': none of them may take the credentials
    along when it is down.
    """
    ordered = sorted(document.regions.values(), key=lambda entry: entry.name != region)
    audience = os.environ.get("AUDIENCE", "aws-dynamodb")
    return aws_identity.google_web_identity(role, audience, [one.aws_region for one in ordered])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080"))
    waitress.serve(make(), host=host, port=port, threads=16)
