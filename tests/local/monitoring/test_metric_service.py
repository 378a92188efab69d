"""MetricService on the laptop: Google's client reads and writes time series on it unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
)
from google.cloud.monitoring_v3 import ListTimeSeriesRequest, MetricServiceClient

from orchestrator.local.monitoring.series_filter import parse
from orchestrator.local.monitoring.time_series import MOST
from orchestrator.local.rpc.permissions import IamRole
from tests.support.metrics import PASSED, PROJECT, Watched, client, listed, serving

EAST = "us-east-1"
GAUGE, BOOL, INT64 = 1, 1, 2  # of google.api.MetricDescriptor, its kinds and its value types
EPOCH = "custom.googleapis.com/region_failover/epoch"


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def found(watched: Watched) -> Iterator[MetricServiceClient]:
    with serving(watched) as service, client(service) as made:
        yield made


def gauge(value: Any = 1, ago: float = 0, **labels: str) -> dict[str, Any]:  # any value
    """One series with one point, as it is sent."""
    name = {bool: "bool_value", int: "int64_value", float: "double_value"}[type(value)]
    at = datetime.now(UTC) - timedelta(seconds=ago)
    return {
        "metric": {"type": EPOCH, "labels": labels},
        "resource": {"type": "global", "labels": {"project_id": "laptop"}},
        "points": [{"interval": {"end_time": at}, "value": {name: value}}],
    }


def write(found: MetricServiceClient, *series: dict[str, Any]) -> None:  # a message
    """Create these time series, trying once."""
    request = {"name": PROJECT, "time_series": series}
    found.create_time_series(request=request, retry=None, timeout=20)


# --- what the checks found ------------------------------------------------------------------------


def test_each_check_and_vantage_point_is_a_series_as_the_real_one(
    watched: Watched, found: MetricServiceClient
) -> None:
    watched.tell(EAST, passing=5, failing=1)
    series = listed(found, f'{PASSED} AND resource.type = "uptime_url"')
    assert len(series) == 6
    [one] = [s for s in series if s.metric.labels["checker_location"] == "asia-pacific"]
    assert dict(one.metric.labels) == {
        "check_id": "checkout-us-east-1-x1",
        "checker_location": "asia-pacific",
        "checked_resource_id": "us-east-1.example.com",
    }
    assert dict(one.resource.labels) == {"host": "us-east-1.example.com", "project_id": "laptop"}
    assert (one.metric_kind, one.value_type) == (GAUGE, BOOL)
    assert [point.value.bool_value for point in one.points] == [False]


def test_the_newest_point_comes_first(watched: Watched, found: MetricServiceClient) -> None:
    for ago, passing in ((60, 1), (30, 0), (1, 1)):
        watched.tell(EAST, passing=passing, failing=1 - passing, ago=ago)
    [one] = listed(found, PASSED)
    assert [point.value.bool_value for point in one.points] == [True, False, True]


def test_filters_pick_by_label_of_metric_and_resource(
    watched: Watched, found: MetricServiceClient
) -> None:
    for region in ("us-east-1", "us-west-2"):
        watched.tell(region, passing=6, failing=0)
    assert len(listed(found, f'{PASSED} AND metric.labels.check_id = "checkout-us-east-1-x1"')) == 6
    assert len(listed(found, f'{PASSED} resource.label.host="us-west-2.example.com"')) == 6
    assert listed(found, f'{PASSED} AND metric.labels.check_id = "nobody"') == []
    assert listed(found, f'{PASSED} AND metric.labels.nothing = ""') == []


def test_an_interval_reaches_back_its_length_divided_by_the_pace() -> None:
    """At a pace of 60 the last five minutes of Monitoring are the laptop's last five seconds."""
    watched = Watched(pace=60)
    watched.tell(EAST, passing=1, failing=0, ago=8)
    with serving(watched) as service, client(service) as found:
        assert listed(found, PASSED) == []
        watched.tell(EAST, passing=0, failing=2, ago=1)
        assert len(listed(found, PASSED)) == 2


def test_lists_come_in_pages_of_points(watched: Watched, found: MetricServiceClient) -> None:
    for ago in (60, 30, 1):
        watched.tell(EAST, passing=4, failing=0, ago=ago)
    now = datetime.now(UTC)
    interval = {"start_time": now - timedelta(minutes=5), "end_time": now}
    request = {"name": PROJECT, "filter": PASSED, "interval": interval, "page_size": 5}
    pages = list(found.list_time_series(request=request).pages)
    assert [sum(len(one.points) for one in page.time_series) for page in pages] == [5, 5, 2]
    with pytest.raises(InvalidArgument):
        listed(found, PASSED, page_token="rubbish")


def test_headers_carry_no_points(watched: Watched, found: MetricServiceClient) -> None:
    watched.tell(EAST, passing=6, failing=0)
    view = ListTimeSeriesRequest.TimeSeriesView.HEADERS
    assert [len(one.points) for one in listed(found, PASSED, view=view)] == [0] * 6


@pytest.mark.parametrize(
    "query",
    [
        *("", "rubbish", 'resource.labels.host = "x"', 'metric.type = starts_with("custom")'),
        *(f'{PASSED} OR resource.labels.host = "x"', f"AND {PASSED}", f"{PASSED} AND"),
        *(f"{PASSED} AND {PASSED}", f'{PASSED} AND metric.labels.check_id != "x"'),
        f'{PASSED} AND (resource.type = "uptime_url")',
    ],
)
def test_a_filter_that_is_not_understood_is_refused_and_not_misread(
    found: MetricServiceClient, query: str
) -> None:
    with pytest.raises(InvalidArgument):
        listed(found, query)


