"""During a roll-out an older instance leaves to a newer one what only the newer file knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator import entry
from orchestrator.core.exceptions import Outdated
from orchestrator.wiring import Wiring
from tests.test_entry import alert, configured, message


def command(**more: object) -> dict[str, object]:
    """An evacuation of eu-west-1, issued now."""
    return {
        "kind": "command",
        "id": "c1",
        "verb": "evacuate",
        "actor": "alice",
        "reason": "a drill",
        "issued_at": datetime.now(UTC).isoformat(),
        "region": "eu-west-1",
        **more,
    }


def serial(path: Path, number: int) -> Wiring:
    """An instance with this file as it was at that serial."""
    content = yaml.safe_load(path.read_text())
    ours = path.with_name(f"failover-{number}.yaml")
    ours.write_text(yaml.safe_dump({**content, "serial": number}, sort_keys=False))
    return Wiring({"FAILOVER_CONFIG": str(ours)}, path.parent)


def decided_by_newer(folder: Path) -> Path:
    """A file whose newer version has already made a decision; its path."""
    path = configured(folder, "checkout")
    assert entry.alert(message(alert(region="us-east-1")), serial(path, 2)) == "moved"
    return path


Take = Callable[[Any, Wiring], str]
STRANGE: dict[str, tuple[Take, Callable[[], dict[str, object]]]] = {
    "a region": (entry.alert, lambda: alert(region="eu-west-1")),
    "a region of a service": (entry.alert, lambda: alert(region="eu-west-1", service="checkout")),
    "a service": (entry.alert, lambda: alert(region="us-east-1", service="search")),
    "nothing that we know": (entry.alert, alert),
    "a command for a service": (entry.control, lambda: command(service="search")),
    "a command for a region": (entry.control, command),
}


@pytest.mark.parametrize(("take", "body"), STRANGE.values(), ids=STRANGE.keys())
def test_what_only_a_newer_file_may_know_is_left_to_it(
    take: Take, body: Callable[[], dict[str, object]], tmp_path: Path
) -> None:
    path = decided_by_newer(tmp_path)
    with pytest.raises(Outdated, match="serial 1, and checkout's document was made with 2"):
        take(message(body()), serial(path, 1))
    assert not list(tmp_path.glob("state/journal/_poison/*"))
    for same_or_newer in (2, 3):
        assert take(message(body()), serial(path, same_or_newer)) in {"poison", "ignored"}


def test_what_no_file_can_read_is_poison_for_an_older_instance_too(tmp_path: Path) -> None:
    path = decided_by_newer(tmp_path)
    assert entry.alert(message({"version": "1.2"}), serial(path, 1)) == "poison"
    assert entry.control(message({"kind": "dance"}), serial(path, 1)) == "poison"
