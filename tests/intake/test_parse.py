"""Messages become signals: envelopes, notifications, regions, and every way they can be broken."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.config import load
from orchestrator.core.document.codec import decode, encode
from orchestrator.core.document.ground import create
from orchestrator.core.exceptions import BadEvent
from orchestrator.core.health.incidents import assess
from orchestrator.core.model import AlertClosed, AlertOpened, Routing, Status, Tick
from orchestrator.core.policy import Service
from orchestrator.intake.parse import (
    MAX_BYTES,
    MAX_DEPTH,
    Addressed,
    Ignored,
    Message,
    parse_alert,
    parse_control,
    unwrap,
)
from tests.support.fakes import REGIONS, START, configuration, group

STARTED = START - timedelta(minutes=5)
EPOCH_SECONDS = int(STARTED.timestamp())
ALERTS = Path(__file__).parents[2] / "examples" / "alerts"


def services(**changes: Any) -> dict[str, Service]:  # any JSON
    """`checkout` in three regions, and `search` in the first two and one of its own."""
    told = configuration()
    search = json.loads(json.dumps(told["services"]["checkout"]))
    search["traffic"]["backend_service"] = "search"
    search["regions"]["ap-south-1"] = search["regions"].pop("eu-west-1")
    for name, region in search["regions"].items():
        region["health_url"] = f"https://{name}.search.example.com:8443/health"
        region["check_id"] = f"search-{name}"
        region["endpoint"] = f"dynamodb.{name}.amazonaws.com"
        region["backend"] = group(name).replace("checkout", "search")
    told["services"]["search"] = search
    for path, value in changes.items():
        service, region, field = path.split("__")
        told["services"][service]["regions"][region.replace("_", "-")][field] = value
    return dict(load(json.dumps(told), "test").services)


def notification(**fields: Any) -> dict[str, Any]:  # any JSON
    """A plain notification for checkout's first region; `drop` names fields to leave out."""
    incident = {
        "incident_id": "0.abc",
        "state": "open",
        "started_at": EPOCH_SECONDS,
        "ended_at": None,
        "policy_name": "checkout is failing",
        "condition_name": "uptime",
        "policy_user_labels": {"service": "checkout", "region": "us-east-1"},
        "resource": {"type": "uptime_url", "labels": {}},
        **fields,
    }
    for name in incident.pop("drop", ()):
        del incident[name]
    return {"version": "1.2", "incident": incident}


def envelope(data: bytes, **fields: Any) -> dict[str, Any]:  # any JSON
    """A Pub/Sub push of this data."""
    message = {
        "data": base64.b64encode(data).decode(),
        "messageId": "m1",
        "publishTime": START.isoformat().replace("+00:00", "Z"),
        **fields,
    }
    return {"message": message, "subscription": "projects/p/subscriptions/s"}


def message(value: object, id: str = "m1") -> Message:  # noqa: A002  # the field's name
    """A message that carries this value as JSON."""
    return Message(json.dumps(value).encode(), id, START)


def signals(value: object, among: dict[str, Service] | None = None) -> tuple[Addressed, ...]:
    """The signals of one notification."""
    parsed = parse_alert(message(value), among or services())
    assert not isinstance(parsed, Ignored)
    return parsed


