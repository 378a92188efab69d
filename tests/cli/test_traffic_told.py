"""What `status`, `explain`, `plan` and `check` say of the traffic is what was read of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.cli.verbs.check import check
from orchestrator.cli.verbs.explain import explain
from orchestrator.cli.verbs.plans import plan
from orchestrator.cli.verbs.status import status
from orchestrator.cli.words.sentences import (
    as_decided,
    became_of,
    headline,
    whereabouts,
    will_carry,
)
from tests.support.seat import Seat

EAST, WEST = "us-east-1", "us-west-2"
ZONE_C = "projects/laptop/zones/us-east4-c/networkEndpointGroups/checkout"
LEFT = {"group": ZONE_C, "place": "us-east4-c", "scaler": 1.0, "retired": False}
Told = pytest.CaptureFixture[str]


def seen(*regions: str, left: bool = False, attached: bool = False) -> dict[str, Any]:
    """The traffic as an entry has it."""
    found = [LEFT] if left else []
    return {"regions": list(regions), "unclaimed": found, "attached": attached}


def moved(**more: Any) -> dict[str, Any]:
    """The entry of a move from east to west."""
    return {
        "outcome": "moved",
        "epoch": 2,
        "epoch_before": 1,
        "routing": {WEST: 1.0},
        "routing_before": {EAST: 1.0},
        "traffic_before": seen(EAST),
        **more,
    }


def seat(*, left: bool = False, as_json: bool = False, **overrides: Any) -> Seat:
    """A person before a service; left: GKE has attached a group that nobody claims."""
    made = Seat(as_json, **overrides)
    if left:
        made.lab.traffic.resource["backends"].append({"group": ZONE_C, "capacityScaler": 1.0})
    made.lab.tick()
    return made


def words(capsys: Told) -> str:
    """What was said, on one line."""
    return " ".join(capsys.readouterr().out.split())


# --- entries -------------------------------------------------------------------------------------


def test_a_move_is_told_as_done_only_where_it_was_read_to_be_done() -> None:
    assert headline(moved(traffic=seen(WEST))) == (
        "It MOVED the traffic from us-east-1 to us-west-2 (epoch 1 to 2)."
    )
    assert headline(moved()) == (
        "It decided to MOVE the traffic from us-east-1 to us-west-2 (epoch 1 to 2)."
    )
    assert "unknown, because the load balancer could not be read" in headline(moved(traffic=None))
    undone = headline(moved(traffic=seen(EAST)))
    assert "It decided to MOVE" in undone
    assert (
        "When it was last read, us-east-1 carried traffic. The document wants us-west-2" in undone
    )


def test_a_move_that_was_verified_is_told_as_done() -> None:
    assert headline(moved(phase="verified")).startswith("It MOVED the traffic")


def test_a_move_that_left_a_backend_names_it_and_does_not_call_all_as_decided() -> None:
    entry = moved(traffic=seen(WEST, left=True), phase="verified", shifted=["checkout: ..."])
    assert "us-east4-c/checkout (scaler 1) carries traffic too" in headline(entry)
    assert "That holds for the regions of the file only." in became_of(entry)[0]


def test_what_was_not_read_is_said_to_be_unknown_with_what_the_document_wants() -> None:
    entry = {"outcome": "health", "epoch": 1, "epoch_before": 1, "routing": {EAST: 1.0}}
    assert headline({**entry, "traffic_before": None}) == (
        "It noted who is healthy. Where the traffic goes is unknown, because the load balancer"
        " could not be read (the document wants us-east-1)."
    )
    assert headline({**entry, "traffic_before": seen()}) == (
        "It noted who is healthy. The traffic stayed with no configured region. The document wants"
        " us-east-1 to carry the traffic."
    )


def test_the_end_of_a_switch_is_told_from_what_was_read() -> None:
    assert whereabouts(moved()) == "the document now wants us-west-2 to carry it"
    still = moved(epoch=1, routing={EAST: 1.0})
    assert whereabouts(still) == "the traffic stays with us-east-1"


def test_with_attached_standbys_the_document_says_who_serves() -> None:
    entry = moved(traffic=seen(EAST, WEST, attached=True))
    assert headline(entry).startswith("It MOVED the traffic from us-east-1 to us-west-2")


def test_an_entry_of_an_older_version_is_still_told() -> None:
    old = {k: v for k, v in moved().items() if k != "traffic_before"}
    assert headline(old) == "It MOVED the traffic from us-east-1 to us-west-2 (epoch 1 to 2)."


def test_an_empty_plan_is_not_called_as_decided_where_somebody_else_gets_traffic() -> None:
    assert as_decided({"traffic": seen(EAST)}) == "The load balancer is as decided."
    assert "for the regions of the file" in as_decided({"traffic": seen(EAST, left=True)})
    assert as_decided({"traffic": seen()}) == "No configured region carries traffic!"
    assert "could not be read" in as_decided({"traffic": None})
    assert "but us-east4-c/checkout" in will_carry(seen(left=True), [EAST])


# --- the verbs -----------------------------------------------------------------------------------


def test_status_shows_the_shares_as_read_and_the_backend_that_no_region_claims(
    capsys: Told,
) -> None:
    made = seat(left=True)
    made.lab.command("failover", WEST, now=True)
    assert status.carry_out(made, None, watch=False, every=1)
    told = words(capsys)
    assert "also carries: us-east4-c/checkout (50%, scaler 1): NO REGION CLAIMS IT" in told
    made = seat(left=True, as_json=True)
    made.lab.command("failover", WEST, now=True)
    status.carry_out(made, None, watch=False, every=1)
    (view,) = json.loads(capsys.readouterr().out)["services"]
    assert view["load_balancer"]["unclaimed"] == [{**LEFT, "share": 0.5}]
    shares = {one["region"]: one["share"] for one in view["regions"]}
    assert shares == {EAST: 0.0, WEST: 0.5, "eu-west-1": 0.0}


def test_status_follows_the_load_balancer_where_the_document_wants_something_else(
    capsys: Told,
) -> None:
    made = seat(as_json=True)
    backends = made.lab.traffic.resource["backends"]
    backends[0]["capacityScaler"], backends[1]["capacityScaler"] = 0.0, 1.0
    status.carry_out(made, None, watch=False, every=1)
    (view,) = json.loads(capsys.readouterr().out)["services"]
    east, west, _ = view["regions"]
    assert (east["share"], east["wanted_share"]) == (0.0, 1.0)
    assert (west["share"], west["wanted_share"]) == (1.0, 0.0)


def test_status_says_unknown_where_the_load_balancer_cannot_be_read(capsys: Told) -> None:
    made = seat()
    made.lab.traffic.is_gone = True
    assert not status.carry_out(made, None, watch=False, every=1)
    told = words(capsys)
    assert "load balancer: cannot be read, so where the traffic goes is unknown" in told
    assert "unknown (wants" in told


def test_status_with_attached_standbys_goes_by_what_the_regions_answer(capsys: Told) -> None:
    made = seat(as_json=True, standby="attached")
    status.carry_out(made, None, watch=False, every=1)
    (view,) = json.loads(capsys.readouterr().out)["services"]
    assert [one["share"] for one in view["regions"]] == [1.0, 0.0, 0.0]


def test_explain_and_plan_name_it_and_that_a_human_would_be_paged(capsys: Told) -> None:
    made = seat(left=True)
    made.lab.command("failover", WEST, now=True)
    assert explain.carry_out(made, None, None)
    told = words(capsys)
    assert "us-west-2 carries traffic, and so does us-east4-c/checkout (scaler 1)" in told
    assert "as decided for the regions of the file" in told
    assert "This holds: checkout: us-east4-c/checkout" in told
    assert "A human was paged at" in told
    assert "would be paged" not in told
    assert plan.carry_out(made, None)
    told = words(capsys)
    assert "us-west-2 carries traffic, and so does us-east4-c/checkout (scaler 1)" in told
    assert "A human was paged at" in told
    assert "would be paged" not in told


def test_explain_says_nothing_of_an_intent_where_none_was_recorded(capsys: Told) -> None:
    """The Compute API is down when the alert comes: health is noted, and no epoch is made."""
    made = seat()
    made.lab.traffic.is_gone = True
    made.lab.down(EAST)
    with pytest.raises(Exception, match="503"):
        made.lab.handle(made.lab.opened(EAST))
    explain.carry_out(made, None, None)
    told = words(capsys)
    assert "where the traffic goes is unknown" in told
    assert "intent" not in told
    assert "traffic goes to us-east-1" not in told
    assert "the traffic stayed with" not in told


def test_a_command_that_is_done_tells_the_traffic_as_read(capsys: Told) -> None:
    made = seat(left=True)
    assert made.command("failover", region=WEST, now=True)
    told = words(capsys)
    assert "It MOVED the traffic from us-east-1 to us-west-2" in told
    assert "us-east4-c/checkout (scaler 1) carries traffic too" in told


@pytest.mark.parametrize(("mode", "fails"), [("active-passive", True), ("active-active", False)])
def test_check_fails_on_one_that_carries_in_active_passive_mode(
    mode: str, fails: bool, capsys: Told
) -> None:
    check.carry_out(seat(left=True, as_json=True, mode=mode), None, apply=False, adopt=False)
    found = json.loads(capsys.readouterr().out)["findings"]
    (one,) = [f for f in found if f["what"] == "unclaimed backend"]
    assert one["level"] == ("FAIL" if fails else "warn")
    assert "us-east4-c" in one["detail"]
    assert "--network-endpoint-group-zone=us-east4-c" in one["do"]


def test_check_names_who_may_own_a_description_that_is_json(capsys: Told) -> None:
    made = seat(as_json=True)
    made.lab.traffic.resource["description"] = '{"kubernetes.io/service-name":"shop/checkout"}'
    check.carry_out(made, None, apply=False, adopt=False)
    found = json.loads(capsys.readouterr().out)["findings"]
    (one,) = [f for f in found if f["what"] == "description"]
    assert "kubernetes.io/service-name" in one["detail"]
    assert "GKE" in one["detail"]


def test_a_move_of_traffic_that_nobody_had_names_no_region_that_it_left() -> None:
    told = headline(moved(phase="verified", traffic=seen(WEST), traffic_before=seen()))
    assert told == "It GAVE us-west-2 the traffic (epoch 1 to 2). No region had any before."
