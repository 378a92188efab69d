"""Commands by Pub/Sub, on the laptop world: published, carried out by a function, waited for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.app import cli
from orchestrator.local.blueprint import SERVICE
from orchestrator.local.process.child import ROOT
from orchestrator.local.process.wait import wait_until
from orchestrator.local.rpc.wire import Json
from orchestrator.local.serving import environment
from orchestrator.local.world import LaptopWorld

pytestmark = [pytest.mark.world, pytest.mark.long, pytest.mark.timeout(150)]

QUICK: dict[str, Json] = {
    "services": {
        SERVICE: {
            "policy": {
                "recovery_probes": 1,
                "graceful": {"max_staleness": "1s", "request_timeout": "1s", "deadline": "95s"},
            }
        }
    }
}
DONE = ("--apply", "--reason", "a drill")


@pytest.fixture(scope="module")
def world() -> Iterator[LaptopWorld]:
    """Two functions take every alert and command."""
    with LaptopWorld(functions=2, controls=2, overrides=QUICK) as made:
        made.tick()
        yield made


def run(world: LaptopWorld, *arguments: str) -> Result:
    """One command line."""
    found = CliRunner().invoke(cli, [*arguments], env=environment(world))
    assert "Traceback" not in found.output
    return found


@pytest.mark.long
def test_a_graceful_failover_and_failback_lose_no_user_request(world: LaptopWorld) -> None:
    before = len(world.traffic.samples)
    found = run(world, "failover", SERVICE, "--to", "us-west-2", *DONE)
    assert found.exit_code == 0, found.output
    assert "It MOVED the traffic from us-east-1 to us-west-2" in found.stdout
    assert world.routed_regions == ("us-west-2",)
    document = world.document()
    assert document["switch"] is None
    assert document["moves"] == []
    wait_until(lambda: world.traffic.samples[-1].region == "us-west-2", 30, "users to follow")
    found = run(world, "failback", SERVICE, "--now", *DONE)
    assert found.exit_code == 0, found.output
    assert world.routed_regions == ("us-east-1",)
    wait_until(lambda: world.traffic.samples[-1].region == "us-east-1", 30, "users to be back")
    assert all(sample.ok for sample in world.traffic.samples[before:])


def test_two_functions_carry_one_command_out_once(world: LaptopWorld) -> None:
    epoch = world.document()["epoch"]
    found = run(world, "failover", SERVICE, "--to", "eu-west-1", "--now", *DONE, "--json")
    assert found.exit_code == 0, found.output
    entry = json.loads(found.stdout)["services"][0]["decision"]
    assert entry["outcome"] == "moved"
    assert world.document()["epoch"] == epoch + 1
    history = world.document()["history"]
    assert len([one for one in history if one["signal"] == entry["signal"]]) == 1
    run(world, "failback", SERVICE, "--now", *DONE)


def test_commands_that_race_are_each_decided_on_what_the_other_left(world: LaptopWorld) -> None:
    def begin(region: str) -> subprocess.Popen[str]:
        words = ["failover", SERVICE, "--to", region, "--now", "--direct", *DONE]
        return subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", *words],
            cwd=ROOT,
            env={**os.environ, **environment(world)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    both = [begin(region) for region in ("us-west-2", "eu-west-1")]
    told = [one.communicate(timeout=60)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], told
    document = world.document()
    assert world.routed_regions == (document["primary"],)
    assert document["primary"] in {"us-west-2", "eu-west-1"}
    description = world.backend_service()["description"]
    assert f"epoch={document['epoch']} " in description
