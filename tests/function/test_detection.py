"""The whole chain with detection: nobody tells the orchestrator but the uptime checks."""

from __future__ import annotations

import pytest

from orchestrator.local.process.wait import wait_until
from orchestrator.local.run import main
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import settled

pytestmark = [pytest.mark.long, pytest.mark.world, pytest.mark.timeout(180)]


def test_a_dead_region_is_detected_left_and_its_incident_closed_when_it_is_back() -> None:
    with LaptopWorld(pace=60) as world:
        assert world.monitoring is not None
        world.regions["us-east-1"].kill()
        incident = world.monitoring.wait_for_open("us-east-1", 60)
        world.traffic.wait_for(
            lambda samples: (
                len(samples) > 40 and all(s.ok and s.region == "us-west-2" for s in samples[-40:])
            ),
            60,
            "users to be served by the next region",
        )
        settled(world, "us-west-2", 1)
        world.regions["us-east-1"].start()
        closed = world.monitoring.wait_for_closed("us-east-1", 60)
        assert closed.incident_id == incident.incident_id
        wait_until(
            lambda: world.document()["regions"]["us-east-1"]["status"] == "recovering",
            30,
            "the close to arrive",
        )
        settled(world, "us-west-2", 1)


@pytest.mark.long
def test_the_story_is_told_to_its_good_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    told = capsys.readouterr().out
    assert "epoch 1 to 2, primary is eu-west-1" in told
    assert "phase=verified" in told
