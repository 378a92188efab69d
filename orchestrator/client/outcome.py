"""What an exception of boto3 says: did the region answer, and may the request have been executed?

PURE but for the classes that it knows. Everything is unknown that is not certain.
"""

from __future__ import annotations

from enum import Enum, auto

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

CONFLICTS = frozenset({"ReplicatedWriteConflictException", "TransactionInProgressException"})
"""Answers that pass by themselves in a moment; nothing was written."""

DENIALS = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "ResourceNotFoundException",
        "UnrecognizedClientException",
    }
)
"""What a region answers that knows this application or its table no more; others may know them."""

SERVER_ERROR = 500


class Kind(Enum):
    """What came of one attempt that raised.

    ANSWERED: the region answered, and its answer is the caller's. DENIED: so it is, but another
    region may answer a read. THROTTLED, BUSY: nothing was
    done, try again in a moment; only the first is a sign of trouble. NOT_SENT: nothing was done and
    the region is not to be had. UNKNOWN: the region failed, and a write may have been done.
    """

    ANSWERED = auto()
    DENIED = auto()
    THROTTLED = auto()
    BUSY = auto()
    NOT_SENT = auto()
    UNKNOWN = auto()


def kind(error: Failure) -> Kind:
    """What this exception says."""
    if isinstance(error, NOT_SENT):
        return Kind.NOT_SENT
    if not isinstance(error, ClientError):
        return Kind.UNKNOWN
    code = error.response.get("Error", {}).get("Code", "")
    if code in THROTTLING:
        return Kind.THROTTLED
    if code in CONFLICTS:
        return Kind.BUSY
    if code in DENIALS:
        return Kind.DENIED
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return Kind.UNKNOWN if status >= SERVER_ERROR else Kind.ANSWERED


def words(error: Failure) -> str:
    """The exception in a few words, for a list of what was tried."""
    match error:
        case ClientError():
            answer = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
            return f"{answer.get('Code', 'error')} {status}".strip()
        case ConnectTimeoutError():
            return "no connection in time"
        case EndpointConnectionError():
            return "no connection"
        case ReadTimeoutError():
            return "no answer in time"
        case _:
            return type(error).__name__
