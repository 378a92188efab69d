"""`check` and `replay` where alerts are confirmed by Monitoring."""

from __future__ import annotations

import pytest

from tests.support.desk import ALERTS, Desk
from tests.support.metrics import Watched, serving

EAST, WEST, EU = "us-east-1", "us-west-2", "eu-west-1"


def test_check_tells_what_monitoring_says_of_each_region(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check ids of the file find two checks; the third region's finds nothing."""
    watched = Watched()
    desk.write(policy={"confirm": "monitoring", "on_unconfirmed": "hold"})
    text = desk.config.read_text()
    for name in (EAST, WEST):
        text = text.replace(f"check_id: checkout-{name}", f"check_id: checkout-{name}-x1")
    desk.config.write_text(text)
    watched.tell(EAST, passing=6, failing=0)
    watched.tell(WEST, passing=0, failing=6)
    with serving(watched) as service:
        monkeypatch.setenv("MONITORING_EMULATOR_HOST", service.host)
        findings = desk.json("check")["findings"]
    said = {f["detail"]: (f["level"], f["do"]) for f in findings if f["what"] == "uptime check"}
    assert said[f"{EAST}: Monitoring says healthy (6 of 6 checker locations pass)"] == ("ok", "")
    assert said[f"{WEST}: Monitoring says failing (6 of 6 checker locations fail)"] == ("ok", "")
    level, remedy = said[f"{EU}: Monitoring says silent (no data)"]
    assert level == "warn"
    assert "then it is hold" in remedy


@pytest.mark.parametrize(("told", "outcome"), [("failing", "moved"), ("healthy", "held")])
def test_replay_takes_what_it_is_told_for_monitorings_word(
    desk: Desk, told: str, outcome: str
) -> None:
    desk.write(policy={"confirm": "monitoring"})
    alert = str(ALERTS / "primary-down.json")
    (one,) = desk.json("replay", alert, "--probe", f"{EAST}={told}")["decisions"]
    assert one["outcome"] == outcome
