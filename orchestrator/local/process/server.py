"""One server of the laptop world: a child process on a port that stays the same over restarts.

It fails as servers do: killed (connections are refused) or hung (accepted, and never answered).
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.local.process.ask import answers
from orchestrator.local.process.child import ROOT, Child
from orchestrator.local.process.loopback import HOST, free_port, url_of

READY = 45.0
"""Seconds to start in: a second or less where it is alone, but a world with data starts a dozen."""


class Server:
    """A module of this package as a process: `python -m MODULE --port PORT ARGUMENTS`.

    name: for messages, and of its log in `folder`. ready: the path that it answers once it serves.
    env: its whole environment, default ours.
    """

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        *,
        folder: Path,
        ready: str,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.port = free_port()
        self._ready = ready
        command = [sys.executable, "-m", module, "--port", str(self.port), *arguments]
        log = folder / f"{name.replace(' ', '-')}.log"
        self._child = Child(name, command, log=log, env=env, cwd=ROOT)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """Its base URL, without a slash at the end."""
        return url_of(self.port)

    @property
    def running(self) -> bool:
        """True while its process has not ended; a hung one has not."""
        return self._child.running

    def start(self) -> None:
        """Start it (again) and wait until it answers."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start it and do not wait. Raises RuntimeError if it runs."""
        self._child.start()

    def wait_ready(self, within: float = READY) -> None:
        """Wait until it answers; if it does not, stop it and raise NotReady."""
        try:
            self._child.wait_ready(lambda: answers(self.url + self._ready), within)
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """End it without warning: connections to it are refused from now on."""
        self._child.kill()

    def hang(self) -> None:
        """Freeze it: connections are accepted and nothing is ever answered."""
        self._child.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one run on."""
        self._child.signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it for good, frozen or not. Idempotent."""
        self._child.stop()
