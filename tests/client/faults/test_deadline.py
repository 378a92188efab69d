"""The deadline is one, whatever a region sends. Regions here send for ever; the tests end.

One test looks at the clock, because seconds are what is promised.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from orchestrator.client._calls.call import Options
from orchestrator.client._calls.keeper import Keeper
from orchestrator.client._regions import attempt
from orchestrator.client._regions.breaker import Need
from orchestrator.client.errors import NoHealthyRegion, RegionError, WriteUnknown
from tests.client.faults.modes import MODES, Mode, Pace
from tests.client.faults.world import world
from tests.support.client_parts import ITEM, calls
from tests.support.regional import EAST, REGIONS
from tests.support.station import BadSocket, Said, Station, hang, trickle

ANSWER = Said(200, b'{"Item":{"pk":{"S":"a"}}}')
SHORT, LONG = Options(deadline=0.4), Options(deadline=30.0)
DEADLINE, MARGIN = 1.0, 1.0
"""Seconds, and what is left to a machine that has other work."""

OK = b"HTTP/1.1 200 OK\r\n"

DRIPS = {
    "the body": trickle(OK + b"Content-Length: 100000\r\n\r\n{"),
    "a body in chunks": trickle(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "a body without an end": trickle(OK + b"\r\n"),
    "the headers": trickle(OK + b"X-Long: "),
    "more and more headers": trickle(OK, b"X-One: 1\r\n", 0.01),
    "the first line": trickle(b"HTTP/1.1 200 O", b"K"),
}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "laptop")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "laptop")


@pytest.mark.parametrize("behave", DRIPS.values(), ids=DRIPS)
def test_a_region_that_goes_on_sending_does_not_hold_a_call(behave: Callable[..., None]) -> None:
    with BadSocket(behave) as drip, calls(us_east_1=drip.url) as made:
        with pytest.raises(NoHealthyRegion):
            made.read("get_item", ITEM, SHORT)
        with pytest.raises(WriteUnknown):
            made.write("delete_item", ITEM, SHORT)


@pytest.mark.long
def test_regions_that_drip_or_hang_leave_time_for_one_that_is_well() -> None:
    """Four of them, and the last one answers: it has its share of the deadline."""
    with (
        BadSocket(DRIPS["the body"]) as drip,
        BadSocket(hang) as silent,
        BadSocket(DRIPS["the headers"]) as slow,
        Station(lambda _: ANSWER) as well,
        calls(
            0.8,
            us_east_1=drip.url,
            us_west_2=silent.url,
            eu_west_1=slow.url,
            ap_south_1=well.url,
        ) as made,
    ):
        answer, region = made.read("get_item", ITEM, Options(deadline=2.0))
        assert answer["Item"] == {"pk": {"S": "a"}}
        assert region == "ap-south-1"


def test_a_connection_serves_after_a_call_that_was_almost_too_late() -> None:
    """What was left of one attempt is no timeout of the next one on the same connection."""
    with Station(lambda _: ANSWER) as well, calls(us_east_1=well.url) as made:
        for options in (Options(deadline=1.0), LONG, Options(deadline=1.0), LONG):
            assert made.read("get_item", ITEM, options)[1] == EAST
        assert len({asked.headers["host"] for asked in well.asked}) == 1


def test_a_probe_does_not_wait_for_ever() -> None:
    with BadSocket(DRIPS["the body"]) as drip, calls(us_east_1=drip.url) as made:
        document = made.view.latest
        assert document is not None
        region = made.regions.get(document.regions[EAST])
        keeper = Keeper(made.regions, lambda one: one.client.get_item(**ITEM), patience=0.2)
        for _ in range(5):
            keeper._put(region, Need.READ)
        assert region.breakers.read.dead
        assert attempt.left() is None, "what this thread asks next has a time of its own"


@pytest.mark.long
@pytest.mark.client
@pytest.mark.parametrize(
    "mode", [one for one in MODES if one.pace in (Pace.SILENT, Pace.ENDLESS)], ids=str
)
def test_a_call_ends_at_its_deadline_while_no_region_answers(mode: Mode) -> None:
    with world(DEADLINE, 0.8, dict.fromkeys(REGIONS, mode)) as made:
        began = time.monotonic()
        with pytest.raises(NoHealthyRegion):
            made.read()
        with pytest.raises(RegionError):
            made.transact("n")
        assert time.monotonic() - began < 2 * DEADLINE + MARGIN
