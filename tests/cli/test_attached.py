"""What the verbs tell of attached standbys, beside regions that answer for real."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.support.desk import Desk
from tests.support.fakes import REGIONS, configuration

EAST, WEST, EU = REGIONS


class Regions:
    """Three applications on loopback. primary, epoch: of the document that they know."""

    def __init__(self) -> None:
        self.primary, self.epoch = EAST, 0
        self.without_role: set[str] = set()
        self.down: set[str] = set()
        self.servers = {
            name: ThreadingHTTPServer(("127.0.0.1", 0), self._app(name)) for name in REGIONS
        }
        for server in self.servers.values():
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, name: str) -> str:
        """Its health URL."""
        return f"http://127.0.0.1:{self.servers[name].server_address[1]}/health"

    def close(self) -> None:
        """End them."""
        for server in self.servers.values():
            server.shutdown()
            server.server_close()

    def _app(self, name: str) -> type[BaseHTTPRequestHandler]:
        world = self

        class Application(BaseHTTPRequestHandler):
            """Answers of its health and of its role."""

            def do_GET(self) -> None:
                """One answer."""
                is_role = self.path == "/health/primary"
                well = name not in world.down
                if is_role and name in world.without_role:
                    status = 404
                else:
                    status = 200 if well and (not is_role or name == world.primary) else 503
                body = json.dumps({"epoch": world.epoch}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        return Application


@pytest.fixture
def regions() -> Iterator[Regions]:
    """Regions that answer well; the first is the primary."""
    made = Regions()
    yield made
    made.close()


@pytest.fixture
def at_desk(desk: Desk, regions: Regions) -> Desk:
    """A desk whose service has attached standbys, and a document."""
    content = configuration(standby="attached")
    content["state"] = desk.state.as_uri()
    for name, region in content["services"]["checkout"]["regions"].items():
        region["health_url"] = regions.url(name)
    desk.config.write_text(yaml.safe_dump(content, sort_keys=False))
    desk.json("tick", "--direct", "--apply")
    return desk


Findings = Callable[[], dict[str, tuple[str, str]]]


@pytest.fixture
def findings(at_desk: Desk) -> Findings:
    """What `check` finds of one kind, by its detail."""

    def found() -> dict[str, tuple[str, str]]:
        answer = at_desk.run("check", "--json")
        told = json.loads(answer.stdout)["findings"]
        kinds = {"role", "standby", "health check", "load balancer"}
        return {one["detail"]: (one["level"], one["do"]) for one in told if one["what"] in kinds}

    return found


def test_check_tells_every_role_and_what_it_cannot_see(
    findings: Findings, regions: Regions
) -> None:
    told = findings()
    assert told[f"{EAST}: {regions.url(EAST)}/primary says 200 (epoch 0): it leads"][0] == "ok"
    assert told[f"{WEST}: {regions.url(WEST)}/primary says 503 (epoch 0): it stands by"][0] == "ok"
    assert told[f"{WEST} is attached"][0] == "ok"
    assert told["us-east-1, us-west-2, eu-west-1 has capacity"][0] == "ok"
    (check,) = [one for one in told if one.startswith("the load balancer must ask for /health")]
    assert told[check][0] == "warn"
    assert "users are sent to every region" in told[check][1]


def test_check_names_who_does_not_say_what_it_is(findings: Findings, regions: Regions) -> None:
    regions.without_role = {WEST}
    told = findings()
    level, remedy = told[f"{WEST}: {regions.url(WEST)}/primary says 404"]
    assert level == "FAIL"
    assert "cannot become the primary" in remedy


def test_check_names_who_leads_and_should_not_and_who_should_and_does_not(
    findings: Findings, regions: Regions
) -> None:
    regions.primary = EU
    told = findings()
    level, remedy = told[f"{EU}: {regions.url(EU)}/primary says 200 (epoch 0): it leads"]
    assert (level, remedy.partition(":")[0]) == ("FAIL", "Users go to it and to us-east-1")
    level, remedy = told[f"{EAST}: {regions.url(EAST)}/primary says 503 (epoch 0): it stands by"]
    assert (level, remedy.partition(",")[0]) == ("FAIL", "The primary does not lead")


def test_check_names_who_has_no_capacity_and_who_reads_no_document(
    at_desk: Desk, findings: Findings, regions: Regions
) -> None:
    at_desk.json("evacuate", WEST, "--direct", "--apply", "--reason", "work")
    told = findings()
    level, remedy = told[f"{WEST} has no capacity (evacuated)"]
    assert level == "warn"
    assert "while the Compute API is unavailable" in remedy
    level, remedy = told[f"{EU}: {regions.url(EU)}/primary says 503 (epoch 0): it stands by"]
    assert level == "warn"
    assert "The document is at epoch 1" in remedy


def test_status_tells_role_and_capacity(at_desk: Desk) -> None:
    shown = at_desk.run("status").stdout
    assert "gives us-east-1, us-west-2, eu-west-1 capacity" in " ".join(shown.split())
    (view,) = at_desk.json("status")["services"]
    assert view["standby"] == "attached"
    east, west, _ = view["regions"]
    assert east["role"] == {"part": "leads", "detail": "200", "epoch": 0}
    assert (west["attached"], west["leave"], west["role"]["part"]) == (True, None, "stands by")


def test_explain_tells_who_could_take_over_and_why_one_could_not(
    at_desk: Desk, regions: Regions
) -> None:
    at_desk.json("evacuate", WEST, "--direct", "--apply", "--reason", "work")
    regions.epoch = 1
    told = "\n".join(at_desk.json("explain", "checkout")["sentences"])
    assert "It attached or drained standbys. The traffic stays with us-east-1 (epoch 1)." in told
    assert (
        "Its role URL says 200 by the document of epoch 1: it takes itself for the primary." in told
    )
    assert "it stands by. It is drained: evacuated." in told
    assert "It is attached, and could take over without the Compute API." in told


def test_plan_tells_that_the_failed_primary_is_drained(at_desk: Desk, regions: Regions) -> None:
    regions.down = {EAST}
    at_desk.json(
        "failover", "checkout", "--to", WEST, "--now", "--direct", "--apply", "--reason", "x"
    )
    regions.primary, regions.epoch = WEST, 1
    (view,) = at_desk.json("plan")["services"]
    assert view["outcome"] == "standbys"
    assert [one["region"] for one in view["plan"]["changes"]] == [EAST]


def test_replay_moves_by_the_document(at_desk: Desk) -> None:
    alert = str(Path(__file__).parents[2] / "examples" / "alerts" / "primary-down.json")
    (one,) = at_desk.json("replay", alert)["decisions"]
    assert (one["outcome"], one["primary"]) == ("moved", WEST)
