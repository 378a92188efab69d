"""What made a decision is data in the record, in every version's form, and words for people."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.document.trigger import Trigger, TriggerOrigin, as_json, of, read, words
from orchestrator.core.model import AlertClosed, AlertOpened, Command, Signal, Tick, Wish

AT = datetime(2026, 11, 23, 5, tzinfo=UTC)
FREEZE = Command("c-1", Wish.FREEZE, "alice", "a drill", AT)
FAILOVER = Command("c-1", Wish.FAILOVER, "alice", "seen by b: ok", AT, "us-west-2")
SIGNALS: list[Signal] = [
    AlertOpened("0.a", "us-east-1", AT),
    AlertClosed("0.a", "us-east-1", AT, AT),
    Tick(),
    FREEZE,
    FAILOVER,
]
TEXTS = st.text(max_size=30)
TRIGGERS = st.builds(
    Trigger,
    st.sampled_from(TriggerOrigin),
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
)


@pytest.mark.parametrize(
    ("signal", "recorded"),
    [
        (
            SIGNALS[0],
            {"kind": "alert", "incident": "0.a", "state": "open", "region": "us-east-1"},
        ),
        (
            SIGNALS[1],
            {"kind": "alert", "incident": "0.a", "state": "closed", "region": "us-east-1"},
        ),
        (Tick(), {"kind": "tick"}),
        (
            FREEZE,
            {"kind": "command", "id": "c-1", "verb": "freeze", "actor": "alice"}
            | {"reason": "a drill"},
        ),
        (
            FAILOVER,
            {"kind": "command", "id": "c-1", "verb": "failover", "region": "us-west-2"}
            | {"actor": "alice", "reason": "seen by b: ok"},
        ),
    ],
)
def test_a_signal_is_recorded_field_by_field(signal: Signal, recorded: dict[str, str]) -> None:
    assert as_json(of(signal)) == recorded
    assert read(json.loads(json.dumps(as_json(of(signal))))) == of(signal)


@given(TRIGGERS)
def test_whatever_the_fields_hold_the_record_gives_them_back(trigger: Trigger) -> None:
    """Blanks, colons and the words of our own sentences among them."""
    assert read(json.loads(json.dumps(as_json(trigger)))) == trigger


@pytest.mark.parametrize(
    ("older", "trigger"),
    [
        ("tick", Trigger(TriggerOrigin.TICK)),
        ("alert 0.a open us-east-1", of(SIGNALS[0])),
        ("alert 0.a closed us-east-1", of(SIGNALS[1])),
        (
            "alert 0.a open by me open us-east-1",
            Trigger(TriggerOrigin.ALERT, "0.a open by me", "open", "us-east-1"),
        ),
        ("command c-1 freeze by alice: a drill", of(FREEZE)),
        ("command c-1 failover us-west-2 by alice: seen by b: ok", of(FAILOVER)),
        (
            "command c 1 ack by a: b",
            Trigger(TriggerOrigin.COMMAND, id="c 1", verb="ack", actor="a", reason="b"),
        ),
        (
            "state restore of generation 7 by alice",
            Trigger(TriggerOrigin.RESTORE, actor="alice", generation="7"),
        ),
        ("check --adopt by alice", Trigger(TriggerOrigin.ADOPT, actor="alice")),
        ("command c-1", Trigger(TriggerOrigin.UNKNOWN, text="command c-1")),
        ("alert", Trigger(TriggerOrigin.UNKNOWN, text="alert")),
        ("", Trigger(TriggerOrigin.UNKNOWN)),
    ],
)
def test_the_sentences_of_older_versions_are_read(older: str, trigger: Trigger) -> None:
    assert read(older) == trigger


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_sentence_that_is_read_is_told_as_it_was_written(signal: Signal) -> None:
    """But for the actor, who is told as claimed."""
    told = words(of(signal))
    assert words(read(told.replace(" (as claimed)", ""))) == told


@pytest.mark.parametrize(
    ("trigger", "told"),
    [
        (of(FAILOVER), "command c-1 failover us-west-2 by alice (as claimed): seen by b: ok"),
        (of(FREEZE), "command c-1 freeze by alice (as claimed): a drill"),
        (
            Trigger(TriggerOrigin.RESTORE, actor="alice", generation="7"),
            "state restore of generation 7 by alice (as claimed)",
        ),
        (Trigger(TriggerOrigin.ADOPT, actor="alice"), "check --adopt by alice (as claimed)"),
        (of(SIGNALS[0]), "alert 0.a open us-east-1"),
        (Trigger(TriggerOrigin.TICK), "tick"),
        (Trigger(TriggerOrigin.UNKNOWN, text="who knows"), "who knows"),
    ],
)
def test_it_is_told_in_a_few_words_with_its_actor_as_claimed(trigger: Trigger, told: str) -> None:
    assert words(trigger) == told


@pytest.mark.parametrize(
    "odd",
    [None, 7, [], {}, {"kind": []}, {"kind": {}}, {"kind": "alert", "incident": 7}, "x " * 9000],
)
def test_what_stands_there_by_mistake_is_unknown_or_empty_and_never_an_error(odd: object) -> None:
    assert read(odd).ids == frozenset()
    words(read(odd))


def test_a_kind_that_only_a_newer_version_knows_is_told_by_its_name() -> None:
    assert words(read({"kind": "forecast", "id": "x"})) == "forecast"


def test_a_long_sentence_that_nobody_wrote_is_not_searched() -> None:
    """A search that begins anew at each word would take minutes."""
    attack = "command " + "x freeze by " * 200_000
    assert read(attack) == Trigger(TriggerOrigin.UNKNOWN, text=attack)
