"""What a caller may do, as Google's IAM has it: the permissions that each request takes.

A `IamRole` is a set of permissions that remembers which of them were used. `compute` and `storage`
are hooks for a `FaultProxy`: they let through what the role allows and answer 403 to everything
else, naming what is missing, before the server has seen the request. What is not known here is
refused, so that a request nobody thought of fails a test. Of the conditions of a grant nothing is
known.

From Google's reference: a write names groups that the writer may `use`, also those that stay; who
overwrites an object deletes the old one; who may not list a bucket is told 403, not 404, about an
object that does not exist.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import parse_qs, unquote, urlsplit

from orchestrator.local.rpc.proxy import Hook, OwnAnswer, Request, Review, Treatment
from orchestrator.local.rpc.wire import ApiError, Json


class IamRole:
    """Permissions. `used` are those that a request has needed so far and had."""

    def __init__(self, permissions: Iterable[str]) -> None:
        self.permissions = frozenset(permissions)
        self.used: set[str] = set()

    def missing(self, *needed: str) -> str:
        """The first of the needed permissions that is not here; empty if all are."""
        lacking = next((one for one in needed if one not in self.permissions), "")
        if not lacking:
            self.used.update(needed)
        return lacking


def denied(permission: str, resource: str) -> str:
    """The sentence of a refusal."""
    return f"Permission '{permission}' denied on resource '{resource}' (or it may not exist)."


# --- Compute ------------------------------------------------------------------------------------

_COMPUTE = (
    ("GET", r"(?:global|aggregated)/backendServices", "compute.backendServices.list"),
    ("GET", r"global/backendServices/[^/]+", "compute.backendServices.get"),
    ("PATCH", r"global/backendServices/[^/]+", "compute.backendServices.update"),
    ("PUT", r"global/backendServices/[^/]+", "compute.backendServices.update"),
    ("POST", r"global/backendServices/[^/]+/getHealth", "compute.backendServices.get"),
    ("GET", r"(?:global|aggregated)/operations", "compute.globalOperations.list"),
    ("GET", r"global/operations/[^/]+", "compute.globalOperations.get"),
    ("POST", r"global/operations/[^/]+/wait", "compute.globalOperations.get"),
    ("GET", r"zones/[^/]+/networkEndpointGroups/[^/]+", "compute.networkEndpointGroups.get"),
    (
        "GET",
        r"regions/[^/]+/networkEndpointGroups/[^/]+",
        "compute.regionNetworkEndpointGroups.get",
    ),
    (
        "GET",
        r"global/networkEndpointGroups/[^/]+",
        "compute.globalNetworkEndpointGroups.get",
    ),
)
_HEALTH = "compute.healthChecks.useReadOnly"
_USE = (
    (r"/instanceGroups/", ("compute.instanceGroups.use", _HEALTH)),
    (r"/zones/[^/]+/networkEndpointGroups/", ("compute.networkEndpointGroups.use", _HEALTH)),
    (r"/regions/[^/]+/networkEndpointGroups/", ("compute.regionNetworkEndpointGroups.use",)),
    (r"/global/networkEndpointGroups/", ("compute.globalNetworkEndpointGroups.use",)),
)
_ASK = re.compile(r"/compute/v1/projects/[^/]+/global/backendServices/[^/]+/testIamPermissions")


def compute(role: IamRole) -> Hook:
    """A hook before the Compute API; it answers `testIamPermissions` from the role itself."""

    def judge(request: Request) -> Treatment | None:
        path = unquote(urlsplit(request.path_qs).path)
        if request.method == "POST" and _ASK.fullmatch(path):
            return _granted(role, _object(request.body).get("permissions"))
        return _refusal(role, compute_needs(request.method, path, request.body), path)

    return judge


def compute_needs(method: str, path: str, body: bytes) -> tuple[str, ...]:
    """The permissions that a request to the Compute API takes; none if it is not known here."""
    _, _, rest = path.partition("/compute/v1/projects/")
    _, _, rest = rest.partition("/")
    for known, pattern, permission in _COMPUTE:
        if method == known and re.fullmatch(pattern, rest):
            writes = permission == "compute.backendServices.update"
            return (permission, *(_attached(_object(body)) if writes else ()))
    return ()


def _attached(resource: dict[str, Json]) -> tuple[str, ...]:
    """What naming these backends takes."""
    backends = resource.get("backends")
    groups = [
        str(one.get("group"))
        for one in (backends if isinstance(backends, list) else [])
        if isinstance(one, dict)
    ]
    found = [names for group in groups for kind, names in _USE if re.search(kind, group)]
    return tuple(dict.fromkeys(name for names in found for name in names))


# --- Storage ------------------------------------------------------------------------------------

_OBJECTS = re.compile(r"/storage/v1/b/[^/]+/o")
_OBJECT = re.compile(r"(?:/download)?/storage/v1/b/[^/]+/o/.+")
_UPLOAD = re.compile(r"(?:/resumable)?/upload/storage/v1/b/[^/]+/o")
_ASK_BUCKET = re.compile(r"/storage/v1/b/[^/]+/iam/testPermissions")
_LIST = "storage.objects.list"
_ABSENT = 404


def storage(role: IamRole) -> Hook:
    """A hook before Cloud Storage; it answers `testPermissions` from the role itself."""

    def judge(request: Request) -> Treatment | None:
        parts = urlsplit(request.path_qs)
        query = parse_qs(parts.query)
        if request.method == "GET" and _ASK_BUCKET.fullmatch(parts.path):
            return _granted(role, list(query.get("permissions", ())))
        needed = storage_needs(request.method, parts.path, query)
        refusal = _refusal(role, needed, parts.path)
        if refusal is None and needed == ("storage.objects.get",):
            return Review(lambda status: _told(role, status, parts.path))
        return refusal

    return judge


def storage_needs(method: str, path: str, query: dict[str, list[str]]) -> tuple[str, ...]:
    """The permissions that a request to Cloud Storage takes; none if it is not known here."""
    if method == "GET" and _OBJECTS.fullmatch(path):
        return (_LIST,)
    if method == "GET" and _OBJECT.fullmatch(path):
        return ("storage.objects.get",)
    if method == "DELETE" and _OBJECT.fullmatch(path):
        return ("storage.objects.delete",)
    if method == "POST" and _UPLOAD.fullmatch(path):
        fresh = query.get("ifGenerationMatch") == ["0"]
        return ("storage.objects.create", *(() if fresh else ("storage.objects.delete",)))
    return ()


def _told(role: IamRole, status: int, path: str) -> OwnAnswer | None:
    """That an object does not exist is told to those only who may list."""
    return _refusal(role, (_LIST,), path) if status == _ABSENT else None


# --- answers ------------------------------------------------------------------------------------


def _refusal(role: IamRole, needed: tuple[str, ...], path: str) -> OwnAnswer | None:
    if not needed:
        return _answer(403, f"Nobody has said which permission this takes: {path}")
    missing = role.missing(*needed)
    return _answer(403, denied(missing, path)) if missing else None


def _answer(status: int, message: str) -> OwnAnswer:
    return OwnAnswer(status, json.dumps(ApiError(status, "forbidden", message).body()).encode())


def _granted(role: IamRole, wanted: Json) -> OwnAnswer:
    asked = wanted if isinstance(wanted, list) else []
    return OwnAnswer(
        200, json.dumps({"permissions": [p for p in asked if p in role.permissions]}).encode()
    )


def _object(body: bytes) -> dict[str, Json]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
