"""Terraform refuses, by name, what the function and the gcloud installation refuse."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from deploy.gcloud import settings
from orchestrator.config import kinds
from orchestrator.local.process.child import ROOT
from tests.deploy.test_gcloud_attacks import ATTACKS, FIELDS, NAMED, attacked, renamed
from tests.support.terraform_runner import Terraform

pytestmark = [pytest.mark.terraform, pytest.mark.timeout(300)]

BEGINNING = """\
mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

mock_provider "time" {}

variables {
  config               = "tests/everything.yaml"
  notification_emails  = ["oncall@example.com"]
  orchestrator_regions = ["us-central1", "us-east5"]
}
"""
VARIABLES: dict[str, Callable[[str], object]] = {
    "name": lambda attack: attack,
    "notification_emails": lambda attack: [f"oncall@example.com{attack}"],
    "orchestrator_regions": lambda attack: ["us-central1", attack],
    "state_readers": lambda attack: {"app": f"serviceAccount:app@example.com{attack}"},
}


def _run(name: str, variable: str, value: object) -> str:
    given = json.dumps(value).replace("${", "$${")
    return (
        f'\nrun "{name}" {{\n  command = plan\n  variables {{\n    {variable} = {given}\n  }}\n'
        f"  expect_failures = [var.{variable}]\n}}\n"
    )


@pytest.mark.long
def test_a_command_in_the_file_or_in_a_variable_is_refused_before_anything_is_planned(
    terraform: Terraform, tree: Path, tmp_path: Path
) -> None:
    """Each field and variable with one of the attacks; a plan takes seconds, and there are many."""
    shutil.copytree(tree.parent, tmp_path / "copy")
    folder = tmp_path / "copy" / "terraform"
    several = itertools.cycle(attack for what, attack in ATTACKS.items() if what != "a flag")
    runs: list[str] = []
    for place, steps in {**FIELDS, **NAMED}.items():
        if place.endswith("health_url"):
            continue  # the alerting module's own test has the URLs
        made = (attacked if place in FIELDS else renamed)(steps, next(several))
        path = folder / "tests" / f"attack{len(runs)}.yaml"
        path.write_text(yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
        runs.append(_run(f"run{len(runs)}", "config", f"tests/{path.name}"))
    for variable, value in VARIABLES.items():
        runs.append(_run(f"run{len(runs)}", variable, value(next(several))))
    test = folder / "tests" / "attacks.tftest.hcl"
    test.write_text(BEGINNING + "".join(runs), encoding="utf-8")
    done = terraform.run("test", folder, "-filter=tests/attacks.tftest.hcl")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert f"{len(runs)} passed, 0 failed" in done.stdout


PATTERNS = {
    "project": kinds._PROJECT,
    "state": kinds._BUCKET,
    "topics": kinds._TOPIC.replace("(?!goog)", ""),
    "name": settings.NAME,
    "region": settings.REGION,
    "email": settings.EMAIL,
}
"""The patterns that the function and the gcloud installation go by."""


@pytest.mark.parametrize("what", PATTERNS)
def test_terraforms_patterns_are_those_of_the_function(what: str) -> None:
    """And none of the attacks fits one."""
    text = (ROOT / "terraform" / "variables.tf").read_text(encoding="utf-8")
    written = PATTERNS[what].replace("\\", "\\\\")
    assert f'regex("^{written}$", ' in text
    fits = [attack for attack in ATTACKS.values() if re.fullmatch(PATTERNS[what], attack)]
    assert fits == []
