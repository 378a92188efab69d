"""Backends that no region claims: left as they are, and named wherever the traffic is told of."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core.exceptions import Unavailable
from orchestrator.core.model import DecisionOutcome
from tests.support.fakes import Lab, lab

EAST, WEST = "us-east-1", "us-west-2"
ZONE_C = "projects/laptop/zones/us-east4-c/networkEndpointGroups/checkout"
CANARY = "projects/laptop/regions/us-east4/networkEndpointGroups/canary"
TOLD = "us-east4-c/checkout (scaler 1), which no region claims"


def attach(made: Lab, group: str = ZONE_C, **settings: Any) -> None:
    """A controller attaches this group."""
    backends = [*made.traffic.resource["backends"], {"group": group, **settings}]
    made.traffic.change({"backends": backends})


def detach(made: Lab, group: str = ZONE_C) -> None:
    """It takes the group away again."""
    kept = [one for one in made.traffic.resource["backends"] if one["group"] != group]
    made.traffic.change({"backends": kept})


def messages(made: Lab, severity: str) -> list[str]:
    """What was said in this severity so far; then it is forgotten."""
    found = [line["message"] for line in made.lines if line["severity"] == severity]
    made.lines.clear()
    return found


def paged(made: Lab) -> list[tuple[str, tuple[str, ...]]]:
    """Rule and regions of the pages of a tick now."""
    return [(page.rule, page.regions) for page in made.tick().decision.pages]


def test_a_tick_names_a_new_one_once_as_a_warning_and_in_every_line() -> None:
    made = lab()
    made.tick()
    attach(made)
    made.lines.clear()
    made.tick()
    (warning,) = [m for m in messages(made, "WARNING") if "No failover moves it" in m]
    assert "us-east4-c/checkout (scaler 1) gets traffic" in warning
    assert "--network-endpoint-group-zone=us-east4-c --capacity-scaler=0" in warning
    before = len(made.objects.versions("checkout.json"))
    made.tick(3)
    assert all(TOLD in line for line in messages(made, "INFO") if "tick ->" in line)
    assert not messages(made, "WARNING")
    assert len(made.objects.versions("checkout.json")) == before
    assert not made.pages


def test_another_instance_does_not_name_it_again() -> None:
    made = lab()
    attach(made)
    made.tick()
    made.memory = type(made.memory)()
    made.lines.clear()
    made.tick()
    assert not messages(made, "WARNING")
    detach(made)
    made.tick()
    assert made.state.unclaimed == {}
    attach(made)
    made.tick()
    assert any("No failover moves it" in line for line in messages(made, "WARNING"))


def test_one_without_traffic_is_nobodys_concern() -> None:
    made = lab()
    attach(made, capacityScaler=0.0)
    made.tick()
    assert made.state.unclaimed == {}
    assert not messages(made, "WARNING")


def test_a_move_that_leaves_one_pages_and_says_so_in_event_and_journal() -> None:
    made = lab()
    attach(made)
    made.tick()
    made.down(EAST)
    report = made.handle(made.opened(EAST))
    assert report.decision.outcome is DecisionOutcome.MOVED
    (page,) = report.decision.pages
    assert (page.rule, page.regions) == ("unclaimed", ("us-east4-c",))
    assert "us-east4-c/checkout (scaler 1) keeps its traffic" in page.text
    data = next(e["data"] for e in made.events.events if e["type"].endswith("decision.moved"))
    assert data["traffic"]["regions"] == [WEST]
    assert data["traffic"]["unclaimed"][0]["place"] == "us-east4-c"
    assert data["traffic_before"]["regions"] == [EAST]
    assert made.state.history[0]["traffic_before"] == data["traffic_before"]


def test_it_pages_for_as_long_as_the_left_one_carries() -> None:
    made = lab()
    attach(made)
    made.tick()
    made.command("failover", WEST, now=True)
    assert paged(made) == [("unclaimed", ("us-east4-c",))]
    attach(made, ZONE_C.replace("-c/", "-b/"))  # this one came later: no move has left it
    assert paged(made) == [("unclaimed", ("us-east4-c",))]
    detach(made)
    assert paged(made) == []


@pytest.mark.parametrize("wish", ["failover", "evacuate"])
def test_a_humans_move_that_leaves_one_pages_too(wish: str) -> None:
    made = lab()
    attach(made)
    report = made.command(wish, WEST if wish == "failover" else EAST, now=True)
    assert [page.rule for page in report.decision.pages] == ["unclaimed"]


def test_an_evacuation_of_one_of_several_carrying_regions_pages() -> None:
    made = lab(mode="active-active")
    attach(made)
    report = made.command("evacuate", EAST)
    assert [page.rule for page in report.decision.pages] == ["unclaimed"]


def test_a_serverless_group_attached_by_hand_is_one_whatever_its_scaler() -> None:
    made = lab(lever="membership")
    attach(made, CANARY, capacityScaler=0.0)
    made.tick()
    assert made.state.unclaimed == {CANARY: 0}
    made.down(EAST)
    (page,) = made.handle(made.opened(EAST)).decision.pages
    assert "us-east4/canary" in page.text
    assert "remove-backend checkout --global --network-endpoint-group=canary" in page.text


def test_a_held_move_names_it() -> None:
    made = lab()
    attach(made)
    made.tick()
    made.freeze()
    made.down(EAST)
    made.lines.clear()
    made.handle(made.opened(EAST))
    assert any("held" in line and TOLD in line for line in messages(made, "WARNING"))


def test_a_move_by_the_document_alone_pages_when_the_load_balancer_is_read_again() -> None:
    made = lab(standby="attached")
    made.tick()
    attach(made)
    made.tick()
    made.traffic.is_gone = True
    made.down(EAST)
    with pytest.raises(Unavailable):
        made.handle(made.opened(EAST))
    assert made.state.primary == WEST
    made.traffic.is_gone = False
    assert ("unclaimed", ("us-east4-c",)) in paged(made)


# --- no configured region gets traffic -----------------------------------------------------------


@pytest.mark.parametrize("lever", ["capacity", "membership"])
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_load_balancer_without_a_carrying_region_pages_at_every_epoch(
    lever: str, epoch: int
) -> None:
    made = lab(lever=lever)
    made.tick()
    if epoch:
        made.command("failover", WEST, now=True)
    for backend in made.traffic.resource["backends"]:
        backend["capacityScaler"] = 0.0
    made.lines.clear()
    report = made.tick()
    assert any("no configured region" in page.text for page in report.decision.pages)
    assert any("no configured region" in line for line in made.pages)
    (line,) = (line for line in made.lines if line.get("rule") == "no_traffic")
    assert line["command"].startswith("failoverctl failover checkout --to us-east-1 --now --apply")
    if not epoch:
        told = messages(made, "INFO")
        assert any("no configured region carries traffic (epoch 0)" in line for line in told)


def test_groups_recreated_under_another_name_page_and_are_named() -> None:
    made = lab()
    made.tick()
    for backend in made.traffic.resource["backends"]:
        backend["group"] = backend["group"].replace("/checkout-", "/k8s-")
    made.lines.clear()
    made.tick()
    assert any("us-east-1-a/k8s-us-east-1" in page for page in made.pages)
    line = next(line["message"] for line in made.lines if "tick ->" in line["message"])
    assert "no configured region carries traffic, but us-east-1-a/k8s-us-east-1" in line


def test_groups_recreated_after_a_move_page_too() -> None:
    made = lab()
    made.command("failover", WEST, now=True)
    for backend in made.traffic.resource["backends"]:
        backend["group"] = backend["group"].replace("/checkout-", "/k8s-")
    made.lines.clear()
    made.tick()
    assert any("us-west-2-a/k8s-us-west-2" in page for page in made.pages)


# --- what could not be read is not told ----------------------------------------------------------


def test_without_the_load_balancer_the_log_says_that_it_is_unknown() -> None:
    made = lab()
    made.tick()
    made.traffic.is_gone = True
    made.down(EAST)
    made.lines.clear()
    with pytest.raises(Unavailable):
        made.handle(made.opened(EAST))
    told = " ".join(line["message"] for line in made.lines)
    assert "where the traffic goes is unknown" in told
    assert "(the document wants us-east-1)" in told
    assert "carries traffic" not in told


def test_a_patch_whose_answer_and_read_back_were_lost_is_not_told_as_done() -> None:
    made = lab()
    made.tick()
    made.down(EAST)
    made.traffic.after_patch = [lambda: setattr(made.traffic, "is_gone", True)]
    made.lines.clear()
    with pytest.raises(Unavailable):
        made.handle(made.opened(EAST))
    moved = next(line["message"] for line in made.lines if "-> moved" in line["message"])
    assert "unknown" in moved
    assert "us-west-2 carries traffic" not in moved
