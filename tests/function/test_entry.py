"""What the function answers on real parts: poison, strangers, ticks, older files."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.local.monitoring.notification import trial
from orchestrator.local.process.ask import ask
from orchestrator.local.process.child import ROOT
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import alert, close, fail, put_service, settled

pytestmark = [pytest.mark.world, pytest.mark.timeout(120)]

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def quiet() -> Iterator[LaptopWorld]:
    """A world in which nothing moves."""
    with LaptopWorld(traffic_rate=0) as made:
        yield made


def push(data: bytes) -> bytes:
    """The envelope of a push around these bytes."""
    message = {"data": base64.b64encode(data).decode(), "messageId": "1"}
    return json.dumps({"message": message, "subscription": "s"}).encode()


INCIDENT = {"incident_id": "0.p", "state": "open", "policy_user_labels": {"region": "us-east-1"}}
POISON = {
    "not JSON at all": b"\x00\xff garbage",
    "an empty body": b"",
    "a list": b"[1, 2]",
    "no message": b'{"hello": 1}',
    "a message that is text": b'{"message": "x"}',
    "no data": b'{"message": {}}',
    "data that is not base64": b'{"message": {"data": "%%%"}}',
    "data that is not JSON": push(b"not json"),
    "a notification that is a number": push(b"7"),
    "no incident": push(b'{"version": "1.2"}'),
    "an incident that is text": push(b'{"incident": "x", "version": "1.2"}'),
    "an unknown state": push(json.dumps({"incident": {**INCIDENT, "state": "ajar"}}).encode()),
    "a version of the future": push(json.dumps({"incident": INCIDENT, "version": "3.0"}).encode()),
    "nesting without end": push(b'{"incident":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "more than a megabyte": push(b'{"incident": "' + b"x" * 1_100_000 + b'"}'),
    "an unknown region": push(
        json.dumps(
            {"incident": {**INCIDENT, "policy_user_labels": {"region": "mars-north-1"}}}
        ).encode()
    ),
    "nothing that matches": push(json.dumps({"incident": {"state": "open"}}).encode()),
}


@pytest.mark.parametrize("body", POISON.values(), ids=POISON.keys())
def test_poison_is_acknowledged_journaled_once_and_changes_nothing(
    quiet: LaptopWorld, body: bytes
) -> None:
    assert quiet.gcs is not None
    before = (quiet.document(), quiet.backend_service(), set(quiet.gcs.names("journal/_poison/")))
    for _ in range(2):
        answer = ask(quiet.functions[0].url, "POST", body, JSON)
        assert answer.status == 200
        assert answer.body == b"poison\n"
    after = set(quiet.gcs.names("journal/_poison/"))
    assert (quiet.document(), quiet.backend_service()) == before[:2]
    [name] = after - before[2]
    kept = quiet.gcs.read_json(name)
    assert kept["reason"]
    assert len(kept["first"]) <= 4096


def test_structured_garbage_with_cloud_event_headers_is_poison_too(quiet: LaptopWorld) -> None:
    headers = {"Content-Type": "application/cloudevents+json", "ce-id": "1"}
    answer = ask(quiet.functions[0].url, "POST", b"{broken", headers)
    assert (answer.status, answer.body) == (200, b"poison\n")


def test_a_test_of_the_channel_and_an_alert_for_others_are_acknowledged_in_peace(
    quiet: LaptopWorld,
) -> None:
    assert quiet.gcs is not None
    names = quiet.gcs.names()
    stranger = {**INCIDENT, "policy_user_labels": {"service": "search", "region": "us-east-1"}}
    for body in (trial(), {"incident": stranger, "version": "1.2"}):
        delivery = quiet.push(body)
        assert [attempt.status for attempt in delivery.attempts] == [200]
    assert quiet.gcs.names() == names


def test_a_get_is_no_delivery(quiet: LaptopWorld) -> None:
    assert ask(quiet.functions[0].url).status == 405


@pytest.mark.long
def test_a_tick_repairs_drift_finishes_what_a_crash_left_and_then_writes_nothing() -> None:
    """Recovery is proven by ticks too: three probes, 45 s apart, are not had in a second."""
    with LaptopWorld(traffic_rate=0, controls=1, operation_seconds=0.05) as world:
        fail(world, "us-east-1")
        settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))
        stolen = [{**b, "capacityScaler": 1.0} for b in world.backend_service()["backends"]]
        put_service(world, backends=stolen)
        assert len(world.routed_regions) == 3
        assert world.tick().acknowledged
        settled(world, "us-west-2", 1)
        assert world.tick().acknowledged
        before, patches = world.document(), len(world.patches())
        assert world.tick().acknowledged
        assert world.document() == before
        assert len(world.patches()) == patches
        assert ask(world.controls[0].url, "POST", push(b'{"kind": "dance"}'), JSON).status == 200


@pytest.mark.long
def test_the_type_of_a_regional_group_is_learnt_by_a_tick_and_remembered() -> None:
    with LaptopWorld(traffic_rate=0, controls=1, lever="membership") as world:
        assert world.tick().acknowledged
        assert world.document()["lever"] == "membership"
        assert world.patches() == []


@pytest.mark.long
def test_the_older_flat_file_is_upgraded_and_kept_up_to_date() -> None:
    with LaptopWorld(traffic_rate=0) as world:
        assert world.gcs is not None
        flat = {
            name: {"endpoint": f"dynamodb.{name}.amazonaws.com", "healthy": True}
            for name in world.regions
        }
        world.gcs.write("dynamodb_regions.json", json.dumps(flat).encode())
        fail(world, "us-east-1")
        settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))
        after = world.document("dynamodb_regions.json")
        assert [entry["healthy"] for entry in after.values()] == [False, True, True]


@pytest.mark.long
def test_a_close_before_its_open_ends_like_the_other_order() -> None:
    with LaptopWorld(traffic_rate=0) as world:
        fail(world, "us-west-2")
        assert world.push(close(world, "us-west-2", "0.x", ago=60)).acknowledged
        assert world.document()["regions"]["us-west-2"]["status"] == "up"
        assert world.push(alert(world, "us-west-2", "0.x", ago=60)).acknowledged
        document = world.document()
        assert document["incidents"]["0.x"]["state"] == "closed"
        assert document["regions"]["us-west-2"]["status"] == "recovering"
        assert world.patches() == []


MUST_HAPPEN = {
    "primary-down": "moved",
    "primary-closed": "unchanged",
    "standby-down": "health",
    "state-in-capitals": "moved",
    "host-only": "moved",
    "labels-only": "moved",
    "check-id-in-filter": "moved",
    "log-match": "moved",
    "yesterdays": "held",
    "channel-test": "ignored",
    "another-service": "ignored",
    "unknown-region": "poison",
    "poison": "poison",
}


def test_every_sample_is_listed_with_what_must_happen() -> None:
    samples = {path.stem for path in (ROOT / "examples/alerts").glob("*.json")}
    assert samples == set(MUST_HAPPEN)
    listed = (ROOT / "examples/alerts/README.md").read_text()
    assert all(f"`{name}.json`" in listed for name in samples)


QUICK = {"primary-down"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else (pytest.mark.long,))
        for name in MUST_HAPPEN
    ],
)
def test_a_sample_sent_by_curl_does_what_its_line_says(name: str, tmp_path: Path) -> None:
    """The function under plain functions-framework, no world: `make invoke`."""
    done = subprocess.run(
        ["/bin/sh", "examples/invoke.sh", f"examples/alerts/{name}.json"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHON": sys.executable, "STATE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"HTTP 200\n{MUST_HAPPEN[name]}\n" in done.stdout
    moved = (tmp_path / "backend-services/checkout.json").exists()
    assert moved == (MUST_HAPPEN[name] == "moved")
