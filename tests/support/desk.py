"""A person at a shell, beside a state folder: what the tests of the verbs sit at."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner, Result

from orchestrator import entry
from orchestrator.adapters.folder.traffic import as_deployed
from orchestrator.cli.app import cli
from orchestrator.config import load
from orchestrator.wiring import Wiring
from tests.support.fakes import configuration

ALERTS = Path(__file__).parents[2] / "examples" / "alerts"


class Desk:
    """A person at a shell: a folder with a configuration, and the answers so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "failover.yaml"
        self.state = folder / "state"

    def write(self, **overrides: Any) -> None:  # any JSON
        """The configuration: no health URLs, so nothing has to run, and alerts are believed."""
        content = configuration(**overrides)
        content["state"] = self.state.as_uri()
        for service in content["services"].values():
            service["policy"] = {"on_unconfirmed": "proceed", **(service.get("policy") or {})}
            for region in service["regions"].values():
                del region["health_url"]
        self.config.write_text(yaml.safe_dump(content, sort_keys=False))

    def second(self) -> None:
        """The configuration with a second service, `orders`, like the first."""
        content = yaml.safe_load(self.config.read_text())
        services = content["services"]
        services["orders"] = yaml.safe_load(
            yaml.safe_dump(services["checkout"]).replace("checkout", "orders")
        )
        self.config.write_text(yaml.safe_dump(content))

    def run(self, *arguments: str) -> Result:
        """One command."""
        return CliRunner().invoke(cli, [*arguments, "--config", str(self.config)])

    def json(self, *arguments: str, status: int = 0) -> Any:
        """One command's answer in JSON."""
        found = self.run(*arguments, "--json")
        assert found.exit_code == status, found.output
        return json.loads(found.stdout)

    def alert(self, file: str) -> None:
        """An alert arrives, at the function itself."""
        environ = {"FAILOVER_CONFIG": str(self.config)}
        body = {"message": {"data": encoded(ALERTS / file), "messageId": "1"}}
        entry.alert(body, Wiring(environ, self.folder))

    @property
    def routing(self) -> Path:
        """The file that stands for the load balancer; made when it is not there."""
        file = self.state / "backend-services" / "checkout.json"
        if not file.exists():
            services = load(self.config.read_text(), str(self.config)).services
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(as_deployed(services["checkout"])))
        return file

    @property
    def document(self) -> dict[str, Any]:
        """The state document."""
        found = json.loads((self.state / "checkout.json").read_bytes())
        assert isinstance(found, dict)
        return found


def encoded(path: Path) -> str:
    """A file as Pub/Sub carries it."""
    return base64.b64encode(path.read_bytes()).decode()
