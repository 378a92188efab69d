"""A handle on one region's application: start it, break it in the ways regions break, mend it.

It must not touch the load balancer or the orchestrator: a region fails on its own.
"""

import signal
import sys
from pathlib import Path

from orchestrator.local.ask import answers, ask, post_json
from orchestrator.local.child import ROOT, Child
from orchestrator.local.loopback import HOST, free_port, url_of


class Region:
    """One region's application process, on a port that stays the same over restarts.

    `name` is the region's name, `folder` takes its log.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.port = free_port()
        self._child = Child(
            f"region {name}",
            [
                *(sys.executable, "-m", "orchestrator.local.regional_app"),
                *("--region", name, "--port", str(self.port)),
            ],
            log=folder / f"region-{name}.log",
            cwd=ROOT,
        )

    @property
    def address(self) -> str:
        """Where a load balancer reaches it: host and port."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """Where a user reaches this region directly."""
        return url_of(self.port) + "/"

    @property
    def health_url(self) -> str:
        """What uptime checks and the orchestrator's probe ask."""
        return url_of(self.port) + "/healthz"

    def start(self) -> None:
        """Start it (again), behaving well, and wait until it answers."""
        self._child.start_ready(lambda: answers(self._control("requests")))

    def kill(self) -> None:
        """End it without warning: connections to it are refused from now on."""
        self._child.kill()

    def hang(self) -> None:
        """Freeze it: connections are accepted and nothing is ever answered."""
        self._child.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one run on."""
        self._child.signal(signal.SIGCONT)

    def behave(
        self,
        *,
        health_status: int | None = None,
        serve_status: int | None = None,
        delay: float | None = None,
    ) -> None:
        """Change how it answers health probes and users, and how late (seconds); None: as it is.

        Raises ValueError if the application refuses the wish.
        """
        wish = {"health_status": health_status, "serve_status": serve_status, "delay": delay}
        given = {name: value for name, value in wish.items() if value is not None}
        answer = post_json(self._control("behave"), given)
        if not answer.ok:
            raise ValueError(answer.body.decode())

    @property
    def served(self) -> int:
        """How many user requests it has served since it was started."""
        return int(ask(self._control("requests")).json()["served"])

    def stop(self) -> None:
        """End it for good, frozen or not."""
        self._child.stop()

    def _control(self, what: str) -> str:
        return f"{url_of(self.port)}/_laptop/{what}"
