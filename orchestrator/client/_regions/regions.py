"""One boto3 client for each region, made once, with timeouts meant for failover.

botocore waits 60 s for a connection and 60 s for an answer, and tries four times: minutes in which
a region that hangs takes the application along. Here a connection gets 1 s and an answer 1 s, and
nothing is tried again below us: only code that sees every attempt knows the outcome of a write.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.parsers import ResponseParserError

from orchestrator.client._process.once import WELL, Once, kind_of
from orchestrator.client._process.patched import must_be_early
from orchestrator.client._regions import attempt
from orchestrator.client._regions.breaker import BreakerState, Need
from orchestrator.client._regions.breakers import Breakers
from orchestrator.client._regions.environment import hold_against
from orchestrator.client.document import Document, RegionEntry

if TYPE_CHECKING:
    from boto3 import Session
    from botocore.config import Config

    from orchestrator.addresses import Resolve

_LOG = logging.getLogger(__name__)

CONNECT_TIMEOUT = 1.0
"""Seconds; a TCP or TLS handshake across an ocean takes 0.2."""

READ_TIMEOUT = 1.0
"""Seconds; DynamoDB answers in milliseconds, a page of 1 MB in some hundred."""

POOL = 64
"""Connections to one region at most; more requests at once open further ones and close them."""


@dataclass(slots=True)
class RoutedRegion:
    """One region as a call sees it: its boto3 client, and its breakers.

    client: boto3's low-level client, thread-safe. calls: attempts made. used: when (monotonic
    seconds) it answered last.
    """

    name: str
    endpoint: str
    client: Any
    breakers: Breakers
    calls: int = 0
    failures: int = 0
    used: float = field(default_factory=time.monotonic)


def client_config(connect: float = CONNECT_TIMEOUT, read: float = READ_TIMEOUT) -> Config:
    """botocore's settings for a region that may die. connect, read: seconds."""
    from botocore.config import Config  # boto3 is imported with the first client

    return Config(
        connect_timeout=connect,
        read_timeout=read,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=POOL,
        tcp_keepalive=True,
    )


def _as_named() -> Config:
    """botocore takes the endpoint that is given: `environment` has seen to the settings."""
    from botocore.config import Config

    return Config(use_fips_endpoint=False, use_dualstack_endpoint=False)


def share_time(client: Any, resolve: Resolve | None = None) -> None:
    """Have the addresses of this boto3 client's host share the time of a connection.

    botocore offers no place for a connection class but its own attribute. Where a future version
    has none, connections are botocore's own: addresses in turn, each with the whole timeout.
    resolve: finds a host's addresses; None: the system does.
    """
    from orchestrator.client._regions.aws_connections import (
        pools,  # urllib3 is imported with the first client
    )

    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    by_scheme = getattr(session, "_pool_classes_by_scheme", None)
    if isinstance(by_scheme, dict):
        by_scheme.update(pools(resolve) if resolve else pools())


def name_once(client: Any) -> None:
    """Have the user agent of this boto3 client made now, and not with every request.

    botocore makes it with each, for what it says of the features that a request uses (`m/...`),
    and that takes a twentieth of a call. It offers no other place for a text that is made already:
    where a future version has none of these attributes, it goes on as it did.
    """
    creator = getattr(client, "_user_agent_creator", None)
    rebuild = getattr(creator, "rebuild_and_replace_user_agent_handler", None)
    if creator is None or rebuild is None:
        return
    text = creator.to_string()

    def say(request: Any, **_: object) -> None:
        if "User-Agent" in request.headers:
            request.headers.replace_header("User-Agent", text)

    client.meta.events.unregister("request-created.dynamodb", rebuild)
    client.meta.events.register_last("request-created.dynamodb", say)


