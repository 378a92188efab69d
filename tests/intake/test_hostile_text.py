"""Text from outside, in every field of an envelope, an alert and a command: never 5xx, never lost.

What a field does not decide is handled as without it. What it decides (the region, the state) is
refused as poison when it is none that is known. Nothing that is kept holds a hidden character.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import entry
from orchestrator.core.exceptions import BadEvent
from orchestrator.core.model import AlertOpened, Command
from orchestrator.core.outside.ids import plain_id
from orchestrator.core.outside.shown import HIDDEN
from orchestrator.intake.parse import Addressed, Ignored, Message, parse_alert, parse_control
from orchestrator.wiring import Wiring
from tests.fuzz import seeds
from tests.support.fakes import START
from tests.test_entry import configured

HOSTILE = (
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff\ud800",
    "\x1b]0;owned\x07\x1b[2J",
    "\u202egnp\u2066",
    "a\u2028\u2029\x85\n\rb",
    "\u200b\u2060\ufeff\U000e0041",
    "x" * 100_000,
    "9" * 400,
)
DECIDES = frozenset({"state", "region", "service", "host", "version", "filter", "check_id"})
"""Fields of an alert by which it is matched."""

MUST_BE = frozenset({"kind", "verb", "issued_at", "until", "service", "to", "region"})
"""Fields of a command that say what it is."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # any JSON
    """Where texts and numbers stand."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from places(one, (*path, key))
    else:
        yield path


def with_text(value: Any, path: tuple[Any, ...], text: object) -> Any:  # any JSON
    """A copy with this text in that place."""
    made = copy.deepcopy(value)
    here = made
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = text
    return made


def message(value: object) -> Message:
    """As it comes."""
    return Message(json.dumps(value).encode(), "m1", START)


ALERT = json.loads(seeds.alerts()[0])
COMMAND = json.loads(seeds.commands()[1])
SERVICES = seeds.services()


@pytest.fixture
def function(tmp_path: Path) -> Wiring:
    """The function, with its state in a folder and nothing else."""
    configured(tmp_path, "checkout", extra={"policy": {"confirm": "none"}})
    return Wiring({}, tmp_path)


def everything(folder: Path) -> Iterator[str]:
    """Every text that the state folder holds."""
    for path in (folder / "state").rglob("*.json"):
        if path.is_file() and ".generations" not in path.parts:
            yield from texts(json.loads(path.read_bytes()))


def texts(value: Any) -> Iterator[str]:  # any JSON
    """Every text in it, keys as well."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            if key != "first":  # of a poisoned message: evidence, as it came
                yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("path", list(places(ALERT)), ids=lambda path: ".".join(map(str, path)))
def test_an_alert_with_such_a_text_is_the_same_alert_or_poison(
    path: tuple[str, ...], text: str
) -> None:
    found = parsed(message(with_text(ALERT, path, text)))
    if isinstance(found, str):
        assert path[-1] in DECIDES
        assert not HIDDEN.search(found)
        assert len(found) < 5000
        return
    assert {(one.service, one.signal.region) for one in found} == {("checkout", "us-east-1")}  # type: ignore[union-attr]  # an alert
    for one in found:
        assert isinstance(one.signal, AlertOpened)
        assert plain_id(one.signal.incident_id) == one.signal.incident_id


def parsed(given: Message) -> tuple[Addressed, ...] | str:
    """The signals, or why there are none."""
    try:
        found = parse_alert(given, SERVICES)
    except BadEvent as error:
        return str(error)
    return found.reason if isinstance(found, Ignored) else found


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("path", list(places(COMMAND)), ids=lambda path: ".".join(map(str, path)))
def test_a_command_with_such_a_text_is_the_same_command_or_poison(
    path: tuple[str, ...], text: str
) -> None:
    given = message(with_text(COMMAND, path, text))
    if path[-1] in MUST_BE:
        with pytest.raises(BadEvent) as refused:
            parse_control(given, SERVICES)
        assert not HIDDEN.search(str(refused.value))
        return
    ((made,),) = (parse_control(given, SERVICES),)
    assert isinstance(made.signal, Command)
    assert (made.signal.wish, made.signal.region) == ("failover", "us-west-2")
    for kept in (made.signal.id, made.signal.actor, made.signal.reason, made.signal.override):
        assert len(kept) <= 256
        assert not HIDDEN.search(kept)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("field", ["messageId", "publishTime", "attributes", "subscription"])
def test_an_envelope_with_such_a_text_loses_no_alert(
    function: Wiring, tmp_path: Path, field: str, text: str
) -> None:
    data = {"version": "1.2", "incident": {"incident_id": "1", "state": "open"}}
    data["incident"]["policy_user_labels"] = {"region": "us-east-1"}  # type: ignore[index]  # JSON
    inner = {"data": base64.b64encode(json.dumps(data).encode()).decode(), field: text}
    body = json.dumps({"message": inner, "subscription": text}).encode()
    assert entry.alert(body, function) == "moved"
    assert json.loads((tmp_path / "state" / "checkout.json").read_bytes())["epoch"] == 1


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_that_is_kept_of_a_message_hides_or_is_long(
    function: Wiring, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the function: an alert, a freeze, an unknown region, and a body that is no JSON."""

    def sent(value: object) -> bytes:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return json.dumps({"message": {"data": base64.b64encode(data).decode()}}).encode()

    labels = {"region": "us-east-1", text: text}
    incident = {"incident_id": text, "state": "open", "policy_user_labels": labels}
    incident |= {"policy_name": text, "condition_name": text, "summary": text}
    assert entry.alert(sent({"version": "1.2", "incident": incident}), function) == "moved"
    unknown = {**incident, "policy_user_labels": {"region": text}}
    assert entry.alert(sent({"incident": unknown}), function) == "poison"
    assert entry.alert(sent(text.encode("utf-8", "surrogatepass")), function) == "poison"
    now = function.world().context.now()
    told: dict[str, Any] = {"kind": "command", "id": text, "actor": text, "reason": f"r{text}"}
    told |= {
        "override": text,
        "verb": "failover",
        "to": "us-east-1",
        "service": "checkout",
        "now": True,
    }
    assert entry.control(sent({**told, "issued_at": now.isoformat()}), function) in {
        "held",
        "moved",
    }
    for kept in everything(tmp_path):
        assert not HIDDEN.search(kept)
        assert len(kept) < 5000
    for line in capsys.readouterr().out.splitlines():
        assert not HIDDEN.search(line)
        assert len(line) < 20_000
        for one in texts(json.loads(line)):
            assert not HIDDEN.search(one)
