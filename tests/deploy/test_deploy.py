"""`make deploy` and `make deploy-gcloud`: what they run, when they refuse, what a dry run does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import ready
from orchestrator.local.serving import environment
from orchestrator.local.world import LaptopWorld
from tests.support.terraform_runner import copy_repository, missing
from tests.support.worlds import alert, fail, settled

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(300),
]  # a command waits for a copy of Python, dozens of times

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
WELL = {"service": "checkout", "document": True, "phase": "verified", "freeze": None}


@pytest.mark.parametrize(
    ("view", "why"),
    [
        (WELL, None),
        ({"service": "checkout", "document": False, "phase": None}, None),
        ({**WELL, "error": {"message": "no load balancer"}}, None),
        ({**WELL, "phase": "committed"}, "a shift is under way (committed)"),
        ({**WELL, "phase": "unverified"}, "a shift is under way (unverified)"),
        ({**WELL, "switch": {"to": "us-west-2"}}, "a switch is under way"),
        ({**WELL, "ramp": {"step": 1}}, "a ramp is under way"),
        ({**WELL, "freeze": "for the sale"}, "it is frozen: for the sale"),
        ({**WELL, "freeze": {"until": "2026-11-23T05:00:01Z"}}, "it is frozen"),
        ({**WELL, "freeze": {"until": "2026-11-23T05:00:00Z"}}, None),
        ({**WELL, "freeze": {"until": "noon"}}, "it is frozen"),
        ({"service": "checkout", "error": {"message": "corrupt"}}, "cannot be read: corrupt"),
    ],
)
def test_a_service_that_is_shifting_or_frozen_stands_in_the_way(
    view: dict[str, Any], why: str | None
) -> None:
    found = ready.reasons({"services": [WELL, view]}, NOW)
    assert len(found) == (1 if why else 0)
    assert why is None or why in found[0]


def test_an_error_in_the_place_of_an_answer_stands_in_the_way() -> None:
    assert ready.reasons({"error": {"message": "no credentials"}}, NOW) == [
        "how the services stand could not be had: no credentials"
    ]
    assert ready.reasons({}, NOW)


# --- the script, with programs that only write down how they were called ------------------------

RECORDER = """\
#!{python} -IS
import json, sys
from pathlib import Path
here = Path(__file__)
words = sys.argv[1:]
with here.with_suffix(".log").open("a") as log:
    log.write(json.dumps(words) + "\\n")
for word in words:
    if word.startswith("-out="):
        Path(word[5:]).write_text("a plan")
if "describe" in words and "projects" not in words and "functions" not in words:
    sys.exit(int(here.with_suffix(".absent").exists()))
listing = bool({{"list", "list-configs"}} & set(words))
if not (listing and here.with_suffix(".absent").exists()):
    print("12345" if words[0] == "projects" else "projects/p/things/12345")
"""


@dataclass
class Deployer:
    """Somebody with a copy of the repository, a world to deploy for, and such programs."""

    root: Path
    bin: Path
    world: LaptopWorld
    env: dict[str, str] = field(default_factory=dict)

    def run(self, way: str, *arguments: str, answer: str = "", **env: str) -> Any:
        """Run the script; the ended process."""
        own = {**os.environ, **environment(self.world), "PYTHON": sys.executable}
        own |= {"PATH": f"{self.bin}:{os.environ['PATH']}", "CONFIG": str(self.world.config)}
        return subprocess.run(
            ["sh", str(self.root / "deploy" / "deploy.sh"), way, *arguments],  # noqa: S607  # the system's
            cwd=self.bin,
            env=own | self.env | env,
            input=answer,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def called(self, program: str) -> list[list[str]]:
        """How the program was called since this was last asked."""
        log = self.bin / f"{program}.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def world() -> Iterator[LaptopWorld]:
    """A service that has failed over."""
    with LaptopWorld(traffic_rate=0) as made:
        fail(made, "us-east-1")
        settled(made, "us-west-2", 1, made.push(alert(made, "us-east-1")))
        yield made


@pytest.fixture
def deployer(world: LaptopWorld, tmp_path: Path) -> Deployer:
    """With a settled service."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("terraform", "gcloud", "sleep"):
        (programs / name).write_text(RECORDER.format(python=sys.executable))
        (programs / name).chmod(0o755)
    _document(world, "verified")
    return Deployer(copy_repository(tmp_path / "repository").parent, programs, world)


def _document(world: LaptopWorld, phase: str) -> None:
    """Have its document say how far the shift is."""
    assert world.gcs
    document = world.document()
    document["shift"]["phase"] = phase
    world.gcs.write("checkout.json", json.dumps(document).encode())


@pytest.mark.world
def test_terraform_plans_and_applies_in_one_go(deployer: Deployer) -> None:
    done = deployer.run("terraform", "-lock-timeout=60s", YES="1")
    assert done.returncode == 0, done.stderr
    init, plan, apply = deployer.called("terraform")
    where = "-chdir=terraform"
    archive = deployer.root / "dist" / "function.zip"
    made = deployer.root / "dist" / "deploy.tfplan"
    assert init == [where, "init", "-input=false"]
    assert plan == [
        where, "plan", "-input=false", f"-out={made}", f"-var=config={deployer.world.config}",
        f"-var=source_archive={archive}", "-lock-timeout=60s",
    ]  # fmt: skip
    assert apply == [where, "apply", "-input=false", str(made)]
    assert archive.exists()
    assert not made.exists(), "no plan waits for the next failover"


