"""`MultiRegionDynamoDB`: boto3's DynamoDB for tables that live in several regions.

    db = MultiRegionDynamoDB(GcsSource("my-bucket", "checkout.json"), home="us-east-1")
    orders = db.Table("orders")
    orders.get_item(Key={"pk": "order#1"})

What it hands out are boto3's own resource and client; see `orchestrator.client._calls.routed`.

Make one for a process, when the application starts: it reads the document and keeps connections
warm in threads of its own. It is safe to use from many threads, and goes on after a fork.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from botocore.client import BaseClient

from orchestrator.client._calls.call import DEADLINE, Clock, OnStale, Options, Settings
from orchestrator.client._calls.calls import Calls
from orchestrator.client._calls.hedges import COUNTS, Hedges
from orchestrator.client._calls.keeper import WARM_EVERY, Keeper
from orchestrator.client._calls.routed import Handed, Router, route
from orchestrator.client._calls.routing import Consistency, ServiceMode
from orchestrator.client._calls.typed import typed_as
from orchestrator.client._keys.home import HomeOf, Homes
from orchestrator.client._process.fork import in_child
from orchestrator.client._process.patched import late_patcher, must_be_early, refuse_later_patching
from orchestrator.client._regions.breaker import Need
from orchestrator.client._regions.regions import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Regions,
    RoutedRegion,
    client_config,
)
from orchestrator.client.allowed import Allow, never
from orchestrator.client.document import DocumentView, Source
from orchestrator.client.document._view import INTERVAL, MAX_STALENESS
from orchestrator.client.errors import NoHealthyRegion

if TYPE_CHECKING:
    import boto3
    from boto3 import Session
    from boto3.resources.base import ServiceResource

    from orchestrator.aws_identity import OffPath

HEALTH_KEY = {"pk": {"S": "failover#health"}}
"""The item that is read to see whether a region's table answers."""

WRITE_KEY = {"pk": {"S": "client#probe"}}
"""The key that writes are tried with, to an item that never exists. Not one of `failover#`: whom
only those items are kept from may write this one."""


