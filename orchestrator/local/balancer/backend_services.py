"""Backend services as the Compute Engine API keeps them: content, fingerprint and rules.

Pure: a change is asked for and the new backend service comes back, or an ApiError. Nothing is
stored here and nothing takes time; that is the business of `compute_api` and `operations`.

A fingerprint is a hash of the content, as the API describes it: any change of the content changes
it, and the same content has the same fingerprint again. Fields that nobody here knows are kept at
every depth. An empty `backends` is let through because the API lets it through.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.local.balancer.groups import Group
from orchestrator.local.rpc.wire import (
    API_ROOT,
    ApiError,
    Json,
    JsonObject,
    invalid,
    not_found,
    resource_path,
)

OUTPUT_ONLY = ("kind", "id", "selfLink", "creationTimestamp", "fingerprint")
_FULL = 1.0  # what the API makes of a capacityScaler that was not sent
_LOWEST = 0.1
_STANDARD = str.maketrans("-_", "+/")  # base64's other alphabet, in which gcloud sends bytes


@dataclass(frozen=True, slots=True)
class BackendService:
    """One backend service. `content` is what its owner wrote, with the API's defaults filled in."""

    path: str
    created: str
    content: JsonObject

    @property
    def name(self) -> str:
        """Its name, the end of its path."""
        return self.path.rpartition("/")[2]

    @property
    def id(self) -> str:
        """Its number, as a string of digits, as JSON carries it."""
        return str(int.from_bytes(hashlib.sha256(self.path.encode()).digest()[:7]))

    @property
    def fingerprint(self) -> str:
        """Base64 of a hash of the content."""
        text = json.dumps(self.content, sort_keys=True)
        return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()

    def resource(self) -> JsonObject:
        """The backend service as a GET returns it."""
        return {
            "kind": "compute#backendService",
            "id": self.id,
            "creationTimestamp": self.created,
            **self.content,
            "selfLink": API_ROOT + self.path,
            "fingerprint": self.fingerprint,
        }


def first_version(
    raw: Json, project: str, groups: Mapping[str, Group], created: datetime
) -> BackendService:
    """The backend service that the configuration describes; its output-only fields are ours.

    Raises ApiError where it breaks a rule or has no name.
    """
    name = raw.get("name") if isinstance(raw, dict) else None
    if not (isinstance(raw, dict) and isinstance(name, str) and name):
        raise invalid("resource.name", name, "A backend service needs a name.")
    path = f"projects/{project}/global/backendServices/{name}"
    content = _content(raw, name, groups)
    return BackendService(path, created.isoformat(timespec="milliseconds"), content)


def patched(
    current: BackendService, patch: JsonObject, groups: Mapping[str, Group]
) -> BackendService:
    """`current` with a JSON merge patch (RFC 7396) applied: arrays whole, null removes.

    Raises ApiError: 412 unless `patch` carries the current fingerprint, else by the rules.
    """
    _check_fingerprint(current, patch)
    merged = merge_patch(current.content, patch)
    assert isinstance(merged, dict)  # a merge patch that is an object makes an object
    return replace(current, content=_content(merged, current.name, groups))


def updated(
    current: BackendService, whole: JsonObject, groups: Mapping[str, Group]
) -> BackendService:
    """`current` with all of its content replaced. Raises ApiError as `patched` does."""
    _check_fingerprint(current, whole)
    return replace(current, content=_content(whole, current.name, groups))


def merge_patch(target: Json, patch: Json) -> Json:
    """RFC 7396: `target` with `patch` applied; neither is changed."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def backends_of(content: JsonObject) -> list[JsonObject]:
    """The attached backends, each with a `group`. Raises ApiError (400) for any other shape."""
    backends = content.get("backends", [])
    if not isinstance(backends, list):
        raise invalid("resource.backends", backends, "Must be a list.")
    found: list[JsonObject] = []
    for number, backend in enumerate(backends):
        if not isinstance(backend, dict) or not isinstance(backend.get("group"), str):
            raise invalid(f"resource.backends[{number}]", backend, "A backend needs a group.")
        found.append(backend)
    return found


def group_path(backend: JsonObject, field: str = "resource.backends[].group") -> str:
    """The path of a backend's group, from `projects/` on. Raises ApiError (400) without one."""
    url = backend.get("group")
    try:
        return resource_path(url if isinstance(url, str) else "")
    except ValueError:
        raise invalid(field, url, "The URL is malformed.") from None


