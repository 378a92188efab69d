"""What an author of the file, or of the arguments, cannot have the deployer's machine do.

Two gates, each tried by itself: such texts are refused before anything is written, and a text that
got past the first gate still reaches gcloud as it stands, as one word.
"""

from __future__ import annotations

import copy
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.gcloud import __main__ as program
from deploy.gcloud import step
from deploy.gcloud.settings import Settings
from orchestrator.local.process.child import ROOT

EVERYTHING = ROOT / "terraform" / "tests" / "everything.yaml"
MARK = "an-attack-was-run"
ATTACKS = {
    "a command": f"$(touch {MARK})",
    "backticks": f"`touch {MARK}`",
    "a quote that ends": f"x'; touch {MARK}; echo '",
    "a double quote that ends": f'x"; touch {MARK}; echo "',
    "another line": f"x\ntouch {MARK}\n",
    "a variable": "${number}",
    "a variable's own command": f"${{number:-$(touch {MARK})}}",
    "a filled file": f"$(filled x; touch {MARK})",
    "a filled file, or else a command": f"$(filled x || touch {MARK})",
    "another command": f"x; touch {MARK}",
    "a pipe": f"x | touch {MARK} &",
    "another expression": 'x" || resource.name != "',
    "a flag": "--impersonate-service-account=somebody",
}
FIELDS = {
    "project": ("project",),
    "state": ("state",),
    "topics.alerts": ("topics", "alerts"),
    "topics.control": ("topics", "control"),
    "topics.events": ("topics", "events"),
    "services.search.traffic.backend_service": (
        *("services", "search", "traffic", "backend_service"),
    ),
    "services.search.regions.us-east-1.health_url": (
        *("services", "search", "regions", "us-east-1", "health_url"),
    ),
}
NAMED = {"services": ("services",), "services.search.regions": ("services", "search", "regions")}
"""Where people choose the keys."""

PATHS = {"state", "services.search.regions.us-east-1.health_url"}
"""Where a text stands behind a host or bucket, so that it begins no word."""

FLAGS = ("--name", "--region", "--email")


def attacked(steps: tuple[str, ...], attack: str) -> Any:
    """The configuration with the attack in this place."""
    config = copy.deepcopy(yaml.safe_load(EVERYTHING.read_text(encoding="utf-8")))
    inside = config
    for one in steps[:-1]:
        inside = inside[one]
    prefix = {"state": "gs://my-project-failover/", "health_url": "https://a.example.com/"}
    inside[steps[-1]] = prefix.get(steps[-1], "") + attack
    return config


def renamed(steps: tuple[str, ...], attack: str) -> Any:
    """The configuration with the attack as the first name in this place."""
    config = copy.deepcopy(yaml.safe_load(EVERYTHING.read_text(encoding="utf-8")))
    inside = config
    for one in steps:
        inside = inside[one]
    inside[attack] = inside.pop(next(iter(inside)))
    return config


def arguments(folder: Path, config: Path, **other: str) -> list[str]:
    """A whole command line. other: flags to be given another value."""
    archive = folder / "function.zip"
    archive.write_bytes(b"an archive")
    given = {
        "--config": str(config), "--archive": str(archive), "--to": str(folder / "out"),
        "--name": "failover", "--email": "oncall@example.com", "--region": "us-east5",
    } | other  # fmt: skip
    return [f"{name}={value}" for name, value in given.items()] + ["--region=us-central1"]


@pytest.mark.parametrize(
    ("field", "attack"),
    [
        pytest.param(field, attack, id=f"{field}: {what}")
        for field in (*FIELDS, *NAMED)
        for what, attack in ATTACKS.items()
        if not (what == "a flag" and field in PATHS)
    ],
)
def test_a_file_with_a_command_in_it_is_refused_by_its_field_and_nothing_is_written(
    field: str, attack: str, tmp_path: Path
) -> None:
    steps = {**FIELDS, **NAMED}[field]
    config = (attacked if field in FIELDS else renamed)(steps, attack)
    path = tmp_path / "failover.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    with pytest.raises(SystemExit) as refused:
        program.main(arguments(tmp_path, path))
    assert "Nothing was written" in str(refused.value)
    assert field in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize("flag", FLAGS)
def test_an_argument_with_a_command_in_it_is_refused(
    flag: str, attack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        program.main(arguments(tmp_path, EVERYTHING, **{flag: attack}))
    assert f"argument {flag}: write " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


STUB = """\
#!/bin/sh
printf '%s\\n' "$@" >>"$0.log"
echo 12345
"""


def everywhere(settings: Settings, attack: str) -> Settings:
    """The attack in every field and argument at once, past every check."""
    config = attacked(("project",), attack)
    config["state"] = f"gs://{attack}"
    config["topics"] = {use: f"{use}{attack}" for use in config["topics"]}
    for service in config["services"].values():
        service["traffic"]["backend_service"] += attack
        service["regions"] = {
            f"{name}{attack}": {**region, "health_url": f"https://a.example.com/{attack}"}
            for name, region in service["regions"].items()
        }
    regions, emails = (f"r{attack}", "r2"), (f"e{attack}",)
    return replace(settings, config=config, name=f"n{attack}", regions=regions, emails=emails)


@pytest.fixture
def shelled(tmp_path: Path) -> Path:
    """A folder with a gcloud that writes down its words, and nothing else on the way."""
    for name in ("gcloud", "sleep"):
        (tmp_path / name).write_text(STUB)
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_command_past_every_check_is_a_word_like_any_other(attack: str, shelled: Path) -> None:
    """The script is run, to its end: nothing but gcloud runs, and it gets the text as it stands."""
    given = program.settings_of(arguments(shelled, EVERYTHING))
    settings = everywhere(given, attack)
    folder = shelled / f"to {attack[:1]} ; touch {MARK}"  # the folder is the caller's choice
    settings = replace(settings, folder=folder)
    folder.mkdir()
    for name, content in program.files(settings).items():
        if "/" not in name and "\0" not in name and len(name) < 200:
            (folder / name).write_text(content, encoding="utf-8")
    done = subprocess.run(
        ["sh"],  # noqa: S607  # the system's
        input=program.script(settings),
        cwd=shelled,
        env={"PATH": f"{shelled}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = (shelled / "gcloud.log").read_text(encoding="utf-8")
    assert not list(shelled.rglob(MARK)), done.stderr
    assert f"\ncontrol{attack}\n" in said, done.stderr + said[-500:]
    assert f"--name=n{attack}" not in said
    assert "alpha\nmonitoring\npolicies\n" in said, done.stderr


def test_a_variable_is_one_by_its_type_only() -> None:
    number = step.Variable("number")
    assert step.command(("x", "${number}")) == "gcloud x '${number}'"
    assert step.command(("x", step.word("$(a)", number, "`b`"))) == (
        "gcloud x '$(a)'\"${number}\"'`b`'"
    )


@pytest.mark.parametrize("name", ["", "a b", "a}", "a:-$(x)", "A\n"])
def test_what_is_no_name_is_no_variable(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a variable"):
        step.Variable(name)


def test_a_title_ends_with_its_line() -> None:
    with pytest.raises(ValueError, match="one line"):
        step.Title(f"x\ntouch {MARK}")


def test_a_question_of_several_lines_is_asked_whole() -> None:
    """Names at their longest make commands that go over more than one line."""
    look = ("describe", "x" * 100, "--project=p")
    one = step.Step(("create",), look, ("update",))
    done = subprocess.run(
        ["sh", "-n"],  # noqa: S607  # the system's
        input=step.shell(one),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert step.shell(one).startswith("if gcloud describe")
