"""What Pub/Sub and Monitoring do to a message, on the laptop world, as `explain` tells it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.app import cli
from orchestrator.local.blueprint import SERVICE
from orchestrator.local.monitoring.notification import closed, opened, trial
from orchestrator.local.rpc.wire import Json
from orchestrator.local.serving import environment
from orchestrator.local.world import LaptopWorld

pytestmark = [pytest.mark.long, pytest.mark.world, pytest.mark.timeout(120)]

ONE_PROBE: dict[str, Json] = {"services": {SERVICE: {"policy": {"recovery_probes": 1}}}}
"""A tick's one look is proof enough, so that nobody waits for three of them 45 s apart."""


class Seat:
    """A person beside a world."""

    def __init__(self, world: LaptopWorld) -> None:
        self.world = world

    def run(self, *arguments: str) -> Result:
        """One command, pointed at this world."""
        return CliRunner().invoke(cli, [*arguments], env=environment(self.world))

    def explain(self, *identity: str) -> str:
        """What `explain` says."""
        found = self.run("explain", SERVICE, *identity)
        assert found.exit_code == 0, found.output
        return found.stdout

    def history(self) -> list[dict[str, Any]]:
        """The decisions, newest first."""
        found = json.loads(self.run("history", "--json").stdout)["history"]
        assert isinstance(found, list)
        return found

    def log(self) -> str:
        """What the function has logged."""
        lines = self.world.functions[0].log_lines()
        return "\n".join(str(line.get("message")) for line in lines)

    def fail(self, region: str, status: int = 503) -> None:
        """The region's health endpoint answers so from now on."""
        self.world.regions[region].behave(health_status=status, serve_status=status)


@pytest.fixture
def seat() -> Iterator[Seat]:
    """A world with a function for alerts, one for ticks, and no uptime checks."""
    with LaptopWorld(controls=1, traffic_rate=0, overrides=ONE_PROBE) as world:
        yield Seat(world)


def test_a_lost_notification_is_found_by_a_tick_and_explained(seat: Seat) -> None:
    assert seat.world.tick().acknowledged
    seat.fail("us-east-1")
    before = seat.explain()
    assert "No alert has come for us-east-1, although its probe fails." in before
    assert seat.world.tick().acknowledged
    after = seat.explain()
    assert "A tick looked at everything itself. No alert was involved." in after
    assert "It MOVED the traffic from us-east-1 to us-west-2" in after
    assert "opened by ticks that saw the region fail without any alert" in after


def test_a_lost_close_is_found_by_a_tick_and_explained(seat: Seat) -> None:
    seat.fail("us-east-1")
    seat.world.push(opened(seat.world.check("us-east-1"), "0.lost-close", datetime.now(UTC)))
    assert "still open" in seat.explain("0.lost-close")
    seat.fail("us-east-1", 200)
    assert seat.world.tick().acknowledged
    told = seat.explain("0.lost-close")
    assert "Monitoring never closed it, but the region has proven healthy since" in told
    assert "us-east-1 is up" in seat.explain()


def test_a_doubled_notification_is_one_decision(seat: Seat) -> None:
    seat.fail("us-east-1")
    alert = opened(seat.world.check("us-east-1"), "0.twice", datetime.now(UTC))
    for identity in ("same", "same", None, None):
        assert seat.world.push(alert, message_id=identity).acknowledged
    told = seat.explain("0.twice")
    assert told.count("It MOVED") == 1
    assert "A duplicate changes nothing" in told
    assert len(seat.history()) == 1
    assert len(seat.world.patches()) == 1


def test_a_close_before_its_open_changes_no_region_whatever_comes_after(seat: Seat) -> None:
    check, now = seat.world.check("us-east-1"), datetime.now(UTC)
    assert seat.world.push(closed(check, "0.backwards", now, now)).acknowledged
    told = seat.explain("0.backwards")
    assert "only its close has come, and not its open. It changes no region" in told
    assert seat.world.push(opened(check, "0.backwards", now)).acknowledged
    after = seat.explain("0.backwards")
    assert "closed by Monitoring" in after
    assert "It MOVED" not in seat.explain()
    assert seat.world.routed_regions == ("us-east-1",)
    assert not seat.world.patches()


def test_a_test_of_the_channel_leaves_no_record_and_explain_says_that_it_would_not(
    seat: Seat,
) -> None:
    seat.world.tick()
    before = seat.world.document()
    assert seat.world.push(trial()).acknowledged
    assert seat.world.document() == before
    incident = trial()["incident"]
    assert isinstance(incident, dict)
    found = seat.run("explain", SERVICE, str(incident["incident_id"]))
    assert found.exit_code == 1
    assert "a test of the channel" in found.stderr
    assert "ignored: a test of the notification channel" in seat.log()


def test_the_events_topic_is_gone_and_the_failover_happens_all_the_same(seat: Seat) -> None:
    seat.world.messaging.pubsub.delete(seat.world.messaging.events.path)
    seat.fail("us-east-1")
    alert = opened(seat.world.check("us-east-1"), "0.silent", datetime.now(UTC))
    assert seat.world.push(alert).acknowledged
    assert seat.world.routed_regions == ("us-west-2",)
    log = seat.log()
    assert "not published. The failover itself is not affected" in log
    assert "failover-events" in log
    assert "It MOVED" in seat.explain("0.silent")
    found = seat.run("check")
    assert found.exit_code == 1
    assert "does not exist" in found.stdout


def test_a_failover_is_read_from_the_events_topic_as_a_cloud_event(seat: Seat) -> None:
    seat.fail("us-east-1")
    seat.world.push(opened(seat.world.check("us-east-1"), "0.event", datetime.now(UTC)))
    (message,) = seat.world.events()
    event = message.json()
    assert event["type"] == "failover.decision.moved"
    assert event["id"] == seat.history()[0]["id"]
    assert message.attributes["ce-id"] == event["id"]


def test_a_corrupt_document_stays_as_it_is_until_it_is_restored(seat: Seat) -> None:
    gcs = seat.world.gcs
    assert gcs is not None
    seat.fail("us-east-1")
    seat.world.push(opened(seat.world.check("us-east-1"), "0.before", datetime.now(UTC)))
    good = seat.world.document()
    gcs.write(f"{SERVICE}.json", b'{"schema": 1, "epoch": 1')
    found = seat.run("tick", "--apply", "--direct")
    assert found.exit_code == 1
    assert "failoverctl state restore checkout" in found.stderr
    assert gcs.read(f"{SERVICE}.json") == b'{"schema": 1, "epoch": 1'
    found = seat.run("explain")
    assert found.exit_code == 1
    assert "corrupt" in found.stderr
    assert seat.run("state", "restore", "--apply").exit_code == 0
    after = seat.world.document()
    assert after["epoch"] == good["epoch"] + 1
    assert after["incidents"] == good["incidents"]
    assert after["revision"] > good["revision"]
    assert (
        seat.world.backend_service()["description"].startswith(
            f"failover epoch={after['epoch']} service={SERVICE} rev={after['revision']}"
        )
        or after["shift"]["epoch"] == after["epoch"]
    )
    assert seat.world.tick().acknowledged
    assert seat.world.routed_regions == ("us-west-2",)
    assert "state restore of generation" in seat.explain()