def nested(depth: int) -> list[Any]:
    """Lists in lists, so many levels."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


# --- envelopes -----------------------------------------------------------------------------------

DATA = b'{"any": "thing"}'
PUSH = envelope(DATA)
ENVELOPES = {
    "a parsed push": PUSH,
    "a push as bytes": json.dumps(PUSH).encode(),
    "a push as text": json.dumps(PUSH),
    "snake case": {
        "message": {
            "data": PUSH["message"]["data"],
            "message_id": "m1",
            "publish_time": "2026-11-23T05:00:00+00:00",
        }
    },
    "a structured CloudEvent": {"specversion": "1.0", "id": "e", "data": PUSH},
    "a structured CloudEvent as bytes": json.dumps({"specversion": "1.0", "data": PUSH}).encode(),
    "a structured CloudEvent with data as text": {"specversion": "1.0", "data": json.dumps(PUSH)},
    "a structured CloudEvent with data_base64": {
        "specversion": "1.0",
        "data_base64": base64.b64encode(json.dumps(PUSH).encode()).decode(),
    },
}


@pytest.mark.parametrize("body", ENVELOPES.values(), ids=ENVELOPES.keys())
def test_every_envelope_gives_the_same_message(body: object) -> None:
    assert unwrap(body, START) == Message(DATA, "m1", START)


def test_a_message_without_id_and_time_counts_as_published_now() -> None:
    bare = {"message": {"data": base64.b64encode(DATA).decode()}}
    assert unwrap(bare, START) == Message(DATA, "", START)


@pytest.mark.parametrize("time", ["", "soon", 7.5e300, None, [], "2026-11-23T05:00:00"])
def test_an_unreadable_publish_time_counts_as_now(time: object) -> None:
    assert unwrap(envelope(DATA, publishTime=time), START).published == START


POISONED_ENVELOPES = {
    "no JSON": b"alas",
    "no UTF-8": b'{"message": "\xff"}',
    "empty": b"",
    "nothing": None,
    "a number": 7,
    "a list": [PUSH],
    "null": b"null",
    "no message": {"subscription": "s"},
    "a message that is text": {"message": "hello"},
    "no data": {"message": {"messageId": "m1"}},
    "empty data": {"message": {"data": ""}},
    "data of another type": {"message": {"data": {"a": 1}}},
    "data that is not base64": {"message": {"data": "%%%"}},
    "data that is not ASCII": {"message": {"data": "schön"}},
    "data of a length that base64 never has": {"message": {"data": "YWFhY"}},
    "data over the limit": envelope(b"x" * (MAX_BYTES + 1)),
    "an envelope over the limit": b" " * (2 * MAX_BYTES + 1),
    "an envelope nested too deep": b"[" * 100_000,
    "NaN": b'{"message": NaN}',
    "a number too long to read": b'{"message": ' + b"9" * 5000 + b"}",
    "a CloudEvent without data": {"specversion": "1.0"},
    "a CloudEvent with data of no use": {"specversion": "1.0", "data": 7},
    "a CloudEvent with broken data_base64": {"specversion": "1.0", "data_base64": "%"},
    "a CloudEvent whose data_base64 is no JSON": {"specversion": "1.0", "data_base64": "YWxhcw=="},
}


@pytest.mark.parametrize("body", POISONED_ENVELOPES.values(), ids=POISONED_ENVELOPES.keys())
def test_a_poisoned_envelope_is_a_bad_event(body: object) -> None:
    with pytest.raises(BadEvent):
        unwrap(body, START)


def test_a_message_of_exactly_the_limit_is_read() -> None:
    assert len(unwrap(envelope(b" " * MAX_BYTES), START).data) == MAX_BYTES


# --- notifications -------------------------------------------------------------------------------


def test_an_open_notification_is_an_alert_opened() -> None:
    opened = AlertOpened("0.abc", "us-east-1", STARTED)
    assert signals(notification()) == (Addressed("checkout", opened),)


def test_a_closed_notification_is_an_alert_closed() -> None:
    ended = int(START.timestamp())
    closed = AlertClosed("0.abc", "us-east-1", STARTED, START)
    made = signals(notification(state="closed", ended_at=ended))
    assert made == (Addressed("checkout", closed),)


@pytest.mark.parametrize("state", ["OPEN", " Open\n", "open"])
def test_the_state_is_compared_without_regard_to_case(state: str) -> None:
    assert isinstance(signals(notification(state=state))[0].signal, AlertOpened)


@pytest.mark.parametrize("state", ["", "snoozed", None, 1, [], {}, True])
def test_another_state_is_a_bad_event(state: object) -> None:
    with pytest.raises(BadEvent, match="state"):
        parse_alert(message(notification(state=state)), services())


def test_a_missing_state_is_a_bad_event() -> None:
    with pytest.raises(BadEvent, match="state"):
        parse_alert(message(notification(drop=["state"])), services())


@pytest.mark.parametrize("version", ["test", "TEST", " Test "])
def test_a_test_of_the_channel_is_ignored(version: str) -> None:
    """Whatever else it says: it never becomes a signal."""
    told = {**notification(), "version": version}
    assert isinstance(parse_alert(message(told), services()), Ignored)
    assert isinstance(parse_alert(message({"version": version}), services()), Ignored)


@pytest.mark.parametrize("version", ["1", "1.0", "1.1", "1.2", "1.99", 1, 1.2])
def test_every_version_1_is_read(version: object) -> None:
    assert signals({**notification(), "version": version})


def test_a_notification_without_a_version_is_read() -> None:
    assert signals({"incident": notification()["incident"]})


@pytest.mark.parametrize("version", ["2.0", "10.1", "", "x", [], {}])
def test_an_unknown_version_is_a_bad_event(version: object) -> None:
    with pytest.raises(BadEvent, match="version"):
        parse_alert(message({**notification(), "version": version}), services())


@pytest.mark.parametrize(
    "started",
    [
        EPOCH_SECONDS,
        float(EPOCH_SECONDS),
        str(EPOCH_SECONDS),
        EPOCH_SECONDS * 1000,
        str(EPOCH_SECONDS * 1000),
        "2026-11-23T04:55:00Z",
        "2026-11-23T05:55:00+01:00",
    ],
)
def test_a_start_is_read_in_every_known_form(started: object) -> None:
    signal = signals(notification(started_at=started))[0].signal
    assert isinstance(signal, AlertOpened)
    assert signal.started_at == STARTED


@pytest.mark.parametrize(
    "started",
    [
        0,
        "0",
        None,
        "",
        "yesterday",
        True,
        [],
        {},
        1e300,
        -1e300,
        "nan",
        "inf",
        "2026-11-23T04:55:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_without_a_readable_start_the_publish_time_counts(started: object) -> None:
    signal = signals(notification(started_at=started))[0].signal
    assert isinstance(signal, AlertOpened)
    assert signal.started_at == START


def test_a_missing_start_is_the_publish_time() -> None:
    signal = signals(notification(drop=["started_at"]))[0].signal
    assert isinstance(signal, AlertOpened)
    assert signal.started_at == START


def test_an_end_is_never_before_its_start() -> None:
    signal = signals(notification(state="closed", ended_at=EPOCH_SECONDS - 100))[0].signal
    assert isinstance(signal, AlertClosed)
    assert signal.ended_at == signal.started_at


@pytest.mark.parametrize("ended", [None, 0, "", "soon", [], {}])
def test_without_a_readable_end_the_publish_time_counts(ended: object) -> None:
    signal = signals(notification(state="closed", ended_at=ended))[0].signal
    assert isinstance(signal, AlertClosed)
    assert signal.ended_at == START


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"alas",
        b"\xff\xfe",
        b"null",
        b"7",
        b"[]",
        b'"text"',
        b"{}",
        b'{"version": "1.2"}',
        b'{"incident": null}',
        b'{"incident": []}',
        b'{"incident": "open"}',
        b'{"incident": NaN}',
        b'{"incident": Infinity}',
        b'{"incident": {"state": "open", "started_at": ' + b"1" * 5000 + b"}}",
        b"[" * 50_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)
def test_what_is_no_notification_is_a_bad_event(data: bytes) -> None:
    with pytest.raises(BadEvent):
        parse_alert(Message(data, "m1", START), services())


def test_a_notification_nested_too_deep_is_a_bad_event() -> None:
    """The limit is the module's own, far below what the JSON library can stand."""
    told = notification(metadata=nested(MAX_DEPTH + 1))
    with pytest.raises(BadEvent, match="nested"):
        parse_alert(message(told), services())
    assert signals(notification(metadata=nested(MAX_DEPTH - 5)))


