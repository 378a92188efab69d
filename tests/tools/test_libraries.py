"""The libraries that people hand a table to, in their own environment: `make test-libraries`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from orchestrator.client._calls.routed import OLDEST
from orchestrator.local.process.child import ROOT

LIBRARIES = ROOT / "tests" / "libraries"
REQUIREMENTS = ROOT / "requirements"
UNREACHABLE = re.compile(
    r"Failed to establish a new connection|NameResolutionError|ConnectTimeoutError"
    r"|from versions: none|No module named ensurepip"
)
"""What pip says where packages cannot be had at all."""


def _make(verb: str) -> subprocess.CompletedProcess[str]:
    """As a person would type it: nothing of the make and the pytest that may be around us."""
    told = {n: v for n, v in os.environ.items() if not n.startswith(("MAKE", "MFLAGS", "PYTEST"))}
    return subprocess.run(
        ["make", "--no-print-directory", f"PYTHON={sys.executable}", verb],  # noqa: S607  # whichever is installed
        cwd=ROOT,
        env=told,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
@pytest.mark.client
@pytest.mark.timeout(1200)
def test_libraries_work_with_what_the_client_hands_out_and_so_does_the_oldest_boto3() -> None:
    """Each with a failover in the middle. What could not be installed was not tried."""
    made = _make(".venv-libraries/.installed")
    said = made.stdout + made.stderr
    if made.returncode and UNREACHABLE.search(said):
        pytest.skip(f"libraries cannot be installed, and were not tried: {said.splitlines()[-1]}")
    assert made.returncode == 0, said
    done = _make("test-libraries")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.findall(r"^\d+ passed in", done.stdout, re.MULTILINE)
    assert len(passed) == len(list(LIBRARIES.glob("test_*.py"))) + 1, done.stdout


def test_the_oldest_boto3_that_is_tried_is_the_oldest_that_is_allowed() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    allowed = {
        found[1]
        for extra in ("dynamodb", "flask")
        for one in extras["optional-dependencies"][extra]
        if (found := re.match(r"boto3>=([\d.]+),", one))
    }
    pinned = _pins(REQUIREMENTS / "oldest.txt")
    assert {f"{oldest}.0" for oldest in allowed} == {pinned["boto3"]}
    assert tuple(map(int, pinned["botocore"].split(".")[:2])) == OLDEST


def test_the_newest_boto3_that_is_tried_is_the_one_of_all_other_tests() -> None:
    ours, theirs = _pins(REQUIREMENTS / "tests.txt"), _pins(REQUIREMENTS / "libraries.txt")
    assert {n: ours[n] for n in ("boto3", "botocore")} == {
        n: theirs[n] for n in ("boto3", "botocore")
    }


def _pins(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", file.read_text(encoding="utf-8"), re.MULTILINE))
