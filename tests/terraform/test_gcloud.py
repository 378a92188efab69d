"""What gcloud installs is what Terraform installs: the commands compared with a plan."""

from __future__ import annotations

import base64
import json
import re
import shlex
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud.compute_v1.types import BackendService

from deploy.gcloud import __main__ as program
from deploy.gcloud import function_policies, policies
from deploy.gcloud.settings import KINDS, Settings
from deploy.gcloud.step import Gone, Step, Word, Words
from orchestrator.local.google.gcloud import Gcloud, installed
from orchestrator.local.process.child import ROOT
from tests.support.terraform_runner import Plan

pytestmark = [pytest.mark.terraform, pytest.mark.timeout(300)]

EVERYTHING = ROOT / "terraform" / "tests" / "everything.yaml"
REGIONS = ("us-central1", "northamerica-northeast1")
ONE = {  # blocks that Terraform keeps as lists of one
    "alert_strategy", "condition_absent", "condition_matched_log", "condition_threshold",
    "condition_prometheus_query_language", "documentation", "notification_rate_limit", "trigger",
}  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The configuration, regions and address of terraform/tests/planned.tftest.hcl."""
    folder = tmp_path_factory.mktemp("gcloud")
    (folder / "function.zip").write_bytes(b"an archive")
    regions = [word for region in REGIONS for word in ("--region", region)]
    return program.settings_of(
        [
            *("--config", str(EVERYTHING), "--archive", str(folder / "function.zip")),
            *("--to", str(folder / "out"), "--email", "oncall@example.com", *regions),
        ]
    )


@pytest.fixture(scope="module")
def commands(settings: Settings) -> list[Words]:
    """Every command that the script may run."""
    steps = list(program.steps(settings))
    made = [words for step in steps if isinstance(step, Step) for words in step.commands]
    return made + [step.drop for step in steps if isinstance(step, Gone)]


def having(commands: Iterable[Words], *verb: str) -> list[dict[str, str]]:
    """Flags of the commands that begin so; positional words are under `""`."""
    found = []
    for words in commands:
        if words[: len(verb)] == verb:
            texts = [str(word) for word in words]
            rest = [word for word in texts[len(verb) :] if not word.startswith("--")]
            pairs = (word[2:].partition("=") for word in texts if word.startswith("--"))
            found.append({"": " ".join(rest), **{name: value for name, _, value in pairs}})
    return found


def planned(plan: Plan, kind: str, module: str = "") -> list[dict[str, Any]]:
    resources = plan.resources(f"google_{kind}").items()
    return [made for address, made in resources if address.startswith(module)]


def test_apis_accounts_and_roles_are_those_of_terraform(plan: Plan, commands: list[Words]) -> None:
    [enabled] = having(commands, "services", "enable")
    assert set(enabled[""].split()) == {one["service"] for one in planned(plan, "project_service")}
    made = having(commands, "iam", "service-accounts", "create")
    assert {(one[""], one["display-name"]) for one in made} == {
        (one["account_id"], one["display_name"]) for one in planned(plan, "service_account")
    }
    for verb in ("create", "update"):
        roles = having(commands, "iam", "roles", verb)
        assert {(one[""], one["title"]): set(one["permissions"].split(",")) for one in roles} == {
            (one["role_id"], one["title"]): set(one["permissions"])
            for one in planned(plan, "project_iam_custom_role")
        }


def test_conditions_of_grants_are_those_of_terraform(plan: Plan, settings: Settings) -> None:
    files = program.files(settings)
    names = ("backend_services.json", "source_copies.json.in", "journal.json", "documents.json")
    made = [json.loads(files[name]) for name in names]
    ours = {
        one["title"]: (one["description"], one["expression"].replace("@NUMBER@", "123456789012"))
        for one in made
    }
    kinds = ("project_iam_member", "storage_bucket_iam_member")
    theirs = [one for kind in kinds for one in planned(plan, kind)]
    members = [one["condition"] for one in theirs if one["condition"]]
    assert ours == {one["title"]: (one["description"], one["expression"]) for [one] in members}


def test_grants_are_as_many_and_of_the_same_roles(plan: Plan, commands: list[Words]) -> None:
    """Project, buckets, topics, subscriptions, accounts and services, each with its roles."""
    kinds = {
        ("projects",): "project_iam_member",
        ("storage", "buckets"): "storage_bucket_iam_member",
        ("pubsub", "topics"): "pubsub_topic_iam_member",
        ("pubsub", "subscriptions"): "pubsub_subscription_iam_member",
        ("iam", "service-accounts"): "service_account_iam_member",
        ("artifacts", "repositories"): "artifact_registry_repository_iam_member",
    }
    for verb, kind in kinds.items():
        ours = having(commands, *verb, "add-iam-policy-binding")
        theirs = planned(plan, kind)
        assert len(ours) == len(theirs), kind
        known = [one["role"] for one in theirs if one.get("role")]
        roles = sorted(one["role"] for one in ours if one["role"].startswith("roles/"))
        assert roles == sorted(role for role in known if role.startswith("roles/")), kind


def test_who_may_call_a_function_is_told_whole_and_is_one_account(
    plan: Plan, commands: list[Words], settings: Settings
) -> None:
    made = {(one[""].split()[0], one["region"]) for one in _policies(commands)}
    functions = planned(plan, "cloudfunctions2_function")
    assert made == {(one["name"], one["location"]) for one in functions}
    bindings = planned(plan, "cloud_run_v2_service_iam_binding")
    assert {one["role"] for one in bindings} == {"roles/run.invoker"}
    assert len(bindings) == len(functions)
    for one in _policies(commands):
        name, file = one[""].split()
        kind = name.removeprefix(f"{settings.name}-")
        policy = json.loads(program.files(settings)[Path(file).name])
        account = settings.account(KINDS[kind].account)
        assert policy == {
            "bindings": [{"role": "roles/run.invoker", "members": [f"serviceAccount:{account}"]}]
        }


def _policies(commands: list[Words]) -> list[dict[str, str]]:
    return having(commands, "run", "services", "set-iam-policy")


def test_images_lie_in_repositories_of_our_own(plan: Plan, commands: list[Words]) -> None:
    made = having(commands, "artifacts", "repositories", "create")
    theirs = planned(plan, "artifact_registry_repository")
    assert {(one[""], one["location"], one["description"]) for one in made} == {
        (one["repository_id"], one["location"], one["description"]) for one in theirs
    }
    assert {one["docker-repository"] for one in having(commands, "functions", "deploy")} == {
        f"projects/my-project/locations/{one['location']}/repositories/{one[''].split()[0]}"
        for one in made
    }


def test_buckets_are_those_of_terraform(
    plan: Plan, commands: list[Words], settings: Settings
) -> None:
    made = {one[""]: one for one in having(commands, "storage", "buckets", "create")}
    files = program.files(settings)
    for bucket in planned(plan, "storage_bucket"):
        ours = made.pop(f"gs://{bucket['name']}")
        assert ours["location"] == bucket["location"]
        assert "uniform-bucket-level-access" in ours
        assert "public-access-prevention" in ours
        use = "source" if bucket["name"] == settings.source_bucket else "state"
        rules = json.loads(files[f"{use}_lifecycle.json"])["rule"]
        assert [rule["condition"] for rule in rules] == [
            {_camel(name): value for name, value in rule["condition"][0].items() if value}
            for rule in bucket["lifecycle_rule"]
        ]
        if use == "state":
            days = bucket["soft_delete_policy"][0]["retention_duration_seconds"] // 86400
            assert ours["soft-delete-duration"] == f"{days}d"
    assert made == {}


def test_functions_are_those_of_terraform(
    plan: Plan, commands: list[Words], settings: Settings
) -> None:
    made = {(one[""], one["region"]): one for one in having(commands, "functions", "deploy")}
    for function in planned(plan, "cloudfunctions2_function"):
        ours = made.pop((function["name"], function["location"]))
        build, service = function["build_config"][0], function["service_config"][0]
        assert (ours["runtime"], ours["entry-point"]) == (build["runtime"], build["entry_point"])
        assert ours["cpu"] == service["available_cpu"]
        assert ours["memory"] == service["available_memory"]
        assert ours["timeout"] == f"{service['timeout_seconds']}s"
        assert int(ours["min-instances"]) == service["min_instance_count"]
        assert int(ours["max-instances"]) == service["max_instance_count"]
        assert int(ours["concurrency"]) == service["max_instance_request_concurrency"]
        assert (
            f"ALLOW_{ours['ingress-settings'].upper().replace('-', '_')}"
            == (service["ingress_settings"])
        )
        variables = _labels(ours["set-env-vars"].replace("${number}", "123456789012"))
        kind = function["name"].removeprefix(f"{settings.name}-")
        identity = variables.pop("FAILOVER_PUSH_IDENTITY")  # Google tells Terraform
        assert identity == settings.account(KINDS[kind].account)
        theirs = service["environment_variables"]
        assert variables == {name: one for name, one in theirs.items() if name in variables}
        assert set(theirs) <= {*variables, "FAILOVER_PUSH_IDENTITY"}
        assert "no-allow-unauthenticated" in ours
    assert made == {}


def test_topics_and_subscriptions_are_those_of_terraform(plan: Plan, commands: list[Words]) -> None:
    topics = {one[""] for one in having(commands, "pubsub", "topics", "create")}
    assert topics == {one["name"] for one in planned(plan, "pubsub_topic")}
    made = {one[""]: one for one in having(commands, "pubsub", "subscriptions", "create")}
    changes = having(commands, "pubsub", "subscriptions", "modify-push-config")
    updated = {one[""]: one for one in changes}
    for subscription in planned(plan, "pubsub_subscription"):
        ours = made.pop(subscription["name"])
        assert ours["expiration-period"] == "never"
        assert subscription["expiration_policy"] == [{"ttl": ""}]
        kept = subscription["message_retention_duration"]
        assert _seconds(ours["message-retention-duration"]) == _seconds(kept)
        if not subscription["retry_policy"]:
            continue  # the dead letters': nobody is pushed to
        assert int(ours["ack-deadline"]) == subscription["ack_deadline_seconds"]
        [retry], [dead] = subscription["retry_policy"], subscription["dead_letter_policy"]
        assert ours["min-retry-delay"] == retry["minimum_backoff"]
        assert ours["max-retry-delay"] == retry["maximum_backoff"]
        assert int(ours["max-delivery-attempts"]) == dead["max_delivery_attempts"]
        [push] = subscription["push_config"]
        [token] = push["oidc_token"]
        url = ours["push-endpoint"].replace("${number}", "123456789012")
        assert url == push["push_endpoint"] == token["audience"]
        assert ours["push-auth-token-audience"] == ours["push-endpoint"]
        kept = updated.pop(subscription["name"])
        assert {name: ours[name] for name in kept} == kept, "an update brings it to the same"
    assert made == {}


def test_the_clock_is_that_of_terraform(plan: Plan, commands: list[Words]) -> None:
    made = {one["location"]: one for one in having(commands, "scheduler", "jobs", "create", "http")}
    for job in planned(plan, "cloud_scheduler_job"):
        ours, [target] = made.pop(job["region"]), job["http_target"]
        assert (ours[""], ours["description"]) == (job["name"], job["description"])
        assert (ours["schedule"], ours["time-zone"]) == (job["schedule"], job["time_zone"])
        assert ours["attempt-deadline"] == job["attempt_deadline"]
        assert int(ours["max-retry-attempts"]) == job["retry_config"][0]["retry_count"]
        assert json.loads(ours["message-body"]) == json.loads(base64.b64decode(target["body"]))
        assert ours["oauth-token-scope"] == target["oauth_token"][0]["scope"]
    assert made == {}


def test_uptime_checks_are_those_of_terraform(plan: Plan, commands: list[Words]) -> None:
    made = {one[""]: one for one in having(commands, "monitoring", "uptime", "create")}
    for check in planned(plan, "monitoring_uptime_check_config"):
        ours, [http] = made.pop(check["display_name"]), check["http_check"]
        assert ours["resource-labels"].startswith(
            f"host={check['monitored_resource'][0]['labels']['host']},"
        )
        assert (ours["path"], int(ours["port"])) == (http["path"], http["port"])
        assert (ours["protocol"] == "https") == http["use_ssl"]
        assert (f"{int(ours['period']) * 60}s", f"{ours['timeout']}s") == (
            check["period"], check["timeout"],
        )  # fmt: skip
        assert ours["service-agent-auth"] == "oidc-token"
        assert http["service_agent_authentication"] == [{"type": "OIDC_TOKEN"}]
        assert _labels(ours["user-labels"]) == check["user_labels"]
    assert made == {}


def test_policies_are_those_of_terraform(plan: Plan, settings: Settings) -> None:
    """All but what is known only when they are made: ids of checks and channels, an account."""
    ours = {str(one["displayName"]): one for one in policies.all_policies(settings).values()}
    for policy in planned(plan, "monitoring_alert_policy"):
        theirs = _api(policy)
        mine = json.loads(json.dumps(ours.pop(policy["display_name"])))
        assert mine.pop("notificationChannels") in (["@TOPIC@"], ["@PEOPLE@"])
        for one, other in zip(mine["conditions"], theirs["conditions"], strict=True):
            for kind, content in one.items():
                if isinstance(content, dict) and "@CHECK@" in str(content.get("filter")):
                    assert "filter" not in other[kind]
                    del content["filter"]
        if policy["display_name"].endswith("not the orchestrator's"):
            _without_account(mine)
        assert mine == theirs
    assert ours == {}


def _without_account(policy: dict[str, Any]) -> None:
    """Take away the texts that name the function's account, which Google tells Terraform."""
    del policy["documentation"]["content"]
    del policy["conditions"][0]["conditionMatchedLog"]["filter"]