@pytest.mark.parametrize("wrong", [None, 7, 1.5, True, "text", [], ["x"], {}, {"labels": 7}])
@pytest.mark.parametrize(
    "field",
    [
        "incident_id",
        "ended_at",
        "scoping_project_number",
        "summary",
        "policy_name",
        "condition_name",
        "resource",
        "resource_id",
        "metric",
        "metadata",
        "condition",
        "threshold_value",
        "severity",
        "documentation",
        "renotify",
    ],
)
def test_a_field_of_another_type_never_hides_a_failure(field: str, wrong: object) -> None:
    """The labels name the region; nothing else is needed."""
    made = signals(notification(**{field: wrong}))
    assert [(one.service, type(one.signal)) for one in made] == [("checkout", AlertOpened)]


@pytest.mark.parametrize("text", ["\ud800", "\x00", "x" * 5000, "🜁"])
@pytest.mark.parametrize("field", ["incident_id", "policy_name", "condition_name"])
def test_no_text_breaks_the_document(field: str, text: str) -> None:
    """JSON may carry half a surrogate pair, which UTF-8 cannot: what is accepted can be stored."""
    drop = [] if field == "incident_id" else ["incident_id"]
    ours = services()["checkout"]
    try:
        (made,) = signals(notification(**{field: text}, drop=drop))
    except BadEvent:
        return
    state = create(ours, Routing("checkout", "f", "", ()), START)
    after = assess(state, made.signal, {}, ours.policy, START)
    assert decode(encode(after), "checkout").incidents == after.incidents


