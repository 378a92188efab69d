"""Which groups a region claims, and that two regions never claim one: decided exactly."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config import load
from orchestrator.core.claims import example, is_pattern, matches, overlap, short_name
from orchestrator.core.exceptions import BadConfig, UnsafePlan
from orchestrator.core.policy import Lever
from orchestrator.core.traffic.plan import movable, plan
from tests.support.fakes import Lab, configuration, lab

quick = settings(deadline=None)
PART = st.text("ab", min_size=1, max_size=3)
PARTS = PART | PART.map(lambda text: f"{text}*") | st.just("*")
CLAIMS = st.lists(PARTS, min_size=2, max_size=2).map("/".join)
GROUPS = [f"{one}/{two}" for one in ("a", "b", "ab", "ba", "aa", "abb", "bbbb", "abab", "baab")
          for two in ("a", "b", "ab", "ba", "aa", "abb", "bbbb", "abab", "baab")]  # fmt: skip

NEG = "projects/laptop/zones/us-east4-*/networkEndpointGroups/checkout"
WEST_NEG = "projects/laptop/zones/us-west1-*/networkEndpointGroups/checkout"


def _regex(claim: str) -> re.Pattern[str]:
    return re.compile("/".join(re.escape(p).replace(r"\*", "[^/]*") for p in claim.split("/")))


@quick
@given(claim=CLAIMS, group=st.lists(PART, min_size=2, max_size=2).map("/".join))
def test_a_claim_matches_as_its_star_says(claim: str, group: str) -> None:
    assert matches(claim, group) == bool(_regex(claim).fullmatch(group))


@quick
@given(one=CLAIMS, other=CLAIMS)
def test_claims_overlap_exactly_when_some_group_is_covered_by_both(one: str, other: str) -> None:
    assert overlap(one, other) == overlap(other, one)
    both = [g for g in GROUPS if matches(one, g) and matches(other, g)]
    if both:
        assert overlap(one, other)
    if overlap(one, other):
        parts = zip(one.split("/"), other.split("/"), strict=True)
        longest = [max(pair, key=lambda p: (len(p.rstrip("*")), "*" not in p)) for pair in parts]
        witness = "/".join(part.replace("*", "") or "a" for part in longest)
        assert matches(one, witness)
        assert matches(other, witness)


def test_a_star_never_covers_a_slash() -> None:
    assert not matches(
        "projects/p/zones/*/instanceGroups/n", "projects/p/zones/a/b/instanceGroups/n"
    )
    assert matches(NEG, "projects/laptop/zones/us-east4-c/networkEndpointGroups/checkout")
    assert not matches(NEG, WEST_NEG)
    assert is_pattern(NEG)
    assert matches(NEG, example(NEG, "us-east-1"))
    assert short_name("projects/p/zones/us-east4-a/instanceGroups/n") == "us-east4-a/n"


# --- what the file may say -----------------------------------------------------------------------


def _file(traffic: dict[str, str] | None = None, **claims: Any) -> str:
    file = configuration(regions=("us-east-1", "us-west-2"))
    told = file["services"]["checkout"]
    told["traffic"] |= traffic or {}
    for name, claim in claims.items():
        told["regions"][name.replace("_", "-")]["backend"] = claim
    return json.dumps(file)


def _problems(text: str) -> str:
    with pytest.raises(BadConfig) as caught:
        load(text, "test")
    return str(caught.value)


@pytest.mark.parametrize(
    ("east", "west"),
    [
        (NEG, "projects/laptop/zones/us-east4-a/networkEndpointGroups/checkout"),
        (NEG, "projects/laptop/zones/us-*/networkEndpointGroups/checkout"),
        (NEG, "projects/laptop/zones/*/networkEndpointGroups/check*"),
        (NEG, NEG),
    ],
)
def test_claims_that_can_match_one_group_are_refused_at_load(east: str, west: str) -> None:
    assert "a group belongs to one region, once" in _problems(_file(us_east_1=east, us_west_2=west))
    assert "a group belongs to one region, once" in _problems(_file(us_east_1=[east, west]))


def test_claims_that_no_group_can_share_load() -> None:
    service = load(_file(us_east_1=NEG, us_west_2=WEST_NEG), "test").services["checkout"]
    assert service.patterns == (NEG, WEST_NEG)
    zone_c = "projects/laptop/zones/us-east4-c/networkEndpointGroups/checkout"
    assert service.owner(zone_c) == "us-east-1"
    assert service.owner(zone_c.replace("checkout", "other")) is None


@pytest.mark.parametrize(
    "claim",
    [
        "projects/*/zones/a/instanceGroups/n",
        "projects/p/zones/a*b/instanceGroups/n",
        "projects/p/zones/*-a/instanceGroups/n",
        "projects/p/*/a/instanceGroups/n",
        "projects/p/zones/a/*/n",
        "projects/p/regions/us-east4/networkEndpointGroups/n*",
        "projects/p/regions/*/networkEndpointGroups/n",
    ],
)
def test_a_star_anywhere_else_is_refused_with_what_to_write(claim: str) -> None:
    assert "*" in _problems(_file(us_east_1=claim))


def test_a_star_is_refused_where_groups_are_attached_by_name() -> None:
    told = _problems(_file({"lever": "membership"}, us_east_1=NEG))
    assert "with lever: membership, groups are attached by their names" in told
    regional = "projects/laptop/regions/us-west1/networkEndpointGroups/checkout"
    assert "attached by their names" in _problems(_file(us_east_1=NEG, us_west_2=regional))
    load(_file({"lever": "capacity"}, us_east_1=NEG, us_west_2=regional), "test")


# --- what moves ----------------------------------------------------------------------------------


def _gke(*zones: str) -> Lab:
    """A service whose NEGs are claimed by pattern; east carries the traffic in these zones."""
    made = lab()
    text = _file(us_east_1=NEG, us_west_2=WEST_NEG)
    made.service = load(text, "test").services["checkout"]
    made.traffic.resource["backends"] = [
        *({"group": NEG.replace("*", zone), "capacityScaler": 1.0} for zone in zones),
        {"group": WEST_NEG.replace("*", "a"), "capacityScaler": 0.0},
    ]
    return made


def _scalers(made: Lab) -> dict[str, float]:
    found = made.traffic.resource["backends"]
    return {short_name(one["group"]).split("/")[0]: one["capacityScaler"] for one in found}


def test_everything_that_a_pattern_matches_moves_together() -> None:
    made = _gke("a", "b", "c")
    made.tick()
    made.down("us-east-1")
    report = made.handle(made.opened("us-east-1"))
    assert _scalers(made) == {"us-east4-a": 0, "us-east4-b": 0, "us-east4-c": 0, "us-west1-a": 1}
    assert "scale us-east-1 us-east4-b/checkout to 0" in str(report.plans[0])
    assert set(made.state.restore) == {NEG.replace("*", zone) for zone in "abc"}


def test_a_group_that_appears_later_is_drained_with_its_region() -> None:
    made = _gke("a")
    made.tick()
    made.command("failover", "us-west-2", now=True)
    late = {"group": NEG.replace("*", "c"), "capacityScaler": 1.0}
    made.traffic.change({"backends": [*made.traffic.resource["backends"], late]})
    made.tick()
    assert _scalers(made) == {"us-east4-a": 0, "us-east4-c": 0, "us-west1-a": 1}
    assert not made.state.unclaimed


def test_a_region_can_be_given_traffic_when_any_match_is_attached() -> None:
    made = _gke("a")
    routing = made.traffic.read("checkout")
    assert movable(routing, made.service, Lever.CAPACITY, "us-west-2")
    made.traffic.resource["backends"].pop()
    routing = made.traffic.read("checkout")
    assert not movable(routing, made.service, Lever.CAPACITY, "us-west-2")


def test_a_region_that_leaves_the_file_retires_the_groups_that_its_pattern_matched() -> None:
    made = _gke("a", "b")
    made.tick()
    made.command("failover", "us-west-2", now=True)
    file = _file(us_west_2=WEST_NEG).replace('"serial": 1', '"serial": 2')
    shrunk = load(file.replace(NEG, "x"), "test").services["checkout"]
    east = next(region for region in shrunk.regions if region.name == "us-east-1")
    other = "projects/laptop/zones/eu-a/networkEndpointGroups/checkout"
    regions = (*shrunk.regions[1:], replace(east, name="eu-west-1", backends=(other,)))
    made.service = replace(shrunk, regions=regions)
    made.tick()
    assert made.state.retired == tuple(NEG.replace("*", zone) for zone in "ab")


def test_a_group_that_two_claims_match_is_never_moved_and_pages() -> None:
    made = _gke("a")
    east, west = made.service.regions
    both = replace(west, backends=(WEST_NEG, NEG.replace("*", "a")))
    made.service = replace(made.service, regions=(east, both))
    with pytest.raises(UnsafePlan, match="us-east-1 and of us-west-2"):
        plan(made.tick().decision.state, made.traffic.read("checkout"), made.service)
    assert any("is matched by the `backend` of" in page for page in made.pages)


def test_a_group_that_is_attached_twice_is_never_moved() -> None:
    made = _gke("a", "a")
    made.tick()
    assert any("is attached twice" in page for page in made.pages)
    assert not made.traffic.applied
