"""The desk, for every test of the verbs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.desk import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with a configuration and nothing else."""
    for name in ("FAILOVER_CONFIG", "STORAGE_EMULATOR_HOST", "COMPUTE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    made = Desk(tmp_path)
    made.write()
    return made