class MultiRegionDynamoDB:
    """DynamoDB in several regions as one. A context manager, or `close` it at the end.

    source: where the document is read from: one, or several, asked in this order, or a DocumentView
    that is shared with a health endpoint. home: the region that the application runs in, as the
    document names it; None: reads go to the primary. Or, in active-active, a function of a table's
    name and a key (Python's values, by attribute) that returns the region where the key is at home:
    its writes and strongly consistent reads go there. Then process_home is the region that the
    application runs in, and keys may say the names of tables' keys, the partition key first (else
    DescribeTable is asked for a table that is put into or queried consistently). mode, consistency:
    the service's and the table's. deadline: seconds for one call. connect_timeout, read_timeout:
    seconds for one attempt. on_stale_document: `serve` goes on by the last known document however
    old; `refuse-writes` refuses writes once it is older than max_staleness. consistent_fallback:
    whether strongly consistent reads may be answered by another region when the one that takes
    writes is unavailable. health_table: a table with the item `failover#health`, for warm
    connections and probes; without it the regions are asked for their endpoints, which says less.
    hedge: the share of the eventually consistent reads that may be sent to a second region when the
    first one is slow, such as 0.05; 0: none (see `orchestrator.client._calls.hedges`). warm_every:
    seconds without a call after which a region is asked so. credentials: of
    `orchestrator.aws_identity`, renewed beside the requests; None: boto3's usual search.
    allow_endpoint: whether requests for a region may go to an endpoint that is no name of AWS's for
    DynamoDB there (a function of the region's name and the endpoint, see
    `orchestrator.client.allowed`); a DocumentView that is given has its own. session: makes the
    boto3 Session, and then credentials are its business. clock: the time of deadlines, pauses and
    breakers, and now: the one that fences are compared with; for tests
    (`orchestrator.client.testing`).

    Raises PatchedLate where gevent has patched after boto3 or this module was imported.
    """

    def __init__(  # noqa: PLR0913  # each is a setting of its own, and has a default
        self,
        source: Source | Sequence[Source] | DocumentView,
        *,
        home: str | HomeOf | None = None,
        process_home: str | None = None,
        keys: Mapping[str, Sequence[str]] | None = None,
        mode: ServiceMode | str = ServiceMode.ACTIVE_PASSIVE,
        consistency: Consistency | str = Consistency.MREC,
        deadline: float = DEADLINE,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
        refresh_interval: float = INTERVAL,
        max_staleness: float = MAX_STALENESS,
        on_stale_document: OnStale | str = OnStale.SERVE,
        consistent_fallback: bool = False,
        health_table: str | None = None,
        hedge: float = 0.0,
        warm_every: float = WARM_EVERY,
        credentials: OffPath | None = None,
        allow_endpoint: Allow | None = None,
        session: Callable[[], Session] | None = None,
        clock: Clock | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),  # noqa: TID251  # the application's clock, with which fences are compared
    ) -> None:
        if min(deadline, connect_timeout, read_timeout) <= 0:
            raise ValueError("deadline, connect_timeout and read_timeout are seconds, more than 0")
        import boto3  # noqa: F401  # before a thread of ours and the application import it at once

        must_be_early()
        refuse_later_patching()

        own = process_home if callable(home) else home
        self._homes = _homes(home, process_home, keys, ServiceMode(mode), Consistency(consistency))
        self._owns_view = not isinstance(source, DocumentView)
        self.view = _view(source, refresh_interval, max_staleness, allow_endpoint)
        config = client_config(connect_timeout, read_timeout)
        clock = clock or Clock()
        make_session = session or partial(_session, credentials)
        self._regions = Regions(make_session, config, clock.monotonic)
        settings = Settings(
            own,
            ServiceMode(mode),
            Consistency(consistency),
            OnStale(on_stale_document),
            consistent_fallback,
            read_timeout,
        )
        hedges = _hedges(hedge)
        self._calls = Calls(self.view, self._regions, settings, now, clock, hedges=hedges)
        self._options = Options(deadline)
        self._home = own
        self._health_table = health_table
        self._credentials = credentials
        self._now = now
        try_write = None if health_table is None else self._try_write
        self._keeper = Keeper(
            self._regions, self._ask, self._renew, warm_every=warm_every, write=try_write
        )
        self._handed = Handed(self._router(self._options), own)
        self.view.on_change(self._regions.prepare)
        self.view.start()
        self._keeper.start()
        in_child(self, MultiRegionDynamoDB.after_fork)

    # --- boto3's names

    @property
    @typed_as(lambda: boto3.resource("dynamodb"))
    def resource(self) -> Any:
        """boto3's own DynamoDB resource, routed."""
        return self._handed.resource

    @property
    @typed_as(lambda: boto3.client("dynamodb"))
    def client(self) -> Any:
        """boto3's own low-level DynamoDB client, routed."""
        return self._handed.client

    @property
    def meta(self) -> Any:
        """The resource's, where boto3 keeps its client."""
        return self.resource.meta

    @typed_as(lambda: boto3.resource("dynamodb").Table(""))
    def Table(self, name: str) -> Any:  # noqa: N802  # boto3's word
        """boto3's own Table of this name, routed."""
        return self.resource.Table(name)

    def batch_get_item(self, **kwargs: Any) -> Any:
        """The resource's."""
        return self.resource.batch_get_item(**kwargs)

    def batch_write_item(self, **kwargs: Any) -> Any:
        """The resource's."""
        return self.resource.batch_write_item(**kwargs)

    def options(self, *, deadline: float | None = None, idempotent: bool | None = None) -> Handed:
        """A resource and a client whose calls have other options; see `Options`. Keep them."""
        chosen = Options(
            self._options.deadline if deadline is None else deadline,
            self._options.idempotent if idempotent is None else idempotent,
        )
        return Handed(self._router(chosen), self._home)

    def route(self, existing: ServiceResource | BaseClient) -> None:
        """Route a resource or client of DynamoDB that the application has made itself.

        Its own region, endpoint, credentials and retries no longer count: the document and this
        object have the say. Raises ValueError for another service's.
        """
        client: Any = existing if isinstance(existing, BaseClient) else existing.meta.client
        if (service := client.meta.service_model.service_name) != "dynamodb":
            raise ValueError(
                f"route() takes DynamoDB's resource or client, and this is {service}'s"
            )
        route(client, self._router(self._options))

    # --- beside boto3

    @typed_as(lambda: boto3.resource("dynamodb"))
    def in_region(self, name: str) -> Any:
        """boto3's own resource of one region: not routed, not fenced, with boto3's own retries.

        Raises NoHealthyRegion if the document is unavailable or does not have the region.
        """
        document = self.view.wait_first(self._options.deadline)
        entry = document.regions.get(name) if document else None
        if entry is None:
            known = ", ".join(document.regions) if document else "no document could be read yet"
            if document and name in document.refused:
                raise NoHealthyRegion(f"in_region({name!r})", [(name, document.refused[name])])
            raise NoHealthyRegion(f"in_region({name!r})", (), None, f" Known: {known}")
        return self._regions.resource(entry)

    def ready(self, within: float) -> bool:
        """Whether the document is known and every region has a client; waits for it at most so
        many seconds. For the start of an application: until then its first call waits.
        """
        document = self.view.wait_first(within)
        if document is not None:
            self._regions.prepare(document)
        return document is not None

    def stats(self) -> dict[str, Any]:
        """Figures for a metric exporter: cheap, and no network.

        document: age in seconds, whether it is stale, revision, epoch and primary. regions: the
        states of the breakers for reads and writes and the worse one of both, attempts made and
        attempts that failed. outcomes: how many calls failed,
        by what is known of them: `read-failed`, `not-sent`, `unknown`. hedges: reads that might
        have been hedged, those for which a second region was asked, those that it won, and those
        for which there was no thread.
        """
        latest = self.view.latest
        return {
            "document": {
                "age_seconds": self.view.age,
                "stale": self.view.stale,
                "revision": latest.revision if latest else None,
                "epoch": latest.epoch if latest else None,
                "primary": latest.primary if latest else None,
            },
            "regions": {
                region.name: {
                    "breaker": str(region.breakers.state),
                    "breakers": {need: str(region.breakers.of(need).state) for need in Need},
                    "attempts": region.calls,
                    "failures": region.failures,
                }
                for region in self._regions.all()
            },
            "outcomes": dict(self._calls.outcomes),
            "hedges": hedges.stats()
            if (hedges := self._calls.hedges)
            else dict.fromkeys(COUNTS, 0),
        }

    # --- life

    def close(self) -> None:
        """End the threads. A DocumentView that was given goes on."""
        self._keeper.close()
        if self._calls.hedges is not None:
            self._calls.hedges.close()
        if self._owns_view:
            self.view.close()

    def after_fork(self) -> None:
        """In a child process: new connections, new threads. Called by the fork itself."""
        self._regions.after_fork()
        self._calls.after_fork()
        if self._homes is not None:
            self._homes.after_fork()
        self._keeper.after_fork()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _router(self, options: Options) -> Router:
        return Router(self._calls, options, self._homes)

    def _renew(self) -> None:
        """What the keeper has done in each of its rounds."""
        if late_patcher():  # the application's own calls say so
            return
        if (latest := self.view.latest) is not None:
            self._regions.prepare(latest)  # a view that is shared, or inherited by a fork
        if self._credentials is not None:
            self._credentials.refresh_if_due(self._now())

    def _ask(self, region: RoutedRegion) -> object:
        if self._health_table is None:
            return region.client.describe_endpoints()
        return region.client.get_item(TableName=self._health_table, Key=HEALTH_KEY)

    def _try_write(self, region: RoutedRegion) -> None:
        """A write that never changes anything: its condition contradicts itself."""
        try:
            region.client.update_item(
                TableName=self._health_table,
                Key=WRITE_KEY,
                UpdateExpression="SET tried = :now",
                ConditionExpression="attribute_exists(pk) AND attribute_not_exists(pk)",
                ExpressionAttributeValues={":now": {"N": "0"}},
            )
        except region.client.exceptions.ConditionalCheckFailedException:
            return


