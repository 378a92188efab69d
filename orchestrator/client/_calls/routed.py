"""A real boto3, routed: botocore's own events put the regions behind an ordinary client.

What an application holds is boto3's own resource or client: its types, exceptions, paginators and
waiters, and whatever other libraries expect of one. It validates and serializes a call as always.
Then, in the place of the request, a handler of `before-call` takes the call to a region, as `calls`
decides, and hands back the answer as that region's client has parsed it. botocore goes on as if it
had sent it: it makes Python types of it, or raises its own exceptions.

    before-parameter-build   the arguments in DynamoDB's own form are remembered
    before-call              the serialized request is sent to a region by that region's client

The region's client signs with its own credentials and sends to its own endpoint. It is asked to
send what was serialized already (`_make_request`, the one thing here that botocore keeps for
itself): to let it serialize again would cost a fifth of a call. It is there since botocore 1.12.68,
and a botocore without it is refused before anything is routed.
"""

from __future__ import annotations

import inspect
import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from botocore import __version__ as botocore_version
from botocore import xform_name
from botocore.exceptions import ClientError

from orchestrator.client._calls.call import Ask, Options
from orchestrator.client._calls.calls import WORTH_IT, WRITES, Calls
from orchestrator.client._calls.key_names import key_names
from orchestrator.client._calls.typed import typed_as
from orchestrator.client._keys.batches import in_parts, merged
from orchestrator.client._keys.home import STATEMENTS, HomePart, Homes, chosen
from orchestrator.client._keys.repeats import all_repeatable, repeatable
from orchestrator.client._process.fork import in_child
from orchestrator.client._process.patched import must_be_early
from orchestrator.client.errors import NoHealthyRegion, Outcome, UnfitBotocore
from orchestrator.core.outside.endpoints import is_aws_region

if TYPE_CHECKING:
    import boto3
    from botocore.client import BaseClient
    from botocore.model import OperationModel

    from orchestrator.client._regions.regions import RoutedRegion

NOWHERE = "https://dynamodb.routed.invalid"
"""The endpoint of what is handed out. RFC 6761: no name ends so."""

_ARGUMENTS = "failover-arguments"
"""Where a call's context keeps its arguments between the two events."""

_SERVER_SAID_NO = 300

_MAKE_REQUEST = ("operation_model", "request_dict", "request_context")
"""The parameters of botocore's `_make_request`, from 1.12.68 up to the versions of today."""

OLDEST = (1, 40)
"""The oldest botocore: the lower bound of the extra `dynamodb`, with which the tests are run."""

READS = frozenset({"get_item", "query", "scan", "batch_get_item", "transact_get_items"})

Arguments = Mapping[str, Any]
RawAnswer = tuple[Any, dict[str, Any]]
"""What botocore's client makes of a request: the HTTP answer, and what was parsed of it."""


class PageKey(dict[str, Any]):
    """A `LastEvaluatedKey` that remembers the region whose page it ended.

    Handed back as `ExclusiveStartKey` it continues there, as long as that region is available. A
    copy of it (through JSON, say) is a plain key and continues where reads go then; another region
    may be a moment behind or ahead.
    """

    __slots__ = ("region",)

    def __init__(self, key: Mapping[str, Any], region: str) -> None:
        super().__init__(key)
        self.region = region


class Answered(ClientError):
    """A region's answer that is an error: what botocore makes its own exception of."""

    def __init__(self, http: Any, parsed: Any, operation: str) -> None:  # as botocore has them
        super().__init__(parsed, operation)
        self.http = http


