"""Fakes for the client: a source that is set by hand, and DynamoDB in regions that can break."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from orchestrator.client._calls.call import TOKEN, Ask, Options
from orchestrator.client._calls.calls import Calls
from orchestrator.client._calls.routed import PageKey, Router
from orchestrator.client._keys.batches import merged
from orchestrator.client._keys.home import Homes
from orchestrator.client.document import DocumentView, Fetched
from orchestrator.client.errors import SourceUnavailable
from orchestrator.local.dynamodb.database import Database

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
EAST, WEST, EUROPE = REGIONS


def document(
    revision: int = 1,
    primary: str = EAST,
    *,
    down: Iterable[str] = (),
    fenced: dict[str, datetime] | None = None,
    endpoints: dict[str, str] | None = None,
    epoch: int = 1,
    evacuated: Iterable[str] = (),
) -> bytes:
    """A document with what applications depend on."""
    regions = {
        name: {
            "endpoint": (endpoints or {}).get(name, f"dynamodb.{name}.amazonaws.com"),
            "healthy": name not in set(down),
            "fenced_until": at.isoformat() if (at := (fenced or {}).get(name)) else None,
        }
        for name in endpoints or REGIONS
    }
    content: dict[str, Any] = {"revision": revision, "epoch": epoch, "primary": primary}
    content |= {"regions": regions, "evacuated": list(evacuated)}
    return json.dumps(content).encode()


class HeldSource:
    """A source whose document is set by hand, and that can fail or hang."""

    def __init__(self, body: bytes | None = None) -> None:
        self.name = "held"
        self.body = body
        self.trouble: Exception | None = None
        self.asked = 0
        self.bodies = 0
        self.going_on = threading.Event()
        self.going_on.set()

    def fetch(self, known: str | None) -> Fetched | None:
        """What is held, by its hash as the mark."""
        self.asked += 1
        self.going_on.wait()
        if self.trouble:
            raise self.trouble
        if self.body is None:
            raise SourceUnavailable("there is no document")
        mark = str(hash(self.body))
        if mark == known:
            return None
        self.bodies += 1
        return Fetched(self.body, mark)


PATIENCE = 30.0
"""Seconds after which a test takes what it waits for to hang. No test proves anything by it."""


class FakeTime:
    """Seconds that pass where somebody rests, and where a test lets them pass."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        """The time now."""
        return self.at

    def rest(self, seconds: float) -> None:
        """So much time passes, at once."""
        self.at += seconds


class PromptView(DocumentView):
    """A view whose looks come in time on a slow machine too, unless its source hangs."""

    def __init__(self, source: HeldSource, time: FakeTime, **settings: Any) -> None:  # any setting
        super().__init__([source], monotonic=time.monotonic, **settings)
        self._source = source

    def refresh(self, wait: float) -> bool:
        """As the view does it. A look that will end is waited for."""
        return super().refresh(PATIENCE if self._source.going_on.is_set() else wait)


def answer(code: str, status: int, *reasons: str) -> ClientError:
    """DynamoDB's answer with this code. reasons: why it throttled."""
    told: Any = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    if reasons:
        told["ThrottlingReasons"] = [{"reason": one, "resource": "arn:orders"} for one in reasons]
    return ClientError(told, "Operation")


def refused() -> Exception:
    """No connection came about."""
    return EndpointConnectionError(endpoint_url="http://region")


def timed_out() -> Exception:
    """The request was sent and not answered in time."""
    return ReadTimeoutError(endpoint_url="http://region", error="timed out")


class FakeDynamo:
    """One region's client. `fails`: what the next calls raise, one each; `always`: every call.

    `when`: what a call with these arguments raises, if anything.
    """

    def __init__(self, region: str) -> None:
        self.region = region
        self.fails: list[Exception] = []
        self.always: Exception | None = None
        self.when: Callable[[str, dict[str, Any]], Exception | None] = lambda *_: None
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.before: Callable[[], None] | None = None
        self.pages = 3
        self.unprocessed = False
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_: None))

    def _do(self, operation: str, **kwargs: Any) -> Any:
        self.calls.append((operation, kwargs))
        if self.before:
            self.before()
        if self.fails:
            raise self.fails.pop(0)
        if raised := self.when(operation, kwargs):
            raise raised
        if self.always:
            raise self.always
        if operation in ("query", "scan"):
            page = int(kwargs.get("ExclusiveStartKey", {}).get("page", 0))
            following = {"LastEvaluatedKey": {"page": page + 1}} if page + 1 < self.pages else {}
            return {"Items": [{"region": self.region, "page": page}], **following}
        if operation == "batch_write_item" and self.unprocessed:
            return {"UnprocessedItems": kwargs["RequestItems"]}
        return {"region": self.region}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda **kwargs: self._do(name, **kwargs)

    @property
    def asked(self) -> list[str]:
        """The names of the operations so far."""
        return [name for name, _ in self.calls]


class FakeSession:
    """Stands in for boto3's Session: `client(...)` is a region's FakeDynamo."""

    def __init__(self) -> None:
        self.dynamo = {name: FakeDynamo(name) for name in (*REGIONS, "ap-south-1")}

    def client(self, _service: str, *, region_name: str, **_: object) -> Any:
        """As far as the client uses it."""
        return self.dynamo[region_name]


def by_name(operation: str, given: Mapping[str, Any]) -> Ask:
    """One attempt by the method of this name of a region's client."""
    return lambda region: getattr(region.client, operation)(**given)


class Direct:
    """The routed operations as methods, without boto3 around them: what `Router` makes of each.

    table: given with each call, where it is that of one table. homes: where keys are at home.
    """

    def __init__(
        self, calls: Calls, options: Options, table: str = "", homes: Homes | None = None
    ) -> None:
        self._calls, self._options, self._name, self._homes = calls, options, table, homes
        self._router = Router(calls, options, homes)
        self._table = {"TableName": table} if table else {}

    def options(self, **changed: Any) -> Direct:  # any option
        """The same with other options."""
        return Direct(self._calls, replace(self._options, **changed), self._name, self._homes)

    def __getattr__(self, operation: str) -> Any:
        def call(**given: Any) -> Any:
            whole = {**self._table, **given}
            if operation == "transact_write_items":  # as botocore's handler of arguments does
                whole = {TOKEN: "made by botocore", **whole}
            answers = self._router.take(
                operation, whole, lambda part: by_name(operation, part.given)
            )
            answer, region = answers[-1]
            if len(answers) > 1:
                return merged([one for one, _ in answers])
            if key := answer.get("LastEvaluatedKey"):
                answer["LastEvaluatedKey"] = PageKey(key, region)
            return answer

        return call

    def pages(self, operation: str, **given: Any) -> Iterator[Any]:
        """All pages, one after the other."""
        while True:
            answer = getattr(self, operation)(**given)
            yield answer
            if not (key := answer.get("LastEvaluatedKey")):
                return
            given = {**given, "ExclusiveStartKey": key}


@contextmanager
def two_servers(folder: Path) -> Iterator[dict[str, Database]]:
    """DynamoDB (moto's) in the east and the west, without replication: it shows who was asked."""
    with ExitStack() as stack:
        found = {name: Database(name, folder) for name in (EAST, WEST)}
        for one in found.values():
            one.start()
            stack.callback(one.stop)
        yield found


def write_whole(path: Path, body: bytes) -> None:
    """Replace a file by a rename: nobody reads half of it."""
    new = path.with_suffix(".new")
    new.write_bytes(body)
    new.replace(path)
