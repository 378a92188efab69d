"""Kinds of foreign errors: by their class and their status, never by what they say.

Google's libraries name the classes of their errors after the status, for HTTP and gRPC alike.
"""

from __future__ import annotations

from orchestrator.core.exceptions import Kind

_CLASSES = {
    "Forbidden": Kind.PERMISSION,
    "PermissionDenied": Kind.PERMISSION,
    "Unauthorized": Kind.CREDENTIALS,
    "Unauthenticated": Kind.CREDENTIALS,
    "GoogleAuthError": Kind.CREDENTIALS,
    "NotFound": Kind.MISSING,
    "TooManyRequests": Kind.BUSY,
    "ResourceExhausted": Kind.BUSY,
    "BadRequest": Kind.REQUEST,
    "InvalidArgument": Kind.REQUEST,
    "ServerError": Kind.SERVER_ERROR,
    "RetryError": Kind.UNREACHABLE,
    "DeadlineExceeded": Kind.UNREACHABLE,
    "ConnectionError": Kind.UNREACHABLE,
    "Timeout": Kind.UNREACHABLE,
    "TimeoutError": Kind.UNREACHABLE,
    "TransportError": Kind.UNREACHABLE,
    "HTTPError": Kind.UNREACHABLE,
}
"""By the name of a class; the nearest base class that is named here decides."""

_STATUSES = {
    400: Kind.REQUEST,
    401: Kind.CREDENTIALS,
    403: Kind.PERMISSION,
    404: Kind.MISSING,
    408: Kind.UNREACHABLE,
    429: Kind.BUSY,
}

SERVER_ERROR = 500


def kind_of(error: Exception) -> Kind:
    """The kind of an exception of Google's or HTTP's libraries.

    A failed refresh of a token counts as credentials unless its transport failed.
    """
    for base in type(error).__mro__:
        if base.__name__ in _CLASSES:
            return _CLASSES[base.__name__]
    return Kind.UNKNOWN


def kind_of_status(status: int) -> Kind:
    """The kind of an HTTP answer that is not 2xx."""
    if status >= SERVER_ERROR:
        return Kind.SERVER_ERROR
    return _STATUSES.get(status, Kind.REQUEST)
