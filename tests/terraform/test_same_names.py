"""What Terraform makes is what the code uses: asked of a plan and of the code itself."""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials

from deploy import package
from orchestrator.adapters.gcp.gauges import CustomMetrics
from orchestrator.adapters.gcp.traffic import OPERATION_DEADLINE
from orchestrator.config import Config, load
from orchestrator.config.schema import RegionModel, TopicsModel
from orchestrator.core.model import AlertOpened, Tick
from orchestrator.flow.journal.record import journal_folder, journal_name
from orchestrator.intake.parse import Message, parse_alert, parse_control
from orchestrator.local.process.child import ROOT
from tests.support.fakes import lab
from tests.support.metrics import Watched, serving
from tests.support.terraform_runner import Plan

pytestmark = [pytest.mark.terraform, pytest.mark.timeout(300)]

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
TERRAFORM = ROOT / "terraform"
EVERYTHING = TERRAFORM / "tests" / "everything.yaml"


def _config(path: Path) -> Config:
    return load(path.read_text(encoding="utf-8"), str(path))


def _functions(plan: Plan) -> list[dict[str, Any]]:
    return list(plan.resources("google_cloudfunctions2_function").values())


@pytest.mark.parametrize(
    "path",
    [EVERYTHING, *sorted(TERRAFORM.rglob("failover.yaml"))],
    ids=lambda path: path.parent.name,
)
def test_every_configuration_here_is_one_that_the_function_loads(path: Path) -> None:
    assert _config(path).services


def test_entry_points_are_those_of_main(plan: Plan) -> None:
    main = ast.parse((ROOT / "main.py").read_text(encoding="utf-8"))
    there = {
        node.name for node in main.body if isinstance(node, ast.FunctionDef) and node.decorator_list
    }
    planned = {function["build_config"][0]["entry_point"] for function in _functions(plan)}
    assert planned == there


def test_a_function_takes_the_topic_that_its_entry_point_reads(plan: Plan) -> None:
    """on_alert the alerts, on_control the ticks; in every region."""
    topics = {"on_alert": "alerts", "on_control": "control"}
    subscriptions = plan.resources("google_pubsub_subscription")
    for address, function in plan.resources("google_cloudfunctions2_function").items():
        key = address.split('"')[1]
        assert f'module.messaging.google_pubsub_subscription.push["{key}"]' in subscriptions
        kind = function["build_config"][0]["entry_point"].removeprefix("on_")
        assert key.startswith(f"{kind}-")
        assert topics[f"on_{kind}"].startswith(kind)
    assert len({function["location"] for function in _functions(plan)}) == 2


def test_environment_variables_are_some_that_the_code_reads(plan: Plan) -> None:
    """What the function compares a push with, all of it or nothing."""
    package = ROOT / "orchestrator"
    rooms = (ROOT / "main.py", *package.glob("*.py"), *package.glob("intake/*.py"))
    code = "".join(path.read_text(encoding="utf-8") for path in rooms)
    for function in _functions(plan):
        names = set(function["service_config"][0]["environment_variables"])
        gate = {name for name in names if name.startswith("FAILOVER_PUSH_")}
        unread = {name for name in names if f'"{name}"' not in code}
        assert unread in (set(), gate)


def test_a_function_is_told_the_one_subscription_that_pushes_to_it(plan: Plan) -> None:
    """And the audience of its tokens, which is where they are pushed to."""
    pushes = plan.resources("google_pubsub_subscription")
    for address, function in plan.resources("google_cloudfunctions2_function").items():
        key = address.split('"')[1]
        push = pushes[f'module.messaging.google_pubsub_subscription.push["{key}"]']
        told = function["service_config"][0]["environment_variables"]
        name = f"projects/{push['project']}/subscriptions/{push['name']}"
        [config] = push["push_config"]
        assert told["FAILOVER_PUSH_SUBSCRIPTION"] == name
        assert told["FAILOVER_PUSH_AUDIENCE"] == config["oidc_token"][0]["audience"]
        assert told["FAILOVER_PUSH_AUDIENCE"] == config["push_endpoint"]
        assert told["FAILOVER_PUSH_IAM"] == "closed"


def test_an_invocation_may_take_longer_than_an_operation_and_less_than_pubsub_waits(
    plan: Plan,
) -> None:
    deadlines = {
        push["ack_deadline_seconds"]
        for address, push in plan.resources("google_pubsub_subscription").items()
        if ".push" in address
    }
    for function in _functions(plan):
        timeout = function["service_config"][0]["timeout_seconds"]
        assert OPERATION_DEADLINE * 2 < timeout < min(deadlines)


def test_topics_are_those_of_the_file_and_the_default_is_the_schemas(plan: Plan) -> None:
    topics = _config(EVERYTHING).topics
    made = {topic["name"] for topic in plan.resources("google_pubsub_topic").values()}
    assert made == {topics.alerts, topics.control, topics.events, "failover-dead-letter"}
    main = (TERRAFORM / "main.tf").read_text(encoding="utf-8")
    default = re.search(r'try\(local\.config\.topics\.alerts, "([^"]+)"\)', main)
    assert default
    assert default[1] == TopicsModel().alerts


