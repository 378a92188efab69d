"""A WSGI application on a port of the loopback interface, with connections that are kept alive."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import waitress  # type: ignore[import-untyped]  # it carries no types

from orchestrator.local.process.loopback import HOST

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

CONNECTIONS = 2000
"""At a time. A load balancer has one for every request under way, others keep theirs open."""


def serve(application: WSGIApplication, port: int, threads: int) -> None:
    """Serve until the process is killed; `threads` requests at a time, the others wait."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a queue for a moment is no news
    waitress.serve(
        application,
        host=HOST,
        port=port,
        threads=threads,
        connection_limit=CONNECTIONS,
        asyncore_use_poll=True,  # select knows 1,024 descriptors
        _quiet=True,
    )
