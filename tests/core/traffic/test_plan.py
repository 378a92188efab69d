"""What to change: capacity and membership, nothing lost on the way, never nobody left."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config import load
from orchestrator.core.document.ground import shares
from orchestrator.core.exceptions import UnsafePlan
from orchestrator.core.model import NO_MARK, Backend, Json, Mark, Phase, Routing, Shift, State
from orchestrator.core.policy import Lever, Service
from orchestrator.core.traffic.fence import write_mark
from orchestrator.core.traffic.plan import (
    DESCRIPTION,
    Verb,
    body,
    carrying,
    group_path,
    lever_from_kinds,
    lever_of,
    movable,
    plan,
    refuse_unsafe,
    remember,
)
from tests.support.fakes import REGIONS, configuration, group, service
from tests.support.loop import backend, loop, routing_of, scalers, written

API = "https://www.googleapis.com/compute/v1/"
MARK = Mark(7, 41)
EAST, WEST, EU = REGIONS


def wanting(*regions: str, mark: Mark = MARK, **fields: Any) -> State:  # any field
    """A document whose epoch desires that these regions carry the traffic."""
    ours = loop().state
    return replace(
        ours,
        epoch=mark.epoch,
        primary=regions[0],
        routing=shares(regions),
        shift=Shift(mark, Phase.COMMITTED),
        **fields,
    )


def scaled(region: str, scaler: float | None = 1.0, **settings: Any) -> dict[str, Any]:
    """An instance group's backend."""
    told = {"group": API + group(region, zone=settings.pop("zone", "a")), "balancingMode": "RATE"}
    return {**told, **({} if scaler is None else {"capacityScaler": scaler}), **settings}


def attached(region: str, **settings: Any) -> dict[str, Any]:  # any field
    """A serverless group's backend."""
    return {"group": API + group(region, serverless=True), **settings}


def marked(mark: Mark = MARK) -> str:
    """The mark of checkout."""
    return write_mark("", "checkout", mark)


def by_zone(*zones: str) -> Service:
    """Checkout with one group for each zone in every region."""
    told = configuration()
    for name, region in told["services"]["checkout"]["regions"].items():
        region["backend"] = [group(name, zone=zone) for zone in zones]
    return load(json.dumps(told), "test").services["checkout"]


# --- capacity ------------------------------------------------------------------------------------


def test_capacity_goes_to_the_wanted_region_and_exactly_to_zero_elsewhere() -> None:
    routing = routing_of([scaled(EAST), scaled(WEST, 0.0), scaled(EU, 0.0)])
    made = plan(wanting(WEST), routing, service())
    assert made.lever is Lever.CAPACITY
    assert [(c.verb, c.region, c.backend.scaler) for c in made.changes] == [
        (Verb.SCALE, EAST, 0.0),
        (Verb.SCALE, WEST, 1.0),
    ]
    assert scalers(written(made, routing, service())) == {EAST: 0.0, WEST: 1.0, EU: 0.0}


def test_a_zero_is_in_the_body_and_not_left_out() -> None:
    """An absent scaler means 1.0 to the API."""
    routing = routing_of([scaled(EAST, None), scaled(WEST, 0.0)])
    sent = body(plan(wanting(WEST), routing, service()), routing, service())
    assert '"capacityScaler": 0.0' in json.dumps(sent)
    backends = sent["backends"]
    assert isinstance(backends, list)
    assert [one["capacityScaler"] for one in backends] == [0.0, 1.0]


def test_an_absent_scaler_counts_as_one() -> None:
    routing = routing_of([scaled(EAST, None), scaled(WEST, 0.0)], marked())
    assert plan(wanting(EAST), routing, service()).empty


def test_what_a_backend_was_before_is_restored() -> None:
    """0.8 comes back as 0.8, and not as 1.0."""
    world = loop()
    world.routing = routing_of([scaled(EAST, 0.8), scaled(WEST, 0.0), scaled(EU, 0.0)])
    world.fail(EAST)
    assert scalers(world.routing) == {EAST: 0.0, WEST: 1.0, EU: 0.0}
    assert world.state.restore[group(EAST)] == {"capacityScaler": 0.8}
    back = replace(
        world.state,
        epoch=2,
        primary=EAST,
        routing={EAST: 1.0},
        shift=Shift(Mark(2, 50), Phase.COMMITTED),
    )
    world.edit(back)
    world.shift()
    assert scalers(world.routing) == {EAST: 0.8, WEST: 0.0, EU: 0.0}


