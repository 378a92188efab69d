"""The backend service, by the Compute API's own JSON.

The hot path (read, patch, wait) is raw JSON over one authorised session: google-cloud-compute's
typed messages drop fields that they do not know when a backend list is read and sent back, and its
import costs a second. Off the hot path, where nothing is written back, that library serves: types
of network endpoint groups and the load balancer's own view of health.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import requests

from orchestrator.adapters.gcp.error_kinds import kind_of, kind_of_status
from orchestrator.adapters.server_clock import ServerClock
from orchestrator.core.exceptions import Cloud, Conflict, FailoverError, Kind, Unavailable
from orchestrator.core.model import Backend, Json, Routing
from orchestrator.core.traffic.plan import group_path

if TYPE_CHECKING:
    from datetime import datetime

    from google.auth.credentials import Credentials

TIMEOUT = (2.0, 10.0)
"""Seconds to connect and to read, each request but the wait."""

WAIT_READ = 125.0
"""Seconds to read the answer of `operations.wait`, which blocks for two minutes at most."""

OPERATION_DEADLINE = 200.0
"""Seconds that an accepted operation may take before it counts as unknown; the function has 540."""

LEAST_WAIT = 1.0
"""Seconds between two asks for an operation: the API's own wait is best effort."""

PERMISSIONS = ("compute.backendServices.get", "compute.backendServices.update")
"""What can be asked of the resource itself; groups and operations take more (see terraform/)."""

LIMITED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"})
"""Reasons of a refusal that a while of waiting cures, whatever its status."""

PASSING = LIMITED | {"resourceNotReady", "backendError"}
"""Reasons in Google's errors that only time cures, whatever their status."""


class BackendServices:
    """Implements `orchestrator.ports.Traffic` for one project's global backend services.

    session: an authorised one, made on first use. endpoint: the API's,
    `https://compute.googleapis.com` or an emulator's.
    """

    def __init__(
        self,
        project: str,
        endpoint: str,
        session: Callable[[], requests.Session],
        credentials: Callable[[], Credentials | None],
    ) -> None:
        self._root = f"{endpoint}/compute/v1/projects/{project}"
        self._endpoint = endpoint
        self._project = project
        self._session = session
        self._credentials = credentials
        self._clock = ServerClock()

    def read(self, name: str) -> Routing:
        """The backend service as it is. Raises Unavailable."""
        resource = self._call("GET", f"global/backendServices/{name}")
        backends = resource.get("backends") or []
        whole = isinstance(backends, list) and all(isinstance(b, dict) for b in backends)
        if not whole or not resource.get("fingerprint"):
            raise Unavailable(
                f"Compute API: what it gave for {name} is no backend service", cloud=Cloud.COMPUTE
            )
        return Routing(
            name=name,
            fingerprint=str(resource.get("fingerprint") or ""),
            description=str(resource.get("description") or ""),
            backends=tuple(Backend(group_path(str(b.get("group"))), b) for b in backends),
            resource=resource,
        )

    def patch(self, name: str, body: Json) -> str:
        """Send one change; give the operation's name. Raises Conflict or Unavailable.

        Refuses to send an empty or absent `backends`: the API would take all traffic away.
        """
        if not body.get("backends") or not body.get("fingerprint"):
            text = f"refused to patch {name} without backends or fingerprint"
            raise Unavailable(text, page=True, kind=Kind.REQUEST, cloud=Cloud.COMPUTE)
        operation = self._call(
            "PATCH",
            f"global/backendServices/{name}",
            params={"requestId": str(uuid.uuid4())},
            json=body,
        )
        if not operation.get("name"):
            text = f"Compute API: the patch of {name} was answered without an operation"
            raise Unavailable(text, cloud=Cloud.COMPUTE)
        return str(operation["name"])

    def wait(self, operation: str) -> None:
        """Return when the operation is done. Raises Unavailable with its error, or on deadline."""
        until = time.monotonic() + OPERATION_DEADLINE
        while (began := time.monotonic()) < until:
            found = self._call(
                "POST",
                f"global/operations/{operation}/wait",
                timeout=(TIMEOUT[0], min(WAIT_READ, until - time.monotonic() + 1)),
            )
            if found.get("status") == "DONE":
                if found.get("error"):
                    raise _operation_error(operation, found)
                return
            time.sleep(max(0.0, LEAST_WAIT - (time.monotonic() - began)))
        text = f"operation {operation} is not done after {OPERATION_DEADLINE:.0f} s"
        raise Unavailable(text, kind=Kind.UNREACHABLE, cloud=Cloud.COMPUTE)

    def kinds(self, groups: Iterable[str]) -> Mapping[str, str]:
        """Types of regional network endpoint groups, by group. Raises Unavailable."""
        from google.cloud import compute_v1  # a second to import: never on the hot path

        client = compute_v1.RegionNetworkEndpointGroupsClient(
            **self._client(
                compute_v1.services.region_network_endpoint_groups, "RegionNetworkEndpointGroups"
            )
        )
        found = {}
        for group in groups:
            _, project, _, region, _, name = group.split("/")
            try:
                neg = client.get(
                    project=project, region=region, network_endpoint_group=name, timeout=TIMEOUT[1]
                )
            except Exception as error:
                raise _translated(error, group) from error
            found[group] = neg.network_endpoint_type
        return found

    def healthy(self, name: str, groups: Iterable[str]) -> Mapping[str, int]:
        """How many endpoints of each group the load balancer itself finds healthy.

        Raises Unavailable.
        """
        from google.cloud import compute_v1  # a second to import: never on the hot path

        client = compute_v1.BackendServicesClient(
            **self._client(compute_v1.services.backend_services, "BackendServices")
        )
        found = {}
        for group in groups:
            reference = compute_v1.ResourceGroupReference(
                group=f"https://www.googleapis.com/compute/v1/{group}"
            )
            try:
                answer = client.get_health(
                    project=self._project,
                    backend_service=name,
                    resource_group_reference_resource=reference,
                    timeout=TIMEOUT[1],
                )
            except Exception as error:
                raise _translated(error, group) from error
            states = [endpoint.health_state for endpoint in answer.health_status]
            found[group] = states.count("HEALTHY")
        return found

    def missing_permissions(self, name: str) -> tuple[str, ...] | None:
        """What reading and moving this resource takes and these credentials may not.

        Raises Unavailable.
        """
        answer = self._call(
            "POST",
            f"global/backendServices/{name}/testIamPermissions",
            json={"permissions": list(PERMISSIONS)},
        )
        granted = answer.get("permissions", [])
        return tuple(wanted for wanted in PERMISSIONS if wanted not in granted)

    def server_time(self) -> datetime | None:
        """By the `Date` of the Compute API's last answer."""
        return self._clock.now()

    def _client(self, service: Any, kind: str) -> dict[str, Any]:  # a module of the library
        """Arguments for one of the library's REST clients, pointed where our own session points."""
        scheme, _, host = self._endpoint.partition("://")
        transport = getattr(service.transports, f"{kind}RestTransport")
        made = transport(host=host, url_scheme=scheme, credentials=self._credentials())
        return {"transport": made}

    def _call(
        self, method: str, path: str, **arguments: Any
    ) -> dict[str, Any]:  # passed to requests
        arguments.setdefault("timeout", TIMEOUT)
        try:
            answer = self._session().request(method, f"{self._root}/{path}", **arguments)
            self._clock.hear(answer.headers.get("Date"))
            if answer.ok:
                found = answer.json()
                return found if isinstance(found, dict) else {}
        except Exception as error:
            raise _translated(error, path) from error
        raise _refused(answer, f"{method} {path}")


