"""Mirrors are built as the file says, and cost a cold instance nothing before the first one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.adapters.aws.mirror import SsmMirror
from orchestrator.adapters.redis.mirror import RedisMirror
from orchestrator.local.process.child import ROOT
from orchestrator.wiring import Wiring
from tests.support.fakes import configuration
from tests.support.places import moto_station
from tests.support.station import Said, Station

MIRRORS = {
    "redis": {"urls": ["redis://a", "rediss://user@b:6380/2?password_env=B_PASSWORD"]},
    "ssm": {
        "regions": ["us-east-1", "us-west-2"],
        "role_arn": "arn:aws:iam::123456789012:role/failover-mirror",
    },
}


def written(folder: Path, mirrors: dict[str, Any]) -> dict[str, str]:
    """The environment of an instance with this configuration."""
    file = folder / "failover.yaml"
    state = (folder / "state").as_uri()
    content = {**configuration(), "state": state, "mirrors": mirrors}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return {"FAILOVER_CONFIG": str(file)}


def test_every_server_and_region_of_the_file_is_a_mirror(tmp_path: Path) -> None:
    environ = written(tmp_path, MIRRORS)
    environ |= {"FAILOVER_REDIS_PASSWORD": "one", "B_PASSWORD": "two"}
    made = Wiring(environ, tmp_path).world().context.mirrors
    assert [mirror.name for mirror in made] == [
        "redis://a:6379/0",
        "rediss://b:6380/2",
        "ssm://us-east-1/failover/{service}",
        "ssm://us-west-2/failover/{service}",
    ]
    passwords = [mirror._password for mirror in made if isinstance(mirror, RedisMirror)]
    assert passwords == ["one", "two"]


def test_without_mirrors_there_are_none(tmp_path: Path) -> None:
    assert Wiring(written(tmp_path, {}), tmp_path).world().context.mirrors == ()


def test_building_the_world_imports_no_library_of_a_mirror(tmp_path: Path) -> None:
    """The first alert pays for its failover, not for what comes after it."""
    environ = written(tmp_path, MIRRORS)
    code = f"""
import sys
from pathlib import Path
from orchestrator.wiring import Wiring
assert len(Wiring({environ!r}, Path({str(tmp_path)!r})).world().context.mirrors) == 4
assert not {{"boto3", "botocore", "redis"}} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr


def test_ssm_is_written_by_googles_identity_with_one_exchange_for_all_regions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with moto_station() as aws, Station(lambda _: Said(200, b"e30.e30.c2ln")) as metadata:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        monkeypatch.setenv("GCE_METADATA_HOST", metadata.url.removeprefix("http://"))
        made = Wiring(written(tmp_path, {"ssm": MIRRORS["ssm"]}), tmp_path).world().context.mirrors
        for number, mirror in enumerate(made):
            assert isinstance(mirror, SsmMirror)
            assert mirror.publish("wired", number + 1, b'{"revision": %d}' % (number + 1))
            assert mirror.revision("wired") == number + 1
        exchanges = [asked for asked in aws.asked if b"AssumeRoleWithWebIdentity" in asked.body]
        assert len(exchanges) == len(metadata.asked) == 1
        assert "audience=aws-dynamodb" in metadata.asked[0].path