def test_a_scaler_that_already_carries_is_left_as_it_is() -> None:
    """A wanted region at 0.5 is somebody's choice, no drift."""
    routing = routing_of([scaled(EAST, 0.5), scaled(WEST, 0.0)], marked())
    state = wanting(EAST, restore={group(EAST): {"capacityScaler": 0.8}})
    assert plan(state, routing, service()).empty


@pytest.mark.parametrize(
    "kept", [{}, *({"capacityScaler": bad} for bad in (0, 0.05, 1.01, -1, 10**400, "x"))]
)
def test_a_memory_of_no_use_restores_full_capacity(kept: Json) -> None:
    routing = routing_of([scaled(EAST), scaled(WEST, 0.0)])
    state = wanting(WEST, restore={group(WEST): kept})
    assert scalers(written(plan(state, routing, service()), routing, service()))[WEST] == 1.0


def test_a_drained_backend_is_not_remembered_as_zero() -> None:
    routing = routing_of([scaled(EAST, 0.0), scaled(WEST, 0.7), scaled(EU, 0.0)])
    state = wanting(WEST, restore={group(EAST): {"capacityScaler": 0.8}})
    kept = remember(state, routing, service(), {EU})
    assert kept == {
        group(EAST): {"capacityScaler": 0.8},
        group(WEST): {"capacityScaler": 0.7},
    }


def test_several_groups_of_one_region_move_together() -> None:
    zones = [scaled(name, float(name == EAST), zone=z) for name in (EAST, WEST) for z in "ab"]
    ours, routing = by_zone("a", "b"), routing_of(zones)
    made = plan(wanting(WEST), routing, ours)
    assert [(c.region, c.backend.scaler) for c in made.changes] == [
        (EAST, 0.0),
        (EAST, 0.0),
        (WEST, 1.0),
        (WEST, 1.0),
    ]
    assert carrying(written(made, routing, ours), ours) == (WEST,)


def test_backends_that_no_region_claims_are_left_as_they_are() -> None:
    stranger = {"group": API + "projects/p/zones/z/instanceGroups/other", "capacityScaler": 0.3}
    routing = routing_of([stranger, scaled(EAST), scaled(WEST, 0.0)])
    made = plan(wanting(WEST), routing, service())
    assert {change.region for change in made.changes} == {EAST, WEST}
    sent = body(made, routing, service())["backends"]
    assert isinstance(sent, list)
    assert sent[0] == stranger


# --- membership ----------------------------------------------------------------------------------


def members(**overrides: Any) -> Service:  # any JSON
    """Checkout on serverless groups."""
    return service(lever="membership", **overrides)


def test_membership_attaches_the_wanted_region_and_detaches_the_others() -> None:
    routing = routing_of([attached(EAST)])
    made = plan(wanting(WEST), routing, members())
    assert made.lever is Lever.MEMBERSHIP
    assert [(c.verb, c.region) for c in made.changes] == [
        (Verb.DETACH, EAST),
        (Verb.ATTACH, WEST),
    ]
    after = written(made, routing, members())
    assert after.resource["backends"] == [{"group": API + group(WEST, serverless=True)}]


def test_a_detached_backend_comes_back_with_its_own_settings() -> None:
    world = loop(lever="membership")
    settings_before = {"description": "ours", "preference": "DEFAULT", "new": {"deep": [0, None]}}
    world.routing = routing_of([attached(EAST, **settings_before)])
    world.fail(EAST)
    assert world.carrying == (WEST,)
    back = replace(
        world.state,
        epoch=2,
        primary=EAST,
        routing={EAST: 1.0},
        shift=Shift(Mark(2, 50), Phase.COMMITTED),
    )
    world.edit(back)
    world.shift()
    assert world.routing.resource["backends"] == [attached(EAST, **settings_before)]


