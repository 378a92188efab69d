"""The source archive: what is in it, that it is always the same, and that it works by itself."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from deploy import package
from orchestrator.local.process.ask import answers, ask
from orchestrator.local.process.child import ROOT, Child
from orchestrator.local.process.http_status import FINAL
from orchestrator.local.process.loopback import HOST, free_port, url_of
from orchestrator.local.serving import environment
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import alert, fail, settled

PROGRAM = ROOT / "deploy" / "package.py"


def _make(to: Path, config: Path = ROOT / "failover.yaml", **how: object) -> str:
    """Run the program as a person would; what it prints."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--config", str(config), "--output", str(to)],
        capture_output=True,
        text=True,
        check=True,
        **how,  # type: ignore[call-overload]  # passed through
    )
    return str(done.stdout)


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    """In another folder, whatever the umask, the locale, the time zone and the hash seed are."""
    env = {**os.environ, "LC_ALL": "C", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"}
    _make(tmp_path / "a.zip")
    _make(tmp_path / "b.zip", cwd=tmp_path, umask=0o077, env=env)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_copy_with_other_times_and_modes_gives_the_same_bytes(tmp_path: Path) -> None:
    """Git keeps neither; what Python leaves behind stays out."""
    copy = tmp_path / "copy"
    for name in package.files(ROOT):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
        (copy / name).chmod(0o600)
        os.utime(copy / name, (0, 0))
    shutil.copyfile(ROOT / ".gcloudignore", copy / ".gcloudignore")
    for name in ("orchestrator/__pycache__/x.pyc", "orchestrator/local/x.py", "tests/x.py", ".env"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("no part of it")
    assert package.archive(package.files(copy)) == package.archive(package.files(ROOT))


def test_the_archive_holds_the_function_and_is_small(tmp_path: Path) -> None:
    config = tmp_path / "prod.yaml"
    config.write_text("version: 1\n")
    path = tmp_path / "function.zip"
    told = _make(path, config)
    names = set(zipfile.ZipFile(path).namelist())
    assert {"main.py", "failover.yaml", "requirements.txt", "orchestrator/entry.py"} <= names
    assert {name.split("/")[0] for name in names} == {
        "main.py", "failover.yaml", "requirements.txt", "orchestrator",
    }  # fmt: skip
    assert not [
        name for name in names if name.startswith(("orchestrator/local", "orchestrator/cli"))
    ]
    assert zipfile.ZipFile(path).read("failover.yaml") == b"version: 1\n"
    assert path.stat().st_size < 350_000
    assert told.split()[:5] == [
        str(path), str(path.stat().st_size), "bytes", "sha256", package._digest(path.read_bytes()),
    ]  # fmt: skip


def _required(archive: Path) -> set[str]:
    """The packages that the archive's requirements.txt names."""
    text = zipfile.ZipFile(archive).read("requirements.txt").decode()
    return {line.partition("==")[0] for line in text.splitlines() if "==" in line}


def test_only_a_configuration_with_mirrors_brings_their_libraries(tmp_path: Path) -> None:
    plain = (ROOT / "failover.yaml").read_text()
    (tmp_path / "mirrored.yaml").write_text(f"{plain}\nmirrors:\n  redis: {{urls: [redis://h]}}\n")
    _make(tmp_path / "plain.zip")
    _make(tmp_path / "mirrored.zip", tmp_path / "mirrored.yaml")
    few, more = _required(tmp_path / "plain.zip"), _required(tmp_path / "mirrored.zip")
    assert not {"boto3", "redis"} & few
    assert few | {"boto3", "redis"} <= more
    names = zipfile.ZipFile(tmp_path / "mirrored.zip").namelist()
    assert [name for name in names if name.endswith("requirements.txt")] == ["requirements.txt"]
    assert "orchestrator/adapters/aws/mirror.py" in names


def test_terraform_takes_the_same_requirements() -> None:
    text = (ROOT / "terraform" / "main.tf").read_text(encoding="utf-8")
    assert f'"{package.PLAIN}" : "{package.MIRRORED}"' in text


@pytest.mark.parametrize(
    ("config", "is_mirrored"),
    [
        ("version: 1\nmirrors:\n  redis: {urls: [redis://h]}\n", True),
        ("mirrors: {redis: {urls: [redis://h]}}\n", True),
        ('"mirrors" : {}\n', True),
        ('{"version": 1, "services": {},\n "mirrors": {"redis": {}}}', True),
        ("version: 1\n# mirrors: none\n", False),
        ("version: 1\n#mirrors:\n", False),
        ("services:\n  mirrors:\n    mode: active-passive\n", False),
        ("services: {mirrors: {}}\n", False),
    ],
)
def test_the_field_mirrors_is_found_as_yaml_has_it(config: str, is_mirrored: bool) -> None:
    wanted = package.MIRRORED if is_mirrored else package.PLAIN
    assert package.requirements(config) == wanted
    assert ("mirrors" in yaml.safe_load(config)) is is_mirrored


@pytest.mark.parametrize("line", ["orchestrator/local/", "**/x", "a\\ b"])
def test_a_line_that_would_be_misunderstood_is_refused(line: str) -> None:
    with pytest.raises(SystemExit, match="does not know the form"):
        package.patterns(line)


def test_the_last_line_about_a_path_counts() -> None:
    lines = package.patterns("/*\n!/a/\n/a/b/\n# no\n*.tmp\n")
    assert package.let_in(("a",), lines, folder=True)
    assert not package.let_in(("a",), lines, folder=False)
    assert not package.let_in(("a", "b"), lines, folder=True)
    assert package.let_in(("a", "b"), lines, folder=False)
    assert not package.let_in(("a", "x.tmp"), lines, folder=False)
    assert not package.let_in(("c",), lines, folder=True)


@pytest.mark.long
@pytest.mark.world
@pytest.mark.timeout(300)  # the environment is made here if it is not there yet
def test_the_archive_alone_with_its_requirements_handles_an_alert(tmp_path: Path) -> None:
    """In an empty folder, in an environment of requirements.txt and nothing else."""
    python = _environment()
    with LaptopWorld(functions=0, controls=0, traffic_rate=0) as world:
        _make(tmp_path / "function.zip", world.config)
        home = tmp_path / "home"
        zipfile.ZipFile(tmp_path / "function.zip").extractall(home)
        with _function(python, home, world) as url:
            fail(world, "us-east-1")
            data = base64.b64encode(json.dumps(alert(world, "us-east-1")).encode()).decode()
            push = json.dumps({"message": {"data": data, "messageId": "1"}}).encode()
            answer = ask(url, "POST", push, {"Content-Type": "application/json"}, 60)
            assert (answer.status, answer.body) == (200, b"moved\n")
            settled(world, "us-west-2", 1)


def _environment() -> Path:
    """The Python of .venv-function, which make installs requirements.txt into."""
    made = subprocess.run(
        ["make", "--silent", ".venv-function/.installed"],  # noqa: S607  # whichever is installed
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert made.returncode == 0, made.stderr
    return ROOT / ".venv-function" / "bin" / "python"


@contextmanager
def _function(python: Path, home: Path, world: LaptopWorld) -> Iterator[str]:
    """The function under functions-framework, told of the world's servers and nothing else."""
    port = free_port()
    url = f"{url_of(port)}/"
    given = environment(world)
    del given["FAILOVER_CONFIG"]  # failover.yaml lies beside main.py
    env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(home.parent), **given}
    command = [
        *(str(python), "-m", "functions_framework", "--target", "on_alert"),
        *("--host", HOST, "--port", str(port)),
    ]
    child = Child("the archive", command, log=home.parent / "function.log", env=env, cwd=home)
    try:
        child.start_ready(lambda: answers(f"{url}robots.txt", statuses=FINAL), 60)
        yield url
    finally:
        child.stop()