def _view(
    source: Source | Sequence[Source] | DocumentView,
    interval: float,
    max_staleness: float,
    allow: Allow | None,
) -> DocumentView:
    """The view that was given, or one of these sources. Raises ValueError."""
    if isinstance(source, DocumentView):
        if allow is not None:
            raise ValueError("give allow_endpoint to the DocumentView: it reads the document")
        return source
    return DocumentView(
        tuple(source) if isinstance(source, Sequence) else (source,),
        interval=interval,
        max_staleness=max_staleness,
        allow_endpoint=allow or never,
    )


def _homes(
    home: str | HomeOf | None,
    process_home: str | None,
    keys: Mapping[str, Sequence[str]] | None,
    mode: ServiceMode,
    consistency: Consistency,
) -> Homes | None:
    """Where keys are at home; None if the process's home is that of all. Raises ValueError."""
    if not callable(home):
        if process_home is not None or keys:
            raise ValueError(
                "process_home and keys belong to a home that is a function of the key. Write"
                " home='us-east-1' for the region that this process runs in, and nothing else"
            )
        return None
    if mode is ServiceMode.ACTIVE_PASSIVE:
        raise ValueError(
            "home is a function of the key, and mode is active-passive, where the primary takes all"
            " writes: the function would have nothing to say. Write home='us-east-1' for the region"
            " that this process runs in, or mode='active-active' if every region takes writes"
        )
    return Homes(home, keys or {}, consistent=consistency is Consistency.MREC)


def _hedges(share: float) -> Hedges | None:
    """When a second region is asked; None: never. Raises ValueError."""
    if isinstance(share, bool) or not 0 <= share <= 1:
        raise ValueError(
            f"hedge is {share!r}. It is the share of reads that may be sent twice, from 0 (none)"
            " to 1: write hedge=0.05 for one in twenty"
        )
    return Hedges(share) if share else None


def _session(credentials: OffPath | None) -> Session:
    from orchestrator import aws_identity  # boto3 comes with the first client, not before

    return aws_identity.session(credentials)
