"""Ids from outside are short and plain in every record, and found by the form they came in."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.model import AlertOpened, Command
from orchestrator.core.outside.ids import plain_id
from orchestrator.intake.parse import Ignored, Message, parse_alert, parse_control
from tests.support.fakes import START, service

PLAIN = re.compile(r"[A-Za-z0-9._:-]{1,64}")
SERVICES = {"checkout": service()}


@given(form=st.text())
def test_every_id_is_plain_and_stays_the_same_when_asked_again(form: str) -> None:
    assert PLAIN.fullmatch(plain_id(form))
    assert plain_id(plain_id(form)) == plain_id(form)


@pytest.mark.parametrize("form", ["0.nwg9th6llz4w", "tick-us-east-1-17", "a:b_c-D.9", "x" * 64])
def test_a_plain_id_is_kept(form: str) -> None:
    assert plain_id(form) == form


@pytest.mark.parametrize("form", ["x" * 65, "a b", "a\nb", "naïve", "../../state", "a@b"])
def test_another_is_its_hash_and_two_forms_never_share_one(form: str) -> None:
    assert plain_id(form).startswith("sha256:")
    assert plain_id(form) != plain_id(f"{form} ")


def test_an_incident_and_a_command_have_plain_ids_from_the_door_on() -> None:
    assert incident("0.a").incident_id == "0.a"
    assert incident("x" * 300).incident_id == plain_id("x" * 300)
    assert command("c 1").id == plain_id("c 1")


def incident(identity: str) -> AlertOpened:
    """The alert of this incident, parsed."""
    labels = {"service": "checkout", "region": "us-east-1"}
    told = {"incident_id": identity, "state": "open", "policy_user_labels": labels}
    found = parse_alert(sent({"version": "1.2", "incident": told}, START), SERVICES)
    assert not isinstance(found, Ignored)
    signal = found[0].signal
    assert isinstance(signal, AlertOpened)
    return signal


def command(identity: str) -> Command:
    """The command with this id, parsed."""
    told = {"kind": "command", "id": identity, "verb": "ack", "actor": "alice", "reason": "r"}
    [found] = parse_control(sent({**told, "issued_at": START.isoformat()}, START), SERVICES)
    assert isinstance(found.signal, Command)
    return found.signal


def sent(body: dict[str, Any], at: datetime) -> Message:
    """A message with this body."""
    return Message(json.dumps(body).encode(), "1", at)
