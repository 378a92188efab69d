"""Endpoints that somebody else wrote into the document are put back, and a human is called."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from orchestrator.client.document import read_document
from orchestrator.config import load
from orchestrator.core.document.public import public_view
from orchestrator.core.exceptions import Outdated, Unavailable
from orchestrator.core.model import DecisionOutcome, Tick
from orchestrator.core.policy import Service
from tests.support.fakes import FAILING, FakeMirror, Lab, configuration, lab, service

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
FOREIGN = "http://127.0.0.1:8000"


def edit(made: Lab, region: str = EAST, **fields: Any) -> None:
    """Somebody with write access to the bucket edits a region of the document."""
    document = copy.deepcopy(made.document)
    document["regions"][region] |= fields
    made.replace_document(document)


def known() -> Lab:
    """A world at rest, with a document."""
    made = lab()
    made.tick(3)
    made.lines.clear()
    return made


def endpoint(made: Lab, region: str = EAST) -> tuple[Any, Any]:
    """Where applications find the region's table."""
    entry = made.document["regions"][region]
    return entry["endpoint"], entry.get("aws_region")


@pytest.mark.parametrize(
    "fields",
    [
        {"endpoint": FOREIGN},
        {"endpoint": "dynamodb.us-east-1.amazonaws.com.evil.example"},
        {"endpoint": "dynamodb.us-west-2.amazonaws.com", "aws_region": "us-west-2"},
        {"aws_region": "us-west-2"},
    ],
)
def test_a_tick_puts_it_back_without_an_epoch_and_pages_once(fields: dict[str, str]) -> None:
    made = known()
    before = made.state
    edit(made, **fields)
    decision = made.tick().decision
    assert endpoint(made) == ("dynamodb.us-east-1.amazonaws.com", None)
    assert made.state.mark == before.mark
    assert made.traffic.applied == []
    assert decision.outcome is DecisionOutcome.HEALTH
    assert [(one.rule, one.regions) for one in decision.pages] == [("endpoint", (EAST,))]
    made.tick(5)
    [page] = made.pages
    assert all(value in page for value in fields.values())
    assert "failoverctl state show checkout --versions" in page


def test_the_history_and_the_journal_know_of_it() -> None:
    made = known()
    edit(made, endpoint=FOREIGN)
    made.tick()
    newest = made.document["history"][0]
    [reason] = [one for one in newest["reasons"] if one["rule"] == "endpoint"]
    assert FOREIGN in reason["value"]
    names = [name for name in made.objects.names("journal/checkout/") if newest["id"] in name]
    assert len(names) == 1


def test_several_regions_are_one_page() -> None:
    made = known()
    edit(made, EAST, endpoint=FOREIGN)
    edit(made, WEST, endpoint=FOREIGN)
    assert [page.regions for page in made.tick().decision.pages] == [(EAST, WEST)]


def test_it_pages_again_when_it_comes_back_later() -> None:
    made = known()
    for _ in range(2):
        edit(made, endpoint=FOREIGN)
        made.tick()
        made.clock.rest(3600)
    assert len(made.pages) == 2


def test_an_alert_that_moves_the_traffic_puts_it_back_and_pages_too() -> None:
    """Before any application learns of the new primary, that its endpoint is another's."""
    made = known()
    edit(made, WEST, endpoint=FOREIGN)
    made.down(EAST)
    decision = made.handle(made.opened(EAST)).decision
    assert decision.outcome is DecisionOutcome.MOVED
    assert endpoint(made, WEST) == ("dynamodb.us-west-2.amazonaws.com", None)
    assert "endpoint" in [page.rule for page in decision.pages]


def test_a_freeze_does_not_keep_another_hosts_name_in_the_document() -> None:
    made = known()
    made.freeze(hours=2)
    edit(made, endpoint=FOREIGN)
    made.tick()
    assert endpoint(made)[0] == "dynamodb.us-east-1.amazonaws.com"


def test_it_is_put_back_although_the_load_balancer_cannot_be_read() -> None:
    made = known()
    made.traffic.is_gone = True
    edit(made, endpoint=FOREIGN)
    with pytest.raises(Unavailable):
        made.tick()
    assert endpoint(made)[0] == "dynamodb.us-east-1.amazonaws.com"
    assert len([page for page in made.pages if FOREIGN in page]) == 1


