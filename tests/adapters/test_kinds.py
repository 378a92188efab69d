"""Foreign errors have a kind: by their class and status, never by what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from google.api_core import exceptions as google
from google.auth import exceptions as auth

from orchestrator.adapters.gcp.error_kinds import kind_of, kind_of_status
from orchestrator.adapters.gcp.traffic import _operation_error, _refused, _translated
from orchestrator.core.exceptions import Cloud, Kind

KINDS: list[tuple[Callable[[str], Exception], Kind]] = [
    (google.Forbidden, Kind.PERMISSION),
    (google.PermissionDenied, Kind.PERMISSION),
    (google.Unauthorized, Kind.CREDENTIALS),
    (google.NotFound, Kind.MISSING),
    (google.TooManyRequests, Kind.BUSY),
    (google.ResourceExhausted, Kind.BUSY),
    (google.ServiceUnavailable, Kind.SERVER_ERROR),
    (google.InternalServerError, Kind.SERVER_ERROR),
    (google.DeadlineExceeded, Kind.UNREACHABLE),
    (google.BadRequest, Kind.REQUEST),
    (auth.RefreshError, Kind.CREDENTIALS),
    (auth.DefaultCredentialsError, Kind.CREDENTIALS),
    (auth.TransportError, Kind.UNREACHABLE),
    (requests.ConnectionError, Kind.UNREACHABLE),
    (requests.ReadTimeout, Kind.UNREACHABLE),
    (TimeoutError, Kind.UNREACHABLE),
    (ConnectionRefusedError, Kind.UNREACHABLE),
    (ValueError, Kind.UNKNOWN),
]


@pytest.mark.parametrize(("make", "kind"), KINDS)
def test_a_kind_follows_from_the_class(make: Callable[[str], Exception], kind: Kind) -> None:
    assert kind_of(make("403 Forbidden, IAM, is corrupt: a text that says something else")) is kind


def test_a_kind_follows_from_the_status() -> None:
    found = [kind_of_status(status) for status in (400, 401, 403, 404, 408, 429, 500, 503)]
    assert found == [
        Kind.REQUEST,
        Kind.CREDENTIALS,
        Kind.PERMISSION,
        Kind.MISSING,
        Kind.UNREACHABLE,
        Kind.BUSY,
        Kind.SERVER_ERROR,
        Kind.SERVER_ERROR,
    ]


def answered(status: int, reason: str) -> requests.Response:
    """An answer of the Compute API that refuses."""
    found = requests.Response()
    found.status_code = status
    body = f'{{"error": {{"message": "m", "errors": [{{"reason": "{reason}"}}]}}}}'
    found._content = body.encode()
    return found


@pytest.mark.parametrize(
    ("status", "reason", "kind", "page"),
    [
        (403, "rateLimitExceeded", Kind.BUSY, False),
        (403, "quotaExceeded", Kind.BUSY, False),
        (403, "forbidden", Kind.PERMISSION, True),
        (404, "notFound", Kind.MISSING, True),
        (401, "authError", Kind.CREDENTIALS, True),
        (503, "backendError", Kind.SERVER_ERROR, False),
    ],
)
def test_a_limit_of_the_compute_api_is_no_missing_permission(
    status: int, reason: str, kind: Kind, page: bool
) -> None:
    found = _refused(answered(status, reason), "GET x")
    assert (found.kind, found.cloud, found.page) == (kind, Cloud.COMPUTE, page)


def test_what_was_not_answered_at_all_and_a_failed_operation_have_a_kind_too() -> None:
    assert _translated(requests.ConnectTimeout("x"), "GET").kind is Kind.UNREACHABLE
    operation: dict[str, Any] = {"error": {}, "httpErrorStatusCode": 403}
    assert _operation_error("op", operation).kind is Kind.PERMISSION