# --- incidents without an id ---------------------------------------------------------------------


def test_open_and_close_without_an_id_meet_by_their_start() -> None:
    opened = signals(notification(drop=["incident_id"]))[0].signal
    closed = signals(notification(state="closed", drop=["incident_id"]))[0].signal
    assert isinstance(opened, AlertOpened)
    assert isinstance(closed, AlertClosed)
    assert opened.incident_id == closed.incident_id


@pytest.mark.parametrize("empty", [None, "", "  ", [], {}, True])
def test_an_id_of_no_use_counts_as_missing(empty: object) -> None:
    opened = signals(notification(incident_id=empty))[0].signal
    assert isinstance(opened, AlertOpened)
    assert opened.incident_id.startswith("derived-")


def test_a_later_open_without_id_and_start_is_not_swallowed() -> None:
    """Two alerts that say neither who they are nor when they began are two incidents."""
    told = notification(drop=["incident_id", "started_at"])
    first = parse_alert(Message(json.dumps(told).encode(), "m1", START), services())
    later = START + timedelta(hours=1)
    second = parse_alert(Message(json.dumps(told).encode(), "m2", later), services())
    assert not isinstance(first, Ignored)
    assert not isinstance(second, Ignored)
    assert isinstance(first[0].signal, AlertOpened)
    assert isinstance(second[0].signal, AlertOpened)
    assert first[0].signal.incident_id != second[0].signal.incident_id


def test_a_later_open_without_id_takes_its_region_down_again() -> None:
    """A second failure is a new incident, also when the first one's close has been seen."""
    ours = services()["checkout"]
    state = create(ours, Routing("checkout", "f", "", ()), START)
    told = notification(drop=["incident_id"])
    for one in (told, notification(state="closed", drop=["incident_id"])):
        state = assess(state, signals(one)[0].signal, {}, ours.policy, START)
    assert state.regions["us-east-1"].status is Status.RECOVERING
    again = notification(started_at=EPOCH_SECONDS + 120, drop=["incident_id"])
    state = assess(state, signals(again)[0].signal, {}, ours.policy, START)
    assert state.regions["us-east-1"].status is Status.DOWN


def test_redelivery_of_a_message_without_an_id_is_the_same_incident() -> None:
    told = notification(drop=["incident_id", "started_at"])
    assert signals(told) == signals(told)


def test_a_number_is_an_id_too() -> None:
    signal = signals(notification(incident_id=17))[0].signal
    assert isinstance(signal, AlertOpened)
    assert signal.incident_id == "17"


# --- the control topic ---------------------------------------------------------------------------


def test_a_tick_is_for_every_service() -> None:
    made = parse_control(message({"kind": "tick"}), services())
    assert made == (Addressed("checkout", Tick()), Addressed("search", Tick()))


@pytest.mark.parametrize("value", [{}, [], None, "tick", {"kind": "tock"}, {"kind": ["tick"]}])
def test_any_other_control_message_is_a_bad_event(value: object) -> None:
    with pytest.raises(BadEvent):
        parse_control(message(value), services())


