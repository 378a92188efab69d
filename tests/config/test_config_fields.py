"""A field of the file has one meaning and one default, and what the file says of it is obeyed."""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path

import pytest
import yaml

from orchestrator.config import load
from orchestrator.config.fields import Field, every, said
from orchestrator.config.schema import PolicyModel, RegionModel
from orchestrator.core.policy import Policy, Region
from tests.support.fakes import configuration

ROOT = Path(__file__).parents[2]
OTHER = {
    "confirm": "monitoring",
    "on_unconfirmed": "proceed",
    "trust_close": True,
    "min_incidents": 2,
    "recovery_probes": 5,
    "cooldown": "1h",
    "max_auto_failovers.count": 0,
    "max_auto_failovers.within": "36h",
    "max_event_age": "90s",
    "brake.share": 0.5,
    "brake.within": "2.5s",
    "min_healthy_regions": 2,
    "failback": "auto",
    "failback_after": "1h",
    "ramp": [0.25, 1.0],
    "ramp_step": "7m",
    "max_replication_lag": "30s",
    "on_lag": "proceed",
    "on_state_loss": "act",
    "graceful.max_staleness": "20s",
    "graceful.request_timeout": "15s",
    "graceful.deadline": "10m",
}
"""For every field of the policy a value that is not its default."""

FIELDS = list(every(PolicyModel))
LEAVES = [field for field in FIELDS if field.model is None]


def policy_of(path: str, value: object) -> Policy:
    """The policy by a file that has this value at this path of it, and nothing else."""
    *steps, last = path.split(".")
    policy: dict[str, object] = {last: value}
    for step in reversed(steps):
        policy = {step: policy}
    file = configuration(policy=policy)
    return load(json.dumps(file), "failover.yaml").services["checkout"].policy


@pytest.mark.parametrize("field", LEAVES, ids=lambda field: field.path)
def test_a_policys_field_arrives_where_the_rules_read_it_and_nowhere_else(field: Field) -> None:
    """By the name and in the words that it has in the file.

    A new field has no value here, and fails: whoever adds one shows that it arrives.
    """
    policy = policy_of(field.path, OTHER[field.path])
    other, default = flat(replace(policy, lag_required=False)), flat(Policy())
    assert in_the_files_words(other[field.path]) == said(OTHER[field.path])
    assert {name for name in default if other[name] != default[name]} == {field.path}


def test_the_core_has_the_fields_of_the_file_and_one_that_says_whether_one_was_written() -> None:
    assert set(flat(Policy())) == {field.path for field in LEAVES} | {"lag_required"}


def test_a_region_arrives_with_all_that_the_file_says_of_it() -> None:
    file = configuration(policy={})
    group = "projects/p/zones/z/instanceGroups/g"
    entry = {
        "endpoint": "dynamodb.us-west-1.amazonaws.com",
        "aws_region": "us-west-1",
        "health_url": "https://other.example.com/health",
        "check_id": "other-check",
        "backend": [group],
    }
    assert set(entry) == set(RegionModel.model_fields)
    file["services"]["checkout"]["regions"] = {"us-west1": entry}
    [region] = load(json.dumps(file), "failover.yaml").services["checkout"].regions
    assert region == Region(
        name="us-west1",
        endpoint="dynamodb.us-west-1.amazonaws.com",
        health_url="https://other.example.com/health",
        check_id="other-check",
        backends=(group,),
        aws_region="us-west-1",
    )


def flat(values: object, path: str = "") -> dict[str, object]:
    """Every field of the core's value, by its path."""
    found: dict[str, object] = {}
    assert is_dataclass(values)
    for one in fields(values):
        value = getattr(values, one.name)
        here = f"{path}{one.name}"
        found |= flat(value, f"{here}.") if is_dataclass(value) else {here: value}
    return found


def in_the_files_words(value: object) -> str:
    """A value of the core as the file would say it."""
    if isinstance(value, Enum):
        return str(value.value)
    return said(list(value) if isinstance(value, tuple) else value)


def test_a_file_that_says_nothing_goes_by_the_cores_defaults() -> None:
    file = configuration(policy={})
    assert load(json.dumps(file), "failover.yaml").services["checkout"].policy == Policy()


def test_the_example_in_the_repository_shows_every_field_of_the_policy_with_its_default() -> None:
    """One of them stands in a comment, because writing it means more than its value."""
    text = (ROOT / "failover.yaml").read_text()
    assert load(text, "failover.yaml").services["checkout"].policy == Policy()
    lines = re.findall(r"^      (?:# )?([a-z_]+: .*?) *(?:#.*)?$", text, re.MULTILINE)
    shown: dict[str, object] = {}
    for line in lines:
        shown |= yaml.safe_load(line)
    assert set(PolicyModel.model_fields) <= set(shown)
    policy = PolicyModel.model_validate({name: shown[name] for name in PolicyModel.model_fields})
    assert policy == PolicyModel()