@pytest.mark.world
@pytest.mark.parametrize("way", ["terraform", "gcloud"])
def test_nothing_is_deployed_while_a_service_shifts(deployer: Deployer, way: str) -> None:
    _document(deployer.world, "committed")
    regions = () if way == "terraform" else GCLOUD
    done = deployer.run(way, *regions, YES="1")
    assert done.returncode == 1
    assert "not now: checkout: a shift is under way (committed)" in done.stderr
    assert deployer.called(way) == []
    assert deployer.run(way, *regions, YES="1", FORCE="1").returncode == 0
    assert deployer.called(way) != []


@pytest.mark.world
@pytest.mark.parametrize("answer", ["", "y\n", "no\n"])
def test_nothing_is_applied_unless_somebody_says_yes(deployer: Deployer, answer: str) -> None:
    done = deployer.run("terraform", answer=answer)
    assert done.returncode == 1
    assert [words[1] for words in deployer.called("terraform")] == ["init", "plan"]
    assert deployer.run("terraform", answer="yes\n").returncode == 0
    assert [words[1] for words in deployer.called("terraform")] == ["init", "plan", "apply"]


@pytest.mark.world
@pytest.mark.terraform
def test_a_dry_run_prints_every_command_and_the_plan_and_applies_nothing(
    deployer: Deployer,
) -> None:
    if missing():
        pytest.skip(missing())
    offline = os.environ.get("TERRAFORM_OFFLINE")
    if not offline:
        pytest.skip("a plan against Google Cloud needs credentials: the dry run was not tried")
    shim = deployer.bin / "terraform"
    shim.write_text(  # without itself on the way: the program behind it calls `terraform` too
        f'#!/bin/sh\nPATH="{os.environ["PATH"]}"\nshift\nverb=$1\nshift\n'
        '[ "$verb" = init ] && exit\n[ "$verb" = plan ] || exit 9\n'
        f'exec "{offline}" "$verb" "{deployer.root}/terraform" "$@"\n'
    )
    regions = '-var=orchestrator_regions=["us-central1","us-east5"]'
    email = '-var=notification_emails=["oncall@example.com"]'
    done = deployer.run("terraform", regions, email, DRY_RUN="1")
    assert done.returncode == 0, done.stderr
    assert " to add, " in done.stdout
    assert "+ terraform -chdir=terraform apply -input=false" in done.stdout
    assert "'-var=orchestrator_regions=" in done.stdout


GCLOUD = ("--region=us-central1", "--region=us-east5", "--email=oncall@example.com")


@pytest.mark.world
def test_a_dry_run_of_gcloud_prints_the_script_and_calls_nothing(deployer: Deployer) -> None:
    done = deployer.run("gcloud", *GCLOUD, DRY_RUN="1")
    assert done.returncode == 0, done.stderr
    assert deployer.called("gcloud") == []
    for part in ("gcloud functions deploy failover-alert", "gcloud scheduler jobs create http"):
        assert part in done.stdout


@pytest.mark.long
@pytest.mark.world
def test_gcloud_makes_everything_once_and_then_brings_it_up_to_date(deployer: Deployer) -> None:
    """The script is run, with a gcloud that says that nothing is there, and then everything."""
    absent = deployer.bin / "gcloud.absent"
    absent.touch()
    done = deployer.run("gcloud", *GCLOUD, YES="1")
    assert done.returncode == 0, done.stderr[-2000:]
    first = deployer.called("gcloud")
    absent.unlink()
    assert deployer.run("gcloud", *GCLOUD, YES="1").returncode == 0
    second = deployer.called("gcloud")
    assert len(_said(first, "create")) > 40
    assert _said(first, "update") == ["storage buckets update"] * 2
    assert _said(second, "create") == ["beta services identity create"], "nothing is made twice"
    updated = _said(second, "update")
    policies = len(list((deployer.root / "dist" / "gcloud").glob("policy_*.json")))
    assert updated.count("iam roles update") == 4
    assert updated.count("alpha monitoring policies update") == policies
    for policy in (word[9:] for words in first + second for word in words if _is_policy(word)):
        assert json.loads(policy)["notificationChannels"] == ["projects/p/things/12345"]
        assert 'check_id=\\"12345\\"' in policy or "check_id" not in policy
        assert not re.search("@[A-Z]+@", policy)


@pytest.mark.world
def test_a_command_in_the_file_is_never_run_by_a_deployment(deployer: Deployer) -> None:
    """Not even by one that is forced, while nobody is asked."""
    mark = deployer.bin / "an-attack-was-run"
    config = yaml.safe_load(deployer.world.config.read_text(encoding="utf-8"))
    config["topics"] = {"alerts": f"$(touch {mark})", "control": f"`touch {mark}`"}
    attacked = deployer.bin / "attacked.yaml"
    attacked.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    done = deployer.run("gcloud", *GCLOUD, YES="1", FORCE="1", CONFIG=str(attacked))
    assert done.returncode != 0
    assert "topics.alerts: write a topic's name" in done.stderr
    assert deployer.called("gcloud") == []
    assert not mark.exists()


def _said(calls: list[list[str]], verb: str) -> list[str]:
    """The commands of this verb, as far as the verb."""
    return [" ".join(words[: words.index(verb) + 1]) for words in calls if verb in words]


def _is_policy(word: str) -> bool:
    return word.startswith("--policy=")
