"""An upgrade: this version with the file and the document that the version before left.

What it left lies beside this module, as it wrote it (README.md).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import functions_framework
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from orchestrator.cli.app import cli
from orchestrator.config import load
from orchestrator.core.exceptions import BadConfig
from orchestrator.local.process.child import ROOT
from orchestrator.wiring import Wiring
from tests.support.fakes import FakeTraffic, Lab
from tests.support.health_server import Server, answer, serve
from tests.test_entry import alert, lines, message

__all__ = ["serve"]  # a fixture

LEFT = Path(__file__).parent
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
FOREIGN = "dynamodb.internal.example"
AWS = "dynamodb.us-west-2.amazonaws.com"
NOTHING = "check_id: checkout-euw1"
ASKED = "health_url: http://127.0.0.1:18083/healthz"
TICK = {"kind": "tick"}
ALERT = alert(region="us-west-2", service="checkout")

Json = dict[str, Any]


def left(folder: str, name: str) -> str:
    """A file of the version before."""
    return (LEFT / folder / name).read_text(encoding="utf-8")


def as_of(text: str, at: datetime) -> Json:
    """The document with all of its times moved, so that it was written then."""
    written = datetime.fromisoformat(json.loads(text)["updated_at"])

    def moved(found: re.Match[str]) -> str:
        time = datetime.fromisoformat(found[0]) + (at - written)
        return time.isoformat().replace("+00:00", "Z")

    document: Json = json.loads(TIME.sub(moved, text))
    return document


def lost(before: object, after: object, path: str = "") -> list[str]:
    """Where what stood before does not stand any more; counters and times may have other values.

    Of a list every entry must still be there, at whatever place.
    """
    if isinstance(before, dict):
        if not isinstance(after, dict):
            return [path]
        gone = [f"{path}.{key}" for key in before if key not in after]
        both = [key for key in before if key in after]
        return gone + [
            one for key in both for one in lost(before[key], after[key], f"{path}.{key}")
        ]
    if isinstance(before, list):
        kept = after if isinstance(after, list) else []
        return [f"{path}[{n}]" for n, one in enumerate(before) if one not in kept]
    return []


def strange(document: Json) -> list[object]:
    """The values of the fields that no version knows."""
    return [
        document["annotations"],
        document["regions"]["us-west-2"]["weight_hint"],
        document["shift"]["trace"],
        document["incidents"]["0.east"]["severity"],
        [entry["ticket"] for entry in document["history"] if "ticket" in entry],
    ]


STRANGE = [{"team": "payments", "nested": [1, {"a": None}]}, 0.5, "abc", "CRITICAL", ["INC-7"]]


class Installed:
    """The functions of this version, over the state folder that the version before left."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.config = folder / "failover.yaml"
        self.state = folder / "state"
        (self.state / "backend-services").mkdir(parents=True)
        routing = left("refused", "backend-service.json")
        (self.state / "backend-services" / "checkout.json").write_text(routing)
        written = datetime.now(UTC) - timedelta(minutes=1)
        self.left = as_of(left("refused", "checkout.json"), written)
        (self.state / "checkout.json").write_text(json.dumps(self.left))
        monkeypatch.delenv("COMPUTE_EMULATOR_HOST", raising=False)
        monkeypatch.setenv("FAILOVER_CONFIG", str(self.config))

    def file(self, *changes: tuple[str, str]) -> None:
        """The file of the version before, changed so."""
        text = left("refused", "failover.yaml")
        for old, new in (("STATE", self.state.as_uri()), *changes):
            assert old in text
            text = text.replace(old, new)
        self.config.write_text(text)

    def function(self, target: str) -> FlaskClient:
        """A new instance of one of the functions."""
        create: Any = functions_framework.create_app  # it carries no types
        app = create(target, str(ROOT / "main.py"))
        app.config["PROPAGATE_EXCEPTIONS"] = False
        made: Any = sys.modules["main"]
        made._wiring = Wiring({"FAILOVER_CONFIG": str(self.config)}, ROOT)
        client: FlaskClient = app.test_client()
        return client

    @property
    def document(self) -> Json:
        """The document as it is now."""
        found: Json = json.loads((self.state / "checkout.json").read_bytes())
        return found


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    kept = sys.modules.get("main")
    yield Installed(tmp_path, monkeypatch)
    if kept is not None:
        sys.modules["main"] = kept


REFUSED = {
    "no health_url": (
        [(FOREIGN, AWS)],
        "services.checkout.regions.eu-west-1.health_url: missing",
        "`on_unconfirmed: proceed`",
    ),
    "a foreign endpoint": (
        [(NOTHING, ASKED)],
        "services.checkout.regions.us-west-2.endpoint",
        f"write {AWS}",
    ),
}


