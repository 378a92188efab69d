"""Monitoring notifications have the shape of the real ones."""

from datetime import UTC, datetime

from orchestrator.local.monitoring.notification import UptimeCheck, closed, opened, trial

CHECK = UptimeCheck("checkout", "us-east-1", "use4.checkout.example.com")
STARTED = datetime(2026, 1, 1, 5, tzinfo=UTC)
ENDED = datetime(2026, 1, 1, 6, tzinfo=UTC)
ALWAYS_THERE = {
    *("incident_id", "scoping_project_id", "scoping_project_number", "url", "summary", "state"),
    *("started_at", "ended_at", "policy_name", "policy_user_labels", "condition_name"),
    *("condition", "resource", "resource_id", "resource_name", "resource_display_name"),
    *("resource_type_display_name", "metric", "metadata", "threshold_value", "observed_value"),
    *("severity", "documentation"),
}


def incident(notification: dict[str, object]) -> dict[str, object]:
    """The incident of a notification."""
    found = notification["incident"]
    assert isinstance(found, dict)
    return found


def test_an_opened_incident_has_no_end() -> None:
    """An open notification names the region by label, by host and by check, and has no end."""
    notification = opened(CHECK, "0.abc", STARTED)
    found = incident(notification)
    assert notification["version"] == "1.2"
    assert set(found) == ALWAYS_THERE
    assert (found["state"], found["started_at"], found["ended_at"]) == ("open", 1767243600, None)
    assert found["policy_user_labels"] == {
        "service": "checkout",
        "region": "us-east-1",
        "role": "failover",
    }
    resource = {"project_id": "laptop", "host": "use4.checkout.example.com"}
    assert found["resource"] == {"type": "uptime_url", "labels": resource}
    assert 'check_id="checkout-us-east-1-x1"' in str(found["condition"])


def test_a_closed_incident_is_the_same_one() -> None:
    """A close carries the id and the start of its open, and its end in epoch seconds."""
    found = incident(closed(CHECK, "0.abc", STARTED, ENDED))
    assert set(found) == ALWAYS_THERE
    assert (found["incident_id"], found["state"]) == ("0.abc", "closed")
    assert (found["started_at"], found["ended_at"]) == (1767243600, 1767247200)


def test_the_trial_is_recognisable() -> None:
    """The console's test message has version "test", upper-case state and plain documentation."""
    notification = trial()
    assert notification["version"] == "test"
    assert incident(notification)["state"] == "OPEN"
    assert isinstance(incident(notification)["documentation"], str)
