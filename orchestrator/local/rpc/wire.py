"""The wire form of the Compute Engine API: JSON values, resource paths and errors.

It says how things look on the wire and nothing about what they mean: no rule, no state, no I/O.
"""

from __future__ import annotations

import json
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
JsonObject: TypeAlias = dict[str, Json]

API_ROOT = "https://www.googleapis.com/compute/v1/"


class ApiError(Exception):
    """An answer that is not a success, in the form in which Google sends it.

    `code` is the HTTP status, `reason` Google's word for it (`notFound`, `conditionNotMet`, ...).
    """

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message

    def body(self) -> JsonObject:
        """The JSON of the answer."""
        error: JsonObject = {"domain": "global", "reason": self.reason, "message": self.message}
        return {"error": {"code": self.code, "message": self.message, "errors": [error]}}


def not_found(path: str) -> ApiError:
    """The error for a resource that does not exist; `path` begins with `projects/`."""
    return ApiError(404, "notFound", f"The resource '{path}' was not found")


def invalid(field: str, value: Json, why: str) -> ApiError:
    """The error for a field of the request (`resource.backends[0].group`) that breaks a rule."""
    shown = value if isinstance(value, str) else json.dumps(value)
    return ApiError(400, "invalid", f"Invalid value for field '{field}': '{shown}'. {why}")


def resource_path(url: str) -> str:
    """What two URLs of one resource have in common: everything from `projects/` on.

    Raises ValueError for a URL that names no project.
    """
    start = url.find("projects/")
    if start < 0:
        raise ValueError(f"not the URL of a resource: {url!r}")
    return url[start:]


def parse_object(text: str | bytes) -> JsonObject:
    """The JSON object in `text`. Raises ApiError (400) where it is something else, or holds NaN."""
    try:
        value: Json = json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        raise ApiError(400, "invalid", f"Invalid JSON payload received: {error}") from error
    if not isinstance(value, dict):
        raise ApiError(400, "invalid", "Invalid JSON payload received: not an object")
    return value


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")
