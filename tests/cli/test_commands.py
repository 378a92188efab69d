"""The operator's hand at the command line: shown first, done with --apply, refused for reasons."""

from __future__ import annotations

import pytest

from orchestrator.cli.verbs.history import stood_out
from tests.support.desk import Desk

DONE = ("--apply", "--direct", "--reason", "a drill")


@pytest.mark.parametrize(
    "arguments",
    [
        ("failover", "checkout", "--to", "us-west-2"),
        ("failback", "checkout"),
        ("evacuate", "us-east-1"),
        ("freeze", "checkout", "--for", "2h"),
        ("unfreeze", "checkout"),
        ("ack", "checkout"),
    ],
)
def test_without_apply_a_command_is_shown_and_nothing_is_done(
    desk: Desk, arguments: tuple[str, ...]
) -> None:
    desk.run("check", "--apply")
    before = desk.document
    found = desk.run(*arguments)
    assert found.exit_code == 0, found.output
    assert "Nothing was changed. Add --apply" in found.stdout
    assert desk.document == before


def test_a_failover_is_carried_out_and_told_with_actor_and_reason(desk: Desk) -> None:
    found = desk.run("failover", "checkout", "--to", "us-west-2", "--now", *DONE)
    assert found.exit_code == 0, found.output
    assert "It MOVED the traffic from us-east-1 to us-west-2" in found.stdout
    assert "a drill" in found.stdout
    assert desk.document["primary"] == "us-west-2"
    assert len(desk.document["commands"]) == 1
    told = desk.run("explain").stdout
    assert "failover: us-west-2 by" in told
    assert "a drill" in told


def test_applying_needs_a_reason(desk: Desk) -> None:
    found = desk.run("failover", "checkout", "--to", "us-west-2", "--apply", "--direct")
    assert found.exit_code == 2
    assert "--reason" in found.stderr


def test_a_wrong_region_suggests_the_right_one(desk: Desk) -> None:
    for arguments in (("failover", "checkout", "--to", "us-wset-2"), ("evacuate", "us-wset-2")):
        found = desk.run(*arguments)
        assert found.exit_code == 2
        assert "Did you mean 'us-west-2'?" in found.stderr


def test_a_freeze_needs_its_end_and_not_a_name_and_all(desk: Desk) -> None:
    assert desk.run("freeze", "checkout").exit_code == 2
    assert desk.run("freeze", "checkout", "--for", "tomorrow").exit_code == 2
    found = desk.run("freeze", "checkout", "--all", "--for", "2h")
    assert found.exit_code == 2
    assert "not both" in found.stderr
    assert desk.run("freeze", "--all", "--for", "2h", *DONE).exit_code == 0
    assert desk.document["freeze"]["reason"] == "a drill"
    assert "FROZEN" in desk.run("status").stdout


def test_while_it_is_frozen_an_alert_is_held_and_explain_says_how_to_move_all_the_same(
    desk: Desk,
) -> None:
    desk.run("freeze", "checkout", "--for", "1h", *DONE)
    desk.alert("primary-down.json")
    assert desk.document["primary"] == "us-east-1"
    told = desk.run("explain").stdout
    assert "refused freeze" in told
    assert "failoverctl failover" in told
    assert desk.run("failover", "checkout", "--to", "us-west-2", *DONE).exit_code == 0
    assert desk.document["primary"] == "us-west-2"


def test_a_refusal_is_told_with_its_rule_and_the_way_to_override_it(desk: Desk) -> None:
    desk.write(mode="active-active", policy={"min_healthy_regions": 3})
    found = desk.run("evacuate", "us-east-1", *DONE)
    assert found.exit_code == 1
    assert "refused min_healthy_regions" in found.stdout
    assert "--override min_healthy_regions" in found.stdout
    found = desk.run("evacuate", "us-east-1", "--override", "min_healthy_regions", *DONE)
    assert found.exit_code == 0, found.output
    assert "overridden by" in found.stdout
    assert set(desk.document["routing"]) == {"us-west-2", "eu-west-1"}
    assert desk.run("evacuate", "us-west-2", "--override", "brake").exit_code == 2


def test_an_acknowledgement_lets_a_held_move_go(desk: Desk) -> None:
    desk.write(policy={"max_auto_failovers": {"count": 1, "within": "24h"}})
    desk.alert("primary-down.json")
    desk.alert("standby-down.json")
    assert desk.document["primary"] == "us-west-2"
    found = desk.run("ack", "checkout", *DONE)
    assert found.exit_code == 0
    assert desk.document["primary"] == "eu-west-1"


def test_without_a_control_topic_it_says_to_do_it_directly(desk: Desk) -> None:
    found = desk.run("ack", "checkout", "--apply", "--reason", "seen")
    assert found.exit_code == 1
    assert "--direct" in found.stderr


