"""Terraform for the tests: on a copy of the repository, with providers from where they can be had.

`TERRAFORM_OFFLINE` may name a program that takes `validate DIR` and `test DIR ...` and serves the
schemas of the providers itself. Otherwise plain `terraform` is used, if its `init` can reach a
registry.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.local.process.child import ROOT

NEEDED = ("deploy", "terraform", "requirements", "orchestrator", "examples")
PREDEFINED = {"roles/pubsub.publisher": {"pubsub.topics.publish"}}
"""What Google's own roles give; one that is not here fails the tests."""

FILES = ("main.py", "requirements.txt", "pyproject.toml", "failover.yaml", ".gcloudignore")


@cache
def missing() -> str:
    """What is missing to run Terraform here and was therefore not checked; empty if nothing is."""
    if shutil.which("terraform") is None:
        return "terraform is not installed: nothing of terraform/ was checked"
    if os.environ.get("TERRAFORM_OFFLINE"):
        return ""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "terraform" / "modules" / "state" / "versions.tf", folder)
        made = Terraform(None, Path(folder) / "cache").ready(Path(folder))
    if made.returncode == 0:
        return ""
    return (
        "no provider registry can be reached and TERRAFORM_OFFLINE is not set:"
        " terraform/ was neither validated nor planned"
    )


def copy_repository(to: Path) -> Path:
    """What Terraform reads of the repository, in a folder of its own; give its terraform folder."""
    ignore = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*")
    for name in NEEDED:
        shutil.copytree(ROOT / name, to / name, ignore=ignore)
    for name in FILES:
        shutil.copy(ROOT / name, to / name)
    return to / "terraform"


@dataclass
class Terraform:
    """Runs Terraform's verbs on folders of a copy."""

    offline: str | None
    cache: Path
    _ready: set[Path] = field(default_factory=set)

    def run(self, verb: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One verb; the output is in stdout and stderr."""
        if self.offline:
            return self._call([self.offline, verb, str(folder), *arguments])
        if folder not in self._ready:
            made = self.ready(folder)
            if made.returncode:
                return made
            self._ready.add(folder)
        return self._call(["terraform", f"-chdir={folder}", verb, *arguments])

    def ready(self, folder: Path) -> subprocess.CompletedProcess[str]:
        """Fetch the folder's providers from the registry."""
        return self._call(
            ["terraform", f"-chdir={folder}", "init", "-backend=false", "-input=false"]
        )

    def planned(self, folder: Path) -> Plan:
        """What the folder's tests/planned.tftest.hcl plans."""
        done = self.run("test", folder, "-json", "-verbose", "-filter=tests/planned.tftest.hcl")
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        plans = [line["test_plan"] for line in lines if line.get("type") == "test_plan"]
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert len(plans) == 1, done.stderr
        return Plan(plans[0])

    def _call(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        self.cache.mkdir(parents=True, exist_ok=True)
        env = {
            **os.environ,
            "CHECKPOINT_DISABLE": "1",
            "NO_COLOR": "1",
            "TF_CLI_ARGS_test": "-no-color",
            "TF_CLI_ARGS_validate": "-no-color",
            "TF_PLUGIN_CACHE_DIR": str(self.cache),
        }
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=240, env=env
        )


@dataclass(frozen=True)
class Plan:
    """A plan: what resources shall be, as far as it is known before they are made."""

    whole: Mapping[str, Any]

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """The planned values of every resource of one type, by address."""
        return {
            change["address"]: change["change"]["after"]
            for change in self.whole["resource_changes"]
            if change["type"] == kind and change["mode"] == "managed"
        }

    def output(self, name: str) -> Any:
        """The planned value of an output."""
        return self.whole["output_changes"][name]["after"]

    def permissions(self) -> frozenset[str]:
        """Every permission that Terraform's own roles give the function."""
        roles = self.resources("google_project_iam_custom_role")
        return frozenset(name for role in roles.values() for name in role["permissions"])

    def granted(self) -> frozenset[str]:
        """Those, and what Google's own roles give it: all that the function may do."""
        members = self.resources("google_pubsub_topic_iam_member")
        roles = [
            member["role"]
            for address, member in members.items()
            if address.startswith("module.orchestrator.google_pubsub_topic_iam_member.runtime[")
        ]
        return self.permissions().union(*(PREDEFINED[role] for role in roles))
