"""The Cloud Function on the laptop: functions-framework serving the orchestrator's entry point.

It is the real framework with its real server (gunicorn: a master and a worker), so kills and stops
reach both. It must not deliver anything: that is push's part.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.local.process.ask import answers
from orchestrator.local.process.child import Child
from orchestrator.local.process.http_status import FINAL
from orchestrator.local.process.loopback import HOST, free_port, url_of


class Function:
    """One instance of the function on a port that stays the same over restarts.

    `name` names it and its log in `folder`; `source` is the Python file, `target` the function in
    it; `env` is laid over our own environment.
    """

    def __init__(
        self,
        name: str,
        source: Path,
        folder: Path,
        env: Mapping[str, str] | None = None,
        target: str = "on_alert",
    ) -> None:
        self.name = name
        self.port = free_port()
        self.log = folder / f"{name}.log"
        self._runtime = folder / f"{name}.run"
        self._child = Child(
            name,
            [
                *(sys.executable, "-m", "functions_framework", "--target", target),
                *("--source", str(source), "--host", HOST, "--port", str(self.port)),
            ],
            log=self.log,
            env=self._environment(env or {}),
        )

    @property
    def url(self) -> str:
        """Where a push subscription delivers."""
        return url_of(self.port) + "/"

    @property
    def running(self) -> bool:
        """True while its master process has not ended."""
        return self._child.running

    def start(self) -> None:
        """Start it (again) and wait until it answers.

        It is asked for a path that the framework answers itself: the function is not called.
        """
        self._runtime.mkdir(exist_ok=True)
        self._child.start_ready(lambda: answers(f"{self.url}robots.txt", statuses=FINAL))

    def kill(self) -> None:
        """SIGKILL master and worker, wherever they are, and wait until they are gone."""
        self._child.kill()

    def stop_signal(self) -> None:
        """SIGSTOP master and worker: whatever they were doing stays as it is."""
        self._child.signal(signal.SIGSTOP)

    def cont_signal(self) -> None:
        """SIGCONT master and worker: they go on where they were stopped."""
        self._child.signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it, letting a running call finish within three seconds. Idempotent."""
        self._child.stop()

    def log_lines(self) -> list[dict[str, Any]]:
        """Its log so far, one dictionary a line; a line that is no JSON object is `message`."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [_entry(line) for line in text.splitlines() if line.strip()]

    def _environment(self, env: Mapping[str, str]) -> dict[str, str]:
        private = {
            # for the control socket of gunicorn: with one folder for all they remove each other's
            "XDG_RUNTIME_DIR": str(self._runtime),
            # as on Google Cloud: a kill loses no line. A line must be one write, which print is not
            "PYTHONUNBUFFERED": "1",
        }
        return {**os.environ, **private, **env}


def _entry(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"message": line}
