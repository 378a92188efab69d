"""The methods of MetricService that are served here, on the messages of Google's own library.

ListTimeSeries reads what the uptime checks found and what was written; CreateTimeSeries writes. The
rules are in `time_series`. It must not know how a request came.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from google.cloud.monitoring_v3 import types
from google.protobuf.empty_pb2 import Empty

from orchestrator.local.monitoring.notification import PROJECT
from orchestrator.local.monitoring.series_filter import parse
from orchestrator.local.monitoring.time_series import Key, Point, Series, TimeSeries, labels
from orchestrator.local.pubsub.publisher_methods import Method
from orchestrator.local.pubsub.pubsub import Code, Refused
from orchestrator.local.rpc.permissions import IamRole, denied

SERVICE = "google.monitoring.v3.MetricService"
LARGEST_PAGE = 100_000
"""Points in one answer, at most."""

Uptime = Callable[[datetime, datetime], Iterable[Series]]
_VALUES = {bool: "bool_value", int: "int64_value", float: "double_value", str: "string_value"}
_TYPES = {bool: "BOOL", int: "INT64", float: "DOUBLE", str: "STRING"}
_UNSAID, _GAUGE = 0, 1  # of google.api.MetricDescriptor.MetricKind


def metric_methods(
    written: TimeSeries, uptime: Uptime, role: Callable[[], IamRole | None]
) -> dict[str, Method]:
    """The methods by their names. uptime: the checks' series in an interval."""
    api = _Metrics(written, uptime, role)
    return {
        "ListTimeSeries": Method(types.ListTimeSeriesRequest.pb(), api.list),
        "CreateTimeSeries": Method(types.CreateTimeSeriesRequest.pb(), api.create),
    }


class _Metrics:
    """Requests and answers are protobuf messages, which carry no types."""

    def __init__(
        self, written: TimeSeries, uptime: Uptime, role: Callable[[], IamRole | None]
    ) -> None:
        self._written, self._uptime, self._role = written, uptime, role

    def list(self, request: Any) -> Any:
        self._check(request.name, "monitoring.timeSeries.list")
        if request.aggregation.ByteSize() or request.order_by:
            raise Refused(Code.INVALID_ARGUMENT, "No aggregation and no order is served here.")
        wanted = parse(request.filter)
        start, end = _interval(request.interval)
        written = (one.within(start, end) for one in self._written.all())
        found = (one for one in (*self._uptime(start, end), *written) if one.points)
        return _page([one for one in found if wanted.takes(one.key)], request)

    def create(self, request: Any) -> Any:
        self._check(request.name, "monitoring.timeSeries.create")
        self._written.write([_draft(one) for one in request.time_series], datetime.now(UTC))
        return Empty()

    def _check(self, name: str, permission: str) -> None:
        role = self._role()
        if role is not None and role.missing(permission):
            raise Refused(Code.PERMISSION_DENIED, denied(permission, name))
        if name != f"projects/{PROJECT}":
            raise Refused(Code.NOT_FOUND, f"The project {name} is not here.")


def _interval(interval: Any) -> tuple[datetime, datetime]:
    if not interval.HasField("end_time"):
        raise Refused(Code.INVALID_ARGUMENT, "Field interval.end_time had an invalid value: none.")
    end = interval.end_time.ToDatetime(UTC)
    start = interval.start_time.ToDatetime(UTC) if interval.HasField("start_time") else end
    if start > end:
        raise Refused(Code.INVALID_ARGUMENT, "Field interval had an invalid value: it ends first.")
    return start, end


def _page(found: list[Series], request: Any) -> Any:
    """One page: so many points as it may have, in the order of the series."""
    size = min(request.page_size if request.page_size > 0 else LARGEST_PAGE, LARGEST_PAGE)
    token = request.page_token
    if token and not (token.isascii() and token.isdecimal() and len(token) < 10):  # noqa: PLR2004 - far more points than there can be
        raise Refused(Code.INVALID_ARGUMENT, f"Invalid page token: {token}")
    begin = int(token or 0)
    points = [(series.key, point) for series in found for point in series.points]
    more = str(begin + size) if begin + size < len(points) else ""
    headers = request.view == types.ListTimeSeriesRequest.TimeSeriesView.HEADERS
    told = list(_messages(points[begin : begin + size], headers=headers))
    return types.ListTimeSeriesResponse.pb()(time_series=told, next_page_token=more)


def _messages(points: Iterable[tuple[Key, Point]], *, headers: bool) -> Iterator[Any]:
    series: Any = None
    last: Key | None = None
    for key, point in points:
        if key != last:
            if series is not None:
                yield series
            series, last = _message(key, point), key
        if not headers:
            told = series.points.add(value={_VALUES[type(point.value)]: point.value})
            told.interval.start_time.FromDatetime(point.at)
            told.interval.end_time.FromDatetime(point.at)
    if series is not None:
        yield series


def _message(key: Key, point: Point) -> Any:
    return types.TimeSeries.pb()(
        metric={"type": key.metric, "labels": dict(key.labels)},
        resource={"type": key.resource, "labels": dict(key.resource_labels)},
        metric_kind=_GAUGE,
        value_type=_TYPES[type(point.value)],
    )


def _draft(series: Any) -> Series:
    """What is to be written."""
    metric, resource = series.metric, series.resource
    if series.metric_kind not in (_UNSAID, _GAUGE):
        raise Refused(Code.INVALID_ARGUMENT, "Only gauges are served here.")
    key = Key(
        metric.type,
        labels(metric.labels.items()),
        resource.type,
        labels(resource.labels.items()),
    )
    return Series(key, tuple(_point(point) for point in series.points))


def _point(point: Any) -> Point:
    value = point.value.WhichOneof("value")
    if value not in _VALUES.values():
        raise Refused(Code.INVALID_ARGUMENT, "Only plain values are served here.")
    start, end = _interval(point.interval)
    if start != end:
        raise Refused(Code.INVALID_ARGUMENT, "The interval of a gauge's point is one moment.")
    return Point(end, getattr(point.value, value))
