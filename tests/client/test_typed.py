"""mypy in an application's environment: ours is installed there, and stubs of boto3, or none."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.local.process.child import ROOT

pytestmark = [pytest.mark.long, pytest.mark.client, pytest.mark.timeout(300)]
APPLICATION = Path(__file__).with_name("typed_application.py")
HERE = Path(sysconfig.get_path("purelib"))
OURS = {"orchestrator": ROOT / "orchestrator"}
BOTO3 = {name: HERE / name for name in ("boto3", "botocore")}
TYPES_BOTO3 = ("boto3-stubs", "botocore-stubs", "types_boto3_dynamodb")
BOTO3_STUBS = ("boto3-stubs", "botocore-stubs", "mypy_boto3_dynamodb")
PINS = ("boto3-stubs==1.43.126", "mypy-boto3-dynamodb==1.43.124", "botocore-stubs==1.43.126")


def objections(folder: Path, installed: Mapping[str, Path]) -> list[tuple[int, str, str]]:
    """What mypy says of the application, strictly: line, code, words.

    installed: the packages of its environment; a package there counts as typed if it says so.
    """
    environment = folder / "environment"
    make = [sys.executable, "-m", "venv", "--without-pip", str(environment)]
    subprocess.run(make, check=True)
    [packages] = environment.glob("lib/python3*/site-packages")
    for name, path in installed.items():
        assert path.is_dir(), f"{path} is not there: the stubs moved"
        (packages / name).symlink_to(path)
    nothing = folder / "mypy.ini"
    nothing.write_text("[mypy]\n")
    python = ["--python-executable", str(environment / "bin" / "python")]
    options = ["--strict", "--config-file", str(nothing), "--cache-dir", str(folder / "cache")]
    copy = folder / "application.py"
    copy.write_text(APPLICATION.read_text())
    run = [sys.executable, "-m", "mypy", *python, *options, str(copy)]
    said = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False)
    assert said.returncode in (0, 1), said.stdout + said.stderr
    found = re.findall(
        r"^application.py:(\d+): error: (.*?)(?:  \[([\w-]+)\])?$", said.stdout, re.MULTILINE
    )
    assert f"Found {len(found)} error" in said.stdout or not said.returncode, said.stdout
    return [(int(line), code, words) for line, words, code in found]


def line_of(text: str) -> int:
    """Where the application says this."""
    lines = APPLICATION.read_text().splitlines()
    [number] = [number for number, line in enumerate(lines, 1) if text in line]
    return number


def test_with_types_boto3_mistakes_are_found_and_nothing_else(tmp_path: Path) -> None:
    stubs = {name: HERE / name for name in TYPES_BOTO3}
    assert objections(tmp_path, OURS | BOTO3 | stubs) == []


def test_with_boto3_stubs_mistakes_are_found_and_nothing_else(tmp_path: Path) -> None:
    """The other family, whose classes have other names. Skipped where it cannot be installed."""
    target = tmp_path / "stubs"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run = [*pip, "--no-deps", "--target", str(target), *PINS]
    said = subprocess.run(run, capture_output=True, text=True, check=False)
    if said.returncode:
        pytest.skip(f"pip could not install {', '.join(PINS)}: {said.stderr[-300:]}")
    stubs = {name: target / name for name in BOTO3_STUBS}
    assert objections(tmp_path, OURS | BOTO3 | stubs) == []


def test_without_stubs_only_what_is_ours_is_known(tmp_path: Path) -> None:
    """What boto3 would object to is not found, and nothing right is taken for wrong."""
    found = objections(tmp_path, OURS | BOTO3)
    assert {code for _, code, _ in found} == {"unused-ignore", "import-untyped"}
    unknown = {line for line, code, _ in found if code == "unused-ignore"}
    assert line_of("Kye=") in unknown
    assert not {line_of('deadline="soon"'), line_of("mode=1")} & unknown
