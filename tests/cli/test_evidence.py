"""What `check`, `parse` and `explain` say of evidence that does not agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.desk import ALERTS, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.write(policy={"confirm": "none"})
    return made


def changed(desk: Desk, **regions: dict[str, str]) -> None:
    """The configuration with these fields in regions of checkout."""
    content = yaml.safe_load(desk.config.read_text())
    for name, fields in regions.items():
        content["services"]["checkout"]["regions"][name.replace("_", "-")] |= fields
    desk.config.write_text(yaml.safe_dump(content, sort_keys=False))


def findings(desk: Desk, what: str) -> list[dict[str, Any]]:
    """What `check` found of this kind."""
    result = desk.run("check", "--json")
    return [one for one in json.loads(result.stdout)["findings"] if one["what"] == what]


def contradicting(folder: Path) -> Path:
    """An alert whose labels name the first region and whose host is the second's."""
    told = json.loads((ALERTS / "primary-down.json").read_text())
    told["incident"]["resource"]["labels"]["host"] = "west.example.com"
    file = folder / "alert.json"
    file.write_text(json.dumps(told))
    return file


def test_check_names_a_group_that_the_load_balancer_has_under_the_projects_number(
    desk: Desk,
) -> None:
    """No region claims it, though the file seems to name it."""
    file = desk.routing
    told = file.read_text()
    file.write_text(told.replace("projects/laptop/", "projects/123456789012/"))
    found = findings(desk, "project number")
    assert len(found) == 3
    assert {one["level"] for one in found} == {"FAIL"}
    assert "write projects/123456789012/" in found[0]["do"]
    file.write_text(told)
    assert not findings(desk, "project number")


def test_check_names_a_group_that_the_file_has_under_the_projects_number(desk: Desk) -> None:
    assert desk.routing.exists()
    desk.config.write_text(
        desk.config.read_text().replace("projects/laptop/", "projects/123456789012/")
    )
    found = findings(desk, "project number")
    assert len(found) == 3
    assert "write projects/laptop/" in found[0]["do"]


def test_check_names_regions_that_only_labels_can_tell(desk: Desk) -> None:
    content = yaml.safe_load(desk.config.read_text())
    for name, region in content["services"]["checkout"]["regions"].items():
        del region["check_id"]
        region["health_url"] = f"http://127.0.0.1:9/{name}/healthz"
    desk.config.write_text(yaml.safe_dump(content, sort_keys=False))
    assert {one["level"] for one in findings(desk, "alerts")} == {"warn"}
    changed(desk, us_east_1={"check_id": "a"}, us_west_2={"check_id": "b"})
    (one,) = findings(desk, "alerts")
    assert one["detail"].startswith("eu-west-1: ")


def test_parse_says_what_does_not_agree(desk: Desk, tmp_path: Path) -> None:
    changed(desk, us_west_2={"health_url": "http://west.example.com/healthz"})
    file = str(contradicting(tmp_path))
    (signal,) = desk.json("parse", file)["signals"]
    assert (signal["region"], signal["doubt"]) == ("us-east-1", "contradicted")
    assert "host west.example.com (of us-west-2 of checkout)" in signal["note"]
    assert "names two different regions" in desk.run("parse", file).output


def test_parse_says_nothing_of_an_alert_that_agrees(desk: Desk) -> None:
    (signal,) = desk.json("parse", str(ALERTS / "primary-down.json"))["signals"]
    assert (signal["doubt"], signal["note"]) == (None, "")


def test_replay_tells_of_the_doubt_and_moves_nothing_from_a_healthy_region(
    desk: Desk, tmp_path: Path
) -> None:
    changed(desk, us_west_2={"health_url": "http://west.example.com/healthz"})
    file = str(contradicting(tmp_path))
    (made,) = desk.json("replay", file, "--probe", "us-east-1=healthy")["decisions"]
    assert made["outcome"] == "held"
    assert "names two different regions" in made["note"]
    (made,) = desk.json("replay", file, "--probe", "us-east-1=failing")["decisions"]
    assert made["outcome"] == "moved"


def test_explain_says_why_an_incident_in_doubt_does_not_count(desk: Desk, tmp_path: Path) -> None:
    changed(desk, us_west_2={"health_url": "http://west.example.com/healthz"})
    file = contradicting(tmp_path)
    desk.alert(str(file))
    (incident,) = desk.json("explain", "checkout")["incidents"]
    assert incident["doubt"] == "contradicted"
    output = " ".join(desk.run("explain", "checkout", incident["id"]).output.split())
    assert "It counts only while our own probe of us-east-1 fails" in output