def test_fields_that_the_function_never_writes_are_all_that_a_backend_service_has() -> None:
    """Beside what it writes and what Google writes; the same for Terraform."""
    written = {"backends", "description", "fingerprint"}
    googles = {"creationTimestamp", "id", "kind", "region", "selfLink", "usedBy"}
    known = {_camel(name) for name in BackendService.meta.fields}
    assert set(function_policies.FOREIGN) == known - written - googles
    text = (ROOT / "terraform/modules/observability/main.tf").read_text(encoding="utf-8")
    _, _, listed = text.partition("foreign_fields = [")
    assert re.findall(r'"(\w+)"', listed.partition("]")[0]) == list(function_policies.FOREIGN)


def test_what_is_asked_of_monitoring_is_only_what_the_file_wants(settings: Settings) -> None:
    asked = ("gauges", "confirm")
    for wanted in ((), asked[:1], asked[1:], asked):
        services = {"search": {**settings.config["services"]["search"], "policy": None}}
        if "confirm" in wanted:
            services["checkout"] = settings.config["services"]["checkout"]
            services["search"]["policy"] = {"confirm": "monitoring"}
        config = {**settings.config, "services": services, "gauges": "gauges" in wanted}
        made = replace(settings, config=config)
        told = program.script(made)
        assert ("monitoring.timeSeries.create" in told) == ("gauges" in wanted)
        assert ("monitoring.timeSeries.list" in told) == ("confirm" in wanted)
        assert ("roles/failover_monitor" in told) == bool(wanted)
        assert ("gauges" in policies.all_policies(made)) == ("gauges" in wanted)
        assert ("policy_gauges.json" in told) == ("gauges" in wanted)