@pytest.mark.parametrize(
    "kept",
    [
        API + "projects/demo/regions/us-west4/networkEndpointGroups/payroll",
        API + group(EU, serverless=True),
        "https://evil.example/" + group(WEST, serverless=True),
        7,
        None,
    ],
)
def test_a_group_that_the_document_puts_in_place_of_a_regions_own_is_not_attached(
    kept: object,
) -> None:
    """Whoever can write the document chooses no backend of the load balancer."""
    own = members().region(WEST).backends[0]
    state = wanting(WEST, restore={own: {"group": kept, "capacityScaler": 9, "preference": "X"}})
    made = plan(state, routing_of([attached(EAST)]), members())
    sent = body(made, routing_of([attached(EAST)]), members())["backends"]
    assert sent == [{"group": API + own, "capacityScaler": 1.0, "preference": "X"}]


def test_a_plan_that_attaches_a_group_of_no_region_is_refused() -> None:
    """The last look before a write, whatever made the change."""
    routing = routing_of([attached(EAST)])
    made = plan(wanting(WEST), routing, members())
    foreign = group_path(API + "projects/demo/regions/us-west4/networkEndpointGroups/payroll")
    for settings_then in ({"group": API + foreign}, {}):
        bad = replace(made.changes[1], backend=Backend(foreign, settings_then))
        with pytest.raises(UnsafePlan, match="not a group that us-west-2"):
            refuse_unsafe(replace(made, changes=(made.changes[0], bad)), routing, members())


def test_an_attached_region_is_as_desired() -> None:
    assert plan(wanting(EAST), routing_of([attached(EAST)], marked()), members()).empty


# --- nothing is lost -----------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
UNKNOWN = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda key: key not in {"group", "capacityScaler"}),
    JSON,
    max_size=3,
)
SCALERS = st.none() | st.just(0.0) | st.floats(0.1, 1.0)


@settings(deadline=None)
@given(
    extras=st.tuples(UNKNOWN, UNKNOWN, UNKNOWN),
    before=st.tuples(SCALERS, SCALERS, SCALERS),
    wanted=st.sets(st.sampled_from(REGIONS), min_size=1),
    text=st.text(max_size=50),
)
def test_a_capacity_plan_is_carried_out_by_one_write_and_loses_nothing(
    extras: tuple[dict[str, Any], ...],
    before: tuple[float | None, ...],
    wanted: set[str],
    text: str,
) -> None:
    """Unknown fields survive at every depth, and after the write the plan is empty."""
    listed = [
        {**scaled(name, scaler), **extra}
        for name, scaler, extra in zip(REGIONS, before, extras, strict=True)
    ]
    routing = routing_of(listed, text)
    regions = [name for name in REGIONS if name in wanted]
    state = wanting(*regions)
    after = written(plan(state, routing, service()), routing, service())
    assert plan(state, after, service()).empty
    assert carrying(after, service()) == tuple(regions)
    for one, extra in zip(after.backends, extras, strict=True):
        assert {key: one.settings[key] for key in extra} == extra
    assert text.strip() in after.description


@settings(deadline=None)
@given(
    extra=UNKNOWN,
    present=st.sets(st.sampled_from(REGIONS)),
    wanted=st.sets(st.sampled_from(REGIONS), min_size=1),
)
def test_a_membership_plan_is_carried_out_by_one_write_and_loses_nothing(
    extra: dict[str, Any], present: set[str], wanted: set[str]
) -> None:
    stranger = {"group": API + "projects/p/regions/r/networkEndpointGroups/other", **extra}
    routing = routing_of([stranger, *({**attached(name), **extra} for name in sorted(present))])
    regions = [name for name in REGIONS if name in wanted]
    state = wanting(*regions)
    after = written(plan(state, routing, members()), routing, members())
    assert plan(state, after, members()).empty
    assert carrying(after, members()) == tuple(regions)
    assert after.backends[0].settings == stranger
    for one in after.backends:
        if members().owner(one.group) in present & wanted:
            assert {key: one.settings[key] for key in extra} == extra


# --- never nobody --------------------------------------------------------------------------------


def test_a_plan_that_would_leave_every_scaler_zero_is_unsafe() -> None:
    """The wanted region has no backend that capacity could be given to."""
    routing = routing_of([scaled(EAST)])
    with pytest.raises(UnsafePlan) as refused:
        plan(wanting(WEST), routing, service())
    assert refused.value.rule == "last_region"


