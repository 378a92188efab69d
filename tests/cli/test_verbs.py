"""`failoverctl` as a new user meets it: over a state folder, with every kind of mistake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from orchestrator.cli.app import cli
from orchestrator.cli.verb import Verbs
from orchestrator.core.document.codec import decode
from orchestrator.local.process.loopback import free_port
from tests.support.desk import ALERTS, Desk, encoded
from tests.support.fakes import configuration

# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["check", "status", "explain", "history", "plan", "tick"])
def test_a_missing_file_is_a_usage_error_that_says_how_to_name_one(desk: Desk, verb: str) -> None:
    desk.config.unlink()
    found = desk.run(verb)
    assert found.exit_code == 2
    assert "there is no configuration file" in found.stderr
    assert "FAILOVER_CONFIG" in found.stderr
    assert "Traceback" not in found.output


def test_a_wrong_file_names_every_problem_with_its_path(desk: Desk) -> None:
    content = configuration()
    content["services"]["checkout"]["mode"] = "active-pasive"
    content["projct"] = "typo"
    desk.config.write_text(yaml.safe_dump(content))
    found = desk.run("check")
    assert found.exit_code == 1
    assert "services.checkout.mode" in found.stderr
    assert "projct" in found.stderr
    problems = desk.json("check", status=1)["error"]["problems"]
    assert {"services.checkout.mode", "projct"} <= {problem["path"] for problem in problems}


def test_a_wrong_service_name_suggests_the_right_one(desk: Desk) -> None:
    found = desk.run("explain", "chekout")
    assert found.exit_code == 2
    assert "Did you mean 'checkout'?" in found.stderr


def test_a_wrong_verb_suggests_the_right_one(desk: Desk) -> None:
    found = desk.run("exlain")
    assert found.exit_code == 2
    assert "Did you mean 'explain'?" in found.stderr


def test_a_wrong_region_suggests_the_right_one(desk: Desk, tmp_path: Path) -> None:
    alert = json.loads((ALERTS / "primary-down.json").read_text())
    alert["incident"]["policy_user_labels"]["region"] = "us-esat-1"
    file = tmp_path / "alert.json"
    file.write_text(json.dumps(alert))
    found = desk.run("parse", str(file))
    assert found.exit_code == 1
    assert "Did you mean 'us-east-1'?" in found.stderr
    found = desk.run("replay", str(file), "--probe", "us-esat-1=failing")
    assert found.exit_code == 2
    assert "Did you mean 'us-east-1'?" in found.stderr


def test_a_file_that_is_not_there_is_a_usage_error(desk: Desk) -> None:
    assert desk.run("parse", "nothing.json").exit_code == 2
    assert desk.run("replay", "nothing.json").exit_code == 2
    assert desk.run("replay").exit_code == 2


@pytest.mark.long
def test_without_a_world_it_says_how_to_get_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = configuration()
    desk.config.write_text(yaml.safe_dump(content))
    for name in ("STORAGE_EMULATOR_HOST", "COMPUTE_EMULATOR_HOST"):
        monkeypatch.setenv(name, f"127.0.0.1:{free_port()}")
    for verb in ("status", "explain", "history", "plan"):
        found = desk.run(verb)
        assert found.exit_code == 1, verb
        assert "Traceback" not in found.output
    assert "failoverctl serve" in desk.run("explain").stderr
    found = desk.run("check")
    assert found.exit_code == 1
    assert "FAIL" in found.stdout


def test_without_credentials_it_says_how_to_log_in(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    desk.config.write_text(yaml.safe_dump(configuration()))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    found = desk.run("explain")
    assert found.exit_code == 1
    assert "gcloud auth application-default login" in found.stderr


# --- looking -------------------------------------------------------------------------------------


def test_check_makes_the_document_only_when_it_is_told_to(desk: Desk) -> None:
    found = desk.json("check")
    assert found["ok"]
    assert {"state document": "warn"}.items() <= {
        finding["what"]: finding["level"] for finding in found["findings"]
    }.items()
    assert not (desk.state / "checkout.json").exists()
    assert desk.json("check", "--apply")["ok"]
    assert desk.document["epoch"] == 0
    assert desk.document["primary"] == "us-east-1"


def test_check_names_a_backend_that_no_region_claims(desk: Desk) -> None:
    desk.run("check", "--apply")
    file = desk.routing
    resource = json.loads(file.read_text())
    resource["backends"].append({"group": "projects/laptop/zones/x/instanceGroups/stranger"})
    file.write_text(json.dumps(resource))
    findings = desk.json("check", status=1)["findings"]
    assert any("stranger" in f["detail"] and f["level"] == "FAIL" for f in findings)
    resource["backends"][-1]["capacityScaler"] = 0.0
    file.write_text(json.dumps(resource))
    findings = desk.json("check")["findings"]
    assert any("stranger" in f["detail"] and f["level"] == "warn" for f in findings)


def test_check_fails_when_a_region_could_never_take_over(desk: Desk) -> None:
    desk.run("check", "--apply")
    file = desk.routing
    resource = json.loads(file.read_text())
    resource["backends"] = [b for b in resource["backends"] if "eu-west-1" not in b["group"]]
    file.write_text(json.dumps(resource))
    found = desk.json("check", status=1)
    assert any("eu-west-1" in f["detail"] and f["level"] == "FAIL" for f in found["findings"])


def test_parse_tells_what_an_alert_means(desk: Desk) -> None:
    (signal,) = desk.json("parse", str(ALERTS / "primary-down.json"))["signals"]
    assert (signal["kind"], signal["region"]) == ("opened", "us-east-1")
    assert signal["incident_id"] == "0.nwg9th6llz4w"
    assert "ignored" in desk.json("parse", str(ALERTS / "channel-test.json"))
    assert desk.json("parse", str(ALERTS / "poison.json"), status=1)["error"]["kind"] == "BadEvent"


def test_parse_reads_a_push_envelope_too(desk: Desk, tmp_path: Path) -> None:
    data = encoded(ALERTS / "primary-down.json")
    file = tmp_path / "push.json"
    file.write_text(json.dumps({"message": {"data": data, "messageId": "7"}}))
    (signal,) = desk.json("parse", str(file))["signals"]
    assert signal["region"] == "us-east-1"


def test_status_tells_of_document_load_balancer_and_every_region(desk: Desk) -> None:
    desk.alert("primary-down.json")
    (view,) = desk.json("status")["services"]
    assert view["epoch"] == 1
    assert view["primary"] == "us-west-2"
    assert view["load_balancer"]["carrying"] == ["us-west-2"]
    regions = {region["region"]: region for region in view["regions"]}
    assert regions["us-east-1"]["status"] == "down"
    assert regions["us-east-1"]["open_incidents"] == ["0.nwg9th6llz4w"]
    text = desk.run("status").stdout
    assert "us-west-2" in text
    assert "down" in text


def test_plan_and_tick_show_drift_and_change_nothing(desk: Desk) -> None:
    desk.alert("primary-down.json")
    file = desk.routing
    resource = json.loads(file.read_text())
    for backend in resource["backends"]:
        backend["capacityScaler"] = 1.0
    drifted = json.dumps(resource)
    file.write_text(drifted)
    (view,) = desk.json("plan")["services"]
    assert view["plan"]["drift"]
    assert {change["region"] for change in view["plan"]["changes"]} == {"us-east-1", "eu-west-1"}
    assert "Nothing was changed" in desk.run("tick").stdout
    assert file.read_text() == drifted
    (done,) = desk.json("tick", "--apply", "--direct")["services"]
    assert done["shifted"]
    after = json.loads(file.read_text())["backends"]
    assert [backend["capacityScaler"] for backend in after] == [0.0, 1.0, 0.0]


def test_a_tick_without_a_control_topic_says_to_do_it_directly(desk: Desk) -> None:
    found = desk.run("tick", "--apply")
    assert found.exit_code == 1
    assert "--direct" in found.stderr


def test_history_lists_the_decisions_and_the_journal_has_what_became_of_them(desk: Desk) -> None:
    assert desk.json("history")["history"] == []
    desk.alert("primary-down.json")
    (entry,) = desk.json("history")["history"]
    assert entry["outcome"] == "moved"
    (kept,) = desk.json("history", "--journal")["history"]
    assert kept["id"] == entry["id"]
    assert kept["phase"] == "verified"
    assert "moved" in desk.run("history").stdout


def test_explain_says_why_it_moved_with_every_rules_value(desk: Desk) -> None:
    desk.alert("primary-down.json")
    text = desk.run("explain").stdout
    assert "It MOVED the traffic from us-east-1 to us-west-2 (epoch 0 to 1)." in text
    for rule in ("confirm", "brake", "max_auto_failovers", "cooldown", "target_healthy"):
        assert rule in text
    assert "read it back: it was as decided" in text
    by_incident = desk.run("explain", "checkout", "0.nwg9th6llz4w").stdout
    assert "still open" in by_incident
    assert "It MOVED" in by_incident


def test_explain_says_why_it_held_and_what_to_do(desk: Desk) -> None:
    desk.write(policy={"max_auto_failovers": {"count": 0, "within": "1h"}})
    desk.alert("primary-down.json")
    text = desk.run("explain").stdout
    assert "It HELD: the traffic stayed with us-east-1." in text
    assert "refused max_auto_failovers: 0 automatic moves" in text
    assert "A human was paged" in text
    assert "To do, max_auto_failovers" in text


def test_explain_of_what_was_never_heard_of_is_a_failure_that_says_what_that_means(
    desk: Desk,
) -> None:
    desk.alert("primary-down.json")
    found = desk.run("explain", "checkout", "0.never")
    assert found.exit_code == 1
    assert "nothing is recorded of '0.never'" in found.stderr


def test_explain_finds_poison_by_what_it_speaks_of(desk: Desk) -> None:
    desk.alert("unknown-region.json")
    desk.alert("primary-down.json")
    incident = json.loads((ALERTS / "unknown-region.json").read_text())["incident"]["incident_id"]
    text = desk.run("explain", "checkout", incident).stdout
    assert "could not be read" in text
    assert "mars-north-1" in text


def test_replay_plays_alerts_through_the_decisions_and_touches_nothing(desk: Desk) -> None:
    files = [str(ALERTS / name) for name in ("primary-down.json", "standby-down.json")]
    first, second = desk.json("replay", *files)["decisions"]
    assert (first["outcome"], first["primary"]) == ("moved", "us-west-2")
    assert (second["outcome"], second["primary"]) == ("moved", "eu-west-1")
    assert not desk.state.exists()


def test_replay_with_a_probe_that_disagrees_holds(desk: Desk) -> None:
    alert = str(ALERTS / "primary-down.json")
    (one,) = desk.json("replay", alert, "--probe", "us-east-1=healthy")["decisions"]
    assert one["outcome"] in {"unchanged", "held", "health"}
    assert one["primary"] == "us-east-1"


def test_replay_of_poison_fails_and_tells_the_others_all_the_same(desk: Desk) -> None:
    files = [str(ALERTS / name) for name in ("poison.json", "primary-down.json")]
    poison, moved = desk.json("replay", *files, status=1)["decisions"]
    assert "poison" in poison
    assert moved["outcome"] == "moved"


# --- the state -----------------------------------------------------------------------------------


def test_state_show_prints_the_document_and_its_versions(desk: Desk) -> None:
    assert desk.run("state", "show").exit_code == 1
    desk.alert("primary-down.json")
    assert desk.json("state", "show")["epoch"] == 1
    versions = desk.json("state", "show", "--versions")["versions"]
    assert versions[0]["epoch"] == 1
    generation = str(versions[-1]["generation"])
    assert "schema" in desk.json("state", "show", "--generation", generation)


def test_a_corrupt_document_is_named_and_restored_and_the_epoch_does_not_go_back(
    desk: Desk,
) -> None:
    desk.alert("primary-down.json")
    good = desk.document
    path = desk.state / "checkout.json"
    path.write_text('{"schema": 1, "epoch": 1, "primary": ')
    rubbish = path.read_bytes()
    for verb in (("explain",), ("status",), ("plan",)):
        found = desk.run(*verb)
        assert found.exit_code == 1
        assert "corrupt" in found.output
        assert "failoverctl state restore checkout" in found.output
    assert desk.run("state", "show").exit_code == 1
    assert desk.run("check").exit_code == 1
    told = desk.json("state", "restore")
    assert told["epoch"] == 2
    assert path.read_bytes() == rubbish
    assert desk.run("state", "restore", "--apply").exit_code == 0
    after = desk.document
    assert after["epoch"] == 2 > good["epoch"]
    assert after["primary"] == "us-west-2"
    assert after["incidents"] == good["incidents"]
    assert decode(path.read_bytes(), "checkout").mark.epoch == 2
    assert desk.run("check").exit_code == 0


def test_a_restore_of_a_good_document_is_refused_with_the_way_to_insist(desk: Desk) -> None:
    desk.alert("primary-down.json")
    found = desk.run("state", "restore")
    assert found.exit_code == 1
    assert "--generation" in found.stderr


# --- the program ---------------------------------------------------------------------------------


def test_every_verb_has_help_json_and_config() -> None:
    def leaves(group: Verbs, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
        for name, command in group.loaded().items():
            if isinstance(command, Verbs):
                yield from leaves(command, (*path, name))
            else:
                yield (*path, name), command

    for path, command in leaves(cli):
        assert command.help, path
        options = {option for parameter in command.params for option in parameter.opts}
        assert path == ("completion",) or {"--json", "--config"} <= options


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str) -> None:
    found = CliRunner().invoke(cli, ["completion", shell])
    assert found.exit_code == 0
    assert "_FAILOVERCTL_COMPLETE" in found.output


def test_completion_knows_the_services(desk: Desk) -> None:
    complete = ShellComplete(cli, {}, "failoverctl", "_FAILOVERCTL_COMPLETE")
    given = ["explain", "--config", str(desk.config)]
    assert [item.value for item in complete.get_completions(given, "ch")] == ["checkout"]


@pytest.mark.parametrize("before", [("explain",), ("explain", "checkout")])
def test_completion_knows_what_can_be_explained(desk: Desk, before: tuple[str, ...]) -> None:
    desk.alert("primary-down.json")
    complete = ShellComplete(cli, {}, "failoverctl", "_FAILOVERCTL_COMPLETE")
    given = [*before, "--config", str(desk.config)]
    found = [item.value for item in complete.get_completions(given, "")]
    assert found == (["checkout"] if len(before) == 1 else [newest(desk), "0.nwg9th6llz4w"])
    desk.config.unlink()
    assert complete.get_completions(given, "") == []


def newest(desk: Desk) -> str:
    """The id of the last decision."""
    return str(desk.json("history")["history"][0]["id"])


def test_completion_knows_the_services_of_an_evacuation(desk: Desk) -> None:
    complete = ShellComplete(cli, {}, "failoverctl", "_FAILOVERCTL_COMPLETE")
    given = ["evacuate", "us-east-1", "--config", str(desk.config), "--service"]
    assert [item.value for item in complete.get_completions(given, "")] == ["checkout"]


# --- small mistakes ------------------------------------------------------------------------------


def test_all_versions_and_one_of_them_are_two_wishes(desk: Desk) -> None:
    found = desk.run("state", "show", "--versions", "--generation", "5")
    assert found.exit_code == 2
    assert "use one of them" in found.stderr


def test_a_generation_that_is_not_kept_points_to_those_that_are(desk: Desk) -> None:
    desk.alert("primary-down.json")
    found = desk.run("state", "restore", "--generation", "5")
    assert found.exit_code == 1
    assert "generation 5: it is not kept" in found.stderr
    assert "failoverctl state show checkout --versions" in " ".join(found.stderr.split())
    assert len(found.stderr) < 200


def test_a_drill_that_cannot_be_run_stops_no_other(desk: Desk, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("title = 7")
    good = ALERTS.parent / "drills" / "frozen.toml"
    found = desk.run("drill", str(wrong), str(good))
    assert found.exit_code == 1
    assert "1 of 2 promises held." in found.stdout
    assert "cannot be run" in found.stdout
    desk.config.unlink()
    found = desk.run("drill", str(good))
    assert found.exit_code == 2
    assert "there is no configuration file" in found.stderr
    assert CliRunner().invoke(cli, ["drill", str(good)]).exit_code == 0


def test_replay_tells_an_incident_of_the_future_as_one(desk: Desk) -> None:
    alert = str(ALERTS / "primary-down.json")
    told = desk.run("replay", alert, "--at", "2020-01-01T00:00:00Z").stdout
    assert "in the future by our clock" in told
    assert "e+" not in told