def test_the_metrics_of_pages_and_freezes_are_those_of_terraform(
    plan: Plan, settings: Settings
) -> None:
    metrics = {metric["name"]: metric for metric in planned(plan, "logging_metric")}
    for field in ("page", "frozen"):
        metric = metrics.pop(f"{settings.name}/{field}")
        ours = json.loads(program.files(settings)[f"metric_{field}.json"])
        assert (ours["description"], ours["filter"]) == (metric["description"], metric["filter"])
        assert ours["labelExtractors"] == metric["label_extractors"]
    assert metrics == {}


def _api(policy: dict[str, Any]) -> dict[str, Any]:
    """A planned policy as the API has it."""
    wanted = (
        *("display_name", "combiner", "severity", "user_labels", "conditions"),
        *("alert_strategy", "documentation"),
    )
    found = _camels({name: policy[name] for name in wanted})
    assert isinstance(found, dict)
    return found


def _camels(value: Any) -> Any:
    if isinstance(value, list):
        return [_camels(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: item for name, item in value.items() if item not in (None, [], {})}
    return {_camel(name): _camels(item[0] if name in ONE else item) for name, item in kept.items()}


def _camel(name: str) -> str:
    renamed = {"days_since_noncurrent_time": "daysSinceNoncurrentTime"}
    return renamed.get(name, re.sub(r"_([a-z])", lambda match: match[1].upper(), name))


def _labels(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split(","))


def _seconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "d": 86400}[text[-1]]


