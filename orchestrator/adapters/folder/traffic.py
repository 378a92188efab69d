"""Backend services in a folder: the embedded default where there is no Compute API.

For `functions-framework` on a laptop with `state: file:///...` and nothing else running: the
routing is a JSON file beside the state that shows what would have been sent. A service that has no
file yet is made as it is usually deployed: the preferred region carries the traffic.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping

from orchestrator.core.claims import example
from orchestrator.core.exceptions import Conflict, Unavailable
from orchestrator.core.model import Backend, Json, Routing
from orchestrator.core.policy import Lever, Mode, Service, Standby
from orchestrator.core.traffic.plan import group_path, lever_of
from orchestrator.ports import Objects

API = "https://www.googleapis.com/compute/v1/"


class FileBackendServices:
    """Implements `orchestrator.ports.Traffic` on a folder of objects."""

    def __init__(self, objects: Objects, services: Iterable[Service]) -> None:
        self._objects = objects
        self._first = {service.backend_service: as_deployed(service) for service in services}

    def read(self, name: str) -> Routing:
        """The file as a backend service; its generation is the fingerprint. Raises Unavailable."""
        resource, generation = self._read(name)
        backends = resource.get("backends")
        assert isinstance(backends, list)  # written by this adapter
        return Routing(
            name=name,
            fingerprint=str(generation),
            description=str(resource.get("description", "")),
            backends=tuple(Backend(group_path(str(b["group"])), b) for b in backends),
            resource=resource,
        )

    def patch(self, name: str, body: Json) -> str:
        """Merge the change into the file. Raises Conflict on a stale fingerprint."""
        resource, generation = self._read(name)
        if body["fingerprint"] != str(generation):
            raise Conflict(f"{name} was changed by somebody else meanwhile")
        after = {**resource, **{key: body[key] for key in body if key != "fingerprint"}}
        self._objects.put(_file(name), json.dumps(after, indent=1).encode(), generation)
        return "done"

    def wait(self, operation: str) -> None:
        """Return at once: a file is written when it is written."""

    def kinds(self, groups: Iterable[str]) -> Mapping[str, str]:
        """Nothing is known of groups in a folder."""
        del groups
        return {}

    def server_time(self) -> None:
        """There is no server: the clock of this machine is all there is."""

    def missing_permissions(self, name: str) -> None:
        """Nobody asks for permissions here."""

    def healthy(self, name: str, groups: Iterable[str]) -> Mapping[str, int]:
        """Nothing is known of their health."""
        del name, groups
        return {}

    def _read(self, name: str) -> tuple[Json, int]:
        got = self._objects.get(_file(name))
        if got is None:
            return copy.deepcopy(self._first[name]), 0
        try:
            resource = json.loads(got[0])
            return dict(resource), got[1]
        except (TypeError, ValueError) as error:
            text = f"{_file(name)} is not JSON: {error}"
            raise Unavailable(text, page=True, rule="balancer-file") from error


def _file(name: str) -> str:
    return f"backend-services/{name}.json"


def as_deployed(service: Service) -> Json:
    """The backend service as it is usually deployed: the preferred region carries the traffic.

    Attached standbys have their capacity too.
    """
    lever = lever_of(service, None)
    active_active = service.mode is Mode.ACTIVE_ACTIVE
    everywhere = active_active or service.standby is Standby.ATTACHED
    backends: list[Json] = []
    for index, region in enumerate(service.regions):
        carries = index == 0 or everywhere
        for claim in region.backends:
            group = example(claim, region.name)
            if lever is Lever.CAPACITY:
                scaler = 1.0 if carries else 0.0
                backends.append({"group": API + group, "capacityScaler": scaler})
            elif carries:
                backends.append({"group": API + group})
    return {"name": service.backend_service, "description": "", "backends": backends}