def test_the_labels_of_each_policy_lead_the_parser_to_its_region(plan: Plan) -> None:
    """Built as Monitoring builds a notification: from the policy's labels and nothing else."""
    services = _config(EVERYTHING).services
    policies = {
        address: policy
        for address, policy in plan.resources("google_monitoring_alert_policy").items()
        if address.startswith("module.alerting.google_monitoring_alert_policy.region[")
    }
    found = set()
    for policy in policies.values():
        incident = {
            "incident_id": "0.abc",
            "policy_user_labels": policy["user_labels"],
            "started_at": NOW.timestamp(),
            "state": "open",
        }
        data = json.dumps({"incident": incident, "version": "1.2"}).encode()
        signals = parse_alert(Message(data, "1", NOW), services)
        assert isinstance(signals, tuple)
        found |= {
            (to.service, to.signal.region) for to in signals if isinstance(to.signal, AlertOpened)
        }
    assert found == {
        (name, region) for name, service in services.items() for region in service.names
    }


def test_the_hosts_of_the_checks_are_those_of_the_health_urls(plan: Plan) -> None:
    """The second way to a region: the host, where somebody has taken the labels away."""
    services = _config(EVERYTHING).services
    checks = plan.resources("google_monitoring_uptime_check_config").values()
    assert len(checks) == 4
    for check in checks:
        host = check["monitored_resource"][0]["labels"]["host"]
        incident = {"resource": {"labels": {"host": host}}, "state": "open"}
        data = json.dumps({"incident": incident, "version": "1.2"}).encode()
        signals = parse_alert(Message(data, "1", NOW), services)
        assert isinstance(signals, tuple)
        labels = check["user_labels"]
        assert [(to.service, getattr(to.signal, "region", "")) for to in signals] == [
            (labels["service"], labels["region"])
        ]


def test_what_the_scheduler_publishes_is_a_tick(plan: Plan) -> None:
    services = _config(EVERYTHING).services
    jobs = plan.resources("google_cloud_scheduler_job")
    assert len(jobs) == 2
    topics = plan.resources("google_pubsub_topic")
    for address in jobs:
        body = jobs[address]["http_target"][0]["body"]
        (message,) = json.loads(base64.b64decode(body))["messages"]
        found = parse_control(Message(base64.b64decode(message["data"]), "1", NOW), services)
        assert [to.service for to in found] == list(services)
        assert all(isinstance(to.signal, Tick) for to in found)
    assert 'module.messaging.google_pubsub_topic.this["control"]' in topics


def test_the_state_bucket_and_its_journal_are_where_the_code_writes(plan: Plan) -> None:
    (bucket,) = (
        made
        for address, made in plan.resources("google_storage_bucket").items()
        if address.startswith("module.state.")
    )
    state = _config(EVERYTHING).state
    prefixes = {
        prefix
        for rule in bucket["lifecycle_rule"]
        for prefix in rule["condition"][0].get("matches_prefix") or ()
    }
    assert state == f"gs://{bucket['name']}/prod"
    assert prefixes == {"prod/journal/"}
    assert journal_folder("checkout") == "journal/checkout/"


def _may(plan: Plan, permission: str, name: str) -> bool:
    """Whether the function may do this with an object, by its roles and their conditions."""
    roles = plan.resources("google_project_iam_custom_role")
    grants = plan.resources("google_storage_bucket_iam_member")
    root = "projects/_/buckets/my-project-failover/objects/prod/"
    for address, grant in grants.items():
        if not address.startswith("module.state."):
            continue
        kind = address.partition("iam_member.")[2].partition("[")[0]
        [made] = [one for where, one in roles.items() if where.endswith(f"custom_role.{kind}")]
        [condition] = grant["condition"]
        found = re.fullmatch(r'(!?)resource\.name\.startsWith\("(.+)"\)', condition["expression"])
        assert found
        holds = (root + name).startswith(found[2]) is not bool(found[1])
        if holds and permission in made["permissions"]:
            return True
    return False


def test_who_has_the_functions_identity_can_neither_overwrite_nor_delete_the_journal(
    plan: Plan,
) -> None:
    """By the names that the code gives; an overwrite takes `delete`."""
    entry = journal_name("checkout", {"epoch": 7, "at": "2026-11-23T05:00:00Z", "id": "x"})
    for name in (entry, "journal/_poison/0123.json"):
        assert _may(plan, "storage.objects.create", name)
        assert _may(plan, "storage.objects.get", name)
        assert not _may(plan, "storage.objects.delete", name)
    for name in ("checkout.json", "dynamodb_regions.json"):
        assert _may(plan, "storage.objects.delete", name), "or no document could be replaced"