class Router:
    """Takes the calls of one client to the regions. options: of every call of it.

    homes: where each key is at home; None: the process's home is that of all.
    """

    def __init__(self, calls: Calls, options: Options, homes: Homes | None = None) -> None:
        self._calls = calls
        self._options = options
        self._homes = homes

    def keep(self, params: Arguments, context: dict[str, Any], **_: object) -> None:
        """Remember the arguments of this call, in DynamoDB's own form."""
        context[_ARGUMENTS] = params

    def answer(
        self, model: OperationModel, params: Arguments, context: dict[str, Any], **_: object
    ) -> RawAnswer:
        """The answer of a region, in place of the request that botocore would send.

        Raises what `take` raises, except an error that a region answered: that is an answer.
        Raises PatchedLate, and sends nothing.
        """
        must_be_early()
        given = context.pop(_ARGUMENTS, {})
        operation = xform_name(model.name)

        def ask_for(part: HomePart) -> Ask:
            serialized = _narrowed(params, part) if part.places else params
            return lambda region: send(region, model, serialized)

        try:
            answers = self.take(operation, given, ask_for)
        except Answered as error:
            return error.http, error.response  # type: ignore[return-value]  # as it was parsed
        (http, parsed), region = answers[-1]
        if len(answers) > 1:
            return http, merged([one for (_, one), _ in answers])
        if key := parsed.get("LastEvaluatedKey"):
            parsed["LastEvaluatedKey"] = PageKey(key, region)
        return http, parsed

    def take(
        self, operation: str, given: Arguments, ask_for: Callable[[HomePart], Ask]
    ) -> list[tuple[Any, str]]:
        """Take one call to a region: its answer, and which it was. Of a batch whose keys have
        several homes, those of each part.

        given: the arguments. ask_for: makes an attempt at a part. Raises what `Calls` raises, and
        HomeError.
        """
        if self._homes is None or not self._has_homes(self._homes, operation, given):
            whole = HomePart(given)
            return [self._take(operation, whole, self._options, ask_for(whole))]
        until = self._calls.clock.monotonic() + self._options.deadline

        def one(part: HomePart) -> tuple[Any, str]:
            left = until - self._calls.clock.monotonic()
            if left < WORTH_IT:
                known = Outcome.NOT_SENT if operation in WRITES else None
                where = part.home or "any region"
                raise NoHealthyRegion(operation, [(where, "no time is left to ask it")], known)
            own = replace(self._options, deadline=left)
            return self._take(operation, part, own, ask_for(part))

        describe = partial(key_names, self._calls, self._options, operation)
        parts = self._homes.parts(operation, given, describe)
        if len(parts) == 1:
            return [one(parts[0])]
        for part in parts:
            self._calls.must_know(operation, part.home, self._options.deadline)
        return in_parts(operation, parts, one, writes=operation in WRITES)

    def _take(self, operation: str, part: HomePart, options: Options, ask: Ask) -> tuple[Any, str]:
        given, home = part.given, part.home
        if operation in WRITES:
            safe = _safe(operation, given)
            return self._calls.write(operation, given, options, repeatable=safe, ask=ask, home=home)
        if not self._reads(operation, given):
            return self._calls.write(operation, given, options, ask=ask)
        start = given.get("ExclusiveStartKey")
        pinned = start.region if isinstance(start, PageKey) else None
        consistent = _is_consistent(operation, given)
        return self._calls.read(
            operation, given, options, consistent=consistent, pinned=pinned, ask=ask, home=home
        )

    def _has_homes(self, homes: Homes, operation: str, given: Arguments) -> bool:
        """Whether it goes where its keys are at home."""
        if operation not in READS | WRITES | STATEMENTS:
            return False
        if not self._reads(operation, given):
            return True
        return homes.consistent and _asks_for_consistency(operation, given)

    @staticmethod
    def _reads(operation: str, given: Arguments) -> bool:
        """Whether it changes nothing. What is not of items belongs to the region of the writes."""
        if operation in STATEMENTS:
            return all(_selects(one) for one in _statements(given))
        return operation in READS or operation.startswith(("describe_", "list_"))


class _Making:
    """The lock under which clients are made: boto3's Session is not made for threads."""

    lock = threading.Lock()

    @classmethod
    def after_fork(cls) -> None:
        """In a child process the lock may be held by nobody."""
        cls.lock = threading.Lock()


os.register_at_fork(after_in_child=_Making.after_fork)


@cache
def _session() -> boto3.Session:
    """One for all that is handed out: clients of one session raise the same exceptions.

    So `except db.client.exceptions.ConditionalCheckFailedException` catches what a Table raises.
    """
    import boto3  # with the first call, not before

    return boto3.Session()


class Handed:
    """boto3's own resource and client, routed. Made when they are first asked for.

    region: the AWS region that they name as their own; None: any. They send nothing there.
    """

    def __init__(self, router: Router, region: str | None) -> None:
        self._router = router
        self._region = region if region and is_aws_region(region) else "us-east-1"
        self._lock = threading.Lock()
        self._resource: Any = None
        self._client: Any = None
        in_child(self, Handed._after_fork)

    @property
    @typed_as(lambda: boto3.resource("dynamodb"))
    def resource(self) -> Any:
        """boto3's own DynamoDB resource."""
        with self._lock:
            if self._resource is None:
                self._resource = self._made("resource")
            return self._resource

    @property
    @typed_as(lambda: boto3.client("dynamodb"))
    def client(self) -> Any:
        """boto3's own low-level client."""
        with self._lock:
            if self._client is None:
                self._client = self._made("client")
            return self._client

    @typed_as(lambda: boto3.resource("dynamodb").Table(""))
    def Table(self, name: str) -> Any:  # noqa: N802  # boto3's word
        """boto3's own Table of this name."""
        return self.resource.Table(name)

    def _made(self, kind: str) -> Any:
        """One of the two. Its endpoint and keys are none: whatever is not routed goes nowhere.

        The region's client says who asks. botocore would make that text here as well, for nothing,
        at a twentieth of a call.
        """
        from botocore.config import Config  # boto3 is imported with the first client

        must_be_early()
        with _Making.lock:
            made = getattr(_session(), kind)(
                "dynamodb",
                region_name=self._region,
                endpoint_url=NOWHERE,
                aws_access_key_id="routed",
                aws_secret_access_key="routed",  # noqa: S106  # no key
                config=Config(user_agent="routed"),
            )
        route(made.meta.client if kind == "resource" else made, self._router)
        return made

    def _after_fork(self) -> None:
        self._lock = threading.Lock()


