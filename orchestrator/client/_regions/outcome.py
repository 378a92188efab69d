"""What an exception of boto3 says: did the region answer, and may the request have been executed?

PURE, except the classes that it knows. Everything is unknown that is not certain.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004  # botocore's own, which is not the built-in one
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

Failure = ClientError | HTTPClientError | ConnectionError | ResponseParserError
"""What one attempt may raise that says something of the region."""

FAILURES = (ClientError, HTTPClientError, ConnectionError, ResponseParserError)


class Outslept(EndpointConnectionError):
    """The process was frozen between the decision where to send a request and its first byte."""


NOT_SENT = (EndpointConnectionError, ConnectTimeoutError)
"""No connection came about: refused, unreachable, no name, no answer to the connect.

Not so `ProxyConnectionError`: urllib3 raises the same when a proxy was reached, the request was
sent through it, and the connection ended before the answer.
"""

THROTTLING = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "TooManyRequestsException",
        "LimitExceededException",
        "SlowDown",
    }
)
"""What DynamoDB answers instead of service (botocore's own list, as far as DynamoDB uses it)."""

OF_A_TABLE = frozenset({"ProvisionedThroughputExceededException", "ProvisionedThroughputExceeded"})
"""Those that name a table or a key also where they carry no reason."""

TABLES_OWN = (
    "KeyRangeThroughputExceeded",
    "ProvisionedThroughputExceeded",
    "MaxOnDemandThroughputExceeded",
)
"""How the reasons end that are a key's or a table's limit, as in `TableWriteKeyRange...`. The
fourth, `AccountLimitExceeded`, is the account's in the region. (DynamoDB's API reference,
ThrottlingReason, 2026-11.)"""

CONFLICTS = frozenset({"ReplicatedWriteConflictException", "TransactionInProgressException"})
"""Answers that pass by themselves in a moment; nothing was written."""

OWN = frozenset(
    {
        "ConditionalCheckFailedException",
        "DuplicateItemException",
        "IdempotentParameterMismatchException",
        "ItemCollectionSizeLimitExceededException",
        "SerializationException",
        "TransactionCanceledException",
        "TransactionConflictException",
        "ValidationException",
    }
)
"""Answers about the request itself: any other region would give the same. After every other answer
(the table is not known here, a signature is not taken, a code that nobody has heard of) another
region may still answer a read."""

SERVER_ERROR = 500


class FailureKind(Enum):
    """What came of one attempt that raised.

    ANSWERED: the region answered, and its answer is the caller's. DENIED: so it is, but another
    region may answer a read. THROTTLED, CROWDED, BUSY: nothing was done, try again in a moment.
    THROTTLED is the region's trouble. CROWDED is a table's or a key's, whatever the region is like.
    NOT_SENT: nothing was done, and the region cannot be reached. UNKNOWN: the region failed, and a
    write may have been done.
    """

    ANSWERED = auto()
    DENIED = auto()
    THROTTLED = auto()
    CROWDED = auto()
    BUSY = auto()
    NOT_SENT = auto()
    UNKNOWN = auto()


def kind(error: Failure) -> FailureKind:
    """What this exception says."""
    if isinstance(error, NOT_SENT):
        return FailureKind.NOT_SENT
    if not isinstance(error, ClientError):
        return FailureKind.UNKNOWN
    code = error.response.get("Error", {}).get("Code", "")
    if code in THROTTLING:
        return FailureKind.CROWDED if _is_a_tables_own(error, code) else FailureKind.THROTTLED
    if code in CONFLICTS:
        return FailureKind.BUSY
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= SERVER_ERROR:
        return FailureKind.UNKNOWN
    return FailureKind.ANSWERED if code in OWN else FailureKind.DENIED


def _is_a_tables_own(error: ClientError, code: str) -> bool:
    """Whether a table or a key is over its limit, and nothing else."""
    reasons = throttling_reasons(error)
    return all(one.endswith(TABLES_OWN) for one in reasons) if reasons else code in OF_A_TABLE


def throttling_reasons(error: ClientError) -> tuple[str, ...]:
    """Why the request was throttled, in DynamoDB's words; empty where it does not say."""
    answer: Mapping[str, Any] = error.response
    told = answer.get("ThrottlingReasons") or answer.get("throttlingReasons") or ()
    return tuple(str(one["reason"]) for one in told if one.get("reason"))


def words(error: Failure) -> str:
    """The exception in a few words, for a list of what was tried."""
    match error:
        case ClientError():
            answer = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
            reasons = "".join(f" ({one})" for one in throttling_reasons(error))
            return f"{answer.get('Code', 'error')} {status}".strip() + reasons
        case ConnectTimeoutError():
            return "no connection in time"
        case EndpointConnectionError():
            return "no connection"
        case ReadTimeoutError():
            return "no answer in time"
        case _:
            return type(error).__name__
