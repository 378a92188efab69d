"""`explain` finds an incident by the id it came with, also where the record has its hash."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.desk import Desk


def test_an_incident_is_found_by_the_form_that_monitoring_gave(desk: Desk, tmp_path: Path) -> None:
    """Longer than the record keeps, and with characters that it does not."""
    given = "projects/p/incidents/" + "x" * 80
    labels = {"service": "checkout", "region": "us-east-1"}
    told = {"incident_id": given, "state": "open", "policy_user_labels": labels}
    file = tmp_path / "long.json"
    file.write_text(json.dumps({"version": "1.2", "incident": told}))
    desk.alert(str(file))
    [kept] = desk.document["incidents"]
    assert kept.startswith("sha256:")
    for identity in (given, kept):
        text = desk.run("explain", "checkout", identity)
        assert text.exit_code == 0, text.output
        assert kept in text.stdout