def whole(response_dict: Mapping[str, Any], **_: object) -> None:
    """Refuses an answer that is cut off, or that is not DynamoDB's.

    botocore switches off the check of the length, and takes what it cannot read for an empty
    answer: a region that dies in the middle of a page would have no items, and a proxy's error page
    would be a written item. Raises ResponseParserError. A body of braces with a right checksum is
    believed unread: to parse a page of 1 MB once more takes 15 ms.
    """
    body, headers = response_dict["body"], response_dict["headers"]
    length, crc = headers.get("content-length"), headers.get("x-amz-crc32")
    if (
        (length is not None and length.strip() != str(len(body)))
        or (crc.strip() != str(zlib.crc32(body)) if crc is not None else not _is_json(body))
        or not (body.startswith(b"{") and body.rstrip().endswith(b"}"))
    ):
        raise ResponseParserError(
            f"HTTP {response_dict['status_code']} with a body that is not whole, or not DynamoDB's"
        )


def _is_json(body: bytes) -> bool:
    """Asked of what carries no checksum; DynamoDB's answers do."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


class Regions:
    """The regions of the newest document. session: makes the boto3 Session, once, when needed.

    monotonic: the clock of their breakers, in seconds.
    """

    def __init__(
        self,
        session: Callable[[], Session],
        config: Config | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._make_session = session
        self._config = config
        self._session: Session | None = None
        self._made: Mapping[str, RoutedRegion] = {}
        self._lock = threading.Lock()
        self._once = Once()

    def get(self, entry: RegionEntry) -> RoutedRegion:
        """The region of this entry; made now where nobody needed it before. Raises Unusable."""
        region = self._made.get(entry.name)
        if region is None or region.endpoint != entry.endpoint:
            region = self._make(entry)
        return region

    def made(self, entry: RegionEntry) -> RoutedRegion | None:
        """The region of this entry, if it was made already."""
        region = self._made.get(entry.name)
        return region if region is not None and region.endpoint == entry.endpoint else None

    def prepare(self, document: Document) -> None:
        """Make what is missing, off the request path, and drop what the document no longer has."""
        for entry in document.regions.values():
            try:
                self.get(entry)
            except Exception as error:  # noqa: BLE001  # one must not take the others along
                if self._once.is_new(entry.name, kind_of(error)):
                    _LOG.warning("no client for %s: %s", entry.name, error)
            else:
                self._once.is_new(entry.name, WELL)
        with self._lock:
            if self._made.keys() - document.regions.keys():
                self._made = {n: r for n, r in self._made.items() if n in document.regions}

    def all(self) -> tuple[RoutedRegion, ...]:
        """Those made so far."""
        return tuple(self._made.values())

    def resource(self, entry: RegionEntry) -> Any:
        """boto3's own resource for this region, with boto3's own timeouts."""
        with self._lock:
            return self._session_for(entry).resource(
                "dynamodb",
                region_name=entry.aws_region,
                endpoint_url=entry.endpoint_url,
                config=_as_named(),
            )

    def after_fork(self) -> None:
        """In a child process: connections belong to the parent; make all again when needed."""
        self._lock = threading.Lock()
        self._session = None  # its credentials may have been refreshed at that moment, under a lock
        self._made = {}

    def _session_for(self, entry: RegionEntry) -> Session:
        """The session. Raises where its settings contradict the region's endpoint."""
        must_be_early()
        if self._session is None:
            self._session = self._make_session()
        hold_against(entry, self._session)
        return self._session

    def _make(self, entry: RegionEntry) -> RoutedRegion:
        with self._lock:
            known = self._made.get(entry.name)
            if known is not None and known.endpoint == entry.endpoint:
                return known
            client = self._session_for(entry).client(
                "dynamodb",
                region_name=entry.aws_region,
                endpoint_url=entry.endpoint_url,
                config=_as_named().merge(self._config or client_config()),
            )
            events = client.meta.events
            events.register("before-send.dynamodb", attempt.sending)
            events.register("before-parse.dynamodb", whole)
            share_time(client)
            name_once(client)

            def told(need: Need, before: BreakerState, after: BreakerState) -> None:
                _LOG.warning("breaker of %s for %ss: %s, was %s", entry.name, need, after, before)

            breakers = known.breakers if known else Breakers(clock=self._monotonic, on_change=told)
            region = RoutedRegion(entry.name, entry.endpoint, client, breakers)
            self._made = {**self._made, entry.name: region}
            return region