# --- the script itself --------------------------------------------------------------------------


def test_the_script_is_shell(settings: Settings) -> None:
    done = subprocess.run(
        ["sh", "-n"],  # noqa: S607  # the system's
        input=program.script(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.long
def test_every_command_is_one_that_gcloud_knows(
    settings: Settings, commands: list[Words], tmp_path: Path
) -> None:
    """By gcloud's own check of commands, which asks nobody: verbs, flags and kinds of values."""
    if installed() is None:
        pytest.skip("gcloud is not installed: its commands were not checked")
    strings = list(dict.fromkeys(_checkable(words) for words in commands))
    listed = tmp_path / "commands.json"
    listed.write_text(json.dumps([{"command_string": one} for one in strings]))
    gcloud = Gcloud("http://127.0.0.1:1", settings.project, tmp_path / "config")
    said = gcloud.run("meta", "lint-gcloud-commands", f"--commands-file={listed}", within=200)
    results = json.loads(said.out)
    assert len(results) == len(strings)
    assert [
        (one["command_string"], one["error_message"]) for one in results if not one["success"]
    ] == []


def _checkable(words: Words) -> str:
    """With something in the place of what the shell fills in; quoted as gcloud's check reads it."""
    parts = [word.parts if isinstance(word, Word) else (word,) for word in words]
    filled = ["".join(one if isinstance(one, str) else "x" for one in each) for each in parts]
    return shlex.join(["gcloud", *filled])


@pytest.mark.parametrize(
    "missing", [("--region", "us-central1"), ("--email", "oncall@example.com")]
)
def test_one_region_or_nobody_to_tell_is_refused(
    missing: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", str(EVERYTHING), "--archive", "x", "--to", str(tmp_path)]
    given = [
        ("--region", "us-central1"),
        ("--region", "us-east5"),
        ("--email", "oncall@example.com"),
    ]
    words += [word for pair in given if pair != missing for word in pair]
    with pytest.raises(SystemExit):
        program.settings_of(words)
    assert missing[0].strip("-") in capsys.readouterr().err
