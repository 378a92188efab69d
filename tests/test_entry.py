"""The entry points within one process: several services, events handed in, emulator variables."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cloudevents.http import CloudEvent

import main
from orchestrator import entry
from orchestrator.core.exceptions import BadConfig, Unavailable
from orchestrator.local.google.storage import FakeGcs
from orchestrator.wiring import Wiring


def region(name: str, service: str) -> dict[str, str]:
    """A region that nobody can ask for its health."""
    return {"backend": f"projects/local/zones/{name}-a/instanceGroups/{service}-{name}"}


EAST = "us-east-1"


def configured(
    folder: Path,
    *services: str,
    state: str = "",
    extra: dict[str, Any] | None = None,  # any JSON
) -> Path:
    """A configuration with these services, each in two regions, its state in this folder.

    extra: fields of regions, by service and region; `policy`: of every service.
    """
    more = extra or {}
    content = {
        "version": 1,
        "project": "local",
        "state": state or (folder / "state").as_uri(),
        "services": {
            name: {
                "mode": "active-passive",
                "regions": {
                    r: {**region(r, name), **more.get(name, {}).get(r, {})}
                    for r in ("us-east-1", "us-west-2")
                },
                "policy": {"on_unconfirmed": "proceed", **more.get("policy", {})},
                "traffic": {"kind": "backend-service", "backend_service": name},
            }
            for name in services
        },
    }
    path = folder / "failover.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def message(body: object, published: datetime | None = None) -> dict[str, Any]:
    """The data of a CloudEvent around this body."""
    data = base64.b64encode(json.dumps(body).encode()).decode()
    at = (published or datetime.now(UTC)).isoformat()
    return {"message": {"data": data, "messageId": "1", "publishTime": at}, "subscription": "s"}


def alert(**labels: str) -> dict[str, Any]:
    """A notification with these labels on its policy."""
    incident: dict[str, Any] = {"incident_id": "0.a", "state": "open", "policy_user_labels": labels}
    return {"incident": incident, "version": "1.2"}


def document(folder: Path, service: str) -> dict[str, Any]:
    """The state document of a service."""
    found = json.loads((folder / "state" / f"{service}.json").read_text())
    assert isinstance(found, dict)
    return found


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was logged."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def failing(service: str, *regions: str) -> dict[str, dict[str, str]]:
    """Health URLs of these regions of a service, which nobody answers at."""
    found = {r: f"http://{service}-{r}.invalid/healthz" for r in regions}
    return {r: {"health_url": url} for r, url in found.items()}


def test_a_region_label_without_a_service_moves_each_service_whose_own_probe_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Several have the region: each moves only on what it sees itself."""
    path = configured(tmp_path, "checkout", "search", extra={"checkout": failing("checkout", EAST)})
    wiring = Wiring({"FAILOVER_CONFIG": str(path)}, tmp_path)
    assert entry.alert(message(alert(region=EAST)), wiring) == "moved, held"
    assert document(tmp_path, "checkout")["primary"] == "us-west-2"
    assert document(tmp_path, "search")["primary"] == EAST
    routing = tmp_path / "state/backend-services/checkout.json"
    assert "service=checkout " in json.loads(routing.read_text())["description"]
    told = [line for line in lines(capsys) if "has no `service` label" in line["message"]]
    assert {line["severity"] for line in told} >= {"INFO"}


