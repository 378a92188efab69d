"""An application that installs the client gets boto3, and nothing of the orchestrator's own."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import orchestrator.client

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]

_IMPORTS = """
import sys
before = set(sys.modules)
import {module}
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(loaded | {{name for name in sys.modules if name.startswith("orchestrator.")}}))
"""


def names(extra: str) -> set[str]:
    """The packages of an extra."""
    return {re.split(r"[<>=\[]", one)[0].strip() for one in EXTRAS[extra]}


def test_nothing_is_installed_without_an_extra() -> None:
    assert PROJECT["dependencies"] == []


@pytest.mark.parametrize("extra", ["dynamodb", "flask"])
def test_the_clients_extras_bring_nothing_of_the_functions(extra: str) -> None:
    assert "boto3" in names(extra)
    assert not names(extra) & names("function")


@pytest.mark.parametrize("module", ["dynamodb", "document", "health", "wsgi", "asgi", "testing"])
def test_importing_it_loads_nothing_of_the_functions(module: str) -> None:
    code = _IMPORTS.format(module=f"orchestrator.client.{module}")
    run = [sys.executable, "-c", code]
    out = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    forbidden = {"functions_framework", "google", "grpc", "pydantic", "yaml", "requests", "flask"}
    assert not set(out) & (forbidden | {"gevent", "moto", "pytest"})
    own = {name.split(".")[1] for name in out if name.startswith("orchestrator.")}
    assert own <= {"addresses", "client", "core", "aws_identity"}


# --- what is public

_PUBLIC = re.findall(r"^    (\w+) {2,}\S", str(orchestrator.client.__doc__), re.MULTILINE)
"""The modules that the package's docstring calls public."""

_SHOWN = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "terraform").rglob("*.md")]
_SHOWN += (ROOT / "examples").rglob("*.md")


def imported(source: str) -> set[str]:
    """The modules of `orchestrator.client` that a source imports."""
    found = re.findall(r"(?:from|import) orchestrator\.client\.(\w+)", source)
    for names in re.findall(r"from orchestrator\.client import ([\w, ]+)", source):
        found += re.split(r",\s*", names)
    return set(found)


def test_the_guide_and_the_package_name_the_same_public_modules() -> None:
    guide = (ROOT / "docs" / "client.md").read_text("utf-8")
    section = guide.split("\n## What is public\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(cells))) == sorted(_PUBLIC)


@pytest.mark.parametrize("name", _PUBLIC)
def test_a_public_module_is_there(name: str) -> None:
    assert importlib.util.find_spec(f"orchestrator.client.{name}") is not None


def test_no_example_imports_a_private_module() -> None:
    blocks = [
        block
        for document in _SHOWN
        for block in re.findall(r"```python\n(.*?)```", document.read_text("utf-8"), re.DOTALL)
    ]
    sources = [file.read_text("utf-8") for file in (ROOT / "examples").rglob("*.py")]
    shown = set().union(*map(imported, [*blocks, *sources]))
    assert {"dynamodb", "sources", "testing"} <= shown, "imports are found"
    assert shown <= set(_PUBLIC)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_the_wheel_says_that_it_is_typed(tmp_path: Path) -> None:
    """Without `py.typed` in it a type checker takes everything of ours for Any.

    Skipped where pip finds no setuptools to build with.
    """
    copy = tmp_path / "project"
    shutil.copytree(ROOT / "orchestrator", copy / "orchestrator")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    run = [*pip, "--no-deps", "--wheel-dir", str(tmp_path), str(copy)]
    said = subprocess.run(run, capture_output=True, text=True, check=False)
    if "No matching distribution found for setuptools" in said.stderr:
        pytest.skip("pip finds no setuptools to build a wheel with")
    assert said.returncode == 0, said.stderr
    [wheel] = tmp_path.glob("*.whl")
    assert "orchestrator/py.typed" in zipfile.ZipFile(wheel).namelist()