# --- the samples in the repository ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("primary-down", AlertOpened),
        ("primary-closed", AlertClosed),
        ("standby-down", AlertOpened),
        ("state-in-capitals", AlertOpened),
        ("host-only", AlertOpened),
        ("labels-only", AlertOpened),
        ("check-id-in-filter", AlertOpened),
        ("log-match", AlertOpened),
        ("yesterdays", AlertOpened),
        ("channel-test", Ignored),
        ("another-service", Ignored),
        ("unknown-region", BadEvent),
        ("poison", BadEvent),
    ],
)
def test_the_sample_alerts_are_what_they_say(name: str, expected: type[object]) -> None:
    example_file = ALERTS.parent / "failover-local.yaml"
    ours = load(example_file.read_text(), str(example_file)).services
    told = Message((ALERTS / f"{name}.json").read_bytes(), "m1", START)
    if expected is BadEvent:
        with pytest.raises(BadEvent):
            parse_alert(told, ours)
        return
    parsed = parse_alert(told, ours)
    if isinstance(parsed, Ignored):
        assert expected is Ignored
        return
    assert {type(one.signal) for one in parsed} == {expected}


# --- anything at all -----------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(codec=None), max_size=20)
    | st.sampled_from(["open", "closed", "us-east-1", "checkout", "0001-01-01T00:00:00+14:00"])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
INCIDENTS = ANYTHING | st.fixed_dictionaries(
    {},
    optional={
        "incident_id": ANYTHING,
        "state": st.sampled_from(["open", "closed"]) | ANYTHING,
        "started_at": ANYTHING,
        "ended_at": ANYTHING,
        "policy_name": ANYTHING,
        "policy_user_labels": ANYTHING
        | st.fixed_dictionaries(
            {},
            optional={
                "region": st.sampled_from([*REGIONS, "mars-1"]) | ANYTHING,
                "service": st.sampled_from(["checkout", "billing"]) | ANYTHING,
            },
        ),
        "resource": ANYTHING | st.builds(lambda v: {"labels": v}, ANYTHING),
        "metric": ANYTHING | st.builds(lambda v: {"labels": {"check_id": v}}, ANYTHING),
        "condition": ANYTHING | st.builds(lambda v: {"c": {"filter": v}}, ANYTHING),
    },
)
ALL = services()
KNOWN = {(name, region) for name, service in ALL.items() for region in service.names}


def check_whole_way(body: object) -> None:
    """Only a bad event, something ignored, or signals for regions that are configured."""
    try:
        parsed = parse_alert(unwrap(body, START), ALL)
    except BadEvent:
        return
    if isinstance(parsed, Ignored):
        return
    assert parsed
    for one in parsed:
        assert isinstance(one.signal, AlertOpened | AlertClosed)
        assert (one.service, one.signal.region) in KNOWN
        assert one.signal.incident_id
        assert one.signal.started_at.utcoffset() == timedelta(0)


@settings(deadline=None)
@given(incident=INCIDENTS, version=st.just("1.2") | ANYTHING)
@example(
    incident={
        "state": "open",
        "policy_name": "\ud800",
        "policy_user_labels": {"region": "us-east-1"},
    },
    version="1.2",
)
def test_any_json_for_an_incident_is_refused_ignored_or_for_a_known_region(
    incident: object, version: object
) -> None:
    told = {"version": version, "incident": incident}
    check_whole_way(envelope(json.dumps(told).encode()))


@settings(deadline=None)
@given(body=st.binary(max_size=200) | ANYTHING | st.builds(lambda v: {"message": v}, ANYTHING))
def test_any_body_is_refused_ignored_or_for_a_known_region(body: object) -> None:
    check_whole_way(body)


@settings(deadline=None)
@given(data=st.binary(max_size=200), time=ANYTHING, id=ANYTHING)
def test_any_data_is_refused_ignored_or_for_a_known_region(
    data: bytes,
    time: object,
    id: object,  # noqa: A002  # the field's name
) -> None:
    check_whole_way(envelope(data, publishTime=time, messageId=id))


def test_times_are_utc() -> None:
    assert datetime.fromtimestamp(EPOCH_SECONDS, UTC) == STARTED