def test_the_answer_in_json_has_the_decision(desk: Desk) -> None:
    shown = desk.json("failover", "checkout", "--to", "us-west-2", "--now")
    assert shown["applied"] is False
    assert shown["services"][0]["outcome"] == "moved"
    done = desk.json("failover", "checkout", "--to", "us-west-2", "--now", *DONE)
    assert done["applied"] is True
    assert done["services"][0]["decision"]["outcome"] == "moved"
    assert done["services"][0]["decision"]["primary"] == "us-west-2"


@pytest.mark.parametrize("verb", [("freeze", "--for", "2h"), ("unfreeze",)])
def test_the_only_service_needs_no_name_and_one_of_several_does(
    desk: Desk, verb: tuple[str, ...]
) -> None:
    assert desk.run(*verb, *DONE).exit_code == 0
    assert (desk.document["freeze"] is not None) == (verb[0] == "freeze")
    desk.second()
    found = desk.run(*verb)
    assert found.exit_code == 2
    assert "which service? There are: checkout, orders. Or say --all." in " ".join(
        found.stderr.split()
    )
    assert desk.run(*verb, "--all").exit_code == 0


@pytest.mark.parametrize(
    ("length", "told"),
    [
        ("0s", "0s is too short: a freeze lasts between 1s and 7d"),
        ("400d", "400d is too long: a freeze lasts between 1s and 7d"),
        ("1000000h", "1000000h is too long: a freeze lasts between 1s and 7d"),
        ("soon", "write a duration such as 30m, 2h or 1d"),
    ],
)
def test_a_freeze_is_as_long_as_the_function_takes_it(desk: Desk, length: str, told: str) -> None:
    found = desk.run("freeze", "checkout", "--for", length, *DONE)
    assert found.exit_code == 2
    assert told in " ".join(found.stderr.split())
    assert desk.run("freeze", "checkout", "--for", "7d").exit_code == 0


def test_two_overrides_are_refused_and_none_is_dropped(desk: Desk) -> None:
    rules = ("--override", "target_healthy", "--override", "replication_lag")
    found = desk.run("failover", "checkout", "--to", "us-west-2", "--now", *rules)
    assert found.exit_code == 2
    assert "a command overrides one rule" in found.stderr


def test_what_a_command_did_is_told_and_shown_before(desk: Desk) -> None:
    shown = desk.run("freeze", "--for", "1h").stdout
    assert "done freeze: frozen until" in shown
    desk.run("freeze", "--for", "2h", *DONE)
    assert "in place of the freeze of" in desk.run("freeze", "--for", "1h").stdout
    assert "has ended" in desk.run("unfreeze", *DONE).stdout
    assert "done unfreeze: automation was not frozen" in desk.run("unfreeze").stdout
    assert "done ack: nothing to acknowledge" in desk.run("ack", *DONE).stdout


def test_history_calls_an_override_one_and_no_refusal(desk: Desk) -> None:
    desk.write(mode="active-active", policy={"min_healthy_regions": 3})
    desk.run("evacuate", "us-east-1", *DONE)
    desk.run("evacuate", "us-east-1", "--override", "min_healthy_regions", *DONE)
    overridden, held = desk.json("history")["history"]
    assert stood_out(held) == ["refused min_healthy_regions"]
    assert stood_out(overridden) == ["overridden min_healthy_regions"]
    desk.write()
    desk.alert("primary-down.json")
    assert "overridden" in desk.run("history").stdout


def test_history_calls_a_region_that_was_passed_over_no_refusal_of_the_move(desk: Desk) -> None:
    desk.alert("standby-down.json")
    desk.run("evacuate", "us-east-1", "--now", *DONE)
    entry = desk.json("history")["history"][0]
    assert entry["outcome"] == "moved"
    assert [one["rule"] for one in entry["reasons"] if not one["passed"]] == ["target_healthy"]
    assert stood_out(entry) == []


def test_explain_takes_the_id_of_a_command(desk: Desk) -> None:
    desk.run("failover", "--to", "us-west-2", "--now", *DONE)
    (identity,) = desk.document["commands"]
    assert "It MOVED the traffic" in desk.run("explain", identity).stdout
    assert "It MOVED the traffic" in desk.run("explain", "checkout", identity).stdout


def test_a_freeze_stands_at_the_head_of_explain_and_plan(desk: Desk) -> None:
    desk.run("freeze", "--for", "2h", *DONE)
    for verb in ("explain", "plan"):
        assert "FROZEN until" in desk.run(verb).stdout.partition("The last decision")[0]
    assert "(epoch 0, nothing moved yet)" in desk.run("explain").stdout
