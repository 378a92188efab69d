"""The items of our own in one region's table: the item of the health check, and the heartbeats.

Kept apart from the application's own client on purpose: this one has timeouts of a health check and
a connection pool that no load of the application can use up, and it never leaves its region.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from orchestrator.client._process.patched import must_be_early
from orchestrator.client._regions.regions import share_time, whole
from orchestrator.client.document import RegionEntry
from orchestrator.client.health._beat import Beat, PeerSight

if TYPE_CHECKING:
    from boto3 import Session
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, UniversalAttributeValueTypeDef

CONNECT_TIMEOUT = 0.5
"""Seconds for a connection to the region next door; a longer one is no healthy one."""

TIMEOUT = 1.0
"""Seconds for an answer: the default bound of a health check."""

_FIELDS = ("at", "every", "seen", "n")
_POOL = 4
_THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)

Item = Mapping[str, object]


class ItemsThrottled(Exception):
    """DynamoDB answered, and would not read now: too much is asked of the table."""


class OwnItems(Protocol):
    """The items of our own in the table of one region. Whatever else is raised is no answer."""

    def read(self, *keys: str, consistent: bool = False) -> Mapping[str, Item]:
        """Those that exist, by key, in one request. Raises ItemsThrottled."""

    def beat(self, key: str, beat: Beat, *, after: float, over: int | None = None) -> bool:
        """Write the heartbeat unless one newer than `after` is there; whether it was written.

        after: seconds since 1970. over: the number of the one that is written over whatever its
        time. The numbers count what was written; that of `beat` is not looked at.
        """


def now() -> float:
    """Seconds since 1970: heartbeats compare the clocks of regions, which monotonic ones cannot."""
    return time.time()  # noqa: TID251  # applications have no other clock, and nothing decides by it


class RegionItems:
    """Implements `OwnItems` by boto3.

    table: its name. region: AWS's name of the region. endpoint_url: where it is not AWS's own.
    session: with the credentials; None makes one from the environment. timeout: seconds for one
    answer. Reading costs half a read unit per key. Thread-safe; goes on after a fork.
    """

    def __init__(
        self,
        table: str,
        region: str,
        *,
        endpoint_url: str | None = None,
        session: Session | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._table = table
        self._region = region
        self._endpoint_url = endpoint_url
        self._session = session
        self._timeout = timeout
        self._made: tuple[int, DynamoDBClient] | None = None
        self._client()  # takes a quarter of a second of computing, which no request should wait for

    def read(self, *keys: str, consistent: bool = False) -> Mapping[str, Item]:
        """Those that exist, by key, in one request.

        Raises ItemsThrottled, TimeoutError, and what else botocore raises.
        """
        with _translated():
            if len(keys) == 1:
                return self._read_one(keys[0], consistent=consistent)
            answer = self._client().batch_get_item(
                RequestItems={
                    self._table: {
                        "Keys": [{"pk": {"S": key}} for key in dict.fromkeys(keys)],
                        "ConsistentRead": consistent,
                    }
                }
            )
        if answer.get("UnprocessedKeys"):
            raise ItemsThrottled("a part of the items was not read")
        items = [_item(item) for item in answer["Responses"].get(self._table, [])]
        return {str(item["pk"]): item for item in items}

    def _read_one(self, key: str, *, consistent: bool) -> Mapping[str, Item]:
        # A role that may only keep heartbeats may read items, and not batches of them.
        answer = self._client().get_item(
            TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=consistent
        )
        item = answer.get("Item")
        return {key: _item(item)} if item else {}

    def beat(self, key: str, beat: Beat, *, after: float, over: int | None = None) -> bool:
        """Write the heartbeat unless one newer than `after` is there; whether it was written.

        Raises as `read` does.
        """
        client = self._client()
        try:
            with _translated():
                client.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": key}},
                    UpdateExpression="SET #at = :at, #every = :every, #seen = :seen ADD #n :one",
                    ConditionExpression="attribute_not_exists(#at) OR #at <= :after OR #n = :over",
                    ExpressionAttributeNames={f"#{name}": name for name in _FIELDS},
                    ExpressionAttributeValues={
                        ":at": _number(beat.at),
                        ":every": _number(beat.every),
                        ":seen": {"M": {name: _sight(one) for name, one in beat.seen.items()}},
                        ":one": {"N": "1"},
                        ":after": _number(after),
                        ":over": {"N": str(-1 if over is None else over)},  # none has number -1
                    },
                )
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _client(self) -> DynamoDBClient:
        """The client of this process: connections are not shared with the one we were forked of."""
        must_be_early()
        made = self._made
        if made is None or made[0] != os.getpid():
            made = self._made = (os.getpid(), self._make())
        return made[1]

    def _make(self) -> DynamoDBClient:
        import boto3
        from botocore.config import Config

        self._session = self._session or boto3.Session()
        client = self._session.client(
            "dynamodb",
            region_name=self._region,
            endpoint_url=self._endpoint_url,
            config=Config(
                connect_timeout=min(CONNECT_TIMEOUT, self._timeout),
                read_timeout=self._timeout,
                retries={"total_max_attempts": 1, "mode": "standard"},
                max_pool_connections=_POOL,
                tcp_keepalive=True,
            ),
        )
        client.meta.events.register("before-parse.dynamodb", whole)
        share_time(client)
        return client


def items_of(table: str, entry: RegionEntry, session: Session | None = None) -> RegionItems:
    """The items of our own in the region that the document names so."""
    return RegionItems(table, entry.aws_region, endpoint_url=entry.endpoint_url, session=session)


@contextmanager
def _translated() -> Iterator[None]:
    """botocore's errors in our words, as far as there are words for them."""
    from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

    try:
        yield
    except (ConnectTimeoutError, ReadTimeoutError) as error:
        raise TimeoutError(str(error)) from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _THROTTLED:
            raise ItemsThrottled(code) from error
        raise


def _item(item: Mapping[str, AttributeValueTypeDef]) -> Item:
    return {name: _value(value) for name, value in item.items()}


def _value(value: Mapping[str, object]) -> object:
    """The Python value of what our items hold: texts, numbers and maps; None for anything else."""
    match value:
        case {"S": str(text)}:
            return text
        case {"N": str(number)}:
            return float(number)
        case {"M": dict(fields)}:
            return {name: _value(field) for name, field in fields.items()}
        case _:
            return None


def _sight(sight: PeerSight) -> UniversalAttributeValueTypeDef:
    fields = {"at": sight.at, "there": sight.there, "asked": sight.asked}
    return {"M": {name: _number(value) for name, value in fields.items()}}


def _number(value: float) -> UniversalAttributeValueTypeDef:
    """To the millisecond, so that what is read compares equal to what was written."""
    return {"N": f"{value:.3f}"}
