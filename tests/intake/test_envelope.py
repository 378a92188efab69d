"""Bodies that are no Pub/Sub envelope name the setting that is wrong; base64 in every form."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from orchestrator.core.exceptions import BadEvent
from orchestrator.core.model import AlertOpened
from orchestrator.intake.parse import Ignored, parse_alert, unwrap
from tests.intake.test_parse import envelope, message, notification, services, signals
from tests.support.fakes import START

ODD = bytes([0xFB, 0xEF, 0xFF, 0x3E, 0x3F])
"""Bytes whose base64 has the characters in which the two alphabets differ."""


@pytest.mark.parametrize("size", range(1, 6))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padded", [True, False])
def test_base64_is_read_in_both_alphabets_with_and_without_padding(
    size: int, encode: Any, padded: bool
) -> None:
    text = encode(ODD[:size]).decode()
    body = envelope(b"x")
    body["message"]["data"] = text if padded else text.rstrip("=")
    assert unwrap(body, START).data == ODD[:size]


def test_a_structured_event_may_be_url_safe_too() -> None:
    data = base64.urlsafe_b64encode(json.dumps(envelope(ODD)).encode()).decode().rstrip("=")
    assert unwrap({"specversion": "1.0", "data_base64": data}, START).data == ODD


@pytest.mark.parametrize("text", ["=", "====", "YWFhY", "YW FhYQ", "YWFh*Q", "é"])
def test_what_is_no_base64_is_still_refused(text: str) -> None:
    body = envelope(b"x")
    body["message"]["data"] = text
    with pytest.raises(BadEvent):
        unwrap(body, START)


@pytest.mark.parametrize("body", [notification(), {"version": "test"}])
def test_a_notification_without_its_envelope_names_both_settings_that_do_it(body: object) -> None:
    """Payload unwrapping and a webhook channel send the same bytes."""
    for form in (body, json.dumps(body), json.dumps(body).encode()):
        with pytest.raises(BadEvent) as refused:
            unwrap(form, START)
        text = str(refused.value)
        assert "--push-no-wrapper" in text
        assert "gcloud pubsub subscriptions modify-push-config" in text
        assert "webhook channel" in text
        assert "no failover follows" in text


def test_a_control_message_without_its_envelope_names_the_setting() -> None:
    with pytest.raises(BadEvent, match="--push-no-wrapper"):
        unwrap({"kind": "tick"}, START)


def test_any_other_body_is_called_no_message() -> None:
    with pytest.raises(BadEvent, match="no `message` object"):
        unwrap({"hello": "world"}, START)


@pytest.mark.parametrize("state", ["acknowledged", "ACKNOWLEDGED"])
def test_an_acknowledged_incident_is_still_open(state: str) -> None:
    """Somebody has seen it; its opening is what it was."""
    assert signals(notification(state=state)) == signals(notification())
    parsed = parse_alert(message(notification(state=state)), services())
    assert not isinstance(parsed, Ignored)
    assert isinstance(parsed[0].signal, AlertOpened)