def test_an_instance_with_another_file_of_the_same_serial_puts_nothing_back() -> None:
    """It cannot know which of the two is right."""
    made = known()
    edit(made, endpoint=FOREIGN)
    other = service(policy={"cooldown": "11m"})
    decision = made.handle(Tick(), service=other).decision
    assert endpoint(made)[0] == FOREIGN
    assert "endpoint" not in [page.rule for page in decision.pages]


def test_an_instance_with_an_older_file_puts_nothing_back() -> None:
    made = lab(serial=2)
    made.tick(3)
    edit(made, endpoint=FOREIGN)
    with pytest.raises(Outdated):
        made.handle(Tick(), service=service(serial=1))
    assert endpoint(made)[0] == FOREIGN


def test_a_newer_file_writes_its_endpoints_with_an_epoch_and_pages_for_none() -> None:
    made = known()
    newer = configured({"us-east-1": {"endpoint": "dynamodb-fips.us-east-1.amazonaws.com"}})
    decision = made.handle(Tick(), service=newer).decision
    assert decision.outcome is DecisionOutcome.CONFIGURED
    assert endpoint(made)[0] == "dynamodb-fips.us-east-1.amazonaws.com"
    assert decision.pages == ()


def configured(regions: dict[str, dict[str, str]]) -> Service:
    """The next file, with these fields in its regions."""
    content = configuration(serial=2)
    for name, fields in regions.items():
        content["services"]["checkout"]["regions"][name] |= fields
    return load(json.dumps(content), "test").services["checkout"]


def test_the_document_has_the_aws_region_of_a_key_that_is_another_name() -> None:
    """And an application finds its table by it."""
    content = configuration()
    regions = content["services"]["checkout"]["regions"]
    regions["use4"] = regions.pop(EAST)
    made = lab()
    made.service = load(json.dumps(content), "test").services["checkout"]
    made.tick(2)
    assert endpoint(made, "use4") == ("dynamodb.us-east-1.amazonaws.com", EAST)
    body = json.dumps(made.document).encode()
    seen = read_document(body)
    assert seen.regions["use4"].aws_region == EAST
    assert not seen.refused
    assert read_document(public_view(made.state)) == seen


def test_a_document_of_a_version_without_aws_regions_gets_them_and_pages_nobody() -> None:
    """Nobody but an older version of ours wrote it, with the same file."""
    content = configuration()
    regions = content["services"]["checkout"]["regions"]
    regions["use4"] = regions.pop(EAST)
    made = lab()
    made.service = load(json.dumps(content), "test").services["checkout"]
    made.tick(2)
    document = made.document
    del document["regions"]["use4"]["aws_region"]
    made.replace_document(document)
    made.lines.clear()
    made.tick(2)
    assert endpoint(made, "use4") == ("dynamodb.us-east-1.amazonaws.com", EAST)
    assert made.pages == []


def test_what_somebody_wrote_is_told_in_ascii_and_cut() -> None:
    made = known()
    edit(made, endpoint="evil\n\u202e\x1b[31m" + "x" * 5000)
    made.tick()
    [page] = made.pages
    assert page.isascii()
    assert "\n" not in page
    assert len(page) < 1500


def test_mirrors_and_the_older_file_get_the_endpoint_that_was_put_back() -> None:
    made, mirror = known(), FakeMirror()
    flat = {name: {"endpoint": FOREIGN, "healthy": True} for name in (EAST, WEST, EUROPE)}
    made.objects.put("dynamodb_regions.json", json.dumps(flat).encode(), 0)
    edit(made, endpoint=FOREIGN)
    made.handle(Tick(), mirrors=(mirror,))
    assert FOREIGN.encode() not in mirror.held["checkout"][1]
    got = made.objects.get("dynamodb_regions.json")
    assert got is not None
    assert FOREIGN.encode() not in got[0]


def test_the_older_file_gives_a_new_document_its_health_and_no_endpoint() -> None:
    made = lab()
    flat = {
        name: {"endpoint": FOREIGN, "aws_region": "mars-1", "healthy": name != WEST}
        for name in (EAST, WEST, EUROPE)
    }
    made.objects.put("dynamodb_regions.json", json.dumps(flat).encode(), 0)
    made.prober.answers = {WEST: FAILING}
    made.tick()
    assert not made.state.regions[WEST].healthy
    for name in (EAST, WEST, EUROPE):
        assert endpoint(made, name) == (f"dynamodb.{name}.amazonaws.com", None)
