"""What `check` says of a replication lag that would hold a failover."""

from __future__ import annotations

from orchestrator.cli.check.finding import Level
from orchestrator.cli.check.lag import lag
from orchestrator.core.model import NO_MARK, Observed, Probe, Stored, Verdict
from orchestrator.core.policy import Service
from tests.support.fakes import service

EAST, WEST = "us-east-1", "us-west-2"
UNKNOWN = Probe(Verdict.HEALTHY, 200, {EAST: None})
QUIET = Probe(Verdict.HEALTHY, 200)


def said(checkout: Service, probe: Probe) -> list[tuple[Level, str]]:
    """What is found when the west answers so and nobody else answers."""
    observed = Observed(Stored(None, NO_MARK.epoch), None, {WEST: probe})
    return [(finding.level, finding.detail) for finding in lag(checkout, observed)]


def test_an_unknown_lag_that_would_hold_a_failover_is_named() -> None:
    ((level, detail),) = said(service(), UNKNOWN)
    assert level is Level.WARN
    assert detail.startswith("us-west-2: the replication lag from us-east-1 is unknown")


def test_a_lag_that_nobody_tells_is_named_only_where_the_file_states_a_limit() -> None:
    assert said(service(), QUIET) == []
    ((_, detail),) = said(service(policy={"max_replication_lag": "60s"}), QUIET)
    assert detail.endswith("(and 1 more)")


def test_a_lag_that_holds_nothing_is_not_named() -> None:
    assert said(service(policy={"on_lag": "proceed"}), UNKNOWN) == []