@pytest.mark.parametrize(("changes", "field", "write"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize(("target", "body"), [("on_alert", ALERT), ("on_control", TICK)])
def test_a_file_that_is_refused_now_is_answered_with_5xx_and_pages_once_with_what_to_write(
    installed: Installed,
    capsys: pytest.CaptureFixture[str],
    target: str,
    body: Json,
    changes: list[tuple[str, str]],
    field: str,
    write: str,
) -> None:
    """Each fault alone. Pub/Sub delivers the message again, and nothing is read or written."""
    installed.file(*changes)
    client = installed.function(target)
    answers = [client.post("/", json=message(body)).status_code for _ in range(3)]
    assert answers == [500, 500, 500]
    assert installed.document == installed.left
    pages = [line for line in lines(capsys) if line.get("page")]
    assert [(page["severity"], page["command"]) for page in pages] == [
        ("CRITICAL", "failoverctl check")
    ]
    assert field in pages[0]["message"]
    assert write in pages[0]["message"]


@pytest.mark.parametrize(("changes", "field", "write"), REFUSED.values(), ids=REFUSED)
def test_the_new_check_says_it_before_the_deployment(
    installed: Installed, changes: list[tuple[str, str]], field: str, write: str
) -> None:
    installed.file(*changes)
    found = CliRunner().invoke(cli, ["check", "--config", str(installed.config)])
    assert found.exit_code != 0
    assert field in found.output
    assert write in " ".join(found.output.split())
    assert installed.document == installed.left


def test_both_faults_are_told_at_once(installed: Installed) -> None:
    installed.file()
    with pytest.raises(BadConfig) as refused:
        load(installed.config.read_text(), "failover.yaml")
    assert {problem.path for problem in refused.value.problems} == {
        "services.checkout.regions.eu-west-1.health_url",
        "services.checkout.regions.us-west-2.endpoint",
    }


def test_with_the_corrected_file_a_tick_takes_over_the_document_and_loses_nothing(
    installed: Installed, serve: Callable[..., Server]
) -> None:
    """The users stay where they are, and applications read the endpoint that the file names."""
    well = {name: serve(answer(200)).port for name in ("18081", "18082", "18083")}
    installed.file(
        (FOREIGN, AWS), (NOTHING, ASKED), ("serial: 3", "serial: 4"),
        *((port, str(new)) for port, new in well.items()),
    )  # fmt: skip
    client = installed.function("on_control")
    assert client.post("/", json=message(TICK)).status_code == 200
    found = installed.document
    assert lost(installed.left, found) == []
    assert strange(found) == STRANGE
    assert found["regions"]["us-west-2"]["endpoint"] == AWS
    assert (found["primary"], found["routing"]) == ("us-west-2", {"us-west-2": 1.0})
    assert (found["config"]["serial"], found["epoch"]) == (4, 2)
    assert found["shift"]["phase"] == "verified"
    assert client.post("/", json=message(TICK)).status_code == 200


def test_with_an_unchanged_file_the_document_is_read_and_written_with_nothing_lost() -> None:
    """The same stamp, so no epoch and no page; the next write keeps what no version knows."""
    made = unchanged()
    before = made.document
    assert made.service.stamp.digest == before["config"]["digest"]
    made.tick(2)
    assert lost(before, made.document) == []
    assert made.document["writer"] != before["writer"]
    assert strange(made.document) == STRANGE
    assert (made.state.epoch, made.traffic.applied) == (1, [])
    assert [line for line in made.lines if line["severity"] in {"ERROR", "CRITICAL"}] == []


def test_a_failure_after_the_upgrade_moves_the_traffic_of_a_document_of_the_version_before() -> (
    None
):
    made = unchanged()
    before = made.document
    made.down("us-west-2")
    made.handle(made.opened("us-west-2"))
    assert made.state.primary == "eu-west-1"
    assert made.state.epoch == 2
    assert strange(made.document) == STRANGE
    after = {**made.document, "routing": before["routing"], "shift": before["shift"]}
    assert lost(before, after) == []


def unchanged() -> Lab:
    """The service of the file that is valid in both versions, and its document, a minute old."""
    text = left("kept", "failover.yaml").replace("STATE", "file:///somewhere/state")
    routing = json.loads(left("kept", "backend-service.json"))
    traffic = FakeTraffic(routing["backends"], routing["description"])
    made = Lab(load(text, "failover.yaml").services["checkout"], traffic)
    document = as_of(left("kept", "checkout.json"), made.clock.at - timedelta(minutes=1))
    made.objects.put("checkout.json", json.dumps(document).encode(), 0)
    return made


def test_what_is_lost_is_found() -> None:
    before = {"a": {"b": 1}, "c": [{"d": 1}, 2]}
    assert lost(before, {"a": {"b": 2}, "c": [2, 3, {"d": 1}]}) == []
    assert lost(before, {"a": {}, "c": [{"d": 2}, 2]}) == [".a.b", ".c[0]"]
    assert lost(before, {"a": 1, "c": None}) == [".a", ".c[0]", ".c[1]"]