def test_the_gauge_that_is_missed_is_one_that_the_code_writes(plan: Plan) -> None:
    """By Google's client: its type, its labels and its resource, as they arrive."""
    [made] = plan.resources("google_monitoring_metric_descriptor").values()
    told = lab()
    told.tick()
    [(_, gauges)] = told.gauges.written
    with serving(Watched()) as service:
        CustomMetrics("laptop", "us-central1", AnonymousCredentials, service.host).write(
            gauges, datetime.now(UTC)
        )
        [(key, [point])] = [
            one for one in service.written().items() if one[0].metric == made["type"]
        ]
    assert isinstance(point.value, int)
    assert (made["metric_kind"], made["value_type"]) == ("GAUGE", "INT64")
    assert {label["key"] for label in made["labels"]} == set(dict(key.labels))
    assert {label["value_type"] for label in made["labels"]} == {"STRING"}
    policies = plan.resources("google_monitoring_alert_policy")
    policy = policies["module.observability.google_monitoring_alert_policy.gauges[0]"]
    [absent] = policy["conditions"][0]["condition_absent"]
    assert absent["filter"] == f'metric.type="{key.metric}" AND resource.type="{key.resource}"'
    [by] = absent["aggregations"][0]["group_by_fields"]
    assert dict(key.labels)[by.removeprefix("metric.label.")] == "checkout"


_FIELDS = {"page", "unverified", "poison"}


def _logged() -> Iterator[str]:
    """Names that the code logs as true: `log(..., page=True)` or `log(..., **{"page": True})`."""
    for path in (ROOT / "orchestrator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and "log" in {
                getattr(node.func, "id", ""),
                getattr(node.func, "attr", ""),
            }:
                yield from _true_in(node)


def _true_in(call: ast.Call) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg and _is_true(keyword.value):
            yield keyword.arg
        for node in ast.walk(keyword.value):
            if isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                yield from (
                    str(getattr(key, "value", "")) for key, value in pairs if _is_true(value)
                )


def _is_true(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _watched(plan: Plan) -> set[str]:
    filters = json.dumps(list(plan.resources("google_monitoring_alert_policy").values()))
    filters += json.dumps(list(plan.resources("google_logging_metric").values()))
    return set(re.findall(r"jsonPayload\.([a-z_]+)=true", filters))


def test_log_fields_that_people_are_told_of_are_fields_that_the_code_writes(plan: Plan) -> None:
    assert _watched(plan) == _FIELDS | {"frozen"}
    assert set(_logged()) >= _FIELDS


def test_a_standing_freeze_is_logged_as_terraform_expects() -> None:
    assert "frozen" in set(_logged())


@pytest.mark.parametrize(
    "url",
    [
        "https://a-1.us-east4.run.app/healthz",
        "https://a-1.us-east4.run.app/health",
        "https://A-1.us-east4.RUN.app/statusz",
        "https://a-1.us-east4.run.app/z?x=1",
        "https://a-1.us-east4.run.app/health?x=z",
        "https://a-1.us-east4.run.app",
        "https://a-1.us-east4.run.app:443/healthz",
        "https://run.app.example.com/healthz",
        "http://use4.checkout.example.com/healthz",
    ],
)
def test_terraform_refuses_the_health_urls_that_the_schema_refuses(url: str) -> None:
    text = (TERRAFORM / "modules" / "alerting" / "variables.tf").read_text(encoding="utf-8")
    literal = re.search(r'!can\(regex\("([^\n]+)", check\.health_url\)\)', text)
    assert literal
    refused = re.search(literal[1].replace("\\\\", "\\"), url) is not None
    group = "projects/p/regions/us-east4/networkEndpointGroups/g"
    try:
        RegionModel(health_url=url, backend=group)
    except ValueError:
        assert refused
    else:
        assert not refused


def test_terraforms_archive_holds_the_files_of_make_package(plan: Plan, tree: Path) -> None:
    """Which reads .gcloudignore, as gcloud does: the same files whichever way deploys them."""
    assert {*plan.output("source_files"), "failover.yaml"} == set(package.files(tree.parent))


def test_the_roles_give_only_what_changing_traffic_and_keeping_state_take(plan: Plan) -> None:
    assert plan.permissions() == {
        "compute.backendServices.get",
        "compute.backendServices.update",
        "compute.globalOperations.get",
        "compute.healthChecks.useReadOnly",
        "compute.instanceGroups.use",
        "compute.networkEndpointGroups.use",
        "compute.regionNetworkEndpointGroups.get",
        "compute.regionNetworkEndpointGroups.use",
        "monitoring.metricDescriptors.create",
        "monitoring.metricDescriptors.get",
        "monitoring.timeSeries.create",
        "monitoring.timeSeries.list",
        "storage.objects.create",
        "storage.objects.delete",
        "storage.objects.get",
        "storage.objects.list",
    }
