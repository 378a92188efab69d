"""Lists as the Compute Engine API gives them: of the global collection, or of all scopes.

PURE. A list comes in pages of `maxResults`; `pageToken` asks for the next. Here everything is
global, so a list of all scopes has one scope. A filter is refused, for its language is not spoken
here (gcloud filters by itself).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from orchestrator.local.rpc.wire import API_ROOT, ApiError, Json, JsonObject, invalid

Collection = Literal["backendServices", "operations"]

_KINDS: dict[Collection, str] = {"backendServices": "backendService", "operations": "operation"}
_MOST = 500  # items on a page: the API's own limit, and what it gives when not asked


def page(
    project: str, collection: Collection, items: list[JsonObject], query: Mapping[str, str]
) -> JsonObject:
    """The page of the global list that `query` asks for. Raises ApiError (400)."""
    found, following = _paged(items, query)
    path = f"projects/{project}/global/{collection}"
    filled: JsonObject = {"items": found} if found else {}
    return {"kind": f"compute#{_KINDS[collection]}List", **_frame(path), **filled, **following}


def aggregated_page(
    project: str, collection: Collection, items: list[JsonObject], query: Mapping[str, str]
) -> JsonObject:
    """The page of the list of all scopes, by scope. Raises ApiError (400)."""
    found, following = _paged(items, query)
    path = f"projects/{project}/aggregated/{collection}"
    scopes: JsonObject = {"global": {collection: found} if found else _nothing()}
    kind = f"compute#{_KINDS[collection]}AggregatedList"
    return {"kind": kind, **_frame(path), "items": scopes, **following}


def _frame(path: str) -> JsonObject:
    return {"id": path, "selfLink": API_ROOT + path}


def _nothing() -> JsonObject:
    """What the API says of a scope that holds nothing."""
    message = "There are no results for scope 'global' on this page."
    scope: JsonObject = {"key": "scope", "value": "global"}
    return {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": message, "data": [scope]}}


def _paged(items: list[JsonObject], query: Mapping[str, str]) -> tuple[list[Json], JsonObject]:
    """The items of one page, and what leads to the next; nothing where there is none."""
    if query.get("filter"):
        raise ApiError(400, "invalid", "This server knows no `filter`.")
    start = _number(query, "pageToken", 0, len(items))
    end = start + (_number(query, "maxResults", _MOST, _MOST) or _MOST)
    return [*items[start:end]], {"nextPageToken": str(end)} if end < len(items) else {}


def _number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and int(text) <= most):
        raise invalid(name, text, f"Must be a number from 0 to {most}.")
    return int(text)