def test_a_quoted_value_may_hold_quotes() -> None:
    assert dict(parse(r'metric.type = "a\"b\\c" AND resource.type=global').wanted) == {
        "metric.type": 'a"b\\c',
        "resource.type": "global",
    }


# --- what is written ------------------------------------------------------------------------------


def test_what_was_written_is_listed(found: MetricServiceClient) -> None:
    write(found, gauge(7, service="checkout"), gauge(8, service="search"))
    series = listed(found, f'metric.type = "{EPOCH}" AND resource.type = "global"')
    values = {one.metric.labels["service"]: one.points[0].value.int64_value for one in series}
    assert values == {"checkout": 7, "search": 8}
    kinds = {(one.metric_kind, one.value_type) for one in series}
    assert kinds == {(GAUGE, INT64)}


@pytest.mark.parametrize("ago", [10, 20])
def test_a_point_that_is_not_newer_than_the_last_is_refused(
    found: MetricServiceClient, ago: float
) -> None:
    first = gauge(1, ago=10)
    write(found, first)
    late = {**gauge(2, ago=20), **({"points": first["points"]} if ago == 10 else {})}
    with pytest.raises(InvalidArgument, match="Points must be written in order"):
        write(found, late)
    [one] = listed(found, f'metric.type = "{EPOCH}"')
    assert [point.value.int64_value for point in one.points] == [1]


def test_points_of_one_series_are_five_seconds_apart(found: MetricServiceClient) -> None:
    write(found, gauge(1, ago=10))
    with pytest.raises(InvalidArgument, match="more frequently"):
        write(found, gauge(2, ago=6))
    write(found, gauge(3, ago=4))


def test_of_one_request_the_good_series_are_written_and_the_others_named(
    found: MetricServiceClient,
) -> None:
    write(found, gauge(1, service="checkout"))
    with pytest.raises(InvalidArgument, match=r"timeSeries\[1\] global.*service:checkout"):
        write(found, gauge(2, service="search"), gauge(3, service="checkout"))
    series = listed(found, f'metric.type = "{EPOCH}"')
    values = {one.metric.labels["service"]: one.points[0].value.int64_value for one in series}
    assert values == {"checkout": 1, "search": 2}


def test_a_request_with_two_points_of_one_series_is_refused_whole(
    found: MetricServiceClient,
) -> None:
    doubled = gauge(1)
    doubled["points"] = [*doubled["points"], *gauge(2, ago=60)["points"]]
    for series in ([gauge(1), gauge(2, ago=60)], [doubled], [{**gauge(1), "points": []}], []):
        with pytest.raises(InvalidArgument):
            write(found, *series)
    assert listed(found, f'metric.type = "{EPOCH}"') == []


def test_a_request_has_at_most_200_series(found: MetricServiceClient) -> None:
    write(found, *(gauge(n, number=str(n)) for n in range(MOST)))
    with pytest.raises(InvalidArgument, match="201"):
        write(found, *(gauge(n, other=str(n)) for n in range(MOST + 1)))
    assert len(listed(found, f'metric.type = "{EPOCH}"')) == MOST


def test_what_the_real_one_refuses_is_refused(found: MetricServiceClient) -> None:
    foreign = gauge(1)
    foreign["metric"]["type"] = "monitoring.googleapis.com/uptime_check/check_passed"
    homeless = {**gauge(1), "resource": {}}
    counter = {**gauge(1), "metric_kind": "CUMULATIVE"}
    spread = gauge(1)
    spread["points"][0]["interval"]["start_time"] = datetime.now(UTC) - timedelta(minutes=1)
    worthless = gauge(1)
    worthless["points"][0]["value"] = {}
    for wrong in (foreign, homeless, counter, spread, worthless):
        with pytest.raises(InvalidArgument):
            write(found, wrong)
    for ago in (26 * 3600, -600):
        with pytest.raises(InvalidArgument, match="cannot be written more than"):
            write(found, gauge(1, ago=ago))
    write(found, gauge(1, ago=10))
    with pytest.raises(InvalidArgument, match="Value type"):
        write(found, gauge(1.5))


def test_a_project_that_is_not_here_is_not_found(found: MetricServiceClient) -> None:
    with pytest.raises(NotFound):
        listed(found, PASSED, name="projects/other")
    for interval in (
        {},
        {"end_time": datetime.now(UTC), "start_time": datetime(2100, 1, 1, tzinfo=UTC)},
    ):
        with pytest.raises(InvalidArgument):
            listed(found, PASSED, interval=interval)
    with pytest.raises(InvalidArgument, match="No aggregation"):
        listed(found, PASSED, aggregation={"cross_series_reducer": "REDUCE_SUM"})


# --- as a server ---------------------------------------------------------------------------------


def test_a_role_without_the_permission_is_denied_and_uses_what_it_has(watched: Watched) -> None:
    role = watched.service.role = IamRole({"monitoring.timeSeries.list"})
    with serving(watched) as service, client(service) as found:
        listed(found, PASSED)
        with pytest.raises(PermissionDenied, match=r"monitoring\.timeSeries\.create"):
            write(found, gauge(1))
    assert role.used == {"monitoring.timeSeries.list"}


def test_an_outage_ends_calls_and_loses_nothing(watched: Watched) -> None:
    with serving(watched) as service, client(service) as found:
        write(found, gauge(1))
    with client(service) as found, pytest.raises(ServiceUnavailable):
        listed(found, PASSED)
    with serving(watched), client(service) as found:
        assert len(listed(found, f'metric.type = "{EPOCH}"')) == 1
    service.stop()
