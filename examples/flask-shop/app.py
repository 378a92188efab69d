"""The shop as a process of one region, by environment variables; README.md lists them.

    python app.py                        # serves by itself
    gunicorn --threads 16 'app:make()'   # or by any WSGI server; --preload does no harm

It does not start without the document: name two places of it, so that one can be gone.
"""

from __future__ import annotations

import logging
import os
from functools import partial

import waitress  # type: ignore[import-untyped]  # it carries no types
from boto3 import Session
from flask import Flask
from shop import create_app

from orchestrator import aws_identity
from orchestrator.client.document import Document, RegionEntry
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.health import HealthCheck
from orchestrator.client.heartbeat import Heartbeat
from orchestrator.client.own_items import RegionItems, items_of
from orchestrator.client.regions import aws_region
from orchestrator.client.sources import source
from orchestrator.client.view import DocumentView

STARTING = 10.0
"""Seconds that the start waits for the first document, before the process ends."""


def make() -> Flask:
    """The application of this process. Raises KeyError and ValueError for missing settings."""
    region, table = os.environ["REGION"], os.environ.get("TABLE", "checkout")
    mode = os.environ.get("MODE", "active-passive")
    view = DocumentView([source(url) for url in os.environ["DOCUMENT"].split()]).start()
    document = view.wait_first(STARTING)
    if document is None or region not in document.regions:
        known = ", ".join(document.regions) if document else "no document could be read"
        raise ValueError(f"REGION={region}: it must be one of the document's regions ({known})")

    here = document.regions[region]
    session = partial(_session, os.environ.get("ROLE_ARN"), region, document)
    # The heartbeat's role may write the items of the heartbeat, the application's may not.
    heart = _session(
        os.environ.get("HEARTBEAT_ROLE_ARN", os.environ.get("ROLE_ARN")), region, document
    )

    def own_items(entry: RegionEntry) -> RegionItems:
        return items_of(table, entry, heart)

    Heartbeat(region, own_items(here), view, peers=own_items).start()
    db = MultiRegionDynamoDB(view, home=region, mode=mode, health_table=table, session=session)
    check = HealthCheck(region, items_of(table, here, session()), view, mode=mode)
    return create_app(db, check, region, table)


def _session(role: str | None, region: str, document: Document) -> Session:
    """Credentials of the role, by this process's Google identity; without a role boto3's own.

    The own region's STS is asked first, then the others': none of them may take the credentials
    along when it is down.
    """
    if role is None:
        return aws_identity.session()
    ordered = sorted(document.regions.values(), key=lambda entry: entry.name != region)
    fetch = aws_identity.google_web_identity(
        role, os.environ.get("AUDIENCE", "aws-dynamodb"), [aws_region(entry) for entry in ordered]
    )
    return aws_identity.session(aws_identity.on_demand(fetch))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080"))
    waitress.serve(make(), host=host, port=port, threads=16)
