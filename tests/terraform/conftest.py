"""Terraform on a copy of the repository, once a test process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.terraform_runner import Plan, Terraform, copy_repository, missing


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs Terraform is long: half a minute of processor time before the first test."""
    for item in items:
        if "terraform" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.long)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs Terraform where it cannot run: here, so that the report is one line."""
    if "terraform" in getattr(item, "fixturenames", ()) and missing():
        pytest.skip(missing())


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The terraform folder of a copy; nothing writes into the repository itself."""
    return copy_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Terraform, with its providers from wherever they can be had."""
    return Terraform(os.environ.get("TERRAFORM_OFFLINE"), tmp_path_factory.mktemp("providers"))


@pytest.fixture(scope="session")
def plan(terraform: Terraform, tree: Path) -> Plan:
    """The root, planned from terraform/tests/everything.yaml."""
    return terraform.planned(tree)