_TRY_AGAIN = frozenset({408, 409, 412, 429})


def _refused(answer: requests.Response, what: str) -> FailoverError:
    """An answer that is not 2xx, as one of our errors."""
    reason, message = _reason(answer)
    text = f"Compute API, {what}: {answer.status_code} {reason}: {message[:500]}".rstrip(": ")
    if answer.status_code == requests.codes.precondition_failed:
        return Conflict(text)
    passing = (
        answer.status_code >= requests.codes.server_error
        or answer.status_code in {408, 429}
        or reason in PASSING
    )
    kind = Kind.BUSY if reason in LIMITED else kind_of_status(answer.status_code)
    if not passing:
        text += ". The traffic is as it was; correct the name, the permission or the request"
    return Unavailable(text, page=not passing, kind=kind, cloud=Cloud.COMPUTE)


def _reason(answer: requests.Response) -> tuple[str, str]:
    try:
        error = answer.json()["error"]
        first = (error.get("errors") or [{}])[0]
        return str(first.get("reason", "")), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return "", answer.text[:200]


def _operation_error(name: str, operation: Mapping[str, Any]) -> Unavailable:
    """The operation's own error. One that a repeat cannot cure needs a human."""
    status = operation.get("httpErrorStatusCode")
    message = operation.get("httpErrorMessage", "")
    text = f"operation {name} failed: {status or ''} {message} {operation['error']}"[:700]
    lasting = isinstance(status, int) and 400 <= status < 500 and status not in _TRY_AGAIN  # noqa: PLR2004  # HTTP's client errors
    kind = kind_of_status(status) if isinstance(status, int) else Kind.UNKNOWN
    return Unavailable(text, page=lasting, kind=kind, cloud=Cloud.COMPUTE)


def _translated(error: Exception, what: str) -> FailoverError:
    """Every foreign error as ours: what it was is not known to have happened, or not."""
    if isinstance(error, FailoverError):
        return error
    text = f"Compute API, {what}: {type(error).__name__}: {str(error)[:500]}"
    return Unavailable(text, kind=kind_of(error), cloud=Cloud.COMPUTE)
