"""The global load balancer on the laptop: the Compute API that configures it, Envoy that serves.

Two processes. It must not change the routing by itself: that is asked of the API, by whoever may.
"""

import json
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

from orchestrator.local.balancer import envoy
from orchestrator.local.process.ask import HttpAnswer, answers, ask
from orchestrator.local.process.child import ROOT, Child
from orchestrator.local.process.loopback import free_port, url_of
from orchestrator.local.rpc.wire import JsonObject


class LoadBalancer:
    """The load balancer before the one backend service of `config` (see `compute_api`).

    `url` is where users go, `api_url` what `COMPUTE_EMULATOR_HOST` takes. `folder` takes the
    configuration and the logs.
    """

    def __init__(self, config: JsonObject, service: str, folder: Path) -> None:
        self.service = service
        self._port, self._api_port, self._admin_port = free_port(), free_port(), free_port()
        self.url = url_of(self._port) + "/"
        self.api_url = url_of(self._api_port)
        self._folder = folder / "envoy"
        self._config = folder / "compute.json"
        self._config.write_text(json.dumps(config, indent=2))
        api = [sys.executable, "-m", "orchestrator.local.balancer.compute_api"]
        options = {
            "--config": str(self._config),
            "--port": str(self._api_port),
            "--envoy-dir": str(self._folder),
            "--envoy-admin": url_of(self._admin_port),
        }
        given = [text for option in options.items() for text in option]
        self._api = Child("Compute API", [*api, *given], log=folder / "compute.log", cwd=ROOT)
        command = envoy.envoy_command(self._folder)
        self._envoy = Child("Envoy", command, log=folder / "envoy.log")

    def start(self) -> None:
        """Start both and wait until the API answers and Envoy has its first configuration."""
        envoy.write_bootstrap(self._folder, self.service, self._port, self._admin_port)
        self._api.start_ready(lambda: answers(f"{self.api_url}/_laptop/ready"))
        self._envoy.start_ready(lambda: envoy.ready(self._admin_port))

    def backend_service(self) -> Any:
        """The backend service as the API returns it now."""
        path = f"compute/v1/projects/laptop/global/backendServices/{self.service}"
        return self._get(path).json()

    def log(self) -> list[dict[str, Any]]:
        """Every request that the API has got so far (see `faults.Entry`)."""
        found: list[dict[str, Any]] = self._get("_laptop/log").json()
        return found

    def patches(self) -> list[dict[str, Any]]:
        """The mutations that the API has accepted, and will not fail, in their order."""
        return [entry for entry in self.log() if _accepted(entry)]

    def kill_api(self) -> None:
        """End the Compute API without warning; Envoy serves on with what it has."""
        self._api.kill()

    def stop(self) -> None:
        """End both processes. Idempotent."""
        self._envoy.stop()
        self._api.stop()

    def _get(self, path: str) -> HttpAnswer:
        answer = ask(f"{self.api_url}/{path}")
        if not answer.ok:
            raise RuntimeError(f"GET {path}: {answer.status} {answer.body[:200]!r}")
        return answer


def _accepted(entry: dict[str, Any]) -> bool:
    done = entry["status"] == HTTPStatus.OK or entry["fault"] == "reset_after"
    return entry["method"] in ("PATCH", "PUT") and done and entry["fault"] != "operation_error"
