"""What a person sees when the laptop world's servers refuse, freeze or die, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result

from orchestrator.cli.app import cli
from orchestrator.local.serving import environment
from orchestrator.local.world import LaptopWorld

pytestmark = [pytest.mark.long, pytest.mark.world, pytest.mark.timeout(150)]

ROOT = Path(__file__).parents[2]
PATIENCE = 15.0
"""Seconds that a person may have to wait for any verb."""

LOOKING = (("status",), ("explain",), ("plan",), ("check",), ("history",))


@pytest.fixture(scope="module")
def world() -> Iterator[LaptopWorld]:
    """A world with a document, no uptime checks and no users."""
    with LaptopWorld(controls=1, traffic_rate=0) as made:
        assert made.tick().acknowledged
        yield made


@pytest.fixture(autouse=True)
def _well_again(world: LaptopWorld) -> Iterator[None]:
    yield
    requests.delete(_controls(world), timeout=5)


def _controls(world: LaptopWorld) -> str:
    return f"{world.load_balancer.api_url}/_laptop/faults"


def _fault(world: LaptopWorld, **fault: Any) -> None:  # any JSON
    """The Compute API commits this, again and again."""
    requests.post(_controls(world), json=[{"times": 100, **fault}], timeout=5).raise_for_status()


def _run(world: LaptopWorld, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments], env=environment(world))


def test_check_says_that_an_emulator_takes_whoever_reaches_it(world: LaptopWorld) -> None:
    """What it says of this world is true of it: there is no IAM, and nothing is found closed."""
    findings = json.loads(_run(world, "check", "--json").stdout)["findings"]
    found = [one for one in findings if one["what"].startswith("who may")]
    assert len(found) >= 5
    assert {(one["level"], "an emulator has no IAM" in one["detail"]) for one in found} == {
        ("ok", True)
    }


def test_without_rights_every_verb_says_so_and_what_to_do(world: LaptopWorld) -> None:
    _fault(world, kind="status", status=403, reason="forbidden", message="Required compute.get")
    for verb in LOOKING:
        found = _run(world, *verb)
        assert found.exit_code == (1 if verb[0] in {"status", "plan", "check"} else 0), verb
        assert "Traceback" not in found.output
        if verb != ("history",):
            assert "403 forbidden" in " ".join(found.output.split())
    assert "`failoverctl check` lists what is missing" in _run(world, "status").stderr
    found = _run(world, "tick", "--apply", "--direct", "--json")
    assert found.exit_code == 1
    (view,) = json.loads(found.stdout)["services"]
    assert "403" in view["error"]["message"]


def test_a_frozen_server_costs_no_verb_more_than_a_moment(world: LaptopWorld) -> None:
    _fault(world, kind="delay", seconds=40)
    for verb in (("check",), ("explain",)):
        found = _run(world, *verb, "--json")
        assert "ReadTimeout" in json.dumps(json.loads(found.stdout))


def test_a_control_topic_that_is_gone_is_named_with_what_to_do(
    world: LaptopWorld, tmp_path: Path
) -> None:
    file = tmp_path / "failover.yaml"
    text = world.config.read_text().replace("failover-control", "failover-lost")
    file.write_text(text)
    found = _run(world, "tick", "--apply", "--config", str(file))
    assert found.exit_code == 1
    assert "topics/failover-lost" in found.stderr
    assert "Create the topic" in found.stderr
    assert "does not exist" in _run(world, "check", "--config", str(file)).stdout


def test_serve_ends_by_ctrl_c_with_nothing_left_and_so_does_the_watch() -> None:
    with _serving() as served:
        assert served.stdout is not None
        environ = dict(os.environ)
        for line in served.stdout:
            if found := re.match(r"export (\w+)=(.*)", line):
                environ[found[1]] = found[2].strip("'")
            if "Ctrl-C" in line:
                break
        with _program("status", "--watch", "--every", "0.2", "--json", environ=environ) as watch:
            assert watch.stdout is not None
            looks = [json.loads(next(iter(watch.stdout))) for _ in range(2)]
            watch.send_signal(signal.SIGINT)
            assert watch.wait(PATIENCE) == 0
        assert all(look["services"][0]["service"] == "checkout" for look in looks)
        served.send_signal(signal.SIGINT)
        assert served.wait(PATIENCE) == 0
    assert not Path(environ["FAILOVER_CONFIG"]).exists()
    with pytest.raises(requests.ConnectionError):
        requests.get(environ["STORAGE_EMULATOR_HOST"], timeout=2)


HEARS_CTRL_C = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""What a shell starts in the background ignores Ctrl-C, and so does whatever that starts."""


def _serving() -> subprocess.Popen[str]:
    return _program("serve", environ=dict(os.environ))


def _program(*arguments: str, environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HEARS_CTRL_C, "-u", "-m", "orchestrator.cli", *arguments],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
