"""What docs/client.md tells applications to write, run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from moto import mock_aws

from orchestrator.client._process.patched import words
from orchestrator.client.testing import FakeRegions
from orchestrator.local.process.child import ROOT
from tests.client.test_testing import EAST, TABLE, WEST

GUIDE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")


def blocks(heading: str) -> Sequence[str]:
    """The Python of one section."""
    section = GUIDE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def test_calls_from_an_event_loop(capsys: pytest.CaptureFixture[str]) -> None:
    [_, recipe] = blocks("Servers that fork, gevent, asyncio")
    with mock_aws(), FakeRegions(EAST, WEST) as regions:
        db = regions.client(home=EAST)
        db.resource.create_table(**TABLE)
        exec(recipe, {"orders": db.Table("orders")})  # noqa: S102  # our own document
        assert regions.asked[-2:] == ((EAST, "put_item"), (EAST, "get_item"))
    assert capsys.readouterr().out == "{'pk': 'order#2'}\n"


def test_the_lines_that_patch_are_those_of_the_error() -> None:
    [lines, _] = blocks("Servers that fork, gevent, asyncio")
    written = [line for line in lines.splitlines() if line]
    assert "\n".join(written) in words("gevent")


@pytest.mark.long
def test_the_recipe_for_an_applications_tests_passes_without_network_and_credentials(
    tmp_path: Path,
) -> None:
    [recipe] = blocks("Testing an application")
    test = tmp_path / "test_orders.py"
    test.write_text(recipe)
    options = ["-q", "--disable-socket", "-W", "error", "-p", "no:cacheprovider", "-c", "/dev/null"]
    run = [sys.executable, "-m", "pytest", *options, f"--rootdir={tmp_path}", str(test)]
    environment = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    said = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "1 passed" in said.stdout