def test_an_alert_that_contradicts_itself_moves_nothing_and_says_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though the policy asks for no second signal: a healthy primary keeps its traffic."""
    extra = {"checkout": failing("checkout", "us-west-2"), "policy": {"confirm": "none"}}
    wiring = Wiring(
        {"FAILOVER_CONFIG": str(configured(tmp_path, "checkout", extra=extra))}, tmp_path
    )
    told = alert(region=EAST, service="checkout")
    told["incident"]["resource"] = {"labels": {"host": "checkout-us-west-2.invalid"}}
    assert entry.alert(message(told), wiring) == "held"
    assert document(tmp_path, "checkout")["primary"] == EAST
    (line,) = [line for line in lines(capsys) if "names two different regions" in line["message"]]
    assert line["severity"] == "ERROR"
    assert "labels service=checkout region=us-east-1" in line["message"]
    assert "host checkout-us-west-2.invalid (of us-west-2 of checkout)" in line["message"]


def test_an_alert_labelled_for_others_is_taken_when_its_host_is_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = configured(tmp_path, "checkout", extra={"checkout": failing("checkout", EAST)})
    wiring = Wiring({"FAILOVER_CONFIG": str(path)}, tmp_path)
    told = alert(region="mars-1", service="billing")
    assert entry.alert(message(told), wiring) == "ignored"
    told["incident"]["resource"] = {"labels": {"host": f"checkout-{EAST}.invalid"}}
    assert entry.alert(message(told), wiring) == "moved"
    (line,) = [
        line for line in lines(capsys) if "labelled for an unknown service" in line["message"]
    ]
    assert line["severity"] == "WARNING"


def test_a_service_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    """Its own error is raised, so that the message comes again; the other has moved already."""
    path = configured(tmp_path, "checkout", "search", extra={"search": failing("search", EAST)})
    wiring = Wiring({"FAILOVER_CONFIG": str(path)}, tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "state/checkout.json").write_text("{broken")
    with pytest.raises(Unavailable, match=r"checkout\.json is corrupt"):
        entry.alert(message(alert(region="us-east-1")), wiring)
    assert document(tmp_path, "search")["primary"] == "us-west-2"
    assert (tmp_path / "state/checkout.json").read_text() == "{broken"


def test_an_event_handed_in_as_an_object_is_taken_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the framework's CloudEvent signature does; a body that is no JSON comes as bytes."""
    monkeypatch.setenv("FAILOVER_CONFIG", str(configured(tmp_path, "checkout")))
    monkeypatch.delenv("COMPUTE_EMULATOR_HOST", raising=False)
    monkeypatch.setattr(main, "_wiring", None)
    attributes = {"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//p"}
    event = CloudEvent(attributes, message(alert(region="us-east-1", service="checkout")))
    functions: Any = main  # its types speak of requests
    assert functions.on_alert(event) == "moved\n"
    assert functions.on_alert(CloudEvent(attributes, b"\x00 no json")) == "poison\n"
    assert functions.on_control(CloudEvent(attributes, message({"kind": "tick"}))) == "unchanged\n"


def test_a_tick_that_has_waited_is_acknowledged_without_work(tmp_path: Path) -> None:
    wiring = Wiring({"FAILOVER_CONFIG": str(configured(tmp_path, "checkout"))}, tmp_path)
    late = message({"kind": "tick"}, datetime.now(UTC) - timedelta(minutes=5))
    assert entry.control(late, wiring) == "ignored"
    assert not (tmp_path / "state").exists()


def test_a_configuration_that_cannot_be_used_is_an_error_that_pages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = configured(tmp_path, "checkout")
    path.write_text(path.read_text().replace("active-passive", "passive"))
    with pytest.raises(BadConfig):
        entry.alert(
            message(alert(region="us-east-1")), Wiring({"FAILOVER_CONFIG": str(path)}, path)
        )
    _, line, answer = lines(capsys)  # the first says that nobody's token is asked for
    assert line["severity"] == "CRITICAL"
    assert line["page"] is True
    assert line["command"] == "failoverctl check"
    assert "5xx" in answer["message"]
    assert "services.checkout.mode" in line["message"]


@pytest.fixture
def gcs(tmp_path: Path) -> Iterator[FakeGcs]:
    made = FakeGcs("laptop-failover", tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.mark.world
@pytest.mark.parametrize("scheme", ["", "http://"])
def test_the_emulator_variables_are_taken_with_and_without_a_scheme(
    gcs: FakeGcs, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage library looks at its variable too, and must not be misled by it."""
    host = scheme + gcs.url.removeprefix("http://")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", host)
    path = configured(tmp_path, "checkout", state="gs://laptop-failover/some/folder")
    wiring = Wiring({**os.environ, "FAILOVER_CONFIG": str(path)}, tmp_path)
    objects = wiring.world().context.objects
    assert objects.get("checkout.json") is None
    generation = objects.put("checkout.json", b"{}", 0)
    assert objects.get("checkout.json") == (b"{}", generation)
    assert gcs.names() == ("some/folder/checkout.json",)


@pytest.mark.world
def test_the_configuration_may_lie_in_a_bucket(
    gcs: FakeGcs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
    gcs.write("conf/failover.yaml", configured(tmp_path, "checkout").read_bytes())
    environ = {"STORAGE_EMULATOR_HOST": gcs.url}
    there = {**environ, "FAILOVER_CONFIG": "gs://laptop-failover/conf/failover.yaml"}
    assert set(Wiring(there, tmp_path).world().config.services) == {"checkout"}
    nowhere = {**environ, "FAILOVER_CONFIG": "gs://laptop-failover/conf/none.yaml"}
    with pytest.raises(BadConfig, match="no such object"):
        Wiring(nowhere, tmp_path).world()
