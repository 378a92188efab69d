"""What a cold instance pays for: nothing before its first event, and then what that event uses."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orchestrator.local.process.child import ROOT
from orchestrator.local.rpc.proxy import RunBeside
from orchestrator.local.rpc.wire import Json
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import alert, fail, is_patch, once, settled

pytestmark = [pytest.mark.world, pytest.mark.timeout(120)]

# grpc is no part of this list: google.api_core, beneath the storage library, imports it if it can
HEAVY = ("google.cloud.compute_v1", "google.cloud.pubsub_v1", "google.cloud.monitoring_v3")


def test_loading_main_imports_nothing_of_ours_or_of_google() -> None:
    code = (
        "import sys, main; print([m for m in sys.modules"
        " if m.split('.')[0] in {'orchestrator', 'requests', 'yaml', 'pydantic'}"
        " or m.startswith('google.cloud.storage')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.long
@pytest.mark.parametrize("overrides", [{}, {"gauges": True}], ids=["default", "gauges"])
def test_the_first_alert_moves_traffic_before_anything_heavy_is_imported(
    overrides: dict[str, Json],
) -> None:
    """Read from the interpreter's own account of its imports, at the moment of the patch."""
    imported: list[str] = []
    env = {"PYTHONPROFILEIMPORTTIME": "1"}
    with LaptopWorld(traffic_rate=0, proxies=True, env=env, overrides=overrides) as world:
        log = world.functions[0].log

        def look() -> None:
            imported.append(log.read_text())

        world.compute_proxies[0].hook = once(is_patch, RunBeside(before=look))
        fail(world, "us-east-1")
        settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))
    [text] = imported
    modules = {line.rsplit("|", 1)[-1].strip() for line in text.splitlines() if "|" in line}
    assert "google.cloud.storage" in modules
    assert not [name for name in HEAVY if name in modules]