# --- the API's rules ---------------------------------------------------------------------------


def _check_fingerprint(current: BackendService, body: JsonObject) -> None:
    given = body.get("fingerprint")
    if not isinstance(given, str) or given.translate(_STANDARD) != current.fingerprint:
        raise ApiError(412, "conditionNotMet", "Invalid fingerprint.")


def _content(raw: JsonObject, name: str, groups: Mapping[str, Group]) -> JsonObject:
    content = {key: value for key, value in raw.items() if key not in OUTPUT_ONLY}
    if content.setdefault("name", name) != name:
        raise invalid("resource.name", content["name"], "The name cannot be changed.")
    checked = _without_unset(content)
    assert isinstance(checked, dict)
    backends = backends_of(checked)
    attached = _attached(backends, groups)
    _check_mixture(checked, attached)
    for number, (backend, group) in enumerate(zip(backends, attached, strict=True)):
        _check_balancing(backend, group, f"resource.backends[{number}]")
    filled: list[Json] = [*map(_filled, backends, attached)]
    _check_single(backends)
    return {**checked, "backends": filled} if "backends" in checked else checked


def _without_unset(value: Json) -> Json:
    """What is left when null and an empty list mean "not set", as they do to the API everywhere."""
    if isinstance(value, dict):
        return {k: _without_unset(item) for k, item in value.items() if item not in (None, [])}
    if isinstance(value, list):
        return [_without_unset(item) for item in value]
    return value


def _filled(backend: JsonObject, group: Group) -> JsonObject:
    """The backend as the API keeps it: with its defaults, its group by the API's own address.

    A client that is pointed at this server says `http://127.0.0.1:.../compute/v1/projects/...`.
    """
    scaler: JsonObject = {} if group.serverless else {"capacityScaler": _FULL}
    local = str(backend["group"]).startswith("http://")  # Google has no such address
    return scaler | backend | ({"group": API_ROOT + group.path} if local else {})


def _attached(backends: list[JsonObject], groups: Mapping[str, Group]) -> list[Group]:
    found: list[Group] = []
    for number, backend in enumerate(backends):
        field = f"resource.backends[{number}].group"
        path = group_path(backend, field)
        if path not in groups:
            raise not_found(path)
        if groups[path] in found:
            raise invalid(field, backend["group"], "Duplicate backend group.")
        found.append(groups[path])
    return found


def _check_mixture(content: JsonObject, attached: list[Group]) -> None:
    if not any(group.serverless for group in attached):
        return
    if not all(group.serverless for group in attached):
        why = "Serverless network endpoint groups cannot be mixed with other backends."
        raise invalid("resource.backends", [group.path for group in attached], why)
    if content.get("healthChecks"):
        why = "A backend service with serverless network endpoint groups has no health check."
        raise invalid("resource.healthChecks", content["healthChecks"], why)


def _check_balancing(backend: JsonObject, group: Group, field: str) -> None:
    if not group.serverless:
        _check_scaler(backend.get("capacityScaler", _FULL), f"{field}.capacityScaler")
        return
    if "balancingMode" in backend:
        why = "Balancing mode is not supported for Serverless network endpoint groups"
        raise invalid(f"{field}.balancingMode", backend["balancingMode"], why)
    if "capacityScaler" in backend:
        why = "Capacity scaler is not supported for Serverless network endpoint groups"
        raise invalid(f"{field}.capacityScaler", backend["capacityScaler"], why)


def _check_scaler(scaler: Json, field: str) -> None:
    if isinstance(scaler, bool) or not isinstance(scaler, int | float):
        raise invalid(field, scaler, "Must be a number.")
    if scaler != 0 and not _LOWEST <= scaler <= _FULL:
        raise invalid(field, scaler, "Must be 0.0 or between 0.1 and 1.0, inclusive.")


def _check_single(backends: list[JsonObject]) -> None:
    if len(backends) == 1 and backends[0].get("capacityScaler") == 0:
        why = "A value of 0 is not allowed when only one backend is attached."
        raise invalid("resource.backends[0].capacityScaler", 0.0, why)
