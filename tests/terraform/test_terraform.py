"""Terraform's own checks of terraform/, and that they fail where they must."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.local.process.child import ROOT
from tests.support.terraform_runner import Terraform

pytestmark = [pytest.mark.long, pytest.mark.terraform, pytest.mark.timeout(300)]

FOLDERS = [
    ".",
    *(
        f"modules/{name}"
        for name in ("alerting", "messaging", "observability", "orchestrator", "state")
    ),
    *(f"examples/{name}" for name in ("cloud-run-global", "dynamodb-global-table", "mig-capacity")),
]


def test_no_folder_is_forgotten() -> None:
    found = {"."} | {
        str(path.parent.relative_to(ROOT / "terraform"))
        for path in (ROOT / "terraform").glob("*/*/main.tf")
    }
    assert found == set(FOLDERS)


def test_everything_is_formatted() -> None:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed: the format of terraform/ was not checked")
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-diff", "-recursive", str(ROOT / "terraform")],  # noqa: S607  # whichever is installed
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_tables_of_inputs_and_outputs_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "terraform" / "readme.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_is_valid_and_passes_its_tests(
    folder: str, terraform: Terraform, tree: Path
) -> None:
    if not folder.startswith("modules/"):  # the root validates its modules
        valid = terraform.run("validate", tree / folder)
        assert valid.returncode == 0, valid.stdout + valid.stderr
    files = sorted((tree / folder / "tests").glob("*.tftest.hcl"))
    chosen = [f"-filter=tests/{file.name}" for file in files if file.name != "planned.tftest.hcl"]
    assert chosen  # planned.tftest.hcl is run by the fixtures that compare with it
    passed = terraform.run("test", tree / folder, *chosen)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "Success!" in passed.stdout


@pytest.mark.parametrize("example", ["cloud-run-global", "mig-capacity"])
def test_what_the_orchestrator_writes_is_ignored_by_terraform(example: str) -> None:
    """The drift contract, decision 0011; no plan can show it, so the text is looked at."""
    text = (ROOT / "terraform" / "examples" / example / "main.tf").read_text(encoding="utf-8")
    _, _, block = text.partition('resource "google_compute_backend_service" "app" {\n')
    block, _, _ = block.partition("\n}\n")
    assert "name                  = local.service.traffic.backend_service" in block
    assert "ignore_changes = [backend, description]" in block


def test_an_upgrade_keeps_the_account_of_alerts_and_its_place_among_the_callers() -> None:
    """No plan without an older state can show it, so the text is looked at.

    A new account would be made after the old one is gone. The old grant, destroyed after the
    binding is written, would take the account out of it.
    """
    text = (ROOT / "terraform/modules/orchestrator/main.tf").read_text(encoding="utf-8")
    plain = " ".join(text.split())
    moved = "moved { from = google_service_account.invoker to = google_service_account.push"
    assert f'{moved}["alert"] }}' in plain
    assert (
        "removed { from = google_cloud_run_v2_service_iam_member.invoker"
        " lifecycle { destroy = false } }"
    ) in plain
    assert 'topic = "alerts", account = "invoker"' in plain


# what is broken: the module, its file, the text that is there, what stands there instead, the verb
# that must fail, and what it must say
BROKEN = {
    "an unknown argument": (
        "messaging", "main.tf",
        "ack_deadline_seconds ", "acknowledge_deadline_seconds ",
        "validate", "Unsupported argument",
    ),
    "a policy without its labels": (
        "alerting", "main.tf",
        '''  notification_channels = [google_monitoring_notification_channel.topic.id]
  user_labels           = merge(var.labels, local.identity[each.key])''',
        '''  notification_channels = [google_monitoring_notification_channel.topic.id]
  user_labels           = var.labels''',
        "test", "the labels service and region",
    ),
    "a grouping that loses the host": (
        "alerting", "main.tf",
        '["resource.label.project_id", "resource.label.host"]', '["resource.label.project_id"]',
        "test", "the host survives the grouping",
    ),
    "only opened incidents told": (
        "alerting", "main.tf",
        '["OPENED", "CLOSED"]', '["OPENED"]',
        "test", "both the open and the close are told",
    ),
    "no dead letter": (
        "messaging", "main.tf",
        '''  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letter.id
    max_delivery_attempts = var.max_delivery_attempts
  }
''', "",
        "test", "dead_letter_policy",
    ),
    "no back-off": (
        "messaging", "main.tf",
        '''  retry_policy {
    minimum_backoff = "${var.min_backoff}s"
    maximum_backoff = "${var.max_backoff}s"
  }
''', "",
        "test", "retry_policy",
    ),
    "subscriptions that expire": (
        "messaging", "main.tf",
        'ttl = ""', 'ttl = "2678400s"',
        "test", "a month without an alert must not delete the subscription",
    ),
    "functions open to the internet": (
        "orchestrator", "main.tf",
        '"ALLOW_INTERNAL_ONLY"', '"ALLOW_ALL"',
        "test", "closed to the internet",
    ),
    "one region allowed": (
        "orchestrator", "variables.tf",
        "length(distinct(var.regions)) >= 2 &&", "length(distinct(var.regions)) >= 1 &&",
        "test", "Missing expected failure",
    ),
    "a role that may delete": (
        "orchestrator", "main.tf",
        '= ["compute.backendServices.get", ', '= ["compute.backendServices.delete", ',
        "test", "read and change, never create or delete",
    ),
    "a public bucket": (
        "state", "main.tf",
        'public_access_prevention    = "enforced"', 'public_access_prevention    = "inherited"',
        "test", "no public access",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_fails(what: str, terraform: Terraform, tree: Path, tmp_path: Path) -> None:
    module, file, there, instead, verb, says = BROKEN[what]
    broken = tmp_path / "module"
    shutil.copytree(tree / "modules" / module, broken)
    text = (broken / file).read_text(encoding="utf-8")
    assert there in text, f"{file} of {module} has changed: break it in another way"
    (broken / file).write_text(text.replace(there, instead), encoding="utf-8")
    done = terraform.run(verb, broken)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, said
    assert says in said


# the same for the examples: the example, the text in its main.tf, what stands instead, verb, words
BROKEN_EXAMPLES = {
    "an unknown argument in the load balancer": (
        "cloud-run-global", "load_balancing_scheme = \"EXTERNAL_MANAGED\"",
        "load_balancer_scheme = \"EXTERNAL_MANAGED\"",
        "validate", "Unsupported argument",
    ),
    "the classic load balancer": (
        "cloud-run-global", "load_balancing_scheme = \"EXTERNAL_MANAGED\"",
        "load_balancing_scheme = \"EXTERNAL\"",
        "test", "the primary alone carries traffic",
    ),
    "standbys that carry traffic": (
        "mig-capacity", "capacity_scaler       = backend.key == local.primary ? 1 : 0",
        "capacity_scaler       = 1",
        "test", "capacity scalers",
    ),
    "replicas that cannot be restored": (
        "dynamodb-global-table", "point_in_time_recovery      = true",
        "point_in_time_recovery      = false",
        "test", "replicas, each with its own recovery",
    ),
    "a role that any Google account may take": (
        "dynamodb-global-table", '"accounts.google.com:sub"  = id',
        '"accounts.google.com:sub"  = "*"',
        "test", "trust by web identity",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN_EXAMPLES)
def test_an_example_that_is_broken_fails(
    what: str, terraform: Terraform, tree: Path, tmp_path: Path
) -> None:
    example, there, instead, verb, says = BROKEN_EXAMPLES[what]
    shutil.copytree(tree.parent, tmp_path / "copy")
    folder = tmp_path / "copy" / "terraform" / "examples" / example
    text = (folder / "main.tf").read_text(encoding="utf-8")
    assert there in text, f"{example} has changed: break it in another way"
    (folder / "main.tf").write_text(text.replace(there, instead), encoding="utf-8")
    filters = ["-filter=tests/example.tftest.hcl"] if verb == "test" else []
    done = terraform.run(verb, folder, *filters)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, said
    assert says in said


@pytest.mark.long
def test_the_scan_fails_for_what_is_insecure(tree: Path, tmp_path: Path) -> None:
    scanner = ROOT / ".venv-checkov" / "bin" / "checkov"
    if not scanner.exists():
        pytest.skip("checkov is not installed (make scan): the scan itself was not tried")
    shutil.copytree(tree, tmp_path / "terraform")
    state = tmp_path / "terraform" / "modules" / "state" / "main.tf"
    text = state.read_text(encoding="utf-8")
    assert '= "enforced"' in text
    state.write_text(text.replace('= "enforced"', '= "inherited"'), encoding="utf-8")
    done = subprocess.run(
        [str(scanner), "--config-file", "terraform/.checkov.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "CKV_GCP_114" in done.stdout