def test_the_only_backend_is_never_drained() -> None:
    with pytest.raises(UnsafePlan):
        plan(wanting(WEST), routing_of([scaled(EAST, 1.0)]), service())


@pytest.mark.parametrize("lever", ["capacity", "membership"])
def test_backends_are_never_sent_empty(lever: str) -> None:
    """A primary that the configuration no longer has attaches nothing, so nothing is sent."""
    state = replace(wanting(EAST), routing={"gone-1": 1.0}, primary="gone-1")
    backends = [scaled(EAST)] if lever == "capacity" else [attached(EAST)]
    with pytest.raises(UnsafePlan):
        plan(state, routing_of(backends), service(lever=lever))


def test_a_strangers_backend_does_not_make_a_plan_safe() -> None:
    stranger = {"group": API + "projects/p/zones/z/instanceGroups/other", "capacityScaler": 1.0}
    with pytest.raises(UnsafePlan):
        plan(wanting(WEST), routing_of([stranger, scaled(EAST)]), service())


# --- the mark ------------------------------------------------------------------------------------


def test_at_epoch_zero_nothing_has_been_decided_and_the_plan_is_empty() -> None:
    """Whatever the traffic is."""
    for routing in (routing_of([scaled(WEST)]), routing_of([]), routing_of([scaled(EAST)], "x")):
        assert plan(loop().state, routing, service()).empty


def test_the_right_traffic_without_the_mark_is_not_as_desired() -> None:
    made = plan(wanting(EAST), routing_of([scaled(EAST), scaled(WEST, 0.0)]), service())
    assert not made.empty
    assert not made.changes
    assert not made.drift
    assert (made.mark_before, made.mark) == (NO_MARK, MARK)
    assert "the mark only" in str(made)


def test_other_traffic_under_our_mark_is_drift() -> None:
    made = plan(wanting(WEST), routing_of([scaled(EAST), scaled(WEST, 0.0)], marked()), service())
    assert made.drift
    assert not made.empty
    assert not made.superseded


@pytest.mark.parametrize("mark", [Mark(8, 0), Mark(7, 42)])
def test_a_higher_mark_supersedes_the_plan(mark: Mark) -> None:
    made = plan(wanting(EAST), routing_of([scaled(EAST)], marked(mark)), service())
    assert made.superseded
    assert not made.empty


@pytest.mark.parametrize("mark", [Mark(6, 99), Mark(7, 40)])
def test_a_lower_mark_is_written_over(mark: Mark) -> None:
    routing = routing_of([scaled(EAST)], marked(mark))
    made = plan(wanting(EAST), routing, service())
    assert not made.superseded
    assert not made.empty
    assert marked() in written(made, routing, service()).description


def test_the_body_is_one_write_of_traffic_mark_and_fingerprint() -> None:
    routing = routing_of([scaled(EAST), scaled(WEST, 0.0)], "by hand", "F==")
    sent = body(plan(wanting(WEST), routing, service()), routing, service())
    assert set(sent) == {"backends", "description", "fingerprint"}
    assert sent["fingerprint"] == "F=="
    assert sent["description"] == f"{marked()} by hand"


def test_a_description_too_long_to_keep_is_remembered() -> None:
    routing = routing_of([scaled(EAST), scaled(WEST, 0.0)], "x" * 2048)
    assert remember(wanting(EAST), routing, service(), {WEST})[DESCRIPTION] == {"text": "x" * 2048}


# --- levers and groups ---------------------------------------------------------------------------


def test_the_lever_is_the_stated_then_the_learnt_then_what_the_urls_say() -> None:
    plain, regional = service(), members()
    unstated = replace(regional, stated_lever=None)
    assert lever_of(plain, None) is Lever.CAPACITY
    assert lever_of(unstated, None) is Lever.MEMBERSHIP
    assert lever_of(unstated, Lever.CAPACITY) is Lever.CAPACITY
    assert lever_of(regional, Lever.CAPACITY) is Lever.MEMBERSHIP


