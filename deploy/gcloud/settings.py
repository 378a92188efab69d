"""What is installed: failover.yaml's answers and the few that are given on the command line.

The file is loaded as the function loads it, so what the function refuses is refused here. What is
given on the command line has patterns of its own, those of modules/orchestrator/variables.tf.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from deploy.gcloud.step import Variable, Word, word
from orchestrator.config import load as checked
from orchestrator.core.exceptions import BadConfig
from orchestrator.wiring import EMULATORS

NAME = r"[a-z]([a-z0-9-]{0,15}[a-z0-9])?"
"""A prefix of names: with what is appended it must still fit the name of a service account."""

REGION = r"[a-z]+-[a-z]+[0-9]+"
EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"

NUMBER = Variable("number")
"""The project's number, which the script asks for first."""

ALERTS = "dynamodb-failover-alerts"
"""The alerts topic where failover.yaml names none."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of function: its entry point, its topic, and the account that pushes to it."""

    entry_point: str
    topic: str
    account: str


KINDS = {
    "alert": Kind("on_alert", "alerts", "invoker"),
    "control": Kind("on_control", "control", "push-control"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One region of one service and the URL that Monitoring asks."""

    service: str
    region: str
    url: str

    @property
    def host(self) -> str:
        """Its host, by which the function knows the region too."""
        return urlsplit(self.url).hostname or ""

    @property
    def labels(self) -> dict[str, str]:
        """By these the function knows which region an alert is about."""
        return {"region": self.region, "service": self.service}


@dataclass(frozen=True, slots=True)
class Settings:
    """config: the content of failover.yaml. regions: the orchestrator's own, two at least."""

    config: Mapping[str, Any]
    name: str
    regions: tuple[str, ...]
    emails: tuple[str, ...]
    archive: Path
    folder: Path

    @property
    def project(self) -> str:
        """The project's id."""
        return str(self.config["project"])

    @property
    def bucket(self) -> str:
        """The state bucket."""
        return urlsplit(str(self.config["state"])).netloc

    @property
    def prefix(self) -> str:
        """The folder in the bucket, with its slash, or nothing."""
        path = urlsplit(str(self.config["state"])).path.strip("/")
        return f"{path}/" if path else ""

    @property
    def topics(self) -> dict[str, str]:
        """The topics by their use; events only where the file names it."""
        given = dict(self.config.get("topics") or {})
        if not given.get("control"):
            raise SystemExit("failover.yaml: topics.control is missing: there would be no ticks")
        return {"alerts": ALERTS, **{use: name for use, name in given.items() if name}}

    @property
    def source_bucket(self) -> str:
        """The bucket of the source archives."""
        return f"{re.sub('[.:]', '-', self.project)}-{self.name}-source"

    @property
    def role_prefix(self) -> str:
        """The name as ids of roles take it."""
        return self.name.replace("-", "_")

    @property
    def backend_services(self) -> list[str]:
        """The backend services that the function moves."""
        services = self.config["services"].values()
        return sorted(service["traffic"]["backend_service"] for service in services)

    @property
    def groups(self) -> list[str]:
        """All groups behind them."""
        found: list[str] = []
        for _, _, region in self._regions():
            backend = region["backend"]
            found += [backend] if isinstance(backend, str) else backend
        return found

    @property
    def checks(self) -> list[Check]:
        """What Monitoring watches."""
        return [
            Check(service, name, region["health_url"])
            for service, name, region in self._regions()
            if region.get("health_url")
        ]

    @property
    def oidc(self) -> bool:
        """Whether the health URLs want an identity token."""
        return bool((self.config.get("probe") or {}).get("auth") == "oidc")

    @property
    def confirms(self) -> bool:
        """Whether some service is confirmed by what the uptime checks found."""
        policies = (service.get("policy") or {} for service in self.config["services"].values())
        return any(policy.get("confirm") == "monitoring" for policy in policies)

    @property
    def gauges(self) -> bool:
        """Whether the functions write gauges."""
        return self.config.get("gauges") is True

    def function(self, kind: str) -> str:
        """The name of the functions of a kind, the same in every region."""
        return f"{self.name}-{kind}"

    def subscription(self, kind: str, region: str) -> str:
        """The name of the one subscription that pushes to a function."""
        return f"{self.function(kind)}-{region}"

    def url(self, kind: str, region: str) -> Word:
        """A function's URL as Cloud Run derives it from names, known before the function is."""
        return word(f"https://{self.function(kind)}-", NUMBER, f".{region}.run.app")

    def repository(self, region: str) -> str:
        """The full name of the repository of a region's images."""
        return f"projects/{self.project}/locations/{region}/repositories/{self.name}-functions"

    def account(self, use: str) -> str:
        """The email of one of our service accounts."""
        domain, _, project = self.project.rpartition(":")
        within = f"{project}.{domain}" if domain else project
        return f"{self.name}-{use}@{within}.iam.gserviceaccount.com"

    def _regions(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        for service, content in self.config["services"].items():
            for name, region in content["regions"].items():
                yield service, name, region


def load(path: Path) -> Mapping[str, Any]:
    """The content of failover.yaml. Raises SystemExit with every problem of the file."""
    text = path.read_text(encoding="utf-8")
    try:
        checked(text, str(path), emulated=any(map(os.environ.get, EMULATORS)))
    except BadConfig as error:
        raise SystemExit(f"Nothing was written. {error}") from error
    found: Mapping[str, Any] = yaml.safe_load(text)
    if not str(found["state"]).startswith("gs://"):
        raise SystemExit(f"{path}: state must be gs://BUCKET; file:// is for a laptop")
    return found
