"""What mirrors hold: small, and read as the whole document is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.client.document import read_document
from orchestrator.core.document.codec import encode
from orchestrator.core.document.public import public_revision, public_view
from orchestrator.core.model import RegionState, State, Status
from tests.support.fakes import START, lab

STANDARD_PARAMETER = 4096
"""Bytes that an SSM parameter of the standard tier holds."""

times = st.datetimes(timezones=st.just(START.tzinfo)).filter(lambda at: at.year > 1970)
names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)
regions = st.builds(
    RegionState,
    endpoint=st.from_regex(r"[a-z][a-z0-9]{0,20}(\.[a-z]{1,9}){0,3}", fullmatch=True),
    aws_region=st.sampled_from(["", "us-east-1", "eu-west-1"]),
    status=st.sampled_from(Status),
    since=st.just(START),
    fenced_until=st.none() | times,
)


@st.composite
def states(draw: st.DrawFn) -> State:
    """A state with anything in what applications depend on."""
    lab_ = lab()
    lab_.tick()
    found = draw(st.dictionaries(names, regions, min_size=1, max_size=5))
    return replace(
        lab_.state,
        revision=draw(st.integers(0, 2**60)),
        regions=found,
        primary=draw(st.sampled_from(sorted(found))),
    )


def anything(region: str, endpoint: str) -> bool:
    """Takes every endpoint: what the application allows is not the view's concern."""
    return bool(region and endpoint)


@settings(deadline=None)
@given(states())
def test_the_view_is_read_as_the_whole_document_is(state: State) -> None:
    view = public_view(state)
    seen = read_document(view, anything)
    assert seen == read_document(encode(state), anything)
    assert list(seen.regions) == list(state.regions)
    assert public_revision(view) == state.revision


def test_a_view_of_twenty_regions_is_a_standard_parameter() -> None:
    world = lab()
    world.tick()
    fenced = replace(
        next(iter(world.state.regions.values())),
        endpoint="dynamodb.ap-southeast-2.amazonaws.com",
        fenced_until=START + timedelta(microseconds=1),
    )
    state = replace(
        world.state,
        revision=2**63,
        primary="ap-southeast-0",
        regions={f"ap-southeast-{number}": fenced for number in range(20)},
    )
    assert len(public_view(state)) < STANDARD_PARAMETER


def test_nothing_else_of_the_document_is_in_it() -> None:
    world = lab()
    world.down("us-east-1")
    world.handle(world.opened("us-east-1"))
    view = public_view(world.state)
    for secret in (b"incidents", b"history", b"commands", b"writer", b"routing"):
        assert secret not in view


@pytest.mark.parametrize(
    "view",
    [
        *(b"", b"x", b"[]", b"{}", b'{"revision": -1}', b'{"revision": "1"}'),
        *(b'{"revision": true}', b'{"revision": NaN}', b"[" * 100_000, b"\xff"),
    ],
)
def test_what_is_no_document_has_no_revision(view: bytes) -> None:
    assert public_revision(view) is None