def route(client: BaseClient, router: Router) -> None:
    """Have this client's calls taken to the regions from now on.

    Raises UnfitBotocore, and routes nothing, with a botocore that `must_fit` refuses.
    """
    must_fit(client)
    events: Any = client.meta.events
    name = client.meta.service_model.service_id.hyphenize()
    for event, handler in (("before-parameter-build", router.keep), ("before-call", router.answer)):
        known = f"failover-{event}"
        events.unregister(f"{event}.{name}", unique_id=known)
        events.register_last(f"{event}.{name}", handler, unique_id=known)


def must_fit(client: BaseClient, version: str = botocore_version) -> None:
    """Raises UnfitBotocore unless this botocore has what is needed here. version: botocore's."""
    found = getattr(client, "_make_request", None)
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        lacks = (
            f"is older than {OLDEST[0]}.{OLDEST[1]}, and may take an answer that is cut off for a"
            " whole one (an item that is there would be missing)"
        )
    elif not callable(found) or tuple(inspect.signature(found).parameters) != _MAKE_REQUEST:
        lacks = (
            f"has no BaseClient._make_request({', '.join(_MAKE_REQUEST)}), by which requests are"
            " sent to a region"
        )
    else:
        return
    raise UnfitBotocore(
        f"botocore {version} {lacks}. Nothing was routed and nothing was sent. Install a boto3 that"
        " this client works with, then start the application again: pip install"
        f" 'boto3>={OLDEST[0]}.{OLDEST[1]},<2'. If it is the newest already, install the one before"
    )


def send(region: RoutedRegion, model: OperationModel, serialized: Arguments) -> RawAnswer:
    """Have the region's client sign and send this request. Raises Answered for an error."""
    context = {k: v for k, v in serialized["context"].items() if k not in {"signing", _ARGUMENTS}}
    request = {
        **serialized,
        "url": f"{region.client.meta.endpoint_url.rstrip('/')}/",
        "headers": {**serialized["headers"]},
        "context": context,
    }
    http, parsed = region.client._make_request(model, request, context)  # noqa: SLF001  # see above
    parsed.get("ResponseMetadata", {}).pop("MaxAttemptsReached", None)  # attempts are ours
    if http.status_code >= _SERVER_SAID_NO:
        raise Answered(http, parsed, model.name)
    return http, parsed


def _safe(operation: str, given: Arguments) -> bool:
    if operation == "transact_write_items":
        return all_repeatable(given)
    kind = operation.removesuffix("_item").capitalize()
    return operation != "batch_write_item" and repeatable(kind, given)


def _is_consistent(operation: str, given: Arguments) -> bool:
    if operation == "batch_get_item":
        tables = given.get("RequestItems", {}).values()
        return any(one.get("ConsistentRead") for one in tables)
    if operation in {"get_item", "query", "scan", "execute_statement"}:
        return bool(given.get("ConsistentRead"))
    return True  # transactions, and what is not of items


def _asks_for_consistency(operation: str, given: Arguments) -> bool:
    """As `_is_consistent`, but of statements only if they say so or are a transaction."""
    if operation == "batch_execute_statement":
        return any(one.get("ConsistentRead") for one in given.get("Statements") or ())
    return _is_consistent(operation, given)


def _narrowed(serialized: Arguments, part: HomePart) -> dict[str, Any]:
    """The serialized batch with the requests of this part alone."""
    body = json.loads(serialized["body"])
    body["RequestItems"] = chosen(body["RequestItems"], part.places)
    return {**serialized, "body": json.dumps(body).encode()}


def _statements(given: Arguments) -> list[str]:
    many = given.get("Statements") or given.get("TransactStatements") or ()
    return [str(one.get("Statement")) for one in (*many, *([given] if not many else []))]


def _selects(statement: str) -> bool:
    """Whether a PartiQL statement only reads. `EXISTS` stands in transactions of writes too."""
    return statement.lstrip().upper().startswith("SELECT")