@pytest.mark.parametrize(
    ("kinds", "lever"),
    [
        ([], None),
        (["SERVERLESS"], Lever.MEMBERSHIP),
        (["GCE_VM_IP_PORT", "NON_GCP_PRIVATE_IP_PORT"], Lever.CAPACITY),
        (["GCE_VM_IP_PORT", "SERVERLESS"], Lever.MEMBERSHIP),
        (["PRIVATE_SERVICE_CONNECT"], Lever.MEMBERSHIP),
    ],
)
def test_the_lever_that_group_types_allow(kinds: list[str], lever: Lever | None) -> None:
    assert lever_from_kinds(kinds) is lever


@pytest.mark.parametrize(
    "url",
    [
        "https://www.googleapis.com/compute/v1/projects/p/zones/z/instanceGroups/g",
        "https://compute.googleapis.com/compute/beta/projects/p/zones/z/instanceGroups/g",
        "http://127.0.0.1:9000/compute/v1/projects/p/zones/z/instanceGroups/g",
        "projects/p/zones/z/instanceGroups/g",
        "/projects/p/zones/z/instanceGroups/g",
    ],
)
def test_urls_of_one_group_compare_equal(url: str) -> None:
    assert group_path(url) == "projects/p/zones/z/instanceGroups/g"


def test_capacity_cannot_attach_and_membership_can() -> None:
    routing = routing_of([scaled(EAST)])
    assert movable(routing, service(), Lever.CAPACITY, EAST)
    assert not movable(routing, service(), Lever.CAPACITY, WEST)
    assert movable(routing, members(), Lever.MEMBERSHIP, WEST)


# --- what Google's own types make of it ----------------------------------------------------------


def backend_service_type() -> Any:  # the library carries no types
    """Google's own type. Its library takes two seconds, which only these tests are to pay."""
    from google.cloud import compute_v1

    return compute_v1.BackendService


def parsed(sent: Json) -> Any:  # the library carries no types
    """The body as google-cloud-compute reads it."""
    return backend_service_type().from_json(json.dumps(sent), ignore_unknown_fields=True)


def full(region: str, scaler: float) -> dict[str, Any]:
    """A backend with every kind of field that instance groups have."""
    return scaled(
        region,
        scaler,
        description="made by hand",
        maxRatePerInstance=12.5,
        maxUtilization=0.8,
        maxConnections=0,
        failover=False,
        preference="DEFAULT",
    )


def test_googles_types_read_the_body_as_it_is_meant() -> None:
    """A scaler of 0 is there and is 0, no backend is lost, and it serialises to the same."""
    routing = routing_of([full(EAST, 0.8), full(WEST, 0.0), full(EU, 0.0)], "by hand", "Zm9v")
    sent = body(plan(wanting(WEST), routing, service()), routing, service())
    read = parsed(sent)
    assert len(read.backends) == 3
    assert [one.capacity_scaler for one in read.backends] == [0.0, 1.0, 0.0]
    assert all("capacity_scaler" in one for one in read.backends)
    assert read.fingerprint == "Zm9v"
    assert read.description == sent["description"]
    back = json.loads(
        backend_service_type().to_json(read, always_print_fields_with_no_presence=False)
    )
    assert back == json.loads(json.dumps(sent))


def test_googles_types_read_a_membership_body_as_it_is_meant() -> None:
    routing = routing_of([attached(EAST)], "by hand", "Zm9v")
    sent = body(plan(wanting(WEST, EU), routing, members()), routing, members())
    read = parsed(sent)
    assert [one.group for one in read.backends] == [
        API + group(WEST, serverless=True),
        API + group(EU, serverless=True),
    ]
    assert not any("capacity_scaler" in one for one in read.backends)
    back = json.loads(
        backend_service_type().to_json(read, always_print_fields_with_no_presence=False)
    )
    assert back == sent


def test_fields_that_googles_types_do_not_know_are_why_the_body_is_raw_json() -> None:
    """They drop what this body keeps."""
    routing = routing_of([scaled(EAST, 1.0, brandNewField={"a": 1}), scaled(WEST, 0.0)])
    sent = body(plan(wanting(WEST), routing, service()), routing, service())
    assert "brandNewField" in json.dumps(sent)
    assert "brandNewField" not in backend_service_type().to_json(parsed(sent))


def test_a_backend_is_what_the_api_tells() -> None:
    one = backend(scaled(EAST, 0.4))
    assert (one.group, one.scaler) == (group(EAST), 0.4)
    assert isinstance(routing_of([scaled(EAST)]), Routing)
